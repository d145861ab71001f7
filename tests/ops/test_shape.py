"""Reshape, transpose, indexing, joining: conventions and refusals."""

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn.errors import DtypeError, GraphError, ShapeError


def test_an_element_that_is_picked_twice_gets_both_gradients():
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    x[[0, 1, 0]].backward([3.0, 4.0, 5.0])
    assert x.grad.numpy().tolist() == [8.0, 4.0]


@pytest.mark.parametrize(
    "index", [((0, 2, 0),), [0, 2, 0], range(-3, 1), (range(-3, 1), None), np.array([0, -3])]
)
def test_no_gradient_is_lost_whatever_names_a_place_twice(index):
    """NumPy takes any sequence for an array of integers; assigning would keep the last alone."""
    x = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x[index]
    y.sum().backward()
    assert x.grad.sum() == y.size
    added = tg.OPS["scatter_add"](np.ones(y.shape), index, (3,))
    assert added.tolist() == x.grad.numpy().tolist()


def test_a_mask_names_no_place_twice():
    x, mask = tg.Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True), np.eye(2, dtype=bool)
    x[mask].backward([5.0, 6.0])
    assert x.grad.numpy().tolist() == [[5.0, 0.0], [0.0, 6.0]]
    (again,) = tg.grad(x[mask, None].sum() + x[np.bool_(True), mask[0]].sum(), [x])
    assert again.numpy().tolist() == [[2.0, 1.0], [0.0, 1.0]]


def test_a_tensor_is_an_index_too():
    x = tg.Tensor([1.0, 2.0, 3.0])
    assert x[tg.Tensor(np.array([2, 0]))].numpy().tolist() == [3.0, 1.0]


def test_iteration_and_length_are_of_the_first_axis():
    x = tg.Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    assert len(x) == 2
    first, second = x
    (first * second).sum().backward()
    assert x.grad.numpy().tolist() == [[3.0, 4.0], [1.0, 2.0]]


def test_astype_passes_the_gradient_back_in_the_input_s_dtype():
    x = tg.Tensor([1.5, 2.5], requires_grad=True)
    y = x.astype(np.float64)
    y.backward([1.0, 2.0])
    assert (y.dtype, x.grad.dtype) == (np.float64, np.float32)
    assert x.grad.numpy().tolist() == [1.0, 2.0]


def test_integers_have_no_gradient():
    """A staircase is flat: a gradient of 1 through a rounding would be wrong."""
    rounded = tg.Tensor([1.5, 2.5], requires_grad=True).astype(int)
    assert not rounded.requires_grad
    with pytest.raises(GraphError, match="needs no gradient"):
        rounded.sum().backward()
    with tg.trace():
        assert not tg.Tensor([1.5], requires_grad=True).astype(int).requires_grad


@pytest.mark.parametrize(
    ("compute", "message"),
    [
        (lambda x: x.reshape(4, 2), r"reshape: \(2, 3\) has 6 elements, .* shape \(4, 2\)"),
        (lambda x: x.reshape(-1, -1), r"reshape: .* do not fit shape \(-1, -1\)"),
        (lambda x: x.transpose(0, 0), r"transpose: axes \(0, 0\) are no permutation of the 2"),
        (lambda x: tg.broadcast_to(x, (3, 3)), r"broadcast_to: shape \(2, 3\) .* to \(3, 3\)"),
        (lambda x: x[2], r"getitem: index 2 is out of bounds.*shape \(2, 3\)"),
        (lambda x: x[0, 0, 0], r"getitem: too many indices.*shape \(2, 3\)"),
        (lambda x: tg.concatenate([x, x[:, :2]]), r"concatenate: .*\(2, 3\) and \(2, 2\) differ"),
        (lambda x: tg.concatenate([x], 2), r"concatenate: axis 2 is out of range"),
        (lambda x: x @ x, r"matmul: \(2, 3\) @ \(2, 3\): the first has 3 columns.* 2 rows"),
        (lambda x: x @ tg.Tensor(2.0), r"matmul: .*use \* for numbers"),
        (
            lambda x: tg.broadcast_to(x, (2, 2, 3)) @ np.zeros((3, 3, 1)),
            r"\(2,\) and \(3,\) do not",
        ),
        (lambda x: tg.residual_add(x, x[:1]), r"residual_add: skip \(2, 3\) and branch \(1, 3\)"),
    ],
)
def test_sizes_that_do_not_fit_are_named(compute, message):
    with pytest.raises(ShapeError, match=message):
        compute(tg.Tensor(np.zeros((2, 3))))


def test_an_index_of_fractions_is_refused():
    with pytest.raises(DtypeError, match="getitem: an index must hold integers or booleans"):
        tg.Tensor([1.0, 2.0])[np.array([0.0])]


def test_elements_cannot_be_assigned():
    with pytest.raises(TypeError, match=r"build a new one.*where"):
        tg.Tensor([1.0, 2.0])[0] = 3.0
