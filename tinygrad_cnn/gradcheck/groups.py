"""Columns of a sparse Jacobian, perturbed together (Curtis, Powell & Reid 1974).

Two inputs that, by the claimed Jacobian, move different outputs can move at once: each output then
says which of them it saw. The claim itself is tested by that: the steps are random, so an output
that moves otherwise than claimed gives the group away, and its columns are taken one by one.
A convolution needs a group for each place in its kernel, an elementwise function one in all.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .numeric import KINK, ROUNDING, Array, Quick, standard_step

AGREED = 1e-9  # relative: closer than any claim that was not computed from the right formula
MOST_TRIED = 64  # groups that a column is tried in


def disjoint(support: Array) -> list[Array]:
    """Columns sorted into groups that share no row, first fit; only groups of two or more.

    Args:
        support: which entries of a Jacobian, (outputs, inputs), are not zero.
    """
    taken: list[int] = []  # the rows of each group, as bits
    groups: list[list[int]] = []
    for j, column in enumerate(np.packbits(support, axis=0).T):
        rows = int.from_bytes(column.tobytes())
        free = next((k for k, others in enumerate(taken) if not rows & others), len(taken))
        if free == MOST_TRIED:
            continue
        if free == len(taken):
            taken.append(0)
            groups.append([])
        taken[free] |= rows
        groups[free].append(j)
    return [np.array(group) for group in groups if len(group) > 1]


def together(
    evaluate: Callable[[], Array],
    x: Array,
    here: Array,
    claimed: Array,
    scale: Array,
    random: np.random.Generator,
) -> dict[int, Quick]:
    """What `quick` would find for the columns whose group behaves as claimed, by column.

    Args:
        evaluate: the function's value, flat, at x as it is now.
        x: one input, flat; perturbed in place and put back.
        here: the value at x.
        claimed: the Jacobian that the groups are made by, and held against.
        scale: of each coordinate.
        random: draws the steps.
    """
    found: dict[int, Quick] = {}
    largest = float(np.max(np.abs(claimed), initial=0.0))
    for group in disjoint(claimed != 0):
        home = x[group].copy()
        step = np.array([standard_step(s) for s in scale[group]])
        step = step * random.uniform(0.5, 1, len(group)) * random.choice([-1, 1], len(group))
        x[group] = home + step
        rise, up = x[group] - home, evaluate()
        x[group] = home - step
        fall, down = home - x[group], evaluate()
        x[group] = home
        block = claimed[:, group]
        size = np.maximum(np.maximum(np.abs(up), np.abs(down)), np.abs(here))
        expected = block @ (rise + fall)
        bend = (up - here) - (here - down) - block @ (rise - fall)
        reach = np.max(np.abs(step) * (block != 0), axis=1, initial=0.0)  # of the column it saw
        rounding = 2 * ROUNDING * size
        agrees = np.abs(up - down - expected) <= rounding + AGREED * np.abs(expected)
        straight = np.abs(bend) <= KINK * largest * reach + 2 * rounding
        if not (agrees & straight).all():
            continue
        change = np.where(block != 0, (up - down)[:, None], 0.0)
        for i, j in enumerate(group):
            found[int(j)] = Quick(
                change[:, i] / (rise + fall)[i],
                ROUNDING * size / abs(step[i]),
                np.zeros(len(here)),
                abs(float(step[i])),
                size,
            )
    return found
