"""gather, index_select, unbind and tile against PyTorch, with gradients; and what they refuse."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_cnn as tg
from tinygrad_cnn.errors import DtypeError, OptionError, ShapeError

from .strategies import shapes

torch = pytest.importorskip("torch")


def agree(ours, theirs, shape, seed=0):
    """Values and gradients, for random cotangents."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=shape)
    x, z = tg.Tensor(values, requires_grad=True), torch.tensor(values, requires_grad=True)
    found, expected = ours(x), theirs(z)
    if not isinstance(found, tuple):
        found, expected = (found,), (expected,)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.detach().numpy())
        g = rng.normal(size=a.shape)
        a.backward(g)
        b.backward(torch.tensor(g))
    np.testing.assert_allclose(x.grad.numpy(), z.grad.numpy(), atol=1e-12)


@given(data=st.data(), shape=shapes(least=1), seed=st.integers(0, 1000))
def test_gather(data, shape, seed):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    sizes = [data.draw(st.integers(1, n)) for n in shape]
    sizes[axis] = data.draw(st.integers(1, 5))
    index = np.random.default_rng(seed).integers(0, shape[axis], sizes)
    agree(
        lambda x: tg.gather(x, axis, index),
        lambda z: torch.gather(z, axis, torch.tensor(index)),
        shape,
    )


@given(data=st.data(), shape=shapes(least=1))
def test_index_select_and_unbind(data, shape):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    index = data.draw(st.lists(st.integers(0, shape[axis] - 1), min_size=1, max_size=4))
    agree(
        lambda x: tg.index_select(x, axis, index),
        lambda z: torch.index_select(z, axis, torch.tensor(index)),
        shape,
    )
    agree(lambda x: tg.unbind(x, axis), lambda z: torch.unbind(z, axis), shape)


@given(shape=shapes(), reps=st.lists(st.integers(1, 3), max_size=4))
def test_tile(shape, reps):
    agree(lambda x: tg.tile(x, reps), lambda z: torch.tile(z, reps), shape)


X = tg.Tensor(np.ones((2, 3)))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: tg.gather(X, 0, [0, 1]), ShapeError, r"gather: index \(2,\) .* input \(2, 3\)"),
        (lambda: tg.gather(X, 1, [[0]] * 3), ShapeError, r"gather: index \(3, 1\) .* axis 1 no"),
        (lambda: tg.gather(X, 0, [[2]]), ShapeError, "gather: index 2 … 2 is not in 0 … 1"),
        (lambda: tg.gather(X, 0, [[0.5]]), DtypeError, "gather: .* of integers, got float64"),
        (lambda: tg.gather(X, 2, [[0]]), ShapeError, "gather: axis 2 is out of range"),
        (lambda: tg.index_select(X, 0, [[0]]), ShapeError, r"index must be \(n,\), got \(1, 1\)"),
        (lambda: tg.index_select(X, 0, [-1]), ShapeError, "index -1 … -1 is not in 0 … 1"),
        (lambda: tg.unbind(X, 2), ShapeError, "unbind: axis 2 is out of range"),
        (lambda: tg.tile(X, -1), OptionError, "tile: reps must be ints ≥ 0, got -1"),
    ],
)
def test_what_does_not_fit_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
