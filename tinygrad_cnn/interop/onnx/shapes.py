"""Shapes: asking for them, arithmetic on them, and giving arrays other ones.

`Shape` gives a plain array, and so does what is computed from it: a batch of any size is right.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...engine.node import Handle
from ...errors import OptionError, ShapeError
from ...ops import moving
from ...ops import shape as s
from ...ops.elementwise import where
from .table import (
    cast,
    dtype_named,
    dtype_of,
    ints,
    onnx_op,
    plain,
    shape_of,
    sized,
)


@onnx_op("Shape")
def shape(x: Any, *, start: int = 0, end: int | None = None) -> Any:
    """The sizes of the axes from `start` on, before `end`."""
    return np.array(shape_of(x)[slice(start, end)], np.int64)


@onnx_op("Size")
def size(x: Any) -> Any:
    """How many elements there are."""
    return np.array(math.prod(shape_of(x)), np.int64)


# --- arrays out of nothing -------------------------------------------------------------------


@onnx_op("ConstantOfShape")
def _(sizes: Any, *, value: Any = None) -> Any:
    filler = np.float32(0) if value is None else np.reshape(value, -1)[0]
    return np.full(sized(*ints(sizes)), filler)


@onnx_op("Range")
def _(start: Any, limit: Any, delta: Any) -> Any:
    first, end, step = (plain(x).reshape(()) for x in (start, limit, delta))
    if not step:
        raise OptionError("Range: delta must not be 0")
    sized(max(int(np.ceil((float(end) - float(first)) / float(step))), 0))
    return np.arange(first, end, step).astype(dtype_of(start))


@onnx_op("EyeLike")
def _(x: Any, *, dtype: int | None = None, k: int = 0) -> Any:
    rows, columns = shape_of(x)
    return np.eye(rows, columns, k, dtype_of(x) if dtype is None else dtype_named(dtype))


# --- the same elements -----------------------------------------------------------------------


@onnx_op("Cast")
def _(x: Any, *, to: int, saturate: int = 1, round_mode: str = "up") -> Any:
    return cast(x, dtype_named(to))


@onnx_op("CastLike")
def _(x: Any, target: Any, *, saturate: int = 1, round_mode: str = "up") -> Any:
    return cast(x, dtype_of(target))


@onnx_op("Reshape")
def _(x: Any, sizes: Any, *, allowzero: int = 0) -> Any:
    old, new = shape_of(x), ints(sizes)
    if not allowzero:  # 0 keeps the size of that axis
        if any(n == 0 and i >= len(old) for i, n in enumerate(new)):
            raise ShapeError(f"Reshape: {new} keeps an axis that {old} does not have")
        new = tuple(n or old[i] for i, n in enumerate(new))
    return s.reshape(x, new)


@onnx_op("Flatten")
def _(x: Any, *, axis: int = 1) -> Any:
    old = shape_of(x)
    if not -len(old) <= axis <= len(old):
        raise ShapeError(f"Flatten: axis {axis} is out of range for {old}")
    at = axis + len(old) if axis < 0 else axis
    return s.reshape(x, (math.prod(old[:at]), math.prod(old[at:])))


@onnx_op("Transpose")
def _(x: Any, *, perm: Sequence[int] | None = None) -> Any:
    return s.transpose(x, None if perm is None else tuple(perm))


@onnx_op("Squeeze")
def _(x: Any, axes: Any = None) -> Any:
    return moving.squeeze(x, None if axes is None else ints(axes))


@onnx_op("Unsqueeze")
def _(x: Any, axes: Any) -> Any:
    return moving.expand_dims(x, ints(axes))


# --- more elements ---------------------------------------------------------------------------


@onnx_op("Expand")
def _(x: Any, sizes: Any) -> Any:
    wanted = sized(*ints(sizes))
    try:
        joint = np.broadcast_shapes(shape_of(x), wanted)
    except ValueError:
        raise ShapeError(f"Expand: {shape_of(x)} and {wanted} do not broadcast") from None
    return s.broadcast_to(x, sized(*joint))


@onnx_op("Tile")
def _(x: Any, repeats: Any) -> Any:
    old, times = shape_of(x), ints(repeats)
    if len(times) != len(old):
        raise ShapeError(f"Tile: {len(times)} repeats do not fit an input {old}")
    new = sized(*(n * t for n, t in zip(old, times, strict=True)))
    wide = tuple(n for pair in zip(times, old, strict=True) for n in pair)
    apart = s.reshape(x, tuple(n for size in old for n in (1, size)))
    return s.reshape(s.broadcast_to(apart, wide), new)


@onnx_op("Pad")
def _(x: Any, pads: Any, value: Any = None, axes: Any = None, *, mode: str = "constant") -> Any:
    old, given = shape_of(x), ints(pads)
    chosen = range(len(old)) if axes is None else [a % len(old) for a in ints(axes)]
    if len(given) != 2 * len(chosen):
        raise ShapeError(f"Pad: {len(given)} pads do not fit {len(chosen)} axes of {old}")
    widths = [(0, 0)] * len(old)
    for i, a in enumerate(chosen):
        widths[a] = given[i], given[i + len(chosen)]
    if mode not in {"constant", "reflect", "edge", "wrap"}:
        raise OptionError(f"Pad: mode must be constant, reflect, edge or wrap, got {mode!r}")
    sized(*(max(n + sum(pair), 0) for n, pair in zip(old, widths, strict=True)))
    if min(map(min, widths), default=0) < 0:  # negative padding cuts off
        kept = (
            slice(max(-before, 0), n - max(-after, 0))
            for n, (before, after) in zip(old, widths, strict=True)
        )
        x = s.getitem(x, tuple(kept))
        widths = [(max(before, 0), max(after, 0)) for before, after in widths]
    if mode == "constant":
        filler = 0 if value is None else plain(value).reshape(()).item()
        return cast(moving.pad(x, tuple(widths), constant_values=filler), dtype_of(x))
    for axis, width in enumerate(widths):
        if any(width):
            places = np.pad(np.arange(shape_of(x)[axis]), width, mode=mode)  # type: ignore[call-overload]
            x = moving.take(x, places, axis)
    return x


# --- parts -----------------------------------------------------------------------------------


@onnx_op("Concat")
def _(*arrays: Any, axis: int) -> Any:
    return s.concatenate(list(arrays), axis)


@onnx_op("Split")
def _(
    x: Any, sizes: Any = None, *, axis: int = 0, num_outputs: int | None = None, outputs: int = 1
) -> Any:
    old = shape_of(x)
    if not -len(old) <= axis < len(old):
        raise ShapeError(f"Split: axis {axis} is out of range for {old}")
    n, parts = old[axis], num_outputs or outputs
    step = -(-n // parts)
    lengths = (
        ints(sizes)
        if sizes is not None
        else tuple(max(min(step, n - i * step), 0) for i in range(parts))
    )
    if sum(lengths) != n or len(lengths) != outputs or min(lengths) < 0:
        raise ShapeError(f"Split: {outputs} parts of {lengths} do not make axis {axis} of {old}")
    cuts = np.cumsum(lengths)[:-1].tolist()
    return moving.split(x, cuts, axis) if cuts else x


@onnx_op("Slice")
def _(x: Any, starts: Any, ends: Any, axes: Any = None, steps: Any = None) -> Any:
    old, first, last = shape_of(x), ints(starts), ints(ends)
    chosen = ints(axes) if axes is not None else tuple(range(len(first)))
    stride = ints(steps) if steps is not None else (1,) * len(first)
    if not len(first) == len(last) == len(chosen) == len(stride):
        raise ShapeError("Slice: as many starts, ends, axes and steps are needed")
    index = [slice(None)] * len(old)
    for begin, end, axis, step in zip(first, last, chosen, stride, strict=True):
        if not -len(old) <= axis < len(old) or not step:
            raise ShapeError(f"Slice: axis {axis} with step {step} does not fit an input {old}")
        index[axis] = _range(begin, end, step, old[axis])
    return x if all(part == slice(None) for part in index) else s.getitem(x, tuple(index))


def _range(begin: int, end: int, step: int, n: int) -> slice:
    """The slice of an axis of n elements; all of it where nothing is left out."""
    begin, end = (i + n if i < 0 else i for i in (begin, end))
    if step > 0:
        begin, end = min(max(begin, 0), n), min(max(end, 0), n)
        return slice(None) if (begin, end, step) == (0, n, 1) else slice(begin, end, step)
    begin, end = min(max(begin, -1), n - 1), min(max(end, -1), n - 1)
    return slice(begin, None if end < 0 else end, step) if begin >= 0 else slice(0, 0)


@onnx_op("Trilu")
def _(x: Any, k: Any = None, *, upper: int = 1) -> Any:
    offset = 0 if k is None else int(plain(k).reshape(()))
    rows, columns = shape_of(x)[-2:]
    below = np.tri(rows, columns, offset - 1 if upper else offset, dtype=bool)
    kept = ~below if upper else below
    if not isinstance(x, Handle):
        return np.where(kept, x, np.zeros((), dtype_of(x)))
    return where(kept, x, np.zeros((), dtype_of(x)))
