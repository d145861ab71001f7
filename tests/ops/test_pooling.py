"""Pooling: the course's examples, ties, padding, and what is refused."""

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn.errors import DtypeError, OptionError, ShapeError

COUNT = np.arange(9.0).reshape(1, 1, 3, 3)


def test_the_course_s_example():
    assert tg.max_pool2d(COUNT, 2, 1).ravel().tolist() == [4, 5, 7, 8]
    assert tg.avg_pool2d(COUNT, 2, 1).ravel().tolist() == [2, 3, 5, 6]


def test_the_stride_is_the_kernel_s_size_unless_given():
    x = np.arange(16.0).reshape(1, 1, 4, 4)
    assert tg.max_pool2d(x, 2).ravel().tolist() == [5, 7, 13, 15]


def test_channels_are_pooled_apart():
    x = np.random.default_rng(0).normal(size=(2, 5, 4, 4))
    for pool in (tg.max_pool2d, tg.avg_pool2d):
        assert pool(x, 2).shape == (2, 5, 2, 2)
        np.testing.assert_allclose(pool(x, 2)[:, 3:4], pool(x[:, 3:4], 2))


def test_of_equal_elements_the_first_in_the_window_gets_the_gradient():
    x = tg.Tensor(np.zeros((1, 1, 2, 4)), requires_grad=True)
    tg.max_pool2d(x, 2).backward([[[[3.0, 5.0]]]])
    assert x.grad.numpy().tolist() == [[[[3, 0, 5, 0], [0, 0, 0, 0]]]]


def test_an_element_that_wins_in_several_windows_gets_all_their_gradients():
    x = tg.Tensor(np.array([[[0.0, 9.0, 0.0]]]), requires_grad=True)
    tg.max_pool1d(x, 2, 1).backward([[[3.0, 5.0]]])
    assert x.grad.numpy().tolist() == [[[0, 8, 0]]]


def test_padding_never_wins_a_maximum():
    assert tg.max_pool1d(np.array([[[-5.0, -7.0]]]), 2, 2, 1).tolist() == [[[-5, -7]]]


def test_padding_counts_in_an_average_unless_it_is_told_not_to():
    x = np.array([[[4.0, 6.0]]])
    assert tg.avg_pool1d(x, 2, 2, 1).tolist() == [[[2, 3]]]
    assert tg.avg_pool1d(x, 2, 2, 1, count_include_pad=False).tolist() == [[[4, 6]]]


def test_global_pooling_is_over_all_positions():
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
    np.testing.assert_allclose(tg.global_avg_pool(tg.Tensor(x)).numpy(), x.mean((2, 3)))
    np.testing.assert_array_equal(tg.global_max_pool(x), x.max((2, 3)))


@pytest.mark.parametrize("pool", [tg.global_avg_pool, tg.global_max_pool])
@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 0)])
def test_global_pooling_needs_cells(pool, shape):
    with pytest.raises(ShapeError, match=r"must be \(N, C, …\) with cells to pool, got \(2, 3"):
        pool(tg.Tensor(np.zeros(shape)))


@pytest.mark.parametrize(
    ("shape", "arguments", "error", "message"),
    [
        ((3, 4), (2,), ShapeError, r"input must be \(N, C, H, W\), or .*; got \(3, 4\)"),
        ((1, 1, 4, 4), (5,), ShapeError, r"kernel \(5, 5\) does not fit into input \(4, 4\)"),
        ((1, 1, 4, 4), (2, 2, 2), OptionError, r"padding .* more than half of kernel \(2, 2\)"),
        ((1, 1, 4, 4), (0,), OptionError, r"kernel_size must be an int ≥ 1"),
        ((1, 1, 4, 4), (2, 0), OptionError, r"stride must be an int ≥ 1"),
        ((1, 1, 1, 1), (2, 1, 1, 2), ShapeError, r"lie wholly in the padding"),
    ],
)
def test_what_does_not_fit_is_named(shape, arguments, error, message):
    with pytest.raises(error, match="max_pool2d: .*" + message):
        tg.max_pool2d(tg.Tensor(np.zeros(shape)), *arguments)


def test_integers_are_refused():
    with pytest.raises(DtypeError, match="avg_pool2d: a floating input is needed, got int64"):
        tg.avg_pool2d(np.zeros((1, 1, 2, 2), np.int64), 2)
