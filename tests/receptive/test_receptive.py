"""Receptive fields: by arithmetic, by gradient, by brute force, and the course's numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_cnn as tg
from tinygrad_cnn import nn
from tinygrad_cnn.errors import GraphError, OptionError, ShapeError

NETWORKS = {
    "two 2×2": (lambda: nn.Sequential(nn.Conv2d(1, 1, 2), nn.Conv2d(1, 1, 2)), 1, [2, 3]),
    "lenet": (lambda: tg.models.LeNet().features, 1, [5, 6, 14, 16]),
    "alexnet": (
        lambda: tg.models.AlexNet().features,
        1,
        [11, 19, 51, 67, 99, 131, 163, 195],
    ),
    # The board may be larger than 19: then nothing is cut off.
    "go": (lambda: tg.models.GoPolicy(planes=2, width=4).features, 2, [*range(5, 28, 2)]),
}


def image(channels: int, size: int) -> tuple[int, ...]:
    """The shape of an image in whose middle a field of this size reaches no border."""
    n = size + 70
    return 1, channels, n, n


@pytest.mark.parametrize("name", NETWORKS)
def test_the_courses_networks(name):
    make, channels, sizes = NETWORKS[name]
    model = make()
    whole = tg.receptive_field(model, image(channels, sizes[-1]))
    assert [layer.field[0].size for layer in whole.layers] == sizes
    for layer, size in zip(whole.layers, sizes, strict=True):
        field = tg.receptive_field(model, image(channels, size), layer=layer.name)
        assert field.size == (size, size)
        assert field.measured == field.box == field.window
        assert str(size) in str(field)


def test_a_whole_network_sees_the_whole_image():
    for layer, size in (("features", 16), ("classifier.flatten", 16), ("classifier.dense1", 32)):
        field = tg.receptive_field(tg.models.LeNet(), (1, 1, 28, 28), layer=layer)
        assert field.size == (size, size)
        assert field.measured == field.box
    field = tg.receptive_field(tg.models.GoPolicy(planes=1, width=2), (1, 1, 19, 19))
    assert field.size == (27, 27)  # more than the board
    assert field.measured == field.box == ((0, 18), (0, 18))


@st.composite
def stacks(draw):
    """Layers with stride, padding and dilation, in one or two dimensions; input shape, place."""
    d = draw(st.integers(1, 2))
    conv, max_pool, avg_pool = (
        (nn.Conv1d, nn.MaxPool1d, nn.AvgPool1d),
        (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d),
    )[d - 1]
    tg.manual_seed(draw(st.integers(0, 100)))
    layers: list[nn.Module] = []
    for _ in range(draw(st.integers(1, 4))):
        kernel = tuple(draw(st.integers(1, 3)) for _ in range(d))
        stride = tuple(draw(st.integers(1, 2)) for _ in range(d))
        kind = draw(st.sampled_from(["conv", "conv", "max", "mean", "residual"]))
        if kind == "conv":
            padding = tuple(draw(st.integers(0, 2)) for _ in range(d))
            dilation = tuple(draw(st.integers(1, 2)) for _ in range(d))
            layers.append(conv(1, 1, kernel, stride, padding, dilation))
            layers.append(draw(st.sampled_from([nn.ReLU, nn.Sigmoid, nn.Tanh]))())
        elif kind == "residual":
            layers.append(nn.Residual(conv(1, 1, 3, padding=1)))
        else:
            layers.append((max_pool if kind == "max" else avg_pool)(kernel, stride))
    return nn.Sequential(*layers), d


@given(stacks())
def test_arithmetic_and_gradient_agree_on_random_stacks(stack):
    model, d = stack
    field = tg.receptive_field(model, (1, 1, *[120] * d))  # the middle: far from the border
    assert all(a >= 0 and b < 120 for a, b in field.window)
    assert field.measured == field.box == field.window
    assert field.size == tuple(b - a + 1 for a, b in field.window)


@given(stacks(), st.data())
def test_cells_are_what_brute_force_finds_even_at_the_border(stack, data):
    """Without maxima: the gradient of a network of means, at any element."""
    model, d = stack
    layers = [m for m in model if not isinstance(m, nn.MaxPool1d | nn.MaxPool2d)]
    model = nn.Sequential(*layers, nn.Tanh())
    n = 30
    place = tuple(
        data.draw(st.integers(0, s - 1))
        for s in model(tg.Tensor(np.zeros((1, 1, *[n] * d)), dtype=np.float32)).shape[2:]
    )
    field = tg.receptive_field(model, (1, 1, *[n] * d), place)
    x = tg.Tensor(np.ones((1, 1, *[n] * d)), dtype=np.float32, requires_grad=True)
    for name, w in model.named_parameters():
        w.data = np.full(w.shape, 0.0 if name.endswith("bias") else 0.5 / np.prod(w.shape))
    gradient = tg.grad(model(x)[(0, 0, *place)], x).data[0, 0]
    found = tuple(frozenset(map(int, where)) for where in np.nonzero(gradient))
    assert field.cells == found


def test_steps_of_all_kinds():
    model = nn.Sequential(
        nn.Conv2d(1, 2, (3, 1), padding=(1, 0)), nn.BatchNorm2d(2), nn.AdaptiveAvgPool2d(4)
    )
    field = tg.receptive_field(model, (1, 1, 8, 8), (1, 0, 3))
    assert field.window == ((-1, 2), (6, 7))
    assert field.box == field.measured == ((0, 2), (6, 7))
    assert all(module.training for _, module in model.named_modules())  # as it was
    mixed = tg.receptive_field(lambda x: tg.concatenate([x, tg.avg_pool2d(x, 3, 1, 1)], axis=1),
                               (1, 1, 6, 6), (1, 2, 2))  # fmt: skip
    assert mixed.size == (3, 3)
    cut = tg.receptive_field(
        lambda x: tg.avg_pool2d(tg.pad(x[..., 1:9:2], ((0, 0), (0, 1), (1, 0), (2, 0))), 2, 1),
        (1, 1, 6, 10), (0, 1, 2),
    )  # fmt: skip
    assert cut.window == ((0, 1), (1, 3))
    assert cut.box == cut.measured == ((0, 1), (1, 3))
    gated = tg.receptive_field(
        lambda x: x * tg.mean(x, axis=(2, 3), keepdims=True), (1, 1, 6, 6), (0, 2, 2)
    )
    assert gated.box == gated.measured == ((0, 5), (0, 5))


def test_the_effective_field_is_the_gradient_on_an_image():
    tg.manual_seed(0)
    model = tg.models.LeNet()
    image = np.random.default_rng(0).normal(size=(1, 28, 28)).astype(np.float32)
    field = tg.receptive_field(model, (1, 1, 28, 28), (3, 2, 2), layer="features.pool2")
    found = field.effective(image)
    x = tg.Tensor(image[None], requires_grad=True)
    y = model.features(x)
    np.testing.assert_allclose(found, np.abs(tg.grad(y[0, 3, 2, 2], x).data[0, 0]), rtol=1e-5)
    outside = np.ones_like(found, bool)
    outside[np.ix_(*map(sorted, field.cells))] = False
    assert found[outside].max() == 0 < found.max()
    with pytest.raises(ShapeError, match="must be"):
        field.effective(image[0])


def test_what_has_no_rule_is_still_measured():
    field = tg.receptive_field(lambda x: tg.flip(x, axis=(2,)), (1, 1, 5, 5), (0, 1))
    assert field.measured == ((4, 4), (1, 1))
    with pytest.raises(GraphError, match="no rule for flip"):
        field.size  # noqa: B018
    assert "no rule for flip" in repr(field)


def test_an_element_of_padding_alone_depends_on_nothing():
    field = tg.receptive_field(nn.Conv2d(1, 1, 1, padding=(1, 0)), (1, 1, 4, 4), (0, 2))
    assert field.cells == (frozenset(), frozenset())
    assert "no cell" in repr(field)
    for ask in (lambda: field.box, lambda: field.measured):
        with pytest.raises(GraphError, match=r"padding alone|everywhere"):
            ask()


def test_what_means_nothing_is_refused():
    lenet = tg.models.LeNet()
    with pytest.raises(OptionError, match=r"conv3.*there are features"):
        tg.receptive_field(lenet, (1, 1, 28, 28), layer="features.conv3")
    with pytest.raises(ShapeError, match="no element"):
        tg.receptive_field(lenet, (1, 1, 28, 28), (5, 5), layer="features")
    with pytest.raises(ShapeError, match="input_shape"):
        tg.receptive_field(lenet, (784,))
    with pytest.raises(GraphError, match="does not depend"):
        tg.receptive_field(lambda x: tg.Tensor([1.0], requires_grad=True), (1, 1, 4, 4))
