"""Networks of PyTorch's, imported and split over their paths, held against PyTorch with gates.

The gates are in PyTorch's own network, at the end of each branch, and multiply what flows back by
z: its gradient is then Σ zᵏ G_k.
"""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_cnn as tg

from .networks import UNet
from .test_torch import made

torch = pytest.importorskip("torch")


class Gate(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, z):
        ctx.z = z
        return x.clone()

    @staticmethod
    def backward(ctx, g):
        return g * ctx.z, None


def gated(module, kinds, z):
    """Multiply what flows back to the output of each module of these names by z."""
    for name, part in module.named_modules():
        if name.endswith(kinds):
            part.register_forward_hook(lambda _, __, y: Gate.apply(y, z[0]))


def images(side):
    return torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0)).double()


def check(module, x, branches, number, z, lengths=None):
    """The split of an imported network agrees with the gated one at several z."""
    module = module.double().eval()
    net = tg.from_torch(module, (x,))
    leaf = tg.Tensor(x.numpy(), requires_grad=True)
    y = net(leaf)
    cotangent = np.random.default_rng(0).standard_normal(y.shape)
    paths = tg.gradient_paths(y, leaf, lengths, cotangent=cotangent)
    assert len(paths.choices) == number
    if branches is not None:
        gated(module, branches, z)
    for value in (0.0, -0.6, 1.3):
        z[0] = value
        theirs = x.clone().requires_grad_()
        module(theirs).backward(torch.from_numpy(cotangent))
        expected = theirs.grad.numpy()
        found = sum(value**k * part for k, part in enumerate(paths.by_length))
        largest = np.abs(expected).max()
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8 * largest)
    return paths


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "side", "branches", "number"),
    [
        ("resnet18", 32, ("bn2",), 8),
        ("densenet121", 32, tuple(f"denselayer{i}" for i in range(1, 25)), 58),
        ("vit_b_16", 32, (".dropout", ".mlp"), 24),
        ("swin_t", 64, ("stochastic_depth",), 24),
    ],
)
def test_a_network_of_torchvision_is_split_as_with_gates(
    torchvision,
    name,
    side,
    branches,
    number,
):
    paths = check(made(torchvision, name), images(side), branches, number, [1.0])
    if name == "densenet121":
        assert paths.n_blocks == 535
    else:
        assert paths.n_blocks == number


@pytest.mark.parametrize("up", ["bilinear", "nearest", "transposed"])
def test_a_u_net(up):
    z = [1.0]

    class Gated(UNet):
        def higher(self, x, layer):
            return Gate.apply(super().higher(x, layer), z[0]) if gates else super().higher(x, layer)

    gates = False
    torch.manual_seed(0)
    module = Gated(up)
    x = images(8)
    net = tg.from_torch(module.double().eval(), (x,))
    leaf = tg.Tensor(x.numpy(), requires_grad=True)
    y = net(leaf)
    cotangent = np.random.default_rng(0).standard_normal(y.shape)
    paths = tg.gradient_paths(y, leaf, cotangent=cotangent)
    assert [choice.kind for choice in paths.choices] == ["concatenation"] * 2
    assert paths.count == [1, 1, 1]  # at the top's skip, the lower one is not met
    gates = True
    for value in (0.0, -0.7, 1.0, 2.0):
        z[0] = value
        theirs = x.clone().requires_grad_()
        module(theirs).backward(torch.from_numpy(cotangent))
        found = sum(value**k * part for k, part in enumerate(paths.by_length))
        np.testing.assert_allclose(found, theirs.grad.numpy(), rtol=1e-8, atol=1e-12)


def test_each_call_of_a_shared_layer_is_crossed():
    class Twice(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Tanh())

        def forward(self, x):
            return self.layer(self.layer(x)) + x

    x = torch.randn(2, 3)
    leaf = tg.Tensor(x.numpy(), requires_grad=True)
    y = tg.from_torch(Twice(), (x,))(leaf)
    paths = tg.gradient_paths(y, leaf, through="layer", cotangent=np.ones((2, 3), np.float32))
    assert paths.count == [1, 0, 1]
