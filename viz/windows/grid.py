"""Arrays as grids of cells with their numbers, or, if they are large, as heat maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ..picture import svg
from ..picture.raster import colors, image
from ..picture.style import MARKS
from .numbers import Array, Index, index_text, is_rounded, number_text

PRINTED = 12  # a grid with more cells along a side is a heat map,
_WIDEST = 560.0  # and so is one that would be wider, in pixels
_TEXT, _LEAST = 13.0, 30.0
_HEAT = 252.0  # pixels of a heat map's longer side, about
_PADDING = (226, 229, 234)  # in heat maps
FILLS = {
    "plain": "#ffffff",
    "blank": "#ffffff",
    "pad": "#f3f4f6",
    "window": "#fde0b8",
    "kernel": "#cfe6f6",
    "product": "#e9def5",
    "output": "#bfe8d8",
    "winner": "#f9b84a",
    "broken": MARKS["broken"],
}
EDGES = {"window": "#d55e00", "kernel": "#0067a3", "output": "#007a59", "winner": "#d55e00"}


class Box(NamedTuple):
    """A rectangle of cells; the ends are not in it."""

    top: int
    left: int
    bottom: int
    right: int


@dataclass(frozen=True)
class Grid:
    """One array of two axes, as it is drawn.

    Attributes:
        values: the numbers, (rows, columns).
        title: above it.
        note: below it.
        name: what its elements are called in tooltips.
        names: the index of each cell for tooltips, by place; the place itself if missing.
        kinds: what cells are, by place: one or more of the words "plain", "pad", "window",
            "kernel", "product", "output", "winner" and "blank" (not computed yet). Other cells are
            "plain".
        outline: a box that is framed, and the kind in whose colour.
    """

    values: Array
    title: str
    note: str = ""
    name: str = ""
    names: Mapping[Index, Index] = field(default_factory=dict)
    kinds: Mapping[Index, str] = field(default_factory=dict)
    outline: tuple[Box, str] | None = None

    @property
    def texts(self) -> list[str]:
        """Its numbers as text, row by row."""
        return [number_text(v) for v in self.values.flat]

    @property
    def is_rounded(self) -> bool:
        """Whether its texts leave digits out."""
        return any(map(is_rounded, self.values.flat))

    @property
    def is_broken(self) -> bool:
        """Whether NaN or infinity is among its numbers; the padding's −∞ does not count."""
        return any(
            "pad" not in self.kinds.get(tuple(map(int, place)), "")
            for place in np.argwhere(~np.isfinite(self.values))
        )


@dataclass(frozen=True)
class Cells:
    """How the cells of some grids are drawn: their size in pixels, and whether with numbers."""

    width: float
    height: float
    printed: bool

    @classmethod
    def of(cls, grids: Sequence[Grid]) -> Cells:
        """Cells wide enough for all the numbers, or small ones without, if the grids are large."""
        side = max(max(grid.values.shape) for grid in grids)
        columns = max(grid.values.shape[1] for grid in grids)
        if side <= PRINTED:
            texts = [text for grid in grids for text in grid.texts]
            width = max(_LEAST, 7 + max(svg.text_width(text, _TEXT) for text in texts))
            if width * columns <= _WIDEST:
                return cls(width, min(width, 36.0), printed=True)
        small = max(1.5, min(16.0, _HEAT / side))
        return cls(small, small, printed=False)


def size_of(grid: Grid, cells: Cells) -> tuple[float, float]:
    """Width and height of a grid without its title and note."""
    rows, columns = grid.values.shape
    return columns * cells.width, rows * cells.height


def draw_grid(grid: Grid, x: float, y: float, cells: Cells) -> list[str]:
    """The cells of a grid, with their upper left corner at (x, y)."""
    width, height = cells.width, cells.height
    parts = []
    if cells.printed:
        for place in np.ndindex(grid.values.shape):
            row, column = place
            parts.append(_draw_cell(grid, place, x + column * width, y + row * height, cells))
    else:
        rows, columns = grid.values.shape
        across, down = columns * width, rows * height
        pixels = colors(grid.values)
        for place, kind in grid.kinds.items():
            if "pad" in kind or kind == "blank":
                pixels[place] = _PADDING
        parts.append(image(pixels, x, y, across, down))
        parts.append(svg.rect(x, y, across, down, fill="none", stroke=svg.FAINT, class_="frame"))
        for (row, column), kind in grid.kinds.items():
            if "output" in kind or "winner" in kind:
                at = x + column * width, y + row * height
                parts.append(_outline(*at, width, height, kind.split()[0]))
    if grid.outline:
        box, kind = grid.outline
        parts.append(
            _outline(
                x + box.left * width,
                y + box.top * height,
                (box.right - box.left) * width,
                (box.bottom - box.top) * height,
                kind,
            )
        )
    return parts


def _outline(x: float, y: float, width: float, height: float, kind: str) -> str:
    return svg.rect(
        x,
        y,
        width,
        height,
        rx=2.0,
        fill="none",
        stroke=EDGES[kind],
        stroke_width=2.6,
        class_=f"outline {kind}",
    )


def _draw_cell(grid: Grid, place: Index, x: float, y: float, cells: Cells) -> str:
    value = float(grid.values[place])
    kind = grid.kinds.get(place, "plain")
    faint = "pad" in kind.split()
    if kind == "blank":
        empty = svg.rect(x, y, cells.width, cells.height, fill=FILLS[kind], stroke="#9ca3af")
        return svg.group(empty, class_="cell blank")
    broken = not faint and not np.isfinite(value)
    first = "broken" if broken else kind.split()[0]
    box = svg.rect(
        x,
        y,
        cells.width,
        cells.height,
        fill=FILLS[first],
        stroke="#9ca3af",
        stroke_width=1.0,
        stroke_dasharray="3 3" if first == "pad" else None,
    )
    number = svg.text(
        x + cells.width / 2,
        y + cells.height / 2 + 4.6,
        number_text(value),
        size=_TEXT,
        anchor="middle",
        bold="winner" in kind,
        fill="#ffffff" if broken else svg.FAINT if faint else svg.INK,
    )
    where = index_text(grid.names.get(place, place))
    told = f"{grid.name}{where} = {value:g}" + (", padding" if faint else "")
    classes = " ".join(dict.fromkeys(["cell", first, *kind.split()]))
    return svg.group(box, number, class_=classes, tooltip=told)
