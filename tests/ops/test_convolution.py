"""Convolution: the course's worked examples, what padding means, and what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_cnn as tg
from tinygrad_cnn.errors import DtypeError, OptionError, ShapeError


def images(*channels):
    """One image of the given channels, (1, C, H, W)."""
    return np.array([channels], np.float64)


COUNT = images(np.arange(9).reshape(3, 3))  # the slides' X = 0 … 8
KERNEL = images([[0, 1], [2, 3]])  # and W = 0 … 3


def convolved(x, w, **options):
    """Every output channel of the one image, as lists."""
    return tg.conv2d(tg.Tensor(x), tg.Tensor(w), **options).numpy()[0].tolist()


def test_the_5_by_5_image():
    rows = ["11100", "01110", "00111", "00110", "01100"]
    image = images([list(map(int, row)) for row in rows])
    kernel = images([[1, 0, 1], [0, 1, 0], [1, 0, 1]])
    assert convolved(image, kernel) == [[[4, 3, 4], [2, 4, 3], [2, 3, 4]]]


def test_edge_detection_sees_an_edge_in_one_direction():
    image = images(np.repeat([[10.0] * 4 + [0.0] * 4], 8, axis=0))
    kernel = images([[1, 0, -1]] * 3)
    assert convolved(image, kernel) == [[[0, 0, 30, 30, 0, 0]] * 6]
    assert convolved(image.swapaxes(2, 3), kernel) == [[[0] * 6] * 6]


@pytest.mark.parametrize(
    ("padding", "expected"),
    [
        (0, [[19, 25], [37, 43]]),
        ("valid", [[19, 25], [37, 43]]),
        (1, [[0, 3, 8, 4], [9, 19, 25, 10], [21, 37, 43, 16], [6, 7, 8, 0]]),
        ("same_lower", [[0, 3, 8], [9, 19, 25], [21, 37, 43]]),
        ("same", [[19, 25, 10], [37, 43, 16], [7, 8, 0]]),
        ("same_upper", [[19, 25, 10], [37, 43, 16], [7, 8, 0]]),
        ((1, 0), [[3, 8], [19, 25], [37, 43], [7, 8]]),
        (((1, 0), (0, 1)), [[3, 8, 4], [19, 25, 10], [37, 43, 16]]),
    ],
)
def test_padding(padding, expected):
    assert convolved(COUNT, KERNEL, padding=padding) == [expected]


def test_stride_3_down_and_2_across():
    assert convolved(COUNT, KERNEL, padding=1, stride=(3, 2)) == [[[0, 8], [6, 8]]]


def test_several_channels_in_and_out():
    x = images(COUNT[0, 0], COUNT[0, 0] + 1)
    k = images(KERNEL[0, 0], KERNEL[0, 0] + 1)
    assert convolved(x, k) == [[[56, 72], [104, 120]]]
    w = np.concatenate([k, k + 1, k + 2])
    assert w.shape == (3, 2, 2, 2)
    assert convolved(x, w) == [
        [[56, 72], [104, 120]],
        [[76, 100], [148, 172]],
        [[96, 128], [192, 224]],
    ]


def test_a_1_by_1_convolution_is_a_fully_connected_layer_at_each_pixel():
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(2, 3, 4, 5)), rng.normal(size=(6, 3))
    at_each_pixel = np.moveaxis(np.moveaxis(x, 1, -1) @ w.T, -1, 1)
    np.testing.assert_allclose(tg.conv2d(x, w[:, :, None, None]), at_each_pixel)


def test_one_dimension():
    x = np.arange(7.0)[None, None]
    w = np.array([[[1.0, 2.0]]])
    assert tg.conv1d(x, w).tolist() == [[[2, 5, 8, 11, 14, 17]]]
    three = np.concatenate([x, x + 1, x + 2], axis=1)
    kernels = np.array([[[1.0, 2.0], [3.0, 4.0], [-1.0, -3.0]]])
    assert tg.conv1d(three, kernels).tolist() == [[[2, 8, 14, 20, 26, 32]]]


@given(
    n=st.integers(1, 12), k=st.integers(1, 5), s=st.integers(1, 4),
    pair=st.tuples(st.integers(0, 4), st.integers(0, 4)),
)  # fmt: skip
def test_the_output_s_size(n, k, s, pair):
    """⌊(n − k + p + s)/s⌋ with p rows of padding in all; with p = k − 1 it is ⌊(n + s − 1)/s⌋."""
    p = sum(pair)
    x, w = np.zeros((1, 1, n)), np.zeros((1, 1, k))
    if k <= n + p:
        assert tg.conv1d(x, w, stride=s, padding=(pair,)).size == (n - k + p + s) // s
    for same in ("same_upper", "same_lower"):
        assert tg.conv1d(x, w, stride=s, padding=same).size == (n + s - 1) // s


@pytest.mark.parametrize(
    ("shapes", "options", "error", "message"),
    [
        (
            [(2, 3, 8, 8), (6, 4, 3, 3)], {}, ShapeError,
            r"conv2d: input has 3 channels \(2, 3, 8, 8\), weight expects 4 \(6, 4, 3, 3\) "
            r"with groups=1",
        ),
        ([(8, 8), (6, 3, 3, 3)], {}, ShapeError, r"must be \(N, C, H, W\), or .*; got \(8, 8\)"),
        ([(4, 8, 8), (6, 3, 3, 3)], {}, ShapeError, r"\(4, 8, 8\) was taken as one example"),
        ([(1, 3, 8, 8), (6, 3, 3)], {}, ShapeError, r"weight must have 4 axes .* got \(6, 3, 3\)"),
        ([(1, 3, 8, 8), (6, 3, 3, 3), (3,)], {}, ShapeError, r"bias must have .*\(6,\).* \(3,\)"),
        ([(1, 1, 2, 8), (1, 1, 3, 3)], {}, ShapeError, r"kernel \(3, 3\).* does not fit.*\(2, 8\)"),
        ([(1, 4, 8, 8), (6, 2, 3, 3)], {"groups": 4}, OptionError, r"groups=4 .* divides .* 6"),
        ([(1, 1, 8, 8), (1, 1, 3, 3)], {"stride": 0}, OptionError, r"stride must be an int ≥ 1"),
        ([(1, 1, 8, 8), (1, 1, 3, 3)], {"stride": (1, 2, 3)}, OptionError, r"or 2 of them, got"),
        ([(1, 1, 8, 8), (1, 1, 3, 3)], {"dilation": 1.5}, OptionError, r"dilation .* got 1.5"),
        ([(1, 1, 8, 8), (1, 1, 3, 3)], {"padding": -1}, OptionError, r"padding .* got -1"),
        ([(1, 1, 8, 8), (1, 1, 3, 3)], {"padding": "full"}, OptionError, r"padding 'full' is not"),
        ([(1, 1, 8, 8), (1, 1, 3, 3)], {"strides": 2}, OptionError, r"unknown option 'strides'"),
        ([(1, 1, 8, 8)], {}, DtypeError, r"input w is missing"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(shapes, options, error, message):
    with pytest.raises(error, match=message) as caught:
        tg.conv2d(*[tg.Tensor(np.zeros(shape)) for shape in shapes], **options)
    assert str(caught.value).startswith("conv2d: ")


@pytest.mark.parametrize("dtypes", [("f4", "f8"), ("f8", "i8"), ("i8", "i8")])
def test_mixed_dtypes_and_integers_are_refused(dtypes):
    x, w = (np.zeros((1, 1, 3, 3), dtype) for dtype in dtypes)
    with pytest.raises(DtypeError, match=r"conv2d: inputs must share one floating .*\.astype"):
        tg.conv2d(x, w)
