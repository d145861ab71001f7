"""`convolution_backward` and `pooling_backward`: where gradients go, window by window."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import tinygrad_cnn as tg
from tinygrad_cnn import Tensor
from tinygrad_cnn.errors import OptionError, ShapeError

from ..picture.picture import Picture
from .convolution import Words, read_convolution, scene_of
from .grid import Grid
from .numbers import Array, Index, index_text, number_text, read_array, read_index
from .planes import array_grids, place_of
from .pooling import read_pooling
from .scene import Arrow, Column, Scene, draw_scenes
from .shown import shown
from .window import Convolution, Pooling, Window, cell_of, is_inside

MOST_ARROWS = 120
MOST_NAMED = 18  # a sum of more products is not written with names, such as w[0, 1]·g[1, 1]
_INKS = ("#0072b2", "#d55e00", "#009e73", "#b0578d", "#b07a00", "#6b4aa0", "#2f8fbd", "#7a7f00")


def convolution_backward(
    x: Any,
    w: Any,
    gradient: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    *,
    wrt: str = "x",
    at: Any = None,
) -> Picture:
    """One cell of a convolution's gradient, which is a convolution itself.

    The gradient at the input is the output's gradient, with stride − 1 zeros between its cells and
    zeros around it, convolved with the kernels turned by 180° (input and output channels swapped).
    The gradient at a kernel is the input convolved with the output's gradient, whose cells are
    stride apart.

    Args:
        x, w, stride, padding, dilation: as for `convolution`.
        gradient: at the output, of its shape (O, …), or without O for one channel; ones if None.
        wrt: "x", the input, or "w", the kernels.
        at: a cell of x, (i, j) or (c, i, j), or of w, (a, b) or (o, c, a, b); one index less in one
            dimension. None: an animation of all of them.

    Returns:
        A Picture, whose data is a `Window` with the products that add up to the gradient; or an
        `Animation`.

    Raises:
        ShapeError, OptionError, DtypeError: as for `convolution`, or a gradient of another shape.

    Example:
        >>> import numpy as np
        >>> from viz import convolution_backward
        >>> x, w = np.arange(9.0).reshape(3, 3), np.arange(4.0).reshape(2, 2)
        >>> convolution_backward(x, w, at=(0, 1)).data.sum  # w[0, 0] + w[0, 1]
        1.0
    """
    name = "convolution_backward"
    if wrt not in ("x", "w"):
        raise OptionError(f'{name}: wrt must be "x" or "w", got {wrt!r}')
    c = read_convolution(name, x, w, None, stride, padding, dilation)
    g = _gradient(name, gradient, c.y)
    if wrt == "x":
        turned, holes = _input_backward(c, g)

        def to_input(window: Window, so_far: bool) -> Scene:
            where = index_text(window.output if len(c.x) > 1 else window.output[1:])
            words = Words(
                "gradient at output",
                "turned kernel",
                "gradient at input",
                "g",
                "turned",
                "dx",
                f"Gradient at input {where}: the output's gradient ∗ the turned kernel",
                (
                    "Grey: zeros around the output's gradient, and, with a stride, between its "
                    "cells. The kernel is turned by 180°.",
                ),
            )
            scene = scene_of(turned, window, so_far, words, holes)
            met = meetings(c, window.output)
            # With a single input and output channel, indices are written without channels.
            alone = all(weight[:2] == (0, 0) for weight, _ in met)
            named = _named(f"dx{where}", "w", [(w[2 * alone :], y[alone:]) for w, y in met])
            return replace(scene, lines=(*scene.lines, *named))

        return shown(name, at, c.x.shape, turned.window, to_input)
    parts = _kernel_backward(c, g)

    def window_of(place: Index) -> Window:
        return replace(parts[place[:2]].window((0, *place[2:])), output=place)

    def to_kernel(window: Window, so_far: bool) -> Scene:
        o, i, *tap = window.output
        single = len(parts) == 1
        where = index_text(tap if single else window.output)
        words = Words(
            "input" if single else f"input, channel {i}",
            "gradient at output" if single else f"gradient at output {o}",
            "gradient at kernel",
            f"x[{i}]",
            f"g[{o}]",
            "dw",
            f"Gradient at weight {where}: the input ∗ the output's gradient",
            ("Grey: padding.",) if any(map(any, c.padding)) else (),
        )
        scene = scene_of(parts[o, i], replace(window, output=(0, *tap)), so_far, words)
        met = weight_meetings(c, window.output)
        named = _named(f"dw{where}", "x", [(x[single:], y[single:]) for x, y in met])
        return replace(scene, lines=(*scene.lines, *named))

    return shown(name, at, c.w.shape, window_of, to_kernel, optional=2)


def _gradient(name: str, gradient: Any, y: Array) -> Array:
    if gradient is None:
        return np.ones(y.shape)
    g = read_array(name, "gradient", gradient)
    g = g[0] if g.ndim == y.ndim + 1 and len(g) == 1 else g
    g = g[None] if g.ndim == y.ndim - 1 else g
    if g.shape != y.shape:
        raise ShapeError(f"{name}: gradient must have the output's shape {y.shape}, got {g.shape}")
    return g


def _gradients(c: Convolution, g: Array) -> tuple[Array, Array]:
    """The gradients at the input and at the kernels, computed by the engine."""
    x, w = (Tensor(a, requires_grad=True) for a in (c.x[None], c.w))
    op = (tg.conv1d, tg.conv2d)[c.x.ndim - 2]
    with np.errstate(all="ignore"):
        y = op(x, w, stride=c.stride, padding=c.padding, dilation=c.dilation)
        dx, dw = tg.grad(y, [x, w], g[None])
    return dx.numpy()[0], dw.numpy()


def _input_backward(c: Convolution, g: Array) -> tuple[Convolution, dict[Index, str]]:
    """The convolution that gives the input's gradient, and the places of zeros between cells."""
    axes = tuple(range(2, c.w.ndim))
    turned = np.flip(c.w.swapaxes(0, 1), axes)
    sizes = ((m - 1) * s + 1 for m, s in zip(g.shape[1:], c.stride, strict=True))
    spread = np.zeros((len(g), *sizes))
    spread[(slice(None), *(slice(None, None, s) for s in c.stride))] = g
    own = np.zeros(spread.shape[1:], bool)
    own[tuple(slice(None, None, s) for s in c.stride)] = True
    padding = []
    for axis, (n, k, e, (before, _)) in enumerate(
        zip(c.x.shape[1:], c.w.shape[2:], c.dilation, c.padding, strict=True)
    ):
        reach = (k - 1) * e
        first, last = reach - before, n + before - spread.shape[axis + 1]
        cut = slice(max(0, -first), spread.shape[axis + 1] - max(0, -last))
        spread = spread[(slice(None),) * (axis + 1) + (cut,)]
        own = own[(slice(None),) * axis + (cut,)]
        padding.append((max(0, first), max(0, last)))
    pairs = tuple(padding)
    ones = (1,) * len(pairs)
    backward = Convolution(spread, turned, None, _gradients(c, g)[0], ones, pairs, c.dilation)
    between = np.pad(own, pairs, constant_values=True) == 0
    if between.ndim == 1:  # one plane, whose rows are the channels
        between = np.repeat(between[None], len(g), axis=0)
    return backward, {tuple(map(int, place)): "pad" for place in np.argwhere(between)}


def meetings(c: Convolution, cell: Index) -> list[tuple[Index, Index]]:
    """The pairs of weight (o, c, …) and output (o, …) whose products sum to a cell's gradient."""
    channel, *place = cell
    found = []
    for o, *tap in np.ndindex(len(c.w), *c.w.shape[2:]):
        output = []
        for at, t, stride, step, (before, _), size in zip(
            place, tap, c.stride, c.dilation, c.padding, c.y.shape[1:], strict=True
        ):
            row, rest = divmod(at + before - t * step, stride)
            if rest == 0 and 0 <= row < size:
                output.append(row)
        if len(output) == len(tap):
            found.append(((o, channel, *tap), (o, *output)))
    return found


def weight_meetings(c: Convolution, weight: Index) -> list[tuple[Index, Index]]:
    """The pairs of input (c, …) and output (o, …) whose products sum to a weight's gradient."""
    o, channel, *tap = weight
    found = []
    for output in np.ndindex(c.y.shape[1:]):
        place = cell_of(c.start(output), tuple(tap), c.dilation)
        if is_inside(place, c.x.shape[1:]):
            found.append(((channel, *place), (o, *output)))
    return found


def _named(name: str, factor: str, met: list[tuple[Index, Index]]) -> list[str]:
    """The gradient as a line of named products of w or x with g; no line if it is too long."""
    if not 0 < len(met) <= MOST_NAMED:
        return []
    terms = [f"{factor}{index_text(place)}·g{index_text(output)}" for place, output in met]
    terms = [term.replace(", ", ",") for term in terms]  # lines are broken at spaces
    return [f"{name} = {' + '.join(terms)}"]


def _kernel_backward(c: Convolution, g: Array) -> dict[Index, Convolution]:
    """The convolution that gives a kernel's gradient, by output and input channel."""
    gradient = _gradients(c, g)[1]
    return {
        (o, i): Convolution(
            c.x[i : i + 1],
            g[o][None, None],
            None,
            gradient[o, i][None],
            c.dilation,
            c.padding,
            c.stride,
        )
        for o in range(len(c.w))
        for i in range(len(c.x))
    }


# --- pooling -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Share:
    """What one output's gradient gives to one input cell.

    Attributes:
        output, input: indices, (channel, …).
        value: the gradient that arrives.
    """

    output: Index
    input: Index
    value: float


@dataclass(frozen=True)
class PoolingGradient:
    """Where the gradients of a pooling's outputs go.

    Attributes:
        shares: one for each arrow.
        output, input: the gradients at both ends, (C, …); the input's is the sum of all shares.
    """

    shares: tuple[Share, ...]
    output: Array
    input: Array


def pooling_backward(
    x: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    kind: str = "max",
    *,
    gradient: Any = None,
    count_include_pad: bool = True,
    at: Any = None,
) -> Picture:
    """Where each output's gradient goes: to the winner of its window, or for a mean to all cells.

    Of equal numbers the first one in the window, row by row, gets all of it.

    Args:
        x, kernel_size, stride, padding, kind, count_include_pad: as for `pooling`.
        gradient: at the output, of its shape; ones if None.
        at: the output whose arrows are drawn, as for `pooling`; if None, those of all.

    Returns:
        A Picture. Its data is a `PoolingGradient`.

    Raises:
        ShapeError, OptionError, DtypeError: as for `pooling`; a gradient of another shape; more
            than 120 arrows.

    Example:
        >>> from viz import pooling_backward
        >>> shares = pooling_backward([[1.0, 2.0], [2.0, 0.0]], 2).data.shares
        >>> [(share.input, share.value) for share in shares]
        [((0, 0, 1), 1.0)]
    """
    name = "pooling_backward"
    p = read_pooling(name, x, kernel_size, stride, padding, kind, count_include_pad)
    g = _gradient(name, gradient, p.y)
    outputs = list(np.ndindex(p.y.shape))
    chosen = outputs if at is None else [read_index(name, at, p.y.shape, optional=1)]
    shares = tuple(share for output in outputs for share in _shares(p, output, g))
    arrows = [share for share in shares if share.output in chosen]
    if len(arrows) > MOST_ARROWS:
        raise OptionError(
            f"{name}: {len(arrows)} arrows are too many to tell apart, at most {MOST_ARROWS}; "
            "choose an output with at=..., or cut out a part of x"
        )
    total = np.zeros(p.x.shape)
    for share in shares:
        total[share.input] += share.value
    data = PoolingGradient(tuple(arrows), g, total)
    scene = _routes(p, data)
    (drawn,) = draw_scenes([scene])
    return Picture(drawn, data, title=scene.title)


def _shares(p: Pooling, output: Index, g: Array) -> list[Share]:
    window = p.window(output)
    if window.winner is not None:
        return [Share(output, window.cells[window.winner], float(g[output]))]
    if not window.divisor:
        return []
    value = float(g[output]) / window.divisor
    inside = zip(window.cells, window.padding, strict=True)
    return [Share(output, cell, value) for cell, outside in inside if not outside]


def _routes(p: Pooling, data: PoolingGradient) -> Scene:
    drawn = dict.fromkeys(share.output for share in data.shares)
    inks = {output: _INKS[i % len(_INKS)] for i, output in enumerate(drawn)}
    winners = [share.input for share in data.shares] if p.kind == "max" else []
    reached = [share.input for share in data.shares]
    columns = (
        Column(_grids(p.x, "input", "x", winners, "winner")),
        Column(_grids(data.output, "gradient at output", "g", list(drawn), "output"), room=24.0),
        Column(_grids(data.input, "gradient at input", "dx", reached, "window"), room=70.0),
    )
    arrows = tuple(
        Arrow(
            (1, *place_of(share.output)),
            (2, *place_of(share.input)),
            inks[share.output],
            f"{number_text(share.value)} from output {index_text(share.output)} "
            f"to input {index_text(share.input)}",
        )
        for share in data.shares
    )
    ties = any(p.window(output).ties for output in drawn)
    overlaps = len(set(reached)) < len(reached)
    notes = (
        "Of equal numbers the first in the window, row by row, gets all of the gradient." * ties,
        "Where several arrows meet, gradients add." * overlaps,
    )
    single = len(drawn) == 1 < data.output.size
    where = next(iter(drawn))[len(p.x) == 1 :] if single else ()
    one = f" of output {index_text(where)}" if single else ""
    name = "max" if p.kind == "max" else "average"
    way = "to the winner of each window" if p.kind == "max" else "in equal parts to each window"
    return Scene(
        f"Backward through {name} pooling: the gradient{one} goes {way}",
        columns,
        (),
        tuple(filter(None, notes)),
        arrows,
    )


def _grids(array: Array, title: str, name: str, marked: list[Index], kind: str) -> tuple[Grid, ...]:
    return array_grids(array, title, name, ((index, kind) for index in marked))
