"""The numerical derivative: its error bar covers its error, and kinks are told from curves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_cnn.gradcheck.numeric import Derivative, careful, quick

FUNCTIONS = {
    "sin": (np.sin, np.cos),
    "exp": (np.exp, np.exp),
    "tanh": (np.tanh, lambda x: 1 / np.cosh(x) ** 2),
    "cube": (lambda x: x**3, lambda x: 3 * x**2),
    "reciprocal": (lambda x: 1 / x, lambda x: -1 / x**2),
    "log": (np.log, lambda x: 1 / x),
    "square root": (np.sqrt, lambda x: 0.5 / np.sqrt(x)),
    "linear": (lambda x: 3 * x + 1, lambda x: 3.0),
    "constant": (lambda x: 0 * x + 2, lambda x: 0.0),
    "rounded to float32": (lambda x: float(np.float32(np.sin(x))), np.cos),
    "cancelling": (lambda x: (1e6 + x) - 1e6, lambda x: 1.0),
}


def derivative(f: Any, at: float, scale: float | None = None) -> Derivative:
    def phi(t: float) -> Any:
        return np.array([f(np.float64(t))], float)

    with np.errstate(all="ignore"):
        scale, here = scale or abs(at) or 1.0, phi(at)
        return careful(phi, at, scale, here, quick(phi, at, scale, here), True, 0.0)


@given(
    st.sampled_from(sorted(FUNCTIONS)),
    st.floats(0.01, 20),
    st.sampled_from([1e-8, 1.0, 1e8]),
    st.sampled_from([1e-3, 1.0, 1e3]),
    st.floats(0.1, 10),
)
def test_the_bar_covers_the_error(
    name: str, at: float, factor: float, stretch: float, scale: float
) -> None:
    f, slope = FUNCTIONS[name]
    true = factor * stretch * slope(at)
    found = derivative(lambda t: factor * f(t * stretch), at / stretch, scale * at / stretch)
    assert not found.kink[0]
    assert abs(found.value[0] - true) <= found.bar[0] + 1e-12 * abs(true)


@given(st.sampled_from(["sin", "exp", "tanh", "cube", "linear"]), st.floats(0.1, 3))
def test_the_bar_is_narrow_for_smooth_functions(name: str, at: float) -> None:
    f, slope = FUNCTIONS[name]
    assert derivative(f, at).bar[0] <= 1e-8 * (abs(slope(at)) + abs(f(at)) / at)


@given(st.floats(-10, 10), st.floats(-10, 10), st.floats(-3, 3), st.sampled_from([1e-9, 1.0, 1e9]))
def test_one_sided_derivatives_at_a_kink(
    left: float, right: float, at: float, factor: float
) -> None:
    def f(t: float) -> float:
        return factor * ((right if t > at else left) * (t - at) + np.sin(t))

    found = derivative(f, at, max(abs(at), 1.0))
    bend = abs(right - left)
    assert found.kink[0] or bend < 1e-3
    if bend > 1e-3:
        expected = factor * (np.array([left, right]) + np.cos(at))
        size = factor * (abs(left) + abs(right) + 1)
        assert np.abs(np.array([found.left[0], found.right[0]]) - expected).max() < 1e-5 * size


@pytest.mark.parametrize("f", [np.sqrt, np.sign, np.cbrt])
def test_a_jump_or_a_vertical_tangent_has_an_infinite_side(f: Any) -> None:
    found = derivative(f, 0.0)
    assert found.kink[0]
    assert found.right[0] == np.inf


def test_the_edge_of_a_domain_has_the_derivative_of_its_side() -> None:
    found = derivative(lambda t: t**2 + t if t >= 0 else np.nan, 0.0)
    assert abs(found.value[0] - 1) <= found.bar[0] < 1e-6


def test_a_kink_beside_the_point_does_not_disturb() -> None:
    found = derivative(lambda t: max(t, 0.0) + 1, 1e-7, 1.0)
    assert not found.kink[0]
    assert abs(found.value[0] - 1) <= found.bar[0] < 1e-4


def test_no_more_evaluations_than_needed() -> None:
    calls = []
    phi = lambda t: calls.append(t) or np.array([np.sin(t)])  # noqa: E731
    here = phi(1.0)
    found = quick(phi, 1.0, 1.0, here)
    assert len(calls) == 3
    assert abs(found.slope[0] - np.cos(1.0)) <= found.bar[0] < 1e-8
