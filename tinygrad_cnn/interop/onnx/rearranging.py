"""Images whose cells move between channels and space, and columns put back as windows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import OptionError, ShapeError
from ...ops.resizing import pixel_shuffle, pixel_unshuffle
from ...ops.shape import getitem, reshape, scatter_add, transpose
from ...ops.unfolding import fold
from .convolution import extents, halves, per_axis
from .table import ints, onnx_op, shape_of, sized


@onnx_op("DepthToSpace")
def _(x: Any, *, blocksize: int, mode: str = "DCR") -> Any:
    """(N, C·b², H, W) → (N, C, H·b, W·b); a block's cells are channels far apart, or (CRD) near."""
    n, c, h, w, b = _checked(x, blocksize, mode)
    if mode == "CRD":
        return pixel_shuffle(x, b)
    if c % b**2:
        raise ShapeError(f"DepthToSpace: {c} channels are no multiple of {b}²")
    x = transpose(reshape(x, (n, b, b, c // b**2, h, w)), (0, 3, 4, 1, 5, 2))
    return reshape(x, (n, c // b**2, h * b, w * b))


@onnx_op("SpaceToDepth")
def _(x: Any, *, blocksize: int, mode: str = "DCR") -> Any:
    """(N, C, H·b, W·b) → (N, b²·C, H, W): undoes DepthToSpace."""
    n, c, h, w, b = _checked(x, blocksize, mode)
    if mode == "CRD":
        return pixel_unshuffle(x, b)
    if h % b or w % b:
        raise ShapeError(f"SpaceToDepth: an image of {h}×{w} is not made of blocks of {b}×{b}")
    x = transpose(reshape(x, (n, c, h // b, b, w // b, b)), (0, 3, 5, 1, 2, 4))
    return reshape(x, (n, c * b**2, h // b, w // b))


def _checked(x: Any, blocksize: int, mode: str) -> tuple[int, ...]:
    """The four sizes, and the block's."""
    if mode not in {"DCR", "CRD"}:
        raise OptionError(f"mode must be DCR or CRD, got {mode!r}")
    if len(shape_of(x)) != 4 or blocksize < 1:
        raise ShapeError(
            f"an input (N, C, H, W) and a block of 1 or more are needed, got {shape_of(x)} and "
            f"{blocksize}"
        )
    return *shape_of(x), blocksize


@onnx_op("Col2Im")
def _(
    x: Any,
    image_shape: Any,
    block_shape: Any,
    *,
    dilations: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
) -> Any:
    """(N, C·k, L) → (N, C, …): each column added to the cells of its window."""
    size, block = ints(image_shape), ints(block_shape)
    d = len(size)
    dilation, stride = per_axis(dilations, d, "dilations"), per_axis(strides, d, "strides")
    block, pairs = per_axis(block, d, "block_shape"), halves(pads, d)
    n, rows, _ = shape_of(x)
    sized(n, rows, *size)
    if d == 2:
        return fold(x, size, block, dilation, pairs, stride)
    whole = [a + sum(pair) for a, pair in zip(size, pairs, strict=True)]
    spans = zip(whole, extents(block, dilation), stride, strict=True)
    steps = [range(0, a - extent + 1, s) for a, extent, s in spans]
    cells = [np.arange(k) * e for k, e in zip(block, dilation, strict=True)]
    where = np.ix_(*cells, *map(np.array, steps))  # each window's cells, axis by axis
    at = [cell + first for cell, first in zip(where[:d], where[d:], strict=True)]
    flat = np.ravel_multi_index(np.broadcast_arrays(*at), whole).reshape(math.prod(block), -1)
    c = rows // math.prod(block)
    every = slice(None)
    columns = reshape(x, (n, c, *flat.shape))
    image = scatter_add(columns, (every, every, flat), (n, c, math.prod(whole)))
    inside = (slice(before, before + a) for a, (before, _) in zip(size, pairs, strict=True))
    return getitem(reshape(image, (n, c, *whole)), (..., *inside))
