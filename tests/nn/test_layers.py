"""Layers: batch norm's statistics, residual blocks, the scopes of nested calls, LeNet's sizes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_cnn as tg
from tinygrad_cnn import nn
from tinygrad_cnn.errors import OptionError, ShapeError


def images(*shape):
    return tg.Tensor(np.random.default_rng(0).normal(size=shape).astype(np.float32))


@given(
    decay=st.floats(0, 1),
    batches=st.lists(st.integers(0, 1000), min_size=1, max_size=3),
    named=st.booleans(),
)
def test_batch_norm_s_running_statistics(decay, batches, named):
    """running ← decay·running + (1 − decay)·batch is PyTorch's rule with momentum = 1 − decay."""
    layer = nn.BatchNorm2d(3, **({"decay": decay} if named else {"momentum": 1 - decay}))
    layer.astype(np.float64)
    mean, var = np.zeros(3), np.ones(3)
    for seed in batches:
        x = np.random.default_rng(seed).normal(seed % 5, 2, (4, 3, 2, 2))
        layer(tg.Tensor(x))
        mean = decay * mean + (1 - decay) * x.mean((0, 2, 3))
        var = decay * var + (1 - decay) * x.var((0, 2, 3), ddof=1)
    np.testing.assert_allclose(layer.running_mean.numpy(), mean, atol=1e-12)
    np.testing.assert_allclose(layer.running_var.numpy(), var, atol=1e-12)
    assert layer.num_batches_tracked.item() == len(batches)


def test_batch_norm_in_evaluation_changes_nothing_in_itself():
    layer = nn.BatchNorm2d(3).eval()
    before = layer.state_dict()
    x = images(2, 3, 4, 4)
    np.testing.assert_allclose(layer(x).numpy(), x.numpy(), rtol=1e-4)
    for name, value in layer.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_instance_norm_tracks_statistics_that_evaluation_uses_only_if_asked():
    x = tg.Tensor(np.random.default_rng(0).normal(3, 2, (4, 3, 5, 5)).astype(np.float32))
    plain, tracking = nn.InstanceNorm2d(3), nn.InstanceNorm2d(3, track_running_stats=True)
    np.testing.assert_array_equal(plain(x).numpy(), tracking(x).numpy())
    np.testing.assert_array_equal(plain.eval()(x).numpy(), tracking(x).numpy())
    assert plain.state_dict() == {}
    assert tracking.num_batches_tracked.item() == 2
    expected = (1 - 0.9**2) * x.numpy().mean((0, 2, 3))
    np.testing.assert_allclose(tracking.running_mean.numpy(), expected, rtol=1e-4)
    assert abs(tracking.eval()(x).numpy().mean()) > 1


def test_a_residual_block_adds():
    branch = nn.Conv2d(3, 3, 3, padding=1)
    x = images(2, 3, 4, 4)
    block = nn.Residual(branch, activation=nn.ReLU())
    np.testing.assert_array_equal(block(x).numpy(), np.maximum(x.numpy() + branch(x).numpy(), 0))


def test_a_residual_block_that_changes_the_shape_needs_a_projection():
    branch = nn.Conv2d(3, 6, 3, stride=2, padding=1)
    with pytest.raises(ShapeError, match=r"residual_add: .*1×1 convolution"):
        nn.Residual(branch)(images(2, 3, 4, 4))
    projection = nn.Conv2d(3, 6, 1, stride=2)
    x = images(2, 3, 4, 4)
    block = nn.Residual(branch, shortcut=projection)
    np.testing.assert_allclose(block(x).numpy(), (projection(x) + branch(x)).numpy())
    assert [name for name, _ in block.named_parameters()] == [
        "branch.weight", "branch.bias", "shortcut.weight", "shortcut.bias",
    ]  # fmt: skip
    block(x).sum().backward()
    assert all(p.grad is not None for p in block.parameters())


def test_a_sequence_is_indexed_and_counted():
    layers = [nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)]
    net = nn.Sequential(*layers)
    assert (len(net), net[1], list(net)) == (3, layers[1], layers)
    assert repr(net).splitlines()[1] == "  (0): Linear(2 → 3)"


def test_a_module_s_scope_starts_where_it_is_called():
    net = nn.Sequential(nn.Sequential(act=nn.ReLU()))
    x = tg.Tensor([1.0], requires_grad=True)
    assert net(x).node.scope == "0.act"
    with tg.scope("teacher"):
        assert net(x).node.scope == "teacher.0.act"
    assert net[0](x).node.scope == "act"


def test_a_module_that_is_used_twice_has_one_name():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.act = nn.ReLU()

        def forward(self, x):
            return self.act(self.act(x) + 1)

    y = Twice()(tg.Tensor([1.0], requires_grad=True))
    assert [n.scope for n in tg.Graph.of(y).nodes if n.op] == ["act", "", "act"]


def test_an_embedding_s_padding_is_0_and_gets_no_gradient():
    layer = nn.Embedding(4, 2, padding_idx=-1)
    y = layer([[1, 3], [1, 0]])
    assert y.numpy()[0, 1].tolist() == [0, 0]
    y.sum().backward()
    assert layer.weight.grad.numpy().tolist() == [[1, 1], [2, 2], [0, 0], [0, 0]]


def test_kernels_at_each_position_are_drawn_like_a_convolution_s():
    """He's variance is 2 / fan in, of the channels and cells that one output sums over."""
    tg.manual_seed(0)
    layer = nn.init.initialize(
        nn.LocallyConnected2d(8, 16, input_size=6, kernel_size=3), "he_normal"
    )
    assert layer.weight.shape == (16, 8, 3, 3, 4, 4)
    assert layer.weight.numpy().var() == pytest.approx(2 / (8 * 9), rel=0.05)
    assert not layer.bias.numpy().any()


def test_pooling_layers():
    x = images(2, 3, 4, 6)
    assert nn.MaxPool2d(2)(x).shape == nn.AvgPool2d(2)(x).shape == (2, 3, 2, 3)
    assert nn.MaxPool2d(3, 1, 1)(x).shape == (2, 3, 4, 6)
    np.testing.assert_allclose(
        nn.GlobalAvgPool2d()(x).numpy(), x.numpy().mean((2, 3)), rtol=1e-4, atol=1e-6
    )
    np.testing.assert_array_equal(nn.GlobalMaxPool2d()(x).numpy(), x.numpy().max((2, 3)))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("Softplus", {"beta": 2.0, "threshold": 0.5}),
        ("Softplus", {}),
        ("AvgPool2d", {"kernel_size": 2, "ceil_mode": True, "divisor_override": 3}),
        ("MaxPool2d", {"kernel_size": 2}),
        ("AdaptiveAvgPool2d", {"output_size": 3}),
        ("InstanceNorm2d", {"num_features": 3, "affine": True}),
    ],
)
def test_a_layer_of_one_example_is_pytorch_s(name, options):
    torch = pytest.importorskip("torch")
    x = images(3, 5, 6).numpy()
    expected = getattr(torch.nn, name)(**options)(torch.tensor(np.array(x)))
    ours = getattr(nn, name)(**options)
    np.testing.assert_allclose(
        ours(tg.Tensor(x)).numpy(), expected.detach().numpy(), rtol=1e-5, atol=1e-6
    )


# --- LeNet, as the slides count it ---------------------------------------------------------------


def test_lenet_s_parameters():
    counts = {}
    for name, parameter in tg.models.LeNet().named_parameters():
        layer = name.rpartition(".")[0]
        counts[layer] = counts.get(layer, 0) + parameter.size
    assert list(counts.values()) == [156, 2416, 48120, 10164, 850]
    assert tg.models.LeNet().count_parameters() == 61_706


def test_lenet_s_shapes():
    with tg.trace() as t:
        tg.models.LeNet()(images(2, 1, 28, 28))
    shapes = [
        e.node.shape for e in t.events if e.node.op.name in {"conv2d", "avg_pool2d", "linear"}
    ]
    assert shapes == [
        (2, 6, 28, 28), (2, 6, 14, 14), (2, 16, 10, 10), (2, 16, 5, 5), (2, 120), (2, 84), (2, 10),
    ]  # fmt: skip


def test_lenet_s_options():
    modern = tg.models.LeNet(activation="relu", pooling="max")
    with tg.trace() as t:
        modern(images(1, 1, 28, 28))
    ops = {event.node.op.name for event in t.events}
    assert {"relu", "max_pool2d"} <= ops
    assert not {"sigmoid", "avg_pool2d"} & ops
    with pytest.raises(OptionError, match="LeNet: activation 'gelu' is not one of relu, sigmoid"):
        tg.models.LeNet(activation="gelu")
