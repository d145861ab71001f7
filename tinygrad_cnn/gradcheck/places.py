"""Patterns of position: right numbers in the wrong places, or wrong numbers at the border.

In the sentences @ stands for the input's name.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np

from .case import Array, Case


def transposed(case: Case, k: int) -> str | None:
    """Two axes of the gradient or of the cotangent are exchanged."""
    shape, jacobian, outputs = case.inputs[k].shape, case.jacobian(k), case.output.ndim
    for i, j in itertools.combinations(range(len(shape)), 2):
        if shape[i] == 1 or shape[j] == 1:
            continue
        made = np.swapaxes(jacobian, outputs + i, outputs + j)
        if case.same(k, made.reshape(case.analytic[k].shape)):
            return f"the gradient for @ is transposed: its axes {i} and {j} are exchanged"
    if case.output.size == case.inputs[k].size and case.same(k, case.numeric[k].T):
        return "the Jacobian for @ is transposed: output and input are exchanged"
    for i, j in itertools.combinations(range(outputs), 2):
        sizes = case.output.shape
        if sizes[i] != sizes[j] or sizes[i] == 1:
            continue
        if case.same(k, np.swapaxes(jacobian, i, j).reshape(case.analytic[k].shape)):
            return f"the cotangent is transposed in the gradient for @: axes {i} and {j}"
    return None


def flipped(case: Case, k: int) -> str | None:
    """The backward pass flips a convolution's kernel where it should not, or fails to flip it."""
    shape, jacobian, outputs = case.inputs[k].shape, case.jacobian(k), case.output.ndim
    for spatial in _spatial_choices(shape):
        axes = tuple(outputs + a for a in spatial)
        if case.same(k, np.flip(jacobian, axes).reshape(case.analytic[k].shape)):
            return (
                f"the gradient for @ is flipped along axes {spatial}: the kernel is turned around"
            )
    if case.output.ndim != len(shape):
        return None
    spatial = _spatial(shape)
    sizes = [case.output.shape[a] + shape[a] for a in spatial]
    if math.prod(sizes) > 2000:
        return None
    off = np.abs(case.analytic[k] - case.numeric[k])
    for centres in itertools.product(*map(range, sizes)):
        made = _reflected(jacobian, outputs, spatial, centres).reshape(case.analytic[k].shape)
        unknown = np.isnan(made)
        seen = case.wrong[k] & ~unknown
        if seen.sum() < max(4, 0.3 * case.wrong[k].sum()) or off[seen].sum() < 0.2 * off.sum():
            continue
        if case.same(k, np.where(unknown, case.analytic[k], made)):
            return "the kernel is not flipped in the gradient for @ (turned around in space)"
    return None


def shifted(case: Case, k: int) -> str | None:
    """The gradient is moved by one or two positions in space, wrapped around or cut off."""
    shape, jacobian, outputs = case.inputs[k].shape, case.jacobian(k), case.output.ndim
    spatial = _spatial(shape)
    for shift in itertools.product((-2, -1, 0, 1, 2), repeat=len(spatial)):
        if not any(shift):
            continue
        axes = tuple(outputs + a for a in spatial)
        rolled = np.roll(jacobian, shift, axes)
        cut = rolled.copy()
        for axis, s in zip(axes, shift, strict=True):
            edge = [slice(None)] * cut.ndim
            edge[axis] = slice(0, s) if s > 0 else slice(s, None)
            if s:
                cut[tuple(edge)] = 0
        for made in (rolled, cut):
            if case.same(k, made.reshape(case.analytic[k].shape)):
                return f"the gradient for @ is shifted in space by {shift}"
    return None


def border(case: Case, k: int) -> str | None:
    """The gradient is wrong only for elements, or outputs, next to the border."""
    shape, outputs = case.inputs[k].shape, case.output.shape
    for which, sizes, axis in (("elements of @", shape, 0), ("outputs, for @,", outputs, 1)):
        if len(sizes) < 3:
            continue
        inside = np.zeros(sizes, bool)
        inside[:, :, *[slice(1, -1)] * (len(sizes) - 2)] = True
        chosen = np.expand_dims(inside.reshape(-1), axis)
        if (chosen & (case.numeric[k] != 0)).sum() > 3 and not (chosen & case.wrong[k]).any():
            return f"wrong only at the border: {which} inside are right (padding?)"
    return None


def _spatial(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The spatial axes: all after batch and channels; for a matrix or a vector, the last."""
    return tuple(range(2, len(shape))) or tuple(range(len(shape)))[-1:]


def _spatial_choices(shape: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    spatial = _spatial(shape)
    for count in range(len(spatial), 0, -1):
        for axes in itertools.combinations(spatial, count):
            if any(shape[a] > 1 for a in axes):
                yield axes


def _reflected(
    jacobian: Array, outputs: int, spatial: tuple[int, ...], centres: tuple[int, ...]
) -> Array:
    """Each output's row reflected: position p gets the value at 2·i − p + const.

    Here i is the position of the output. A value from outside the row is unknown, so it is nan.
    """
    made = jacobian
    for axis, centre in zip(spatial, centres, strict=True):
        i = np.arange(made.shape[axis])[:, None]
        p = np.arange(made.shape[outputs + axis])[None, :]
        source = 2 * i - p + centre - (made.shape[outputs + axis] + made.shape[axis]) // 2
        inside = (source >= 0) & (source < made.shape[outputs + axis])
        moved = np.moveaxis(made, (axis, outputs + axis), (0, 1))
        picked = moved[i, np.where(inside, source, 0)]
        picked[~inside] = np.nan
        made = np.moveaxis(picked, (0, 1), (axis, outputs + axis))
    return made
