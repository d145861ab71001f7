"""Columns of a sparse Jacobian, perturbed together (Curtis, Powell & Reid 1974).

Two inputs that, by the claimed Jacobian, move different outputs can move at once: each output then
says which of them it saw. The claim itself is tested by that: the steps are random, so an output
that moves otherwise than claimed gives the group away, and its columns are taken one by one.
A convolution needs a group for each place in its kernel, an elementwise function one in all. With
each column alone, a check of a matrix product takes 1.3 times as long, of a convolution 1.1 times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from .numeric import KINK, ROUNDING, Array

AGREED = 1e-9  # relative: closer than any claim that was not computed from the right formula
MOST_TRIED = 64  # groups that a column is tried in


def disjoint(support: Array) -> list[Array]:
    """Columns sorted into groups that share no row, first fit; only groups of two or more.

    Args:
        support: which entries of a Jacobian, (outputs, inputs), are not zero.
    """
    taken: list[int] = []  # the rows of each group, as bits
    groups: list[list[int]] = []
    shared = np.flatnonzero(~support.all(axis=0))  # what moves every output moves alone
    for j, column in zip(shared, np.packbits(support[:, shared], axis=0).T, strict=True):
        rows = int.from_bytes(column.tobytes())
        free = next((k for k, others in enumerate(taken) if not rows & others), len(taken))
        if free == MOST_TRIED:
            continue
        if free == len(taken):
            taken.append(0)
            groups.append([])
        taken[free] |= rows
        groups[free].append(int(j))
    return [np.array(group) for group in groups if len(group) > 1]


class Move(NamedTuple):
    """What came of moving a group of columns; the fields are as `central` takes them."""

    columns: Array
    up: Array  # (outputs, columns): of each column, the outputs that it moves
    down: Array
    rise: Array
    fall: Array
    step: Array


def together(
    evaluate: Callable[[], Array],
    x: Array,
    here: Array,
    claimed: Array,
    step: Array,
    random: np.random.Generator,
) -> Iterator[Move]:
    """The groups that behave as claimed, moved.

    Args:
        evaluate: the function's value, flat, at x as it is now.
        x: one input, flat; perturbed in place and put back.
        here: the value at x.
        claimed: the Jacobian that the groups are made by, and held against.
        step: how far each coordinate is to move, at most.
        random: draws the steps.
    """
    groups = disjoint(claimed != 0)
    if not groups:
        return
    largest = float(np.max(np.abs(claimed), initial=0.0))
    sizes = step * random.uniform(0.5, 1, len(step))
    moves = sizes * random.choice([-1, 1], len(step))
    for group in groups:
        home, size, moved = x[group], sizes[group], moves[group]
        try:
            x[group] = home + moved
            rise, up = x[group] - home, evaluate()
            x[group] = home - moved
            fall, down = home - x[group], evaluate()
        finally:
            x[group] = home
        block, still = claimed[:, group], here[:, None]
        mine = block != 0
        expected = block @ (rise + fall)
        bend = (up - here) - (here - down) - block @ (rise - fall)
        reach = np.max(size * mine, axis=1, initial=0.0)  # of the column it saw
        rounding = 2 * ROUNDING * np.maximum(np.maximum(np.abs(up), np.abs(down)), np.abs(here))
        agrees = np.abs(up - down - expected) <= rounding + AGREED * np.abs(expected)
        straight = np.abs(bend) <= KINK * largest * reach + 2 * rounding
        if (agrees & straight).all():
            ups, downs = np.where(mine, up[:, None], still), np.where(mine, down[:, None], still)
            yield Move(group, ups, downs, rise, fall, size)
