"""`trace`: what it records of a program, forward and backward."""

import inspect
import weakref

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn.errors import GraphError, OptionError


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


# --- what events carry -------------------------------------------------------------------------


def test_events_carry_inputs_output_and_cost():
    x, w = tg.Tensor(np.ones((2, 3))), tg.Tensor(np.ones((3, 4)), requires_grad=True)
    u = np.random.default_rng(0).normal(size=(2, 4))
    with tg.trace() as t:
        (x @ w).backward(u)
    forward, backward = t.events
    assert (forward.op, backward.op) == ("matmul", "matmul")
    for event in t.events:
        assert event.inputs[0] is x.node.value
        assert event.inputs[1] is w.node.value
        np.testing.assert_array_equal(event.output, np.full((2, 4), 3.0))
    assert (forward.multiply_adds, forward.bytes) == (24, 8 * (6 + 12 + 8))
    assert (backward.multiply_adds, backward.bytes) == (24, 8 * (6 + 12 + 8 + 12))  # of w alone
    assert (forward.cotangent, forward.gradients, forward.sums) == (None, (), ())
    np.testing.assert_array_equal(backward.cotangent, u)
    assert backward.gradients[0] is None
    np.testing.assert_allclose(backward.gradients[1], np.ones((3, 2)) @ u)


def test_a_value_that_changes_later_stays_what_it_was():
    w = leaf(2.0)
    with tg.trace() as t:
        (w * w).backward()
        w.data = [7.0]
        w * w
    assert [event.inputs[0].item() for event in t.events] == [2.0, 2.0, 7.0]


def test_sums_run_at_every_node():
    """y = 3x + 5x + 7x: gradients come one by one, the last op's first."""
    x = leaf(1.0)
    with tg.trace() as t:
        a, b, c = x * 3, x * 5, x * 7
        (a + b + c).backward()
    sums = [e.sums[0].item() for e in t.backward_events if e.op == "multiply"]
    assert sums == [7.0, 12.0, 15.0]
    for event in t.backward_events:
        assert [s is None for s in event.sums] == [g is None for g in event.gradients]


def test_a_recorded_backward_pass_is_heard_in_arrays():
    x = leaf(2.0)
    with tg.trace() as t:
        tg.grad(x**3, x, create_graph=True)
    (event,) = t.backward_events
    assert all(type(v) is np.ndarray for v in (event.cotangent, event.gradients[0], event.sums[0]))
    assert {"power", "multiply"} <= set(ops(t.forward_events))  # the vjp's own ops


# --- statistics --------------------------------------------------------------------------------


def run(keep):
    rng = np.random.default_rng(0)
    x = tg.Tensor(rng.normal(size=(4, 1, 6, 6)))
    tg.manual_seed(0)
    net = tg.nn.Sequential(
        tg.nn.Conv2d(1, 2, 3), tg.nn.BatchNorm2d(2), tg.nn.ReLU(), tg.nn.Flatten()
    ).astype(float)
    with tg.trace(keep=keep) as t:
        loss = tg.cross_entropy(net(x), np.array([0, 1, 2, 3]))
        loss.backward()
    return t, loss


def described(value):
    """What statistics keep of a value that an event of the other kind has."""
    if isinstance(value, tuple):
        return tuple(map(described, value))
    return tg.Statistics.of(value) if isinstance(value, np.ndarray | np.generic) else value


def test_statistics_are_those_of_the_values():
    (full, _), (brief, _) = run("values"), run("statistics")
    assert ops(full.events) == ops(brief.events)
    for a, b in zip(full.events, brief.events, strict=True):
        assert (a.kind, a.scope, a.cost) == (b.kind, b.scope, b.cost)
        assert (a.source is None) == (b.source is None)
        for name in ("inputs", "output", "cotangent", "gradients", "sums"):
            assert described(getattr(a, name)) == getattr(b, name), (a.op, name)
    assert full.graph.edges == brief.graph.edges
    for a, b in zip(full.graph.nodes, brief.graph.nodes, strict=True):
        assert (a.shape, a.dtype, a.role, a.scope, a.name) == (
            b.shape, b.dtype, b.role, b.scope, b.name,
        )  # fmt: skip
        if not isinstance(a.value, tuple):
            assert described(a.grad) == b.grad
    norms = [[row[-1] for row in t.summary().rows] for t in (full, brief)]
    assert norms[0] == norms[1]


def test_statistics_hold_on_to_no_array():
    with tg.trace(keep="statistics") as t:
        x = leaf(*range(1000))
        h = x * 2
        kept = [weakref.ref(node.value) for node in (x.node, h.node)]
        h.sum().backward()
        del x, h
    assert [ref() for ref in kept] == [None, None]
    assert t.graph.nodes[-1].op.name == "sum"


def test_statistics_do_not_record_what_needs_no_gradient():
    with tg.trace(keep="statistics") as t:
        y = tg.Tensor([1.0]) * 2
    assert y.node.inputs == ()
    assert len(t.graph.edges) == 2


def test_what_was_not_kept_cannot_be_had():
    t, _ = run("statistics")
    value = t.graph.nodes[0].value
    for ask in (np.asarray, lambda v: v + 1, float):
        with pytest.raises(GraphError, match=r'were not kept: record with trace\(keep="values"\)'):
            ask(value)
    with pytest.raises(OptionError, match="keep must be"):
        tg.Trace("everything")


def test_statistics_of_what_is_not_finite():
    s = tg.Statistics.of(np.array([[np.nan, 1.0], [np.inf, 3.0]]))
    assert (s.shape, s.size, s.not_finite) == ((2, 2), 4, 2)
    assert (s.min, s.max, s.mean, s.std) == (1, 3, 2, 1)
    assert not np.isfinite(s.norm)
    assert tg.Statistics.of(np.array([3e200, 4e200])).norm == pytest.approx(5e200)
    empty = tg.Statistics.of(np.zeros((0, 3)))
    assert (empty.norm, empty.not_finite) == (0.0, 0)


@pytest.mark.parametrize("size", [1, 7, 1 << 15, (1 << 15) + 1, 100_003])
@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
@pytest.mark.parametrize("far", [0.0, 1e6])
def test_statistics_in_blocks_are_those_of_the_definition(size, scale, far):
    x = (np.random.default_rng(size).standard_normal(size) + far) * scale
    s, y = tg.Statistics.of(x), x / scale
    assert (s.min, s.max, s.min_abs) == pytest.approx((x.min(), x.max(), abs(x).min()), rel=1e-15)
    found = np.array([s.mean, s.std, s.mean_abs, s.norm]) / scale
    expected = [y.mean(), y.std(), abs(y).mean(), np.linalg.norm(y)]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dtype", ["bool", "int32", "uint8", "float16", "float32"])
def test_statistics_of_any_dtype_are_in_float64(dtype):
    x = np.array([3, 0, 4] * 40_000, dtype)
    s = tg.Statistics.of(x)
    assert (s.dtype, s.min, s.max) == (dtype, 0, x.max())
    assert s.mean == pytest.approx(x.mean(dtype=np.float64), rel=1e-14)
    assert s.norm == pytest.approx(np.linalg.norm(x.astype(np.float64)), rel=1e-14)


def test_an_array_on_its_way_is_summarised_once(monkeypatch):
    seen = []
    real = tg.Statistics.of.__func__
    monkeypatch.setattr(
        tg.Statistics, "of", classmethod(lambda cls, a: seen.append(a) or real(cls, a))
    )
    x = tg.Tensor(np.ones((3, 4)), requires_grad=True)
    with tg.trace(keep="statistics"):
        x.exp().tanh().sum().backward()
    assert len(seen) == 8  # four values and their four gradients


# --- the table ---------------------------------------------------------------------------------


def test_a_terminal_gets_a_drawn_table_and_everything_else_text(monkeypatch, capsys):
    t, _ = run("values")
    plain = f"{t.summary()}"
    assert "╇" not in plain
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "120")
    print(t.summary())
    drawn = capsys.readouterr().out
    assert all(word in drawn for word in ("╇", "conv2d", "cross_entropy"))


@pytest.mark.parametrize("keep", ["values", "statistics"])
def test_a_gradient_from_before_is_not_the_trace_s(keep):
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    (x * 5).sum().backward()
    with tg.trace(keep) as t:
        h = x * 2
        (h + x).sum().backward()
        assert x.grad is not None
        assert np.array_equal(x.grad.data, [8, 8])
        x.grad = None  # nor does it matter to it that the program forgets its own
    reached = [t.gradient(x), t.gradient(h)]
    assert [g.mean if keep == "statistics" else g.mean() for g in reached] == [3, 1]
    unused = tg.Tensor([1.0], requires_grad=True)
    unused.sum().backward()
    assert t.gradient(unused) is None


def test_backward_passes_add_up_even_if_the_graph_is_freed():
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    with tg.trace() as t:
        for _ in range(2):
            (x * x).sum().backward(free_graph=True)
    assert np.array_equal(t.gradient(x), [4, 8])


# --- programs that raise -------------------------------------------------------------------------


def failing(program, keep="values"):
    """The trace of a program that raises."""
    with pytest.raises(Exception), tg.trace(keep) as t, tg.scope("net"):  # noqa: B017, PT011
        program()
    return t


@pytest.mark.parametrize("keep", ["values", "statistics"])
def test_a_trace_knows_the_op_that_raised(keep, tmp_path):
    x, w = leaf([1.0, 2.0]), leaf([[1.0], [2.0], [3.0]])
    line = here(1)
    t = failing(lambda: tg.exp(x) @ w, keep)
    t.save(tmp_path / "trace")
    for failure in (t.failure, tg.load_trace(tmp_path / "trace").failure):
        assert (failure.kind, failure.error, failure.node.op.name) == (
            "forward",
            "ShapeError",
            "matmul",
        )
        assert (
            failure.message
            == "matmul: (1, 2) @ (1, 3, 1): the first has 2 columns, the second 3 rows"
        )
        assert failure.source[1] == line
        assert failure.node.scope == "net"
        assert [p.describe() for p in failure.node.inputs] == [
            "exp of shape (1, 2) in net",
            "input of shape (1, 3, 1)",
        ]
    assert ops(t.events) == ["exp"]
    assert t.failure.node not in t.graph


def test_a_trace_knows_the_vjp_that_raised():
    wrong = tg.op("wrong", lambda x: x * 1.0, lambda g, y, x: 1 / 0)
    x = leaf(1.0, 2.0)
    t = failing(lambda: (wrong(x) * 3).sum().backward())
    assert (t.failure.kind, t.failure.node.op) == ("backward", wrong)
    np.testing.assert_equal(t.failure.cotangent, [3.0, 3.0])
    assert ops(t.backward_events) == ["sum", "multiply"]


def test_an_error_that_a_program_raised_from_that_of_an_op_names_the_op():
    def program():
        try:
            leaf(1.0, 2.0) + leaf(1.0, 2.0, 3.0)
        except tg.errors.ShapeError as error:
            raise ValueError("my layer") from error

    failure = failing(program).failure
    assert (failure.kind, failure.node.op.name, str(failure)) == (
        "forward",
        "add",
        "ValueError: my layer",
    )


def test_an_error_that_was_caught_or_that_no_op_raised():
    def caught():
        with pytest.raises(tg.errors.ShapeError):
            leaf(1.0, 2.0) + leaf(1.0, 2.0, 3.0)
        raise KeyError("mine")

    line = caught.__code__.co_firstlineno + 3
    t = failing(caught)
    assert (t.failure.kind, str(t.failure), t.failure.node) == ("program", "KeyError: 'mine'", None)
    assert t.failure.source == (__file__, line)
    with tg.trace() as fine:
        leaf(1.0).exp()
    assert fine.failure is None
