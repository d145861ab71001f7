"""The grids that show an array (C, …).

In two dimensions there is a grid for each channel. In one dimension there is a single grid, and its
rows are the channels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tinygrad_cnn.ops.windows import Pairs

from .grid import Box, Grid
from .numbers import Array, Index, size_text

NAMED = 1024  # with more cells than that, tooltips do not name them
Marked = tuple[Index, str]  # a cell (channel, …), and the kind that it is drawn as


def planes(array: Array) -> list[tuple[Array, str]]:
    """An array (C, …) as arrays of two axes, each with the name of its channel."""
    if array.ndim == 2:
        return [(array, "")]
    return [(plane, f"channel {i}" if len(array) > 1 else "") for i, plane in enumerate(array)]


def place_of(index: Index) -> tuple[int, Index]:
    """In which plane an element (channel, …) is drawn, and where in it."""
    return (0, index) if len(index) == 2 else (index[0], index[1:])


def titled(first: str, *rest: str) -> str:
    """A title from its parts, those left out that are empty."""
    return ", ".join(word for word in (first, *rest) if word)


def kinds_of(array: Array, marked: Iterable[Marked]) -> list[dict[Index, str]]:
    """The kinds of the marked cells, by place, for each plane of an array (C, …)."""
    kinds: list[dict[Index, str]] = [{} for _ in planes(array)]
    for index, kind in marked:
        plane, place = place_of(index)
        kinds[plane][place] = kind
    return kinds


def array_grids(
    array: Array,
    title: str,
    name: str,
    marked: Iterable[Marked] = (),
    outline: tuple[Box, str] | None = None,
    outlined: int = 0,
) -> tuple[Grid, ...]:
    """An array as it is, with some cells marked.

    Args:
        array: (C, …).
        title, name: of the array; the name is for tooltips.
        marked: cells with the kinds that they are drawn as.
        outline: a box that is framed in the plane number `outlined`, and its kind.
        outlined: see there.
    """
    kinds = kinds_of(array, marked)
    return tuple(
        Grid(
            plane,
            titled(title, channel),
            size_text(plane.shape),
            f"{name}[{i}]" if channel else name,
            kinds=kinds[i],
            outline=outline if i == outlined else None,
        )
        for i, (plane, channel) in enumerate(planes(array))
    )


def kernel_grids(kernel: Array, title: str, names: Sequence[str]) -> tuple[Grid, ...]:
    """One kernel (C, …), all its cells in the colour of kernels; `names` are for tooltips."""
    return tuple(
        Grid(
            plane,
            titled(title, channel),
            size_text(plane.shape),
            name,
            kinds=dict.fromkeys(np.ndindex(plane.shape), "kernel"),
        )
        for (plane, channel), name in zip(planes(kernel), names, strict=True)
    )


def input_grids(
    x: Array,
    padding: Pairs,
    reads: Iterable[Marked],
    start: Index,
    span: Index,
    *,
    filler: float = 0.0,
    title: str = "input",
    name: str = "x",
    faint: Mapping[Index, str] | None = None,
) -> tuple[Grid, ...]:
    """An image with its padding dimmed, and a window on it outlined.

    Args:
        x: (C, …).
        padding: for each spatial axis.
        reads: the cells that the window reads, with the kind that they are drawn as.
        start: the window's first cell, an index of the image, (channel, …).
        span: how far the window reaches, along the channels and the other axes.
        filler: what the padding holds.
        title, name: of the array; the name is for tooltips.
        faint: kinds of further cells, by their place in the padded image's planes.
    """
    before = (0, *(pair[0] for pair in padding))
    padded = np.pad(x, ((0, 0), *padding), constant_values=filler)
    outside = np.pad(np.zeros(x.shape), ((0, 0), *padding), constant_values=1)
    kinds = [
        {**(faint or {}), **dict.fromkeys(_indices(plane == 1), "pad")}
        for plane, _ in planes(outside)
    ]
    for cell, kind in reads:
        plane, place = place_of(tuple(q + b for q, b in zip(cell, before, strict=True)))
        kinds[plane][place] = kind
    top = tuple(q + b for q, b in zip(start, before, strict=True))
    end = tuple(q + n for q, n in zip(top, span, strict=True))
    box = Box(*(top + end if x.ndim == 2 else top[1:] + end[1:]))
    size = x.shape if x.ndim == 2 else x.shape[1:]
    full = padded.shape if x.ndim == 2 else padded.shape[1:]
    note = size_text(size) + (f", padded to {size_text(full)}" if full != size else "")
    framed = range(top[0], end[0]) if x.ndim == 3 else range(1)
    return tuple(
        Grid(
            plane,
            titled(title, channel),
            note,
            f"{name}[{i}]" if channel else name,
            names_of(plane.shape, before[-plane.ndim :]),
            kinds[i],
            (box, "window") if i in framed else None,
        )
        for i, (plane, channel) in enumerate(planes(padded))
    )


def output_grids(
    y: Array, output: Index, *, title: str = "output", name: str = "y", so_far: bool = False
) -> tuple[Grid, ...]:
    """An output, with the cell (channel, …) outlined that a window fills.

    With `so_far`, the cells after it are left blank.
    """
    filled, (row, column) = place_of(output)
    blank = [place for place in np.ndindex(y.shape) if place > output] if so_far else []
    marked = [*((place, "blank") for place in blank), (output, "output")]
    box = Box(row, column, row + 1, column + 1)
    return array_grids(y, title, name, marked, (box, "output"), filled)


def number_grid(value: float, title: str) -> Grid:
    """A single number, in the colour of outputs."""
    return Grid(np.array([[value]]), title, name=title, kinds={(0, 0): "output"})


def _indices(mask: NDArray[np.bool_]) -> list[Index]:
    return [tuple(map(int, place)) for place in np.argwhere(mask)]


def names_of(shape: Index, before: Index) -> dict[Index, Index]:
    """For each cell of a padded plane its index in the image, whose first cell is at `before`.

    Empty for a plane of more than `NAMED` cells.
    """
    if np.prod(shape) > NAMED:
        return {}
    return {
        place: tuple(q - b for q, b in zip(place, before, strict=True))
        for place in np.ndindex(*shape)
    }
