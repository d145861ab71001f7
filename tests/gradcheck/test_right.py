"""Right gradients are not called wrong, however difficult the function."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_cnn as tg
from tests.gradcheck.difficult import DIFFICULT, ROUGH
from tests.gradcheck.zoo import LAYERS, Layer


@pytest.mark.parametrize(("f", "inputs"), [d[1:] for d in DIFFICULT], ids=[d[0] for d in DIFFICULT])
def test_difficult_functions(f: Any, inputs: Any) -> None:
    report = tg.gradcheck(f, inputs)
    assert report.verdict in ("ok", "kink"), report
    assert report


@given(st.sampled_from(ROUGH), st.integers(0, 10**6), st.integers(-8, 8))
def test_rounding_inside_is_no_kink(case: Any, seed: int, power: int) -> None:
    _, f, offset, spread = case
    x = offset + spread * np.random.default_rng(seed).standard_normal(4)
    report = tg.gradcheck(lambda x: f(x) * 10.0**power, x)
    assert report.verdict in ("ok", "precision"), report
    assert not report.kinks


KINKED = {
    "relu": (tg.relu, 0.0),
    "absolute": (tg.absolute, 0.0),
    "maximum": (lambda x: tg.maximum(x, tg.tanh(x) + 0.5 * x), 0.0),
    "maximum, far from 0": (lambda x: tg.maximum(x, 100 - x), 50.0),
    "steep": (lambda x: tg.exp(3 * tg.absolute(x)), 0.0),
    "beside a large term": (lambda x: tg.relu(x) * 1e-3 + 10 * tg.cos(x), 0.0),
    "jump": (lambda x: tg.where(x.data > 0, x + 1, x), 0.0),
}


@pytest.mark.parametrize("name", KINKED)
@pytest.mark.parametrize("factor", [1e-9, 1.0, 1e9])
def test_kinks_are_found(name: str, factor: float) -> None:
    f, at = KINKED[name]
    report = tg.gradcheck(lambda x: f(x) * factor, np.array([at, at + 0.7, at - 1.3]))
    assert report.verdict == "kink", report
    assert [kink.index for kink in report.kinks] == [(0,)]


def test_kinks_everywhere_are_all_found() -> None:
    """Central differences of |x| are 0 there, as the claimed gradient is."""
    report = tg.gradcheck(tg.abs, np.zeros(9))
    assert [kink.index for kink in report.kinks] == [(i,) for i in range(9)]


@given(st.sampled_from(LAYERS), st.integers(0, 10**6), st.integers(-8, 8))
def test_layers_at_any_scale(layer: Layer, seed: int, power: int) -> None:
    arrays = layer.draw(np.random.default_rng(seed))
    factor = 10.0**power
    report = tg.gradcheck(lambda *x: layer.f(*x) * factor, arrays)
    assert report.verdict == "ok", report


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_second_order(layer: Layer) -> None:
    arrays = layer.draw(np.random.default_rng(1))
    arrays[0] = arrays[0][:2]
    report = tg.gradcheck(layer.f, arrays, order=2)
    assert report, report
    assert "cotangent" in report.names


@given(st.integers(0, 10**6))
def test_at_a_kink_the_other_coordinates_are_judged(seed: int) -> None:
    random = np.random.default_rng(seed)
    x = random.standard_normal(5)
    x[2] = 0.0
    report = tg.gradcheck(tg.relu, x)
    assert report.verdict == "kink"
    assert [(k.index, k.left, k.right, k.valid) for k in report.kinks] == [((2,), 0, 1, True)]
    assert report
    wrong = tg.op("wrong", lambda x: np.maximum(x, 0), lambda g, y, x: 2 * g * (tg.constant(x) > 0))
    x[3] = abs(x[3])
    assert tg.gradcheck(wrong, x).verdict == "wrong"


def test_outside_the_one_sided_derivatives_is_not_right() -> None:
    f = tg.op("f", lambda x: np.maximum(x, 0), lambda g, y, x: g * np.where(x == 0, 3, x > 0))
    report = tg.gradcheck(f, np.array([0.0, 1.0]))
    assert (report.verdict, bool(report)) == ("kink", False)
    assert not report.kinks[0].valid


@given(st.integers(0, 10**6))
def test_what_rounding_leaves_of_a_gradient_that_cancels(seed: int) -> None:
    """The gradient of a bias before a norm is 0, and comes out as 1e-16 or so."""
    tg.manual_seed(seed)
    block = tg.nn.Sequential(tg.nn.Conv2d(1, 2, 3), tg.nn.BatchNorm2d(2), tg.nn.MaxPool2d(2))
    report = tg.gradcheck(block, np.random.default_rng(seed).standard_normal((2, 1, 4, 4)))
    assert report, report
    assert not any("float32 the" in note for note in report.notes)
