"""Interpolation at many sizes against PyTorch, pixels shuffled there and back, and refusals."""

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn.errors import DtypeError, OptionError, ShapeError

SIZES = [(n, o) for n in range(1, 9) for o in range(1, 20, 3)]
FACTORS = [(n, s) for n in range(1, 9) for s in (0.3, 0.5, 1.1, 1.5, 2, 2.1, 3.3) if n * s >= 1]


@pytest.mark.parametrize(
    ("mode", "d", "align_corners"),
    [(mode, d, None) for mode in ("nearest", "nearest-exact") for d in (1, 2, 3)]
    + [
        (m, d, c)
        for m, d in [("linear", 1), ("bilinear", 2), ("bicubic", 2)]
        for c in (False, True)
    ],
)
def test_at_many_sizes_it_is_pytorch_s(mode, d, align_corners):
    torch = pytest.importorskip("torch")
    options = {"mode": mode, "align_corners": align_corners}
    calls = [(n, {"size": o}) for n, o in SIZES] + [(n, {"scale_factor": s}) for n, s in FACTORS]
    for n, given in calls:
        x = np.random.default_rng(n).normal(size=(1, 2, *[n] * d))
        found = tg.interpolate(x, **given, **options)
        expected = torch.nn.functional.interpolate(torch.tensor(x), **given, **options)
        np.testing.assert_allclose(found, expected.numpy(), atol=1e-12)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_a_constant_image_stays_constant(mode):
    y = tg.interpolate(np.full((1, 1, 3, 4), 2.5), (7, 2), mode=mode)
    np.testing.assert_allclose(y, 2.5)


def test_nan_spreads_to_the_cells_that_read_it_alone():
    x = np.zeros((1, 1, 6))
    x[0, 0, 2] = np.nan
    y = tg.interpolate(x, 12, mode="linear")
    assert np.isnan(y[0, 0]).nonzero()[0].tolist() == [3, 4, 5, 6]
    g = np.zeros((1, 1, 3))
    g[0, 0, 1] = np.nan
    options = {"input_size": 9, "scale_factor": None, "mode": "linear", "align_corners": False}
    back = tg.OPS["interpolate_input_grad"](g, **options)
    assert np.isnan(back[0, 0]).nonzero()[0].tolist() == [4, 5]


@pytest.mark.parametrize("r", [1, 2, 3])
def test_pixels_come_back(r):
    x = np.random.default_rng(0).normal(size=(2, 3 * r * r, 2, 4))
    np.testing.assert_array_equal(tg.pixel_unshuffle(tg.pixel_shuffle(x, r), r), x)


X = np.ones((2, 3, 4, 5))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: tg.interpolate(X), OptionError, "give size or scale_factor"),
        (lambda: tg.interpolate(X, 2, mode="cubic"), OptionError, "mode 'cubic' is not nearest, "),
        (
            lambda: tg.interpolate(X, 2, mode="linear"), ShapeError,
            r"for mode 'linear' input must be \(N, C, L\), got \(2, 3, 4, 5\)",
        ),
        (
            lambda: tg.interpolate(X, 2, align_corners=True), OptionError,
            "align_corners=True is not for mode 'nearest'",
        ),
        (
            lambda: tg.interpolate(X, (2,)), OptionError,
            r"size \(2,\) must have one number for each of the 2 spatial axes of \(2, 3, 4, 5\)",
        ),
        (lambda: tg.interpolate(X, scale_factor=0.1), OptionError, r"\(0.1, 0.1\) leaves nothing"),
        (lambda: tg.interpolate(X, scale_factor=-1), OptionError, "must be a number .* got -1"),
        (lambda: tg.interpolate(X, 7, 2), OptionError, r"size 7 is not .* which is \(8, 10\)"),
        (lambda: tg.interpolate(X.astype(int), 2), DtypeError, "a floating input .* int64"),
        (
            lambda: tg.pixel_shuffle(X, 2), ShapeError,
            r"input must be \(…, C·2², H, W\), its channels a multiple of 4, got \(2, 3, 4, 5\)",
        ),
        (lambda: tg.pixel_unshuffle(X, 2), ShapeError, r"multiples of 2, got \(2, 3, 4, 5\)"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
