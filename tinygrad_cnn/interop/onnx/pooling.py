"""Pooling over windows, and over all positions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import OptionError, ShapeError
from ...kernels.pooling import max_pool_index
from ...ops import pooling as p
from ...ops.elementwise import absolute
from ...ops.moving import pad
from ...ops.reduce import max as largest
from ...ops.reduce import mean
from ...ops.reduce import sum as total
from ...ops.shape import reshape
from .convolution import CONVOLUTIONS, Pairs, extents, padding, per_axis, spatial
from .table import cast, dtype_of, onnx_op, plain, shape_of, sized

_MAX = {1: p.max_pool1d, 2: p.max_pool2d, 3: p.max_pool3d}
_AVERAGE = {1: p.avg_pool1d, 2: p.avg_pool2d, 3: p.avg_pool3d}


class _Window:
    """The attributes that all poolings share, checked against the input."""

    def __init__(
        self,
        x: Any,
        kernel_shape: Sequence[int],
        auto_pad: str = "NOTSET",
        ceil_mode: int = 0,
        dilations: Sequence[int] | None = None,
        pads: Sequence[int] | None = None,
        strides: Sequence[int] | None = None,
    ) -> None:
        self.size = spatial(x)
        self.d = len(self.size)
        self.kernel = per_axis(kernel_shape, self.d, "kernel_shape")
        self.stride = per_axis(strides, self.d, "strides")
        self.dilation = per_axis(dilations, self.d, "dilations")
        spans = extents(self.kernel, self.dilation)
        self.pairs = padding(auto_pad, pads, self.size, spans, self.stride)
        if min(map(min, self.pairs)) < 0:
            raise OptionError(f"pads must not be negative, got {self.pairs}")
        self.ceil = bool(ceil_mode)
        self.extended = _reaching(self.size, spans, self.stride, self.pairs) if self.ceil else ()
        wide = self.extended or self.pairs
        sized(*(n + sum(w) for n, w in zip(self.size, wide, strict=True)))

    @property
    def is_ordinary(self) -> bool:
        """Whether our op takes this padding: at most half of the kernel."""
        return all(2 * max(pair) <= k for pair, k in zip(self.pairs, self.kernel, strict=True))

    def around(self, x: Any, pairs: Pairs, value: float) -> Any:
        """x with so much padding of one value."""
        return pad(x, ((0, 0), (0, 0), *pairs), constant_values=value)


def _reaching(
    size: Sequence[int], spans: Sequence[int], stride: Sequence[int], pairs: Pairs
) -> Pairs:
    """The padding, and so much more that a last window fits, if it begins inside what is there."""
    extended = []
    for n, span, s, (before, after) in zip(size, spans, stride, pairs, strict=True):
        rest = -(n + before + after - span) % s
        extended.append((before, after + (rest if n + after + rest - span < n else 0)))
    return tuple(extended)


@onnx_op("MaxPool")
def _(
    x: Any,
    *,
    kernel_shape: Sequence[int],
    storage_order: int = 0,
    outputs: int = 1,
    **options: Any,
) -> Any:
    window = _Window(x, kernel_shape, **options)
    dtype = dtype_of(x)
    if dtype.kind != "f":
        x = cast(x, np.float64)
    pairs, ceil = window.pairs, window.ceil
    read = x
    if not window.is_ordinary:
        read = window.around(x, window.extended or pairs, -math.inf)
        pairs, ceil = ((0, 0),) * window.d, False
    pool = _MAX[window.d]
    y = cast(pool(read, window.kernel, window.stride, pairs, window.dilation, ceil), dtype)
    if outputs == 1:
        return y
    index = max_pool_index(
        plain(x), window.kernel, window.stride, window.extended or window.pairs, window.dilation
    )
    if storage_order:  # column by column
        index = np.ravel_multi_index(np.unravel_index(index, window.size), window.size, order="F")
    planes = np.arange(math.prod(shape_of(x)[:2])) * math.prod(window.size)
    return y, index + planes.reshape(*shape_of(x)[:2], *(1,) * window.d)


@onnx_op("AveragePool")
def _(x: Any, *, kernel_shape: Sequence[int], count_include_pad: int = 0, **options: Any) -> Any:
    window = _Window(x, kernel_shape, **options)
    if window.is_ordinary and set(window.dilation) == {1}:
        pool = _AVERAGE[window.d]
        return pool(
            x, window.kernel, window.stride, window.pairs, window.ceil, bool(count_include_pad)
        )
    there = np.ones((1, 1, *window.size), dtype_of(x))
    there = window.around(there, window.pairs, 1.0 if count_include_pad else 0.0)
    rest = tuple(
        (e[0] - q[0], e[1] - q[1])
        for e, q in zip(window.extended or window.pairs, window.pairs, strict=True)
    )
    there = window.around(there, rest, 0.0)
    around = window.around(x, window.extended or window.pairs, 0.0)
    return _sums(around, window) / _sums(there, window)


def _sums(x: Any, window: _Window) -> Any:
    """The sum of each window, nothing padded: a convolution with ones, in each channel alone."""
    n, c, *size = shape_of(x)
    ones = np.ones((1, 1, *window.kernel), dtype_of(x))
    convolve = CONVOLUTIONS[window.d]
    y = convolve(reshape(x, (n * c, 1, *size)), ones, None, window.stride, 0, window.dilation)
    return reshape(y, (n, c, *shape_of(y)[2:]))


@onnx_op("LpPool")
def _(x: Any, *, kernel_shape: Sequence[int], p: int = 2, **options: Any) -> Any:
    window = _Window(x, kernel_shape, **options)
    around = window.around(absolute(x) ** p, window.extended or window.pairs, 0.0)
    return _sums(around, window) ** (1 / p)


def _positions(x: Any) -> tuple[int, ...]:
    """The axes behind batch and channels.

    Raises:
        ShapeError: there are none.
    """
    ndim = len(shape_of(x))
    if ndim < 3:
        raise ShapeError(f"an input (N, C, …) with cells to pool is needed, got {shape_of(x)}")
    return tuple(range(2, ndim))


@onnx_op("GlobalAveragePool")
def _(x: Any) -> Any:
    return mean(x, _positions(x), keepdims=True)


@onnx_op("GlobalMaxPool")
def _(x: Any) -> Any:
    return largest(x, _positions(x), keepdims=True)


@onnx_op("GlobalLpPool")
def _(x: Any, *, p: int = 2) -> Any:
    return total(absolute(x) ** p, _positions(x), keepdims=True) ** (1 / p)
