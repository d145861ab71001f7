"""The numerical derivative of a function of one real variable, with its own error bar.

Everything here is float64 and plain arrays: ``phi(t)`` returns a vector, and its derivative at
``t = at`` is wanted, element by element. Two procedures:

- `quick`: one central difference, which takes two evaluations. It is right for most functions. Its
  error bar includes only the rounding of phi's values.
- `careful`: a second difference, which takes two more evaluations. If it does not confirm the
  first, a ladder of steps, from an eighth of the scale down to rounding, is extrapolated
  (Richardson; Ridders 1982). The noise of phi is measured, and the one-sided derivatives are
  computed separately, so that kinks show.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]
Curve = Callable[[float], Array]

EPS = float(np.finfo(np.float64).eps)
ERRORS = 16  # rounding errors that are expected in a value of phi; careful() measures larger ones
ROUNDING = ERRORS * EPS  # relative to phi
RATIO = 4.0  # ratio of neighbouring steps of the ladder
DETERMINED = 1e-7  # two differences that agree this well (relative) need no ladder
SLIGHT = 1e-8  # ... nor if they differ by less than this share of the largest slope
SUDDEN = 100  # an error that grows by more than this in a step is sudden; a cubic's: RATIO³ = 64
ALIKE = 8  # the heights of a staircase on its two sides differ by less than this factor
COARSEST = 3e-3  # relative to |phi|: a staircase with higher steps is not due to rounding
PERSISTENT = 4  # in how many steps in a row a kink must show
ROUGH = 4  # factor for the bar if values scatter: the least of many bars is then too narrow
KINK = 1e-4  # one-sided slopes further apart than this (relative) are measured again


class Quick(NamedTuple):
    """A central difference and what it was computed from; or many, one in each column."""

    slope: Array
    bar: Array  # from rounding alone
    asymmetry: Array  # right minus left difference: tends to 0 with the step, except at a kink
    step: Any  # a float, or one for each column
    size: Array  # the largest |phi| seen

    def column(self, j: int) -> Quick:
        """The difference in column j alone."""
        return Quick(*(field[..., j] for field in self))


class Derivative(NamedTuple):
    """A derivative and its error bar, per element of phi."""

    value: Array  # nan at a kink, where there is none
    bar: Array
    left: Array  # one-sided derivatives; ±inf at a jump or a vertical tangent, nan if undefined
    right: Array
    kink: Array  # bool: left and right differ by more than their bars
    size: Array  # the largest finite |phi| seen


def quick(phi: Curve, at: float, scale: float, here: Array, eps: float = EPS) -> Quick:
    """A central difference at the step that balances truncation and rounding, ∛eps · scale.

    Args:
        phi: the function; may return inf or nan.
        at: where the derivative is wanted.
        scale: how far `at` must move, roughly, for phi to change by its own size.
        here: phi(at).
        eps: the precision that phi computes in.
    """
    return _central(phi, at, standard_step(scale, eps), here, eps)


def standard_step(scale: float, eps: float = EPS) -> float:
    """The step at which a central difference is most accurate, for a function of that scale."""
    return _power_of_two(eps ** (1 / 3) * scale)


def on_grid(x: Any, eps: float) -> Any:
    """The nearest numbers that a function of this precision can be given."""
    if eps <= EPS:
        return x
    mantissa, exponent = np.frexp(x)
    return np.ldexp(np.rint(mantissa * (2 / eps)) * (eps / 2), exponent)


def _central(phi: Curve, at: float, step: float, here: Array, eps: float) -> Quick:
    above, below = on_grid(at + step, eps), on_grid(at - step, eps)
    return central(phi(above), phi(below), here, above - at, at - below, step, eps)


def central(
    up: Array, down: Array, here: Array, rise: Any, fall: Any, step: Any, eps: float = EPS
) -> Quick:
    """The central difference of values above, below and here.

    Args:
        up, down, here: phi's values; for many curves, one curve in each column.
        rise, fall: the steps actually taken, after rounding.
        step: the intended step.
        eps: the precision of the values.
    """
    size = np.maximum(np.abs(up), np.abs(down))  # in place: for many curves these arrays are large
    np.maximum(size, np.abs(here), out=size)
    slope = up - down
    slope /= rise + fall
    asymmetry = up - here
    asymmetry /= rise
    left = here - down
    left /= fall
    asymmetry -= left
    return Quick(slope, size * (ERRORS * eps / step), asymmetry, step, size)


def careful(
    phi: Curve,
    at: float,
    scale: float,
    here: Array,
    first: Quick,
    doubted: Array | bool = True,
    needed: Array | float = np.inf,
    eps: float = EPS,
) -> Derivative:
    """The derivative, an error bar that can be relied on, and the one-sided derivatives.

    Args:
        phi, at, scale, here: as for `quick`.
        first: what `quick` found.
        doubted: the elements whose derivative need not be 0 even if phi does not move: phi may be
            rounded to fewer digits inside.
        needed: if an element's bar is wider than this, the ladder is used even if the two
            differences agree.
        eps: the precision that phi computes in.
    """
    second = _central(phi, at, RATIO * first.step, here, eps)
    still = doubted & (first.slope == 0) & (second.slope == 0)
    spread = np.abs(first.slope - second.slope)
    largest = np.max(np.abs(first.slope), initial=0.0)
    with np.errstate(invalid="ignore"):
        settled = (
            (spread <= DETERMINED * np.abs(first.slope) + SLIGHT * largest + first.bar)
            & (np.abs(second.asymmetry) <= KINK * largest + 2 * first.bar)
            & (first.bar + spread <= needed)
            & ~still
        )
    value = first.slope + (first.slope - second.slope) / (RATIO**2 - 1)
    smooth = np.zeros(value.shape, bool)
    found = Derivative(value, spread + first.bar, value.copy(), value.copy(), smooth, second.size)
    for rest, far in ((~settled & ~still, False), (still, True)):
        if rest.any():
            for mine, better in zip(
                found, _ladder(phi, at, scale, here, rest, far, eps), strict=True
            ):
                mine[rest] = better
    return found


def _ladder(
    phi: Curve, at: float, scale: float, here: Array, rest: Array, far: bool, eps: float
) -> Derivative:
    """The derivative of the elements `rest`, from all steps; if `far`, from larger ones, too."""
    here = here[rest]
    steps, rounding = _steps(at, scale, far, eps), ERRORS * eps
    above, below = ([on_grid(at + s * h, eps) for h in steps] for s in (1, -1))
    ups, downs = (np.stack([phi(t)[rest] for t in points]) for points in (above, below))
    rise = np.array([t - at for t in above])[:, None]
    fall = np.array([at - t for t in below])[:, None]
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        up, down, both = ups - here, here - downs, ups - downs
        seen = np.abs(np.concatenate([ups, downs, here[None]]))
        size = np.max(seen, axis=0, where=np.isfinite(seen), initial=0.0)
        quantum = _quantum(up, rise, down, fall, size, rounding)
        noise_up = _noise(up, rise, np.maximum(np.abs(ups), np.abs(here)), quantum, eps)
        noise_down = _noise(down, fall, np.maximum(np.abs(downs), np.abs(here)), quantum, eps)
        noise = np.maximum(noise_up, noise_down)
        right, right_bar = _extrapolate(up / rise, rise, noise_up, order=1)
        left, left_bar = _extrapolate(down / fall, fall, noise_down, order=1)
        value, bar = _extrapolate(both / (rise + fall), (rise + fall) / 2, noise, order=2)
        right, right_bar = _diverging(right, right_bar, up, rise, size, np.abs(ups), eps)
        left, left_bar = _diverging(left, left_bar, down, fall, size, np.abs(downs), eps)
        gap = np.abs(right - left)
        kink = gap > 3 * (left_bar + right_bar) + 1e-5 * np.minimum(np.abs(right), np.abs(left))
        kink &= _persists(up / rise - down / fall, right - left)
        kink |= np.isinf(left) | np.isinf(right)
        # if phi is defined on one side only, take that side's derivative
        for one, one_bar, other in ((right, right_bar, left), (left, left_bar, right)):
            edge = np.isnan(other) & ~np.isnan(one)
            value, bar = np.where(edge, one, value), np.where(edge, one_bar, bar)
        # if the central value disagrees with a side, its bar must cover the difference
        for one, one_bar in ((right, right_bar), (left, left_bar)):
            apart = np.abs(value - one)
            bar = np.where(apart > 3 * (bar + one_bar), np.maximum(bar, apart), bar)
        bar = np.where(quantum > 1e3 * rounding * size, ROUGH * bar, bar)
    bar = np.where(np.isnan(value) | np.isnan(bar), np.inf, bar)
    return Derivative(np.where(kink, np.nan, value), bar, left, right, kink, size)


def _steps(at: float, scale: float, far: bool, eps: float) -> list[float]:
    """Steps from an eighth of the scale down; also from the size of `at`, if that is much smaller.

    A function that is rounded inside may move only at larger steps. `far` adds steps up to the
    whole scale, and up to 1, since numbers are often rounded to integers.
    """
    top = _power_of_two(max(scale, abs(at)) / 8)
    chosen = {float(np.ldexp(top, -2 * k)) for k in range(24)}  # RATIO is 2²
    if far:
        up = int((np.log2(2 * max(scale, abs(at), 1.0)) - np.log2(top)) / np.log2(RATIO))
        chosen |= {float(np.ldexp(top, 2 * k)) for k in range(max(1, up - 23), up + 1)}
    if 0 < abs(at) < 1e-3 * scale:
        down = int((np.log2(8 * top) - np.log2(abs(at))) / np.log2(RATIO))
        chosen |= {float(np.ldexp(top, -2 * k)) for k in range(down, down + 14)}
    return sorted((h for h in chosen if h >= 4 * np.spacing(abs(at)) * (eps / EPS)), reverse=True)


def _noise(change: Array, steps: Array, size: Array, quantum: Array, eps: float) -> Array:
    """How uncertain phi's change is at each step: the larger of expected and measured rounding.

    At the smallest steps the change should be linear in the step. Any deviation is noise.
    """
    expected = ERRORS * eps * np.where(np.isfinite(size), size, np.inf) + 5e-324
    slope = change[-5] / steps[-5] if len(steps) > 5 else 0.0 * change[-1]
    odd = np.abs(change[-4:] - slope * steps[-4:])
    measured = np.max(np.where(np.isfinite(odd), odd, 0.0), axis=0)
    return np.maximum(expected, np.maximum(measured, quantum))


def _extrapolate(slopes: Array, steps: Array, noise: Array, order: int) -> tuple[Array, Array]:
    """The limit of `slopes` as the steps shrink, and its error bar, from Richardson's table.

    The error of the slopes is a series in step**order. Each entry of the table is a candidate. Its
    bar is its distance from its neighbours plus noise / step. A candidate is dropped if one from
    smaller steps contradicts it. Of the others, the one with the smallest bar is taken.
    """
    floor = noise / steps
    shrink = (steps[:-1] / steps[1:]) ** order
    t1, e1 = _next_column(slopes, shrink)
    t2, e2 = _next_column(t1, shrink[1:] ** 2)
    e0 = np.abs(np.diff(slopes, axis=0))
    # from the smallest steps up; each candidate is (value, bar)
    value = np.full(slopes.shape[1], np.nan)
    bar = np.full(slopes.shape[1], np.inf)
    low, high = -bar, bar
    for k in range(len(slopes) - 1, 0, -1):
        candidates = [(slopes[k], e0[k - 1] + floor[k]), (t1[k - 1], e1[k - 1] + 2 * floor[k])]
        if k > 1:
            candidates.append((t2[k - 2], e2[k - 2] + 2 * floor[k]))
        allowed_low, allowed_high = low, high
        for v, b in candidates:
            b = np.where(np.isfinite(v) & np.isfinite(b), b, np.inf)
            stands = (v + b >= low) & (v - b <= high)
            better = stands & (b < bar)
            value, bar = np.where(better, v, value), np.where(better, b, bar)
            allowed_low = np.where(stands, np.maximum(allowed_low, v - 5 * b), allowed_low)
            allowed_high = np.where(stands, np.minimum(allowed_high, v + 5 * b), allowed_high)
        low, high = allowed_low, allowed_high
    return np.where(np.isfinite(bar), value, np.nan), bar


def _next_column(table: Array, shrink: Array) -> tuple[Array, Array]:
    """The next column of Richardson's table, and how much its entries changed."""
    improved = table[1:] + (table[1:] - table[:-1]) / (shrink - 1)
    moved = np.abs(improved - table[1:])
    neighbour = np.abs(np.diff(improved, axis=0))
    # compared with both neighbours, so that one lucky agreement does not count
    moved[1:] = np.maximum(moved[1:], neighbour)
    moved[:-1] = np.maximum(moved[:-1], neighbour)
    return improved, moved


def _quantum(
    up: Array, rise: Array, down: Array, fall: Array, size: Array, rounding: float
) -> Array:
    """The height of a staircase, which phi is if it is rounded inside to fewer digits.

    Float32 inside has this effect, and so has cancellation, as in 1 + tanh(x) for x far below 0. At
    the smallest steps phi then follows a straight line. At some larger step it suddenly departs
    from that line; a smooth function would do so gradually. It departs on both sides by about the
    same height. A departure on one side only is a kink or a jump nearby.
    """
    (above, far_above), (below, far_below) = (
        _departure(change, steps, rounding * size) for change, steps in ((up, rise), (down, fall))
    )
    higher, lower = np.maximum(above, below), np.minimum(above, below)
    stair = (far_above | far_below) & (lower > higher / ALIKE) & (higher < COARSEST * size)
    scatter = np.minimum(_scatter(up), _scatter(down))
    scatter = np.where(scatter < COARSEST * size, scatter, 0.0)
    return np.maximum(np.where(stair, higher, 0.0), scatter)


def _scatter(change: Array) -> Array:
    """The part of phi's changes that does not shrink with the step.

    If it appears on both sides, it is rounding inside phi. Constant, linear and quadratic terms
    cancel in a difference over four neighbouring steps. For a smooth function, the rest shrinks by
    RATIO³ from step to step.
    """
    left = change
    for power in range(3):
        left = (left[:-1] - RATIO**power * left[1:]) / (1 + RATIO**power)
    left = np.abs(np.where(np.isfinite(left), left, 0.0))
    lasting = left[:-1] < ALIKE * left[1:]
    return np.max(left[:-1], axis=0, where=lasting, initial=0.0)


def _departure(change: Array, steps: Array, floor: Array) -> tuple[Array, Array]:
    """How far phi suddenly departs from its line, and whether it followed the line before."""
    slope, before = change[-1] / steps[-1], floor
    height, had_followed = np.zeros(floor.shape), np.zeros(floor.shape, bool)
    for k in range(len(steps) - 2, -1, -1):
        off = np.abs(change[k] - slope * steps[k])
        sudden = (height == 0) & (off > SUDDEN * before)
        height = np.where(sudden, off, height)
        had_followed |= sudden & (k < len(steps) - 3)
        slope, before = change[k] / steps[k], np.maximum(off, floor)
    return height, had_followed


def _persists(gaps: Array, gap: Array) -> Array:
    """Whether the slopes of the two sides differ by about `gap` at several steps in a row.

    At a kink they do at every small step. If only noise sets them apart, few steps agree by chance.
    """
    run = longest = np.zeros(gap.shape, int)
    for close in np.abs(gaps - gap) <= np.abs(gap) / 4:
        run = np.where(close, run + 1, 0)
        longest = np.maximum(longest, run)
    return longest >= PERSISTENT


def _diverging(
    value: Array, bar: Array, change: Array, steps: Array, size: Array, near: Array, eps: float
) -> tuple[Array, Array]:
    """±inf where the difference quotients grow without end: a jump, or a vertical tangent."""
    last = slice(-8, None)
    quotient = np.abs(change / steps)[last]
    grows = np.all(quotient[1:] > 1.5 * quotient[:-1], axis=0)
    jumps = quotient[-1] > 0.8 * RATIO * quotient[-2]
    same = np.all(np.sign(change[last]) == np.sign(change[-1]), axis=0)
    least = np.where(jumps, COARSEST * size, max(1e-7, 1e3 * eps) * near[-1])  # else rounding
    endless = grows & same & (np.abs(change[-1]) > least)
    return np.where(endless, np.sign(change[-1]) * np.inf, value), np.where(endless, 0.0, bar)


def _power_of_two(x: float) -> float:
    """A power of two near x. Adding it to a number and subtracting it again is often exact."""
    return 2.0 ** round(min(max(math.log2(x), -1000.0), 1000.0)) if x else 2.0**-1000


def scales(x: Array) -> Array:
    """The scale of each coordinate: its absolute value, but at least the median of those not 0."""
    size = np.abs(x)
    usual = np.median(size[size > 0]) if np.any(size > 0) else 1.0
    return np.maximum(size, usual)
