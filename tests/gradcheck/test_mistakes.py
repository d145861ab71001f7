"""Wrong gradients are called wrong, and the diagnosis names the mistake."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import tinygrad_cnn as tg
from tests.gradcheck.zoo import LAYERS, MISTAKES, Layer, Mistake


@functools.cache
def layers_for(mistake: Mistake) -> list[Layer]:
    """The layers that a mistake can be made in, at some sizes."""

    def fits(layer: Layer, seed: int) -> bool:
        random = np.random.default_rng(seed)
        return mistake.plant(layer, layer.draw(random), random) is not None

    return [layer for layer in LAYERS if any(fits(layer, seed) for seed in range(5))]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
@settings(max_examples=settings.default.max_examples // 4)
@given(st.data())
def test_the_diagnosis_names_the_mistake(mistake: Mistake, data: st.DataObject) -> None:
    layer = data.draw(st.sampled_from(layers_for(mistake)))
    random = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    arrays = layer.draw(random)
    vjp = mistake.plant(layer, arrays, random)
    assume(vjp is not None)
    report = tg.gradcheck(layer.f, arrays, vjp=vjp)
    assert not report
    assert report.verdict == ("error" if mistake.name == "missing" else "wrong"), report
    assert report.pattern in mistake.patterns, report


@pytest.mark.parametrize("of_b", [0, 1])
@pytest.mark.parametrize("name", ["missing", "zero", "sign", "factor 2", "noise", "swapped"])
def test_a_gradient_that_is_0_is_not_spoilt(name: str, of_b: int) -> None:
    """Where a > b throughout, the gradient of max(a, b) for b is 0 already."""
    (maximum,) = [layer for layer in LAYERS if layer.name == "maximum"]
    (mistake,) = [mistake for mistake in MISTAKES if mistake.name == name]
    arrays = [np.full((2, 3), 3.0), np.ones((2, 3))]
    arrays[1].flat[:of_b] = 5.0
    for seed in range(8):  # by chance in the gradient for a, or in that for b
        vjp = mistake.plant(maximum, arrays, np.random.default_rng(seed))
        if vjp is not None:
            assert tg.gradcheck(maximum.f, arrays, vjp=vjp).pattern in mistake.patterns


@given(st.integers(-12, 12))
def test_a_zero_gradient_never_passes(power: int) -> None:
    factor = 10.0**power
    zero = tg.op("zero", lambda x: factor * x, lambda g, y, x: g * 0.0)
    assert tg.gradcheck(zero, np.array([1.0, 2.0])).pattern == "zero"


@given(st.floats(1e-5, 1e-2), st.sampled_from([1e-8, 1.0, 1e8]))
def test_a_small_mistake_is_found(share: float, factor: float) -> None:
    off = tg.op("off", lambda x: factor * np.tanh(x))
    off.vjp(lambda g, y, x: g * (1 + share) * (factor - y * y / factor))
    assert tg.gradcheck(off, np.array([0.3, -0.8])).verdict == "wrong"


def test_a_second_order_mistake() -> None:
    """A vjp that is right, but keeps an intermediate as a plain array."""
    frozen = tg.op("frozen", np.tanh)
    frozen.vjp(lambda g, y, x: g * (1 - tg.constant(y) ** 2))
    x = np.array([0.3, -0.8])
    assert tg.gradcheck(frozen, x)
    report = tg.gradcheck(frozen, x, order=2)
    assert report.verdict != "ok"
    assert report.diagnosis.startswith("second order")


def test_a_backward_that_is_not_linear() -> None:
    f = tg.op("f", lambda x: 3 * x, lambda g, y, x: 3 * np.sign(g))
    assert tg.gradcheck(f, np.array([1.0, 2.0])).pattern == "not linear"


def wrong_in_one_place(g: Any, y: Any, x: Any) -> Any:
    made = 2 * g * x
    made[1, 2] *= 1.5
    return made


def test_the_worst_entry_and_where() -> None:
    square = tg.op("square", lambda x: x**2, wrong_in_one_place)
    x = np.arange(1.0, 13.0).reshape(3, 4)
    report = tg.gradcheck(square, x)
    assert report.worst is not None
    assert (report.worst.input, report.worst.index, report.worst.output) == ("x", (1, 2), (1, 2))
    assert report.worst.analytic == pytest.approx(21)
    assert report.worst.numeric == pytest.approx(14)
    assert report.wrong["x"].sum() == 1
    assert "index 1 of axis 0" in str(report)
    assert report.analytic["x"].shape == report.numeric["x"].shape == (3, 4, 3, 4)


@pytest.mark.parametrize("kept", [0, 1])
def test_a_forgotten_factor_of_a_product(kept: int) -> None:
    """The gradient of x·sigmoid(x) with one of the product rule's two terms."""
    swish = tg.op("swish", lambda x: x / (1 + np.exp(-x)))
    swish.vjp(lambda g, y, x: g * (tg.sigmoid(x), y * (1 - tg.sigmoid(x)))[kept])
    report = tg.gradcheck(swish, np.array([[0.3, -0.8], [1.1, 2.0]]))
    assert report.pattern == "term missing"
    assert "only one factor is differentiated" in report.diagnosis


def test_backward_must_be_linear_even_where_it_is_wrong() -> None:
    x = np.array([1.0, -2.0, 0.5])
    for vjp in (lambda g, x: 2 * g + 1e-3, lambda g, x: g * abs(g)):
        report = tg.gradcheck(lambda x: 2 * x, x, vjp=vjp)
        assert (report.verdict, report.pattern) == ("wrong", "not linear"), report
    calls: list[int] = []

    def growing(g: Any, x: Any) -> Any:
        calls.append(1)
        return 2 * g * len(calls)

    assert tg.gradcheck(lambda x: 2 * x, x, vjp=growing).verdict == "nondeterministic"


@pytest.mark.parametrize("off", [1e-5, 1e-3])
def test_a_pattern_must_explain_a_small_mistake(off: float) -> None:
    """An elementwise Jacobian is its own transpose: that explains nothing."""
    x = np.linspace(-1, 2, 6).reshape(2, 3)
    report = tg.gradcheck(np.sin, x, vjp=lambda g, x: g * np.cos(x) * (1 + off))
    assert report.pattern == "constant factor", report
    one = np.where(np.arange(6) == 4, off, 0).reshape(2, 3)
    report = tg.gradcheck(np.sin, x, vjp=lambda g, x: g * np.cos(x) * (1 + one))
    assert (report.pattern, report.worst and report.worst.index) == ("none", (1, 1)), report
    assert "1 of 36 entries" in report.diagnosis
