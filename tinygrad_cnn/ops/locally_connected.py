"""A locally connected layer: the windows of a convolution, but each position has its own kernel.

It stands between the fully connected layer (every input reaches every output) and the convolution
(local, and the same kernel everywhere): local, without sharing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..engine.definition import add_up, places
from ..engine.op import Shape, op
from ..errors import DtypeError, ShapeError
from ..kernels.windows import output_sizes
from .einsum import einsum
from .moving import pad
from .shape import getitem, scatter_add
from .windows import layouts, padding_pairs, per_axis


@op
def unfold2d(x: Any, *, kernel: Shape, stride: Shape) -> Any:
    """The windows of an image, one after the other: (N, C, H, W) → (N, C, kh, kw, OH, OW).

    Raises:
        ShapeError, OptionError: a kernel that does not fit into x.

    Example:
        >>> import numpy as np, tinygrad_cnn as tg
        >>> tg.unfold2d(tg.Tensor(np.zeros((1, 3, 5, 5))), kernel=3, stride=2).shape
        (1, 3, 3, 3, 2, 2)
    """
    return x[_window_index(x.shape, kernel, stride)]


def _window_index(shape: Shape, kernel: Shape, stride: Shape) -> Any:
    """An index that reads cell i·stride + a as element (a, i), along both spatial axes."""
    rows, columns = (
        np.arange(k)[:, None] + np.arange((n - k) // s + 1) * s
        for n, k, s in zip(shape[2:], kernel, stride, strict=True)
    )
    return (..., rows[:, None, :, None], columns[None, :, None, :])


unfold2d.vjp(
    lambda g, y, x, *, kernel, stride: scatter_add(
        g, _window_index(x.shape, kernel, stride), x.shape
    )
)


@unfold2d.check
def _(x: Any, *, kernel: Any, stride: Any) -> dict[str, Any]:
    if np.ndim(x) != 4:
        raise ShapeError(f"unfold2d: input must be (N, C, H, W), got {np.shape(x)}")
    kernel = per_axis(kernel, 2, "unfold2d", "kernel", 1)
    if any(k > n for k, n in zip(kernel, np.shape(x)[2:], strict=True)):
        raise ShapeError(f"unfold2d: kernel {kernel} does not fit into input {np.shape(x)}")
    return {"kernel": kernel, "stride": per_axis(stride, 2, "unfold2d", "stride", 1)}


@unfold2d.definition
def _(at: Shape, x: Any, *, kernel: Shape, stride: Shape) -> Any:
    n, c, a, b, i, j = at
    return x[(n, c, i * stride[0] + a, j * stride[1] + b)]


@op
def locally_connected2d(x: Any, w: Any, b: Any = None, *, stride: Any = 1, padding: Any = 0) -> Any:
    """A convolution with another kernel at every position.

    Args:
        x: (N, C, H, W), or one example, (C, H, W).
        w: the kernels, (O, C, kh, kw, OH, OW).
        b: a bias for each output, (O, OH, OW), or None.
        stride, padding: as for `conv2d`.

    Returns:
        (N, O, OH, OW).

    Raises:
        ShapeError, DtypeError, OptionError: naming the sizes that do not fit.

    Example:
        >>> import numpy as np, tinygrad_cnn as tg
        >>> x, w = np.ones((1, 3, 5, 5)), np.ones((2, 3, 3, 3, 2, 2))
        >>> tg.locally_connected2d(x, w, stride=2).shape
        (1, 2, 2, 2)
    """
    y = einsum(_FORWARD, _windows(x, w, stride, padding), w)
    return y if b is None else y + b


locally_connected2d.batched("x", axes=4)
_FORWARD = "ncabij,ocabij->noij"


def _windows(x: Any, w: Any, stride: Shape, padding: Any) -> Any:
    padded = pad(x, ((0, 0), (0, 0), *padding)) if np.any(padding) else x
    return unfold2d(padded, w.shape[2:4], stride)


@locally_connected2d.check
def _(x: Any, w: Any, b: Any, *, stride: Any, padding: Any) -> dict[str, Any]:
    name, X, W = "locally_connected2d", np.shape(x), np.shape(w)
    if len(X) != 4:
        raise ShapeError(f"{name}: input must be {layouts(2)}; got {X}")
    if len(W) != 6 or 0 in W:
        raise ShapeError(f"{name}: weight must be (O, C, kh, kw, OH, OW), no size 0, got {W}")
    dtypes = {str(np.asarray(a).dtype) for a in (x, w, b) if a is not None}
    if len(dtypes) > 1:
        raise DtypeError(f"{name}: inputs must share one dtype, got {', '.join(sorted(dtypes))}")
    if X[1] != W[1]:
        raise ShapeError(f"{name}: input has {X[1]} channels {X}, weight expects {W[1]} {W}")
    stride = per_axis(stride, 2, name, "stride", 1)
    pairs = padding_pairs(padding, 2, W[2:4], (1, 1), name)
    out = output_sizes(X[2:], W[2:4], stride, pairs, (1, 1))
    if out != W[4:]:
        raise ShapeError(f"{name}: input {X} has {out} windows, weight {W} has kernels for {W[4:]}")
    if b is not None and np.shape(b) != (W[0], *out):
        raise ShapeError(f"{name}: bias must have shape {(W[0], *out)}, got {np.shape(b)}")
    return {"stride": stride, "padding": pairs}


def _input_gradient(g: Any, y: Any, x: Any, w: Any, b: Any, *, stride: Shape, padding: Any) -> Any:
    (top, bottom), (left, right) = padding
    _, _, h, width = x.shape
    size = (*x.shape[:2], h + top + bottom, width + left + right)
    index = _window_index(size, w.shape[2:4], stride)
    padded = scatter_add(einsum("noij,ocabij->ncabij", g, w), index, size)
    return getitem(padded, (..., slice(top, top + h), slice(left, left + width)))


locally_connected2d.vjp(
    _input_gradient,
    lambda g, y, x, w, b, stride, padding: einsum(
        "noij,ncabij->ocabij", g, _windows(x, w, stride, padding)
    ),
    lambda g, y, x, w, b, stride, padding: g.sum(axis=0),
)


@locally_connected2d.definition
def _(at: Shape, x: Any, w: Any, b: Any, *, stride: Shape, padding: Any) -> Any:
    n, o, i, j = at
    (top, _), (left, _) = padding

    def products() -> Iterator[Any]:
        for c, p, q in places(w.shape[1:4]):
            row, column = i * stride[0] + p - top, j * stride[1] + q - left
            if 0 <= row < x.shape[2] and 0 <= column < x.shape[3]:
                yield x[(n, c, row, column)] * w[(o, c, p, q, i, j)]

    total = add_up(products())
    return total if b is None else total + b[(o, i, j)]


locally_connected2d.multiply_adds(lambda out, x, w, b, **o: math.prod(out) * math.prod(w[1:4]))
