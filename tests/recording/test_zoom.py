"""`zoom`: one element opened into its arithmetic."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import tinygrad_cnn as tg
from tests.ops.numerical import close
from tests.ops.strategies import CASES
from tinygrad_cnn.errors import GraphError, OptionError, ShapeError


def ops(graph):
    return [node.op.name for node in graph.nodes if node.op]


def leaf(values, **options):
    return tg.Tensor(np.asarray(values, np.float64), requires_grad=True, **options)


def test_a_convolution_s_element_is_a_sum_of_products():
    x, w = leaf(np.arange(9).reshape(1, 1, 3, 3), name="x"), leaf(np.arange(4).reshape(1, 1, 2, 2))
    y = tg.conv2d(x, w, padding=1)
    graph = tg.zoom(y, (0, 0, 1, 1))
    assert graph.output.data == y.numpy()[0, 0, 1, 1] == 19
    assert ops(graph).count("multiply") == 4
    assert sorted(graph.cells) == ["w", "x"]
    assert sorted(index[2:] for index in graph.cells["x"]) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    corner = tg.zoom(y, (0, 0, 0, 0))  # only one cell of the window lies in the image
    assert ops(corner).count("multiply") == 1


def test_its_backward_gives_the_element_s_gradient():
    x, w = leaf([[1.0, 2.0]], name="x"), leaf([[3.0], [4.0]], name="w")
    graph = tg.zoom(x @ w, (0, 0))
    graph.output.backward()
    assert {i: cell.grad for i, cell in graph.cells["x"].items()} == {(0, 0): 3.0, (0, 1): 4.0}
    assert {i: cell.grad for i, cell in graph.cells["w"].items()} == {(0, 0): 1.0, (1, 0): 2.0}
    assert x.grad is None


def test_elements_have_names():
    x = leaf([[1.0, 2.0]], name="x")
    graph = tg.zoom(x.sum(axis=1), 0)
    assert {n.name for n in graph.nodes if n.name} == {"y[0]", "x[0,0]", "x[0,1]"}


def test_an_input_that_is_used_twice_has_one_set_of_cells():
    x = leaf([[1.0, 2.0], [3.0, 4.0]], name="x")
    graph = tg.zoom(x @ x, (0, 0))
    graph.output.backward()
    assert graph.cells["x"][0, 0].grad == 2.0


def test_a_sequence_s_inputs_are_numbered():
    graph = tg.zoom(tg.concatenate([leaf([1.0]), leaf([2.0])]), 1)
    assert list(graph.cells) == ["x1"]


def test_indices_may_count_from_the_end():
    x = leaf([1.0, 2.0, 3.0])
    assert tg.zoom(x * 2, -1).output.data == 6.0
    assert tg.zoom(x * 2, np.int64(0)).output.data == 2.0
    assert tg.zoom(x.sum()).output.data == 6.0


def test_an_empty_sum_is_zero():
    x, w = leaf([[[5.0]]]), leaf([[[1.0]]])
    y = tg.conv1d(x, w, padding=1)
    assert tg.zoom(y, (0, 0, 0)).output.data == 0.0


def test_in_a_trace_nothing_need_ask_for_gradients():
    with tg.trace():
        y = tg.Tensor([1.0, 2.0]).sum()
    assert tg.zoom(y).output.data == 3.0


def test_the_normalised_output_of_batch_norm_can_be_opened():
    x = leaf([[1.0], [3.0]])
    y, mean, _ = tg.batch_norm_train(x, eps=0.0)
    assert tg.zoom(y, (0, 0)).output.data == -1.0
    with pytest.raises(GraphError, match="only the first output of batch_norm_train"):
        tg.zoom(mean, 0)


@pytest.mark.parametrize(
    ("ask", "error", "message"),
    [
        (lambda x: tg.zoom(x, 0), GraphError, "input of shape .* is not the recorded result"),
        (lambda x: tg.zoom(x.detach() * 2, 0), GraphError, "is not the recorded result of an op"),
        (
            lambda x: tg.zoom(x * 2, 2),
            ShapeError,
            r"index \(2,\) is not one element of shape \(2,\)",
        ),
        (lambda x: tg.zoom(x * 2), ShapeError, r"index \(\) is not one element"),
        (lambda x: tg.zoom(x * 2, slice(1)), ShapeError, r"is not one element"),
        (lambda x: tg.zoom(x * 2, 0.5), ShapeError, r"index \(0.5,\) is not one element"),
        (lambda x: tg.zoom(tg.Scalar(1.0)), GraphError, "a Tensor is needed, got Scalar"),
        (lambda x: tg.zoom(x * 2, 0, depth=0), OptionError, "depth must be an int in 1 … 50"),
        (lambda x: tg.zoom(x * 2, 0).gradient(tg.Scalar(1.0)), GraphError, "not among the arrays"),
    ],
)
def test_what_cannot_be_opened(ask, error, message):
    with pytest.raises(error, match=message):
        ask(leaf([1.0, 2.0]))


def test_values_that_changed_are_caught():
    """Else the arithmetic shown would not give the value shown."""
    x = leaf([1.0, 2.0], name="x")
    y = x * x
    x.data = [5.0, 5.0]
    with pytest.raises(GraphError, match=r"zoom: multiply .* used input 'x'.* changed"):
        tg.zoom(y, 0)


# --- every op, several ops deep ----------------------------------------------------------------


def program(case, op):
    """One op on the case's inputs, of which those that are differentiated are computed, too."""
    values, leaves = [], []
    for x in case.inputs:
        if x is not None and x.dtype.kind == "f":
            leaves.append(tg.Tensor(x / 2, requires_grad=True, name=f"X{len(leaves)}"))
            x = leaves[-1] * 2.0
        values.append(x)
    y = op(values, **case.options) if op.variadic else op(*values, **case.options)
    return leaves, (y[0] if isinstance(y, tuple) else y)


@pytest.mark.parametrize("name", sorted(tg.OPS))
@settings(max_examples=settings.default.max_examples // 3)
@given(data=st.data())
def test_every_op_opens_several_ops_deep(name, data):
    """The element's value, and its gradients at the leaves of a program of two ops."""
    case = data.draw(CASES[name])
    leaves, y = program(case, tg.OPS[name])
    assume(y.size)
    rng = np.random.default_rng(case.seed)
    at = tuple(int(rng.integers(n)) for n in y.shape)
    graph = tg.zoom(y, at, depth=2)
    assert close(graph.output.data, y.numpy()[at], 1e-10)
    unit = np.zeros(y.shape, y.dtype)
    unit[at] = 1.0
    for x, expected in zip(leaves, tg.grad(y, leaves, unit, allow_unused=True), strict=True):
        found = graph.gradient(x) if x.name in graph.cells else np.zeros(x.shape)
        assert close(found, 0.0 if expected is None else expected.numpy(), 1e-8)


def test_elements_products_and_the_output_are_named():
    x, w = leaf(np.arange(9).reshape(1, 1, 3, 3), name="X"), leaf(np.ones((1, 1, 2, 2)), name="W")
    graph = tg.zoom(tg.conv2d(x, w), (0, 0, 1, 1))
    names = {node.name for node in graph.nodes if node.op and node.op.name == "multiply"}
    assert names == {f"X[0,0,{i + 1},{j + 1}]·W[0,0,{i},{j}]" for i in (0, 1) for j in (0, 1)}
    assert graph.output.name == "y[0,0,1,1]"
    y = x * w[0, 0, 0, 0]
    y.name = "Y"
    assert tg.zoom(y, (0, 0, 2, 2)).output.name == "Y[0,0,2,2]"


def test_ops_that_are_opened_share_their_elements():
    """h is read twice, and computed once; its leaves are the graph's."""
    x, w = leaf([[1.0, 2.0]], name="x"), leaf([[3.0], [4.0]], name="w")
    h = x @ w
    graph = tg.zoom(h * h + h, (0, 0), depth=3)
    assert ops(graph) == ["multiply", "multiply", "add", "multiply", "add"]
    assert sorted(graph.cells) == ["matmul", "multiply", "w", "x"]
    graph.output.backward()
    assert graph.cells["matmul"][0, 0].grad == 2 * 11 + 1
    assert graph.cells["x"][0, 1].grad == 23 * 4
    shallow = tg.zoom(h * h + h, (0, 0))
    assert sorted(shallow.cells) == ["a", "b"]  # after the op's parameters
    assert shallow.output.data == graph.output.data


def test_what_has_no_definition_stays_closed():
    twice = tg.op("twice", lambda x: 2 * x, lambda g, y, x: 2 * g)
    x = leaf([1.0, 2.0], name="x")
    graph = tg.zoom(twice(x) * 3.0, 1, depth=2)
    assert graph.cells["a"][(1,)].data == 4.0


def test_zooming_is_not_heard_by_a_trace():
    with tg.trace() as t:
        y = leaf([1.0, 2.0]).sum()
        tg.zoom(y)
    assert [event.op for event in t.events] == ["sum"]
