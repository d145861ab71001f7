"""A sheet: rows of small heat maps, each row below its name. Plain data first, SVG after."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import svg
from .raster import BROKEN, colors, image

WIDTH = 900.0
_MARGIN, _GAP, _LINE = 16.0, 4.0, 20.0
_BELOW = 14.0  # for what is written below a tile
_BROKEN = "#" + "".join(f"{part:02x}" for part in BROKEN)


@dataclass(frozen=True)
class Tile:
    """One array of two axes.

    Attributes:
        values: (rows, columns).
        tooltip: shown on hover.
        below: written below it.
    """

    values: NDArray[Any]
    tooltip: str = ""
    below: str = ""


@dataclass(frozen=True)
class Strip:
    """Tiles that belong together, in lines as long as the sheet is wide.

    Attributes:
        title: above them, in bold.
        note: beside the title.
        tiles: all of one size.
        scale: the absolute value that has the strongest colour.
        across: width of a tile in pixels.
        columns: tiles in a line, at most; as many as fit if None.
        grey: shades from black for 0 to white for `scale`, instead of blue and orange.
    """

    title: str
    note: str
    tiles: Sequence[Tile]
    scale: float
    across: float
    columns: int | None = None
    grey: bool = False

    @property
    def down(self) -> float:
        """Height of a tile in pixels."""
        rows, columns = self.tiles[0].values.shape
        return max(self.across * rows / columns, 3.0)


@dataclass(frozen=True)
class Sheet:
    """A title, strips from top to bottom, and what the colours mean."""

    title: str
    strips: Sequence[Strip]
    about: str = ""
    notes: Sequence[str] = field(default_factory=list)


def largest(values: Any) -> float:
    """The largest absolute value that is finite; 0 if there is none."""
    sizes = np.abs(np.asarray(values, np.float64))
    return float(sizes[np.isfinite(sizes)].max(initial=0.0))


def not_finite(values: Any) -> int:
    """How many elements are NaN or infinite."""
    return int(np.size(values) - np.isfinite(np.asarray(values, np.float64)).sum())


def draw_sheet(sheet: Sheet) -> str:
    """The sheet as SVG, `WIDTH` pixels wide."""
    inner = WIDTH - 2 * _MARGIN
    parts = [svg.text(_MARGIN, 28, svg.shorten(sheet.title, 80), size=16, bold=True)]
    y = 38.0
    for words in (sheet.about, *sheet.notes):
        if words:
            parts.append(svg.text(_MARGIN, y + 12, words, size=12.5, fill=svg.FAINT))
            y += 18
    legend, height = _legend(sheet)
    parts.append(svg.group(legend, transform=f"translate({svg.number(_MARGIN)} {svg.number(y)})"))
    y += height + 6
    for strip in sheet.strips:
        title = svg.shorten(strip.title, 48)
        parts.append(svg.text(_MARGIN, y + 14, title, size=13, bold=True))
        after = _MARGIN + svg.text_width(title, 13, bold=True) + 10
        parts.append(svg.text(after, y + 14, strip.note, size=12, fill=svg.FAINT))
        y += _LINE
        fits = max(1, int((inner + _GAP) // (strip.across + _GAP)))
        columns = min(fits, strip.columns or fits)
        step = strip.down + _GAP + (_BELOW if any(tile.below for tile in strip.tiles) else 0)
        for i, tile in enumerate(strip.tiles):
            x = _MARGIN + (i % columns) * (strip.across + _GAP)
            parts.append(_tile(tile, strip, x, y + (i // columns) * step))
        y += math.ceil(len(strip.tiles) / columns) * step + 8
    return svg.document(WIDTH, y + _MARGIN / 2, *parts, title=sheet.title, adapts=True)


def _tile(tile: Tile, strip: Strip, x: float, y: float) -> str:
    width, height = strip.across, strip.down
    pixels = colors(tile.values, strip.scale or 1.0, signed=not strip.grey)
    drawn = [
        image(pixels, x, y, width, height),
        svg.rect(x, y, width, height, fill="none", stroke="#9ca3af", stroke_width=0.6),
    ]
    if tile.below:
        drawn.append(svg.text(x + width / 2, y + height + 12, tile.below, size=11, anchor="middle"))
    return svg.group(*drawn, class_="tile", tooltip=tile.tooltip)


def _legend(sheet: Sheet) -> tuple[str, float]:
    """The colours from negative to positive, and the colour of NaN and infinity."""
    if all(strip.grey for strip in sheet.strips):
        return "", 0.0
    scales = {strip.scale for strip in sheet.strips if not strip.grey}
    end = f"{scales.pop():.3g}" if len(scales) == 1 else "largest"
    bar = image(colors(np.linspace(-1, 1, 101)[None], 1.0, signed=True), 62, 2, 180, 12)
    frame = svg.rect(62, 2, 180, 12, fill="none", stroke="#9ca3af", stroke_width=0.6)
    parts = [
        svg.text(56, 12, f"−{end}", size=11.5, anchor="end"),
        bar,
        frame,
        svg.line(152, 2, 152, 18),
        svg.text(152, 28, "0", size=11.5, anchor="middle"),
        svg.text(248, 12, f"+{end}", size=11.5),
    ]
    if any(not_finite(tile.values) for strip in sheet.strips for tile in strip.tiles):
        parts.append(svg.rect(330, 2, 12, 12, fill=_BROKEN))
        parts.append(svg.text(348, 12, "NaN or infinite", size=11.5))
    return "".join(parts), 34.0
