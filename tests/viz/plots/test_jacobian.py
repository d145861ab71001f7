"""The Jacobians of a gradient check: what is drawn, marked, and put together."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_cnn as tg
import viz
from tinygrad_cnn.errors import OptionError
from viz.plots.blocks import KINK, MOST_CELLS, WRONG, shown
from viz.plots.jacobian import MOST_INPUTS


def one_wrong(shape, at):
    """An elementwise square whose gradient is wrong at one element."""
    x = np.random.default_rng(0).normal(size=shape) + 3
    off = np.ones(shape)
    off[at] = 1.5
    return tg.gradcheck(lambda x: x * x, x, vjp=lambda g, x: 2 * g * x * off)


def texts(picture):
    return [e.text or "" for e in ET.fromstring(picture.svg).iter() if e.tag.endswith("text")]


def test_small_jacobians_are_shown_entry_by_entry():
    report = one_wrong((2, 2), (1, 0))
    one = shown(report, "x")
    np.testing.assert_array_equal(one.analytic, report.analytic["x"].reshape(4, 4))
    np.testing.assert_array_equal(one.numeric, report.numeric["x"].reshape(4, 4))
    assert [(int(i), int(j)) for i, j in np.argwhere(one.marks)] == [(2, 2)]
    assert (one.block, one.counted) == ((1, 1), "1 of 16 entries wrong")
    picture = viz.jacobian(report)
    off = one.analytic[2, 2] - one.numeric[2, 2]
    assert f"{off:.3g}" in texts(picture)
    assert "x[1, 0], output[1, 0]: analytic" in picture.svg
    assert picture.svg == viz.jacobian(report).svg


@given(st.integers(1, 130), st.data())
def test_no_wrong_entry_is_lost_in_a_block(size, data):
    at = data.draw(st.integers(0, size - 1))
    one = shown(one_wrong(size, at), "x")
    assert max(one.marks.shape) <= MOST_CELLS
    (place,) = np.argwhere(one.marks == WRONG)
    assert (one.rows[place[0]][place[1]], one.columns[place[0]][place[1]]) == ((at,), (at,))
    assert one.analytic[tuple(place)] == pytest.approx(1.5 * one.numeric[tuple(place)])


def test_a_picture_of_blocks_says_so():
    said = " ".join(texts(viz.jacobian(one_wrong(100, 7))))
    assert "Each cell stands for 3 × 3 entries" in said
    assert "1 of 10,000 entries wrong" in said


def test_kinks_are_marked_and_never_wrong():
    one = shown(tg.gradcheck(tg.relu, np.array([0.0, 1.0, -1.0])), "x")
    assert one.marks[0, 0] == KINK
    assert (one.kinks, one.wrong, np.count_nonzero(one.marks)) == (1, 0, 1)
    assert one.counted == "1 on a kink"


def test_rounding_is_not_drawn_as_a_gradient():
    """A bias before batch norm: its gradient is 0 but for rounding."""
    tg.manual_seed(0)
    block = tg.nn.Sequential(tg.nn.Conv2d(1, 2, 1), tg.nn.BatchNorm2d(2))
    report = tg.gradcheck(block, np.random.default_rng(0).normal(size=(2, 1, 2, 2)))
    assert "0, to within the error bar" in texts(viz.jacobian(report, "0.bias"))


def test_the_worst_of_many_inputs_are_drawn_and_the_others_named():
    def many(*x):
        return sum(np.sin(a) for a in x)

    def vjp(g, *x):
        return [g * np.cos(a) * (2 if i in (3, 5) else 1) for i, a in enumerate(x)]

    report = tg.gradcheck(many, [np.full(2, 0.1 * i) for i in range(7)], vjp=vjp)
    picture = viz.jacobian(report)
    names = [one.name for one in picture.data["inputs"]]
    assert len(names) == MOST_INPUTS
    assert {"input3", "input5"} < set(names)
    assert set(picture.data["not_drawn"].values()) == {"all 4 entries right"}
    assert [one.name for one in viz.jacobian(report, "input6").data["inputs"]] == ["input6"]


@pytest.mark.parametrize("shape", [(), (0, 3), (1,), (2, 3, 2, 2)])
def test_any_shape_can_be_drawn(shape):
    picture = viz.jacobian(tg.gradcheck(lambda x: x * x, np.ones(shape)))
    ET.fromstring(picture.svg)
    assert picture.png()[:4] == b"\x89PNG"


def test_a_report_without_jacobians_says_why():
    with pytest.raises(OptionError, match="mode='full'"):
        viz.jacobian(tg.gradcheck(tg.sin, np.ones(3), mode="random"))
    with pytest.raises(OptionError, match="ended early"):
        viz.jacobian(tg.gradcheck(lambda x: tg.log(x * 0), np.ones(3)))
    with pytest.raises(OptionError, match="no input 'w' was checked; there are x"):
        viz.jacobian(tg.gradcheck(tg.sin, np.ones(3)), "w")
