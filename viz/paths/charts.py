"""Three aligned bar charts over the path length: number of paths, norm, share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from .. import svg
from ..picture import Picture
from .lengths import ByLength, percent
from .parts import INK, MARGIN, WIDTH, heading
from .words import short, whole

LEFT, RIGHT = 96.0, WIDTH - MARGIN
HEIGHT = 108.0
SLOT = 96.0  # at most, for a bar and the gap beside it
AXIS = "#9ca3af"
MAX_VALUES = 12  # up to so many bars have their value written on them


@dataclass(frozen=True)
class Chart:
    """One row of bars.

    Attributes:
        title: what the bars show.
        values: of the bars, as parts of the largest by absolute value: −1 … 1.
        labels: the values as text.
        fill: colour of a bar; negative ones are outlined only.
    """

    title: str
    values: tuple[float, ...]
    labels: tuple[str, ...]
    fill: str


def charts(lengths: ByLength) -> list[Chart]:
    """What is drawn, from top to bottom."""
    n, start = lengths.n_blocks, lengths.start
    binomial = f" (binomial coefficients: {n} choose k)" if lengths.is_chain and n else ""
    return [
        Chart(
            f"How many paths cross k branches{binomial}",
            _scaled(lengths.count),
            tuple(map(whole, lengths.count)),
            "#6b7280",
        ),
        Chart(
            f"‖G_k‖, the norm of what all paths of length k together give to the gradient at "
            f"{start}",
            _scaled(lengths.norms),
            tuple(map(short, lengths.norms)),
            "#0072b2",
        ),
        Chart(
            "Share of G_k in the gradient g, ⟨G_k, g⟩ / ‖g‖²: negative if it points against g; "
            "the shares sum to 100 %",
            _scaled(lengths.shares),
            tuple(percent(s) if math.isfinite(s) else "none" for s in lengths.shares),
            "#d55e00",
        ),
    ]


def draw_lengths(lengths: ByLength) -> Picture:
    """The charts as a picture; its data is `lengths`."""
    introduction = (
        "A path chooses, at each block, the shortcut or the branch; its length k is the number of "
        f"branches that it crosses. {lengths.finding()}"
    )
    y, parts = heading(8.0, lengths.title, introduction)
    for chart in charts(lengths):
        y, drawn = _draw(chart, y + 10)
        parts += drawn
    parts.append(svg.text(LEFT, y + 10, "k: number of branches crossed", size=11.0))
    text = svg.document(WIDTH, y + 22, *parts, title=lengths.title)
    return Picture(text, lengths, title=lengths.title)


def _draw(chart: Chart, y: float) -> tuple[float, list[str]]:
    count = len(chart.values)
    slot = min(SLOT, (RIGHT - LEFT) / count)
    lowest = min(0.0, *chart.values)
    top = y + 38 if count <= MAX_VALUES else y + 28
    zero = top + HEIGHT / (1 - lowest)  # where both the highest and the lowest bar fit
    unit = zero - top
    bottom = top + HEIGHT
    highest = max(range(count), key=lambda k: abs(chart.values[k]))
    parts = [
        svg.text(MARGIN, y + 16, chart.title, bold=True),
        svg.line(LEFT, zero, LEFT + slot * count, zero, stroke=AXIS),
        svg.text(LEFT - 8, zero + 4, "0", size=10.5, anchor="end", fill=INK),
    ]
    if chart.values[highest] > 0 and count > MAX_VALUES:
        peak = chart.labels[highest]
        parts += [
            svg.line(LEFT, top, LEFT + slot * count, top, stroke="#e5e7eb"),
            svg.text(LEFT - 8, top + 4, peak, size=10.5, anchor="end", fill=INK),
        ]
    for k, value in enumerate(chart.values):
        x = LEFT + k * slot
        parts.append(_bar(chart, k, x, zero, value * unit, slot))
    below = bottom + (16 if lowest < 0 and count <= MAX_VALUES else 0)
    for k in _ticks(count):
        x = LEFT + (k + 0.5) * slot
        parts.append(svg.text(x, below + 14, str(k), size=10.5, anchor="middle", fill=INK))
    return below + 20, parts


def _bar(chart: Chart, k: int, x: float, zero: float, rise: float, slot: float) -> str:
    gap = min(0.15 * slot, 6.0)
    style: dict[str, object] = {"fill": chart.fill}
    if rise < 0:
        style = {"fill": "#ffffff", "stroke": chart.fill, "stroke_width": min(1.5, 0.2 * slot)}
    bar = svg.rect(x + gap, zero - max(rise, 0.0), slot - 2 * gap, abs(rise), **style)
    label = ""
    if len(chart.values) <= MAX_VALUES:
        y = zero - rise - 5 if rise >= 0 else zero - rise + 13
        label = svg.text(x + slot / 2, y, chart.labels[k], size=10.0, anchor="middle")
    return svg.group(bar, label, class_="bar", tooltip=f"k = {k}: {chart.labels[k]}")


def _ticks(count: int) -> range:
    """About ten lengths to name on the axis, in steps of 1, 2, 5, 10, …"""
    steps = (a * 10**e for e in range(10) for a in (1, 2, 5))
    return range(0, count, next(step for step in steps if count <= 14 * step))


def _scaled(values: Sequence[float]) -> tuple[float, ...]:
    """Parts of the largest; exact for numbers too large for a float. What is not finite is 0."""
    finite = [v if isinstance(v, int) or math.isfinite(v) else 0 for v in values]
    largest = max(map(abs, finite))
    if largest == 0:
        return tuple(0.0 for _ in finite)
    return tuple(float(Fraction(v) / Fraction(largest)) for v in finite)
