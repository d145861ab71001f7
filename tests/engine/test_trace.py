"""`trace`: what is heard of a program, forward and backward."""

import inspect

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn.errors import GraphError


def leaf(*values):
    return tg.Tensor(np.array(values, np.float64), requires_grad=True)


def here(offset=0):
    """The line that calls this, plus an offset."""
    return inspect.currentframe().f_back.f_lineno + offset


def ops(events):
    return [event.node.op.name for event in events]


def test_events_come_in_the_order_of_computation():
    x = leaf(2.0)
    with tg.trace() as t:
        (x * x).exp().backward()
    assert ops(t.forward_events) == ["multiply", "exp"]
    assert ops(t.backward_events) == ["exp", "multiply"]


def test_nothing_is_heard_outside():
    x = leaf(2.0)
    before = x * x
    with tg.trace() as t:
        pass
    (before * x).backward()
    assert t.events == []


def test_every_op_has_the_module_that_ran_it():
    class Net(tg.nn.Module):
        def __init__(self):
            super().__init__()
            self.features = tg.nn.Sequential(conv=tg.nn.Conv2d(1, 2, 3), act=tg.nn.ReLU())
            self.block = tg.nn.Residual(tg.nn.Sequential(tg.nn.Conv2d(2, 2, 1)))

        def forward(self, x):
            return self.block(self.features(x)).sum()

    with tg.trace() as t:
        Net()(tg.Tensor(np.zeros((1, 1, 4, 4), np.float32)))
    assert [(event.node.op.name, event.scope) for event in t.events] == [
        ("conv2d", "features.conv"),
        ("relu", "features.act"),
        ("conv2d", "block.branch.0"),
        ("residual_add", "block"),
        ("sum", ""),
    ]


def test_every_op_has_the_line_of_the_program_that_asked_for_it():
    layer = tg.nn.Sequential(tg.nn.ReLU())
    x = leaf(2.0)
    with tg.trace() as t:
        y = x * x; line = here()  # fmt: skip  # noqa: E702
        layer(y).backward()
    assert [event.source for event in t.events] == [
        (__file__, line),
        (__file__, line + 1),
        (__file__, line + 1),
        (__file__, line),
    ]
    assert (x * x).node.source is None


def test_work_and_traffic_are_counted():
    x, w = np.zeros((2, 3), np.float32), np.zeros((3, 4), np.float32)
    with tg.trace() as t:
        tg.Tensor(x) @ tg.Tensor(w)
    (event,) = t.events
    assert event.cost == (2 * 3 * 4, 4 * (6 + 12 + 8))
    assert event.seconds > 0


def test_the_gradients_on_a_node_s_edges_sum_to_its_own():
    rng = np.random.default_rng(0)
    x, w = (tg.Tensor(rng.normal(size=(n, 3)), requires_grad=True) for n in (4, 3))
    with tg.trace() as t:
        h = (x @ w).tanh()
        ((h * h + h) @ w).sum().backward()
    graph, edges = t.graph, t.edge_gradients()
    assert len(edges) == sum(graph.nodes[edge.producer].needs_grad for edge in graph.edges)
    for node in graph.nodes:
        sent = [gradient for (consumer, i), gradient in edges.items() if consumer.inputs[i] is node]
        if sent:
            np.testing.assert_allclose(sum(sent), t.gradient(node))


def test_inside_everything_keeps_its_gradient():
    x = leaf(3.0)
    with tg.trace() as t:
        h = x * x
        (h * h).backward()
    assert h.grad.item() == t.gradient(h) == 18.0


def test_several_outputs_are_heard_as_one_computation():
    x = leaf(1.0, 3.0).reshape(2, 1)
    with tg.trace() as t:
        y, mean, _ = tg.batch_norm_train(x)
        (y * mean).sum().backward()
    assert ops(t.events).count("batch_norm_train") == 2
    for event in t.backward_events:
        if event.node.op.name == "batch_norm_train":
            assert [g is None for g in event.cotangent] == [False, False, True]


def test_the_graph_holds_all_that_was_computed_and_its_leaves():
    x, unused = leaf(1.0), tg.Tensor([5.0])
    with tg.trace() as t:
        a = x * 2
        b = unused + 1
    roles = ["input", "input", "constant", "op", "constant", "op"]
    assert [node.role for node in t.graph.nodes] == roles
    assert t.graph.outputs == (a.node, b.node)


def test_results_are_recorded_even_if_nothing_asks_for_gradients():
    with tg.trace() as t, tg.no_grad():
        y = tg.Tensor([1.0]) * 2
    assert not y.requires_grad
    assert len(t.graph.edges) == 2


def test_traces_nest():
    x = leaf(1.0)
    with tg.trace() as outer:
        h = x * 2
        with tg.trace() as inner:
            y = h.exp()
        y.backward()
    assert ops(inner.events) == ["exp"]
    assert ops(outer.events) == ["multiply", "exp", "exp", "multiply"]


def test_an_exception_ends_the_trace():
    x = leaf(1.0)
    with pytest.raises(ZeroDivisionError), tg.trace() as t, tg.scope("inside"):
        x * 2 / (1 // 0)
    y = x * 3
    assert ops(t.events) == ["multiply"]
    assert (y.node.scope, y.node.source) == ("", None)


def test_the_summary_is_a_table():
    x = leaf(3.0)
    with tg.trace() as t, tg.scope("square"):
        (x * x).backward()
    header, _, row = t.summary().splitlines()
    assert header.split() == ["module", "op", "output", "multiply-adds", "ms", "‖gradient‖"]
    assert row.split()[:4] == ["square", "multiply", "(1,)", "1"]
    assert row.split()[-1] == "1.00e+00"
    assert repr(t) == "<Trace of 1 forward and 1 backward events>"


def test_a_graph_that_a_backward_inside_has_freed():
    x = leaf(3.0)
    with tg.trace() as t:
        (x * x).backward(free_graph=True)
    assert len(t.backward_events) == 1
    with pytest.raises(GraphError, match="was freed by an earlier"):
        _ = t.graph
