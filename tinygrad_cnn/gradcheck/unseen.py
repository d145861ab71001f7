"""What a check could not see: an input without influence, a bound or a branch that is not reached.

A gradient is compared with what the function does at the inputs that were given. Where nothing
moves, 0 is right, and a vjp that always returns 0 passes. A few other inputs are drawn, to say
which would show more, and what the check says of those.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np

from .report import Report
from .subjects.base import Array, Subject

DRAWN = 4  # seeds that are tried at each size
SIZES = (1.0, 4.0, 16.0)  # of the inputs that are drawn, relative to the given ones
BENT = 1e-6  # relative: what departs from a straight line by more is no rounding


def tell_unseen(
    report: Report,
    subject: Subject,
    evaluate: Callable[[], Array],
    again: Callable[[], Report],
) -> None:
    """Complete a report on a right gradient: what these inputs could not show, and what would.

    Args:
        report: `unseen` has the names of inputs without influence; its words are filled in.
        subject, evaluate: what was checked; the arrays are moved and restored.
        again: checks the subject at its current arrays.
    """
    still, straight = list(report.unseen), _straight(report)
    told, tries = [], []
    if still:
        listed = " and ".join(f"'{name}'" for name in still)
        has, its, counts = "has", "its gradient was", "counts"
        if len(still) > 1:
            has, its, counts = "have", "their gradients were", "count"
        told.append(f"{listed} {has} no influence here, so {its} compared with 0 alone")
        shows = f"there {listed} {counts}"
        reached = _first(subject, still, lambda: _moves(subject, still, evaluate), shows, again)
        tries.append(reached or f"inputs at which {listed} {counts}; random ones did not help")
    elif straight:
        name, slope = straight
        here = evaluate()
        home = [array.copy() for array in subject.arrays]
        k = list(subject.names).index(name)
        reached = _first(
            subject,
            [name],
            lambda: _bends(subject, k, home, here, slope, evaluate),
            "there the slope is another",
            again,
            alone=True,
        )
        if reached:
            told.append(
                f"the slope in '{name}' is {slope:.4g} throughout, though not at other inputs: a "
                "bound or a branch was not reached"
            )
            tries.append(reached)
    if not still:
        _tell_branches(subject, told, tries, again)
    report.unseen = told
    if told and report.verdict == "ok":
        report.diagnosis = f"right as far as it goes: {told[0]}"
    report.what_to_try = "; ".join([t for t in (report.what_to_try, *tries) if t])


def _straight(report: Report) -> tuple[str, float] | None:
    """An input in which the function has one slope everywhere, as x clipped far from its bounds."""
    for name, value in report.numeric.items():
        if not value.size:
            continue
        count = report.inputs[name].size
        # at equal numbers any function has equal slopes; at opposite ones, an odd one
        if np.ptp(np.abs(report.inputs[name])) > 0 and value.size == count**2:
            square = value.reshape(count, count)
            diagonal = np.diagonal(square)
            slope = float(diagonal[0])
            flat = np.allclose(diagonal, slope, rtol=1e-9, atol=0)
            if flat and slope and np.count_nonzero(square) == count:
                return name, slope
    return None


def _tell_branches(
    subject: Subject, told: list[str], tries: list[str], again: Callable[[], Report]
) -> None:
    """Add what is known of each `where` all of whose elements take one branch."""
    conditions = subject.conditions()
    lone = [i for i, taken in enumerate(conditions) if taken.size and not _mixed(taken)]
    if not lone:
        return
    branch = "second" if conditions[lone[0]].all() else "first"
    which = "a `where`" if len(conditions) == 1 else f"{len(lone)} of {len(conditions)} `where`s"
    told.append(f"the {branch} branch of {which} is taken nowhere here")

    def both() -> bool:
        try:
            subject.record()
            now = subject.conditions()
        except Exception:
            return False
        return len(now) == len(conditions) and all(_mixed(now[i]) for i in lone)

    reached = _first(subject, subject.names, both, "there both are taken", again)
    tries += [reached] if reached else []


def _mixed(condition: Array) -> bool:
    """Whether some elements of a condition are true and some are not."""
    return bool(condition.any() and not condition.all())


def _first(
    subject: Subject,
    names: Sequence[str],
    shows: Callable[[], bool],
    what: str,
    again: Callable[[], Report],
    alone: bool = False,
) -> str:
    """How to draw inputs at which `shows` is true, and what is found there.

    Those of these names, or else (if not `alone`) all.

    Empty if no draw helped.
    """
    home = [array.copy() for array in subject.arrays]
    usual = max((float(np.max(np.abs(a), initial=0.0)) for a in home), default=0.0) or 1.0
    some = [k for k, name in enumerate(subject.names) if name in names]
    every = list(range(len(home)))
    try:
        for chosen in [some] if alone or some == every else [some, every]:
            for size, seed in itertools.product(SIZES, range(DRAWN)):
                scale = float(f"{size * usual:.1g}")
                random = np.random.default_rng(seed)
                for k in chosen:
                    subject.arrays[k][...] = scale * random.standard_normal(home[k].shape)
                if not shows():
                    continue
                listed = ", ".join(f"'{subject.names[k]}'" for k in chosen)
                order = " in this order" if len(chosen) > 1 else ""
                found = again()
                wrong = found.verdict == "wrong" or found.pattern
                return (
                    f"draw {listed}{order} as {scale:g} * random.standard_normal(shape), with "
                    f"random = np.random.default_rng({seed}): {what}"
                    + (f", and a check finds: {found.diagnosis}" if wrong else "")
                )
        return ""
    finally:
        for array, before in zip(subject.arrays, home, strict=True):
            array[...] = before


def _value(evaluate: Callable[[], Array]) -> Array | None:
    """The function's value; None where it has none."""
    try:
        value = evaluate()
    except Exception:
        return None
    return value if np.isfinite(value).all() else None


def _moves(subject: Subject, names: Sequence[str], evaluate: Callable[[], Array]) -> bool:
    """Whether each of these inputs has an influence at the current ones."""
    before = _value(evaluate)
    for k, name in enumerate(subject.names):
        if name in names and before is not None:
            array, kept = subject.arrays[k], subject.arrays[k].copy()
            array *= 1 + 1e-4 * np.cos(np.arange(array.size)).reshape(array.shape)
            after = _value(evaluate)
            array[...] = kept
            if after is None or np.array_equal(after, before):
                return False
    return before is not None


def _bends(
    subject: Subject,
    k: int,
    home: Sequence[Array],
    here: Array,
    slope: float,
    evaluate: Callable[[], Array],
) -> bool:
    """Whether the function is not on the straight line that it follows at the given inputs."""
    there = _value(evaluate)
    if there is None or there.shape != here.shape:
        return False
    line = here + slope * (subject.arrays[k] - home[k]).reshape(-1)
    return bool(np.abs(there - line).max() > BENT * np.abs(line).max())
