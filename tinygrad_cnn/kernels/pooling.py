"""Max and sum pooling and their gradients: each window of cells gives one number.

    max    y[i] = max over taps a of x[i·stride + a·dilation − before]      padding counts as −∞
    sum    y[i] =  Σ  over taps a of x[i·stride + a − before]               padding counts as 0

There is no loop over windows. The cells that tap a reads in *all* windows are one strided slice of
x. So a pool takes one array operation for each tap:

    kernel 2, stride 2      x   0 1 2 3 4 5 6
                      tap 0     ·   ·   ·           x[0::2]
                      tap 1       ·   ·   ·         x[1::2]      (6 is left over: no window)

Padding is never stored. At the border the slice is shorter instead (`windows.inside`).
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from .windows import Pairs, Shape, arithmetic, inside, output_size

Array = np.ndarray[Any, Any]


def max_pool(x: Array, kernel: Shape, stride: Shape, padding: Pairs, dilation: Shape) -> Array:
    """The largest cell of each window: NaN if the window has a NaN, −∞ if it is all padding."""
    return _fold(x, np.maximum, -np.inf, kernel, stride, padding, dilation)


def sum_pool(x: Array, kernel: Shape, stride: Shape, padding: Pairs) -> Array:
    """The sum of each window."""
    wide = x.astype(arithmetic(x.dtype), copy=False)
    y = _fold(wide, np.add, 0.0, kernel, stride, padding, (1,) * len(kernel))
    return y.astype(x.dtype, copy=False)


def _fold(
    x: Array,
    combine: np.ufunc,
    neutral: float,
    kernel: Shape,
    stride: Shape,
    padding: Pairs,
    dilation: Shape,
) -> Array:
    """Combine each window's cells axis by axis: a k × k window takes 2k steps, not k²."""
    for axis, (k, s, (before, after), e) in enumerate(
        zip(kernel, stride, padding, dilation, strict=True), start=2
    ):
        n = x.shape[axis]
        out = output_size(n, k, s, (before, after), e)
        y = np.full((*x.shape[:axis], out, *x.shape[axis + 1 :]), neutral, x.dtype)
        for a in range(k):
            windows, cells = (_along(axis, part) for part in inside(n, out, s, a * e - before))
            combine(y[windows], x[cells], out=y[windows])
        x = y
    return x


def sum_pool_input_grad(
    g: Array, kernel: Shape, stride: Shape, padding: Pairs, input_size: Shape
) -> Array:
    """The adjoint of `sum_pool`: each cell gets the sum of g over the windows that read it."""
    gx = g.astype(arithmetic(g.dtype), copy=False)
    for axis, (n, k, s, (before, _)) in enumerate(
        zip(input_size, kernel, stride, padding, strict=True), start=2
    ):
        g_axis, out = gx, gx.shape[axis]
        gx = np.zeros((*g_axis.shape[:axis], n, *g_axis.shape[axis + 1 :]), g_axis.dtype)
        for a in range(k):
            windows, cells = (_along(axis, part) for part in inside(n, out, s, a - before))
            gx[cells] += g_axis[windows]
    return gx.astype(g.dtype, copy=False)


def _along(axis: int, part: slice) -> tuple[slice, ...]:
    return (*(slice(None),) * axis, part)


def max_pool_index(
    x: Array,
    kernel: Shape,
    stride: Shape,
    padding: Pairs,
    dilation: Shape,
    y: Array | None = None,
) -> Array:
    """The flat index, over x's spatial axes, of each window's largest cell.

    `y` is the result of `max_pool`, if it is known. If several cells are equal, the first in
    row-major order wins. The first NaN wins over all other cells. A window that is all padding has
    no winner and gets −1.
    """
    size = x.shape[2:]
    if y is None:
        y = max_pool(x, kernel, stride, padding, dilation)
    has_nan = bool(np.isnan(y).any())

    # Find which tap of each window wins: count the taps before the first that equals the maximum.
    # Counting in a one-byte dtype is several times faster than copying indices.
    searching = np.ones(y.shape, bool)
    taps = list(itertools.product(*map(range, kernel)))
    passed = np.zeros(y.shape, np.min_scalar_type(len(taps)))
    for tap in taps:
        parts = [
            inside(n, out, s, a * e - before)
            for n, out, s, a, e, (before, _) in zip(
                size, y.shape[2:], stride, tap, dilation, padding, strict=True
            )
        ]
        windows: tuple[Any, ...] = (..., *(w for w, _ in parts))
        cells: tuple[Any, ...] = (..., *(c for _, c in parts))
        candidates = x[cells]
        loses = candidates != y[windows]
        if has_nan:  # NaN does not equal itself
            loses &= ~np.isnan(candidates)
        searching[windows] &= loses
        passed += searching

    # flat = Σ (i·stride − before + a·dilation)·step: a term of window i plus a term of tap a.
    small = np.int32 if math.prod(size) < 2**31 else np.int64
    steps = [math.prod(size[axis + 1 :]) for axis in range(len(size))]
    of_tap = [
        sum(a * e * step for a, e, step in zip(tap, dilation, steps, strict=True)) for tap in taps
    ]
    index: Array = np.array([*of_tap, 0], small)[passed]
    for axis, (s, (before, _), step) in enumerate(zip(stride, padding, steps, strict=True)):
        of_window = (np.arange(y.shape[axis + 2]) * s - before) * step
        index += of_window.astype(small).reshape(-1, *(1,) * (len(size) - axis - 1))
    if searching.any():
        index[searching] = -1
    return index


def unpool(g: Array, index: Array, input_size: Shape) -> Array:
    """Add each g to the cell that won its window; the other cells get 0."""
    planes, cells = math.prod(g.shape[:2]), math.prod(input_size)
    where, won = _flat(index, cells)
    gx = np.zeros(planes * cells, arithmetic(g.dtype))
    # On flat arrays of one dtype add.at is as fast as assignment (NumPy ≥ 1.25), and twice as
    # fast as bincount.
    np.add.at(gx, where, np.where(won, g, 0).astype(gx.dtype, copy=False).reshape(-1))
    return gx.reshape(*g.shape[:2], *input_size).astype(g.dtype, copy=False)


def take_winners(x: Array, index: Array) -> Array:
    """The cells of x at `index`: the adjoint of `unpool` (0 where a window had no winner)."""
    where, won = _flat(index, math.prod(x.shape[2:]))
    if x.size == 0:
        return np.zeros(index.shape, x.dtype)
    return np.where(won, x.reshape(-1)[where].reshape(index.shape), 0).astype(x.dtype, copy=False)


def _flat(index: Array, cells: int) -> tuple[Array, Array]:
    """Flat indices into all planes, from indices into each plane; and a mask: index is not −1."""
    planes = math.prod(index.shape[:2])
    none = index < 0
    if none.any():
        index = np.where(none, 0, index)
    starts = np.arange(planes)[:, None] * cells
    flat = index.reshape(planes, math.prod(index.shape[2:])) + starts
    return flat.reshape(-1), ~none
