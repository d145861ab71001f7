"""Convolution equals its textbook formula, and its gradients are its adjoints."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib.array_utils import byte_bounds

from tinygrad_cnn.kernels import convolution as module
from tinygrad_cnn.kernels.convolution import convolve, convolve_input_grad, convolve_weight_grad


def textbook(x, w, stride, padding, dilation, groups):
    """One output element after the other."""
    x = np.pad(x, [(0, 0), (0, 0), *padding])
    size, kernel = x.shape[2:], w.shape[2:]
    out = [
        len(range(0, n - (k - 1) * e, s))
        for n, k, s, e in zip(size, kernel, stride, dilation, strict=True)
    ]
    y = np.zeros((len(x), len(w), *out), x.dtype)
    for n, o, *i in itertools.product(*map(range, y.shape)):
        group = o // (len(w) // groups)
        for c, *a in itertools.product(*map(range, w.shape[1:])):
            cell = [p * s + q * e for p, q, s, e in zip(i, a, stride, dilation, strict=True)]
            y[n, o, *i] += w[o, c, *a] * x[n, group * w.shape[1] + c, *cell]
    return y


@st.composite
def cases(draw, most_cells=7):
    """x, w and the options of a convolution whose kernel fits."""
    d = draw(st.integers(1, 3))
    most = {1: 2 * most_cells, 2: most_cells, 3: most_cells - 3}[d]

    def each(low, high):
        return tuple(draw(st.lists(st.integers(low, high), min_size=d, max_size=d)))

    kernel, stride, dilation = each(1, 3), each(1, 4), each(1, 2)
    none = ((0, 0),) * d
    padding = tuple(zip(each(0, 3), each(0, 3), strict=True)) if draw(st.booleans()) else none
    spans = [(k - 1) * e + 1 for k, e in zip(kernel, dilation, strict=True)]
    size = tuple(
        draw(st.integers(least := max(1, s - sum(p)), max(least, most)))
        for s, p in zip(spans, padding, strict=True)
    )
    groups, c_in, c_out = (draw(st.integers(1, m)) for m in (3, 2, 2))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    x = rng.standard_normal((draw(st.integers(0, 4)), groups * c_in, *size))
    w = rng.standard_normal((groups * c_out, c_in, *kernel))
    return x, w, (stride, padding, dilation, groups)


def cotangent(y):
    return np.random.default_rng(y.size).standard_normal(y.shape).astype(y.dtype)


@given(cases(most_cells=5))
def test_agrees_with_the_textbook(case):
    x, w, options = case
    np.testing.assert_allclose(
        convolve(x, w, *options), textbook(x, w, *options), rtol=1e-12, atol=1e-12
    )


@given(cases(), st.sampled_from([1, 500, 2000, 8000, 1 << 21]))
def test_gradients_are_the_adjoints(case, chunk_bytes):
    """⟨g, conv(x, w)⟩ = ⟨input_grad(g, w), x⟩ = ⟨weight_grad(x, g), w⟩, in chunks of any size."""
    x, w, options = case
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "GATHERED", chunk_bytes)
        patch.setattr(module, "SCATTERED", chunk_bytes)
        y = convolve(x, w, *options)
        g = cotangent(y)
        gx = convolve_input_grad(g, w, *options, x.shape[2:])
        gw = convolve_weight_grad(x, g, *options, w.shape[2:])
    assert gx.shape == x.shape
    assert gw.shape == w.shape
    scale = 1e-12 * (1 + np.linalg.norm(y) * np.linalg.norm(g))
    assert np.vdot(gx, x) == pytest.approx(np.vdot(g, y), rel=1e-10, abs=scale)
    assert np.vdot(gw, w) == pytest.approx(np.vdot(g, y), rel=1e-10, abs=scale)


@given(cases())
def test_both_ways_to_the_input_gradient_agree(case):
    """Scattered columns and, with stride 1, the convolution with the flipped kernel."""
    x, w, (stride, padding, dilation, groups) = case
    ones = (1,) * len(stride)
    padding = tuple(
        (min(p, (k - 1) * e), q)
        for (p, q), k, e in zip(padding, w.shape[2:], dilation, strict=True)
    )
    out = tuple(map(module.output_size, x.shape[2:], w.shape[2:], ones, padding, dilation))
    if min(out) < 1:
        return
    g = cotangent(np.empty((len(x), len(w), *out)))
    size = x.shape[2:]
    around = module._flipped_padding(size, out, w.shape[2:], padding, dilation)
    if min(map(min, around)) >= 0:
        flipped = convolve(g, module._flipped(w, groups), ones, around, dilation, groups)
        scattered = module._scattered(g, w, ones, padding, dilation, groups, size)
        np.testing.assert_allclose(flipped, scattered, rtol=1e-10, atol=1e-10)


@given(
    cases(), st.sampled_from([np.float16, np.float32, np.float64]), st.integers(0, 2), st.booleans()
)
def test_keeps_the_dtype_and_leaves_its_inputs_alone(case, dtype, view, read_only):
    """Also for inputs that run backwards, skip elements or have their axes swapped."""
    x, w, options = case
    turn = [
        lambda a: np.flip(np.flip(a).copy()),
        lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
        lambda a: a.T.copy().T,
    ][view]
    digits = 4 * np.finfo(dtype).eps
    x, w = x.astype(dtype), w.astype(dtype)
    g = cotangent(convolve(x, w, *options))
    plain = (x, w, g)
    turned = tuple(map(turn, plain))
    for array in turned:
        array.flags.writeable = not read_only
    for f in (
        lambda x, w, g: convolve(x, w, *options),
        lambda x, w, g: convolve_input_grad(g, w, *options, x.shape[2:]),
        lambda x, w, g: convolve_weight_grad(x, g, *options, w.shape[2:]),
    ):
        result = f(*turned)
        assert result.dtype == dtype
        assert result.flags.writeable
        assert not any(np.shares_memory(result, array) for array in turned)
        np.testing.assert_allclose(result, f(*plain), rtol=digits, atol=10 * digits)
    for before, after in zip(plain, turned, strict=True):
        np.testing.assert_array_equal(before, after)


@given(cases(), st.sampled_from([1, 2000, 1 << 21]))
def test_the_windows_of_a_strip_lie_in_its_memory(case, column_bytes):
    """A strided view that read beyond it would give no error."""
    x, w, (stride, padding, dilation, groups) = case
    windows = (w.shape[2:], stride, padding, dilation, groups)
    strip = module.Strip(x.shape, len(w), windows, x.dtype, column_bytes)
    for view, memory in (
        (strip.samples, strip.cells),
        (strip.windows, strip.cells),
        (strip.outputs, strip.product),
    ):
        low, high = byte_bounds(memory)
        first, last = byte_bounds(view)
        assert low <= first < last <= high


def test_a_nan_stays_where_it_is_read():
    """The windows that straddle two samples of a strip read it too, and must not spread it."""
    x, w = np.ones((3, 1, 4, 4)), np.ones((1, 1, 3, 3))
    options = ((1, 1), ((0, 0), (0, 0)), (1, 1), 1)
    x[1, 0, 3, 3] = np.nan
    y = convolve(x, w, *options)
    assert np.argwhere(np.isnan(y)).tolist() == [[1, 0, 1, 1]]
    gw = convolve_weight_grad(x, np.ones_like(y), *options, (3, 3))
    assert np.argwhere(np.isnan(gw)).tolist() == [[0, 0, 2, 2]]
    np.testing.assert_array_equal(gw[0, 0, :2], 12)


@given(cases(), st.integers(0, 2**16))
def test_nothing_is_left_of_the_last_call_of_these_sizes(case, seed):
    """Strips are used again; here after NaN and infinity were in them."""
    x, w, options = case
    g = cotangent(convolve(x, w, *options))

    def run(x, w, g):
        gx = convolve_input_grad(g, w, *options, x.shape[2:])
        gw = convolve_weight_grad(x, g, *options, w.shape[2:])
        return convolve(x, w, *options), gx, gw

    module._idle.clear()
    first = run(x, w, g)
    other = np.random.default_rng(seed).choice([np.nan, np.inf, 1.0], x.shape)
    with np.errstate(invalid="ignore"):
        run(other, np.full_like(w, np.nan), np.full_like(g, np.inf))
    for before, after in zip(first, run(x, w, g), strict=True):
        np.testing.assert_array_equal(before, after)


def test_few_strips_are_kept_and_none_that_is_large():
    module._idle.clear()
    w, options = np.ones((1, 1, 3, 3)), ((1, 1), ((1, 1), (1, 1)), (1, 1), 1)
    for n in range(3, 203):
        convolve(np.ones((1, 1, n, 3)), w, *options)
        assert 0 < len(module._idle) <= module.MOST_IDLE
        assert all(strip.nbytes <= module.IDLE_BYTES for strip in module._idle.values())
    module._idle.clear()
    convolve(np.ones((1, 1, 300, 300)), w, *options)
    assert not module._idle


def test_the_same_bits_every_time():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((37, 8, 16, 16)).astype(np.float32)
    g = rng.standard_normal((37, 16, 16, 16)).astype(np.float32)
    options = ((1, 1), ((1, 1), (1, 1)), (1, 1), 1)
    first = convolve_weight_grad(x, g, *options, (3, 3))
    for _ in range(5):
        np.testing.assert_array_equal(first, convolve_weight_grad(x, g, *options, (3, 3)))


def test_a_classic():
    """The course's first example."""
    rows = ["11100", "01110", "00111", "00110", "01100"]
    image = np.array([[[[float(pixel) for pixel in row] for row in rows]]])
    kernel = np.array([[[[1.0, 0, 1], [0, 1, 0], [1, 0, 1]]]])
    y = convolve(image, kernel, (1, 1), ((0, 0), (0, 0)), (1, 1), 1)
    np.testing.assert_array_equal(y, [[[[4, 3, 4], [2, 4, 3], [2, 3, 4]]]])
