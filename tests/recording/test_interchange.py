"""Graphs as JSON and in networkx; their parts."""

import json

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_cnn as tg
from tests.ops.strategies import CASES
from tinygrad_cnn.errors import DataError, DtypeError, GraphError


def attributes(graph):
    return [
        (n.op.name if n.op else None, n.role, n.name, n.shape, n.dtype, n.scope, n.needs_grad)
        for n in graph.nodes
    ]


def same_option(a, b):
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b)
    if isinstance(a, tuple):
        return type(b) is tuple and len(a) == len(b) and all(map(same_option, a, b))
    return a == b and type(a) is type(b)


@pytest.mark.parametrize("name", sorted(tg.OPS))
@settings(max_examples=settings.default.max_examples // 4)
@given(data=st.data())
def test_every_op_goes_to_json_and_back(name, data):
    case, op = data.draw(CASES[name]), tg.OPS[name]
    values = [
        tg.Tensor(x, requires_grad=True) if x is not None and x.dtype.kind == "f" else x
        for x in case.inputs
    ]
    y = op(values, **case.options) if op.variadic else op(*values, **case.options)
    graph = tg.Graph.of(y[0] if isinstance(y, tuple) else y)
    text = graph.to_json()
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    loaded = tg.Graph.from_json(text)
    assert attributes(loaded) == attributes(graph)
    assert loaded.edges == graph.edges
    assert [loaded.id(n) for n in loaded.outputs] == [graph.id(n) for n in graph.outputs]
    assert loaded.to_json() == text
    for a, b in zip(graph.nodes, loaded.nodes, strict=True):
        assert a.op is b.op
        assert (a.options or {}).keys() == (b.options or {}).keys()
        for key, option in (a.options or {}).items():
            assert same_option(option, b.options[key]), key


def test_numbers_come_back_and_arrays_as_their_description():
    s = tg.Scalar(3.0, name="s")
    y = s * 2 + np.inf
    y.backward()
    loaded = tg.Graph.from_json(tg.Graph.of(y).to_json())
    assert [node.value for node in loaded.nodes] == [3.0, 2, 6.0, np.inf, np.inf]
    assert [node.grad for node in loaded.nodes] == [2.0, None, 1.0, None, 1.0]
    x = tg.Tensor(np.ones((2, 3)), requires_grad=True)
    loaded = tg.Graph.from_json(tg.Graph.of((x * np.float32(2)).sum()).to_json())
    assert loaded.nodes[0].value == tg.Description((2, 3), "float64")
    assert loaded.nodes[-1].value == np.array(6 * 2.0)
    with pytest.raises(GraphError, match=r"values of this float64 array of shape \(2, 3\)"):
        np.asarray(loaded.nodes[0].value)


def test_two_ops_of_one_name_stay_two():
    def declare(k):
        return tg.op("same", lambda x: k * x, lambda g, y, x: k * g, symbol=f"×{k}")

    x = tg.Scalar(1.0)
    loaded = tg.Graph.from_json(tg.Graph.of(declare(2)(x) + declare(3)(x)).to_json())
    assert [n.op.symbol for n in loaded.nodes if n.op] == ["×2", "×3", "+"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "this is no JSON"),
        ("[]", "this is no graph in the format"),
        ('{"format": "tinygrad_cnn graph 9"}', "this is no graph in the format"),
        ('{"format": "tinygrad_cnn graph 1"}', "this graph is damaged: KeyError"),
        (
            '{"format": "tinygrad_cnn graph 1", "ops": [], "nodes": [{"op": "conv9d"}]}',
            "there is no op 'conv9d' in this version",
        ),
    ],
)
def test_what_is_no_graph(text, message):
    with pytest.raises(DataError, match=message):
        tg.Graph.from_json(text)


def test_an_option_that_json_cannot_hold():
    @tg.op
    def mapped(x, *, function):
        return function(x)

    y = mapped.vjp(lambda g, y, x, function: g)(tg.Scalar(1.0), function=abs)
    with pytest.raises(DtypeError, match=r"option 'function' of mapped .* is a builtin_function"):
        tg.Graph.of(y).to_json()


# --- parts -------------------------------------------------------------------------------------


@st.composite
def graphs(draw):
    made = [tg.Scalar(1.0), tg.Scalar(2.0)]
    for _ in range(draw(st.integers(1, 8))):
        i, j = (draw(st.integers(0, len(made) - 1)) for _ in range(2))
        made.append(draw(st.sampled_from([tg.add, tg.multiply]))(made[i], made[j]))
    return tg.Graph.of(*made)


@given(graphs(), st.data())
def test_parts_agree_with_networkx(graph, data):
    whole = graph.to_networkx()
    ids = st.integers(0, len(graph) - 1)
    a, b = data.draw(ids), data.draw(ids)
    part = graph.ancestors(b)
    assert [graph.id(node) for node in part.nodes] == sorted(nx.ancestors(whole, b) | {b})
    assert part.outputs == (graph.nodes[b],)
    chosen = data.draw(st.sets(ids, min_size=1))
    part = graph.subgraph(chosen)
    numbers = sorted(chosen)
    assert [graph.id(node) for node in part.nodes] == numbers
    edges = [(numbers[e.producer], numbers[e.consumer], e.argument) for e in part.edges]
    assert sorted(edges) == sorted(whole.subgraph(chosen).edges(keys=True))
    paths = list(graph.paths_between(a, b))
    assert len(set(paths)) == len(paths)
    assert sorted(paths) == sorted(map(tuple, nx.all_simple_edge_paths(whole, a, b)))


def test_the_parts_of_a_part():
    x = tg.Tensor([1.0], requires_grad=True)
    h = x * 2
    y = h.exp()
    part = tg.Graph.of(y).subgraph([h, y])
    assert h in part
    assert x.node not in part
    assert len(tg.Graph.from_json(part.to_json()).nodes) == 2
    with pytest.raises(GraphError, match="is not in this graph"):
        part.ancestors(x)
    with pytest.raises(GraphError, match="no node 2 in this graph of 2"):
        part.subgraph([0, 2])
