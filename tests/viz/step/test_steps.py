"""The steps of a program as plain data: their order, their sums, and a caption for every op."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_cnn as tg
import viz
from tests.ops.strategies import CASES
from tests.viz.step.programs import network, scalar_programs, tensor_programs
from tinygrad_cnn.errors import DtypeError, GraphError, OptionError, ShapeError
from viz.step.formulas import FORMULAS
from viz.step.recording import recording_of
from viz.step.steps import steps_of


def steps(what: Any, *args: Any, **options: Any) -> dict[str, Any]:
    """The steps as they are after a journey through strict JSON."""
    data = steps_of(recording_of(what, *args, **options))
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    return data


def of_kind(data, kind):
    return [step for step in data["steps"] if step["kind"] == kind]


def numbers(data, place):
    array = data["arrays"][place]
    return np.reshape([float(x) for x in array["numbers"]], array["shape"])


def check_order(data):
    """Each op has one forward step, after those of its inputs; backward is the reverse."""
    forward = [step["node"] for step in of_kind(data, "forward")]
    ops = [i for i, n in enumerate(data["nodes"]) if n["op"] not in (None, "output")]
    assert sorted(forward) == ops
    rank = {node: k for k, node in enumerate(forward)}
    for producer, consumer, _ in data["edges"]:
        if producer in rank and consumer in rank:
            assert rank[producer] < rank[consumer]
    backward = [step["node"] for step in of_kind(data, "backward")]
    assert backward == sorted(backward, key=lambda node: -rank[node])
    assert len(set(backward)) == len(backward)


def check_sums(data, leaves):
    """What arrives adds up, one edge after the other, to the gradients that backward gives."""
    sums: dict[int, Any] = {}
    parts: dict[int, int] = {}
    for step in of_kind(data, "backward"):
        for send in step["sends"]:
            if send["gradient"] is None:
                continue
            node = send["node"]
            assert (send["before"] is None) == (node not in sums)
            before = sums.get(node, 0.0)
            sums[node] = numbers(data, send["sum"])
            np.testing.assert_allclose(
                sums[node], before + numbers(data, send["gradient"]), rtol=1e-12, atol=1e-300
            )
            parts[node] = parts.get(node, 0) + 1
            assert send["part"] == parts[node] <= send["of"]
            producer, consumer, _ = data["edges"][send["edge"]]
            assert (producer, consumer) == (node, step["node"])
    for step in of_kind(data, "backward"):
        if data["nodes"][step["node"]]["op"] != "split" and step["node"] in sums:
            np.testing.assert_array_equal(numbers(data, step["arrived"][0]), sums[step["node"]])
    (end,) = of_kind(data, "end")
    found = {g["node"]: numbers(data, g["gradient"]) for g in end["gradients"]}
    assert {g["node"]: g["parts"] for g in end["gradients"]} == {i: parts[i] for i in found}
    by_label = {data["nodes"][i]["label"]: gradient for i, gradient in found.items()}
    for leaf in leaves:
        kept = leaf.grad if isinstance(leaf, tg.Scalar) else leaf.grad.numpy()
        np.testing.assert_array_equal(by_label[leaf.name], kept)


@pytest.mark.parametrize("programs", [scalar_programs(), tensor_programs()], ids=["1", "n"])
@pytest.mark.parametrize("traced", [True, False])
def test_every_op_once_and_backward_in_reverse_with_sums_that_end_at_the_gradients(
    programs, traced
):
    @given(st.data())
    def check(draw):
        if traced:
            with tg.trace() as t:
                leaves, y = draw.draw(programs)
                y.backward()
            data = steps(t)
        else:
            leaves, y = draw.draw(programs)
            data = steps(y)
            assert all(leaf.grad is None for leaf in leaves)  # to look changes nothing
            y.backward()
        check_order(data)
        check_sums(data, leaves)
        kinds = [step["kind"] for step in data["steps"]]
        assert kinds[0] == "start"
        assert kinds[-1] == "end"
        assert kinds.count("seed") == 1

    check()


def test_every_op_has_a_formula():
    assert FORMULAS.keys() == tg.OPS.keys()
    for name, op in tg.OPS.items():
        gradients = FORMULAS[name].gradients
        assert len(gradients) == (1 if op.variadic else len(op.inputs)), name


@pytest.mark.parametrize("name", tg.OPS)
@settings(max_examples=6)
@given(st.data())
def test_every_op_has_captions_forward_and_backward(name, data):
    case, op = data.draw(CASES[name]), tg.OPS[name]
    given_ = [
        x if x is None or x.dtype.kind != "f" else tg.Tensor(x, requires_grad=True)
        for x in case.inputs
    ]
    with tg.trace() as t:
        y = op(given_, **case.options) if op.variadic else op(*given_, **case.options)
        parts = [p for p in (y if isinstance(y, tuple) else (y,)) if p.dtype.kind == "f"]
        total = sum((p.sum() for p in parts), tg.Tensor(0.0, dtype=np.float64))
        if total.requires_grad:
            total.backward()
    told = steps(t)
    own = [step for step in told["steps"] if step["op"] == name]
    assert {step["kind"] for step in own} >= {"forward"}
    for step in told["steps"]:
        assert len(step["caption"]) > 10
        assert step["caption"].endswith(".")
        assert not set("{}") & set(step["caption"] + step.get("formula", ""))
        for send in step.get("sends", ()):
            assert (send["gradient"] is None) == bool(send.get("why"))
            assert send["formula"] or send["gradient"] is None
    check_order(told)


def test_b_is_a_plus_a():
    a = tg.Scalar(2.0, name="a")
    with tg.trace() as t:
        b = a + a
        b.backward()
    data = steps(t)
    assert [step["kind"] for step in data["steps"]] == [
        "start", "forward", "seed", "backward", "end",
    ]  # fmt: skip
    assert [node["label"] for node in data["nodes"]] == ["a", "b"]  # named by its line
    forward, back, end = (data["steps"][i] for i in (1, 3, 4))
    assert forward["caption"] == "b = a + a = 2 + 2 = 4."
    assert back["caption"] == (
        "∂b/∂b is 1. a (left) gets ∂b/∂b × 1 = 1 × 1 = 1. "
        "a (right) gets ∂b/∂b × 1 = 1 × 1 = 1, and together 1 + 1 = 2."
    )
    assert [(s["argument"], s["part"], s["of"]) for s in back["sends"]] == [
        ("left", 1, 2),
        ("right", 2, 2),
    ]
    assert end["caption"] == "Backward is done: ∂b/∂a = 2."
    file = data["sources"][forward["source"][0]]
    assert dict(file["lines"])[forward["source"][1]].strip() == "b = a + a"
    assert file["name"] == "test_steps.py"


def test_relu_counts_what_it_passes():
    x = tg.Tensor([1.0, -1.0, 2.0, -3.0, 0.0, 5.0, -1.0, -2.0], requires_grad=True)
    data = steps(x.relu().sum())
    said = of_kind(data, "backward")[-1]["caption"]
    assert said == "relu passes the gradient where its input was positive: 3 of 8."


def test_several_passes_are_apart_and_leaves_add_up():
    w = tg.Tensor([1.0, 2.0], requires_grad=True, name="w")
    with tg.trace() as t:
        for _ in range(2):
            (w * w).sum().backward()
    data = steps(t)
    kinds = "".join(step["kind"][0] for step in data["steps"])
    assert kinds == "sffsbbffsbbe"  # start, 2 forward, seed, 2 backward, and again, end
    (end,) = of_kind(data, "end")
    assert numbers(data, end["gradients"][0]["gradient"]).tolist() == w.grad.numpy().tolist()
    assert end["gradients"][0]["parts"] == 4
    assert [s["of"] for step in of_kind(data, "backward") for s in step["sends"]] == [1, 2, 2] * 2


def test_a_hook_that_changes_a_gradient_is_told():
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    with tg.trace() as t:
        h = x * 2.0
        h.register_hook(lambda g: g * 10.0)
        h.sum().backward()
    said = [step["caption"] for step in of_kind(steps(t), "backward")]
    assert ["hook" in caption for caption in said] == [False, True]


def test_what_a_model_computes_for_an_input_and_a_target():
    model = tg.models.LeNet(activation="relu")
    x = np.random.default_rng(0).random((2, 1, 28, 28))
    data = steps(model, x, [3, 4])
    check_order(data)
    assert data["title"] == "LeNet"
    assert of_kind(data, "forward")[0]["scope"] == "features.conv1"
    assert of_kind(data, "forward")[-1]["op"] == "cross_entropy"
    assert of_kind(data, "seed")[0]["caption"].startswith(
        "Backward begins at loss: ∂loss/∂loss = 1"
    )
    assert all(p.grad is None for p in model.parameters())
    assert model.training
    whole = steps(model, x)
    assert "gradients are those of their sum" in of_kind(whole, "seed")[0]["caption"]
    for step in of_kind(whole, "forward"):
        assert step["source"] is None  # no line of the user's ran these


def test_statistics_and_files_give_the_same_steps(tmp_path):
    t = network("lenet")
    t.save(tmp_path / "t.trace")
    ours, again = steps(t), steps(tmp_path / "t.trace")
    assert again["title"] == "t.trace"
    assert again["sources"][0]["lines"] == ours["sources"][0]["lines"]
    assert [s["caption"] for s in again["steps"]] == [s["caption"] for s in ours["steps"]]
    assert {json.dumps(a) for a in again["arrays"]} == {json.dumps(a) for a in ours["arrays"]}
    with tg.trace(keep="statistics") as thin:
        tg.cross_entropy(
            tg.models.LeNet()(tg.Tensor(np.ones((1, 1, 28, 28), np.float32))), [1]
        ).backward()
    few = steps(thin)
    check_order(few)
    assert all("pixels" not in array for array in few["arrays"])
    assert [s["node"] for s in few["steps"]] == [s["node"] for s in ours["steps"]]


def test_a_program_that_raised_ends_at_the_op_and_its_shapes():
    x = tg.Tensor([[1.0, 2.0]], requires_grad=True, name="x")
    with pytest.raises(ShapeError), tg.trace() as t:
        x.exp() @ tg.Tensor([[1.0], [2.0], [3.0]], name="w")
    data = steps(t)
    error = data["steps"][-1]
    assert [s["kind"] for s in data["steps"]] == ["start", "forward", "error"]
    assert (error["op"], error["during"], error["error"]) == ("matmul", "forward", "ShapeError")
    shapes = [data["nodes"][given["node"]]["shape"] for given in error["inputs"]]
    assert shapes == [[1, 2], [3, 1]]
    assert error["message"] in error["caption"]
    assert data["nodes"][error["node"]]["value"] is None


def test_a_vjp_or_a_line_that_raised():
    wrong = tg.op("wrong", lambda x: x * 1.0, lambda g, y, x: 1 / 0)
    with pytest.raises(ZeroDivisionError), tg.trace() as t:
        (wrong(tg.Tensor([1.0], requires_grad=True)) * 2.0).sum().backward()
    last = steps(t)["steps"][-1]
    assert (last["kind"], last["during"], last["op"]) == ("error", "backward", "wrong")
    with pytest.raises(KeyError), tg.trace() as t:
        {}[tg.Scalar(1.0) + 1.0]
    last = steps(t)["steps"][-1]
    assert (last["kind"], last["during"], last["node"]) == ("error", "program", None)


def test_what_cannot_be_stepped_through_is_said():
    x = tg.Tensor([1.0], requires_grad=True)
    with tg.trace() as empty:
        pass
    y = (x * x).sum()
    y.backward(free_graph=True)
    for what, error, words in (
        (3, DtypeError, "a Trace, a Tensor or Scalar"),
        (x, GraphError, "does not know what it was computed from"),
        (empty, GraphError, "nothing was computed"),
        (y, GraphError, "freed"),
        (tg.models.LeNet(), OptionError, "needs an input"),
    ):
        with pytest.raises(error, match=words):
            steps(what)
    with pytest.raises(OptionError, match="for models"):
        steps(x * x, x)


def test_large_programs_are_folded_or_refused_with_advice():
    def chain(count):
        y = tg.Tensor([1.0], requires_grad=True)
        for _ in range(count):
            y = y + 1.0
        return y

    with pytest.raises(OptionError, match=r"10,000 ops are more than 4,000.*trace a part"):
        viz.step(chain(5000))
    page = viz.step(chain(600))
    assert len(page.data["drawings"][page.data["start"]]["boxes"]) < 10
    assert len(page.data["steps"]) == 1203
    total = tg.Scalar(1.0)
    for _ in range(2000):
        total = total * 1.5
    with pytest.raises(OptionError, match="Scalars are more than 3,000"):
        viz.step(total)


def test_pages_have_the_size_that_they_may_have():
    assert len(viz.step(network("lenet")).html().encode()) < 300_000
    assert len(viz.step(network("resnet20")).html().encode()) < 4_000_000
