"""Ops that reduce axes to one number: sum, mean, max, min, prod.

With ``axis=None`` all axes are reduced; a tuple reduces several. With `keepdims` they stay, with
size 1.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from ..engine.definition import add_up, first_to_beat
from ..engine.op import Op, Shape, constant, op
from .axes import Axis, axes_checked, elements, with_ones
from .shape import broadcast_to, concatenate, inverse


@axes_checked
@op
def sum(x: Any, *, axis: Axis = None, keepdims: bool = False) -> Any:
    """The sum over `axis` (one, several, or all).

    Raises:
        ShapeError, DtypeError: an axis out of range, given twice, or no int.

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
    return add_up(x[i] for i in elements(at, x.shape, axis, keepdims))


@axes_checked
@op
def mean(x: Any, *, axis: Axis = None, keepdims: bool = False) -> Any:
    """The mean over `axis` (one, several, or all).

    Raises:
        ShapeError, DtypeError: an axis out of range, given twice, or no int.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.mean(tg.Tensor([[1.0, 2.0], [3.0, 4.0]]), axis=0, keepdims=True)
        Tensor([[2., 3.]])
    """
    return np.mean(x, axis=axis, keepdims=keepdims)


@mean.vjp
def _(g: Any, y: Any, x: Any, *, axis: tuple[int, ...], keepdims: bool) -> Any:
    count = math.prod(x.shape[a] for a in axis)
    return broadcast_to(g.reshape(with_ones(x.shape, axis)), x.shape) / count


@mean.definition
def _(at: Shape, x: Any, *, axis: tuple[int, ...], keepdims: bool) -> Any:
    total = add_up(x[i] for i in elements(at, x.shape, axis, keepdims))
    return total / math.prod(x.shape[a] for a in axis)


def _extreme(name: str, reduce: Any, argument: Any, beats: Any, doc: str) -> Op:
    """max and min: of equal elements the first, in row-major order, gets the gradient."""

    def forward(x: Any, *, axis: Axis = None, keepdims: bool = False) -> Any:
        return reduce(x, axis=axis, keepdims=keepdims)

    forward.__doc__ = doc
    extreme = axes_checked(op(name, forward), of_elements=True)

    @extreme.vjp
    def _(g: Any, y: Any, x: Any, *, axis: tuple[int, ...], keepdims: bool) -> Any:
        return g.reshape(with_ones(x.shape, axis)) * _first(argument, constant(x), axis)

    @extreme.definition
    def _(at: Shape, x: Any, *, axis: tuple[int, ...], keepdims: bool) -> Any:
        return first_to_beat((x[i] for i in elements(at, x.shape, axis, keepdims)), beats)

    return extreme


def _first(argument: Any, x: Any, axes: tuple[int, ...]) -> Any:
    """True where the first extreme element of each reduced slice is."""
    last = tuple(range(x.ndim - len(axes), x.ndim))
    moved = np.moveaxis(x, axes, last)
    kept = moved.shape[: x.ndim - len(axes)]
    flat = moved.reshape(*kept, math.prod(x.shape[a] for a in axes))
    mask = np.zeros(flat.shape, bool)
    np.put_along_axis(mask, argument(flat, axis=-1)[..., None], True, axis=-1)
    return np.moveaxis(mask.reshape(moved.shape), last, axes)


max = _extreme(
    "max",
    np.max,
    np.argmax,
    operator.gt,
    """The largest element over `axis`. Of equal ones the first (row-major) gets the gradient.

    A NaN counts as larger than all else.

    Raises:
        ShapeError: there is nothing to reduce.

    Example:
        >>> import tinygrad_cnn as tg
        >>> x = tg.Tensor([1.0, 3.0, 3.0, 1.0], requires_grad=True)
        >>> tg.max(x).backward()
        >>> x.grad
        Tensor([0., 1., 0., 0.])
    """,
)
min = _extreme(
    "min",
    np.min,
    np.argmin,
    operator.lt,
    """The smallest element over `axis`. Of equal ones the first (row-major) gets the gradient.

    A NaN counts as smaller than all else.

    Raises:
        ShapeError: there is nothing to reduce.

    Example:
        >>> import tinygrad_cnn as tg
        >>> x = tg.Tensor([1.0, 3.0, 3.0, 1.0], requires_grad=True)
        >>> tg.min(x).backward()
        >>> x.grad
        Tensor([1., 0., 0., 0.])
    """,
)


@axes_checked
@op
def prod(x: Any, *, axis: Axis = None, keepdims: bool = False) -> Any:
    """The product over `axis`. Its gradient is right with zeros among the factors, too.

    Raises:
        ShapeError, DtypeError: an axis out of range, given twice, or no int.

    Example:
        >>> import tinygrad_cnn as tg
        >>> x = tg.Tensor([2.0, 0.0, 3.0], requires_grad=True)
        >>> tg.prod(x).backward()
        >>> x.grad
        Tensor([0., 6., 0.])
    """
    return np.prod(x, axis=axis, keepdims=keepdims)


@prod.vjp
def _(g: Any, y: Any, x: Any, *, axis: tuple[int, ...], keepdims: bool) -> Any:
    return g.reshape(with_ones(x.shape, axis)) * _product_of_others(x, axis)


def _product_of_others(x: Any, axes: tuple[int, ...]) -> Any:
    """For each element the product of the others in its slice, without dividing by it.

    It is the product of the factors before it, times the product of those after it. Both are
    running products, which take O(log n) multiplications of whole arrays.
    """
    kept = tuple(a for a in range(x.ndim) if a not in axes)
    moved = x.transpose((*kept, *axes))
    lead, count = moved.shape[: len(kept)], math.prod(moved.shape[len(kept) :])
    flat = moved.reshape((*lead, count))
    others = _running(flat, before=True) * _running(flat, before=False)
    return others.reshape(moved.shape).transpose(inverse((*kept, *axes)))


def _running(x: Any, before: bool) -> Any:
    """For each element of the last axis the product of all that are before it, or after it."""
    one = np.ones((*x.shape[:-1], 1), x.dtype)
    n = x.shape[-1]
    y = concatenate([one, x[..., :-1]] if before else [x[..., 1:], one], -1) if n else x
    step = 1
    while step < n:
        pad = np.ones((*x.shape[:-1], step), x.dtype)
        shifted = [pad, y[..., :-step]] if before else [y[..., step:], pad]
        y = y * concatenate(shifted, -1)
        step *= 2
    return y


@prod.definition
def _(at: Shape, x: Any, *, axis: tuple[int, ...], keepdims: bool) -> Any:
    total = None
    for i in elements(at, x.shape, axis, keepdims):
        total = x[i] if total is None else total * x[i]
    return 1.0 if total is None else total
