"""`Graph.replay`: the same as running the program again with the other values."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_cnn as tg
from tests.ops.strategies import CASES
from tinygrad_cnn.errors import DtypeError, GraphError, ShapeError


def leaf(*values, **options):
    return tg.Tensor(np.array(values, np.float64), requires_grad=True, **options)


@st.composite
def programs(draw):
    """A function of two arrays (2, 3) that returns every value it computes, the last one last."""
    steps = [
        (draw(st.sampled_from(sorted(STEPS))), draw(st.integers(0, 99)), draw(st.integers(0, 99)))
        for _ in range(draw(st.integers(1, 8)))
    ]

    def program(x, w, **replaced):
        made = [replaced.get("0", x), replaced.get("1", w)]
        for name, i, j in steps:
            value = STEPS[name](made[i % len(made)], made[j % len(made)])
            made.append(replaced.get(str(len(made)), value))
        return made

    return program


STEPS = {
    "add": lambda a, b: a + b,
    "multiply": lambda a, b: a * b,
    "tanh": lambda a, b: a.tanh(),
    "scale": lambda a, b: 0.5 * a - 1.0,
    "relu": lambda a, b: tg.residual_add(a, b.relu()),
    "mean": lambda a, b: a - b.mean(axis=0, keepdims=True),
    "norm": lambda a, b: tg.batch_norm_train(a)[0],
    "matmul": lambda a, b: a @ (b.T @ b),
    "join": lambda a, b: tg.concatenate([a, b])[1:3],
}


@given(programs(), st.integers(0, 2**32 - 1), st.data())
def test_it_equals_running_again(program, seed, data):
    """One or two values replaced, at leaves or in the middle; the result and its gradients."""
    rng = np.random.default_rng(seed)
    x, w = (tg.Tensor(rng.normal(size=(2, 3)), requires_grad=True) for _ in range(2))
    made = program(x, w)
    y = made[-1] * made[-1] + made[0]
    graph = tg.Graph.of(y, *made)
    places = data.draw(st.lists(st.integers(0, len(made) - 1), min_size=1, max_size=2, unique=True))
    others = {k: rng.normal(size=(2, 3)) for k in places}
    replayed = graph.replay({made[k]: value for k, value in others.items()})

    new = {str(k): tg.Tensor(value, requires_grad=True) for k, value in others.items()}
    again = program(x, w, **new)
    z = again[-1] * again[-1] + again[0]
    for a, b in zip([*made, y], [*again, z], strict=True):
        np.testing.assert_array_equal(replayed[a].numpy(), b.numpy())
    u = rng.normal(size=(2, 3))
    kept = [t for k, t in enumerate((x, w)) if k not in places]
    expected = tg.grad(z, [*kept, *new.values()], u, allow_unused=True)
    leaves = [*kept, *(replayed[made[k]] for k in places)]
    found = tg.grad(replayed[y], leaves, u, allow_unused=True)
    for a, b in zip(found, expected, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_allclose(a.numpy(), b.numpy(), 1e-12, 1e-12)


@pytest.mark.parametrize("name", sorted(tg.OPS))
@settings(max_examples=settings.default.max_examples // 4)
@given(data=st.data())
def test_every_op_replays(name, data):
    case, op = data.draw(CASES[name]), tg.OPS[name]
    rng = np.random.default_rng(case.seed)
    which = [i for i, x in enumerate(case.inputs) if x is not None and x.dtype.kind == "f"]
    values = list(case.inputs)
    for i in which:
        values[i] = tg.Tensor(values[i], requires_grad=True)
    first, second = list(values), list(values)
    y = op(first, **case.options) if op.variadic else op(*first, **case.options)
    y = y[0] if isinstance(y, tuple) else y
    i = which[int(rng.integers(len(which)))]
    second[i] = tg.Tensor(case.inputs[i] * 1.5, requires_grad=True)
    z = op(second, **case.options) if op.variadic else op(*second, **case.options)
    z = z[0] if isinstance(z, tuple) else z
    replayed = tg.Graph.of(y).replay({first[i]: case.inputs[i] * 1.5})
    np.testing.assert_array_equal(replayed[y].numpy(), z.numpy())


def test_what_does_not_depend_on_the_change_is_shared():
    x, w = leaf(1.0), leaf(2.0)
    a, b = x.exp(), w.exp()
    graph = tg.Graph.of(a * b)
    replayed = graph.replay({w: [3.0]})
    assert replayed[a].node is a.node
    assert replayed[b].node is not b.node
    assert w.item() == 2.0
    assert replayed[w].item() == 3.0


def test_a_lesion_cuts_a_branch_off():
    """A block's branch gives 0: the gradient is the skip's alone."""
    x, w = leaf(3.0), leaf(5.0)
    branch = x * w
    y = tg.residual_add(x, branch)
    replayed = tg.Graph.of(y).replay({branch: [0.0]})
    assert replayed[y].item() == 3.0
    assert tg.grad(replayed[y], x).item() == 1.0
    assert tg.grad(replayed[y], [w], allow_unused=True) == (None,)
    assert tg.grad(y, x).item() == 6.0


def test_a_tensor_takes_a_node_s_place():
    """And gradients flow on, to what it was computed from."""
    x, t = leaf(3.0), leaf(10.0)
    h = x * 2
    graph = tg.Graph.of(h * h)
    y = graph.replay({h: t * t})[graph.outputs[0]]
    assert y.item() == 10.0**4
    assert tg.grad(y, t).item() == 4 * 10.0**3


def test_scalars_replay_too():
    x = tg.Scalar(3.0)
    y = x * x + 1
    replayed = tg.Graph.of(y).replay({x: 5.0})
    assert isinstance(replayed[y], tg.Scalar)
    assert replayed[y].data == 26.0
    assert tg.grad(replayed[y], replayed[x]).data == 10.0


def test_a_model_in_evaluation_and_its_running_statistics_stay():
    model = tg.nn.Sequential(tg.nn.Conv2d(1, 2, 3), tg.nn.BatchNorm2d(2), tg.nn.ReLU())
    x = tg.Tensor(np.random.default_rng(0).normal(size=(2, 1, 5, 5)), np.float32, name="x")
    y = model(x)
    before = [b.numpy().copy() for b in model.buffers()]
    replayed = tg.Graph.of(y).replay({x: 2 * x.numpy()})
    for b, value in zip(model.buffers(), before, strict=True):
        np.testing.assert_array_equal(b.numpy(), value)
    np.testing.assert_array_equal(replayed[y].numpy(), model(tg.Tensor(2 * x.numpy())).numpy())
    assert [n.scope for n in replayed.nodes if n.op] == [
        n.scope for n in tg.Graph.of(y).nodes if n.op
    ]


def test_a_replay_can_be_traced_zoomed_and_replayed():
    x = leaf(1.0, 2.0, name="x")
    y = (x * x).sum()
    once = tg.Graph.of(y).replay({x: [3.0, 4.0]})
    assert tg.zoom(once[y]).output.data == 25.0
    twice = once.replay({once[x]: [5.0, 6.0]})
    assert twice[once[y]].item() == 61.0


def test_what_was_recorded_without_gradients_replays():
    x = tg.Tensor([1.0, 2.0])
    with tg.trace() as t:
        y = (x * 2).sum()
    replayed = t.graph.replay({x: [10.0, 20.0]})
    assert replayed[y].item() == 60.0
    assert not replayed[y].requires_grad
    assert len(replayed.edges) == 3


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda x, h: {x: [1.0]}, ShapeError, r"input 'x' .* must have its shape, got \(1,\)"),
        (lambda x, h: {x: ["a", "b"]}, DtypeError, "must fit into float64"),
        (lambda x, h: {x: tg.Tensor([1.0, 2.0])}, DtypeError, "must be float64, got float32"),
        (lambda x, h: {h.node.inputs[0]: [1.0, 2.0]}, GraphError, "several outputs"),
        (lambda x, h: {tg.Scalar(1.0): 2.0}, GraphError, "is not in this graph"),
        (lambda x, h: {77: [1.0, 2.0]}, GraphError, "no node 77 in this graph"),
    ],
)
def test_what_cannot_be_replayed(change, error, message):
    several = tg.op(
        "twice", lambda x: (x, x), lambda g, y, x: sum(part for part in g if part is not None)
    )
    x = leaf(1.0, 2.0, name="x")
    h, _ = several(x)
    with pytest.raises(error, match=message):
        tg.Graph.of(h * 2).replay(change(x, h))


def test_values_that_changed_and_graphs_that_were_freed_are_refused():
    x, w = leaf(1.0), leaf(2.0, name="w")
    y = x * w
    graph = tg.Graph.of(y)
    w.data = [5.0]
    with pytest.raises(GraphError, match=r"replay: multiply .* used input 'w'.* was changed"):
        graph.replay({x: [3.0]})
    y = x * w
    graph = tg.Graph.of(y)
    y.backward(free_graph=True)
    with pytest.raises(GraphError, match="was freed"):
        graph.replay({x: [3.0]})
    with pytest.raises(GraphError, match="was not in the graph that was replayed"):
        _ = tg.Graph.of(x * 1).replay({x: [3.0]})[tg.Scalar(1.0)]
