"""Numerical derivatives, to hold the engine's against."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def inner(xs: Sequence[Array | None], ys: Sequence[Array | None]) -> float:
    """Σ ⟨x, y⟩ over pairs of arrays; None counts as zeros."""
    return sum(
        float(np.vdot(x, y)) for x, y in zip(xs, ys, strict=True) if x is not None and y is not None
    )


def directional_derivative(
    f: Callable[..., float], xs: Sequence[Array], along: Sequence[Array], h: float = 1e-3
) -> float:
    """d/dt f(xs + t·along) at t = 0, by central differences of fourth order."""

    def at(t: float) -> float:
        return f(*[x + t * v for x, v in zip(xs, along, strict=True)])

    return (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h)


def close(found: Any, expected: Any, tolerance: float = 1e-7) -> bool:
    """Whether two results agree, up to a tolerance relative to their size (absolute below 1)."""
    found, expected = np.asarray(found), np.asarray(expected)
    size = max(1.0, float(np.max(np.abs(expected), initial=0.0)))
    return bool(np.all(np.abs(found - expected) <= tolerance * size))
