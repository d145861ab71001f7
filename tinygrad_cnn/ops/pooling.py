"""Max and average pooling in one, two and three dimensions, and global average pooling."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from ..engine.definition import add_up, first_to_beat, place, places, position
from ..engine.op import Op, Shape, constant, op
from ..errors import OptionError, ShapeError
from ..kernels import pooling as kernels
from ..kernels.windows import output_size, output_sizes, span
from . import reduce
from .options import flag, integer, need_floating, sizes
from .windows import Pairs, layouts, per_axis, read, window_options


def _window_options(
    x: Any,
    d: int,
    name: str,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    ceil_mode: bool,
    dilation: Any = 1,
) -> dict[str, Any]:
    """Kernel, stride, padding and dilation in canonical form, checked against the input."""
    shape = np.shape(x)
    if len(shape) != d + 2:
        raise ShapeError(f"{name}: input must be {layouts(d)}; got {shape}")
    need_floating(name, x)
    kernel = per_axis(kernel_size, d, name, "kernel_size", 1)
    stride = kernel if stride is None else stride
    stride, pairs, dilation = window_options(name, d, kernel, stride, padding, dilation)
    ceil_mode = flag(name, "ceil_mode", ceil_mode)
    wide = extended(shape[2:], kernel, stride, pairs, dilation, ceil_mode)
    for n, k, s, pair, around, e in zip(
        shape[2:], kernel, stride, pairs, wide, dilation, strict=True
    ):
        if 2 * max(pair) > k:
            raise OptionError(
                f"{name}: padding {pairs} is more than half of kernel {kernel}, so that windows "
                "could lie wholly in the padding"
            )
        out = output_size(n, k, s, around, e)
        if out < 1:
            raise ShapeError(
                f"{name}: kernel {kernel} does not fit into input {shape[2:]} with padding {pairs}"
            )
        starts = range(-pair[0], out * s - pair[0], s)
        if e > n and any(not any(0 <= i + a * e < n for a in range(k)) for i in starts):
            raise ShapeError(
                f"{name}: with dilation {dilation}, windows of kernel {kernel} step over input "
                f"{shape[2:]} and lie wholly in the padding {pairs}; use a smaller dilation"
            )
    return {
        "kernel_size": kernel,
        "stride": stride,
        "padding": pairs,
        "dilation": dilation,
        "ceil_mode": ceil_mode,
    }


def extended(
    size: Shape, kernel: Shape, stride: Shape, padding: Pairs, dilation: Shape, ceil_mode: bool
) -> Pairs:
    """The padding; with `ceil_mode` enough more at the end for a last window to fit.

    That window must begin inside the input or the padding before it, as in PyTorch.
    """
    if not ceil_mode:
        return padding
    found = []
    for n, k, s, (before, after), e in zip(size, kernel, stride, padding, dilation, strict=True):
        rest = -(n + before + after - span(k, e)) % s
        starts_at = n + after + rest - span(k, e)
        found.append((before, after + (rest if starts_at < n else 0)))
    return tuple(found)


def _cells(
    at: Shape, size: Shape, kernel: Shape, stride: Shape, padding: Pairs, dilation: Shape
) -> list[Shape]:
    """The input indices that the window of output `at` covers, the padding left out."""
    n, c, *i = at
    found = (read(tuple(i), a, stride, padding, dilation, size) for a in places(kernel))
    return [(n, c, *cell) for cell in found if cell is not None]


# --- max -------------------------------------------------------------------------------------


def _max_pool(d: int) -> Op:
    def windows(
        size: Shape, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
    ) -> tuple[Any, Any, Any, Any]:
        wide = extended(size, kernel_size, stride, padding, dilation, ceil_mode)
        return kernel_size, stride, wide, dilation

    def forward(
        x: Any,
        *,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
    ) -> Any:
        options = windows(x.shape[2:], kernel_size, stride, padding, dilation, ceil_mode)
        return kernels.max_pool(x, *options)

    forward.__doc__ = f"""The largest element of each window, in each channel by itself.

    Padding never wins (it counts as −inf). Of equal elements the first in the window, row by row,
    gets the gradient. A NaN wins over all else.

    Args:
        x: (N, C, …) with {d} spatial axes, or one example, (C, …).
        kernel_size: of the window; an int or {d} of them.
        stride: how far it moves; the kernel's size if None.
        padding: on both sides; at most half of the kernel.
        dilation: the distance between the window's elements.
        ceil_mode: whether a last window may reach over the end.

    Raises:
        ShapeError, DtypeError, OptionError: naming the sizes that do not fit.

    Example:
        >>> import numpy as np, tinygrad_cnn as tg
        >>> x = np.arange(3.0**{d}).reshape(1, 1, *[3] * {d})
        >>> float(tg.max_pool{d}d(x, 2, stride=1).max()) == 3**{d} - 1
        True
        >>> tg.max_pool{d}d(x, 2, ceil_mode=True).shape[2:] == (2,) * {d}
        True
    """
    pool: Op = op(f"max_pool{d}d", forward)
    pool.batched("x", axes=d + 2)

    @pool.check_shapes
    def _(x: Any, **options: Any) -> dict[str, Any]:
        return _window_options(x, d, pool.name, **options)

    @pool.vjp
    def _(g: Any, y: Any, x: Any, **options: Any) -> Any:
        found = windows(x.shape[2:], **options)
        index = kernels.max_pool_index(constant(x), *found, constant(y))
        return unpool(g, index, x.shape[2:])

    @pool.definition
    def _(at: Shape, x: Any, **options: Any) -> Any:
        cells = _cells(at, x.shape[2:], *windows(x.shape[2:], **options))
        return first_to_beat((x[cell] for cell in cells), operator.gt)

    pool.multiply_adds(lambda out, x, *, kernel_size, **o: math.prod(out) * math.prod(kernel_size))
    return pool


@op
def unpool(g: Any, index: Any, *, size: Shape) -> Any:
    """g, added up where each window's largest element was: the gradient of max pooling.

    `index` holds the flat spatial index of each window's largest element, its *winner*; −1 if there
    is none. `size` is the input's spatial shape.
    """
    return kernels.unpool(g, index, size)


@op
def take_winners(x: Any, index: Any) -> Any:
    """The elements of x at the flat spatial indices of the winners: the adjoint of `unpool`."""
    return kernels.take_winners(x, index)


def _check_index(name: str, shape: Shape, index: Any) -> None:
    """Refuse an index that does not name cells of each plane of an array (N, C, …)."""
    index, planes, cells = np.asarray(index), shape[:2], math.prod(shape[2:])
    if len(planes) != 2 or index.shape[:2] != planes or index.dtype.kind not in "iu":
        raise ShapeError(
            f"{name}: an integer index of windows in {planes} planes (N, C) is needed, got "
            f"{index.dtype} {index.shape}"
        )
    if index.size and not (index.min() >= -1 and index.max() < cells):
        raise ShapeError(
            f"{name}: index {index.min()} … {index.max()} is not in the {cells} cells of {shape}"
        )


@unpool.check
def _(g: Any, index: Any, *, size: Any) -> dict[str, Any]:
    shape, size = np.shape(g), sizes("unpool", "size", size)
    if shape != np.shape(index) or len(size) != len(shape) - 2 or min(size, default=0) < 0:
        raise ShapeError(
            f"unpool: input {shape} and index {np.shape(index)} must have one shape (N, C, …), "
            f"and as many spatial axes as size {size}"
        )
    _check_index("unpool", (*shape[:2], *size), index)
    return {"size": size}


@take_winners.check
def _(x: Any, index: Any) -> dict[str, Any]:
    shape = np.shape(x)
    if len(shape) != np.ndim(index):
        raise ShapeError(f"take_winners: input {shape} does not go with index {np.shape(index)}")
    _check_index("take_winners", shape, index)
    return {}


unpool.vjp(lambda g, y, x, index, size: take_winners(g, index), None)
take_winners.vjp(lambda g, y, x, index: unpool(g, index, x.shape[2:]), None)


@unpool.definition
def _(at: Shape, g: Any, index: Any, *, size: Shape) -> Any:
    n, c, *inner = at
    flat = position(tuple(inner), size)
    return add_up(
        g[(n, c, *window)]
        for window in places(g.shape[2:])
        if float(index[(n, c, *window)]) == flat
    )


@take_winners.definition
def _(at: Shape, x: Any, index: Any) -> Any:
    flat = int(float(index[at]))
    if flat < 0:  # a window without a winner
        return 0.0
    return x[(*at[:2], *place(flat, x.shape[2:]))]


# --- average ---------------------------------------------------------------------------------


def _average_pool(d: int) -> tuple[Op, Op]:
    ones = (1,) * d

    def windows(
        size: Shape, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool, **_: Any
    ) -> tuple[Any, Any, Any]:
        return kernel_size, stride, extended(size, kernel_size, stride, padding, ones, ceil_mode)

    def counts(
        size: Shape,
        dtype: Any,
        found: tuple[Any, Any, Any],
        padding: Any,
        count_include_pad: bool,
        divisor_override: int | None,
    ) -> Any:
        """By what the sum of each of the windows `found` is divided."""
        if divisor_override is not None:
            return divisor_override
        kernel, stride, wide = found
        if count_include_pad:  # of the input and its padding, but not of what ceil_mode adds
            size = tuple(n + sum(pair) for n, pair in zip(size, padding, strict=True))
            wide = tuple((0, w[1] - p[1]) for w, p in zip(wide, padding, strict=True))
            if not any(after for _, after in wide):
                return math.prod(kernel)
        return kernels.sum_pool(np.ones((1, 1, *size), dtype), kernel, stride, wide)

    def forward(
        x: Any,
        *,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Any:
        size = x.shape[2:]
        found = windows(size, kernel_size, stride, padding, ceil_mode)
        y = kernels.sum_pool(x, *found)
        y /= counts(size, x.dtype, found, padding, count_include_pad, divisor_override)
        return y

    forward.__doc__ = f"""The mean of each window, in each channel by itself.

    Args:
        x: (N, C, …) with {d} spatial axes, or one example, (C, …).
        kernel_size: of the window; an int or {d} of them.
        stride: how far it moves; the kernel's size if None.
        padding: zeros on both sides; at most half of the kernel.
        ceil_mode: whether a last window may reach over the end.
        count_include_pad: whether the padding's zeros count as elements of the mean.
        divisor_override: by what the sum of each window is divided, an int ≥ 1; None for the
            number of its elements.

    Raises:
        ShapeError, DtypeError, OptionError: naming the sizes that do not fit.

    Example:
        >>> import numpy as np, tinygrad_cnn as tg
        >>> x = np.ones((1, 1, *[2] * {d}))
        >>> float(tg.avg_pool{d}d(x, 2, padding=1).max()) == 1 / 2**{d}  # the rest is padding
        True
        >>> float(tg.avg_pool{d}d(x, 2, padding=1, count_include_pad=False).max())
        1.0
    """
    pool: Op = op(f"avg_pool{d}d", forward)
    pool.batched("x", axes=d + 2)

    def canonical(
        name: str, x: Any, count_include_pad: bool, divisor_override: Any, **options: Any
    ) -> dict[str, Any]:
        """The options of a pooling of x, checked."""
        found = _window_options(x, d, name, **options)
        del found["dilation"]
        if divisor_override is not None:
            divisor_override = integer(name, "divisor_override", divisor_override, least=1)
        return {
            **found,
            "count_include_pad": flag(name, "count_include_pad", count_include_pad),
            "divisor_override": divisor_override,
        }

    @pool.check_shapes
    def _(x: Any, **options: Any) -> dict[str, Any]:
        return canonical(pool.name, x, **options)

    @op(f"avg_pool{d}d_input_grad")
    def spread(
        g: Any,
        *,
        size: Shape,
        kernel_size: Any,
        stride: Any,
        padding: Any,
        ceil_mode: bool,
        count_include_pad: bool,
        divisor_override: int | None = None,
    ) -> Any:
        """g shared out evenly over each window: the gradient of average pooling."""
        found = windows(size, kernel_size, stride, padding, ceil_mode)
        share = g / counts(size, g.dtype, found, padding, count_include_pad, divisor_override)
        return kernels.sum_pool_input_grad(share, *found, size)

    @spread.check
    def _(g: Any, *, size: Any, **options: Any) -> dict[str, Any]:
        shape = np.shape(g)
        size = per_axis(size, d, spread.name, "size", 1)
        like = np.broadcast_to(np.float32(0), (*shape[:2], *size))
        checked = canonical(spread.name, like, **options)
        out = output_sizes(size, *windows(size, **checked), ones)
        if shape[2:] != out:
            raise ShapeError(
                f"{spread.name}: size {size} has {out} windows, the gradient is {shape}"
            )
        return {"size": size, **checked}

    pool.vjp(lambda g, y, x, **o: spread(g, size=x.shape[2:], **o))
    spread.vjp(lambda g, y, x, *, size, **o: pool(g, **o))

    def window(at: Shape, size: Shape, **options: Any) -> tuple[list[Shape], int]:
        """The cells of a window, and by how many its sum is divided."""
        kernel, stride, wide = windows(size, **options)
        cells = _cells(at, size, kernel, stride, wide, ones)
        if options["divisor_override"] is not None:
            return cells, options["divisor_override"]
        if not options["count_include_pad"]:
            return cells, len(cells)
        padding = options["padding"]
        padded = tuple(n + sum(pair) for n, pair in zip(size, padding, strict=True))
        return cells, len(_cells(at, padded, kernel, stride, ((0, 0),) * d, ones))

    @pool.definition
    def _(at: Shape, x: Any, **options: Any) -> Any:
        cells, count = window(at, x.shape[2:], **options)
        return add_up(x[cell] for cell in cells) / count

    @spread.definition
    def _(at: Shape, g: Any, *, size: Shape, **options: Any) -> Any:
        def shares() -> Any:
            for i in places(g.shape[2:]):
                output = (*at[:2], *i)
                cells, count = window(output, size, **options)
                if tuple(at) in cells:
                    yield g[output] / count

        return add_up(shares())

    pool.multiply_adds(lambda out, x, *, kernel_size, **o: math.prod(out) * math.prod(kernel_size))
    spread.multiply_adds(lambda out, g, *, kernel_size, **o: math.prod(g) * math.prod(kernel_size))
    return pool, spread


max_pool1d, max_pool2d, max_pool3d = _max_pool(1), _max_pool(2), _max_pool(3)
avg_pool1d, avg_pool1d_input_grad = _average_pool(1)
avg_pool2d, avg_pool2d_input_grad = _average_pool(2)
avg_pool3d, avg_pool3d_input_grad = _average_pool(3)


def global_avg_pool(x: Any) -> Any:
    """The mean of each channel: (N, C, …) → (N, C).

    Raises:
        ShapeError: the input has no spatial axes, or no cells.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.global_avg_pool(tg.Tensor([[[1.0, 3.0], [0.0, 5.0]]])).numpy().tolist()
        [[2.0, 2.5]]
    """
    return reduce.mean(x, _spatial_axes("global_avg_pool", x))


def global_max_pool(x: Any) -> Any:
    """The largest element of each channel: (N, C, …) → (N, C).

    Of equal elements the first, row by row, gets the gradient.

    Raises:
        ShapeError: the input has no spatial axes, or no cells.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.global_max_pool(tg.Tensor([[[1.0, 3.0], [0.0, 5.0]]])).numpy().tolist()
        [[3.0, 5.0]]
    """
    return reduce.max(x, _spatial_axes("global_max_pool", x))


def _spatial_axes(name: str, x: Any) -> tuple[int, ...]:
    shape = np.shape(constant(x))
    if len(shape) < 3 or 0 in shape[2:]:
        raise ShapeError(f"{name}: input must be (N, C, …) with cells to pool, got {shape}")
    return tuple(range(2, len(shape)))
