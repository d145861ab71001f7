"""Reductions: ties, empty slices, axes that are not there."""

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn.errors import DtypeError, ShapeError


def gradient(f, values):
    x = tg.Tensor(np.asarray(values, np.float64), requires_grad=True)
    y = f(x)
    y.backward(np.arange(1.0, y.size + 1).reshape(y.shape))
    return x.grad.numpy().tolist()


def test_of_equal_maxima_the_first_gets_the_gradient():
    assert gradient(tg.max, [[1, 3], [3, 3]]) == [[0, 1], [0, 0]]
    assert gradient(lambda x: x.max(axis=0), [[1, 3], [3, 3]]) == [[0, 2], [1, 0]]
    assert gradient(lambda x: x.max(axis=1), [[1, 3], [3, 3]]) == [[0, 1], [2, 0]]


def test_first_is_meant_row_by_row_whatever_the_order_of_the_axes():
    tied = np.zeros((2, 2, 2))
    assert gradient(lambda x: x.max(axis=(2, 0)), tied) == [[[1, 0], [2, 0]], [[0, 0], [0, 0]]]


@pytest.mark.filterwarnings("ignore:invalid value")
def test_nan_is_the_maximum_and_takes_the_gradient():
    assert gradient(tg.max, [1.0, np.nan, 2.0]) == [0, 1, 0]


def test_reducing_no_axes_changes_nothing():
    assert gradient(lambda x: x.max(axis=()), [5.0, 7.0]) == [1, 2]
    assert gradient(lambda x: x.sum(axis=()), [5.0, 7.0]) == [1, 2]


def test_no_slices_have_no_maxima():
    assert gradient(lambda x: x.max(axis=1), np.zeros((0, 3))) == []


@pytest.mark.parametrize("f", [tg.max, tg.min, tg.argmax])
def test_an_empty_slice_has_none_and_the_error_names_the_op(f):
    name = f.__name__
    with pytest.raises(ShapeError, match=rf"{name}: there is no {name} of no elements.*\(0, 3\)"):
        f(tg.Tensor(np.zeros((0, 3))), axis=0)


@pytest.mark.parametrize(
    ("axis", "error", "message"),
    [
        (2, ShapeError, "sum: axis 2 is out of range for an input of 2 axes"),
        ((0, -2), ShapeError, "sum: axis .* names the same axis twice"),
        (0.5, DtypeError, "sum: axis must be an int or a tuple of ints, got 0.5"),
        (True, DtypeError, "sum: axis must be an int"),
    ],
)
def test_axes_that_are_not_there(axis, error, message):
    with pytest.raises(error, match=message):
        tg.Tensor(np.zeros((2, 3))).sum(axis=axis)
