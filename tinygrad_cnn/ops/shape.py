"""Ops that move elements about without changing them: reshape, transpose, indexing, joining."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from ..engine.definition import add_up, place, position
from ..engine.node import Handle
from ..engine.op import Shape, op
from ..errors import DtypeError, ShapeError
from .options import is_integer, sizes


@op
def reshape(x: Any, *, shape: int | Shape) -> Any:
    """The same elements, row-major, in another shape; one size may be -1.

    Raises:
        ShapeError: a shape of another number of elements.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.reshape(tg.Tensor([[1.0, 2.0], [3.0, 4.0]]), (1, -1))
        Tensor([[1., 2., 3., 4.]])
    """
    return np.reshape(x, shape)


@reshape.check
def _(x: Any, *, shape: int | Shape) -> dict[str, Any]:
    wanted = sizes("reshape", "shape", shape)
    known = math.prod(s for s in wanted if s != -1)
    size = np.size(x)
    if wanted.count(-1) == 1 and known and size % known == 0:
        wanted = tuple(size // known if s == -1 else s for s in wanted)
    if min(wanted, default=0) < 0 or math.prod(wanted) != size:
        raise ShapeError(
            f"reshape: {np.shape(x)} has {size} elements, which do not fit shape {wanted}"
        )
    return {"shape": wanted}


@reshape.vjp
def _(g: Any, y: Any, x: Any, *, shape: Shape) -> Any:
    return g.reshape(x.shape)


@reshape.definition
def _(at: Shape, x: Any, *, shape: Shape) -> Any:
    return x[place(position(at, shape), x.shape)]


@op
def transpose(x: Any, *, axes: tuple[int, ...] | None = None) -> Any:
    """Axes in another order; reversed if none is given.

    Raises:
        ShapeError: axes that are no permutation.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.transpose(tg.Tensor([[1.0, 2.0], [3.0, 4.0]]))
        Tensor([[1., 3.],
                [2., 4.]])
    """
    return np.transpose(x, axes)


@transpose.check
def _(x: Any, *, axes: tuple[int, ...] | None) -> dict[str, Any]:
    ndim = np.ndim(x)
    if axes is None:
        return {"axes": tuple(reversed(range(ndim)))}
    axes = sizes("transpose", "axes", axes)
    if sorted(a + ndim if a < 0 else a for a in axes) != list(range(ndim)):
        raise ShapeError(
            f"transpose: axes {axes} are no permutation of the {ndim} axes of {np.shape(x)}"
        )
    return {"axes": tuple(a % ndim for a in axes)}


@transpose.vjp
def _(g: Any, y: Any, x: Any, *, axes: tuple[int, ...]) -> Any:
    return g.transpose(inverse(axes))


def inverse(axes: tuple[int, ...]) -> tuple[int, ...]:
    """The permutation that undoes a transposition by `axes`."""
    return tuple(sorted(range(len(axes)), key=axes.__getitem__))


@transpose.definition
def _(at: Shape, x: Any, *, axes: tuple[int, ...]) -> Any:
    return x[tuple(at[i] for i in inverse(axes))]


@op
def broadcast_to(x: Any, *, shape: Shape) -> Any:
    """Repeat along new axes and axes of size 1, as NumPy broadcasts.

    Raises:
        ShapeError: a shape that x does not stretch to.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.broadcast_to(tg.Tensor([1.0, 2.0]), (2, 2))
        Tensor([[1., 2.],
                [1., 2.]])
    """
    return np.broadcast_to(x, shape)


@broadcast_to.check
def _(x: Any, *, shape: Shape) -> dict[str, Any]:
    wanted = sizes("broadcast_to", "shape", shape)
    try:
        fits = np.broadcast_shapes(np.shape(x), wanted) == wanted
    except ValueError:
        fits = False
    if not fits:
        raise ShapeError(f"broadcast_to: shape {np.shape(x)} does not broadcast to {wanted}")
    return {"shape": wanted}


@broadcast_to.vjp
def _(g: Any, y: Any, x: Any, *, shape: Shape) -> Any:
    return g  # the walk sums over what was broadcast


@broadcast_to.definition
def _(at: Shape, x: Any, *, shape: Shape) -> Any:
    tail = at[len(at) - len(x.shape) :]
    return x[tuple(0 if size == 1 else i for i, size in zip(tail, x.shape, strict=True))]


@op
def astype(x: Any, *, dtype: Any) -> Any:
    """The same numbers in another dtype; integers and booleans have no gradient.

    Raises:
        DtypeError: not a dtype of real numbers.

    Example:
        >>> import numpy as np, tinygrad_cnn as tg
        >>> tg.astype(tg.Tensor([1.5]), np.float64)
        Tensor([1.5], dtype=float64)
    """
    return np.asarray(x).astype(dtype)


@astype.check
def _(x: Any, *, dtype: Any) -> dict[str, Any]:
    try:
        wanted = np.dtype(dtype)
    except (TypeError, ValueError):
        wanted = None
    if dtype is None or wanted is None or wanted.kind not in "fiub":
        raise DtypeError(f"astype: a dtype of real numbers is needed, got {dtype!r}")
    return {"dtype": wanted}


@astype.vjp
def _(g: Any, y: Any, x: Any, *, dtype: Any) -> Any:
    return g  # the walk gives it the input's dtype


@astype.definition
def _(at: Shape, x: Any, *, dtype: Any) -> Any:
    return x[at]


# --- indexing --------------------------------------------------------------------------------


@op
def getitem(x: Any, *, index: Any) -> Any:
    """``x[index]``, with every form of index that NumPy has; repeated indices add up backward.

    Raises:
        ShapeError: an index out of range, or too many.
        DtypeError: an index array that is not of integers or booleans.

    Example:
        >>> import tinygrad_cnn as tg
        >>> x = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True)
        >>> x[[0, 0, 2]].sum().backward()
        >>> x.grad
        Tensor([2., 0., 1.])
    """
    return np.asarray(x)[index]


@getitem.check
def _(x: Any, *, index: Any) -> dict[str, Any]:
    index = _plain_index("getitem", index)
    _picked_shape("getitem", index, np.shape(x))
    return {"index": index}


def _picked_shape(name: str, index: Any, shape: Shape) -> Shape:
    """The shape of ``x[index]`` for an x of `shape`."""
    try:
        return np.empty(shape, bool)[index].shape
    except (IndexError, TypeError, ValueError) as error:
        raise ShapeError(f"{name}: {error}; the input has shape {shape}") from error


_BASIC = (int, np.integer, slice, type(None), type(Ellipsis))


def _plain_index(name: str, index: Any) -> Any:
    """An index of slices, ints, None, Ellipsis and arrays; lists become arrays, as in NumPy."""
    if isinstance(index, tuple):
        return tuple(_plain_part(name, part) for part in index)
    return _plain_part(name, index)


def _plain_part(name: str, part: Any) -> Any:
    if isinstance(part, Handle):
        part = part.node.value
    if isinstance(part, _BASIC):
        return part
    try:
        array = np.asarray(part)
    except ValueError as error:
        raise ShapeError(f"{name}: {part} is no array: {error}") from error
    if array.size == 0 and isinstance(part, list | tuple):
        return array.astype(np.intp)
    if array.dtype.kind not in "biu":
        raise DtypeError(f"{name}: an index must hold integers or booleans, got {array.dtype}")
    return array


@getitem.vjp
def _(g: Any, y: Any, x: Any, *, index: Any) -> Any:
    return scatter_add(g, index, x.shape)


@getitem.definition
def _(at: Shape, x: Any, *, index: Any) -> Any:
    return x[_source_positions(x.shape, index)[at]]


def _source_positions(shape: Shape, index: Any) -> dict[Shape, Shape]:
    """For each index of ``x[index]``, the index of x that it reads."""
    picked = np.arange(math.prod(shape)).reshape(shape)[index]
    return {at: place(int(p), shape) for at, p in np.ndenumerate(picked)}


@op
def scatter_add(g: Any, *, index: Any, shape: Shape) -> Any:
    """Zeros of `shape` with g added at `index`: the vjp of getitem, and its adjoint."""
    out = np.zeros(shape, np.asarray(g).dtype)
    parts = index if isinstance(index, tuple) else (index,)
    if any(isinstance(part, np.ndarray) and part.dtype.kind != "b" for part in parts):
        np.add.at(out, index, g)  # integers may name the same place twice
    else:
        out[index] = g
    return out


@scatter_add.check
def _(g: Any, *, index: Any, shape: Any) -> dict[str, Any]:
    index, shape = _plain_index("scatter_add", index), sizes("scatter_add", "shape", shape)
    picked = _picked_shape("scatter_add", index, shape)
    if np.shape(g) != picked:
        raise ShapeError(
            f"scatter_add: the index picks {picked} out of {shape}, but the input is {np.shape(g)}"
        )
    return {"index": index, "shape": shape}


@scatter_add.vjp
def _(g: Any, y: Any, x: Any, *, index: Any, shape: Shape) -> Any:
    return getitem(g, index)


@scatter_add.definition
def _(at: Shape, x: Any, *, index: Any, shape: Shape) -> Any:
    read = _source_positions(shape, index)
    return add_up(x[picked] for picked, source in read.items() if source == at)


# --- joining ---------------------------------------------------------------------------------


@op
def concatenate(*arrays: Any, axis: int = 0) -> Any:
    """Join a list of arrays along an axis: ``concatenate([a, b], axis=1)``.

    Raises:
        ShapeError: sizes that differ in another axis, or an axis out of range.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.concatenate([tg.Tensor([1.0]), tg.Tensor([2.0, 3.0])])
        Tensor([1., 2., 3.])
    """
    return np.concatenate(arrays, axis=axis)


@concatenate.check
def _(*arrays: Any, axis: int) -> dict[str, Any]:
    shapes = [np.shape(a) for a in arrays]
    ndim = len(shapes[0])
    if not is_integer(axis) or not -ndim <= axis < ndim:
        raise ShapeError(f"concatenate: axis {axis!r} is out of range for shapes {shapes}")
    axis %= ndim
    for shape in shapes:
        if len(shape) != ndim or shape[:axis] + shape[axis + 1 :] != (
            shapes[0][:axis] + shapes[0][axis + 1 :]
        ):
            raise ShapeError(
                f"concatenate: shapes {shapes[0]} and {shape} differ in more than axis {axis}"
            )
    return {"axis": axis}


@concatenate.vjp
def _(g: Any, y: Any, *arrays: Any, axis: int) -> tuple[Any, ...]:
    ends = list(itertools.accumulate(np.shape(a)[axis] for a in arrays))
    lead = (slice(None),) * axis
    return tuple(
        g[(*lead, slice(end - np.shape(a)[axis], end))] for a, end in zip(arrays, ends, strict=True)
    )


@concatenate.definition
def _(at: Shape, *arrays: Any, axis: int) -> Any:
    i = at[axis]
    for a in arrays:
        if i < a.shape[axis]:
            return a[(*at[:axis], i, *at[axis + 1 :])]
        i -= a.shape[axis]
    raise AssertionError("an output index lies in one of the inputs")
