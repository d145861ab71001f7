"""`convolution`: one output cell written out as a sum of products, beside the whole arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

import tinygrad_cnn as tg
from tinygrad_cnn.ops.windows import padding_pairs, per_axis

from ..picture.picture import Picture
from .grid import Grid
from .numbers import (
    Index,
    factor_text,
    index_text,
    number_text,
    options_text,
    read_operands,
    refuse_large,
    refuse_large_input,
)
from .planes import (
    input_grids,
    kernel_grids,
    kinds_of,
    number_grid,
    output_grids,
    planes,
    titled,
)
from .scene import Column, Scene
from .shown import shown
from .window import Convolution, Window

WRITTEN = 36  # a sum of more products is not written out


def convolution(
    x: Any,
    w: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    *,
    at: Any = None,
) -> Picture:
    """One output cell of a convolution: its window, the kernel, the products, and their sum.

    Padding is dimmed, and the window outlined. Each input channel has its own plane, and the sums
    of the planes add up. In one dimension channels are the rows of one plane. Arrays of more than
    12 cells along a side are heat maps.

    Args:
        x: one image, a Tensor or an array: (H, W), (C, H, W) or (1, C, H, W); in one dimension
            (L,), (C, L) or (1, C, L).
        w: the kernels, (O, C, kh, kw) or (O, C, k), as `tinygrad_cnn.conv2d` and `conv1d` take
            them; or a single kernel (kh, kw) or (k,).
        bias: (O,), or None.
        stride, padding, dilation: as for `tinygrad_cnn.conv2d`.
        at: the output cell, (i, j) or, with its output channel, (o, i, j); in one dimension i or
            (o, i). Without a channel it is channel 0. None: an animation of all of them.

    Returns:
        A Picture, whose data is a `Window`: the output's index, the products, the bias, the sum; or
        an `Animation` of them.

    Raises:
        ShapeError: shapes that do not fit, a window that does not fit, an empty array, or an index
            outside.
        OptionError: an invalid stride, padding or dilation, more than 8 channels, more than 256
            cells along a side, or an animation of more than 256 frames.
        DtypeError: not real numbers.

    Example:
        >>> import numpy as np
        >>> from viz import convolution
        >>> x, w = np.arange(9.0).reshape(3, 3), np.arange(4.0).reshape(2, 2)
        >>> window = convolution(x, w, padding=1, at=(0, 1)).data
        >>> [product.value for product in window.products], window.sum
        ([0.0, 0.0, 0.0, 3.0], 3.0)
    """
    c = read_convolution("convolution", x, w, bias, stride, padding, dilation)
    return shown("convolution", at, c.y.shape, c.window, partial(scene_of, c))


def read_convolution(
    name: str, x: Any, w: Any, bias: Any, stride: Any, padding: Any, dilation: Any
) -> Convolution:
    """Compute the convolution that the arguments describe."""
    d, image, kernels, b = read_operands(name, x, w, bias)
    op = (tg.conv1d, tg.conv2d)[d - 1]
    with np.errstate(all="ignore"):  # NaN and infinities are drawn
        options = {"stride": stride, "padding": padding, "dilation": dilation}
        y = np.asarray(op(image[None], kernels, b, **options))[0]
    steps = per_axis(stride, d, name, "stride", 1)
    holes = per_axis(dilation, d, name, "dilation", 1)
    pairs = padding_pairs(padding, d, kernels.shape[2:], holes, name)
    refuse_large_input(name, image, pairs)
    refuse_large(name, "the output", y.shape)
    return Convolution(image, kernels, b, y, steps, pairs, holes)


# --- the scene -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Words:
    """What the arrays of a convolution are called.

    Attributes:
        input, kernel, output: above the grids.
        x, w, y: in tooltips.
        title: of the picture; written from the convolution if empty.
        notes: below the picture; if None, notes on padding and on kernels.
    """

    input: str = "input"
    kernel: str = "kernel"
    output: str = "output"
    x: str = "x"
    w: str = "w"
    y: str = "y"
    title: str = ""
    notes: tuple[str, ...] | None = None


def scene_of(
    c: Convolution,
    window: Window,
    so_far: bool = False,
    words: Words = Words(),
    holes: Mapping[Index, str] | None = None,
) -> Scene:
    """Input ∗ kernel = products → output, and the sum in words.

    Args:
        c: the convolution.
        window: of the output cell.
        so_far: leave later outputs blank.
        words: what the arrays are called.
        holes: cells of the padded input that are zeros put between its own, by place; their kinds.
    """
    o = window.output[0]
    outputs = output_grids(c.y, window.output, title=words.output, name=words.y, so_far=so_far)
    told = "sum" if window.bias is None else "sum + bias"
    columns = (
        Column(_inputs(c, window, words, holes)),
        Column(_kernels(c, window, words), "∗"),
        Column(_products(c, window), "="),
        Column((number_grid(window.sum, told),), "Σ"),
        Column(outputs, "→"),
    )
    padded = any(before or after for before, after in c.padding)
    notes = (
        "The padding, zeros around the input, is grey." * padded,
        f"Only the kernel of output channel {o} is shown; each channel has its own."
        * (len(c.y) > 1),
    )
    where = index_text(window.output if len(c.y) > 1 else window.output[1:])
    options = options_text(c.stride, c.padding, c.dilation)
    return Scene(
        words.title or f"Output {where} of a convolution" + f" with {options}" * bool(options),
        columns,
        _lines(window),
        tuple(filter(None, notes if words.notes is None else words.notes)),
    )


def _inputs(
    c: Convolution, window: Window, words: Words, holes: Mapping[Index, str] | None
) -> tuple[Grid, ...]:
    span = tuple((k - 1) * e + 1 for k, e in zip(c.w.shape[2:], c.dilation, strict=True))
    reads = ((p.cell, "window pad" if p.padding else "window") for p in window.products)
    start = (0, *c.start(window.output[1:]))
    return input_grids(
        c.x,
        c.padding,
        reads,
        start,
        (len(c.x), *span),
        title=words.input,
        name=words.x,
        faint=holes,
    )


def _kernels(c: Convolution, window: Window, words: Words) -> tuple[Grid, ...]:
    o = window.output[0]
    which = f"{words.kernel} {o}" if len(c.y) > 1 else words.kernel
    several = [f"{words.w}[{o}, {i}]" for i in range(c.w.shape[1])]
    return kernel_grids(c.w[o], which, several if c.w.ndim == 4 else [f"{words.w}[{o}]"])


def _products(c: Convolution, window: Window) -> tuple[Grid, ...]:
    values = np.reshape([product.value for product in window.products], c.w.shape[1:])
    sums = window.channel_sums
    marked = ((p.tap, "product pad" if p.padding else "product") for p in window.products)
    kinds = kinds_of(values, marked)
    several = values.ndim == 3 and len(sums) > 1
    return tuple(
        Grid(
            plane,
            titled("products", name),
            f"sum {number_text(sums[i])}" if several else "",
            "product",
            kinds=kinds[i],
        )
        for i, (plane, name) in enumerate(planes(values))
    )


def _lines(window: Window) -> tuple[str, ...]:
    """The sum, written out: a line for each input channel, and one that adds them and the bias."""
    sums = window.channel_sums
    total = number_text(window.sum)
    bias = [] if window.bias is None else [factor_text(window.bias)]
    name = f"y{index_text(window.output)}"
    if len(window.products) > WRITTEN:
        terms = [factor_text(s) for s in sums]
        return (f"{name} = {' + '.join([*terms, *bias])} = {total}",)
    written = [
        " + ".join(
            f"{factor_text(p.input)}·{factor_text(p.weight)}"
            for p in window.products
            if p.tap[0] == channel
        )
        for channel in range(len(sums))
    ]
    if len(sums) == 1:
        return (f"{' + '.join([*written, *bias])} = {total}",)
    lines = [
        f"channel {i}: {terms} = {number_text(s)}"
        for i, (terms, s) in enumerate(zip(written, sums, strict=True))
    ]
    return (*lines, f"{' + '.join([*map(factor_text, sums), *bias])} = {total}")
