"""What all reductions share: which axes, and which elements go into one result."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..engine.op import Op, Shape
from ..errors import DtypeError, ShapeError
from .options import flag, is_integer

Axis = int | tuple[int, ...] | None


def reduced_axes(axis: Axis, ndim: int, name: str, of: str = "an input") -> tuple[int, ...]:
    """`axis` as a sorted tuple of non-negative axes, of an input or of what errors call it.

    Raises:
        ShapeError: an axis out of range, or given twice.
        DtypeError: not integers.
    """
    if axis is None:
        return tuple(range(ndim))
    given = axis if isinstance(axis, tuple | list) else (axis,)
    for a in given:
        if not is_integer(a):
            raise DtypeError(f"{name}: axis must be an int or a tuple of ints, got {axis!r}")
        if not -ndim <= a < ndim:
            raise ShapeError(f"{name}: axis {a} is out of range for {of} of {ndim} axes")
    axes = sorted(int(a) % ndim for a in given)
    if len(set(axes)) < len(axes):
        raise ShapeError(f"{name}: axis {axis} names the same axis twice (of {ndim})")
    return tuple(axes)


def one_axis(axis: Any, ndim: int, name: str, of: str = "an input") -> int:
    """`axis` as one non-negative axis.

    Raises:
        ShapeError: out of range.
        DtypeError: not an integer.
    """
    if not is_integer(axis):
        raise DtypeError(f"{name}: axis must be an int, got {axis!r}")
    return reduced_axes(axis, ndim, name, of)[0]


def with_ones(shape: Shape, axes: tuple[int, ...]) -> Shape:
    """`shape` with the given axes of size 1, as keepdims leaves it."""
    return tuple(1 if i in axes else size for i, size in enumerate(shape))


def need_elements(name: str, shape: Shape, axes: tuple[int, ...]) -> None:
    """Refuse to look for the largest or smallest element of an empty slice.

    Raises:
        ShapeError: slices along `axes` are empty.
    """
    if 0 in [shape[a] for a in axes]:
        raise ShapeError(
            f"{name}: there is no {name} of no elements, along {axes} of shape {shape}"
        )


def axes_checked(declared: Op, of_elements: bool = False) -> Op:
    """Give an op with options `axis` and `keepdims` their check, and its cost.

    With `of_elements` it refuses empty slices, which have no largest or smallest element.
    """

    @declared.check
    def _(x: Any, *, axis: Axis, keepdims: bool) -> dict[str, Any]:
        axes = reduced_axes(axis, np.ndim(x), declared.name)
        if of_elements:
            need_elements(declared.name, np.shape(x), axes)
        return {"axis": axes, "keepdims": flag(declared.name, "keepdims", keepdims)}

    @declared.multiply_adds
    def _(out: Shape, x: Shape, *, axis: Axis, keepdims: bool) -> int:
        return math.prod(x)

    return declared


def elements(at: Shape, shape: Shape, axes: tuple[int, ...], keepdims: bool) -> Iterator[Shape]:
    """The input indices that one output element is reduced from, in row-major order."""
    kept = iter(at) if not keepdims else iter([i for d, i in enumerate(at) if d not in axes])
    ranges = [range(s) if d in axes else None for d, s in enumerate(shape)]
    fixed = [(next(kept),) if r is None else r for r in ranges]
    return itertools.product(*fixed)
