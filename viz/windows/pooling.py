"""`pooling`: one output cell of max or average pooling, beside the whole arrays."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

import tinygrad_cnn as tg
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.kernels.pooling import max_pool_index
from tinygrad_cnn.ops.windows import padding_pairs, per_axis

from ..picture.picture import Picture
from .grid import Grid
from .numbers import (
    factor_text,
    index_text,
    number_text,
    one_image,
    read_array,
    refuse_large_input,
    short,
    size_text,
)
from .planes import input_grids, number_grid, output_grids
from .scene import Column, Scene
from .shown import shown
from .window import PooledWindow, Pooling

KINDS = {"max": "max", "mean": "mean", "avg": "mean", "average": "mean"}


def pooling(
    x: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    kind: str = "max",
    *,
    count_include_pad: bool = True,
    at: Any = None,
) -> Picture:
    """One output cell of a pooling: its window, the winner or the mean, and the output.

    Each channel is pooled by itself.

    Args:
        x: one image, a Tensor or an array: (H, W), (C, H, W) or (1, C, H, W); in one dimension
            (L,), (C, L) or (1, C, L). A kernel size like (2,) means one dimension.
        kernel_size: of the window; an int or a tuple.
        stride: how far it moves; the kernel's size if None.
        padding: on both sides, at most half of the kernel. It counts as −∞ for a maximum, as 0 for
            a mean.
        kind: "max" or "mean"; "avg" means "mean", too.
        count_include_pad: whether a mean divides by the padding's cells, too.
        at: the output cell, (i, j) or, with its channel, (c, i, j); in one dimension i or (c, i).
            Without a channel it is channel 0. None: an animation of all of them.

    Returns:
        A Picture, whose data is a `PooledWindow`; or an `Animation` of them.

    Raises:
        ShapeError: shapes that do not fit, a window that does not fit, an empty array, or an index
            outside.
        OptionError: an invalid option, more than 8 channels, more than 256 cells
            along a side, or an animation of more than 256 frames.
        DtypeError: not real numbers.

    Example:
        >>> import numpy as np
        >>> from viz import pooling
        >>> window = pooling(np.arange(9.0).reshape(3, 3), 2, 1, at=(0, 1)).data
        >>> window.values, window.winner, window.value
        ((1.0, 2.0, 4.0, 5.0), 3, 5.0)
    """
    p = read_pooling("pooling", x, kernel_size, stride, padding, kind, count_include_pad)
    return shown("pooling", at, p.y.shape, p.window, partial(scene_of, p))


def read_pooling(
    name: str,
    x: Any,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    kind: str,
    count_include_pad: bool = True,
) -> Pooling:
    """Compute the pooling that the arguments describe."""
    if kind not in KINDS:
        raise OptionError(f'{name}: kind must be "max" or "mean" (= "avg"), got {kind!r}')
    array = read_array(name, "x", x)
    tuples = isinstance(kernel_size, tuple | list)
    d = len(kernel_size) if tuples else min(array.ndim, 2)
    if d not in (1, 2):
        raise OptionError(f"{name}: kernel_size must be an int, or one or two, got {kernel_size!r}")
    image = one_image(name, array, d)
    maximum = KINDS[kind] == "max"
    options: dict[str, Any] = {"kernel_size": kernel_size, "stride": stride, "padding": padding}
    if not maximum:
        options["count_include_pad"] = count_include_pad
    op = ((tg.max_pool1d, tg.max_pool2d) if maximum else (tg.avg_pool1d, tg.avg_pool2d))[d - 1]
    with np.errstate(all="ignore"):  # NaN and infinities are drawn
        y = np.asarray(op(image[None], **options))[0]
    kernel = per_axis(kernel_size, d, name, "kernel_size", 1)
    steps = kernel if stride is None else per_axis(stride, d, name, "stride", 1)
    ones = (1,) * d
    pairs = padding_pairs(padding, d, kernel, ones, name)
    refuse_large_input(name, image, pairs)
    winners = max_pool_index(image[None], kernel, steps, pairs, ones)[0] if maximum else None
    return Pooling(image, y, KINDS[kind], kernel, steps, pairs, bool(count_include_pad), winners)


# --- the scene -----------------------------------------------------------------------------------


def scene_of(p: Pooling, window: PooledWindow, so_far: bool = False) -> Scene:
    """Input → the window's numbers → their maximum or mean → output."""
    start, span = window.cells[0], (1, *p.kernel)
    filler = -np.inf if p.kind == "max" else 0.0
    reads = zip(window.cells, _kinds(window), strict=True)
    grids = input_grids(p.x, p.padding, reads, start, span, filler=filler)
    padded = any(before or after for before, after in p.padding)
    channels = len(p.x) > 1
    notes = (
        f"Grey: the padding, which counts as {'−∞ and never wins' if filler else '0'}." * padded,
        "Of equal numbers the first one, row by row, wins: it alone gets the gradient."
        * bool(window.ties),
        "Each channel is pooled by itself." * channels,
    )
    name = "max pooling" if p.kind == "max" else "average pooling"
    said = f" over windows of {size_text(p.kernel)} with stride {short(p.stride)}"
    said += f", padding {short(p.padding)}" * padded
    return Scene(
        f"Output {index_text(window.output if channels else window.output[1:])} of {name}{said}",
        (
            Column(grids),
            Column((_values(p, window),), "→"),
            Column((number_grid(window.value, p.kind),), "→"),
            Column(output_grids(p.y, window.output, so_far=so_far), "→"),
        ),
        (_line(window),),
        tuple(filter(None, notes)),
    )


def _kinds(window: PooledWindow) -> list[str]:
    return [
        "window pad" if is_padding else "winner" if i == window.winner else "window"
        for i, is_padding in enumerate(window.padding)
    ]


def _values(p: Pooling, window: PooledWindow) -> Grid:
    shape = p.kernel if len(p.kernel) == 2 else (1, *p.kernel)
    kinds = dict(zip(np.ndindex(*shape), _kinds(window), strict=True))
    title = "window" if p.kind == "mean" else "window, and its winner"
    return Grid(np.reshape(window.values, shape), title, kinds=kinds, name="window")


def _line(window: PooledWindow) -> str:
    value = number_text(window.value)
    if window.kind == "max":
        return f"max({', '.join(map(number_text, window.values))}) = {value}"
    counted = [v for v, out in zip(window.values, window.padding, strict=True) if not out]
    whole = window.divisor == len(window.values)
    terms = " + ".join(map(factor_text, window.values if whole else counted))
    return f"({terms}) / {window.divisor} = {value}"
