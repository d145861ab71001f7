"""What a recording holds: nodes in order, an edge for every argument, names that repeat."""

import gc
import weakref

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_cnn as tg
from tinygrad_cnn.errors import GraphError


@st.composite
def programs(draw):
    """A Scalar computed by some random additions and products of earlier ones."""
    made = [tg.Scalar(1.0), tg.Scalar(2.0)]
    for _ in range(draw(st.integers(1, 12))):
        i, j = (draw(st.integers(0, len(made) - 1)) for _ in range(2))
        made.append(draw(st.sampled_from([tg.add, tg.multiply]))(made[i], made[j]))
    return made[-1]


@given(programs())
def test_every_node_comes_after_its_inputs(y):
    graph = tg.Graph.of(y)
    assert all(edge.producer < edge.consumer for edge in graph.edges)
    assert graph.nodes[-1] is y.node
    assert [graph.id(node) for node in graph.nodes] == list(range(len(graph)))


@given(programs())
def test_there_is_an_edge_for_every_argument(y):
    graph = tg.Graph.of(y)
    assert len(graph.edges) == sum(len(node.inputs) for node in graph.nodes)
    for producer, consumer, argument in graph.edges:
        assert graph.nodes[consumer].inputs[argument] is graph.nodes[producer]


@given(programs())
def test_networkx_gets_the_same_graph(y):
    graph = tg.Graph.of(y)
    exported = graph.to_networkx()
    assert isinstance(exported, nx.MultiDiGraph)
    assert nx.is_directed_acyclic_graph(exported)
    assert sorted(exported.edges(keys=True)) == sorted(graph.edges)
    assert list(exported) == list(range(len(graph)))


def test_a_square_has_two_edges():
    x = tg.Scalar(3.0)
    assert tg.Graph.of(x * x).edges == [(0, 1, 0), (0, 1, 1)]


def test_an_input_left_out_is_no_node_but_keeps_its_place():
    x, w = tg.Tensor([1.0, 2.0], requires_grad=True), tg.Tensor([[3.0, 4.0]])
    y = tg.linear(x, w)
    assert y.node.inputs == (x.node, w.node, None)
    assert tg.Graph.of(y).edges == [(0, 2, 0), (1, 2, 1)]


def test_what_networkx_is_told_of_a_node():
    with tg.scope("stem"), tg.scope("norm"):
        y = tg.Tensor(np.ones((2, 3)), requires_grad=True, name="x") * 2.0
    nodes = tg.Graph.of(y).to_networkx().nodes(data=True)
    usual = {"name": None, "scope": "", "op": None}
    assert dict(nodes) == {
        0: usual | {"role": "input", "name": "x", "shape": (2, 3), "dtype": "float64"},
        1: usual | {"role": "constant", "shape": (), "dtype": "float"},
        2: usual | {
            "role": "op", "op": "multiply", "shape": (2, 3), "dtype": "float64",
            "scope": "stem.norm",
        },
    }  # fmt: skip


def test_ids_do_not_depend_on_what_was_computed_elsewhere():
    def edges():
        x = tg.Scalar(1.0)
        a = x.exp()
        tg.Scalar(5.0) * 3
        return tg.Graph.of(a * x + a).edges

    assert edges() == edges()


def test_several_results_share_their_past():
    x = tg.Scalar(1.0)
    h = x.exp()
    a, b = h + 1, h * 2
    graph = tg.Graph.of(a, b)
    assert graph.outputs == (a.node, b.node)
    assert [node.op.name for node in graph.nodes if node.op] == ["exp", "add", "multiply"]


@pytest.mark.parametrize("ask", [lambda graph: graph.id(tg.Scalar(0.0)), tg.Graph.of])
def test_what_is_not_in_a_graph(ask):
    with pytest.raises(GraphError, match=r"is not in this graph|a Tensor, Scalar or Node"):
        ask(tg.Graph.of(tg.Scalar(1.0)))


def test_dropping_the_result_frees_the_arrays_at_once():
    """Without the garbage collector: nodes point to their inputs only, so there are no cycles."""
    x = tg.Tensor(np.ones(1000), requires_grad=True)
    gc.collect()
    gc.disable()
    try:
        hidden = x * 2.0
        kept = weakref.ref(hidden.node.value)
        loss = (hidden * hidden).sum()
        del hidden
        assert kept() is not None
        loss.backward()
        tg.grad(loss, x, create_graph=True)
        assert kept() is not None
        del loss
        assert kept() is None
    finally:
        gc.enable()


def test_what_is_computed_without_recording_holds_on_to_nothing():
    w = tg.Tensor(np.ones(3), requires_grad=True)
    with tg.no_grad():
        assert (w * 2).node.inputs == ()
    assert (tg.Tensor(np.ones(3)) * 2).node.inputs == ()
    assert (w * 2).detach().node.inputs == ()
