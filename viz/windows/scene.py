"""A picture of arithmetic: columns of grids with signs between them, and the sum in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .. import svg
from ..paths.words import wrap
from .grid import Cells, Grid, draw_grid, size_of

MARGIN, _GAP, _SIGN = 18.0, 12.0, 26.0
_HEADING, _TITLE, _NOTE, _LINE = 15.0, 12.5, 11.0, 14.0
_NARROWEST = 380.0


@dataclass(frozen=True)
class Column:
    """Grids below each other.

    Attributes:
        grids: from top to bottom.
        sign: between the column before and this one.
        between: between its grids.
    """

    grids: tuple[Grid, ...]
    sign: str = ""
    between: str = ""


@dataclass(frozen=True)
class Scene:
    """What a picture of arithmetic shows.

    Attributes:
        title: above it.
        columns: from left to right.
        lines: below: the sum, written out.
        notes: below that, in grey.
    """

    title: str
    columns: tuple[Column, ...]
    lines: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def draw_scenes(scenes: Sequence[Scene]) -> list[str]:
    """Each scene as SVG; all of one size, every column at the same place."""
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
    gaps = [0.0, *(2 * _GAP + _SIGN * bool(same[0].sign) for same in columns[1:])]
    content = max(sum(widths) + sum(gaps), _NARROWEST)
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
        for column, width, gap, each in zip(scene.columns, widths, gaps, cells, strict=True):
            middle = top + max(heights) / 2
            parts.append(_sign(x + gap / 2, middle, column.sign))
            parts += _column(column, x + gap, width, middle, each)
            x += gap + width
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


def _column(column: Column, x: float, width: float, middle: float, cells: Cells) -> list[str]:
    parts = []
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
        parts += draw_grid(grid, centre - across / 2, y, cells)
        y += down
        if grid.note:
            parts.append(
                svg.text(centre, y + 15, grid.note, size=_NOTE, anchor="middle", fill=svg.FAINT)
            )
            y += 19
    return parts


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
    return sum(
        size_of(grid, cells)[1] + 19 * bool(grid.title) + 19 * bool(grid.note)
        for grid in column.grids
    ) + _between(column) * (len(column.grids) - 1)
