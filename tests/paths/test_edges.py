"""What part of a gradient comes along an edge, and what branches are called."""

import numpy as np
import pytest
from hypothesis import given

import tinygrad_cnn as tg
from tinygrad_cnn import nn

from .test_through import network, programs, start


def share(gradient, total):
    return np.vdot(gradient, total) / np.vdot(total, total)


@given(programs())
def test_a_branch_has_the_share_of_the_paths_that_take_it(program):
    x, c = start(program)
    paths = tg.gradient_paths(program.run(x), wrt=x, cotangent=c)
    crossing = [np.zeros_like(paths.total) for _ in paths.parts]
    for taken, gradient in paths.paths():
        for i in np.flatnonzero(taken):
            crossing[i] = crossing[i] + gradient
    expected = [share(gradient, paths.total) for gradient in crossing]
    scale = max(1.0, max(map(abs, expected), default=0.0))
    np.testing.assert_allclose(paths.part_shares, expected, rtol=1e-7, atol=1e-8 * scale)
    mean = sum(k * part for k, part in enumerate(paths.shares))  # the mean length
    assert sum(paths.part_shares) == pytest.approx(mean, rel=1e-7, abs=1e-8 * scale)


@given(programs())
def test_what_comes_to_a_node_goes_on_from_it(program):
    x, c = start(program)
    y = program.run(tg.split(x, 2, axis=0)[1] * tg.exp(x))  # an op with several outputs as well
    paths = tg.gradient_paths(y, wrt=x, cotangent=c)
    come, gone = {y.node: 1.0}, {x.node: 1.0}
    for (node, argument), part in paths.edge_shares.items():
        parent = node.inputs[argument]
        come[parent] = come.get(parent, 0.0) + part
        gone[node] = gone.get(node, 0.0) + part
    scale = max(1.0, *map(abs, come.values()))
    assert come.keys() == gone.keys()
    for node, part in come.items():
        assert part == pytest.approx(gone[node], rel=1e-7, abs=1e-8 * scale)


def test_shares_of_marked_parts_and_of_scalars():
    _, x, loss = network()
    found = tg.gradient_paths(loss, x)
    kinds = {"attention": "*.attention", "mlp": "*.mlp"}
    marked = tg.gradient_paths(loss, x, through=kinds)
    assert [part.name for part in marked.parts] == [part.name for part in found.parts]
    np.testing.assert_allclose(marked.part_shares, found.part_shares, rtol=1e-9)
    a = tg.Scalar(2.0)
    b = a + a * a * 3.0  # a gradient of 1 + 12
    paths = tg.gradient_paths(b, a)
    assert paths.part_shares == pytest.approx([12 / 13])
    whole = tg.gradient_paths(b, a, through=b)
    assert whole.part_shares == [1.0]


def test_shares_of_a_zero_gradient_are_nan():
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    paths = tg.gradient_paths(tg.residual_add(x, -1 * x).sum(), wrt=x)
    with pytest.warns(UserWarning, match="the gradient is zero"):
        assert np.isnan(paths.part_shares).all()


# --- names ---------------------------------------------------------------------------------------


def names(model, *shape):
    tg.manual_seed(0)
    x = tg.Tensor(np.ones(shape, np.float32), requires_grad=True)
    return [part.name for part in tg.gradient_paths(model(x).sum(), x).parts]


class Level(nn.Module):
    """A U-Net's level: down, what is inside, up, and what came joined to it."""

    def __init__(self, inside=None):
        super().__init__()
        self.down, self.inside = nn.Conv2d(2, 2, 2, stride=2), inside
        self.up, self.norm = nn.ConvTranspose2d(2, 2, 2, stride=2), nn.BatchNorm2d(2)
        self.join = nn.Conv2d(4, 2, 1)

    def forward(self, x):
        h = self.down(x)
        h = h if self.inside is None else self.inside(h)
        return self.join(tg.concatenate([x, self.norm(self.up(h))], axis=1))


class Flat(nn.Module):
    """Blocks that one module adds to what it has, one after another."""

    def __init__(self):
        super().__init__()
        self.mix, self.norm, self.last = nn.Linear(3, 3), nn.LayerNorm(3), nn.ReLU()

    def forward(self, x):
        x = x + self.last(self.norm(self.mix(x)))  # after its weights, not what is behind them
        x = x + self.mix(x)
        return x + self.last(x)


class Join(nn.Module):
    def forward(self, found):
        return tg.concatenate(found, axis=1)


class Dense(nn.Module):
    """Each layer gets what all before it gave."""

    def __init__(self):
        super().__init__()
        self.layers = [nn.Linear(3 * n, 3) for n in (1, 2, 3)]
        self.first, self.second, self.third = self.layers
        self.join = Join()

    def forward(self, x):
        found = [x]
        for layer in self.layers:
            found.append(layer(self.join(found)))
        return tg.concatenate(found, axis=1)


def test_a_branch_is_called_after_its_block_or_after_what_computed_it():
    _, x, loss = network(2)
    found = [part.name for part in tg.gradient_paths(loss, x).parts]
    assert found == ["0.attention", "0.mlp", "1.attention", "1.mlp"]
    resnet = tg.models.ResNet(blocks=(1, 1), channels=(2, 3))
    assert names(resnet, 1, 1, 8, 8) == ["layer1.0", "layer2.0"]
    assert names(Level(Level()), 1, 2, 4, 4) == ["inside", "up"]
    assert names(Flat(), 2, 3) == ["mix (1)", "mix (2)", "last"]
    assert names(Dense(), 2, 3) == [
        "first → join (1)", "first → join (2)", "second → join", "first", "second", "third",
    ]  # fmt: skip
    assert names(lambda x: x + tg.tanh(x), 3) == [""]
