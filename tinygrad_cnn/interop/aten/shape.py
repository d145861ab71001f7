"""Calls that move elements: shapes, axes, parts, indices, copies."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import ops
from ...engine.node import Handle
from ...errors import OptionError
from ...ops.options import is_integer
from ..overwriting import overwritten, positions
from .table import aten, cast, dtype_of, numbers_of, plain


def _axis(dim: int, axes: int) -> int:
    return dim + axes if dim < 0 else dim


# --- the same elements -------------------------------------------------------------------------


@aten(
    *("clone", "contiguous", "alias", "lift_fresh_copy", "lift_fresh", "lift", "positive"),
    *("_conj", "resolve_conj", "resolve_neg", "view_as_real_copy"),
)
def _(x: Any, **_: Any) -> Any:
    return x


@aten("detach")
def _(x: Any) -> Any:
    return plain(x)


@aten(
    "_to_copy", "to.dtype_layout", "to.device", "to.dtype", "to.other", "type_as", "to.prim_dtype"
)
def _(x: Any, *args: Any, dtype: Any = None, **_: Any) -> Any:
    for given in args:
        if isinstance(given, np.dtype):
            dtype = given
        elif isinstance(given, Handle | np.ndarray):
            dtype = dtype_of(given)
    return x if dtype is None else cast(x, dtype)


@aten("view", "reshape", "_unsafe_view", "view_copy", "_reshape_alias", "reshape_copy")
def _(x: Any, size: Any, *_: Any) -> Any:
    return ops.reshape(x, numbers_of(size))


@aten("view_as", "reshape_as")
def _(x: Any, other: Any) -> Any:
    return ops.reshape(x, np.shape(plain(other)))


@aten("view.dtype")
def _(x: Any, dtype: Any) -> Any:
    return plain(x).view(dtype)


@aten("flatten.using_ints")
def _(x: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    shape = x.shape
    start, end = _axis(start_dim, len(shape)), _axis(end_dim, len(shape))
    if not shape:
        return ops.reshape(x, (1,))
    return ops.reshape(x, (*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :]))


@aten("unflatten.int")
def _(x: Any, dim: int, sizes: Any) -> Any:
    dim, sizes = _axis(dim, x.ndim), list(numbers_of(sizes))
    if -1 in sizes:
        known = math.prod(size for size in sizes if size != -1)
        sizes[sizes.index(-1)] = x.shape[dim] // known
    return ops.reshape(x, (*x.shape[:dim], *sizes, *x.shape[dim + 1 :]))


@aten("permute", "permute_copy")
def _(x: Any, dims: Any) -> Any:
    return ops.transpose(x, tuple(_axis(dim, x.ndim) for dim in numbers_of(dims)))


@aten("transpose.int", "swapaxes", "swapdims", "transpose_copy.int")
def _(x: Any, dim0: int, dim1: int) -> Any:
    axes = list(range(x.ndim))
    if axes:
        axes[dim0], axes[dim1] = axes[dim1], axes[dim0]
    return ops.transpose(x, tuple(axes))


@aten("t", "numpy_T", "t_copy")
def _(x: Any) -> Any:
    return ops.transpose(x)


@aten("mT")
def _(x: Any) -> Any:
    return ops.transpose(x, (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


@aten("movedim.int", "movedim.intlist", "moveaxis.int", "moveaxis.intlist")
def _(x: Any, source: Any, destination: Any) -> Any:
    return ops.moveaxis(x, source, destination)


@aten("unsqueeze", "unsqueeze_copy")
def _(x: Any, dim: int) -> Any:
    dim = _axis(dim, x.ndim + 1)
    return ops.reshape(x, (*x.shape[:dim], 1, *x.shape[dim:]))


@aten("squeeze", "squeeze.dim", "squeeze.dims", "squeeze_copy.dims")
def _(x: Any, dim: Any = None) -> Any:
    axes = range(x.ndim) if dim is None else [_axis(d, x.ndim) for d in numbers_of(dim)]
    kept = [size for a, size in enumerate(x.shape) if not (a in axes and size == 1)]
    return ops.reshape(x, tuple(kept))


@aten("expand", "expand_copy")
def _(x: Any, size: Any, **_: Any) -> Any:
    sizes = numbers_of(size)
    have = (1,) * (len(sizes) - x.ndim) + tuple(x.shape)
    wanted = tuple(h if s == -1 else s for s, h in zip(sizes, have, strict=True))
    return x if wanted == tuple(x.shape) else ops.broadcast_to(x, wanted)


@aten("expand_as")
def _(x: Any, other: Any) -> Any:
    return ops.broadcast_to(x, np.shape(plain(other)))


@aten("broadcast_to")
def _(x: Any, size: Any) -> Any:
    return ops.broadcast_to(x, numbers_of(size))


@aten("broadcast_tensors")
def _(tensors: Sequence[Any]) -> Any:
    shape = np.broadcast_shapes(*[np.shape(plain(x)) for x in tensors])
    return [ops.broadcast_to(x, shape) for x in tensors]


# --- parts -------------------------------------------------------------------------------------


def _part(x: Any, dim: int, index: Any) -> Any:
    return ops.getitem(x, (*(slice(None),) * _axis(dim, x.ndim), index))


@aten("slice.Tensor", "slice_copy.Tensor")
def _(x: Any, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Any:
    size = x.shape[dim]
    first, last, _ = slice(start, end).indices(size)
    if (first, last, step) == (0, size, 1):
        return x
    return _part(x, dim, slice(first, max(first, last), step))


@aten("narrow")
def _(x: Any, dim: int, start: int, length: int) -> Any:
    start = _axis(start, x.shape[dim])
    return _part(x, dim, slice(start, start + length))


@aten("select.int", "select_copy.int")
def _(x: Any, dim: int, index: int) -> Any:
    return _part(x, dim, int(index))


@aten(
    "split.Tensor", "split.sizes", "split_with_sizes", "split_with_sizes_copy", "split_copy.Tensor"
)
def _(x: Any, split_size: Any, dim: int = 0) -> Any:
    size, ends, at = x.shape[dim], [], 0
    sizes = (
        split_size
        if isinstance(split_size, list | tuple)
        else [split_size] * -(-size // split_size)
    )
    for each in sizes:
        ends.append((at, min(at + each, size)))
        at += each
    return [_part(x, dim, slice(*end)) for end in ends]


@aten("chunk", "unsafe_chunk")
def _(x: Any, chunks: int, dim: int = 0) -> Any:
    size = x.shape[dim]
    each = -(-size // chunks)
    return [_part(x, dim, slice(at, min(at + each, size))) for at in range(0, size, each)]


@aten("tensor_split.sections")
def _(x: Any, sections: int, dim: int = 0) -> Any:
    size = x.shape[dim]
    sizes = [size // sections + (i < size % sections) for i in range(sections)]
    ends = np.cumsum([0, *sizes]).tolist()
    return [_part(x, dim, slice(a, b)) for a, b in itertools.pairwise(ends)]


@aten("unbind.int", "unbind_copy.int")
def _(x: Any, dim: int = 0) -> Any:
    return [_part(x, dim, i) for i in range(x.shape[dim])]


@aten("index_select")
def _(x: Any, dim: int, index: Any) -> Any:
    return ops.take(x, plain(index), _axis(dim, x.ndim))


@aten("index.Tensor", "_unsafe_index.Tensor")
def _(x: Any, indices: Any) -> Any:
    return ops.getitem(x, _index(indices))


def _index(indices: Any) -> tuple[Any, ...]:
    return tuple(slice(None) if i is None else np.asarray(plain(i)) for i in indices)


@aten("gather")
def _(x: Any, dim: int, index: Any, **_: Any) -> Any:
    return ops.getitem(x, _along(np.asarray(plain(index)), _axis(dim, x.ndim)))


def _along(index: Any, axis: int) -> tuple[Any, ...]:
    """The index by which NumPy takes what `index` names along one axis."""
    found: list[Any] = list(np.ogrid[tuple(slice(n) for n in index.shape)])
    found[axis] = index
    return tuple(np.broadcast_to(i, index.shape) for i in found)


@aten("diagonal")
def _(x: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    first = _axis(dim1, x.ndim), _axis(dim2, x.ndim)
    rest = tuple(a for a in range(x.ndim) if a not in first)
    moved = ops.transpose(x, (*rest, *first))
    height, width = moved.shape[-2:]
    rows, columns = np.nonzero(np.eye(height, width, offset, dtype=bool))
    return ops.getitem(moved, (..., rows, columns))


def _triangle(keep: Any) -> Any:
    def triangle(x: Any, diagonal: int = 0) -> Any:
        mask = keep(np.ones(x.shape[-2:], bool), diagonal)
        if dtype_of(x).kind != "f":
            return np.where(mask, plain(x), np.zeros((), dtype_of(x)))
        return ops.where(mask, x, 0.0)

    return triangle


aten("tril")(_triangle(np.tril))
aten("triu")(_triangle(np.triu))


# --- joined and repeated -----------------------------------------------------------------------


@aten("cat", "concat", "concatenate")
def _(tensors: Sequence[Any], dim: int = 0) -> Any:
    kept = [x for x in tensors if np.shape(plain(x)) != (0,)] or list(tensors)
    return kept[0] if len(kept) == 1 else ops.concatenate(kept, dim)


@aten("stack")
def _(tensors: Sequence[Any], dim: int = 0) -> Any:
    return ops.stack(list(tensors), dim)


@aten("repeat", "tile")
def _(x: Any, repeats: Any) -> Any:
    counts = numbers_of(repeats)
    counts = (1,) * (x.ndim - len(counts)) + counts
    x = ops.reshape(x, (1,) * (len(counts) - x.ndim) + tuple(x.shape))
    pairs = [n for count, size in zip(counts, x.shape, strict=True) for n in (count, size)]
    spread = ops.reshape(x, tuple(n for size in x.shape for n in (1, size)))
    joined = tuple(count * size for count, size in zip(counts, x.shape, strict=True))
    return ops.reshape(ops.broadcast_to(spread, tuple(pairs)), joined)


@aten("repeat_interleave.self_int", "repeat_interleave.self_Tensor")
def _(x: Any, repeats: Any, dim: int | None = None, **_: Any) -> Any:
    repeats = plain(repeats)
    return ops.repeat(x, repeats if not is_integer(repeats) else int(repeats), dim)


@aten("flip")
def _(x: Any, dims: Any) -> Any:
    return ops.flip(x, numbers_of(dims))


@aten("roll")
def _(x: Any, shifts: Any, dims: Any = ()) -> Any:
    shifts, dims = numbers_of(shifts), numbers_of(dims)
    return ops.roll(x, shifts if dims else shifts[0], dims or None)


@aten("constant_pad_nd")
def _(x: Any, pad: Any, value: float = 0.0) -> Any:
    return ops.pad(x, _pad_width(x.ndim, pad), "constant", float(value))


@aten("pad")
def _(x: Any, pad: Any, mode: str = "constant", value: float | None = None) -> Any:
    kinds = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
    return ops.pad(x, _pad_width(x.ndim, pad), kinds[mode], float(value or 0.0))


@aten("reflection_pad1d", "reflection_pad2d", "reflection_pad3d")
def _(x: Any, padding: Any) -> Any:
    return ops.pad(x, _pad_width(x.ndim, padding), "reflect")


@aten("replication_pad1d", "replication_pad2d", "replication_pad3d")
def _(x: Any, padding: Any) -> Any:
    return ops.pad(x, _pad_width(x.ndim, padding), "edge")


def _pad_width(axes: int, pad: Any) -> tuple[tuple[int, int], ...]:
    """PyTorch's (before, after) pairs, last axis first, as NumPy's for all axes."""
    flat = numbers_of(pad)
    pairs = [(flat[i], flat[i + 1]) for i in range(0, len(flat), 2)]
    return tuple([(0, 0)] * (axes - len(pairs)) + pairs[::-1])


# --- parts replaced ----------------------------------------------------------------------------


@aten("slice_scatter")
def _(x: Any, src: Any, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Any:
    index = (*(slice(None),) * _axis(dim, x.ndim), slice(start, end, step))
    return overwritten(x, positions(x)[index], src)


@aten("select_scatter")
def _(x: Any, src: Any, dim: int, index: int) -> Any:
    return overwritten(x, positions(x)[(*(slice(None),) * _axis(dim, x.ndim), index)], src)


@aten("index_put", "_unsafe_index_put", "index_put.default")
def _(x: Any, indices: Any, values: Any, accumulate: bool = False) -> Any:
    places = positions(x)[_index(indices)]
    return overwritten(x, places, values, adding=accumulate)


@aten("nonzero")
def _(x: Any) -> Any:
    return np.argwhere(plain(x))


@aten("nonzero_numpy", "where")
def _(x: Any) -> Any:
    return list(np.nonzero(plain(x)))


@aten("masked_scatter")
def _(x: Any, mask: Any, source: Any) -> Any:
    places = positions(x)[np.broadcast_to(plain(mask), x.shape)]
    return overwritten(x, places, ops.getitem(ops.reshape(source, -1), slice(places.size)))


def _scatter(adding: bool) -> Any:
    def scatter(x: Any, dim: int, index: Any, src: Any) -> Any:
        index = np.asarray(plain(index))
        places = positions(x)[_along(index, _axis(dim, x.ndim))]
        if isinstance(src, Handle | np.ndarray) and np.ndim(plain(src)):
            src = ops.getitem(src, tuple(slice(n) for n in index.shape))
        return overwritten(x, places, src, adding=adding)

    return scatter


aten("scatter.src", "scatter.value")(_scatter(False))
aten("scatter_add")(_scatter(True))


@aten("scatter_reduce.two")
def _(x: Any, dim: int, index: Any, src: Any, reduce: str, *, include_self: bool = True) -> Any:
    if reduce not in {"sum", "mean"}:
        raise OptionError(f"scatter_reduce: reduce must be sum or mean, got {reduce!r}")
    add = _scatter(True)
    counts = add(np.zeros(np.shape(plain(x))), dim, index, np.ones(np.shape(plain(index))))
    if not include_self:
        x = ops.where(counts > 0, 0.0, x)
    y = add(x, dim, index, src)
    if reduce == "sum":
        return y
    return ops.divide(y, np.maximum(counts + include_self, 1).astype(dtype_of(x)))


@aten("copy", "copy_")
def _(x: Any, src: Any, non_blocking: bool = False) -> Any:
    return ops.broadcast_to(cast(src, dtype_of(x)), np.shape(plain(x)))


@aten("fill.Scalar", "fill.Tensor")
def _(x: Any, value: Any) -> Any:
    if not isinstance(value, Handle):
        return np.full(np.shape(plain(x)), plain(value), dtype_of(x))
    return ops.broadcast_to(cast(value, dtype_of(x)), np.shape(plain(x)))


@aten("zero", "zero_")
def _(x: Any) -> Any:
    return np.zeros(np.shape(plain(x)), dtype_of(x))


# --- sizes -------------------------------------------------------------------------------------


@aten("sym_size.int", "size.int")
def _(x: Any, dim: int) -> Any:
    return int(np.shape(plain(x))[dim])


@aten("sym_size", "size")
def _(x: Any) -> Any:
    return list(np.shape(plain(x)))


@aten("sym_numel", "numel")
def _(x: Any) -> Any:
    return math.prod(np.shape(plain(x)))


@aten("item", "_local_scalar_dense")
def _(x: Any) -> Any:
    return np.asarray(plain(x)).item()
