"""A picture of arithmetic: columns of grids with signs between them, and the sum in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..picture import svg
from ..picture.svg import wrap
from .grid import Cells, Grid, draw_grid, size_of
from .numbers import Index

MARGIN, _GAP, _SIGN = 18.0, 12.0, 26.0
_HEADING, _TITLE, _NOTE, _LINE = 15.0, 12.5, 11.0, 14.0
_NARROWEST = 380.0


Corners = Sequence[Sequence[tuple[float, float]]]  # of each grid, column by column


@dataclass(frozen=True)
class Column:
    """Grids below each other.

    Attributes:
        grids: from top to bottom.
        sign: between the column before and this one.
        between: between its grids.
        room: extra pixels before it, for arrows.
    """

    grids: tuple[Grid, ...]
    sign: str = ""
    between: str = ""
    room: float = 0.0


@dataclass(frozen=True)
class Arrow:
    """From a cell of one grid to a cell of another.

    Attributes:
        start, end: column, grid in the column, and the cell's (row, column) in it.
        ink: its colour.
        tooltip: what it says.
    """

    start: tuple[int, int, Index]
    end: tuple[int, int, Index]
    ink: str
    tooltip: str


@dataclass(frozen=True)
class Scene:
    """What a picture of arithmetic shows.

    Attributes:
        title: above it.
        columns: from left to right.
        lines: below: the sum, written out.
        notes: below that, in grey.
        arrows: from cell to cell, over all.
    """

    title: str
    columns: tuple[Column, ...]
    lines: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    arrows: tuple[Arrow, ...] = ()


def draw_scenes(scenes: Sequence[Scene]) -> list[str]:
    """Each scene as SVG. All have the same size, and their columns the same places."""
    columns = list(zip(*(scene.columns for scene in scenes), strict=True))
    cells = [Cells.of([grid for column in same for grid in column.grids]) for same in columns]
    widths = [
        max(_width(column, each) for column in same)
        for same, each in zip(columns, cells, strict=True)
    ]
    heights = [
        max(_height(column, each) for column in same)
        for same, each in zip(columns, cells, strict=True)
    ]
    gaps = [0.0, *(2 * _GAP + _SIGN * bool(c[0].sign) + c[0].room for c in columns[1:])]
    content = max(math.fsum([*widths, *gaps]), _NARROWEST)
    titles = [wrap(scene.title, content, _HEADING * 1.1) for scene in scenes]
    top = MARGIN + 20 * max(map(len, titles)) + 10
    below = top + max(heights) + 12
    shown = [(g, e) for same, e in zip(columns, cells, strict=True) for c in same for g in c.grids]
    notes = _notes(shown)
    words = [_words(scene.lines, (*scene.notes, *notes), content) for scene in scenes]
    height = below + max(height for height, _ in words) + MARGIN - 4
    drawn = []
    for scene, heading, (_, said) in zip(scenes, titles, words, strict=True):
        parts = [
            svg.text(MARGIN, MARGIN + 13 + 20 * i, line, size=_HEADING, bold=True)
            for i, line in enumerate(heading)
        ]
        x = MARGIN
        corners = []
        for column, width, gap, each in zip(scene.columns, widths, gaps, cells, strict=True):
            middle = top + max(heights) / 2
            parts.append(_sign(x + gap / 2, middle, column.sign))
            found, written = _column(column, x + gap, width, middle, each)
            corners.append(found)
            parts += written
            x += gap + width
        parts += [_draw_arrow(arrow, scene, corners, cells) for arrow in scene.arrows]
        parts.append(svg.group(*said, transform=f"translate(0 {svg.number(below)})"))
        size = (content + 2 * MARGIN, height)
        drawn.append(svg.document(*size, *filter(None, parts), title=scene.title, adapts=True))
    return drawn


def _notes(shown: Sequence[tuple[Grid, Cells]]) -> list[str]:
    """What has to be said of how grids are drawn: heat maps, NaN, rounded numbers."""
    said = []
    maps = [grid for grid, cells in shown if not cells.printed]
    if maps:
        signed = any((grid.values < 0).any() for grid in maps)
        said.append(
            "Large arrays are heat maps, each on its own scale: "
            + "blue is negative, white 0, orange positive; without negative numbers, " * signed
            + "black is the smallest and white the largest number."
        )
    if any(grid.is_broken for grid, _ in shown):
        said.append("Crimson: NaN or infinite. What reads a NaN is NaN, too.")
    if any(grid.is_rounded for grid, cells in shown if cells.printed):
        said.append("Numbers are rounded.")
    return said


def _words(lines: Sequence[str], notes: Sequence[str], width: float) -> tuple[float, list[str]]:
    parts = []
    y = 0.0
    for line in lines:
        for i, part in enumerate(wrap(line, width - 18, _LINE)):
            y += 1.45 * _LINE
            parts.append(svg.text(MARGIN + 18 * (i > 0), y, part, size=_LINE, class_="sum"))
    y += 4 * bool(lines)
    for note in notes:
        for part in wrap(note, width, _NOTE):
            y += 1.5 * _NOTE
            parts.append(svg.text(MARGIN, y, part, size=_NOTE, fill=svg.FAINT))
    return y, parts


def _sign(x: float, y: float, sign: str) -> str:
    return svg.text(x, y + 7, sign, size=20.0, anchor="middle", class_="sign") if sign else ""


def _draw_arrow(arrow: Arrow, scene: Scene, corners: Corners, cells: Sequence[Cells]) -> str:
    """An arrow along the upper side of cells, above the numbers. It bends between the grids."""
    (column, grid, (row, place)), (into, onto, (line, end)) = arrow.start, arrow.end
    near, far = cells[column], cells[into]
    (left, top), (right, up) = corners[column][grid], corners[into][onto]
    apart = 3.5 + 2.5 * (place % 3)  # neighbours in a row do not hide each other
    x1, y1 = left + (place + 0.5) * near.width, top + row * near.height + apart
    x2, y2 = right + (end + 0.5) * far.width, up + line * far.height + apart
    leaves = left + scene.columns[column].grids[grid].values.shape[1] * near.width + 2
    bend = (right - leaves) / 2
    d = "M{},{}H{}C{},{} {},{} {},{}H{}".format(
        *map(svg.number, (x1, y1, leaves, leaves + bend, y1, right - bend, y2, right - 2, y2, x2))
    )
    drawn = svg.path(d, stroke=arrow.ink, stroke_width=1.6)
    head = svg.polygon([(x2 + 4, y2), (x2 - 4, y2 - 3.4), (x2 - 4, y2 + 3.4)], fill=arrow.ink)
    dot = svg.element("circle", cx=x1, cy=y1, r=2.0, fill=arrow.ink)
    return svg.group(drawn, head, dot, class_="arrow", tooltip=arrow.tooltip)


def _column(
    column: Column, x: float, width: float, middle: float, cells: Cells
) -> tuple[list[tuple[float, float]], list[str]]:
    """The upper left corner of each grid's cells, and the SVG of the column."""
    parts, corners = [], []
    y = middle - _height(column, cells) / 2
    for i, grid in enumerate(column.grids):
        if i:
            y += _between(column)
            parts.append(_sign(x + width / 2, y - _between(column) / 2, column.between))
        across, down = size_of(grid, cells)
        centre = x + width / 2
        if grid.title:
            parts.append(svg.text(centre, y + 12, grid.title, size=_TITLE, anchor="middle"))
            y += 19
        corners.append((centre - across / 2, y))
        parts += draw_grid(grid, *corners[-1], cells)
        y += down
        if grid.note:
            parts.append(
                svg.text(centre, y + 15, grid.note, size=_NOTE, anchor="middle", fill=svg.FAINT)
            )
            y += 19
    return corners, parts


def _between(column: Column) -> float:
    return 26.0 if column.between else 12.0


def _width(column: Column, cells: Cells) -> float:
    return max(
        max(
            size_of(grid, cells)[0],
            svg.text_width(grid.title, _TITLE),
            svg.text_width(grid.note, _NOTE),
        )
        for grid in column.grids
    )


def _height(column: Column, cells: Cells) -> float:
    return math.fsum(
        size_of(grid, cells)[1] + 19 * bool(grid.title) + 19 * bool(grid.note)
        for grid in column.grids
    ) + _between(column) * (len(column.grids) - 1)
