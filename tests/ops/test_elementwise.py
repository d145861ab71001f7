"""Elementwise ops at the points that their property tests keep away from: kinks, poles, corners."""

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn.errors import DtypeError, ShapeError


def slopes(f, *values, dtype=np.float64):
    """The derivatives of f at a point: on Tensors, after checking that Scalars give the same."""
    tensors = [tg.Tensor(v, dtype=dtype, requires_grad=True) for v in values]
    scalars = [tg.Scalar(v) for v in values]
    f(*tensors).backward()
    f(*scalars).backward()
    found = [t.grad.item() for t in tensors]
    np.testing.assert_array_equal(found, [s.grad for s in scalars])
    return found


@pytest.mark.parametrize("f", [tg.relu, tg.absolute])
def test_at_their_kink_relu_and_abs_have_slope_0(f):
    assert slopes(f, 0.0) == [0.0]


@pytest.mark.parametrize(
    ("f", "at", "slope"),
    [
        (tg.hardtanh, -1.0, 0.0), (tg.hardtanh, 1.0, 0.0), (tg.relu6, 0.0, 0.0),
        (tg.relu6, 6.0, 0.0), (tg.hardsigmoid, -3.0, 0.0), (tg.hardsigmoid, 3.0, 0.0),
        (tg.hardswish, -3.0, 0.0), (tg.hardswish, 3.0, 1.0),
        (tg.floor, 2.0, 0.0), (tg.ceil, 2.0, 0.0), (tg.trunc, 2.0, 0.0), (tg.round, 0.5, 0.0),
        (tg.sign, 0.0, 0.0),
    ],
)  # fmt: skip
def test_the_slope_at_a_kink_or_a_jump_is_pytorch_s(f, at, slope):
    assert slopes(f, at) == [slope]
    torch = pytest.importorskip("torch")
    name = f.__name__
    theirs = getattr(torch.nn.functional, name, None) or getattr(torch, name)
    x = torch.tensor(at, requires_grad=True)
    theirs(x).backward()
    assert x.grad.item() == slope


def test_at_0_the_slope_of_prelu_is_the_weight():
    x = tg.Tensor([0.0], requires_grad=True)
    weight = tg.Tensor([0.25], requires_grad=True)
    tg.prelu(x, weight).backward([1.0])
    assert (x.grad.item(), weight.grad.item()) == (0.25, 0.0)


@pytest.mark.parametrize(("a", "b"), [(7, 3), (-7, 3), (7, -3), (-7, -3), (6, 3), (-6, 3)])
def test_remainders_have_the_sign_of_one_side(a, b):
    assert slopes(tg.remainder, a, b) == [1.0, -(a // b)]
    assert slopes(tg.fmod, a, b) == [1.0, -int(a / b)]
    assert (tg.remainder(a, b), tg.fmod(a, b)) == (a % b, np.fmod(a, b))


@pytest.mark.parametrize("f", [tg.remainder, tg.fmod])
def test_integers_divided_by_0_have_no_remainder(f):
    with pytest.raises(DtypeError, match=f"{f.name}: of integers there is none by 0"):
        f([3, 4], [1, 0])
    with np.errstate(invalid="ignore"):
        assert np.isnan(f(1.0, 0.0))


@pytest.mark.parametrize(
    ("base", "exponent", "expected"),
    [
        (0.0, 0.0, (0.0, 0.0)),
        (0.0, 1.0, (1.0, 0.0)),
        (0.0, 2.0, (0.0, 0.0)),
        (3.0, 0.0, (0.0, np.log(3))),
        (2.0, 3.0, (12.0, 8 * np.log(2))),
    ],
)
def test_the_corners_of_power(base, exponent, expected):
    assert slopes(tg.power, base, exponent) == list(expected)


@pytest.mark.parametrize(("exponent", "slope"), [(3, 12.0), (2, -4.0), (-1, -0.25), (0, 0.0)])
def test_a_negative_base_takes_integer_exponents(exponent, slope):
    assert slopes(lambda x: x**exponent, -2.0) == [slope]
    assert slopes(lambda x: x ** float(exponent), -2.0) == [slope]


@pytest.mark.filterwarnings("ignore:divide by zero")
@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize(
    ("f", "at", "slope"),
    [
        (lambda x: x**0.5, 0.0, np.inf),
        (lambda x: x.sqrt(), 0.0, np.inf),
        (lambda x: x.log(), 0.0, np.inf),
        (lambda x: 1 / x, 0.0, -np.inf),
        (lambda x: x**1.5, -8.0, np.nan),
    ],
    ids=["root", "sqrt", "log", "reciprocal", "power"],
)
def test_poles_give_inf_and_nan_on_both_grains(f, at, slope):
    np.testing.assert_array_equal(slopes(f, at), [slope])


def test_no_gradient_flows_to_the_side_that_where_left_out():
    x = tg.Tensor([0.0, 4.0], requires_grad=True, dtype=np.float64)
    safe = tg.where(x.numpy() > 0, x, 1.0)
    tg.where(x.numpy() > 0, safe**0.5, 0.0).sum().backward()
    assert x.grad.numpy().tolist() == [0.0, 0.25]


def test_sigmoid_does_not_overflow():
    with np.errstate(all="raise", under="ignore"):
        assert tg.sigmoid(tg.Tensor([-1e4, 0.0, 1e4])).numpy().tolist() == [0.0, 0.5, 1.0]


@pytest.mark.parametrize("number", [2, 2.0, True])
@pytest.mark.parametrize("f", [tg.add, tg.subtract, tg.multiply, tg.divide, tg.power])
def test_python_numbers_do_not_widen_float32(f, number):
    x = tg.Tensor([1.5, 2.5], requires_grad=True)
    for y in (f(x, number), f(number, x)):
        assert y.dtype == np.float32
        assert tg.grad(y.sum(), x).dtype == np.float32


def test_arrays_promote_as_in_numpy_and_each_gradient_keeps_its_input_s_dtype():
    x = tg.Tensor(np.ones(3, np.float32), requires_grad=True)
    y = tg.Tensor(np.ones(3, np.float64), requires_grad=True)
    (x * y).sum().backward()
    assert (x * y).dtype == np.float64
    assert (x.grad.dtype, y.grad.dtype) == (np.float32, np.float64)


def test_numpy_arrays_on_the_left_leave_the_work_to_the_tensor():
    x = tg.Tensor([1.0, 2.0], requires_grad=True, dtype=np.float64)
    y = np.array([3.0, 4.0]) / x
    assert isinstance(y, tg.Tensor)
    y.sum().backward()
    assert x.grad.numpy().tolist() == [-3.0, -1.0]


def test_a_list_is_read_as_an_array():
    x = tg.Tensor([1.0, 2.0], requires_grad=True, dtype=np.float64)
    (x @ [3.0, 4.0] + (x ** [0, 2]).sum()).backward()
    assert x.grad.numpy().tolist() == [3.0, 8.0]


def test_shapes_that_do_not_broadcast_are_named():
    with pytest.raises(ShapeError, match=r"add: shapes \(2, 3\) and \(4,\) do not broadcast"):
        tg.Tensor(np.zeros((2, 3))) + np.zeros(4)


@pytest.mark.parametrize(
    ("other", "what"),
    [
        ("a", "real numbers are needed, got str"),
        ({}, "real numbers are needed, got dict"),
        (None, "input b is missing"),
    ],
)
def test_what_is_no_number_is_named(other, what):
    with pytest.raises(DtypeError, match=f"multiply: {what}"):
        tg.Tensor([1.0]) * other


def test_complex_results_are_refused():
    with pytest.raises(DtypeError, match=r"multiply: real numbers are needed.*complex"):
        tg.Tensor([1.0]) * 1j
