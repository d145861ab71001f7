"""The table of two kinds of parts as a heat map: how many of each were crossed, with margins."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.paths import GradientPaths

from ..picture import svg
from ..picture.numbers import percent
from ..picture.picture import Picture
from ..picture.style import heat
from .charts import scaled
from .lengths import window
from .parts import INK, document, heading
from .words import Things, count_of, name_of, short, whole

VALUES = ("shares", "norms", "count")
LEFT, RIGHT = 92.0, 640.0  # of the map
HEIGHT = 420.0  # of the map, at most
CELL = (64.0, 34.0)  # at most
BARS = 66.0  # of the margins
VISIBLE = 0.002  # of the largest value; rows and columns end where all that follows is smaller
BAR, AXIS = "#d55e00", "#9ca3af"
EMPTY = "#f3f4f6"
TOLD = {
    "shares": "the share ⟨G, g⟩ / ‖g‖² of their gradients' sum G in the gradient g at {}",
    "norms": "the norm of the sum of their gradients at {}",
    "count": "their number",
}


@dataclass(frozen=True)
class Pairs:
    """What the picture shows.

    Attributes:
        kinds: of the rows and of the columns.
        start: name of the value that the gradient is taken at.
        things: how many parts there are, in words.
        what: what the values are: "shares", "norms" or "count".
        values: ``values[j][k]`` is of the paths that cross j parts of the first kind and k of the
            second.
        count: how many those are.
        margins: the same by the first kind alone, and by the second.
        total: how many paths there are in all.
        left_out: the share of those that cross more parts than were kept apart.
        note: what was measured, if that needs words.
    """

    kinds: tuple[str, str]
    start: str
    things: Things
    what: str
    values: tuple[tuple[float, ...], ...]
    count: tuple[tuple[int, ...], ...]
    margins: tuple[tuple[float, ...], tuple[float, ...]]
    total: int
    left_out: float = 0.0
    note: str = ""

    @property
    def title(self) -> str:
        return f"{self.things.told}: {count_of(self.total, 'path')}, by {' × '.join(self.kinds)}"

    def finding(self) -> str:
        """Where the gradient lies; "" for numbers of paths."""
        if self.what == "count":
            return ""
        if not all(math.isfinite(v) for row in self.values for v in row):
            return "The gradient is zero or not finite, so no paths have a share in it."
        table = np.array(self.values)
        j, k = np.unravel_index(np.argmax(table), table.shape)
        a, b = self.kinds
        said = f"The largest is that of the paths that cross {j} {a} and {k} {b}"
        said += f": {self.text(table[j, k])}."
        if self.what == "shares":
            ranges = []
            for kind, margin in zip(self.kinds, self.margins, strict=True):
                first, last = window(margin, 0.9)
                numbers = f"{first}" if first == last else f"{first} to {last}"
                ranges.append(
                    f"{percent(math.fsum(margin[first : last + 1]))} from those that cross "
                    f"{numbers} {kind}"
                )
            source = "the gradient comes" if not self.left_out else "what is kept apart comes"
            said += f" Of {source} {', and '.join(ranges)}."
            if self.left_out:
                said += (
                    " Paths that cross more parts were not kept apart; their share is "
                    f"{percent(self.left_out)}."
                )
        return said

    def text(self, value: float) -> str:
        """A value as it is printed."""
        if self.what == "count":
            return whole(int(value))
        if not math.isfinite(value):
            return "none"
        return percent(value) if self.what == "shares" else short(value)


def pairs_of(paths: GradientPaths, what: str = "shares", note: str = "") -> Pairs:
    """The table of a gradient that was split by two kinds.

    Raises:
        OptionError: another number of kinds, or other values.
    """
    if what not in VALUES:
        raise OptionError(f"unroll: values must be one of {', '.join(VALUES)}, got {what!r}")
    if len(paths.kinds) != 2:
        kinds = ", ".join(map(repr, paths.kinds)) if paths.kinds != ("",) else "none"
        raise OptionError(
            f'unroll: kind="pairs" needs two kinds of parts, and there are {kinds}; as in '
            'gradient_paths(…, through={"attention": "*.attention", "mlp": "*.mlp"})'
        )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="gradient_paths: the gradient is zero")
        table = paths.table(what)
        left_out = paths.left_out
    if what == "norms":
        margins = [[float(np.linalg.norm(g)) for g in paths.margin(kind)] for kind in paths.kinds]
        for margin, size in zip(margins, table.shape, strict=True):
            margin += [0.0] * (size - len(margin))
    else:
        margins = [table.sum(axis=1).tolist(), table.sum(axis=0).tolist()]
    first, second = paths.kinds
    rows, columns = table.shape
    return Pairs(
        (first, second),
        name_of(paths.wrt),
        Things.of(paths),
        what,
        tuple(map(tuple, table.tolist())),
        tuple(map(tuple, paths.table("count")[:rows, :columns].tolist())),
        (tuple(margins[0]), tuple(margins[1])),
        sum(paths.count),
        left_out,
        note,
    )


def draw_pairs(pairs: Pairs) -> Picture:
    """The heat map as a picture; its data is `pairs`."""
    a, b = pairs.kinds
    relative = _relative(pairs)
    rows, columns = _shown(relative)
    cut = rows < len(pairs.values) or columns < len(pairs.values[0])
    introduction = (
        f"A cell is of all paths that cross so many {a} (row) and so many {b} (column): "
        f"{TOLD[pairs.what].format(pairs.start)}. The bars are of a whole row or column."
        f"{' What follows to the right or above is smaller still, and left out.' * cut} "
        f"{pairs.finding()} {pairs.note}"
    ).strip()
    y, parts = heading(8.0, pairs.title, introduction)
    width = min(CELL[0], (RIGHT - LEFT) / columns)
    height = min(CELL[1], HEIGHT / rows)
    top = y + BARS + 40
    bottom, right = top + rows * height, LEFT + columns * width
    scale = max((abs(v) for row in pairs.values for v in row if _known(v)), default=0)
    texts = [[_brief(pairs, v) for v in row[:columns]] for row in pairs.values[:rows]]
    widest = max(svg.text_width(text, 10.0) for row in texts for text in row)
    printed = widest <= width - 2 and height >= 14
    for j in range(rows):
        for k in range(columns):
            x, up = LEFT + k * width, bottom - (j + 1) * height
            text = texts[j][k] if printed else ""
            box = x, up, width, height
            parts.append(_cell(pairs, j, k, box, float(relative[j, k]), text))
    parts += [
        svg.line(LEFT, bottom, right, bottom, stroke=AXIS),
        svg.line(LEFT, top, LEFT, bottom, stroke=AXIS),
        *_ticks(rows, columns, width, height, bottom),
        *_above(pairs, columns, width, top - 12),
        *_beside(pairs, rows, right + 14, height, bottom),
        svg.text((LEFT + right) / 2, bottom + 34, f"{b} crossed", size=11.0, anchor="middle"),
    ]
    middle = (top + bottom) / 2
    turned = f"rotate(-90 34 {svg.number(middle)})"
    parts.append(svg.text(34, middle, f"{a} crossed", size=11.0, anchor="middle", transform=turned))
    end, legend = _legend(pairs, bottom + 50, scale, printed)
    text = document(max(end, middle + 80), [*parts, *legend], pairs.title)
    return Picture(text, pairs, title=pairs.title)


def _relative(pairs: Pairs) -> np.ndarray[Any, Any]:
    """The values, divided by the largest absolute one; numbers of paths may exceed any float."""
    flat = scaled([v for row in pairs.values for v in row])
    return np.array(flat).reshape(len(pairs.values), -1)


def _known(value: float) -> bool:
    return isinstance(value, int) or math.isfinite(value)


def _shown(relative: np.ndarray[Any, Any]) -> tuple[int, int]:
    """How many rows and columns are drawn: what follows is next to nothing."""
    large = np.abs(relative) >= VISIBLE
    if not large.any():
        return relative.shape[0], relative.shape[1]
    rows, columns = (np.flatnonzero(large.any(axis=axis)).max() + 2 for axis in (1, 0))
    return int(min(relative.shape[0], rows)), int(min(relative.shape[1], columns))


def _cell(
    pairs: Pairs,
    j: int,
    k: int,
    box: tuple[float, float, float, float],
    part: float,
    text: str,
) -> str:
    """A cell of the map in a box; `part` is its value, divided by the largest."""
    x, y, width, height = box
    number = pairs.count[j][k]
    if not number:
        return ""
    fill, mark = heat(part) if abs(part) >= VISIBLE else (EMPTY, None)
    a, b = pairs.kinds
    gap = 1.0 if width > 10 else 0.0
    ink = "#ffffff" if abs(part) > 0.37 else svg.INK
    label = svg.text(x + width / 2, y + height / 2 + 4, text, size=10.0, anchor="middle", fill=ink)
    cell = svg.rect(x, y, width - gap, height - gap, fill=fill)
    return svg.group(
        svg.group(cell, label if text else "", class_=mark),
        class_="pair",
        tooltip=f"{j} {a}, {k} {b}: {pairs.text(pairs.values[j][k])}; {count_of(number, 'path')}",
    )


def _brief(pairs: Pairs, value: float) -> str:
    """What is printed in a cell: nothing for a share that would be rounded to 0 %."""
    if pairs.what == "shares" and (not math.isfinite(value) or abs(value) < 0.005):
        return ""
    return pairs.text(value)


def _ticks(rows: int, columns: int, width: float, height: float, bottom: float) -> list[str]:
    style: dict[str, Any] = {"size": 10.5, "fill": INK}
    across = _every(columns, width, 22.0)
    up = _every(rows, height, 14.0)
    return [
        *(
            svg.text(LEFT + (k + 0.5) * width, bottom + 16, str(k), anchor="middle", **style)
            for k in range(0, columns, across)
        ),
        *(
            svg.text(LEFT - 8, bottom - (j + 0.5) * height + 4, str(j), anchor="end", **style)
            for j in range(0, rows, up)
        ),
    ]


def _every(count: int, step: float, room: float) -> int:
    """Every how many of them a number fits."""
    steps = (a * 10**e for e in range(10) for a in (1, 2, 5))
    return next(s for s in steps if s * step >= room or s >= count)


def _above(pairs: Pairs, columns: int, width: float, base: float) -> list[str]:
    """Bars over the columns: the second kind by itself."""
    kind, margin = pairs.kinds[1], pairs.margins[1][:columns]
    parts = [svg.text(LEFT, base - BARS - 12, f"by {kind} alone", size=10.5, fill=INK)]
    texts = [_brief(pairs, v) for v in margin]
    printed = all(svg.text_width(text, 10.0) <= width for text in texts)
    for k, part in enumerate(scaled(pairs.margins[1])[:columns]):
        x, size = LEFT + k * width, abs(part) * (BARS - 14)
        text = pairs.text(margin[k])
        label = ""
        if printed:
            label = svg.text(x + width / 2, base - size - 4, texts[k], size=10.0, anchor="middle")
        bar = svg.rect(x + 0.1 * width, base - size, 0.8 * width, size, **_filled(part))
        parts.append(svg.group(bar, label, class_="margin", tooltip=f"{k} {kind}: {text}"))
    return parts


def _beside(pairs: Pairs, rows: int, x: float, height: float, bottom: float) -> list[str]:
    """Bars beside the rows: the first kind by itself."""
    kind, margin = pairs.kinds[0], pairs.margins[0][:rows]
    parts = []
    for j, part in enumerate(scaled(pairs.margins[0])[:rows]):
        y, size = bottom - (j + 1) * height, abs(part) * 2 * BARS
        text = pairs.text(margin[j])
        label = ""
        if height >= 12:
            label = svg.text(x + size + 6, y + height / 2 + 3.5, text, size=10.0)
        bar = svg.rect(x, y + 0.15 * height, size, 0.7 * height, **_filled(part))
        parts.append(svg.group(bar, label, class_="margin", tooltip=f"{j} {kind}: {text}"))
    top = bottom - rows * height
    parts.append(svg.text(x, top - 6, f"by {kind} alone", size=10.5, fill=INK))
    return parts


def _filled(part: float) -> dict[str, Any]:
    """A bar's colours; one of a negative value is hollow."""
    return {"fill": BAR} if part >= 0 else {"fill": "#ffffff", "stroke": BAR, "stroke_width": 1.2}


def _legend(pairs: Pairs, y: float, scale: float, printed: bool) -> tuple[float, list[str]]:
    size = 24.0
    negative = any(v < 0 for row in pairs.values for v in row)
    steps = [*range(-5, 0)] * negative + [*range(6)]
    parts = []
    for i, step in enumerate(steps):
        fill, mark = heat(step / 5)
        parts.append(svg.group(svg.rect(LEFT + i * size, y, size, 10, fill=fill), class_=mark))
    told = f"{f'{pairs.text(-scale)} … ' * negative}0 … {pairs.text(scale)}"
    told += "; no number: less than 0.5 %" * (printed and pairs.what == "shares")
    parts.append(svg.text(LEFT + len(steps) * size + 8, y + 9, told, size=10.5, fill=INK))
    if any(not number for row in pairs.count for number in row):
        parts.append(
            svg.text(LEFT, y + 26, "No cell: no path crosses so many.", size=10.5, fill=INK)
        )
        y += 18
    return y + 24, parts
