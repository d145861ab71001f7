"""Pooling equals a loop over windows, and its gradients are its adjoints."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_cnn.kernels.pooling import (
    max_pool,
    max_pool_index,
    sum_pool,
    sum_pool_input_grad,
    take_winners,
    unpool,
)


def windows(size, kernel, stride, padding, dilation):
    """Pairs of an output index and the cells its window reads, row by row, without padding."""
    axes = [
        range(0, n + sum(p) - (k - 1) * e, s)
        for n, k, s, p, e in zip(size, kernel, stride, padding, dilation, strict=True)
    ]
    for i in itertools.product(*(range(len(axis)) for axis in axes)):
        cells = [
            tuple(
                axis[j] + a * e - before
                for axis, j, a, e, (before, _) in zip(axes, i, tap, dilation, padding, strict=True)
            )
            for tap in itertools.product(*map(range, kernel))
        ]
        yield i, [c for c in cells if all(0 <= j < n for j, n in zip(c, size, strict=True))]


# Few values, so that ties are common, and special ones such as NaN and infinity.
HARD = [-np.inf, -1.0, -0.0, 0.0, 1.0, np.inf, np.nan]


@st.composite
def cases(draw, values=None, dilated=True):
    """x and the options of a pool whose kernel fits, some windows all padding."""
    d = draw(st.integers(1, 3))

    def each(low, high):
        return tuple(draw(st.lists(st.integers(low, high), min_size=d, max_size=d)))

    kernel, stride = each(1, 3), each(1, 4)
    dilation = each(1, 2) if dilated else (1,) * d
    padding = tuple(zip(each(0, 2), each(0, 2), strict=True))
    spans = [(k - 1) * e + 1 for k, e in zip(kernel, dilation, strict=True)]
    size = tuple(
        draw(st.integers(least := max(1, s - sum(p)), max(least, 6 - d + 1)))
        for s, p in zip(spans, padding, strict=True)
    )
    shape = (draw(st.integers(0, 3)), draw(st.integers(1, 3)), *size)
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    x = rng.choice(values, shape) if values else rng.standard_normal(shape)
    return x, (kernel, stride, padding, *([dilation] if dilated else []))


def cotangent(y):
    return np.random.default_rng(y.size).standard_normal(y.shape).astype(y.dtype)


@given(cases(values=HARD))
def test_max_and_its_index_agree_with_a_loop(case):
    """NaN wins, then the largest; of equals the first; padding never."""
    x, options = case
    y, index = max_pool(x, *options), max_pool_index(x, *options)
    assert index.dtype == np.int32
    assert index.shape == y.shape
    for i, cells in windows(x.shape[2:], *options):
        at = (slice(None), slice(None), *i)
        if not cells:
            assert (y[at] == -np.inf).all()
            assert (index[at] == -1).all()
            continue
        window = np.stack([x[:, :, *cell] for cell in cells])
        flat = np.array([np.ravel_multi_index(cell, x.shape[2:]) for cell in cells])
        np.testing.assert_array_equal(y[at], window.max(0))
        np.testing.assert_array_equal(index[at], flat[window.argmax(0)])


@given(cases())
def test_unpool_and_take_winners_are_adjoint(case):
    x, options = case
    index = max_pool_index(x, *options)
    g = cotangent(np.empty(index.shape))
    gx, y = unpool(g, index, x.shape[2:]), take_winners(x, index)
    assert gx.shape == x.shape
    assert np.vdot(gx, x) == pytest.approx(np.vdot(g, y), rel=1e-10, abs=1e-10)
    np.testing.assert_array_equal(y[index >= 0], max_pool(x, *options)[index >= 0])


def test_unpool_adds_up_where_windows_overlap():
    x = np.array([[[0.0, 5.0, 1.0, 2.0]]])
    index = max_pool_index(x, (2,), (1,), ((0, 0),), (1,))
    np.testing.assert_array_equal(index, [[[1, 1, 3]]])
    gx = unpool(np.array([[[1.0, 10.0, 100.0]]]), index, (4,))
    np.testing.assert_array_equal(gx, [[[0, 11, 0, 100]]])


@given(cases(dilated=False))
def test_sum_agrees_with_a_loop(case):
    x, options = case
    y = sum_pool(x, *options)
    for i, cells in windows(x.shape[2:], *options, (1,) * (x.ndim - 2)):
        total = sum((x[:, :, *cell] for cell in cells), np.zeros(x.shape[:2]))
        np.testing.assert_allclose(y[:, :, *i], total, atol=1e-12)


@given(cases(dilated=False))
def test_sum_and_its_gradient_are_adjoint(case):
    x, options = case
    y = sum_pool(x, *options)
    g = cotangent(y)
    gx = sum_pool_input_grad(g, *options, x.shape[2:])
    assert gx.shape == x.shape
    assert np.vdot(gx, x) == pytest.approx(np.vdot(g, y), rel=1e-10, abs=1e-10)


@given(
    cases(dilated=False), st.sampled_from([np.float16, np.float32, np.float64]), st.integers(0, 2)
)
def test_keeps_the_dtype_and_leaves_its_inputs_alone(case, dtype, view):
    """Also for read-only inputs that run backwards, skip elements or have their axes swapped."""
    x, options = case
    ones = (1,) * (x.ndim - 2)
    turn = [
        lambda a: np.flip(np.flip(a).copy()),
        lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
        lambda a: a.T.copy().T,
    ][view]
    x = x.astype(dtype)
    index = max_pool_index(x, *options, ones)
    plain = (x, cotangent(max_pool(x, *options, ones)), index)
    turned = tuple(map(turn, plain))
    for array in turned:
        array.flags.writeable = False
    for f in (
        lambda x, g, index: max_pool(x, *options, ones),
        lambda x, g, index: unpool(g, index, x.shape[2:]),
        lambda x, g, index: take_winners(x, index),
        lambda x, g, index: sum_pool(x, *options),
        lambda x, g, index: sum_pool_input_grad(g, *options, x.shape[2:]),
    ):
        result = f(*turned)
        assert result.dtype == dtype
        assert result.flags.writeable
        assert not any(np.shares_memory(result, array) for array in turned)
        np.testing.assert_array_equal(result, f(*plain))
    np.testing.assert_array_equal(max_pool_index(turned[0], *options, ones), index)


def test_many_small_float16_numbers_add_up():
    """In float16 arithmetic 1 + 1 + … stops at 2048."""
    x = np.ones((1, 1, 4096), np.float16)
    np.testing.assert_array_equal(sum_pool(x, (4096,), (1,), ((0, 0),)), [[[4096]]])
