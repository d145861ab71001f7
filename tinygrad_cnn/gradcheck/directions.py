"""`mode="random"`: the gradient of a large function, checked along random directions.

With a random cotangent v, s = ⟨v, f⟩ is one number, and one backward pass claims its whole
gradient g. For every input (every parameter of a network) the derivative of s along a random
direction d must be ⟨g, d⟩. That takes two evaluations for each input, whatever its size. Single
coordinates are measured only if it fails, to say which are wrong and how.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from . import diagnose
from .case import Case
from .jacobian import TOO_WIDE, Numeric, Tolerance, numerical_jacobian
from .numeric import EPS, Array, Curve, careful, quick, scales
from .report import Entry, Report

SHOWN = 16  # coordinates of a wrong input that are measured one by one
EXPLAINED = 2  # how many of the worst inputs are measured so
NEAR = 0.01  # scale of the first step, in which all elements of an input move at once
NEARER = [10.0**-k for k in range(4, 11)]  # smaller steps, tried if the first shows another slope
LISTED = 8  # how many wrong inputs are named
CROSSED = 1e-4  # relative: the error allowed for kinks that a step crosses
CROSSED_NARROW = 4  # ... in units of √eps, for a function that takes no float64


@dataclass
class Direction:
    """The derivative of ⟨v, f⟩ along a random direction in one input."""

    claimed: float
    value: float
    bar: float
    sides: tuple[float, float] | None = None  # the slopes on the left and right of a kink


def check_directions(
    names: Sequence[str],
    arrays: Sequence[Array],
    evaluate: Callable[[], Array],
    here: Array,
    claimed: Sequence[Array | None],
    cotangent: Array,
    tolerance: Tolerance,
    random: np.random.Generator,
) -> Report:
    """A report on the claimed gradients of ⟨cotangent, f⟩.

    Args:
        names, arrays: the inputs. The arrays are perturbed in place and restored.
        evaluate: returns the function's value, flat, at the current arrays.
        here: that value at the point to check.
        claimed: the gradients of ⟨cotangent, f⟩; None counts as 0.
        cotangent: the cotangent v, flat.
        tolerance: what is allowed beyond the error bar.
        random: draws directions and coordinates.
    """

    def number() -> Array:
        return np.array([evaluate() @ cotangent])

    start = np.array([here @ cotangent])
    gradients = [
        np.zeros(a.shape) if g is None else g for a, g in zip(arrays, claimed, strict=True)
    ]
    found = [
        _along(number, array, start, g, random, tolerance.eps)
        for array, g in zip(arrays, gradients, strict=True)
    ]
    report = Report("ok", "the gradient is right, along random directions")
    report.analytic = dict(zip(names, gradients, strict=True))
    report.unseen = [
        name
        for name, g, d in zip(names, gradients, found, strict=True)
        if g.size and not g.any() and d.value == 0
    ]
    largest = max((abs(d.value) for d in found), default=0.0)
    usual = largest
    if tolerance.eps > EPS:  # a slope may be small by chance, and then its bar is wide
        reach = [
            g.reshape(-1) * scales(a.reshape(-1)) for a, g in zip(arrays, gradients, strict=True)
        ]
        usual = max((float(np.linalg.norm(r)) for r in reach), default=0.0)
    wrong, wide = [], []
    for k, d in enumerate(found):
        rounding = tolerance.relative + _crossed(tolerance.eps)
        allowed = d.bar + rounding * abs(d.value) + max(1e-9, tolerance.left) * largest
        off = abs(d.claimed - d.value) > allowed
        if off and d.sides is None:
            wrong.append((abs(d.claimed - d.value) / allowed, k))
        elif off or (d.bar > TOO_WIDE * usual and (d.claimed or d.value or d.sides)):
            wide.append(k)
    if wrong:
        wrong.sort(reverse=True)
        ranked = [k for _, k in wrong]
        _explain(report, names, arrays, number, start, gradients, ranked, tolerance, random)
    elif wide:
        worst = max(wide, key=lambda k: found[k].bar)
        report.verdict = "precision"
        sides = found[worst].sides
        report.diagnosis = f"along a random direction in '{names[worst]}' " + (
            f"the point lies on a kink: the function rises by {sides[0]:.3g} on one side and by "
            f"{sides[1]:.3g} on the other, too far apart to judge by; mode='full' tells each "
            "coordinate"
            if sides
            else f"the numerical derivative is {found[worst].value:.3g} ± {found[worst].bar:.1g}, "
            "too uncertain to judge by; smaller inputs and mode='full' would help"
        )
    return report


def _along(
    number: Callable[[], Array],
    array: Array,
    start: Array,
    gradient: Array,
    random: np.random.Generator,
    eps: float,
) -> Direction:
    home = array.copy()
    step = scales(home.reshape(-1)).reshape(home.shape) * random.standard_normal(home.shape)

    def curve(t: float) -> Array:
        array[...] = home + t * step
        try:
            return number()
        finally:
            array[...] = home

    claimed = float(np.vdot(gradient, step))
    near = NEAR if eps <= EPS else 1.0  # a small step crosses fewer kinks
    first = quick(curve, 0.0, near, start, eps)
    off = abs(claimed - first.slope[0]) > first.bar[0] + _crossed(eps) * abs(first.slope[0])
    still = claimed == 0 and first.slope[0] == 0  # it may still move at larger steps
    bends = abs(first.asymmetry[0]) > 1e-2 * abs(first.slope[0]) + 4 * first.bar[0]
    if not (off or still or bends):
        return Direction(claimed, float(first.slope[0]), float(first.bar[0]))
    confirmed = _nearer(curve, claimed, start) if off and claimed and eps <= EPS else None
    if confirmed is not None:
        return confirmed
    second = quick(curve, 0.0, 4 * near, start, eps)
    spread = float(abs(first.slope[0] - second.slope[0]))
    # at four times the step, a curve's asymmetry is four times as large, a kink's is the same
    kinked = bends and abs(second.asymmetry[0]) < 2 * abs(first.asymmetry[0])
    if spread <= _crossed(eps) * abs(first.slope[0]) and not (still or (off and kinked)):
        return Direction(claimed, float(first.slope[0]), spread + float(first.bar[0]))
    better = careful(curve, 0.0, 1.0, start, first, eps=eps)
    value, bar = float(better.value[0]), float(better.bar[0])
    if better.kink[0]:  # maybe many kinks at once: then no two sides bound the derivative
        left, right = float(better.left[0]), float(better.right[0])
        value, bar = (left + right) / 2, abs(right - left) / 2
        return Direction(claimed, value, bar if math.isfinite(value) else math.inf, (left, right))
    return Direction(claimed, value, bar if math.isfinite(value) else math.inf)


def _crossed(eps: float) -> float:
    return CROSSED if eps <= EPS else CROSSED_NARROW * eps**0.5


def _nearer(curve: Curve, claimed: float, start: Array) -> Direction | None:
    """The derivative, if two smaller steps in a row confirm the claimed one; else None.

    In a ReLU network there are kinks near every point. The smaller a step, the fewer it crosses.
    """
    agreed = 0
    for near in NEARER:
        found = quick(curve, 0.0, near, start)
        slope, bar = float(found.slope[0]), float(found.bar[0])
        known = bar <= TOO_WIDE * abs(slope)
        agrees = known and abs(claimed - slope) <= bar + CROSSED * abs(slope)
        agreed = agreed + 1 if agrees else 0
        if agreed == 2:
            return Direction(claimed, slope, bar + CROSSED * abs(slope))
    return None


def _explain(
    report: Report,
    names: Sequence[str],
    arrays: Sequence[Array],
    number: Callable[[], Array],
    start: Array,
    gradients: Sequence[Array],
    ranked: list[int],
    tolerance: Tolerance,
    random: np.random.Generator,
) -> None:
    """Measure some coordinates of the worst inputs, and find the pattern that explains them."""
    report.verdict = "wrong"
    looked = ranked[:EXPLAINED]
    chosen = {k: _coordinates(gradients[k], random) for k in looked}
    measured: dict[int, Numeric] = {}
    for k in looked:
        claimed = gradients[k].reshape(1, -1)[:, chosen[k]]
        measured[k] = _measure(
            arrays[k].reshape(-1), chosen[k], number, start, claimed, tolerance, random
        )
    case = Case(
        names=[names[k] for k in looked],
        inputs=[arrays[k].reshape(-1)[chosen[k]] for k in looked],
        output=start[0],
        analytic=[gradients[k].reshape(1, -1)[:, chosen[k]] for k in looked],
        numeric=[np.where(m.kink, 0.0, m.value) for m in measured.values()],
        bar=[np.where(m.kink, 0.0, m.bar) for m in measured.values()],
        wrong=[
            tolerance.wrong(gradients[k].reshape(1, -1)[:, chosen[k]], measured[k]) for k in looked
        ],
        elsewhere=lambda _: None,
    )
    for i, k in enumerate(looked):
        for j in np.flatnonzero(case.wrong[i][0]):
            index = np.unravel_index(int(chosen[k][j]), arrays[k].shape)
            report.entries.append(
                Entry(
                    names[k],
                    tuple(int(at) for at in index),
                    (),
                    float(case.analytic[i][0, j]),
                    float(case.numeric[i][0, j]),
                    float(case.bar[i][0, j]),
                )
            )
    report.entries.sort(key=lambda e: -abs(e.analytic - e.numeric))
    del report.entries[6:]
    report.worst = report.entries[0] if report.entries else None
    report.pattern, report.diagnosis = diagnose.diagnose(case)
    if not report.entries:
        listed = ", ".join(f"'{names[k]}'" for k in looked)
        report.pattern = "none"
        report.diagnosis = (
            f"the gradient for {listed} is wrong along a random direction, though not in the "
            f"{SHOWN} coordinates that were measured: few entries are wrong"
        )
    listed = ", ".join(names[k] for k in ranked[:LISTED])
    more = f" and {len(ranked) - LISTED} more" if len(ranked) > LISTED else ""
    report.where = [f"wrong, the worst first: {listed}{more}"]


def _coordinates(gradient: Array, random: np.random.Generator) -> Array:
    """Some coordinates with the largest claimed gradient, and some drawn at random."""
    flat = np.abs(gradient.reshape(-1))
    if flat.size <= SHOWN:
        return np.arange(flat.size)
    largest = np.argsort(-flat)[: SHOWN // 2]
    others = random.permutation(flat.size)[: SHOWN // 2]
    return np.unique(np.concatenate([largest, others]))


def _measure(
    flat: Array,
    chosen: Array,
    number: Callable[[], Array],
    start: Array,
    claimed: Array,
    tolerance: Tolerance,
    random: np.random.Generator,
) -> Numeric:
    """The derivatives for some coordinates of an input."""
    home = flat[chosen]
    moved = home.copy()

    def evaluate() -> Array:
        flat[chosen] = moved
        return number()

    try:
        return numerical_jacobian(evaluate, moved, start, claimed, tolerance, random)
    finally:
        flat[chosen] = home
