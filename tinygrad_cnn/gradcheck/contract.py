"""What must hold for every backward pass: it is linear, repeatable, and right in float32."""

from __future__ import annotations

import numpy as np

from .analytic import gradients
from .findings import Findings
from .jacobian import LEFT_NARROW
from .numeric import EPS
from .subjects.base import Pull, Subject

CANCELLED = 1e-10  # relative to the largest gradient: smaller ones may be a 0 with rounding error
SCALED = 1e-3  # relative to the largest element: the error allowed in a scaled gradient
TINY = 1e-290  # where float64 runs out of digits
FLOAT32 = 1e-3  # relative to the largest element: the error allowed in a float32 gradient


def breach(
    subject: Subject,
    pull: Pull,
    found: Findings,
    random: np.random.Generator,
    repeated: float = 0.0,
) -> tuple[str, str, str] | None:
    """Verdict, pattern and diagnosis if backward is not linear or not repeatable; else None."""
    size, share, least = found.here.size, 1e-5, 1e-11
    if subject.eps > EPS:
        share = least = LEFT_NARROW * subject.eps
    v = random.standard_normal(size)
    once, twice = (gradients(subject, pull, v.copy()) for _ in range(2))
    zero = gradients(subject, pull, np.zeros(size))
    for k, (name, g, h, z) in enumerate(zip(subject.names, once, twice, zero, strict=True)):
        if g is None or h is None:
            continue
        analytic, numeric = found.analytic[k], found.numeric[k]
        finite = np.isfinite(analytic).all(axis=0)
        rows = np.where(finite, analytic, 0.0)
        natural = numeric.size / numeric.scale
        rounding = np.abs(v) @ (share * np.abs(rows) + least * np.nan_to_num(natural))
        if not np.allclose(g, h, rtol=1e-10, atol=repeated, equal_nan=True):
            what = f"two backward passes gave different gradients for '{name}'"
            return "nondeterministic", "", what
        if z is not None and np.any(z.reshape(-1)[finite]):
            what = f"a zero cotangent gives a gradient for '{name}' that is not zero"
            return "wrong", "not linear", what
        if (np.abs(g.reshape(-1) - v @ rows) > rounding)[finite].any():
            each = "is wrong" if found.wrong[k].any() else "alone is right"
            return (
                "wrong",
                "not linear",
                f"the gradient for '{name}' is not linear in the cotangent: each output {each}, "
                "and a sum of outputs does not get the sum of their gradients",
            )
    for factor, how in ((128.0, "larger"), (1 / 128, "smaller")):  # powers of two scale exactly
        scaled = gradients(subject, pull, factor * v)
        for name, g, h in zip(subject.names, once, scaled, strict=True):
            if g is None or h is None or not (np.isfinite(g).all() and np.isfinite(h).all()):
                continue
            off = np.max(np.abs(h / factor - g), initial=0.0)
            if off > SCALED * np.max(np.abs(g), initial=0.0) + TINY:
                return (
                    "wrong",
                    "not linear",
                    f"the gradient for '{name}' is not linear in the cotangent: with one that is "
                    f"128 times {how}, it is not 128 times {how}, as if it were clipped",
                )
    return None


def float32_notes(
    subject: Subject, pull: Pull, found: Findings, random: np.random.Generator
) -> list[str]:
    """Notes on inputs whose gradient in float32, the dtype of training, differs from float64."""
    v = random.standard_normal(found.here.size)
    rounded = subject.gradient_in_float32(v)
    if rounded is None:
        return []
    exact = pull(v)
    sizes = [0.0 if g is None else float(np.max(np.abs(g), initial=0.0)) for g in exact]
    notes = []
    for k, (name, right, single) in enumerate(zip(subject.names, exact, rounded, strict=True)):
        if right is None or single is None or not np.isfinite(right).all():
            continue
        off = float(np.max(np.abs(single - right), initial=0.0))
        if not np.isfinite(single).all():
            notes.append(f"in float32 the gradient for '{name}' is not finite")
        elif off > FLOAT32 * sizes[k] and sizes[k] > max(1e-30, CANCELLED * max(sizes)):
            notes.append(
                f"in float32 the gradient for '{name}' is off by {off / sizes[k]:.1g} of its "
                "largest element: the function is sensitive to rounding"
            )
    return notes
