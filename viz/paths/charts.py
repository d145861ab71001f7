"""Three aligned bar charts over the path length: number of paths, norm, share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from ..picture import svg
from ..picture.numbers import percent
from ..picture.picture import Picture
from ..picture.svg import wrap
from .lengths import ByLength
from .parts import INK, MARGIN, WIDTH, document, heading
from .words import short, whole

LEFT, RIGHT = 96.0, WIDTH - MARGIN
HEIGHT = 108.0
SLOT = 96.0  # at most, for a bar and the gap beside it
AXIS = "#9ca3af"
MAX_VALUES = 12  # with more bars than that, no values are written on them


@dataclass(frozen=True)
class Chart:
    """One row of bars.

    Attributes:
        title: what the bars show.
        values: of the bars, divided by the largest absolute value: −1 … 1.
        labels: the values as text.
        fill: colour of a bar; negative ones are outlined only.
        line: other values to compare with, on the same scale; drawn as steps, maybe none.
        base: the value at which bars begin, as text.
    """

    title: str
    values: tuple[float, ...]
    labels: tuple[str, ...]
    fill: str
    line: tuple[float, ...] = ()
    base: str = "0"


def charts(lengths: ByLength) -> list[Chart]:
    """What is drawn, from top to bottom."""
    n, start = lengths.n_blocks, lengths.start
    binomial = f" (binomial coefficients: {n} choose k)" if lengths.is_chain and n else ""
    return [
        Chart(
            f"How many paths cross k {lengths.things.crossed}{binomial}",
            scaled(lengths.count[: len(lengths.norms)]),
            tuple(map(whole, lengths.count[: len(lengths.norms)])),
            "#6b7280",
        ),
        Chart(
            f"‖G_k‖, the norm of what all paths of length k together give to the gradient at "
            f"{start}",
            scaled(lengths.norms),
            tuple(map(short, lengths.norms)),
            "#0072b2",
        ),
        Chart(
            "Share of G_k in the gradient g, ⟨G_k, g⟩ / ‖g‖²: negative if it points against g; "
            "the shares sum to 100 %",
            scaled(lengths.shares),
            tuple(percent(s) if math.isfinite(s) else "none" for s in lengths.shares),
            "#d55e00",
        ),
    ]


def draw_lengths(lengths: ByLength) -> Picture:
    """The charts as a picture; its data is `lengths`."""
    things = lengths.things
    chooses = (
        "A path crosses a marked part, or goes past it"
        if things.marked
        else f"A path chooses, at each {things.place}, the shortcut or the branch"
    )
    introduction = (
        f"{chooses}; its length k is the number of {things.crossed} that it crosses. "
        f"{lengths.finding()} {lengths.note}"
    ).strip()
    y, parts = heading(8.0, lengths.title, introduction)
    for chart in charts(lengths):
        y, drawn = draw_chart(chart, y + 10)
        parts += drawn
    parts.append(svg.text(LEFT, y + 10, f"k: number of {things.crossed} crossed", size=11.0))
    return Picture(document(y + 22, parts, lengths.title), lengths, title=lengths.title)


def draw_chart(
    chart: Chart, y: float, left: float = LEFT, right: float = RIGHT, height: float = HEIGHT
) -> tuple[float, list[str]]:
    """A chart from x = `left` to `right`, below its title: the y where it ends, and its SVG."""
    count = len(chart.values)
    slot = min(SLOT, (right - left) / count)
    widest = max(svg.text_width(label, 10.0) for label in chart.labels)
    values_fit = count <= MAX_VALUES and slot >= max(40, widest)
    lowest = min(0.0, *chart.values, *chart.line)
    title = [
        svg.text(left - (LEFT - MARGIN), y + 16 + 16 * i, line, bold=i == 0, size=12.0 - (i > 0))
        for i, line in enumerate(_titled(chart.title, right - left + LEFT - MARGIN))
    ]
    top = y + 16 * len(title) + (22 if values_fit else 12)
    zero = top + height / (1 - lowest)  # where both the highest and the lowest bar fit
    unit = zero - top
    bottom = top + height
    highest = max(range(count), key=lambda k: abs(chart.values[k]))
    parts = [
        *title,
        svg.line(left, zero, left + slot * count, zero, stroke=AXIS),
        svg.text(left - 8, zero + 4, chart.base, size=10.5, anchor="end", fill=INK),
    ]
    if chart.values[highest] > 0 and not values_fit:
        peak, level = chart.labels[highest], zero - chart.values[highest] * unit
        parts += [
            svg.line(left, level, left + slot * count, level, stroke="#e5e7eb"),
            svg.text(left - 8, level + 4, peak, size=10.5, anchor="end", fill=INK),
        ]
    for k, value in enumerate(chart.values):
        x = left + k * slot
        lift = chart.line[k] * unit if chart.line else 0.0
        parts.append(_bar(chart, k, x, zero, value * unit, slot, values_fit, lift))
    if chart.line:
        steps = [
            corner
            for k, value in enumerate(chart.line)
            for corner in ((left + k * slot, value), (left + (k + 1) * slot, value))
        ]
        d = "M" + "L".join(f"{svg.number(x)},{svg.number(zero - v * unit)}" for x, v in steps)
        parts.append(svg.path(d, stroke=svg.INK, stroke_width=1.4))
    below = bottom + (16 if lowest < 0 and values_fit else 0)
    for k in _ticks(count):
        x = left + (k + 0.5) * slot
        parts.append(svg.text(x, below + 14, str(k), size=10.5, anchor="middle", fill=INK))
    return below + 20, parts


def _titled(title: str, width: float) -> list[str]:
    """The first line of a title, in bold, and the text after it in smaller lines."""
    head, _, rest = title.partition("\n")
    return [head, *(wrap(rest, width, 11.0) if rest else [])]


def _bar(
    chart: Chart,
    k: int,
    x: float,
    zero: float,
    rise: float,
    slot: float,
    values_fit: bool,
    lift: float,
) -> str:
    gap = min(0.15 * slot, 6.0)
    style: dict[str, object] = {"fill": chart.fill}
    if rise < 0:
        style = {"fill": "#ffffff", "stroke": chart.fill, "stroke_width": min(1.5, 0.2 * slot)}
    bar = svg.rect(x + gap, zero - max(rise, 0.0), slot - 2 * gap, abs(rise), **style)
    label = ""
    if values_fit:
        above = max(rise, lift)  # a line over the bar stays readable
        y = zero - above - 5 if rise >= 0 else zero - rise + 13
        label = svg.text(x + slot / 2, y, chart.labels[k], size=10.0, anchor="middle")
    return svg.group(bar, label, class_="bar", tooltip=f"k = {k}: {chart.labels[k]}")


def _ticks(count: int) -> range:
    """About ten lengths to name on the axis, in steps of 1, 2, 5, 10, …"""
    steps = (a * 10**e for e in range(10) for a in (1, 2, 5))
    return range(0, count, next(step for step in steps if count <= 14 * step))


def scaled(values: Sequence[float]) -> tuple[float, ...]:
    """Values divided by the largest, even if too large for a float. NaN and infinity give 0."""
    finite = [v if isinstance(v, int) or math.isfinite(v) else 0 for v in values]
    largest = max(map(abs, finite))
    if largest == 0:
        return tuple(0.0 for _ in finite)
    return tuple(float(Fraction(v) / Fraction(largest)) for v in finite)
