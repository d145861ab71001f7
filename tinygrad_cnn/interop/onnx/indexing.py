"""Reading and writing at computed places: gather, scatter, the largest k."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...engine.node import Handle
from ...engine.op import constant, op
from ...errors import OptionError, ShapeError
from ...ops.elementwise import where
from ...ops.index import embedding
from ...ops.moving import take
from ...ops.shape import getitem, scatter_add
from .table import dtype_of, ints, no_gradient, onnx_op, plain, shape_of, sized


def _along(shape: tuple[int, ...], axis: int, index: Any) -> tuple[Any, ...]:
    """The index that reads `index` along one axis, and each element's own place along others."""
    n, ndim = shape[axis], len(shape)
    if index.ndim != ndim:
        raise ShapeError(f"indices {index.shape} must have as many axes as the input {shape}")
    if index.size and not (-n <= index.min() and index.max() < n):
        raise ShapeError(f"indices {index.min()} … {index.max()} are out of range for axis {axis}")
    own = np.ogrid[tuple(map(slice, index.shape))]
    return tuple(index % n if a == axis % ndim else own[a] for a in range(ndim))


# Indices that are computed from the network's inputs are inputs of these ops, so that a trace sees
# where they come from; `take` and `getitem` have theirs as an option.


@op
def gather(x: Any, indices: Any, *, axis: int) -> Any:
    """`take` with indices as an input."""
    return take(x, indices, axis)


gather.vjp(
    lambda g, y, x, indices, axis: scatter_add(
        g, (*(slice(None),) * (axis % x.ndim), constant(indices)), x.shape
    ),
    None,
)


@op
def gather_along(x: Any, indices: Any, *, axis: int) -> Any:
    """The elements at `indices` along an axis, each at its own place along the others."""
    return x[_along(x.shape, axis, indices)]


gather_along.vjp(
    lambda g, y, x, indices, axis: scatter_add(
        g, _along(x.shape, axis, constant(indices)), x.shape
    ),
    None,
)


@op
def top_places(x: Any, *, k: int, axis: int, largest: bool) -> Any:
    """Where the k largest (or smallest) along an axis are, in order; of equals the first first."""
    if largest:
        order = np.flip(np.argsort(np.flip(x, axis), axis, kind="stable"), axis)
        order = x.shape[axis] - 1 - order
    else:
        order = np.argsort(x, axis, kind="stable")
    return np.take(order, np.arange(k), axis).astype(np.int64)


@onnx_op("Gather")
def _(x: Any, indices: Any, *, axis: int = 0) -> Any:
    if not isinstance(indices, Handle):
        return take(x, plain(indices), axis)
    if len(shape_of(x)) == 2 and axis in {0, -2} and plain(indices).min(initial=0) >= 0:
        return embedding(indices, x)  # a table of words
    return gather(x, indices, axis)


@onnx_op("GatherElements")
def _(x: Any, indices: Any, *, axis: int = 0) -> Any:
    return gather_along(x, indices if isinstance(indices, Handle) else plain(indices), axis)


def _points(shape: tuple[int, ...], index: Any, batch_dims: int = 0) -> tuple[Any, ...]:
    """The index that reads at points, whose coordinates are the last axis of `index`."""
    depth = index.shape[-1]
    if not 1 <= depth <= len(shape) - batch_dims:
        raise ShapeError(f"{depth} coordinates, but the input is {shape}")
    for axis in range(depth):
        n, part = shape[batch_dims + axis], index[..., axis]
        if part.size and not (-n <= part.min() and part.max() < n):
            raise ShapeError(f"coordinates {part.min()} … {part.max()} are out of range of {shape}")
    own = np.ogrid[tuple(map(slice, index.shape[:-1]))][:batch_dims]
    return (*own, *(index[..., axis] for axis in range(depth)))


@onnx_op("GatherND")
def _(x: Any, indices: Any, *, batch_dims: int = 0) -> Any:
    return getitem(x, _points(shape_of(x), plain(indices), batch_dims))


_REDUCTIONS = {"mul": np.multiply, "max": np.maximum, "min": np.minimum}


def _written(x: Any, index: tuple[Any, ...], updates: Any, reduction: str) -> Any:
    """x with the updates written, or added, at an index."""
    shape = shape_of(x)
    if np.empty(shape, bool)[index].shape != shape_of(updates):
        raise ShapeError(f"updates {shape_of(updates)} do not fit the indices into {shape}")
    if reduction == "add":
        return x + scatter_add(updates, index, shape)
    if reduction == "none":
        taken = np.zeros(shape, bool)
        taken[index] = True
        last = np.full(shape, -1)  # of several updates at one place the last one counts
        order = np.arange(math.prod(shape_of(updates))).reshape(shape_of(updates))
        np.maximum.at(last, index, order)
        updates = where(last[index] == order, updates, np.zeros((), dtype_of(updates)))
        return where(taken, scatter_add(updates, index, shape), x)
    if reduction not in _REDUCTIONS:
        raise OptionError(f"reduction must be none, add, mul, max or min, got {reduction!r}")
    no_gradient(f"scatter with reduction {reduction!r}", x, updates)
    y = plain(x).copy()
    _REDUCTIONS[reduction].at(y, index, plain(updates))
    return y


@onnx_op("ScatterElements", "Scatter")
def _(x: Any, indices: Any, updates: Any, *, axis: int = 0, reduction: str = "none") -> Any:
    return _written(x, _along(shape_of(x), axis, plain(indices)), updates, reduction)


@onnx_op("ScatterND")
def _(x: Any, indices: Any, updates: Any, *, reduction: str = "none") -> Any:
    return _written(x, _points(shape_of(x), plain(indices)), updates, reduction)


@onnx_op("TopK")
def _(
    x: Any, k: Any, *, axis: int = -1, largest: int = 1, sorted: int = 1, outputs: int = 2
) -> Any:
    n, count = shape_of(x)[axis], ints(k)[0]
    if not 0 <= count <= n:
        raise ShapeError(f"TopK: k={count} of an axis of {n} elements")
    places = top_places(x, k=count, axis=axis, largest=bool(largest))
    y = gather_along(x, places, axis)
    return y if outputs == 1 else (y, places)


@onnx_op("OneHot")
def _(indices: Any, depth: Any, values: Any, *, axis: int = -1) -> Any:
    n, index = int(ints(depth)[0]), plain(indices).astype(np.int64)
    off, on = plain(values)
    axis = axis % (index.ndim + 1)
    sized(*index.shape, n)
    inside = np.expand_dims(np.where((index >= -n) & (index < n), index % n, -1), axis)
    places = np.arange(n).reshape([-1 if a == axis else 1 for a in range(index.ndim + 1)])
    return np.where(places == inside, on, off)


@onnx_op("NonZero")
def _(x: Any) -> Any:
    return np.array(np.nonzero(plain(x)), np.int64)


@onnx_op("Compress")
def _(x: Any, condition: Any, *, axis: int | None = None) -> Any:
    kept = np.flatnonzero(plain(condition))
    if axis is None:
        return take(x, kept, None)
    return take(x, kept, axis)
