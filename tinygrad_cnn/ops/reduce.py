"""Ops that reduce axes: sum, mean, max."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from ..errors import DtypeError, ShapeError
from ..op import Op, Shape, constant, op
from .shape import broadcast_to

Axis = int | tuple[int, ...] | None


def reduced_axes(axis: Axis, ndim: int, name: str) -> tuple[int, ...]:
    """`axis` as a sorted tuple of non-negative axes.

    Raises:
        ShapeError: an axis out of range, or given twice.
        DtypeError: not integers.
    """
    if axis is None:
        return tuple(range(ndim))
    given = axis if isinstance(axis, tuple | list) else (axis,)
    for a in given:
        if not isinstance(a, int | np.integer) or isinstance(a, bool):
            raise DtypeError(f"{name}: axis must be an int or a tuple of ints, got {axis!r}")
        if not -ndim <= a < ndim:
            raise ShapeError(f"{name}: axis {a} is out of range for an input of {ndim} axes")
    axes = sorted(int(a) % ndim for a in given)
    if len(set(axes)) < len(axes):
        raise ShapeError(f"{name}: axis {axis} names the same axis twice (of {ndim})")
    return tuple(axes)


def with_ones(shape: Shape, axes: tuple[int, ...]) -> Shape:
    """`shape` with the given axes of size 1, as keepdims leaves it."""
    return tuple(1 if i in axes else size for i, size in enumerate(shape))


def _axes_checked(declared: Op) -> Op:
    @declared.check
    def _(x: Any, *, axis: Axis, keepdims: bool) -> dict[str, Any]:
        return {"axis": reduced_axes(axis, np.ndim(x), declared.name), "keepdims": bool(keepdims)}

    @declared.multiply_adds
    def _(out: Shape, x: Shape, *, axis: Axis, keepdims: bool) -> int:
        return math.prod(x)

    return declared


def _window(at: tuple[int, ...], shape: Shape, axes: tuple[int, ...], keepdims: bool) -> Any:
    """The input indices that one output element is reduced from, in row-major order."""
    kept = iter(at) if not keepdims else iter([i for d, i in enumerate(at) if d not in axes])
    ranges = [range(s) if d in axes else None for d, s in enumerate(shape)]
    fixed = [(next(kept),) if r is None else r for r in ranges]
    return itertools.product(*fixed)


@_axes_checked
@op
def sum(x: Any, *, axis: Axis = None, keepdims: bool = False) -> Any:
    """The sum over `axis` (one, several, or all).

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.sum(tg.Tensor([[1.0, 2.0], [3.0, 4.0]]), axis=1)
        Tensor([3., 7.])
    """
    return np.sum(x, axis=axis, keepdims=keepdims)


@sum.vjp
def _(g: Any, y: Any, x: Any, *, axis: tuple[int, ...], keepdims: bool) -> Any:
    return broadcast_to(g.reshape(with_ones(x.shape, axis)), x.shape)


@sum.definition
def _(at: Shape, x: Any, *, axis: tuple[int, ...], keepdims: bool) -> Any:
    total = 0.0
    for i in _window(at, x.shape, axis, keepdims):
        total = total + x[i]
    return total


@_axes_checked
@op
def mean(x: Any, *, axis: Axis = None, keepdims: bool = False) -> Any:
    """The mean over `axis` (one, several, or all)."""
    return np.mean(x, axis=axis, keepdims=keepdims)


@mean.vjp
def _(g: Any, y: Any, x: Any, *, axis: tuple[int, ...], keepdims: bool) -> Any:
    count = math.prod(x.shape[a] for a in axis)
    return broadcast_to(g.reshape(with_ones(x.shape, axis)), x.shape) / count


@mean.definition
def _(at: Shape, x: Any, *, axis: tuple[int, ...], keepdims: bool) -> Any:
    total = 0.0
    for i in _window(at, x.shape, axis, keepdims):
        total = total + x[i]
    return total / math.prod(x.shape[a] for a in axis)


@_axes_checked
@op
def max(x: Any, *, axis: Axis = None, keepdims: bool = False) -> Any:
    """The largest element over `axis`. Of equal ones the first (row-major) gets the gradient."""
    return np.max(x, axis=axis, keepdims=keepdims)


@max.vjp
def _(g: Any, y: Any, x: Any, *, axis: tuple[int, ...], keepdims: bool) -> Any:
    return g.reshape(with_ones(x.shape, axis)) * _first_largest(constant(x), axis)


def _first_largest(x: Any, axes: tuple[int, ...]) -> Any:
    """True at the first largest element of each reduced slice."""
    last = tuple(range(x.ndim - len(axes), x.ndim))
    moved = np.moveaxis(x, axes, last)
    flat = moved.reshape(*moved.shape[: x.ndim - len(axes)], -1)
    mask = np.zeros(flat.shape, bool)
    np.put_along_axis(mask, flat.argmax(axis=-1)[..., None], True, axis=-1)
    return np.moveaxis(mask.reshape(moved.shape), last, axes)


@max.definition
def _(at: Shape, x: Any, *, axis: tuple[int, ...], keepdims: bool) -> Any:
    best = None
    for i in _window(at, x.shape, axis, keepdims):
        candidate = x[i]
        if best is None or candidate > best:
            best = candidate
    return best
