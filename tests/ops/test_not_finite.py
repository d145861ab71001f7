"""NaN and infinity: they go where the definition sends them, nowhere else, and without warnings."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_cnn as tg

from .numerical import close
from .strategies import CASES

NAN_ALONE = {"binary_cross_entropy_with_logits"}  # infinite logits give NaN, as in PyTorch
every_op = pytest.mark.parametrize("name", sorted(tg.OPS))
both_grains = pytest.mark.parametrize(
    "grain", [tg.Scalar, lambda x: tg.Tensor(np.float64(x), requires_grad=True)]
)


@every_op
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@given(data=st.data())
def test_a_bad_number_spreads_as_in_the_definition(name, data):
    """One in the data (not in a weight, which meets the zeros of a padding)."""
    case = data.draw(CASES[name])
    inputs = [None if x is None else np.array(x) for x in case.inputs]
    x = next(x for x in inputs if x is not None and x.dtype.kind == "f")
    bad = data.draw(st.sampled_from([np.nan] if name in NAN_ALONE else [np.nan, np.inf, -np.inf]))
    if x.size:
        x.flat[data.draw(st.integers(0, x.size - 1))] = bad
    op, leaves = (
        tg.OPS[name],
        [None if x is None else tg.Tensor(x, requires_grad=x.dtype.kind == "f") for x in inputs],
    )
    y = op(leaves, **case.options) if op.variadic else op(*leaves, **case.options)
    first = y[0] if isinstance(y, tuple) else y
    for at in np.random.default_rng(case.seed).permutation(list(np.ndindex(first.shape)))[:8]:
        at = tuple(at.tolist())
        expected, found = float(tg.zoom(first, at).output), first.numpy()[at]
        if np.isfinite(expected):
            assert close(found, expected, 1e-9)
        elif name == "einsum" and len(inputs) > 2 and np.isinf(bad):
            assert not np.isfinite(found)  # which of NaN and infinity is up to the order
        else:
            np.testing.assert_equal(found, expected)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_in_any_order_of_multiplying_the_same_elements_are_not_finite(bad):
    a, b, c = np.ones((2, 1)), np.array([[1.0, -2.0]]), np.ones((2, 3))
    a[1] = bad
    y = tg.einsum("ij,jk,kl->il", *(tg.Tensor(x, requires_grad=True) for x in (a, b, c)))
    assert y.numpy()[0].tolist() == [-1, -1, -1]
    defined = [float(tg.zoom(y, (1, column)).output) for column in range(3)]
    assert np.isnan(defined).all()
    assert not np.isfinite(y.numpy()[1]).any()
    assert np.isnan(y.numpy()[1]).all() or np.isinf(bad)


@pytest.mark.parametrize("pool", [tg.max_pool2d, tg.adaptive_max_pool2d])
@given(seed=st.integers(0, 1000))
def test_of_a_window_with_nan_the_first_nan_gets_the_gradient(pool, seed):
    rng = np.random.default_rng(seed)
    values = np.where(rng.random((1, 1, 4, 4)) < 0.4, np.nan, rng.random((1, 1, 4, 4)))
    x = tg.Tensor(values, requires_grad=True)
    pool(x, 2).sum().backward()  # 2 × 2 windows, or windows of 2 × 2: the same
    for i, j in np.ndindex(2, 2):
        window = np.s_[0, 0, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
        expected = np.arange(4) == np.argmax(values[window])
        np.testing.assert_array_equal(x.grad.numpy()[window].ravel(), expected)


@pytest.mark.parametrize(
    ("f", "a", "b", "to_a"),
    [
        (tg.maximum, np.nan, 1.0, 1.0), (tg.maximum, 1.0, np.nan, 0.0),
        (tg.minimum, np.nan, 1.0, 1.0), (tg.minimum, 1.0, np.nan, 0.0),
        (tg.maximum, np.nan, np.nan, 1.0), (tg.minimum, np.nan, np.nan, 1.0),
    ],
)  # fmt: skip
@both_grains
def test_of_two_the_nan_gets_the_gradient(f, a, b, to_a, grain):
    a, b = grain(a), grain(b)
    y = f(a, b)
    y.backward()
    assert np.isnan(y.item())
    assert [float(x.grad) for x in (a, b)] == [to_a, 1 - to_a]


POLES = [
    (lambda x: x.sqrt(), np.inf), (lambda x: x**0.5, np.inf), (lambda x: x.log(), np.inf),
    (lambda x: 1 / x, -np.inf), (lambda x: x**-2, -np.inf), (lambda x: abs(x) ** 0.5, np.nan),
]  # fmt: skip


@both_grains
@pytest.mark.parametrize(("f", "slope"), POLES)
@pytest.mark.filterwarnings("error")
def test_the_slope_at_a_pole_comes_without_a_warning(f, slope, grain):
    """Whatever NumPy has to say, it says in the forward pass."""
    x = grain(0.0)
    with np.errstate(all="ignore"):
        y = f(x)
    y.backward()
    np.testing.assert_equal(float(x.grad), slope)


@both_grains
def test_who_has_numpy_raise_is_heard(grain):
    y = grain(0.0).sqrt()
    with np.errstate(all="raise"), pytest.raises(FloatingPointError):
        y.backward()
