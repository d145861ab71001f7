"""Max and average pooling in one, two and three dimensions, and global average pooling."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from ..errors import DtypeError, OptionError, ShapeError
from ..kernels import pooling as kernels
from ..kernels.convolution import output_size
from ..op import Op, Shape, constant, op
from .convolution import Pairs, _read, padding_pairs, per_axis
from .reduce import mean


def _window_options(
    x: Any, d: int, name: str, kernel_size: Any, stride: Any, padding: Any, dilation: Any = 1
) -> dict[str, Any]:
    """Kernel, stride, padding and dilation in canonical form, checked against the input."""
    shape = np.shape(x)
    if len(shape) != d + 2:
        layout = "N, C, " + ", ".join("DHW"[3 - d :])
        raise ShapeError(f"{name}: input must be ({layout}), got {shape}")
    if np.asarray(x).dtype.kind != "f":
        raise DtypeError(f"{name}: a floating input is needed, got {np.asarray(x).dtype}")
    kernel = per_axis(kernel_size, d, name, "kernel_size", 1)
    stride = kernel if stride is None else per_axis(stride, d, name, "stride", 1)
    dilation = per_axis(dilation, d, name, "dilation", 1)
    pairs = padding_pairs(padding, d, kernel, dilation, name)
    for n, k, s, pair, e in zip(shape[2:], kernel, stride, pairs, dilation, strict=True):
        if 2 * max(pair) > k:
            raise OptionError(
                f"{name}: padding {pairs} is more than half of kernel {kernel}, so that windows "
                "could lie wholly in the padding"
            )
        if output_size(n, k, s, pair, e) < 1:
            raise ShapeError(
                f"{name}: kernel {kernel} does not fit into input {shape[2:]} with padding {pairs}"
            )
    return {"kernel_size": kernel, "stride": stride, "padding": pairs, "dilation": dilation}


def _reads(
    at: Shape, size: Shape, kernel: Shape, stride: Shape, padding: Pairs, dilation: Shape
) -> list[Shape]:
    """The input indices that the window of output `at` covers, the padding left out."""
    n, c, *i = at
    places = (
        _read(tuple(i), a, stride, padding, dilation, size)
        for a in itertools.product(*map(range, kernel))
    )
    return [(n, c, *place) for place in places if place is not None]


def _max_pool(d: int) -> Op:
    def forward(
        x: Any, *, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1
    ) -> Any:
        return kernels.max_pool(x, kernel_size, stride, padding, dilation)

    forward.__doc__ = f"""The largest element of each window, in each channel by itself.

    Padding never wins (it counts as −inf). Of equal elements the first in the window, row by row,
    gets the gradient.

    Args:
        x: (N, C, …) with {d} spatial axes.
        kernel_size: of the window; an int or {d} of them.
        stride: how far it moves; the kernel's size if None.
        padding: on both sides; at most half of the kernel.
        dilation: the distance between the window's elements.

    Raises:
        ShapeError, DtypeError, OptionError: naming the sizes that do not fit.
    """
    pool: Op = op(f"max_pool{d}d", forward)

    @pool.check
    def _(x: Any, **options: Any) -> dict[str, Any]:
        return _window_options(x, d, pool.name, **options)

    @pool.vjp
    def _(
        g: Any, y: Any, x: Any, *, kernel_size: Any, stride: Any, padding: Any, dilation: Any
    ) -> Any:
        index = kernels.max_pool_index(constant(x), kernel_size, stride, padding, dilation)
        return unpool(g, index, x.shape[2:])

    @pool.definition
    def _(at: Shape, x: Any, *, kernel_size: Any, stride: Any, padding: Any, dilation: Any) -> Any:
        places = _reads(at, x.shape[2:], kernel_size, stride, padding, dilation)
        best = x[places[0]]
        for place in places[1:]:
            if x[place] > best:
                best = x[place]
        return best

    pool.multiply_adds(lambda out, x, *, kernel_size, **o: math.prod(out) * math.prod(kernel_size))
    return pool


@op
def unpool(g: Any, index: Any, *, size: Shape) -> Any:
    """g put back where each window's winner was, and added up: the gradient of max pooling.

    `index` holds the flat spatial index of each winner; `size` is the input's spatial shape.
    """
    return kernels.unpool(g, index, size)


@op
def take_winners(x: Any, index: Any) -> Any:
    """The elements of x that won, by flat spatial index: the adjoint of `unpool`."""
    return kernels.take_winners(x, index)


unpool.vjp(lambda g, y, x, index, size: take_winners(g, index), None)
take_winners.vjp(lambda g, y, x, index: unpool(g, index, x.shape[2:]), None)


@unpool.definition
def _(at: Shape, g: Any, index: Any, *, size: Shape) -> Any:
    n, c, *place = at
    flat = 0
    for i, s in zip(place, size, strict=True):
        flat = flat * s + i
    total = 0.0
    for window in itertools.product(*map(range, g.shape[2:])):
        if float(index[(n, c, *window)]) == flat:
            total = total + g[(n, c, *window)]
    return total


@take_winners.definition
def _(at: Shape, x: Any, index: Any) -> Any:
    flat, place = int(float(index[at])), []
    for s in reversed(x.shape[2:]):
        flat, i = divmod(flat, s)
        place.append(i)
    return x[(*at[:2], *reversed(place))]


def _average_pool(d: int) -> tuple[Op, Op]:
    def forward(
        x: Any,
        *,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        count_include_pad: bool = True,
    ) -> Any:
        y = kernels.sum_pool(x, kernel_size, stride, padding)
        y /= _counts(x.shape[2:], kernel_size, stride, padding, count_include_pad, x.dtype)
        return y

    forward.__doc__ = f"""The mean of each window, in each channel by itself.

    Args:
        x: (N, C, …) with {d} spatial axes.
        kernel_size: of the window; an int or {d} of them.
        stride: how far it moves; the kernel's size if None.
        padding: zeros on both sides; at most half of the kernel.
        count_include_pad: whether the padding's zeros count as elements of the mean.

    Raises:
        ShapeError, DtypeError, OptionError: naming the sizes that do not fit.
    """
    pool: Op = op(f"avg_pool{d}d", forward)

    @pool.check
    def _(x: Any, *, count_include_pad: bool, **options: Any) -> dict[str, Any]:
        found = _window_options(x, d, pool.name, **options)
        del found["dilation"]
        return {**found, "count_include_pad": bool(count_include_pad)}

    @op(f"avg_pool{d}d_input_grad")
    def spread(
        g: Any, *, size: Shape, kernel_size: Any, stride: Any, padding: Any, count_include_pad: bool
    ) -> Any:
        """g shared out evenly over each window: the gradient of average pooling."""
        counts = _counts(size, kernel_size, stride, padding, count_include_pad, g.dtype)
        return kernels.sum_pool_input_grad(g / counts, kernel_size, stride, padding, size)

    pool.vjp(lambda g, y, x, **o: spread(g, size=x.shape[2:], **o))
    spread.vjp(lambda g, y, x, *, size, **o: pool(g, **o))

    @pool.definition
    def _(
        at: Shape, x: Any, *, kernel_size: Any, stride: Any, padding: Any, count_include_pad: bool
    ) -> Any:
        places = _reads(at, x.shape[2:], kernel_size, stride, padding, (1,) * d)
        total = 0.0
        for place in places:
            total = total + x[place]
        return total / (math.prod(kernel_size) if count_include_pad else len(places))

    @spread.definition
    def _(
        at: Shape, g: Any, *, size: Shape, kernel_size: Any, stride: Any, padding: Any,
        count_include_pad: bool,
    ) -> Any:  # fmt: skip
        total = 0.0
        for i in itertools.product(*map(range, g.shape[2:])):
            window = (*at[:2], *i)
            places = _reads(window, size, kernel_size, stride, padding, (1,) * d)
            if at in places:
                count = math.prod(kernel_size) if count_include_pad else len(places)
                total = total + g[window] / count
        return total

    pool.multiply_adds(lambda out, x, *, kernel_size, **o: math.prod(out) * math.prod(kernel_size))
    spread.multiply_adds(lambda out, g, *, kernel_size, **o: math.prod(g) * math.prod(kernel_size))
    return pool, spread


def _counts(
    size: Shape, kernel: Shape, stride: Shape, padding: Pairs, include_pad: bool, dtype: Any
) -> Any:
    """By how many elements each window's sum is divided."""
    if include_pad:
        return math.prod(kernel)
    return kernels.sum_pool(np.ones((1, 1, *size), dtype), kernel, stride, padding)


max_pool1d, max_pool2d, max_pool3d = _max_pool(1), _max_pool(2), _max_pool(3)
avg_pool1d, avg_pool1d_input_grad = _average_pool(1)
avg_pool2d, avg_pool2d_input_grad = _average_pool(2)
avg_pool3d, avg_pool3d_input_grad = _average_pool(3)


def global_avg_pool(x: Any) -> Any:
    """The mean of each channel: (N, C, …) → (N, C).

    Raises:
        ShapeError: the input has no spatial axes.
    """
    if x.ndim < 3:
        raise ShapeError(f"global_avg_pool: input must be (N, C, …), got {x.shape}")
    return mean(x, tuple(range(2, x.ndim)))
