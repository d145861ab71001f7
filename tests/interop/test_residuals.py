"""Which additions of a program become residual ones."""

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn.interop.program import Call, Imported, Program, Value
from tinygrad_cnn.interop.residuals import with_residuals


def program(*calls, inputs=1, constants=()):
    """Calls as (function, *numbers); the inputs are 0 …, each call is the next number."""
    made = Program(inputs=list(range(inputs)))
    for i, array in enumerate(constants):
        made.constants[100 + i] = array
    for number, (function, *args) in enumerate(calls, start=inputs):
        values = tuple(Value(a) for a in args)
        made.calls.append(Call(function.__name__, function, values, {}, number))
    made.output = Value(inputs + len(calls) - 1)
    return made


def double(x):
    return x * 2


def halved(x):
    return tg.mean(x, axis=0, keepdims=True)


def size(x):
    return tg.Tensor(np.full(x.shape, 2.0))


def run(made, *inputs):
    """The result, and for each residual addition whether it is recorded as such."""
    found = with_residuals(made, {tg.add}, {size})
    with tg.trace() as t:
        y = Imported(found, {}, {})(*(tg.Tensor(x) for x in inputs))
    return y.data, [e.node for e in t.events if e.node.op.name == "residual_add"]


X = np.array([[1.0, 2.0], [3.0, 4.0]])


@pytest.mark.parametrize("args", [(0, 1), (1, 0)])
def test_a_value_and_what_was_computed_from_it(args):
    y, (addition,) = run(program((double, 0), (tg.add, *args)), X)
    assert np.array_equal(y, X * 3)
    assert np.array_equal(addition.inputs[0].value, X)  # the skip, wherever it stood


@pytest.mark.parametrize("args", [(2, 4), (4, 2)])
def test_of_two_branches_the_shorter_one_is_the_skip(args):
    made = program((double, 0), (double, 1), (double, 1), (double, 3), (tg.add, *args))
    y, (addition,) = run(made, X)
    assert np.array_equal(y, X * 4 + X * 8)
    assert np.array_equal(addition.inputs[0].value, X * 4)


def test_two_inputs_have_nothing_in_common():
    assert run(program((tg.add, 0, 1), inputs=2), X, X)[1] == []


def test_a_value_added_to_itself_is_no_branch():
    assert run(program((tg.add, 0, 0)), X)[1] == []


def test_constants_are_no_branches():
    assert run(program((tg.add, 0, 100), constants=[X]), X)[1] == []


def test_a_size_is_not_computed_from_the_value():
    y, additions = run(program((size, 0), (tg.add, 0, 1)), X)
    assert np.array_equal(y, X + 2)
    assert additions == []


def test_shapes_that_broadcast_are_added_plainly():
    y, additions = run(program((halved, 0), (tg.add, 0, 1)), X)
    assert np.array_equal(y, X + X.mean(axis=0))
    assert additions == []


def test_the_program_that_was_given_is_left_as_it_is():
    made = program((double, 0), (tg.add, 0, 1))
    with_residuals(made, {tg.add})
    assert made.calls[1].function is tg.add


def test_a_long_chain_takes_no_time():
    calls = []
    for i in range(2000):
        calls += [(double, 2 * i), (tg.add, 2 * i, 2 * i + 1)]
    found = with_residuals(program(*calls), {tg.add})
    assert sum(call.function is not tg.add for call in found.calls[1::2]) == 2000
