"""Patterns of a missing part: a mask, the targets, the other factor of a product, some outputs.

Many are confirmed by the Jacobians at other inputs. In the sentences @ is the input's name.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .case import Array, Case

TRIED = 2  # how many losers are made the winner, as a test


def factor_missing(case: Case, k: int) -> str | None:
    """The gradient is what it would be if another input were 1: that factor is missing."""
    output, x = case.output, case.inputs[k]
    bare = np.eye(x.size) if output.size == x.size > 1 and output.shape == x.shape else None
    for m, other in enumerate(case.inputs):
        for one in _ones(other) if m != k else ():
            arrays = list(case.inputs)
            arrays[m] = one
            found = case.elsewhere(arrays)
            if found and case.same(k, found[1][k]):
                name = case.names[m]
                return f"the gradient for @ lacks the factor '{name}': it is as if that were 1"
    moves = (case.numeric[k][case.wrong[k]] != 0).any()
    if bare is not None and moves and case.same(k, bare):
        return "a factor is missing in the gradient for @: the cotangent is passed on as it is"
    return None


def winner_ignored(case: Case, k: int) -> str | None:
    """A maximum whose gradient goes to all elements, not to the largest alone.

    At the wrong entries the numerical derivative is 0, since the element does not win. As a test,
    such an element is made the winner. Its derivative must then be the claimed one, or (if the
    claimed ones are those of winners) must not be 0.
    """
    a, n, wrong = case.analytic[k], case.numeric[k], case.wrong[k]
    if (n[wrong] != 0).any():
        return _shared(case, k)
    winners = [np.where(w, 0.0, m) for m, w in zip(case.numeric, case.wrong, strict=True)]
    rows, columns = np.nonzero(wrong)
    alike = True
    for i in np.unique(rows):
        moving = np.concatenate([m[i][m[i] != 0] for m in winners])
        claimed = a[i][wrong[i]]
        alike &= all(np.isclose(moving, c, rtol=1e-4, atol=0).any() for c in claimed)
    chosen = np.linspace(0, len(rows) - 1, TRIED).astype(int)
    for i, j in {(int(rows[c]), int(columns[c])) for c in chosen}:
        if not any(
            slope != 0 and (alike or np.isclose(slope, a[i, j], rtol=1e-3, atol=0))
            for slope in _moved(case, k, i, j)
        ):
            return None
    return (
        "the gradient of a maximum (or minimum) goes on to all elements of @, where only the "
        "winner should get it"
    )


def _shared(case: Case, k: int) -> str | None:
    """The winner's slope is divided equally among all elements that compete with it."""
    a, n, wrong = case.analytic[k], case.numeric[k], case.wrong[k]
    rows = wrong.any(axis=1)
    competing = (a != 0).sum(axis=1, keepdims=True)
    made = (a != 0) * n.sum(axis=1, keepdims=True) / np.maximum(competing, 1)
    losers = np.argwhere(wrong & (n == 0))
    single = ((n != 0).sum(axis=1) == 1)[rows].all()
    if not len(losers) or not single or not case.same(k, made):
        return None
    i, j = map(int, losers[0])
    if not any(_moved(case, k, i, j)):
        return None
    return (
        "the gradient of a maximum (or minimum) is shared by all elements of @, where only the "
        "winner should get it"
    )


def mask_missing(case: Case, k: int) -> str | None:
    """The gradient is wrong only where the true derivative is 0."""
    n, wrong = case.numeric[k], case.wrong[k]
    if (n[wrong] != 0).any():
        return None
    return (
        "the gradient for @ is not 0 where the function does not move with it: a mask is missing, "
        "as of a ReLU, a clip or a dropout"
    )


def outer_derivative_missing(case: Case, k: int) -> str | None:
    """Each output's row is off by a factor of its own, as if an outer function were linear."""
    a, n = case.analytic[k], case.numeric[k]
    if (((n != 0).sum(axis=1) < 2) & case.wrong[k].any(axis=1)).any():
        return None
    square = (n * n).sum(axis=1, keepdims=True)
    factor = np.divide((a * n).sum(axis=1, keepdims=True), square, where=square > 0, out=square * 0)
    if not factor.all():
        return None
    # an uncertain row, such as that of a saturated output, is not used
    largest = np.abs(n).max(axis=1, keepdims=True)
    known = case.bar[k].max(axis=1, keepdims=True) <= 1e-3 * largest
    # compared with n, not a: a large factor would also enlarge the uncertainty of n
    slack = 4 * case.bar[k] + 1e-4 * np.abs(n) + 1e-7 * largest
    if not known.any() or (known & (np.abs(a / factor - n) > slack)).any():
        return None
    factor = factor[known]
    low, high = sorted((float(factor.min()), float(factor.max())))
    return (
        f"the gradient for @ is off by a factor for each output ({low:.3g} to {high:.3g}): the "
        "cotangent is not multiplied by the derivative of what follows @"
    )


def outputs_lost(case: Case, k: int) -> str | None:
    """The cotangents of some outputs are lost; the gradients of the others are right."""
    a, wrong = case.analytic[k], case.wrong[k]
    lost = np.asarray(wrong.any(axis=1))
    if a[lost].any() or lost.all():
        return None
    return (
        f"{lost.sum()} of {len(lost)} outputs do not count in the gradient for @: what meets at "
        "one element must be added, not overwritten"
    )


def target_missing(case: Case, k: int) -> str | None:
    """The gradient is softmax(x)·g, where (softmax(x) − one_hot)·g is right."""
    x = case.inputs[k]
    rows = case.analytic[k].reshape(-1, *x.shape)
    right = case.numeric[k].reshape(rows.shape)
    for axis in range(1, x.ndim + 1):
        if x.shape[axis - 1] < 2:
            continue
        e = np.exp(x - x.max(axis - 1, keepdims=True))
        share = e / e.sum(axis - 1, keepdims=True)
        made = rows.sum(axis, keepdims=True) * share
        balanced = np.abs(right.sum(axis)).max() <= 1e-5 * np.abs(right).max()
        if balanced and rows.any() and case.same(k, made.reshape(case.analytic[k].shape)):
            return (
                "the targets are missing in the gradient for @: it is softmax(@) times the "
                "cotangent, where it should be softmax(@) minus the one-hot target"
            )
    return None


def constant_missing(case: Case, k: int) -> str | None:
    """The missing term is the same at another input, though the gradient differs there."""
    a, n, wrong = case.analytic[k], case.numeric[k], case.wrong[k]
    arrays = list(case.inputs)
    arrays[k] = 0.6 * arrays[k] + 0.1
    found = case.elsewhere(arrays)
    if not found:
        return None
    missing, there = n - a, found[1][k] - found[0][k]
    size = float(np.abs(missing).max())
    changed = np.abs(found[1][k] - n)[wrong].max() > 1e-2 * size
    if changed and np.allclose(there, missing, rtol=1e-4, atol=1e-5 * size):
        return "a term is missing in the gradient for @ that does not depend on @, as of targets"
    return None


def _ones(other: Array) -> Iterator[Array]:
    """The neutral values of a factor: 1, and for a square matrix also the identity."""
    yield np.ones_like(other)
    if other.ndim >= 2 and other.shape[-1] == other.shape[-2] > 1:
        yield np.broadcast_to(np.eye(other.shape[-1]), other.shape).copy()


def _moved(case: Case, k: int, i: int, j: int) -> Iterator[float]:
    """The slope of output i in element j of input k, with j made the largest or the smallest."""
    everything = np.concatenate([x.reshape(-1) for x in case.inputs])
    spread = float(np.ptp(everything)) + float(np.abs(everything).max())
    for end in (everything.max() + spread, everything.min() - spread):
        arrays = [x.copy() for x in case.inputs]
        arrays[k].reshape(-1)[j] = end
        found = case.elsewhere(arrays)
        if found:
            yield float(found[1][k][i, j])
