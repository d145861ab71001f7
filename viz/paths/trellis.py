"""The trellis of a deep network: how its 2ⁿ paths fold onto (block, branches so far).

All paths that reach a block after the same number of branches are one state: n blocks have
(n+1)(n+2)/2 states instead of 2ⁿ paths. Charts beside the heat map show what arrives at the end.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tinygrad_cnn.paths import GradientPaths

from ..graphs.norms import log10
from ..picture import svg
from ..picture.numbers import percent, power
from ..picture.picture import Picture
from ..picture.style import heat
from ..picture.svg import fit
from .charts import Chart, draw_chart, scaled
from .choices import names_of
from .lengths import ByLength, by_length
from .parts import INK, MARGIN, document, paragraph
from .words import count_of, short, told_apart, whole

WIDTH = 1120.0
MAP_LEFT, MAP_RIGHT = 74.0, 520.0
MAP_HEIGHT = 420.0
CHARTS_LEFT, CHARTS_RIGHT = 660.0, WIDTH - MARGIN
CHART_HEIGHT = 88.0
MAX_COLUMNS, MAX_ROWS = 120, 120
VISIBLE = 0.005  # of a column's largest norm; what is smaller is left white
TINY = 1e-300  # what is smaller counts as zero on a logarithmic axis
NAME_SIZE, NAME_ROOM = 9.5, 190.0
REACHED, EDGE = "#f3f4f6", "#9ca3af"


@dataclass(frozen=True)
class Trellis:
    """What the picture shows.

    Attributes:
        lengths: the numbers for each path length at the end.
        blocks: names of the blocks in the order of the columns, from the loss back to the start.
        norms: a column for each block, and a last one at the start; ``norms[c][k]`` is the norm of
            what arrives there along all routes that crossed k branches so far.
    """

    lengths: ByLength
    blocks: tuple[str, ...]
    norms: tuple[tuple[float, ...], ...]

    @property
    def title(self) -> str:
        n, total = self.lengths.n_blocks, sum(self.lengths.count)
        known = f"{power(2, n)} {'=' if total < 1_000_000 else '≈'} "
        known = known if self.lengths.is_chain and n > 1 else ""
        paths = f"{known}{count_of(total, 'path')}"
        states = (n + 1) * (n + 2) // 2
        folded = f", folded onto {states:,} states" if self.lengths.is_chain else ", by length"
        return f"{self.lengths.things.told}: {paths}{folded}"


def trellis_of(paths: GradientPaths, samples: int, note: str = "") -> Trellis:
    """The trellis of a recorded network."""
    columns = [tuple(map(float, row)) for row in paths.trellis[::-1]]
    lengths = by_length(paths, samples, note)
    return Trellis(lengths, tuple(names_of(paths)[::-1]), (*columns, lengths.norms))


def draw_trellis(trellis: Trellis) -> Picture:
    """The heat map, beside it the charts; its data is `trellis`."""
    lengths, things = trellis.lengths, trellis.lengths.things
    splits = (
        "On its way back the gradient goes through the marked parts or past them; crossing one "
        "adds one to the number of parts crossed so far."
        if things.marked
        else f"At each {things.place} the gradient, on its way back, splits: along the shortcut, "
        "and through the branch, which adds one to the number of branches crossed so far."
    )
    introduction = f"{splits} {lengths.finding()} {lengths.note}".strip()
    head = [svg.text(MARGIN, 26, trellis.title, size=17.0, bold=True)]
    y, said = paragraph(MARGIN, 34, introduction, WIDTH - 2 * MARGIN)
    left_end, heat = _heat_map(trellis, y + 12)
    end = y + 2
    drawn: list[str] = []
    for chart in charts(lengths):
        end, parts = draw_chart(chart, end + 10, CHARTS_LEFT, CHARTS_RIGHT, CHART_HEIGHT)
        drawn += parts
    drawn.append(
        svg.text(CHARTS_LEFT, end + 8, f"k: number of {things.crossed} crossed", size=11.0)
    )
    height = max(left_end, end + 8) + 16
    text = document(height, [*head, *said, *heat, *drawn], trellis.title, WIDTH)
    return Picture(text, trellis, title=trellis.title)


def charts(lengths: ByLength) -> list[Chart]:
    """Number of paths, gradient of a single one, exact share: from top to bottom."""
    shown = len(lengths.norms)
    binomial = f" ({lengths.n_blocks} choose k)" if lengths.is_chain else ""
    found = [
        Chart(
            f"Number of paths of length k{binomial}",
            scaled(lengths.count[:shown]),
            tuple(map(whole, lengths.count[:shown])),
            "#6b7280",
        )
    ]
    shares = [s if math.isfinite(s) else 0.0 for s in lengths.shares]
    shape: Sequence[float] = ()
    about = "⟨G_k, g⟩ / ‖g‖², of all paths of length k together; negative ones are hollow."
    if lengths.single:
        found.append(
            Chart(
                "Mean gradient norm of a single path (logarithmic)\n"
                f"Of at most {count_of(lengths.samples, 'random path')} of each length.",
                _logarithmic(lengths.single),
                tuple(map(short, lengths.single)),
                "#0072b2",
                base=short(_floor(lengths.single)),
            )
        )
        shape = _to_sum(lengths.estimate, math.fsum(shares))
        if shape:
            about += (
                " Line: number × mean norm (Veit et al. 2016), scaled to the same sum; so it would "
                "be if paths did not cancel."
            )
    together = scaled([*shares, *shape])
    labels = tuple(percent(s) if math.isfinite(s) else "none" for s in lengths.shares)
    title = f"Exact share in the gradient at {fit(lengths.start, 120, 12)}"
    bars, line = together[:shown], together[shown:]
    found.append(Chart(f"{title}\n{about}", bars, labels, "#d55e00", line))
    return found


def _to_sum(values: Sequence[float], goal: float) -> list[float]:
    """Values scaled so that they sum to a positive goal; empty if they cannot be."""
    finite = [v if math.isfinite(v) else 0.0 for v in values]
    total = math.fsum(finite)
    return [v / total * goal for v in finite] if total > 0 and goal > 0 else []


def _heat_map(trellis: Trellis, y: float) -> tuple[float, list[str]]:
    columns, rows, step = _binned(trellis.norms)
    width = (MAP_RIGHT - MAP_LEFT) / len(columns)
    height = min(MAP_HEIGHT / rows, 42.0)
    things = trellis.lengths.things
    each = things.one.split(" ")[-1]
    title = f"What arrives at each {each}, by the number of {things.crossed} crossed so far"
    bottom = y + 14 + rows * height + 10
    parts = [svg.text(MARGIN, y + 4, title, bold=True)]
    n = len(trellis.norms) - 1
    for at, (column, values) in enumerate(columns):
        x = MAP_LEFT + at * width
        largest = max(values, default=0.0)
        for low, high in _runs([value > 0 for value in values[:rows]]):
            top = bottom - high * height
            parts.append(svg.rect(x, top, width, (high - low) * height, fill=REACHED))
        name = trellis.blocks[column] if column < n else f"{trellis.lengths.start} (the end)"
        for k, value in enumerate(values[:rows]):
            if largest and value >= VISIBLE * largest:
                fill, mark = heat(value / largest)
                corner = x + 0.04 * width, bottom - (k + 0.96) * height
                state = svg.rect(*corner, 0.92 * width, 0.92 * height, fill=fill)
                parts.append(
                    svg.group(
                        svg.group(state, class_=mark),
                        class_="state",
                        tooltip=f"{name}, {k * step} {things.crossed} so far: norm {short(value)}",
                    )
                )
    below, axes = _axes(trellis, [c for c, _ in columns], rows, step, width, height, bottom)
    return _legend(below, [*parts, *axes], each)


def _runs(flags: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """Where the runs of true ones begin and end."""
    at = 0
    for flag, run in itertools.groupby(flags):
        size = len(list(run))
        if flag:
            yield at, at + size
        at += size


def _binned(
    norms: Sequence[Sequence[float]],
) -> tuple[list[tuple[int, list[float]]], int, int]:
    """The columns to draw (number, norms), how many rows, and how many lengths make a row.

    Rows end where nothing visible follows. If there are too many columns, some are left out. If
    there are too many rows, several become one, which shows their largest norm.
    """
    every = max(1, math.ceil(len(norms) / MAX_COLUMNS))
    chosen = sorted({*range(0, len(norms), every), len(norms) - 1})
    used = 1
    for values in norms:
        largest = max(values, default=0.0)
        visible = [k for k, v in enumerate(values) if largest and v >= VISIBLE * largest]
        used = max(used, 1 + max(visible, default=0))
    used = min(max(map(len, norms)), used + 2)
    step = max(1, math.ceil(used / MAX_ROWS))
    columns = [
        (c, [max(norms[c][k : k + step]) for k in range(0, len(norms[c]), step)]) for c in chosen
    ]
    return columns, math.ceil(used / step), step


def _axes(
    trellis: Trellis,
    columns: Sequence[int],
    rows: int,
    step: int,
    width: float,
    height: float,
    bottom: float,
) -> tuple[float, list[str]]:
    """The y where they end, and their SVG."""
    label: dict[str, Any] = {"size": 10.5, "fill": INK}
    right = MAP_LEFT + len(columns) * width
    parts = [svg.line(MAP_LEFT, bottom, right, bottom, stroke=EDGE)]
    every = next(s for s in (1, 2, 5, 10, 20, 50, 100) if rows / s <= 12)
    for row in range(0, rows, every):
        y = bottom - (row + 0.5) * height + 4
        parts.append(svg.text(MAP_LEFT - 8, y, str(row * step), anchor="end", **label))
    middle = bottom - rows * height / 2
    parts.append(
        svg.text(
            30,
            middle,
            f"{trellis.lengths.things.crossed} crossed so far",
            size=11.0,
            anchor="middle",
            transform=f"rotate(-90 30 {svg.number(middle)})",
        )
    )
    start = fit(trellis.lengths.start, NAME_ROOM, NAME_SIZE)
    names = [*told_apart(trellis.blocks, NAME_ROOM, NAME_SIZE), start]
    gap = max(1, math.ceil(1.2 * NAME_SIZE / width))  # columns between two that are named
    named = [at for at in range(0, len(columns) - 1, gap) if len(columns) - 1 - at >= gap]
    for at in (*named, len(columns) - 1):
        x = MAP_LEFT + (at + 0.5) * width + NAME_SIZE / 3
        turned = f"rotate(-90 {svg.number(x)} {svg.number(bottom + 6)})"
        parts.append(
            svg.text(
                x, bottom + 6, names[columns[at]], size=NAME_SIZE, anchor="end", fill=INK,
                transform=turned,
            )
        )  # fmt: skip
    end = bottom + 12 + max(svg.text_width(names[columns[at]], NAME_SIZE) for at in (*named, -1))
    parts.append(
        svg.text(
            (MAP_LEFT + right) / 2,
            end + 14,
            f"the gradient's way back: loss → … → {start}",
            size=11.0,
            anchor="middle",
        )
    )
    return end + 34, parts


def _legend(y: float, parts: list[str], each: str) -> tuple[float, list[str]]:
    size = 24.0
    for i in range(6):
        fill, mark = heat(i / 5)
        parts.append(svg.group(svg.rect(MAP_LEFT + i * size, y, size, 10, fill=fill), class_=mark))
    x = MAP_LEFT + 6 * size
    told = f"norm, as a part of the largest at that {each}: 0 … 1"
    parts.append(svg.text(x + 8, y + 9, told, size=10.5, fill=INK))
    parts.append(svg.rect(MAP_LEFT, y + 18, size, 10, fill=REACHED))
    told = f"paths come by, but with less than {percent(VISIBLE)} of the largest"
    parts.append(svg.text(MAP_LEFT + size + 8, y + 27, told, size=10.5, fill=INK))
    return y + 30, parts


def _positive(values: Sequence[float]) -> list[float]:
    return [v for v in values if TINY < v < math.inf]


def _floor(values: Sequence[float]) -> float:
    """A power of ten below the smallest positive value."""
    return 10.0 ** (math.floor(log10(min(_positive(values), default=1.0))) - 1)


def _logarithmic(values: Sequence[float]) -> tuple[float, ...]:
    """Heights from 0, the floor, to 1, the largest value. What is not positive gets 0."""
    positive = _positive(values)
    low, high = log10(_floor(values)), log10(max(positive, default=1.0))
    return tuple((log10(v) - low) / (high - low) if TINY < v < math.inf else 0.0 for v in values)
