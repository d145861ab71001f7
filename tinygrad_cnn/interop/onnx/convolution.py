"""Convolution and transposed convolution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...errors import OptionError, ShapeError
from ...ops import convolution as c
from ...ops.moving import pad
from ...ops.shape import getitem, reshape
from .table import onnx_op, shape_of, sized

CONVOLUTIONS = {1: c.conv1d, 2: c.conv2d, 3: c.conv3d}
_TRANSPOSED = {1: c.conv_transpose1d, 2: c.conv_transpose2d, 3: c.conv_transpose3d}
Pairs = tuple[tuple[int, int], ...]


def spatial(x: Any, most: int = 3) -> tuple[int, ...]:
    """The spatial sizes of (N, C, …), of which our kernels take one to three.

    Raises:
        ShapeError: none, or more.
    """
    shape = shape_of(x)
    if not 3 <= len(shape) <= most + 2:
        raise ShapeError(f"an input (N, C, …) with 1 to {most} spatial axes is needed, got {shape}")
    return shape[2:]


def per_axis(values: Sequence[int] | None, d: int, what: str) -> tuple[int, ...]:
    """An attribute with a number for each of d axes; ones if it is left out.

    Raises:
        OptionError: another count, or numbers that are not positive.
    """
    found = (1,) * d if values is None else tuple(values)
    if len(found) != d or min(found) < 1:
        raise OptionError(f"{what} must be {d} ints ≥ 1, got {list(found)}")
    return found


def halves(values: Sequence[int] | None, d: int) -> Pairs:
    """The attribute `pads`, all begins and then all ends, as pairs.

    Raises:
        OptionError: another count.
    """
    found = (0,) * (2 * d) if values is None else tuple(values)
    if len(found) != 2 * d:
        raise OptionError(f"pads must be {2 * d} ints, got {list(found)}")
    return tuple(zip(found[:d], found[d:], strict=True))


def split_same(totals: Sequence[int], upper: bool) -> Pairs:
    """So much padding along each axis, an odd cell after (`upper`) or before."""
    return tuple((t // 2, t - t // 2) if upper else (t - t // 2, t // 2) for t in totals)


def padding(
    auto_pad: str,
    pads: Sequence[int] | None,
    size: Sequence[int],
    window: Sequence[int],
    stride: Sequence[int],
) -> Pairs:
    """The padding of a convolution or pooling; `window` is its extent with dilation.

    Raises:
        OptionError: another `auto_pad`.
    """
    if auto_pad in {"SAME_UPPER", "SAME_LOWER"}:  # as many outputs as steps fit into the input
        totals = [
            max((-(-n // s) - 1) * s + w - n, 0)
            for n, w, s in zip(size, window, stride, strict=True)
        ]
        return split_same(totals, auto_pad == "SAME_UPPER")
    if auto_pad not in {"NOTSET", "VALID"}:
        raise OptionError(f"auto_pad must be NOTSET, VALID, SAME_UPPER or SAME_LOWER: {auto_pad!r}")
    return halves(pads if auto_pad == "NOTSET" else None, len(size))


def extents(kernel: Sequence[int], dilation: Sequence[int]) -> list[int]:
    """How many cells a window spans along each axis."""
    return [(k - 1) * e + 1 for k, e in zip(kernel, dilation, strict=True)]


@onnx_op("Conv")
def _(
    x: Any,
    w: Any,
    b: Any = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: Sequence[int] | None = None,
    group: int = 1,
    kernel_shape: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
) -> Any:
    size, window, stride, dilation = _grid(x, w, kernel_shape, strides, dilations)
    pairs = padding(auto_pad, pads, size, window, stride)
    sized(*(n + sum(pair) for n, pair in zip(size, pairs, strict=True)))
    return CONVOLUTIONS[len(size)](x, w, b, stride, pairs, dilation, group)


def _grid(
    x: Any,
    w: Any,
    kernel_shape: Sequence[int] | None,
    strides: Sequence[int] | None,
    dilations: Sequence[int] | None,
) -> tuple[tuple[int, ...], ...]:
    """The image's sizes, the window's extent, stride and dilation along each axis."""
    size, kernel = spatial(x), shape_of(w)[2:]
    if kernel_shape is not None and tuple(kernel_shape) != kernel:
        raise ShapeError(f"kernel_shape is {list(kernel_shape)}, but the weight {shape_of(w)}")
    stride = per_axis(strides, len(size), "strides")
    dilation = per_axis(dilations, len(size), "dilations")
    return size, tuple(extents(kernel, dilation)), stride, dilation


@onnx_op("ConvTranspose")
def _(
    x: Any,
    w: Any,
    b: Any = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: Sequence[int] | None = None,
    group: int = 1,
    kernel_shape: Sequence[int] | None = None,
    output_padding: Sequence[int] | None = None,
    output_shape: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
) -> Any:
    size, window, stride, dilation = _grid(x, w, kernel_shape, strides, dilations)
    d = len(size)
    rest = (0,) * d if output_padding is None else tuple(output_padding)
    whole = [
        (n - 1) * s + extent + r for n, s, extent, r in zip(size, stride, window, rest, strict=True)
    ]
    sized(*whole)
    wanted = None if output_shape is None else tuple(output_shape)[-d:]
    if auto_pad.startswith("SAME") and wanted is None:
        wanted = tuple(n * s for n, s in zip(size, stride, strict=True))
    if wanted is None:
        pairs = halves(pads if auto_pad == "NOTSET" else None, d)
    else:
        sized(*wanted)
        totals = [full - size for full, size in zip(whole, wanted, strict=True)]
        pairs = split_same(totals, auto_pad == "SAME_UPPER")
        pairs = tuple((0, t) if t < 0 else pair for t, pair in zip(totals, pairs, strict=True))
    convolve = _TRANSPOSED[d]
    if min(map(min, pairs)) >= 0 and all(r < s for r, s in zip(rest, stride, strict=True)):
        return convolve(x, w, b, stride, pairs, rest, group, dilation)
    # Our op adds less than a stride at the end; here it may be more.
    y = convolve(x, w, None, stride, 0, 0, group, dilation)
    after = [max(r - q, 0) for r, (_, q) in zip(rest, pairs, strict=True)]
    y = pad(y, ((0, 0), (0, 0), *((0, a) for a in after)))
    ends = [full - q for full, (_, q) in zip(whole, pairs, strict=True)]
    y = getitem(y, (..., *(slice(p, e) for (p, _), e in zip(pairs, ends, strict=True))))
    return y if b is None else y + reshape(b, (-1, *(1,) * d))
