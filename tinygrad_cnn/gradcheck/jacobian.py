"""The numerical Jacobian with error bars: quick where it confirms the claimed one, else careful.

Every column (one input coordinate) takes two evaluations. Columns that move different outputs can
share them. A column that disagrees with the claimed Jacobian, looks kinked, or is too uncertain
takes two more evaluations, or the whole ladder of steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .groups import together
from .numeric import (
    EPS,
    KINK,
    Curve,
    Derivative,
    Quick,
    careful,
    central,
    on_grid,
    scales,
    standard_step,
)

Array = np.ndarray[Any, Any]

UNRESOLVED = 1e-4  # a bar wider than this share of the largest slope is measured again
TOO_WIDE = 0.02  # ... and one wider than this share is too uncertain to judge by
NEGLIGIBLE = 1e-11  # ... unless it is below this share of |f| / |x|
LEFT = 1e-12  # relative to terms that cancel: the rounding error of the backward pass
LEFT_NARROW = 100  # ... in units of the precision of a function that takes no float64
NOTHING = 1e-8  # a slope below this share of an output's other slopes may stay uncertain
TRUNCATED = 1e-9  # relative to an output's largest slope: error that one difference cannot show
CONFIRMED = 3  # how many of the worst columns go through the ladder before a verdict of "wrong"


class Numeric(NamedTuple):
    """A numerical Jacobian, (outputs, inputs), with the fields of `Derivative` and sizes."""

    value: Array
    bar: Array
    left: Array
    right: Array
    kink: Array
    size: Array  # |f|
    scale: Array  # |x|, of each column
    largest: float  # the largest |value| that exceeds its bar

    def too_wide(self, claimed: Array, most: Array) -> Array:
        """The entries that cannot be judged.

        Their bar is wide relative to the input's largest slope, and also relative to |f| / |x|.
        (That is the slope of a function whose value doubles if its input does.)

        Args:
            claimed: the analytic Jacobian.
            most: how far each output moves at most, as from `moves`.
        """
        slope = max(self.largest, float(np.max(np.abs(np.nan_to_num(claimed)), initial=0.0)))
        wide = ~(self.bar <= TOO_WIDE * slope)
        if not wide.any():
            return wide
        limit = np.maximum(TOO_WIDE * slope, NEGLIGIBLE * self.size / self.scale)
        still = (self.value == 0) & (claimed == 0)
        slightest = NOTHING * most[:, None] / self.scale
        nothing = np.abs(self.value) + np.abs(claimed) + self.bar <= slightest
        return ~self.kink & ~still & ~nothing & (self.bar > limit)


class Tolerance(NamedTuple):
    """What is allowed beyond the error bar."""

    relative: float = 1e-6  # a smaller difference is rounding, not a mistake
    absolute: float | None = None  # None: `left` of the input's largest slope
    eps: float = EPS  # the precision that the function computes in
    repeated: float = 0.0  # how far two runs may differ

    @classmethod
    def of(
        cls, rtol: float | None, atol: float | None, eps: float, repeated: float = 0.0
    ) -> Tolerance:
        """The caller's, or what suits the precision."""
        usual = 1e-6 if eps <= EPS else eps**0.5
        return cls(usual if rtol is None else rtol, atol, eps, repeated)

    @property
    def left(self) -> float:
        """What rounding leaves of terms that cancel, relative to them."""
        return LEFT if self.eps <= EPS else LEFT_NARROW * self.eps

    def wrong(self, claimed: Array, found: Numeric) -> Array:
        """The entries that differ by more than bar and tolerance allow; never those at a kink."""
        absolute = self.left * found.largest if self.absolute is None else self.absolute
        allowed = found.bar + self.relative * np.abs(found.value) + absolute
        off = ~(np.abs(claimed - found.value) <= allowed)
        return off & ~found.kink & np.isfinite(found.bar) if off.any() else off


def numerical_jacobian(
    evaluate: Callable[[], Array],
    x: Array,
    here: Array,
    claimed: Array,
    tolerance: Tolerance,
    random: np.random.Generator,
) -> Numeric:
    """The derivative of the function with respect to each element of x, with error bars.

    Args:
        evaluate: returns the function's value, flat, at the current x.
        x: one input, flat. It is perturbed in place and restored.
        here: the value at x.
        claimed: the analytic Jacobian. Columns that disagree with it are measured again.
        tolerance: differences within it are not measured again.
        random: draws the steps of groups, and the coordinates to try if no output moves.
    """
    scale, eps = scales(x), tolerance.eps
    first = _differences(evaluate, x, here, claimed, scale, random, eps)
    slope, bar, asymmetry, _, size = first
    reach = np.where(np.isfinite(slope), np.abs(slope), 0.0) * scale
    bar = bar + TRUNCATED * np.max(reach, axis=1, keepdims=True, initial=0.0) / scale
    smooth = np.zeros(slope.shape, bool)
    found = Numeric(
        slope.copy(), bar, slope.copy(), slope.copy(), smooth, size, scale, _largest(slope, bar)
    )
    off = ~(np.abs(claimed - slope) <= bar + 1e-7 * np.abs(slope))
    kinked = ~(np.abs(asymmetry) <= KINK * found.largest + 4 * bar)
    vague = (bar > UNRESOLVED * found.largest) & ((slope != 0) | (claimed != 0))
    vague |= bar > TOO_WIDE * found.largest if found.largest else False
    suspects = np.flatnonzero((off | kinked | vague).any(axis=0))
    if not slope.any() and not claimed.any():
        # no output moves at all; try larger steps on a few coordinates
        suspects = np.union1d(suspects, random.permutation(x.size)[:CONFIRMED])
        off = np.ones_like(off)

    def look_closely(j: int, doubted: Array | bool, needed: Array | float) -> None:
        curve = _along(evaluate, x, j)
        better = careful(curve, x[j], scale[j], here, first.column(j), doubted, needed, eps)
        for field in Derivative._fields:
            getattr(found, field)[:, j] = getattr(better, field)

    for j in suspects:
        look_closely(int(j), off[:, j], UNRESOLVED * found.largest)
    wrong = tolerance.wrong(claimed, found)
    excess = np.max(np.abs(claimed - found.value), axis=0, where=wrong, initial=0.0)
    for count, j in enumerate(np.argsort(-excess)[: np.count_nonzero(excess)]):
        look_closely(int(j), wrong[:, j].copy(), np.where(wrong[:, j], -1.0, np.inf))
        acquitted = wrong[:, j] & ~tolerance.wrong(claimed, found)[:, j]
        if count + 1 >= CONFIRMED and not acquitted.any():
            break
    return found._replace(largest=_largest(found.value, found.bar))


# If `quick` is called for each column, a check of a layer of plain arrays takes 1.4 times as long,
# of a block of 576 outputs 1.2 times.
def _differences(
    evaluate: Callable[[], Array],
    x: Array,
    here: Array,
    claimed: Array,
    scale: Array,
    random: np.random.Generator,
    eps: float,
) -> Quick:
    """A central difference for each column: in groups that behave as claimed, else one by one."""
    step = np.array([standard_step(s, eps) for s in scale])
    above, below = on_grid(x + step, eps), on_grid(x - step, eps)
    rise, fall = above - x, x - below
    up, down = np.empty(claimed.shape), np.empty(claimed.shape)
    alone = np.ones(x.size, bool)
    # a narrow function agrees with its claim too loosely to confirm a group
    groups = together(evaluate, x, here, claimed, step, random) if eps <= EPS else ()
    for columns, *moved in groups:
        alone[columns] = False
        up[:, columns], down[:, columns], rise[columns], fall[columns], step[columns] = moved
    home = x.copy()
    try:
        for j in np.flatnonzero(alone):
            x[j] = above[j]
            up[:, j] = evaluate()
            x[j] = below[j]
            down[:, j] = evaluate()
            x[j] = home[j]
    finally:
        x[...] = home
    return central(up, down, here[:, None], rise, fall, step, eps)


def moves(found: Sequence[Numeric]) -> Array:
    """How far each output moves at most, if one element of any input moves by its scale.

    A gradient that is tiny in comparison is the rounding error of terms that cancel, as for a bias
    before a norm.
    """
    every = [np.abs(np.nan_to_num(n.value, posinf=0, neginf=0)) * n.scale for n in found]
    return np.max([e.max(axis=1, initial=0.0) for e in every], axis=0)


def _largest(value: Array, bar: Array) -> float:
    stands_out = np.isfinite(value) & (np.abs(value) > bar)
    return float(np.max(np.abs(value), where=stands_out, initial=0.0))


def _along(evaluate: Callable[[], Array], x: Array, j: int) -> Curve:
    """The function along one coordinate, which is restored after each evaluation."""
    home = x[j]

    def curve(t: float) -> Array:
        x[j] = t
        try:
            return evaluate()
        finally:
            x[j] = home

    return curve
