"""Reductions of axes to one number, and running sums."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...ops import reduce as r
from ...ops import statistics
from ...ops.elementwise import absolute, log
from ...ops.moving import flip, pad
from ...ops.shape import getitem
from . import without_gradient as steps
from .table import Function, cast, dtype_of, ints, onnx_op, plain, shape_of


def _reduction(compute: Callable[..., Any]) -> Function:
    """An operator of this reduction. Its axes were an attribute once, and are an input now."""

    def reduce(
        x: Any,
        given: Any = None,
        *,
        axes: Sequence[int] | None = None,
        keepdims: int = 1,
        noop_with_empty_axes: int = 0,
    ) -> Any:
        chosen = ints(given) if given is not None else tuple(axes or ())
        everything = () if noop_with_empty_axes else None
        y = compute(x, chosen or everything, keepdims=bool(keepdims))
        return cast(y, dtype_of(x))

    return reduce


def _extreme(compute: Callable[..., Any], least: bool) -> Callable[..., Any]:
    """max or min; of no elements the end of the dtype's range."""

    def extreme(x: Any, axes: Any, keepdims: bool) -> Any:
        shape = shape_of(x)
        reduced = range(len(shape)) if axes is None else [a % len(shape) for a in axes]
        if all(shape[a] for a in reduced):
            return compute(x, axes, keepdims=keepdims)
        dtype = dtype_of(x)
        if dtype.kind == "f":
            initial: Any = math.inf if least else -math.inf
        elif dtype.kind == "b":
            initial = least
        else:
            initial = np.iinfo(dtype).max if least else np.iinfo(dtype).min
        function = np.min if least else np.max
        return function(plain(x), axis=tuple(reduced), keepdims=keepdims, initial=initial)

    return extreme


def _l1(x: Any, axes: Any, keepdims: bool) -> Any:
    return r.sum(absolute(x), axes, keepdims=keepdims)


def _sum_of_squares(x: Any, axes: Any, keepdims: bool) -> Any:
    return r.sum(x * x, axes, keepdims=keepdims)


def _log_sum(x: Any, axes: Any, keepdims: bool) -> Any:
    with np.errstate(divide="ignore"):
        return log(r.sum(x, axes, keepdims=keepdims))


_REDUCTIONS: dict[str, Callable[..., Any]] = {
    "ReduceSum": r.sum,
    "ReduceMean": r.mean,
    "ReduceProd": r.prod,
    "ReduceMax": _extreme(r.max, least=False),
    "ReduceMin": _extreme(r.min, least=True),
    "ReduceL1": _l1,
    "ReduceL2": statistics.norm,
    "ReduceSumSquare": _sum_of_squares,
    "ReduceLogSum": _log_sum,
    "ReduceLogSumExp": statistics.logsumexp,
}
for _name, _compute in _REDUCTIONS.items():
    onnx_op(_name)(_reduction(_compute))


def _place(find: Any) -> Function:
    def place(x: Any, *, axis: int = 0, keepdims: int = 1, select_last_index: int = 0) -> Any:
        y = find(x, axis=axis, last=bool(select_last_index))
        if keepdims:
            return y
        return getitem(y, (slice(None),) * (axis % len(shape_of(x))) + (0,))

    return place


onnx_op("ArgMax")(_place(steps.argmax))
onnx_op("ArgMin")(_place(steps.argmin))


@onnx_op("CumSum")
def _(x: Any, axis: Any, *, exclusive: int = 0, reverse: int = 0) -> Any:
    along = int(plain(axis).reshape(())) % len(shape_of(x))
    y = flip(x, along) if reverse else x
    y = cast(statistics.cumsum(y, along), dtype_of(x))
    if exclusive:  # without the element itself: the one before it in the running sum
        lead = (slice(None),) * along
        widths = [(int(a == along), 0) for a in range(len(shape_of(x)))]
        y = pad(getitem(y, (*lead, slice(0, -1))), widths)
    return flip(y, along) if reverse else y
