"""Gradient flow: the norm on every edge, what is marked, and the bars per layer."""

import math
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import tinygrad_cnn as tg
import viz
from tinygrad_cnn.errors import DtypeError, GraphError
from viz.graphs.bars import parameter_norms
from viz.graphs.flow import edge_norms
from viz.graphs.norms import Scale, norm, state
from viz.picture.numbers import percent


def traced(model: tg.nn.Module, *shape: int) -> tg.Trace:
    rng = np.random.default_rng(0)
    x = tg.Tensor(rng.normal(size=shape).astype(np.float32), name="x", requires_grad=True)
    with tg.trace() as t:
        y = model(x)
        y.backward(rng.normal(size=y.shape).astype(np.float32))
    return t


def network() -> tg.nn.Module:
    tg.manual_seed(0)
    inner = tg.nn.Sequential(tg.nn.Linear(4, 4), tg.nn.Sigmoid())
    return tg.nn.Sequential(first=tg.nn.Linear(3, 4), block=tg.nn.Residual(inner))


def test_the_norm_on_each_edge_is_that_of_its_gradient():
    t = traced(network(), 5, 3)
    graph = t.graph
    for edge, size in edge_norms(t, graph).items():
        gradient = t.edge_gradients().get((graph.nodes[edge.consumer], edge.argument))
        assert (size is None) == (gradient is None)
        if size is not None:
            assert size == pytest.approx(np.linalg.norm(gradient), rel=1e-6)
    listed = viz.gradient_flow(t).data["edges"]
    assert len(listed) == len(graph.edges)


def test_arrows_point_back_and_a_larger_gradient_is_wider_and_darker():
    x = tg.Tensor([1.0, 2.0], requires_grad=True, name="x")
    w = tg.Tensor([0.01, 0.02], requires_grad=True, name="w")
    with tg.trace() as t:
        (x * w).sum().backward()
    arrows = viz.gradient_flow(t).data["arrows"]
    to_x, to_w = arrows[0], arrows[1]  # the gradient at x is w, small; at w it is x
    assert to_x["label"] == "2.2e-02 ▼ ÷63"
    assert to_w["label"] == "2.2e+00"
    assert to_x["width"] < to_w["width"]
    assert int(to_x["color"][1:3], 16) > int(to_w["color"][1:3], 16)
    assert all(arrow["backward"] for arrow in arrows)


def test_vanished_broken_and_missing_gradients_look_different():
    x = tg.Tensor([-1.0, -2.0], requires_grad=True, name="x")
    z = tg.Tensor([0.0, 1.0], requires_grad=True, name="z")
    data = tg.Tensor([1.0, 1.0], name="data")
    with tg.trace() as t, np.errstate(divide="ignore"):
        (x.relu() + tg.log(z) * data).sum().backward()
    picture = viz.gradient_flow(t)
    names = {box["id"]: box["title"] for box in picture.data["boxes"]}
    found = {names[arrow["source"]]: arrow for arrow in picture.data["arrows"]}
    assert "0 (vanished)" in found["x"]["label"]
    assert "inf" in found["z"]["label"]
    assert "no grad" in found["data"]["label"]
    marks = {(found[name]["color"], found[name]["dash"]) for name in ("x", "z", "data", "relu")}
    assert len(marks) == 4
    assert not found["data"]["backward"]
    states = {edge["state"] for edge in picture.data["edges"]}
    assert states == {"zero", "broken", "none", "flows"}
    ET.fromstring(picture.svg)


def test_drops_name_the_op_that_shrinks_the_gradient():
    x = tg.Tensor([9.0, 9.0], requires_grad=True)
    with tg.trace() as t:
        (x.sigmoid() * 5.0).sum().backward()
    picture = viz.gradient_flow(t)
    (drop,) = picture.data["drops"]
    assert drop["op"] == "sigmoid"
    assert f"÷{drop['factor']:.0f}  sigmoid" in picture.svg.split('class="legend"')[1]
    assert drop["before"] == pytest.approx(5 * math.sqrt(2))
    slope = 1 / (2 + math.exp(9) + math.exp(-9))
    assert drop["factor"] == pytest.approx(1 / slope, rel=1e-3)


def test_a_gradient_that_vanishes_is_a_drop_without_end():
    x = tg.Tensor([-1.0], requires_grad=True)
    with tg.trace() as t:
        x.relu().sum().backward()
    (drop,) = viz.gradient_flow(t).data["drops"]
    assert (drop["op"], drop["after"], drop["factor"]) == ("relu", 0.0, math.inf)


def test_boxes_tell_the_gradients_of_their_parameters():
    t = traced(network(), 5, 3)
    box = next(b for b in viz.gradient_flow(t).data["boxes"] if b["tag"] == "first")
    size = next(row["norm"] for row in parameter_norms(t) if row["layer"] == "first")
    assert f"∂weight {size:.1e}" in box["lines"]


def test_folded_modules_carry_the_norm_of_all_their_edges():
    t = traced(network(), 5, 3)
    edges = t.edge_gradients()
    picture = viz.gradient_flow(t, depth=1, direction="LR")
    arrow = next(a for a in picture.data["arrows"] if a["target"] == "scope:block")
    assert len(arrow["edges"]) == 2  # the skip and the branch
    parts = [edges[t.graph.nodes[consumer], k] for _, consumer, k in map(tuple, arrow["edges"])]
    assert f"{np.linalg.norm(parts):.1e}" in arrow["label"]


def test_a_closed_module_tells_of_its_parameters_and_of_drops_inside():
    model = tg.nn.Sequential(block=tg.nn.Sequential(tg.nn.Linear(3, 4), tg.nn.Sigmoid()))
    model.block[0].bias.data = np.full(4, 9.0)
    t = traced(model, 5, 3)
    (box,) = [b for b in viz.gradient_flow(t, depth=1).data["boxes"] if b["kind"] == "module"]
    sizes = sorted(row["norm"] for row in parameter_norms(t))
    assert box["lines"][-2:] == (
        f"∂parameters {sizes[0]:.1e} … {sizes[-1]:.1e}",
        "▼ 1 drop inside",
    )


def test_scalars_flow_too():
    a, b = tg.Scalar(2.0, name="a"), tg.Scalar(-3.0, name="b")
    with tg.trace() as t:
        (a * b + a).backward()
    arrows = viz.gradient_flow(t).data["arrows"]
    assert [arrow["label"] for arrow in arrows if arrow["edges"]] == [
        "3.0e+00",
        "2.0e+00",
        "1.0e+00",
        "1.0e+00",
    ]
    assert all(arrow["backward"] for arrow in arrows)


def test_what_was_computed_before_the_trace_is_left_out():
    h = tg.Tensor([9.0], requires_grad=True).sigmoid() * 1.0
    with tg.trace() as t:
        (h * 2.0).sum().backward()
    assert viz.gradient_flow(t).data["drops"] == []


def test_errors():
    with tg.trace() as t:
        tg.Tensor([1.0], requires_grad=True) * 2
    with pytest.raises(GraphError, match="no backward pass"):
        viz.gradient_flow(t)
    y = tg.Tensor([1.0], requires_grad=True) * 2
    with tg.trace() as t:
        y.backward()
    with pytest.raises(GraphError, match="no forward pass"):
        viz.gradient_flow(t)
    with pytest.raises(DtypeError, match="a Trace is needed"):
        viz.gradient_flow(tg.Tensor([1.0]))


floats = st.floats(1e-300, 1e300) | st.just(0.0)


@given(arrays(np.float64, st.integers(1, 5), elements=floats))
def test_norm_neither_overflows_nor_underflows(values):
    size = norm(values)
    assert math.isfinite(size)
    assert values.max() <= size * (1 + 1e-12)
    assert size <= values.max() * math.sqrt(5) * (1 + 1e-12)


@given(st.lists(floats | st.none() | st.just(math.nan) | st.just(math.inf)))
def test_the_scale_holds_every_size_that_flows(sizes):
    scale = Scale.of(sizes)
    assert scale.low < scale.high
    flowing = sorted(size for size in sizes if state(size) == "flows")
    shares = [scale.share(size) for size in flowing]
    assert all(-1e-9 <= share <= 1 + 1e-9 for share in shares)
    assert shares == sorted(shares)
    assert all(len(scale.color(size)) == 7 for size in flowing)


# --- traces that keep statistics alone -----------------------------------------------------------


def kept(keep: str) -> tg.Trace:
    tg.manual_seed(0)
    inner = tg.nn.Linear(3, 3, bias=False)
    net = tg.nn.Sequential(a=inner, act=tg.nn.ReLU(), again=inner, out=tg.nn.Linear(3, 4))
    x = tg.Tensor([[1.0, -2.0, 0.5]], requires_grad=True, name="x")
    with tg.trace(keep=keep) as t:
        tg.cross_entropy(net(x * 0.5), [1]).backward()
    return t


def test_pictures_of_statistics_are_those_of_the_values():
    full, brief = kept("values"), kept("statistics")
    shown = ["values", "gradients", "multiply_adds", "parameters"]
    assert viz.draw(brief, show=shown).svg == viz.draw(full, show=shown).svg
    ours, theirs = viz.gradient_flow(brief).data, viz.gradient_flow(full).data
    assert [arrow["label"] for arrow in ours["arrows"]] == [a["label"] for a in theirs["arrows"]]
    for a, b in zip(ours["edges"], theirs["edges"], strict=True):
        assert a == pytest.approx(b)
    for a, b in zip(parameter_norms(brief), parameter_norms(full), strict=True):
        assert a.pop("shape") == b.pop("shape")
        assert a == pytest.approx(b)


def test_what_repeats_folds_in_a_trace_of_statistics_too():
    blocks = [tg.nn.Sequential(tg.nn.Linear(2, 2), tg.nn.Tanh()) for _ in range(40)]
    with tg.trace(keep="statistics") as t:
        tg.nn.Sequential(*blocks)(tg.Tensor([[1.0, 2.0]])).sum().backward()
    assert "40 alike" in [box["tag"] for box in viz.gradient_flow(t).data["boxes"]]


def test_bars_of_statistics_tell_what_is_broken_zero_or_empty():
    with tg.trace(keep="statistics") as t, np.errstate(invalid="ignore", over="ignore"):
        total = 0.0
        for factor in (np.nan, np.inf, 0.0):
            total = total + (tg.nn.Parameter([1.0, 2.0], name=str(factor)) * factor).sum()
        empty = tg.nn.Parameter(np.zeros(0), name="empty")
        (total + (empty * 2).sum()).backward()
    rows = {row["parameter"]: row["state"] for row in parameter_norms(t)}
    assert rows == {"nan": "broken", "inf": "broken", "0.0": "zero", "empty": "zero"}
    assert viz.gradient_bars(t).svg


@pytest.mark.parametrize("keep", ["values", "statistics"])
def test_at_each_addition_the_gradient_is_shared_out(keep):
    x = tg.Tensor(np.random.default_rng(0).normal(size=(2, 4)), requires_grad=True, name="x")
    with tg.trace(keep=keep) as t:
        h = tg.residual_add(x, tg.tanh(x) * -0.4)
        loss = (h + tg.exp(h)).sum()
        loss.backward()
    paths = tg.gradient_paths(loss, x)
    picture = viz.gradient_flow(t, paths=paths)
    known = [edge for edge in picture.data["edges"] if "share" in edge]
    shares = {(edge["consumer"], edge["argument"]): edge["share"] for edge in known}
    assert len(shares) == len(paths.edge_shares)
    for node, part in zip(paths.blocks, paths.part_shares, strict=True):
        number = [n.serial for n in t.graph.nodes].index(node.serial)
        skip, branch = shares[number, 0], shares[number, 1]
        assert branch == pytest.approx(part)
        assert skip + branch == pytest.approx(1)
        for arrow in picture.data["arrows"]:
            if [(e[1], e[2]) for e in arrow["edges"]] == [(number, 1)]:
                assert arrow["label"].endswith(f" · {percent(branch)}")
    assert paths.part_shares[0] < 0
    assert "what part of the gradient at x" in picture.svg
    alone = viz.gradient_flow(t, paths=paths, numbers=False).data["arrows"]
    assert {arrow["label"] for arrow in alone} >= {"100 %"}


def test_the_shares_of_closed_modules_are_those_of_all_edges_between_them():
    t = traced(network(), 5, 3)
    y, x = t.graph.outputs[0], next(n for n in t.graph.nodes if n.name == "x")
    paths = tg.gradient_paths(tg.Tensor.of(y), tg.Tensor.of(x), cotangent=np.ones(y.shape, "f"))
    arrows = viz.gradient_flow(t, paths=paths, depth=1).data["arrows"]
    assert [arrow["label"].partition(" · ")[2] for arrow in arrows] == ["100 %", "100 %"]


def test_paths_of_another_program_are_refused():
    t = traced(network(), 5, 3)
    x = tg.Tensor(1.0, requires_grad=True)
    with pytest.raises(GraphError, match="1 of the 1 edges that the paths run along are not in"):
        viz.gradient_flow(t, paths=tg.gradient_paths(tg.exp(x), x))
