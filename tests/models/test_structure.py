"""What the networks' structure promises: shortcuts, sharing, receptive fields, word order."""

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn import models


def images(n: int, *shape: int, seed: int = 0) -> tg.Tensor:
    return tg.Tensor(np.random.default_rng(seed).standard_normal((n, *shape)).astype(np.float32))


def equal_in_float64(a: tg.Tensor, b: tg.Tensor) -> None:
    np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("make", "blocks"),
    [
        (models.resnet8, 3),
        (models.resnet20, 9),
        (lambda **o: models.ResNet((1, 2), (4, 8), block="bottleneck", **o), 3),
    ],
)
def test_every_block_is_a_residual_add_and_the_plain_twin_has_none(make, blocks):
    for residual, expected in ((True, blocks), (False, 0)):
        tg.manual_seed(0)
        x = images(2, 1, 12, 12)
        x = tg.Tensor(x.numpy(), requires_grad=True)
        loss = tg.cross_entropy(make(residual=residual)(x), np.array([1, 2]))
        assert tg.gradient_paths(loss, wrt=x).n_blocks == expected


@pytest.mark.parametrize("name", [n for n, e in models.MODELS.items() if len(e.input_shape) == 3])
def test_a_network_chooses_at_its_residual_adds_and_nowhere_else(name):
    model = models.build(name).eval()
    channels, *sides = model.input_shape
    if isinstance(model, models.ResNet):
        sides = (32, 32)  # it takes any size; the graph is the same
    pixels = np.random.default_rng(0).standard_normal((1, channels, *sides)).astype(np.float32)
    x = tg.Tensor(pixels, requires_grad=True)
    choices = tg.gradient_paths(model(x), wrt=x).choices
    kinds = (models.resnet.BasicBlock, models.resnet.Bottleneck)
    blocks = sum(isinstance(part, kinds) for _, part in model.named_modules())
    assert len(choices) == (0 if name.startswith("plain") else blocks)
    assert {choice.kind for choice in choices} <= {"residual add"}


def test_the_plain_twin_has_the_same_layers_without_shortcuts():
    residual, plain = models.resnet8(), models.resnet8(residual=False)
    names = {name for name, _ in residual.named_parameters() if "downsample" not in name}
    assert {name for name, _ in plain.named_parameters()} == names


def test_zero_padding_keeps_every_second_pixel_and_adds_empty_channels():
    x = images(2, 3, 6, 6)
    y = models.resnet.ZeroPadding(3, 8, 2)(x).numpy()
    np.testing.assert_array_equal(y[:, :3], x.numpy()[:, :, ::2, ::2])
    assert y.shape == (2, 8, 3, 3)
    assert not y[:, 3:].any()


def test_a_block_whose_branch_is_zero_passes_on_its_input():
    """With γ = 0 in its last batch norm, a block is relu(x): where deep networks may begin."""
    block = models.resnet.BasicBlock(4, 4).eval()
    block.bn2.weight.data = np.zeros(4, np.float32)
    x = images(2, 4, 5, 5)
    np.testing.assert_array_equal(block(x).numpy(), np.maximum(x.numpy(), 0))


def test_a_locally_connected_net_with_one_kernel_everywhere_is_lenet():
    lenet = models.LeNet().astype(np.float64)
    local = models.LocallyConnectedNet().astype(np.float64)
    state = {name.replace("conv", "local"): value for name, value in lenet.state_dict().items()}
    for name, own in local.state_dict().items():
        if "local" in name:
            shared = state[name][..., None, None]
            state[name] = np.broadcast_to(shared, own.shape)
    local.load_state_dict(state)
    x = images(2, 1, 28, 28).astype(np.float64)
    equal_in_float64(local(x), lenet(x))


def test_a_point_of_the_go_board_sees_27_by_27_and_no_more():
    tg.manual_seed(0)
    model = models.GoPolicy(board_size=31, planes=1, width=2).astype(np.float64)
    for layer in model.features:  # positive weights: nothing can cancel, no ReLU is dead
        if isinstance(layer, tg.nn.Conv2d):
            layer.weight.data, layer.bias.data = np.abs(layer.weight.data), np.abs(layer.bias.data)
    x = tg.Tensor(np.ones((1, 1, 31, 31)), requires_grad=True)
    model(x)[0, 15 * 31 + 15].backward()
    reached = np.argwhere(x.grad.numpy()[0, 0] != 0)
    assert reached.min(axis=0).tolist() == [2, 2]
    assert reached.max(axis=0).tolist() == [28, 28]
    assert len(reached) == 27**2


def test_each_point_of_the_board_has_a_bias_of_its_own():
    model = models.GoPolicy(board_size=5, planes=2, width=3, layers=2)
    x = images(1, 2, 5, 5)
    before = model(x).numpy()
    model.head.position.bias.data = np.arange(25, dtype=np.float32)
    np.testing.assert_allclose(model(x).numpy() - before, [np.arange(25)], atol=1e-5)


def test_textcnn_with_filters_of_one_word_does_not_know_their_order():
    model = models.TextCNN(50, 8, widths=(1,), filters=6).astype(np.float64).eval()
    words = np.random.default_rng(0).integers(0, 50, (3, 9))
    shuffled = words[:, np.random.default_rng(1).permutation(9)]
    equal_in_float64(model(tg.Tensor(words)), model(tg.Tensor(shuffled)))
    wider = models.TextCNN(50, 8, widths=(2,), filters=6).eval()
    assert not np.allclose(wider(tg.Tensor(words)).numpy(), wider(tg.Tensor(shuffled)).numpy())


def test_the_fixed_embedding_is_saved_but_not_learned():
    vectors = np.random.default_rng(0).standard_normal((20, 4))
    model = models.TextCNN(20, 4, (2,), 3, fixed=True, vectors=vectors)
    assert "constant_embedding.weight" not in dict(model.named_parameters())
    for name in ("embedding.weight", "constant_embedding.weight"):
        np.testing.assert_array_equal(model.state_dict()[name], vectors.astype(np.float32))
    words = np.arange(20).reshape(4, 5)  # so many that some window passes its ReLU
    tg.cross_entropy(model(tg.Tensor(words)), np.array([1, 0, 1, 0])).backward()
    tg.optim.SGD(list(model.parameters()), lr=0.5).step()
    state = model.state_dict()
    np.testing.assert_array_equal(state["constant_embedding.weight"], vectors.astype(np.float32))
    assert (state["embedding.weight"] != vectors.astype(np.float32)).any()


def test_resnets_have_torchvisions_names():
    """Convolutions and γ, β with three buffers for each batch norm; and fc's two."""
    for make, convolutions in ((models.resnet18, 20), (models.resnet50, 53)):
        state = make(3, 10, shortcut="projection", bias=False).state_dict()
        assert len(state) == 6 * convolutions + 2
    assert state["conv1.weight"].shape == (64, 3, 7, 7)
    assert state["bn1.num_batches_tracked"].shape == ()
    assert state["layer1.0.conv3.weight"].shape == (256, 64, 1, 1)
    assert state["layer1.0.downsample.0.weight"].shape == (256, 64, 1, 1)
    assert state["layer1.0.downsample.1.running_var"].shape == (256,)
    assert state["layer4.0.conv2.weight"].shape == (512, 512, 3, 3)
    assert state["layer4.2.bn3.bias"].shape == (2048,)
    assert state["fc.weight"].shape == (10, 2048)
