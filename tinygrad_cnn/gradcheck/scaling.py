"""Patterns of a whole gradient: its size, its sign, and the axes that it is summed over.

In the sentences @ stands for the input's name.
"""

from __future__ import annotations

import itertools
import math

import numpy as np

from .case import Case


def zero(case: Case, k: int) -> str | None:
    """The gradient is zero."""
    if not case.analytic[k].any():
        return "the gradient for @ is zero"
    return None


def sign(case: Case, k: int) -> str | None:
    """The gradient has the wrong sign: the claimed Jacobian is −J."""
    if case.same(k, -case.numeric[k]):
        return "the gradient for @ has its sign flipped"
    return None


def swapped(case: Case, k: int) -> str | None:
    """The vjp returns two gradients in the wrong order."""
    for other in range(len(case.inputs)):
        if other == k or case.inputs[other].size != case.inputs[k].size:
            continue
        if case.same(k, case.numeric[other]) and case.same(other, case.numeric[k]):
            first, second = sorted((k, other))
            return f"the gradients for '{case.names[first]}' and '{case.names[second]}' are swapped"
    return None


def last_batch_element(case: Case, k: int) -> str | None:
    """Only the last batch element counts, as if each had overwritten the one before it."""
    return _only(case, k, axis=0, index=-1, what="only the last batch element counts for @")


def not_summed(case: Case, k: int) -> str | None:
    """The input was broadcast along an axis, but one element is taken instead of the sum."""
    for axis in _broadcast_axes(case, k):
        for index in (0, -1):
            end = "first" if index == 0 else "last"
            found = _only(
                case,
                k,
                axis,
                index,
                f"the gradient for @ is not summed over broadcast axis {axis} of the output: "
                f"only the {end} element counts",
            )
            if found:
                return found
    return None


def averaged(case: Case, k: int) -> str | None:
    """The input was broadcast along an axis, but the mean is taken instead of the sum."""
    factor = _factor(case, k)
    axes = _broadcast_axes(case, k)
    if factor is None or case.output.ndim == 0:
        return None
    for count in range(1, len(axes) + 1):
        for chosen in itertools.combinations(axes, count):
            size = math.prod(case.output.shape[axis] for axis in chosen)
            if size > 1 and math.isclose(factor * size, 1, rel_tol=1e-4):
                named = f"axis {chosen[0]}" if count == 1 else f"axes {chosen}"
                return (
                    f"the gradient for @ is averaged over broadcast {named} of the output, where "
                    f"it should be summed: a constant factor of 1/{size}"
                )
    return None


def constant_factor(case: Case, k: int) -> str | None:
    """The claimed Jacobian is c · J; the sentence says which size c may be."""
    factor = _factor(case, k)
    if factor is None or math.isclose(factor, 1, rel_tol=1e-6):
        return None
    flipped = "has its sign flipped and " if factor < 0 else ""
    return f"the gradient for @ {flipped}is off by a constant factor of {_spell(case, abs(factor))}"


def _factor(case: Case, k: int) -> float | None:
    """c, if the analytic Jacobian is c times the numerical one."""
    a, n = case.analytic[k], case.numeric[k]
    square = float(np.vdot(n, n))
    factor = float(np.vdot(a, n)) / square if square else 0.0
    return factor if factor and case.same(k, factor * n) else None


def _spell(case: Case, factor: float) -> str:
    """A factor as text, with the sizes of this case that it could be."""
    meanings = []
    sizes: dict[str, int] = {}
    if case.output.ndim > 1:
        sizes["the batch size"] = case.output.shape[0]
    for name, x in zip(case.names, case.inputs, strict=True):
        if x.ndim >= 3:
            sizes[f"the spatial size of '{name}'"] = math.prod(x.shape[2:])
        if x.ndim >= 2:
            sizes[f"the channels of '{name}'"] = x.shape[1]
        if x.ndim >= 1:
            sizes[f"the elements of '{name}'"] = x.size
    if case.output.size > 1:
        sizes["the elements of the output"] = case.output.size
    for power, form in ((1, "{}"), (-1, "1 / {}")):
        for what, size in sizes.items():
            if size > 1 and math.isclose(factor, float(size) ** power, rel_tol=1e-5):
                meanings.append(form.format(what))
    number = f"{factor:.6g}"
    for denominator in range(1, 1025):
        top = factor * denominator
        if (
            round(top) >= 1
            and math.isclose(top, round(top), rel_tol=1e-6)
            and denominator * round(top) < 10**5
        ):
            number = f"{round(top)}/{denominator}" if denominator > 1 else str(round(top))
            break
    return number + (f" ({' = '.join(meanings[:3])})" if meanings else "")


def _broadcast_axes(case: Case, k: int) -> list[int]:
    """The axes of the output along which the input was broadcast, judging by the shapes."""
    shape, output = case.inputs[k].shape, case.output.shape
    if len(shape) == 1 and len(output) > 2 and shape[0] == output[1]:  # one for each channel
        return [0, *range(2, len(output))]
    lacking = len(output) - len(shape)
    if lacking < 0:
        return []
    aligned = (1,) * lacking + shape
    if any(s not in (1, o) for s, o in zip(aligned, output, strict=True)):
        return list(range(1)) if len(output) > 1 and shape[:1] != output[:1] else []
    return [i for i, (s, o) in enumerate(zip(aligned, output, strict=True)) if s == 1 != o]


def _only(case: Case, k: int, axis: int, index: int, what: str) -> str | None:
    """`what`, if one element of an output axis is right and the others are 0."""
    output = case.output.shape
    if not output or axis >= len(output) or output[axis] < 2:
        return None
    made = np.zeros_like(case.jacobian(k))
    at = (slice(None),) * axis + (index,)
    made[at] = case.jacobian(k)[at]
    return what if made.any() and case.same(k, made.reshape(case.analytic[k].shape)) else None
