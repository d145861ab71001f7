"""The split of a gradient over paths, on random residual programs."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_cnn as tg
from tinygrad_cnn import nn

SIZE = 3


class Program:
    """A random residual program: blocks in a chain, nested in branches, or side by side."""

    def __init__(self, draw):
        self.rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        self.blocks = 0
        self.plan = self._plan(draw, depth=2)

    def _plan(self, draw, depth):
        parts = []
        for _ in range(draw(st.integers(1, 3 if depth == 2 else 1))):
            kinds = ["plain"]
            if self.blocks < 5:
                kinds += ["block", "projected", "block after activation"]
                kinds += ["side by side"] if self.blocks < 4 else []
            kind = draw(st.sampled_from(kinds))
            inner = []
            if kind != "plain":
                self.blocks += 2 if kind == "side by side" else 1
                if depth and draw(st.booleans()):
                    inner = self._plan(draw, depth - 1)
            parts.append((kind, inner, [self._weight() for _ in range(4)]))
        return parts

    def _weight(self):
        return tg.Tensor(self.rng.standard_normal((SIZE, SIZE)))

    def run(self, x, plan=None):
        for kind, inner, (w, u, v, p) in self.plan if plan is None else plan:
            if kind == "plain":
                x = tg.tanh(x @ w)
                continue
            branch = self.run(tg.tanh(x @ w), inner) @ u
            if kind == "side by side":
                x = tg.residual_add(x, branch) + tg.residual_add(x @ p, tg.tanh(x @ v))
            else:
                x = tg.residual_add(x @ p if kind == "projected" else x, branch)
            if kind == "block after activation":
                x = tg.relu(x)
        return x


@st.composite
def programs(draw):
    return Program(draw)


def loss_of(program, x):
    y = program.run(x)
    return (y * tg.Tensor(program.rng.standard_normal(y.shape))).sum()


@settings(max_examples=60)
@given(programs())
def test_lengths_and_paths_add_up_to_the_gradient(program):
    x = tg.Tensor(program.rng.standard_normal((2, SIZE)), requires_grad=True)
    loss = loss_of(program, x)
    ordinary = tg.grad(loss, x).numpy()
    paths = tg.gradient_paths(loss, wrt=x)
    scale = 1e-12 * max(1.0, max(paths.norms))
    np.testing.assert_allclose(paths.total, ordinary, rtol=1e-10, atol=scale)

    by_length = [np.zeros_like(ordinary) for _ in range(paths.n_blocks + 1)]
    counted = [0] * (paths.n_blocks + 1)
    for taken, gradient in paths.paths():
        assert len(taken) == paths.n_blocks
        by_length[sum(taken)] += gradient
        counted[sum(taken)] += 1
    assert counted == paths.count
    np.testing.assert_allclose(by_length, paths.by_length, rtol=1e-9, atol=scale)
    if np.linalg.norm(ordinary) > 1e-6:
        assert sum(paths.shares) == pytest.approx(1)


def chain(n, x):
    for i in range(n):
        x = tg.residual_add(x, (i + 2) * x)
    return x.sum()


@pytest.mark.parametrize("n", [0, 1, 4, 54])
def test_a_chain_has_binomially_many_paths(n):
    x = tg.Tensor(np.ones(2), requires_grad=True)
    paths = tg.gradient_paths(chain(n, x), wrt=x)
    assert paths.n_blocks == n
    assert paths.count == [math.comb(n, k) for k in range(n + 1)]


def test_the_parts_of_a_linear_chain_are_the_elementary_symmetric_polynomials():
    x = tg.Tensor(np.ones(1), requires_grad=True)
    paths = tg.gradient_paths(chain(3, x), wrt=x)  # (1+2)(1+3)(1+4)
    assert [g.item() for g in paths.by_length] == [1, 2 + 3 + 4, 6 + 8 + 12, 24]
    assert [taken for taken, _ in paths.paths()][1:4] == [
        (True, False, False),
        (False, True, False),
        (False, False, True),
    ]


def test_routes_that_make_the_same_choices_are_one_path():
    x = tg.Tensor(np.ones(1), requires_grad=True)
    h = tg.residual_add(x, 2 * x)
    paths = tg.gradient_paths((h * h).sum(), wrt=x)
    assert paths.count == [1, 1]
    assert len(list(paths.paths())) == 2


def test_a_parameter_in_a_branch_is_reached_through_that_branch_only():
    tg.manual_seed(0)
    model = nn.Sequential(*(nn.Residual(nn.Linear(SIZE, SIZE)) for _ in range(3)))
    loss = (model(tg.Tensor(np.ones((2, SIZE), np.float32))) ** 2).sum()
    paths = tg.gradient_paths(loss, wrt=model[1].branch.weight)
    assert paths.n_blocks == 2  # its own block's add, and the one after it
    assert paths.count == [0, 1, 1]
    assert all(taken[0] for taken, _ in paths.paths())


def test_batch_norm_in_training_and_a_projection_shortcut():
    tg.manual_seed(0)
    model = tg.models.ResNet((1, 1, 1), (4, 6, 8)).astype(np.float64)
    x = tg.Tensor(np.random.default_rng(0).standard_normal((4, 1, 8, 8)), requires_grad=True)
    loss = tg.cross_entropy(model(x), [0, 1, 2, 3])
    paths = tg.gradient_paths(loss, wrt=x)
    assert paths.count == [1, 3, 3, 1]
    np.testing.assert_allclose(paths.total, tg.grad(loss, x).numpy(), rtol=1e-10, atol=1e-14)


def test_too_many_paths_to_list():
    x = tg.Tensor(np.ones(1), requires_grad=True)
    with pytest.raises(tg.errors.OptionError, match=r"21 blocks have up to 2\^21 paths"):
        list(tg.gradient_paths(chain(21, x), wrt=x).paths())


def test_a_loss_that_does_not_depend_on_wrt():
    x = tg.Tensor(np.ones(2), requires_grad=True)
    other = tg.Tensor(np.ones(2), requires_grad=True)
    with pytest.raises(tg.errors.GraphError, match="does not depend"):
        tg.gradient_paths(chain(2, x), wrt=other)


def test_a_zero_gradient_has_no_shares():
    x = tg.Tensor(np.ones(2), requires_grad=True)
    paths = tg.gradient_paths(chain(1, x) * 0.0, wrt=x)
    with pytest.warns(UserWarning, match="gradient is zero"):
        assert np.isnan(paths.shares).all()
