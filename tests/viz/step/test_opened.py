"""Opened elements: their arithmetic gives the op's value, their slopes the gradients."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_cnn as tg
import viz
from tests.ops.strategies import CASES
from tests.viz.step.programs import network
from tinygrad_cnn.errors import OptionError, ShapeError
from viz.step.opened import opened_ops
from viz.step.recording import recording_of
from viz.step.steps import steps_of

DEFINED = [name for name, op in tg.OPS.items() if op.is_defined]


def flat_of(cells: dict[str, Any]) -> list[int]:
    return [first + k for first, count in cells["flat"] for k in range(count)]


@pytest.mark.parametrize("name", DEFINED)
@settings(max_examples=6)
@given(data=st.data())
def test_slopes_times_g_over_all_elements_are_the_gradients(name, data):
    """Each small output is opened whole, so what its elements send back adds up to the gradient."""
    case, op = data.draw(CASES[name]), tg.OPS[name]
    inputs = [
        x if x is None or x.dtype.kind != "f" else tg.Tensor(x, requires_grad=True)
        for x in case.inputs
    ]
    with tg.trace() as t:
        y = op(inputs, **case.options) if op.variadic else op(*inputs, **case.options)
        first = y[0] if isinstance(y, tuple) else y
        if first.requires_grad and first.size:
            g = np.random.default_rng(case.seed).normal(size=first.shape)
            tg.grad(first, [x for x in inputs if isinstance(x, tg.Tensor)], g, allow_unused=True)
    recording = recording_of(t)
    told, arrived = steps_of(recording), {e.node: e.cotangent for e in t.backward_events}
    elements = opened_ops(recording, {}, arrived)
    for key, opened in elements.items():
        node = told["nodes"][int(key)]
        shape = tuple(opened["shape"])
        for element in opened["elements"]:
            at = np.unravel_index(element["flat"], shape) if shape else ()
            if node["op"] == name:
                np.testing.assert_allclose(
                    float(element["value"]), first.numpy()[at], rtol=1e-6, atol=1e-9
                )
            assert element["lines"][-1]["name"] == "y"
    own = [o for k, o in elements.items() if told["nodes"][int(k)]["op"] == name]
    if not own or len(own[0]["elements"]) < math.prod(own[0]["shape"]):
        return
    step = next((s for s in told["steps"] if s["kind"] == "backward" and s["op"] == name), None)
    if step is None:
        return
    sent: dict[int, Any] = {}
    for element in own[0]["elements"]:
        for cells in element["cells"]:
            total = sent.setdefault(cells["node"], np.zeros(cells["shape"]))
            for place, slope in zip(flat_of(cells), cells["slopes"], strict=True):
                total.ravel()[place] += float(slope) * float(element["g"])
    for send in step["sends"]:
        if send["gradient"] is None or send["of"] != 1:
            continue
        array = told["arrays"][send["gradient"]]
        if "numbers" in array and send["node"] in sent:
            found = np.reshape([float(x) for x in array["numbers"]], array["shape"])
            size = 1e-3 * (1 + np.abs(found).max(initial=0))  # slopes have four digits
            np.testing.assert_allclose(sent[send["node"]], found, rtol=5e-3, atol=20 * size)


def test_a_convolution_reads_its_window_and_adds_up_its_products():
    x = tg.Tensor(np.arange(9.0).reshape(1, 1, 3, 3), requires_grad=True, name="x")
    w = tg.Tensor(np.arange(4.0).reshape(1, 1, 2, 2), requires_grad=True, name="w")
    (opened,) = viz.step(tg.conv2d(x, w)).data["opened"].values()
    assert [e["value"] for e in opened["elements"]] == [19, 25, 37, 43]
    last = opened["elements"][3]
    assert [(c["name"], flat_of(c)) for c in last["cells"]] == [
        ("x", [4, 5, 7, 8]),
        ("w", [0, 1, 2, 3]),
    ]
    (line,) = last["lines"]
    assert line["value"] == ["+", *(["×", [0, k], [1, k]] for k in range(4))]
    assert last["cells"][0]["slopes"] == last["cells"][1]["values"] == [0, 1, 2, 3]


def test_a_batch_norm_is_its_mean_its_variance_and_one_line_more():
    x = tg.Tensor(np.array([[1.0], [2.0], [6.0]]), requires_grad=True, name="x")
    w, b = (tg.nn.Parameter(np.array([v])) for v in (2.0, 1.0))
    page = viz.step(tg.batch_norm(x, None, None, w, b, training=True))
    (opened,) = page.data["opened"].values()
    lines = opened["elements"][0]["lines"]
    assert [line["result"] for line in lines][:2] == [3, 14]  # the mean, and the squared distances
    assert len(lines) <= 5
    squares = next(v for v in walk(lines[1]["value"]) if v[0] == "+")
    assert len(squares) == 1 + 3  # three squares, in one sum


def walk(value: Any) -> Any:
    """An expression and all that are inside it."""
    if isinstance(value, list):
        yield value
        for each in value[1:]:
            yield from walk(each)


def test_of_large_outputs_a_sample_and_what_was_asked_for_are_opened_and_it_says_so():
    t = network("lenet")
    page = viz.step(t, open={"features.conv1": (0, 2, 3, 4), "classifier.dense1": [(0, 7)]})
    by_scope = {page.data["nodes"][int(k)]["scope"]: o for k, o in page.data["opened"].items()}
    conv = by_scope["features.conv1"]
    assert conv["elements"][0]["flat"] == 2 * 28 * 28 + 3 * 28 + 4
    assert len(conv["elements"]) == 4
    assert conv["says"] == (
        "Of 4,704 elements a sample is opened: the middle, the first, the last. "
        "Those asked for come first."
    )
    assert by_scope["classifier.dense1"]["elements"][0]["flat"] == 7
    assert "are opened" in by_scope["classifier.dense1"]["says"]


@pytest.mark.parametrize(
    ("wanted", "error", "words"),
    [
        ({"features.conv9": (0, 0)}, OptionError, "no op of this program is 'features.conv9'"),
        ({"features.conv1": (0, 0)}, ShapeError, "not one element of shape"),
    ],
)
def test_what_is_not_there_cannot_be_opened(wanted, error, words):
    with pytest.raises(error, match=words):
        viz.step(network("lenet"), open=wanted)


def test_a_tensor_says_what_to_open():
    x = tg.Tensor(np.ones((5, 7)), requires_grad=True)
    y = x.exp()
    page = viz.step(y.sum(), open={y: [(1, 2), (3, 4)]})
    first = next(iter(page.data["opened"].values()))
    assert [e["flat"] for e in first["elements"]][:2] == [9, 25]
    index = viz.step(y.sum(), open={y: (1, 2)}).data["opened"]
    assert next(iter(index.values()))["elements"][0]["flat"] == 9
