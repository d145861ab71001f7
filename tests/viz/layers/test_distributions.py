"""Histograms of layers, and the picture of batch normalisation: counts and statistics are right."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import tinygrad_cnn as tg
import viz
from tinygrad_cnn import nn
from tinygrad_cnn.errors import DtypeError, GraphError, OptionError, ShapeError
from viz.layers.distributions import counted
from viz.picture.svg import text_width

NS = "{http://www.w3.org/2000/svg}"
ANY = st.floats(width=32) | st.just(0.0)


def assert_inside(picture: viz.Picture) -> None:
    width, height = picture.size
    for text in ET.fromstring(picture.svg).iter(NS + "text"):
        x, y, size = (float(text.get(name)) for name in ("x", "y", "font-size"))
        wide = text_width(text.text, size, text.get("font-weight") == "bold")
        left = x - {None: 0.0, "middle": wide / 2, "end": wide}[text.get("text-anchor")]
        assert left >= 0, text.text
        assert left + wide <= width + 1, text.text
        assert size <= y <= height


@given(arrays(np.float32, st.integers(0, 40), elements=ANY), st.booleans())
def test_every_element_is_in_one_bin_or_told_apart(values, logarithmic):
    row = counted(values, (-46, 39) if logarithmic else None)
    assert row["counts"].sum() + row["zeros"] + row["not_finite"] == row["size"] == values.size
    assert row["zeros"] == (values == 0).sum()
    assert row["not_finite"] == (~np.isfinite(values)).sum()


@pytest.mark.parametrize(
    "values", [[1e14], [1e14, 1e14 + 0.02], [0.0, 5e-324], [-3.0, -3.0], [1e300, -1e300]]
)
def test_numbers_that_are_almost_alike_or_very_far_apart_have_bins(values):
    row = counted(np.array(values))
    assert row["counts"].sum() == np.count_nonzero(values)
    assert row["edges"][0] <= min(values) <= max(values) <= row["edges"][-1]


def run(keep: str = "values", backward: bool = True) -> tg.Trace:
    tg.manual_seed(0)
    net = nn.Sequential(a=nn.Linear(3, 8), act=nn.ReLU(), b=nn.Linear(8, 2))
    x = tg.Tensor(np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32))
    with tg.trace(keep=keep) as t:
        loss = tg.cross_entropy(net(x), [0, 1, 0, 1, 0])
        if backward:
            loss.backward()
    return t


def test_histograms_count_the_values_and_gradients_of_each_layer():
    t = run()
    picture = viz.histograms(t)
    assert [row["layer"] for row in picture.data] == ["a", "act", "b", ""]
    for row, event in zip(picture.data, t.forward_events, strict=True):
        wanted, _ = np.histogram(
            event.output[event.output != 0], row["values"]["edges"].astype(float)
        )
        np.testing.assert_array_equal(row["values"]["counts"], wanted)
        gradient = np.abs(t.gradient(event.node))
        assert row["gradients"]["zeros"] == (gradient == 0).sum()
        logs = np.log10(gradient[gradient > 0].astype(float))
        wanted, _ = np.histogram(logs, row["gradients"]["edges"])
        np.testing.assert_array_equal(row["gradients"]["counts"], wanted)
    assert len({tuple(row["gradients"]["edges"]) for row in picture.data}) == 1
    assert_inside(picture)


def test_layers_are_chosen_by_name_and_without_a_backward_pass_there_is_no_gradient():
    picture = viz.histograms(run(backward=False), layers="act")
    (row,) = picture.data
    assert row["op"] == "relu"
    assert row["gradients"] is None
    assert "no gradient" in picture.svg


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda: viz.histograms(3), DtypeError, "Trace"),
        (lambda: viz.histograms(tg.Trace()), GraphError, "no op"),
        (lambda: viz.histograms(run("statistics")), GraphError, "keep="),
        (lambda: viz.histograms(run(), layers="c"), OptionError, "a, act, b"),
        (lambda: viz.batch_norm(np.ones(3)), ShapeError, r"\(3,\)"),
        (lambda: viz.batch_norm(np.ones((0, 2))), ShapeError, r"\(0, 2\)"),
        (lambda: viz.batch_norm(np.ones((1, 2))), ShapeError, "more than one value per channel"),
        (lambda: viz.batch_norm(np.array([["a"]])), DtypeError, "real numbers"),
        (lambda: viz.batch_norm(np.ones((2, 2)), weight=[1.0]), ShapeError, "weight"),
    ],
)
def test_bad_input_is_refused_in_words(call, error, said):
    with pytest.raises(error, match=said):
        call()


# --- batch norm ----------------------------------------------------------------------------------


@settings(max_examples=settings.default.max_examples * 3 // 2)
@given(
    arrays(
        np.float64,
        st.lists(st.integers(1, 7), min_size=2, max_size=4).map(tuple),
        elements=st.floats(-100, 100),
    ),
    st.data(),
)
def test_the_stages_are_those_of_the_op(x, data):
    count, channels = x.size // x.shape[1], x.shape[1]
    assume(count > 1)
    gamma, beta = data.draw(arrays(np.float64, (2, channels), elements=st.floats(-3, 3)))
    picture = viz.batch_norm(x, gamma, beta)
    before, normalised, scaled = picture.data
    layer = tg.batch_norm(x, None, None, gamma, beta, training=True)
    np.testing.assert_allclose(scaled["values"], np.asarray(layer), atol=1e-12)
    axes = (0, *range(2, x.ndim))
    np.testing.assert_allclose(before["mean"], x.mean(axes), atol=1e-12)
    np.testing.assert_allclose(normalised["mean"], 0, atol=1e-9)
    std = x.std(axes)
    np.testing.assert_allclose(normalised["std"], std / np.sqrt(std**2 + 1e-5), atol=1e-6)
    np.testing.assert_allclose(scaled["mean"], beta, atol=1e-8)
    frames = picture.svg.count('class="shared"')
    assert frames == 3 * min(channels, 6)
    assert f"{count:,} elements share" in picture.title
    assert_inside(picture)


def test_what_is_not_finite_spoils_its_channel_alone():
    x = np.random.default_rng(0).normal(size=(4, 2, 3))
    x[1, 1, 1] = np.nan
    picture = viz.batch_norm(x)
    assert np.isfinite(picture.data[1]["values"][:, 0]).all()
    assert np.isnan(picture.data[1]["values"][:, 1]).all()
    assert "NaN or infinite: 1" in picture.svg
