"""What holds for every op: its forward, vjp and definition agree, to second order.

An op is held to these properties through its strategy in `strategies.py`; an op without one fails.
Each output of an op has a random cotangent.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import tinygrad_cnn as tg
from tinygrad_cnn import ops
from tinygrad_cnn.engine.op import Op
from tinygrad_cnn.recording.zoom import Cells

from .numerical import close, directional_derivative, inner
from .pure import NotScalarArithmetic, only_scalar_arithmetic
from .strategies import CASES, Array, Case, has_every_op

BEHIND_OTHERS = {  # reached by a function, or by another op's vjp
    *(f"conv{d}d_weight_grad" for d in (1, 2, 3)), *(f"avg_pool{d}d_input_grad" for d in (1, 2, 3)),
    "dropout_mask", "interpolate_input_grad", "scatter_add", "take_winners", "unpool",
}  # fmt: skip
every_op = pytest.mark.parametrize("name", sorted(tg.OPS))
DATA = st.data()


@pytest.fixture(autouse=True, scope="module")
def numpy_is_strict():
    """An overflow or an invalid operation is an error, in the backward pass as well."""
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        yield


def test_every_op_has_a_strategy_and_every_strategy_an_op():
    has_every_op(CASES, "CASES in tests/ops/strategies.py")


def test_every_op_of_a_family_is_registered():
    known = list(tg.OPS.values())
    for file in pkgutil.iter_modules(ops.__path__):
        declared = vars(import_module(f"{ops.__name__}.{file.name}")).values()
        lacking = {op.name for op in declared if isinstance(op, Op) and op not in known}
        assert not lacking, f"FAMILIES in tinygrad_cnn/ops/registry.py lacks the file of {lacking}"


def test_every_op_is_exported_but_those_behind_others():
    lacking = tg.OPS.keys() - BEHIND_OTHERS - {*ops.__all__}
    assert not lacking, f"tinygrad_cnn/ops/__init__.py exports no {', '.join(sorted(lacking))}"


# --- how an op is called -----------------------------------------------------------------------


def call(op: Op, inputs: Any, options: dict[str, Any]) -> tuple[Any, ...]:
    """The op's outputs, always as a tuple."""
    result = op(list(inputs), **options) if op.variadic else op(*inputs, **options)
    return result if isinstance(result, tuple) else (result,)


def differentiated(case: Case) -> list[int]:
    """Which inputs have gradients."""
    return [i for i, x in enumerate(case.inputs) if x is not None and x.dtype.kind == "f"]


def with_values(case: Case, values: Any) -> list[Any]:
    """The case's inputs, with other values for those that are differentiated."""
    inputs: list[Any] = list(case.inputs)
    for i, value in zip(differentiated(case), values, strict=True):
        inputs[i] = value
    return inputs


def tensors(arrays: Any) -> list[tg.Tensor]:
    """Leaves that share the arrays' memory, so that whoever writes into them is caught."""
    return [tg.Tensor(a, requires_grad=True, copy=False) for a in arrays]


def like(rng: np.random.Generator, arrays: Any) -> list[Array]:
    return [frozen(rng.normal(size=np.shape(a)), np.asarray(a).dtype) for a in arrays]


def frozen(values: Any, dtype: Any) -> Array:
    array = np.asarray(values, dtype)
    array.flags.writeable = False
    return array


class Recorded:
    """A case, recorded on Tensors, with a random cotangent at each output."""

    def __init__(self, name: str, data: Any, dtype: Any = np.float64) -> None:
        self.op = tg.OPS[name]
        self.case: Case = data.draw(CASES[name])
        self.rng = np.random.default_rng(self.case.seed)
        self.values = [frozen(self.case.inputs[i], dtype) for i in differentiated(self.case)]
        self.leaves = tensors(self.values)
        self.outputs = call(self.op, with_values(self.case, self.leaves), self.case.options)
        self.cotangents = like(self.rng, [y.node.value for y in self.outputs])
        self.options = self.node.options or {}  # canonical

    @property
    def node(self) -> tg.Node:
        """The op's own node."""
        node = self.outputs[0].node
        return node if node.op is self.op else node.inputs[0]

    def forward(self, *values: Array) -> tuple[Any, ...]:
        return call(self.op, with_values(self.case, values), self.case.options)

    def gradients(self, leaves: Any, cotangents: Any, create_graph: bool = False) -> list[Any]:
        """Σ ⟨output, cotangent⟩, differentiated; zeros where an input does not matter."""
        outputs = call(self.op, with_values(self.case, leaves), self.case.options)
        total = sum_of_products(outputs, cotangents)
        found = tg.grad(total, leaves, create_graph=create_graph, allow_unused=True)
        return [0 * x if g is None else g for g, x in zip(found, leaves, strict=True)]


def sum_of_products(xs: Any, ys: Any) -> Any:
    """Σ ⟨x, y⟩, recorded."""
    total: Any = 0.0
    for x, y in zip(xs, ys, strict=True):
        total = total + (x * y).sum()
    return total


# --- the properties ----------------------------------------------------------------------------


@every_op
@given(data=DATA)
def test_the_forward_is_the_definition(name, data):
    run = Recorded(name, data)
    y = run.outputs[0].numpy()
    assume(y.size)
    for _ in range(3):
        at = tuple(int(run.rng.integers(n)) for n in y.shape)
        assert close(float(tg.zoom(run.outputs[0], at).output), y[at], 1e-10)


@every_op
@given(data=DATA)
def test_the_vjp_agrees_with_finite_differences(name, data):
    run = Recorded(name, data)
    gradients = run.gradients(run.leaves, run.cotangents)
    along = like(run.rng, run.values)
    slope = directional_derivative(
        lambda *values: inner(run.forward(*values), run.cotangents), run.values, along
    )
    assert close(inner([g.numpy() for g in gradients], along), slope)


@every_op
@given(data=DATA)
def test_the_vjp_is_the_gradient_of_the_definition(name, data):
    run = Recorded(name, data)
    y = run.outputs[0].numpy()
    assume(y.size)
    cells = [None if x is None else Cells(x, "") for x in with_values(run.case, run.values)]
    cotangent, total = np.zeros(y.shape), tg.Scalar(0.0)
    for _ in range(4):  # a random cotangent at some outputs, 0 at the others
        at = tuple(int(run.rng.integers(n)) for n in y.shape)
        weight = float(run.rng.normal())
        cotangent[at] += weight
        total = total + weight * run.op.define(at, cells, run.options)
    total.backward()
    others = [np.zeros(u.shape) for u in run.cotangents[1:]]
    gradients = run.gradients(run.leaves, [cotangent, *others])
    for i, gradient in zip(differentiated(run.case), gradients, strict=True):
        expected = np.zeros(gradient.shape)
        for at, cell in cells[i].read.items():
            expected[at] = cell.grad or 0.0
        assert close(gradient.numpy(), expected, 1e-9)


@every_op
@given(data=DATA)
def test_the_second_derivative_agrees_with_finite_differences(name, data):
    """⟨first gradient, w⟩ is differentiated again, by inputs and by cotangents."""
    run = Recorded(name, data)
    w = like(run.rng, run.values)
    split = len(run.values)

    def first(*values: Array) -> float:
        found = run.gradients(tensors(values[:split]), values[split:])
        return inner([g.numpy() for g in found], w)

    cotangents = tensors(run.cotangents)
    recorded = run.gradients(run.leaves, cotangents, create_graph=True)
    second = tg.grad(sum_of_products(recorded, w), [*run.leaves, *cotangents], allow_unused=True)
    values = [*run.values, *run.cotangents]
    along = like(run.rng, values)
    found = inner([None if g is None else g.numpy() for g in second], along)
    assert close(found, directional_derivative(first, values, along), 1e-6)


@every_op
@given(data=DATA)
def test_recording_gradients_does_not_change_them(name, data):
    run = Recorded(name, data)
    plain = run.gradients(run.leaves, run.cotangents)
    recorded = run.gradients(run.leaves, run.cotangents, create_graph=True)
    for a, b in zip(plain, recorded, strict=True):
        assert close(a.numpy(), b.numpy(), 1e-12)


@pytest.mark.parametrize("name", [n for n, op in sorted(tg.OPS.items()) if op.batch])
@given(data=DATA)
def test_a_single_example_is_a_batch_of_one(name, data):
    """Without its batch axis; the result and its gradients have none either."""
    run = Recorded(name, data)
    inputs = [*run.case.inputs]
    assume(inputs[run.op.batch.inputs[0]].ndim == run.op.batch.axes)
    for i in run.op.batch.inputs:
        inputs[i] = frozen(inputs[i][:1], inputs[i].dtype)
    ones = run.case._replace(inputs=tuple(inputs))
    alone = list(inputs)
    for i in run.op.batch.inputs:
        alone[i] = frozen(inputs[i][0], inputs[i].dtype)
    y, gradients = outcome(run.op, ones, run.case.seed)
    y_alone, gradients_alone = outcome(run.op, ones._replace(inputs=tuple(alone)), run.case.seed)
    np.testing.assert_array_equal(y_alone, y[0] if y.ndim else y)
    for i, g, g_alone in zip(differentiated(ones), gradients, gradients_alone, strict=True):
        np.testing.assert_array_equal(g_alone, g[0] if i in run.op.batch.inputs else g)


def outcome(op: Op, case: Case, seed: int) -> tuple[Array, list[Array]]:
    """The value, and the gradients for a random cotangent."""
    leaves = tensors([case.inputs[i] for i in differentiated(case)])
    y = call(op, with_values(case, leaves), case.options)[0]
    cotangent = np.random.default_rng(seed).normal(size=y.size).reshape(y.shape)
    return y.numpy(), [g.numpy() for g in tg.grad(y, leaves, cotangent)]


@every_op
@given(data=DATA)
def test_on_plain_arrays_an_op_gives_plain_arrays(name, data):
    run = Recorded(name, data)
    for plain, tensor in zip(run.forward(*run.values), run.outputs, strict=True):
        assert isinstance(plain, np.ndarray | np.generic)
        assert plain.dtype == tensor.dtype
        np.testing.assert_array_equal(plain, tensor.numpy())


@every_op
@given(data=DATA)
def test_float32_stays_float32(name, data):
    run = Recorded(name, data, np.float32)
    wanted = np.float64 if name == "astype" else np.float32  # which the case asks it for
    assert {y.dtype for y in run.outputs} == {np.dtype(wanted)}
    for y, cotangent in zip(run.outputs, run.cotangents, strict=True):
        y.backward(cotangent)
    for x in run.leaves:
        if x.grad is not None:
            assert (x.grad.dtype, x.grad.shape) == (x.dtype, x.shape)


@every_op
@given(data=DATA)
def test_a_gradient_shares_no_memory_with_anything(name, data):
    """Whoever changes an array that he passed in, or got, changes no gradient."""
    run = Recorded(name, data)
    assume(run.outputs[0].size)
    gradients = tg.grad(run.outputs[0], run.leaves, run.cotangents[0], allow_unused=True)
    run.outputs[0].backward(run.cotangents[0])
    kept = [x.grad for x in run.leaves]
    others = [*run.values, run.cotangents[0], *(y.node.value for y in run.outputs)]
    for gradient in [*gradients, *kept]:
        if gradient is not None:
            assert not any(np.shares_memory(gradient.numpy(), other) for other in others)
            assert not gradient.numpy().flags.writeable
            others.append(gradient.numpy())  # nor with another gradient


@every_op
@given(data=DATA)
def test_the_cost_is_a_count(name, data):
    run = Recorded(name, data)
    cost = run.op.cost(run.node)
    assert all(type(n) is int for n in cost)
    assert cost.multiply_adds >= 0
    assert cost.bytes >= sum(y.node.value.nbytes for y in run.outputs)


@every_op
@settings(max_examples=settings.default.max_examples // 2)
@given(data=DATA)
def test_the_definition_is_scalar_arithmetic_alone(name, data):
    run = Recorded(name, data)
    y = run.outputs[0].numpy()
    assume(y.size)
    at = tuple(int(run.rng.integers(n)) for n in y.shape)
    value = only_scalar_arithmetic(run.op, at, run.case.inputs, run.options)
    assert close(value, y[at], 1e-10)


@pytest.mark.parametrize(
    "definition",
    [
        lambda at, x: np.exp(x[at]),
        lambda at, x: np.sum([x[at], x[at]]),
        lambda at, x: np.multiply(x[at], 2.0),
        lambda at, x: np.float64(float(x[at])) * 2,
        lambda at, x: tg.exp(x[at]),
        lambda at, x: tg.residual_add(x[at], x[at]),
        lambda at, x: x.value[at] * 2,
        lambda at, x: x * 2,
    ],
    ids=["exp", "sum", "multiply", "float64", "op", "op of any number", "array", "whole input"],
)
def test_a_definition_that_does_more_is_refused(definition):
    cheat = tg.op("cheat", lambda x: 2 * x).definition(definition)
    with pytest.raises(NotScalarArithmetic):
        only_scalar_arithmetic(cheat, (1,), (np.array([1.0, 2.0]),), {})


def test_a_definition_in_scalar_arithmetic_is_accepted():
    honest = tg.op("honest", lambda x: 2 * x).definition(lambda at, x: 2.0 * x[at])
    assert only_scalar_arithmetic(honest, (1,), (np.array([1.0, 2.0]),), {}) == 4.0


@every_op
def test_the_docstring_shows_how_it_is_used(name):
    """But for functions of one or two numbers, and what only gradients use."""
    public = getattr(tg, name, None)
    if public and not tg.OPS[name].elementwise:
        assert ">>> " in public.__doc__
