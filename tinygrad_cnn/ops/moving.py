"""Ops that put elements elsewhere: moveaxis, flip, roll, repeat, take, stack, split, pad …

Each output element is one input element, so a definition is one line that says which. Backward,
what came from a place goes back there, and adds up where a place was read twice.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from ..engine.definition import place, position
from ..engine.op import Shape, constant, op
from ..errors import DtypeError, OptionError, ShapeError
from .axes import Axis, one_axis, reduced_axes
from .options import choice, is_integer, number
from .shape import concatenate, getitem, scatter_add

# --- axes ------------------------------------------------------------------------------------


@op
def moveaxis(x: Any, *, source: Any, destination: Any) -> Any:
    """x with some axes at other places; the rest keep their order.

    Raises:
        ShapeError: axes out of range, or that do not pair up.

    Example:
        >>> import numpy as np, tinygrad_cnn as tg
        >>> tg.moveaxis(tg.Tensor(np.zeros((2, 3, 4))), 0, -1).shape
        (3, 4, 2)
    """
    return np.moveaxis(x, source, destination)


@moveaxis.check
def _(x: Any, *, source: Any, destination: Any) -> dict[str, Any]:
    ndim = np.ndim(x)

    def places(axes: Any) -> tuple[int, ...]:
        given = axes if isinstance(axes, tuple | list) else (axes,)
        return tuple(one_axis(a, ndim, "moveaxis") for a in given)

    moved, to = places(source), places(destination)
    if len(moved) != len(to) or len(set(moved)) < len(moved) or len(set(to)) < len(to):
        raise ShapeError(f"moveaxis: source {source} and destination {destination} do not pair up")
    return {"source": moved, "destination": to}


@moveaxis.vjp
def _(g: Any, y: Any, x: Any, *, source: Any, destination: Any) -> Any:
    return moveaxis(g, destination, source)


@moveaxis.definition
def _(at: Shape, x: Any, *, source: Any, destination: Any) -> Any:
    index: list[int] = [-1] * len(at)
    for s, d in zip(source, destination, strict=True):
        index[s] = at[d]
    rest = iter(i for d, i in enumerate(at) if d not in destination)
    return x[tuple(next(rest) if i < 0 else i for i in index)]


@op
def expand_dims(x: Any, *, axis: Axis) -> Any:
    """New axes of size 1, at the places that `axis` names in the result.

    Raises:
        ShapeError: an axis out of range, or given twice.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.expand_dims(tg.Tensor([1.0, 2.0]), (0, 2)).shape
        (1, 2, 1)
    """
    return np.expand_dims(x, axis)  # type: ignore[arg-type]


@expand_dims.check
def _(x: Any, *, axis: Any) -> dict[str, Any]:
    new = axis if isinstance(axis, tuple | list) else (axis,)
    ndim = np.ndim(x) + len(new)
    of = f"the result of an input {np.shape(x)},"
    return {"axis": reduced_axes(tuple(new), ndim, "expand_dims", of)}


@expand_dims.vjp
def _(g: Any, y: Any, x: Any, *, axis: tuple[int, ...]) -> Any:
    return g.reshape(x.shape)


@expand_dims.definition
def _(at: Shape, x: Any, *, axis: tuple[int, ...]) -> Any:
    return x[tuple(i for d, i in enumerate(at) if d not in axis)]


@op
def squeeze(x: Any, *, axis: Axis = None) -> Any:
    """x without the given axes of size 1; without all such axes if none is given.

    Raises:
        ShapeError: an axis whose size is not 1.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.squeeze(tg.Tensor([[[1.0], [2.0]]])).shape
        (2,)
    """
    return np.squeeze(x, axis)


@squeeze.check
def _(x: Any, *, axis: Axis) -> dict[str, Any]:
    shape = np.shape(x)
    if axis is None:
        return {"axis": tuple(a for a, n in enumerate(shape) if n == 1)}
    axes = reduced_axes(axis, len(shape), "squeeze")
    for a in axes:
        if shape[a] != 1:
            raise ShapeError(f"squeeze: axis {a} of {shape} has size {shape[a]}, not 1")
    return {"axis": axes}


@squeeze.vjp
def _(g: Any, y: Any, x: Any, *, axis: tuple[int, ...]) -> Any:
    return g.reshape(x.shape)


@squeeze.definition
def _(at: Shape, x: Any, *, axis: tuple[int, ...]) -> Any:
    kept = iter(at)
    return x[tuple(0 if d in axis else next(kept) for d in range(len(x.shape)))]


# --- along an axis ---------------------------------------------------------------------------


@op
def flip(x: Any, *, axis: Axis = None) -> Any:
    """x in reverse order along some axes, or along all.

    Raises:
        ShapeError, DtypeError: an axis out of range, given twice, or no int.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.flip(tg.Tensor([1.0, 2.0, 3.0]))
        Tensor([3., 2., 1.])
    """
    return np.flip(x, axis)


@flip.check
def _(x: Any, *, axis: Axis) -> dict[str, Any]:
    return {"axis": reduced_axes(axis, np.ndim(x), "flip")}


@flip.vjp
def _(g: Any, y: Any, x: Any, *, axis: tuple[int, ...]) -> Any:
    return flip(g, axis)


@flip.definition
def _(at: Shape, x: Any, *, axis: tuple[int, ...]) -> Any:
    return x[tuple(x.shape[d] - 1 - i if d in axis else i for d, i in enumerate(at))]


@op
def roll(x: Any, *, shift: Any, axis: Any = None) -> Any:
    """x shifted in a circle: what leaves at one end comes in at the other.

    With ``axis=None`` the flattened input is rolled, and given its shape again.

    Raises:
        ShapeError, DtypeError: an axis out of range; a shift that is no int.
        OptionError: as many shifts as axes are needed.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.roll(tg.Tensor([1.0, 2.0, 3.0]), 1)
        Tensor([3., 1., 2.])
    """
    return np.roll(x, shift, axis)


@roll.check
def _(x: Any, *, shift: Any, axis: Any) -> dict[str, Any]:
    shifts = tuple(shift) if isinstance(shift, tuple | list) else (shift,)
    if not all(map(is_integer, shifts)):
        raise DtypeError(f"roll: shift must be an int or several, got {shift!r}")
    if axis is None:
        if len(shifts) != 1:
            raise OptionError(f"roll: {len(shifts)} shifts need as many axes, got axis=None")
        return {"shift": int(shifts[0]), "axis": None}
    axes = tuple(axis) if isinstance(axis, tuple | list) else (axis,)
    if len(shifts) != len(axes):
        raise OptionError(f"roll: {len(shifts)} shifts, but {len(axes)} axes")
    return {
        "shift": tuple(map(int, shifts)),
        "axis": tuple(one_axis(a, np.ndim(x), "roll") for a in axes),
    }


@roll.vjp
def _(g: Any, y: Any, x: Any, *, shift: Any, axis: Any) -> Any:
    return roll(g, -shift if axis is None else tuple(-s for s in shift), axis)


@roll.definition
def _(at: Shape, x: Any, *, shift: Any, axis: Any) -> Any:
    if axis is None:
        return x[place((position(at, x.shape) - shift) % math.prod(x.shape), x.shape)]
    index = list(at)
    for s, a in zip(shift, axis, strict=True):
        index[a] = (index[a] - s) % x.shape[a]
    return x[tuple(index)]


def _integers(name: str, option: str, value: Any) -> Any:
    """An array of integers; an empty list counts as one."""
    try:
        array = np.asarray(constant(value))
    except ValueError as error:  # ragged
        raise ShapeError(f"{name}: {option} {value!r} is no array: {error}") from error
    if array.dtype.kind not in "iu" and not (array.size == 0 and isinstance(value, list | tuple)):
        raise DtypeError(f"{name}: {option} must be integers, got {array.dtype}")
    return array.astype(np.intp, copy=False)


def _index_along(axis: int | None, index: Any) -> Any:
    """An index that reads `index` along one axis (of the flattened input if None)."""
    return index if axis is None else (*(slice(None),) * axis, index)


@op
def take(x: Any, *, indices: Any, axis: int | None = None) -> Any:
    """The elements at `indices` along an axis; repeated indices add up backward.

    With ``axis=None`` the flattened input is read.

    Raises:
        ShapeError, DtypeError: indices out of range, or no integers.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.take(tg.Tensor([[1.0, 2.0], [3.0, 4.0]]), [1, 1, 0], axis=1)
        Tensor([[2., 2., 1.],
                [4., 4., 3.]])
    """
    return np.take(x, indices, axis=axis)


@take.check
def _(x: Any, *, indices: Any, axis: int | None) -> dict[str, Any]:
    index = _integers("take", "indices", indices)
    axis = None if axis is None else one_axis(axis, np.ndim(x), "take")
    size = np.size(x) if axis is None else np.shape(x)[axis]
    if index.size and not (-size <= index.min() and index.max() < size):
        raise ShapeError(
            f"take: indices {index.min()} … {index.max()} are out of range for {size} elements of "
            f"{np.shape(x)} along axis {axis}"
        )
    return {"indices": np.where(index < 0, index + size, index), "axis": axis}


@take.vjp
def _(g: Any, y: Any, x: Any, *, indices: Any, axis: int | None) -> Any:
    if axis is None:
        return scatter_add(g, indices, (math.prod(x.shape),)).reshape(x.shape)
    return scatter_add(g, _index_along(axis, indices), x.shape)


@take.definition
def _(at: Shape, x: Any, *, indices: Any, axis: int | None) -> Any:
    if axis is None:
        return x[place(int(indices[at]), x.shape)]
    inner = at[axis : axis + indices.ndim]
    return x[(*at[:axis], int(indices[inner]), *at[axis + indices.ndim :])]


@op
def repeat(x: Any, *, repeats: Any, axis: int | None = None) -> Any:
    """Each element `repeats` times in a row (one number, or one for each) along an axis.

    Raises:
        ShapeError, DtypeError: repeats that are neither one nor one for each, or no integers.
        OptionError: negative repeats.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.repeat(tg.Tensor([1.0, 2.0]), [2, 1])
        Tensor([1., 1., 2.])
    """
    return np.repeat(x, repeats, axis=axis)


@repeat.check
def _(x: Any, *, repeats: Any, axis: int | None) -> dict[str, Any]:
    axis = None if axis is None else one_axis(axis, np.ndim(x), "repeat")
    size = np.size(x) if axis is None else np.shape(x)[axis]
    counts = _integers("repeat", "repeats", repeats)
    if counts.size and counts.min() < 0:
        raise OptionError(f"repeat: repeats must be ints ≥ 0, got {repeats!r}")
    if counts.ndim > 1 or (counts.ndim == 1 and counts.size not in (1, size)):
        raise ShapeError(
            f"repeat: {counts.shape} repeats do not fit {size} elements of "
            f"{np.shape(x)} along axis {axis}"
        )
    return {"repeats": np.broadcast_to(counts, (size,)), "axis": axis}


def _repeated(repeats: Any) -> Any:
    return np.repeat(np.arange(len(repeats)), repeats)


@repeat.vjp
def _(g: Any, y: Any, x: Any, *, repeats: Any, axis: int | None) -> Any:
    if axis is None:
        return scatter_add(g, _repeated(repeats), (math.prod(x.shape),)).reshape(x.shape)
    return scatter_add(g, _index_along(axis, _repeated(repeats)), x.shape)


@repeat.definition
def _(at: Shape, x: Any, *, repeats: Any, axis: int | None) -> Any:
    source = [i for i, count in enumerate(repeats) for _ in range(int(count))]
    if axis is None:
        return x[place(source[at[0]], x.shape)]
    return x[(*at[:axis], source[at[axis]], *at[axis + 1 :])]


# --- several arrays --------------------------------------------------------------------------


@op
def stack(*arrays: Any, axis: int = 0) -> Any:
    """Arrays of one shape along a new axis: ``stack([a, b], axis=1)``.

    Raises:
        ShapeError: arrays of several shapes, or an axis out of range.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.stack([tg.Tensor([1.0, 2.0]), tg.Tensor([3.0, 4.0])], axis=1)
        Tensor([[1., 3.],
                [2., 4.]])
    """
    return np.stack(arrays, axis=axis)


@stack.check
def _(*arrays: Any, axis: int) -> dict[str, Any]:
    shapes = [np.shape(a) for a in arrays]
    if len(set(shapes)) > 1:
        raise ShapeError(f"stack: all arrays must have one shape, got {shapes}")
    of = f"the result of inputs {shapes[0]},"
    return {"axis": one_axis(axis, len(shapes[0]) + 1, "stack", of)}


@stack.vjp
def _(g: Any, y: Any, *arrays: Any, axis: int) -> tuple[Any, ...]:
    return tuple(g[_index_along(axis, i)] for i in range(len(arrays)))


@stack.definition
def _(at: Shape, *arrays: Any, axis: int) -> Any:
    return arrays[at[axis]][(*at[:axis], *at[axis + 1 :])]


@op
def split(x: Any, *, sections: Any, axis: int = 0) -> Any:
    """Parts along an axis, as a tuple: a number of equal ones, or cut before the given indices.

    Raises:
        ShapeError: parts that would be unequal, or cuts that do not rise.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.split(tg.Tensor([1.0, 2.0, 3.0]), [1])
        (Tensor([1.]), Tensor([2., 3.]))
    """
    return tuple(np.split(x, sections, axis=axis))


@split.check
def _(x: Any, *, sections: Any, axis: int) -> dict[str, Any]:
    axis = one_axis(axis, np.ndim(x), "split")
    size = np.shape(x)[axis]
    if is_integer(sections):
        if sections < 1 or size % sections:
            raise ShapeError(
                f"split: axis {axis} of {np.shape(x)} has size {size}, which is not "
                f"{sections} equal parts; give the indices to cut before"
            )
        step = size // int(sections)
        return {
            "sections": tuple(range(step, size, step)) if step else (0,) * (sections - 1),
            "axis": axis,
        }
    cuts = tuple(_integers("split", "sections", sections).reshape(-1).tolist())
    if any(b < a for a, b in itertools.pairwise((0, *cuts, size))):
        raise ShapeError(
            f"split: cuts {cuts} must rise from 0 to {size}, the size of axis {axis} of "
            f"{np.shape(x)}"
        )
    return {"sections": cuts, "axis": axis}


@split.vjp
def _(g: Any, y: Any, x: Any, *, sections: Any, axis: int) -> Any:
    zeros = [np.zeros(part.shape, part.dtype) for part in y]
    return concatenate(
        [z if part is None else part for part, z in zip(g, zeros, strict=True)], axis
    )


@split.definition
def _(at: Shape, x: Any, *, sections: Any, axis: int) -> Any:
    return x[at]  # the definition is of the first part


# --- padding ---------------------------------------------------------------------------------


@op
def pad(x: Any, *, pad_width: Any, mode: str = "constant", constant_values: float = 0.0) -> Any:
    """More elements before and after, along each axis.

    Args:
        pad_width: an int, one (before, after) for all axes, or one for each axis.
        mode: "constant" (of `constant_values`), "reflect" (mirrored at the border element), "edge"
            (the border element again), or "wrap" (from the other end: PyTorch's "circular").

    Raises:
        OptionError: another mode, or a width that does not fit.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.pad(tg.Tensor([1.0, 2.0, 3.0]), (1, 2), mode="reflect")
        Tensor([2., 1., 2., 3., 2., 1.])
    """
    if not pad_width:  # no axes to pad
        return np.array(x)
    if mode == "constant":
        return np.pad(x, pad_width, constant_values=constant_values)
    return np.pad(x, pad_width, mode=mode)  # type: ignore[call-overload]


@pad.check
def _(x: Any, *, pad_width: Any, mode: str, constant_values: float) -> dict[str, Any]:
    shape = np.shape(x)
    try:
        widths = np.broadcast_to(np.asarray(pad_width if shape else 0), (len(shape), 2))
        fits = widths.dtype.kind in "iu" and (not widths.size or widths.min() >= 0)
    except (ValueError, TypeError):
        fits = False
    if not fits:
        raise OptionError(
            f"pad: pad_width must be an int ≥ 0, (before, after), or {len(shape)} such pairs for "
            f"{shape}, got {pad_width!r}"
        )
    choice("pad", "mode", mode, ("constant", "reflect", "edge", "wrap"))
    pairs = tuple((int(before), int(after)) for before, after in widths)
    for n, pair in zip(shape, pairs, strict=True):
        if (mode == "reflect" and max(pair) >= max(n, 1)) or (
            mode in ("edge", "wrap") and n == 0 and any(pair)
        ):
            raise ShapeError(f"pad: {mode} cannot pad {pair} elements onto {n} of {shape}")
    return {
        "pad_width": pairs,
        "mode": mode,
        "constant_values": number("pad", "constant_values", constant_values),
    }


def _sources(n: int, width: tuple[int, int], mode: str) -> Any:
    """Along one axis, the input index that each output index reads."""
    return np.pad(np.arange(n), width, mode=mode)  # type: ignore[call-overload]


@pad.vjp
def _(g: Any, y: Any, x: Any, *, pad_width: Any, mode: str, constant_values: float) -> Any:
    if mode == "constant":
        return getitem(
            g, tuple(slice(b, b + n) for (b, _), n in zip(pad_width, x.shape, strict=True))
        )
    read = [_sources(n, w, mode) for n, w in zip(x.shape, pad_width, strict=True)]
    return scatter_add(g, np.ix_(*read), x.shape) if read else g


@pad.definition
def _(at: Shape, x: Any, *, pad_width: Any, mode: str, constant_values: float) -> Any:
    index = []
    for i, (before, _), n in zip(at, pad_width, x.shape, strict=True):
        source = i - before
        if not 0 <= source < n:
            if mode == "constant":
                return constant_values
            if mode == "edge":
                source = 0 if source < 0 else n - 1
            elif mode == "wrap":
                source %= n
            else:
                source = -source if source < 0 else 2 * (n - 1) - source
        index.append(source)
    return x[tuple(index)]
