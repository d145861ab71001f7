"""Which elements: masked_fill, and functions that read with ops of other files: gather, tile …"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.definition import broadcast_index
from ..engine.op import Shape, constant, op
from ..errors import DtypeError, OptionError, ShapeError
from .axes import one_axis
from .elementwise import where
from .moving import take
from .options import number, sizes
from .shape import broadcast_to, getitem, reshape


@op
def masked_fill(x: Any, mask: Any, *, value: float) -> Any:
    """`value` where the mask is True, else x: no gradient flows where the mask is True.

    Args:
        x: of any shape that broadcasts with the mask's.
        mask: of booleans; it has no gradient.
        value: a number; −∞ before a softmax, say.

    Raises:
        ShapeError, DtypeError, OptionError: shapes that do not broadcast; a mask that is not of
            booleans; a value that is no number.

    Example:
        >>> import numpy as np, tinygrad_cnn as tg
        >>> x = tg.Tensor([1.0, 2.0, 2.0])
        >>> tg.softmax(x.masked_fill(np.array([True, False, False]), -np.inf))
        Tensor([0. , 0.5, 0.5])
    """
    return np.where(mask, value, x)


@masked_fill.check
def _(x: Any, mask: Any, *, value: float) -> dict[str, Any]:
    dtype = np.asarray(mask).dtype
    if dtype.kind != "b":
        raise DtypeError(f"masked_fill: the mask must be of booleans, got {dtype}")
    try:
        np.broadcast_shapes(np.shape(x), np.shape(mask))
    except ValueError:
        raise ShapeError(
            f"masked_fill: input {np.shape(x)} and mask {np.shape(mask)} do not broadcast: aligned "
            "from the right, two sizes must be equal, or one of them 1"
        ) from None
    return {"value": number("masked_fill", "value", value)}


masked_fill.vjp(lambda g, y, x, mask, value: where(constant(mask), 0.0, g), None)


@masked_fill.definition
def _(at: Shape, x: Any, mask: Any, *, value: float) -> Any:
    if float(mask[broadcast_index(at, mask.shape)]):
        return value
    return x[broadcast_index(at, x.shape)]


# --- functions of other ops ------------------------------------------------------------------


def gather(x: Any, axis: int, index: Any) -> Any:
    """For each place of `index` the element of x there, but along `axis` at what `index` says.

    ``y[i, j] = x[index[i, j], j]`` for axis 0, ``y[i, j] = x[i, index[i, j]]`` for axis 1.

    Args:
        x: of as many axes as index, and along the others no smaller.
        axis: along which to read.
        index: integers in 0 … x.shape[axis] − 1. Where one occurs twice, gradients add.

    Raises:
        ShapeError, DtypeError: shapes that do not go together; an index out of range, or not of
            integers.

    Example:
        >>> import tinygrad_cnn as tg
        >>> logits = tg.Tensor([[1.0, 2.0], [3.0, 4.0]])
        >>> tg.gather(logits, 1, [[1], [0]])  # of each row the one of its class
        Tensor([[2.],
                [3.]])
    """
    shape, places = np.shape(constant(x)), _places("gather", index)
    axis = one_axis(axis, len(shape), "gather")
    others = [n for d, n in enumerate(places.shape) if d != axis]
    fits = places.ndim == len(shape) and all(
        n <= m for n, m in zip(others, [m for d, m in enumerate(shape) if d != axis], strict=True)
    )
    if not fits:
        raise ShapeError(
            f"gather: index {places.shape} must have the axes of input {shape}, and but for axis "
            f"{axis} no larger ones"
        )
    _check_range("gather", places, shape, axis)
    grid = list(np.ix_(*map(np.arange, places.shape)))
    return getitem(x, tuple(places if d == axis else cells for d, cells in enumerate(grid)))


def index_select(x: Any, axis: int, index: Any) -> Any:
    """The slices of x along an axis whose numbers are in `index`: `take` in PyTorch's words.

    Raises:
        ShapeError, DtypeError: an index that is not (n,), out of range, or not of integers.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.index_select(tg.Tensor([[1.0, 2.0], [3.0, 4.0]]), 1, [1, 1])
        Tensor([[2., 2.],
                [4., 4.]])
    """
    shape, places = np.shape(constant(x)), _places("index_select", index)
    axis = one_axis(axis, len(shape), "index_select")
    if places.ndim != 1:
        raise ShapeError(f"index_select: index must be (n,), got {places.shape}")
    _check_range("index_select", places, shape, axis)
    return take(x, places, axis)


def _places(name: str, index: Any) -> Any:
    try:
        places = np.asarray(constant(index))
    except ValueError as error:  # ragged
        raise ShapeError(f"{name}: index {index!r} is no array: {error}") from error
    if places.dtype.kind not in "iu" and places.size:
        raise DtypeError(f"{name}: index must be of integers, got {places.dtype}")
    return places.astype(np.intp, copy=False)


def _check_range(name: str, places: Any, shape: Shape, axis: int) -> None:
    if places.size and not 0 <= places.min() <= places.max() < shape[axis]:
        raise ShapeError(
            f"{name}: index {places.min()} … {places.max()} is not in 0 … {shape[axis] - 1}, of "
            f"axis {axis} of {shape}"
        )


def unbind(x: Any, axis: int = 0) -> tuple[Any, ...]:
    """All slices of x along an axis, which they are then without.

    Raises:
        ShapeError, DtypeError: an axis out of range, or no int.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.unbind(tg.Tensor([[1.0, 2.0], [3.0, 4.0]]))
        (Tensor([1., 2.]), Tensor([3., 4.]))
    """
    shape = np.shape(constant(x))
    axis = one_axis(axis, len(shape), "unbind")
    return tuple(getitem(x, (slice(None),) * axis + (i,)) for i in range(shape[axis]))


def tile(x: Any, reps: Any) -> Any:
    """x side by side with itself, `reps` times along each axis, as NumPy's.

    Fewer reps than axes are of the last axes; more make new axes in front.

    Raises:
        OptionError: reps that are no ints ≥ 0.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.tile(tg.Tensor([1.0, 2.0]), (2, 2))
        Tensor([[1., 2., 1., 2.],
                [1., 2., 1., 2.]])
    """
    shape, times = np.shape(constant(x)), sizes("tile", "reps", reps)
    if min(times, default=0) < 0:
        raise OptionError(f"tile: reps must be ints ≥ 0, got {reps!r}")
    ndim = max(len(shape), len(times))
    shape, times = (1,) * (ndim - len(shape)) + shape, (1,) * (ndim - len(times)) + times
    apart = reshape(x, [m for n in shape for m in (1, n)])
    pairs = [m for n, r in zip(shape, times, strict=True) for m in (r, n)]
    return reshape(broadcast_to(apart, pairs), [n * r for n, r in zip(shape, times, strict=True)])
