"""Columns of a sparse Jacobian, perturbed together (Curtis, Powell & Reid 1974).

If two inputs move different outputs, as the claimed Jacobian says, they can be perturbed at once.
Each output then shows the effect of one of them. This also tests the claim. The steps are random,
so if the claim is wrong, some output moves by another amount than it predicts. The columns of such
a group are then perturbed one by one. A convolution needs a group for each position in its kernel,
an elementwise function a single group. With each column alone, a check of a matrix product takes
1.3 times as long, of a convolution 1.1 times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from .numeric import KINK, ROUNDING, Array

AGREED = 1e-9  # relative: only a claim from the right formula comes this close
MOST_TRIED = 64  # how many groups a column is tried in


def disjoint(support: Array) -> list[Array]:
    """Sort columns into groups that share no row, each into the first that fits.

    Groups of a single column are left out.

    Args:
        support: which entries of a Jacobian, (outputs, inputs), are not zero.
    """
    taken: list[int] = []  # the rows of each group, as bits
    groups: list[list[int]] = []
    shared = np.flatnonzero(~support.all(axis=0))  # the others fit into no group
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
    """The values after a group of columns moved; the fields are arguments of `central`."""

    columns: Array
    up: Array  # (outputs, columns): the outputs that each column moves
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
    """Move each group of columns, and yield those that behave as claimed.

    Args:
        evaluate: returns the function's value, flat, at the current x.
        x: one input, flat. It is perturbed in place and restored.
        here: the value at x.
        claimed: the Jacobian that defines the groups, and that they are compared with.
        step: the largest step for each coordinate.
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
        reach = np.max(size * mine, axis=1, initial=0.0)  # the step of the column that moves it
        rounding = 2 * ROUNDING * np.maximum(np.maximum(np.abs(up), np.abs(down)), np.abs(here))
        agrees = np.abs(up - down - expected) <= rounding + AGREED * np.abs(expected)
        straight = np.abs(bend) <= KINK * largest * reach + 2 * rounding
        if (agrees & straight).all():
            ups, downs = np.where(mine, up[:, None], still), np.where(mine, down[:, None], still)
            yield Move(group, ups, downs, rise, fall, size)
