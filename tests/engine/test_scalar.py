"""`Scalar`: against Python's floats, against Tensors, against differences."""

import math
import operator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_cnn as tg
from tests.ops.numerical import directional_derivative
from tinygrad_cnn.engine.node import Node
from tinygrad_cnn.errors import DtypeError

numbers = st.floats(-2, 2).map(lambda x: round(x, 3))
BINARY = [operator.add, operator.sub, operator.mul]
SMOOTH = ["tanh", "sigmoid", "sin", "cos"]


@st.composite
def programs(draw):
    """Some numbers, and a smooth function of them that runs on floats, Scalars and Tensors."""
    steps = []
    count = draw(st.integers(1, 3))
    for i in range(draw(st.integers(1, 6))):
        j, k = (draw(st.integers(0, count + i - 1)) for _ in range(2))
        if draw(st.booleans()):
            steps.append((draw(st.sampled_from(BINARY)), j, k))
        else:
            steps.append((draw(st.sampled_from(SMOOTH)), j, None))

    def program(*values):
        values = list(values)
        for what, j, k in steps:
            if k is not None:
                values.append(what(values[j], values[k]))
            elif isinstance(values[j], float):
                values.append(FLOAT[what](values[j]))
            else:
                values.append(getattr(values[j], what)())
        return sum(values[count:], 0.0)

    return program, draw(st.tuples(*[numbers] * count))


FLOAT = {
    "tanh": math.tanh,
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "sin": math.sin,
    "cos": math.cos,
}


@given(programs())
def test_scalars_compute_what_floats_do(given_):
    program, values = given_
    assert float(program(*map(tg.Scalar, values))) == pytest.approx(program(*values))


@given(programs())
def test_scalars_and_tensors_have_the_same_gradients(given_):
    program, values = given_
    scalars = [tg.Scalar(v) for v in values]
    tensors = [tg.Tensor(v, np.float64, True) for v in values]
    program(*scalars).backward()
    program(*tensors).backward()
    for scalar, tensor in zip(scalars, tensors, strict=True):
        assert (scalar.grad is None) == (tensor.grad is None)
        assert (scalar.grad or 0) == pytest.approx(0 if tensor.grad is None else tensor.grad.item())


@given(programs(), st.integers(0, 1000))
def test_gradients_agree_with_differences(given_, seed):
    program, values = given_
    scalars = [tg.Scalar(v) for v in values]
    program(*scalars).backward()
    along = np.random.default_rng(seed).normal(size=len(values))
    slope = directional_derivative(
        lambda *xs: program(*map(float, xs)), [np.float64(v) for v in values], along
    )
    found = sum((x.grad or 0.0) * d for x, d in zip(scalars, along, strict=True))
    assert found == pytest.approx(slope, rel=1e-6, abs=1e-6)


def test_a_neuron_is_fitted_by_hand():
    """Plain Python over Scalars, as in a first lesson: a loop, a sum, a step against .grad."""
    inputs, targets = [(0.0, 1.0), (1.0, 0.0), (1.0, 1.0)], [-0.5, 0.5, 0.0]
    weights, bias = [tg.Scalar(0.1), tg.Scalar(0.2)], tg.Scalar(0.0)

    def loss():
        total = 0
        for xs, target in zip(inputs, targets, strict=True):
            out = sum((w * x for w, x in zip(weights, xs, strict=True)), bias).tanh()
            total += (out - target) ** 2
        return total

    before = loss().data
    for _ in range(50):
        error = loss()
        error.backward()
        for p in [*weights, bias]:
            p.data -= 0.2 * p.grad
            p.grad = None
    assert loss().data < 0.01 * before


def test_every_number_on_the_way_keeps_its_gradient():
    """y = (a b + c)² at a b = 6, c = −2: dy/d(ab) = 2 · 4."""
    a, b, c = tg.Scalar(2.0), tg.Scalar(3.0), tg.Scalar(-2.0)
    product = a * b
    y = (product + c) ** 2
    y.backward()
    assert [v.grad for v in (y, product, a, b, c)] == [1, 8, 24, 16, 8]


def test_all_operators_reflected_and_in_place():
    """f = (3 − x)/x + 2ˣ + |−x| · relu(x) at x = 2."""
    x = tg.Scalar(2.0)
    f = (3 - x) / x
    f += 2**x
    f += abs(-x) * x.relu()
    f.backward()
    assert f.data == 0.5 + 4 + 4
    assert x.grad == pytest.approx(-3 / 4 + 4 * math.log(2) + 4)


@pytest.mark.parametrize("compare", [operator.lt, operator.le, operator.gt, operator.ge])
def test_comparisons_are_of_the_numbers(compare):
    a, b = tg.Scalar(1.0), tg.Scalar(2.0)
    assert compare(a, b) is compare(1.0, 2.0)
    assert compare(a, 1) is compare(1.0, 1)
    assert compare(3, a) is compare(3, 1.0)


def test_a_scalar_is_equal_to_its_number_and_can_be_a_key():
    a = tg.Scalar(1.0)
    assert a == 1.0
    assert a != tg.Scalar(2.0)
    assert {a: "a"}[a] == "a"


def test_a_number_can_be_changed_and_forgotten():
    a = tg.Scalar(1.0)
    a.data = 3
    (a * a).backward()
    assert a.grad == 6.0
    a.grad = None
    assert a.grad is None
    assert (float(a), a.item(), bool(a), repr(a)) == (3.0, 3.0, True, "Scalar(3)")


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.filterwarnings("ignore:divide by zero")
@pytest.mark.filterwarnings("ignore:invalid value")
def test_it_follows_ieee_where_python_would_raise():
    big, zero = tg.Scalar(1e4), tg.Scalar(0.0)
    assert big.exp().data == math.inf
    assert (1 / zero).data == math.inf
    assert zero.log().data == -math.inf
    assert math.isnan(((-1 * big) ** 0.5).data)


@pytest.mark.parametrize(
    ("compute", "message"),
    [
        (lambda a: a + tg.Tensor([1.0]), r"add: a Scalar and a Tensor do not mix"),
        (lambda a: a * np.ones(2), r"multiply: a Scalar and an array of shape \(2,\) do not mix"),
        (lambda a: np.ones(2) * a, r"multiply: a Scalar and an array of shape \(2,\) do not mix"),
        (lambda a: a + "b", "add: real numbers are needed, got str"),
        (lambda a: a + 1j, "add: "),
        (lambda a: tg.Scalar("one"), "Scalar: one number is needed, got 'one'"),
        (lambda a: tg.Scalar([1.0, 2.0]), "Scalar: one number is needed"),
    ],
)
def test_what_does_not_mix(compute, message):
    with pytest.raises(DtypeError, match=message):
        compute(tg.Scalar(1.0))


@pytest.mark.parametrize("x", [tg.Scalar(2.0), tg.Tensor([2.0], requires_grad=True)])
def test_a_node_that_an_operator_makes_is_as_any_other(x):
    short, long = (x * 3.0).node, tg.multiply(x, 3.0).node
    for field in (f for f in Node.__slots__ if not f.startswith("__")):
        if field not in {"serial", "inputs", "options"}:
            assert getattr(short, field) == getattr(long, field), field
    assert not short.options
    assert not long.options
    assert x.node.serial < short.inputs[1].serial < short.serial < long.serial
    for one, other in zip(short.inputs, long.inputs, strict=True):
        assert (type(one), one.value, one.role) == (type(other), other.value, other.role)
