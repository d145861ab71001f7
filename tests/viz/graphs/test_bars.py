"""Gradient bars: mean, max and min per parameter, put together by module, side by side."""

import math
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import tinygrad_cnn as tg
import viz
from tinygrad_cnn.errors import GraphError, OptionError
from viz.graphs.bars import MAX_ROWS, _joined, _sizes, parameter_norms


def traced(model: tg.nn.Module, *shape: int) -> tg.Trace:
    rng = np.random.default_rng(0)
    with tg.trace() as t:
        y = model(tg.Tensor(rng.normal(size=shape), dtype=np.float32))
        y.backward(rng.normal(size=y.shape).astype(np.float32))
    return t


def deep(depth: int, activation: type[tg.nn.Module] = tg.nn.Tanh) -> tg.nn.Module:
    tg.manual_seed(0)
    layers = [tg.nn.Sequential(dense=tg.nn.Linear(4, 4), act=activation()) for _ in range(depth)]
    return tg.nn.Sequential(*layers)


def drawn(picture: viz.Picture, kind: str) -> int:
    groups = ET.fromstring(picture.svg).iter("{http://www.w3.org/2000/svg}g")
    return sum(g.get("class", "").split(" ")[0] == kind and g.find("{*}title") is not None
               for g in groups)  # fmt: skip


def test_bars_hold_the_size_of_every_parameters_gradient():
    model = deep(3)
    t = traced(model, 5, 4)
    picture = viz.gradient_bars({"one": t, "two": t})
    assert list(picture.data) == ["one", "two"]
    parameters = dict(model.named_parameters())
    for row in picture.data["one"]:
        gradient = np.abs(parameters.pop(f"{row['layer']}.{row['parameter']}").grad.numpy())
        assert row["norm"] == pytest.approx(np.linalg.norm(gradient), rel=1e-5)
        assert row["mean"] == pytest.approx(gradient.mean(), rel=1e-5)
        assert (row["max"], row["min"]) == (gradient.max(), gradient.min())
    assert not parameters
    assert drawn(picture, "bar") == 2 * 6


@given(
    st.lists(
        arrays(np.float64, st.integers(1, 5), elements=st.floats(-1e300, 1e300) | st.just(np.nan)),
        min_size=1,
        max_size=4,
    )
)
def test_put_together_is_as_if_it_were_one_parameter(gradients):
    rows = [{"shape": list(g.shape), **_sizes(g)} for g in gradients]
    whole, joined = _sizes(np.concatenate(gradients)), _joined(rows)
    assert joined.pop("shape") == [sum(map(len, gradients))]
    assert joined["state"] == whole["state"]
    for name in ("norm", "mean", "max", "min"):
        assert joined[name] == pytest.approx(whole[name], rel=1e-9, nan_ok=True)


@given(arrays(np.float64, st.integers(1, 6), elements=st.floats(1e-300, 1e300)))
def test_min_mean_and_max_are_in_order(values):
    sizes = _sizes(values)
    assert sizes["min"] <= sizes["mean"] * (1 + 1e-12)
    assert sizes["mean"] <= sizes["max"] * (1 + 1e-12)
    assert math.isfinite(sizes["mean"])


def test_a_shared_parameter_gets_one_bar_for_its_whole_gradient():
    w = tg.nn.Parameter([2.0], name="w")
    with tg.trace() as t:
        (w * w * w).sum().backward()
    (row,) = parameter_norms(t)
    assert row["norm"] == pytest.approx(12.0)


def test_bars_mark_what_does_not_flow():
    model = tg.nn.Sequential(tg.nn.Linear(2, 3), tg.nn.ReLU())
    model[0].weight.data = np.zeros((3, 2))
    model[0].bias.data = -np.ones(3)
    picture = viz.gradient_bars(traced(model, 4, 2))
    assert [row["state"] for row in picture.data[""]] == ["zero", "zero"]
    assert "0 (vanished)" in picture.svg


def test_modules_are_put_together_by_depth_or_when_there_are_too_many():
    t = traced(deep(70), 2, 4)
    rows = viz.gradient_bars(t).data[""]
    assert len(rows) == 140 == len(parameter_norms(t)) > MAX_ROWS
    model = tg.nn.Sequential(a=deep(40), b=deep(40))
    for rows in (
        viz.gradient_bars(traced(model, 2, 4)).data[""],
        viz.gradient_bars(traced(tg.nn.Sequential(a=deep(2), b=deep(2)), 2, 4), depth=1).data[""],
    ):
        assert [(row["layer"], row["parameter"]) for row in rows] == [
            ("a", "weights"),
            ("a", "biases"),
            ("b", "weights"),
            ("b", "biases"),
        ]


def test_many_traces_are_a_map():
    t = traced(deep(3), 5, 4)
    picture = viz.gradient_bars({f"step {k}": t for k in range(9)})
    assert drawn(picture, "cell") == 9 * 6
    assert drawn(picture, "bar") == 0
    assert drawn(viz.gradient_bars({"a": t, "b": t}, kind="map"), "cell") == 2 * 6


def test_sigmoids_shrink_what_relus_keep():
    shallow = {name: traced(deep(6, a), 8, 4) for name, a in
               (("sigmoid", tg.nn.Sigmoid), ("relu", tg.nn.ReLU))}  # fmt: skip
    data = viz.gradient_bars(shallow).data
    first = {name: rows[0]["mean"] / rows[-2]["mean"] for name, rows in data.items()}
    assert first["sigmoid"] < first["relu"] / 10


def test_errors():
    with tg.trace() as t:
        tg.Tensor([1.0], requires_grad=True) * 2
    with pytest.raises(GraphError, match="no backward pass"):
        viz.gradient_bars(t)
    with tg.trace() as t:
        (tg.Tensor([1.0], requires_grad=True) * 2).sum().backward()
    with pytest.raises(GraphError, match="no parameter"):
        viz.gradient_bars(t)
    for traces, options, words in (
        ({}, {}, "at least one trace"),
        (t, {"depth": 0}, "1 or more"),
        (t, {"kind": "pie"}, '"bars" or "map"'),
    ):
        with pytest.raises(OptionError, match=words):
            viz.gradient_bars(traces, **options)
