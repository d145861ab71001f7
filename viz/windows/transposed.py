"""`transposed_convolution`: each input cell adds the kernel, times its value, to the output."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

import tinygrad_cnn as tg
from tinygrad_cnn.engine.definition import places
from tinygrad_cnn.ops.windows import Pairs, padding_pairs, per_axis

from ..picture.picture import Picture
from .grid import Box, Grid
from .numbers import (
    Array,
    Index,
    factor_text,
    index_text,
    number_text,
    options_text,
    read_operands,
    refuse_large,
    size_text,
)
from .planes import input_grids, kernel_grids, kinds_of, names_of, place_of, planes, titled
from .scene import Column, Scene
from .shown import shown
from .window import cell_of, first_cell


@dataclass(frozen=True)
class Stamp:
    """What one input place lays down in one output channel.

    Attributes:
        channel: the output channel.
        input: the place, without its channel.
        factors: the input's values there, one for each input channel.
        values: factors times kernels, summed over the input channels, (kh, kw) or (k,).
        start: where its first cell lies in the output; an index outside if padding cuts it off.
        dilation: how far apart its cells are laid down.
    """

    channel: int
    input: Index
    factors: tuple[float, ...]
    values: Array
    start: Index
    dilation: Index

    def cells(self) -> dict[Index, float]:
        """The value that is added to each output cell. Cells are without the channel."""
        return {
            cell_of(self.start, tap, self.dilation): float(self.values[tap])
            for tap in places(self.values.shape)
        }


@dataclass(frozen=True)
class Transposed:
    """A transposed convolution of one image, with its options in full.

    Attributes:
        x: the input, (C, …).
        w: the kernels, (C, O, …).
        b: the biases, (O,), or None.
        full: the output, (O, …), before padding cuts its border off.
        stride, padding, output_padding, dilation: for each axis; padding as (before, after).
    """

    x: Array
    w: Array
    b: Array | None
    full: Array
    stride: Index
    padding: Pairs
    output_padding: Index
    dilation: Index

    def stamp(self, place: Index) -> Stamp:
        """What the input at (output channel, …) lays down."""
        channel, *at = place
        factors = np.moveaxis(self.x, 0, -1)[tuple(at)]
        start = first_cell(tuple(at), self.stride, self.padding)
        values = np.tensordot(factors, self.w[:, channel], axes=1)
        return Stamp(channel, tuple(at), tuple(map(float, factors)), values, start, self.dilation)

    def output(self, x: Array) -> Array:
        """The output for another input, before padding cuts its border off."""
        op = (tg.conv_transpose1d, tg.conv_transpose2d)[x.ndim - 2]
        with np.errstate(all="ignore"):
            y = op(
                x[None],
                self.w,
                self.b,
                stride=self.stride,
                output_padding=self.output_padding,
                dilation=self.dilation,
            )
        return np.asarray(y)[0]


def transposed_convolution(
    x: Any,
    w: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    dilation: Any = 1,
    *,
    at: Any = None,
) -> Picture:
    """One step of a transposed convolution: an input cell times the kernel, added to the output.

    Args:
        x: one image, as for `convolution`.
        w: the kernels, (C, O, kh, kw) or (C, O, k), as `tinygrad_cnn.conv_transpose2d` takes them;
            or a single kernel (kh, kw) or (k,).
        bias: (O,), or None.
        stride: how far apart the kernels are laid down.
        padding: how much of the output's border is cut off.
        output_padding: how much is added at the output's end.
        dilation: how far apart the kernel's cells are laid down.
        at: the input cell, (i, j) or, with the output channel, (o, i, j); in one dimension i or
            (o, i). None: an animation of all of them, in which the output grows.

    Returns:
        A Picture, whose data is a `Stamp`; or an `Animation` of them.

    Raises:
        ShapeError, OptionError, DtypeError: as for `convolution`.

    Example:
        >>> import numpy as np
        >>> from viz import transposed_convolution
        >>> x, w = np.arange(4.0).reshape(2, 2), np.arange(4.0).reshape(2, 2)
        >>> transposed_convolution(x, w, at=(1, 0)).data.cells()
        {(1, 0): 0.0, (1, 1): 2.0, (2, 0): 4.0, (2, 1): 6.0}
    """
    name = "transposed_convolution"
    d, image, kernels, b = read_operands(name, x, w, bias, "C, O")
    op = (tg.conv_transpose1d, tg.conv_transpose2d)[d - 1]
    options = {
        "stride": stride,
        "padding": padding,
        "output_padding": output_padding,
        "dilation": dilation,
    }
    with np.errstate(all="ignore"):  # NaN and infinities are drawn
        op(image[None], kernels, b, **options)  # refuses what does not fit
    steps = per_axis(stride, d, name, "stride", 1)
    apart = per_axis(dilation, d, name, "dilation", 1)
    rest = per_axis(output_padding, d, name, "output_padding", 0)
    pairs = padding_pairs(padding, d, kernels.shape[2:], apart, name)
    t = Transposed(image, kernels, b, image, steps, pairs, rest, apart)
    t = replace(t, full=t.output(image))
    refuse_large(name, "x", image.shape)
    refuse_large(name, "the output", t.full.shape)
    return shown(name, at, (kernels.shape[1], *image.shape[1:]), t.stamp, partial(_scene, t))


def _scene(t: Transposed, stamp: Stamp, so_far: bool) -> Scene:
    d, channels, outputs = len(stamp.input), len(t.x), len(t.full)
    o = stamp.channel
    reads = [((c, *stamp.input), "window") for c in range(channels)]
    inputs = input_grids(t.x, ((0, 0),) * d, reads, (0, *stamp.input), (channels, *(1,) * d))
    which = f"kernel to output {o}" if outputs > 1 else "kernel"
    kernels = kernel_grids(t.w[:, o], which, ["w"] * len(planes(t.w[:, o])))
    values = stamp.values if d == 2 else stamp.values[None]
    laid = Grid(
        values,
        "laid down" if channels == 1 else "laid down, summed",
        name="product",
        kinds=dict.fromkeys(np.ndindex(values.shape), "product"),
    )
    columns = (
        Column(inputs),
        Column(kernels, "·"),
        Column((laid,), "="),
        Column(_outputs(t, stamp, so_far), "→"),
    )
    where = index_text((o, *stamp.input) if outputs > 1 else stamp.input)
    cut = any(map(any, t.padding))
    options = options_text(t.stride, t.padding, t.dilation)
    bias = "" if t.b is None else f" Before, the output is the bias, {number_text(float(t.b[o]))}."
    factors = " + ".join(
        f"{factor_text(f)} · kernel{f' of channel {i}' if channels > 1 else ''}"
        for i, f in enumerate(stamp.factors)
    )
    return Scene(
        titled(f"Input {where} of a transposed convolution", options),
        columns,
        (f"{factors} is added to the output from cell {index_text(stamp.start)} on",),
        tuple(
            filter(
                None,
                (
                    "Where kernels overlap, their products add." + bias,
                    "Grey: the border of the output that the padding cuts off." * cut,
                ),
            )
        ),
    )


def _outputs(t: Transposed, stamp: Stamp, so_far: bool) -> tuple[Grid, ...]:
    """The uncut output; with `so_far`, only what the inputs up to this one have added."""
    full = t.full
    if so_far:
        until = np.arange(t.x[0].size).reshape(t.x.shape[1:]) <= np.ravel_multi_index(
            stamp.input, t.x.shape[1:]
        )
        full = t.output(np.where(until, t.x, 0.0))
        bias = np.zeros(len(full)) if t.b is None else t.b
        full[stamp.channel + 1 :] = bias[stamp.channel + 1 :].reshape(-1, *(1,) * (full.ndim - 1))
        full[: stamp.channel] = t.full[: stamp.channel]
    before = [pair[0] for pair in t.padding]
    kept = np.zeros(full.shape, bool)
    ends = zip(full.shape[1:], t.padding, strict=True)
    kept[(slice(None), *(slice(b, n - a) for n, (b, a) in ends))] = True
    kinds = kinds_of(full, ((tuple(map(int, index)), "pad") for index in np.argwhere(~kept)))
    corners = []
    for cell in stamp.cells():
        plane, place = place_of(
            (stamp.channel, *(q + b for q, b in zip(cell, before, strict=True)))
        )
        kinds[plane][place] = "output pad" if kinds[plane].get(place) == "pad" else "output"
        corners.append(place)
    (top, left), (bottom, right) = corners[0], corners[-1]
    box = Box(top, left, bottom + 1, right + 1)
    size = [n - sum(p) for n, p in zip(full.shape[1:], t.padding, strict=True)]
    whole = list(full.shape[1:])
    if len(size) == 1:  # the channels are rows
        size, whole = [len(full), *size], list(full.shape)
    cut = any(map(any, t.padding))
    note = size_text(size) + (f", cut out of {size_text(whole)}" if cut else "")
    drawn = 0 if full.ndim == 2 else stamp.channel
    return tuple(
        Grid(
            plane,
            titled("output so far" if so_far else "output", name),
            note,
            "y",
            names_of(plane.shape, (0, *before)[-plane.ndim :]),
            kinds[i],
            (box, "output") if i == drawn else None,
        )
        for i, (plane, name) in enumerate(planes(full))
    )
