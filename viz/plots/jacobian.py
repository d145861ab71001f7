"""`jacobian`: what a gradient check compared, side by side; wrong entries and kinks are marked."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.gradcheck import Report

from ..picture import svg
from ..picture.picture import Picture
from .blocks import KINK, PLAIN, UNKNOWN, WRONG, Array, Indices, Shown, index_of, shown

MOST_INPUTS = 4  # that are drawn


def jacobian(report: Report, name: str | None = None) -> Picture:
    """Analytic and numerical Jacobian of each input, and their difference where it is wrong.

    A row is an element of the output, a column an element of the input, both in row-major order.
    A large Jacobian is drawn in blocks. Each cell then shows one entry of its block: the one with
    the largest error or, if none is wrong, the largest one. The picture says how many entries a
    cell stands for. If there are more than four inputs, the four with most wrong entries are drawn.

    Args:
        report: what `tinygrad_cnn.gradcheck` returned, with ``mode="full"``.
        name: of the one input to draw.

    Raises:
        OptionError: the report has no Jacobians, or none for that input.

    Example:
        >>> import numpy as np, tinygrad_cnn as tg, viz
        >>> cube = tg.op("cube", lambda x: x**3, lambda g, y, x: g * 2 * x**2)
        >>> picture = viz.jacobian(tg.gradcheck(cube, np.array([0.5, -1.0, 2.0])))
        >>> picture.data["inputs"][0].counted
        '3 of 9 entries wrong'
    """
    if not report.numeric:
        why = (
            "it was made with mode='random'; use mode='full'"
            if report.mode == "random"
            else f"the check ended early ({report.verdict}: {report.diagnosis})"
        )
        raise OptionError(f"jacobian: the report on {report.function} has no Jacobians: {why}")
    if name is not None and name not in report.numeric:
        raise OptionError(
            f"jacobian: no input {name!r} was checked; there are {', '.join(report.numeric)}"
        )
    every = [shown(report, n) for n in ([name] if name is not None else report.numeric)]
    chosen = sorted(every, key=lambda s: -s.wrong / max(1, s.size))[:MOST_INPUTS]
    inputs = [s for s in every if any(s is c for c in chosen)]
    left_out = [s for s in every if not any(s is c for c in chosen)]
    title = f"gradcheck {report.function}: {report.verdict}"
    data = {
        "verdict": report.verdict,
        "diagnosis": report.diagnosis,
        "inputs": inputs,
        "not_drawn": {s.name: s.counted for s in left_out},
    }
    return Picture(_document(title, report.diagnosis, inputs, left_out), data, title=title)


# --- drawing -------------------------------------------------------------------------------------

_LEFT, _PANEL, _GAP, _RIGHT = 104.0, 272.0, 28.0, 16.0
_WIDTH = _LEFT + 3 * _PANEL + 2 * _GAP + _RIGHT
_POSITIVE, _NEGATIVE, _UNKNOWN = (0, 103, 163), (194, 80, 10), "#c3c9d1"
_DARK = "#1a1a1a"


def _document(
    title: str, diagnosis: str, inputs: Sequence[Shown], left_out: Sequence[Shown]
) -> str:
    parts = [svg.text(16, 28, title, size=15, bold=True)]
    y = 48.0
    for line in _wrapped(diagnosis, 150):
        parts.append(svg.text(16, y, line, size=12.5))
        y += 18
    for one in inputs:
        drawn, y = _input(one, y + 14)
        parts += drawn
    if left_out:
        told = "; ".join(f"{s.name}: {s.counted}" for s in left_out)
        for line in _wrapped(f"Not drawn: {told}", 150):
            y += 18
            parts.append(svg.text(16, y, line, size=12, fill=svg.FAINT))
        y += 6
    parts.append(_legend(y + 22))
    return svg.document(_WIDTH, y + 40, *parts, title=title, adapts=True)


def _wrapped(text: str, length: int) -> list[str]:
    lines = [""]
    for word in svg.clean(text).split(" "):
        if len(lines[-1]) + len(word) >= length:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def _input(one: Shown, top: float) -> tuple[list[str], float]:
    """The three panels of one input, from `top` downwards, and the y where they end."""
    name = svg.shorten(one.name, 24)
    heading = f"{name} {_shape(one.shape)} → output {_shape(one.output)}: {one.counted}"
    parts = [svg.text(16, top + 14, heading, size=13, bold=True)]
    if not one.size:
        return parts, top + 24
    y = top + 24
    if one.block != (1, 1):
        told = (
            f"Each cell stands for {one.block[0]} × {one.block[1]} entries and shows the one that "
            "is off by most, or, where none is wrong, the largest."
        )
        parts.append(svg.text(16, y + 10, told, size=12, fill=svg.FAINT))
        y += 18
    rows, columns = one.marks.shape
    cell = (min(46.0, _PANEL / columns), min(24.0, max(6.0, _PANEL / rows)))
    values = max(
        _limit(a, (np.abs(a) > one.bar) | (one.marks == WRONG)) for a in (one.analytic, one.numeric)
    )
    off = _limit(one.difference, one.marks == WRONG)
    y += 20
    panels = [
        ("analytic", one.analytic, values),
        ("numerical", one.numeric, values),
        ("difference, where wrong", np.where(one.marks == WRONG, one.difference, 0.0), off),
    ]
    bottom = y + rows * cell[1]
    parts += _row_labels(one, y, cell[1])
    for p, (title, array, limit) in enumerate(panels):
        x = _LEFT + p * (_PANEL + _GAP)
        parts.append(svg.text(x, y - 6, title, size=12))
        parts.append(_panel(one, array, limit, x, y, cell, difference=p == 2))
        parts += _column_labels(one, x, bottom + 14, cell[0])
        parts.append(
            _scale(
                x,
                bottom + 24,
                limit,
                nothing="no entry is wrong" if p == 2 else "0, to within the error bar",
            )
        )
    return parts, bottom + 52


def _shape(shape: tuple[int, ...]) -> str:
    return f"({', '.join(map(str, shape))})" if shape else "(a number)"


def _limit(array: Array, among: Array) -> float:
    """The largest finite absolute value of an array, where `among` is true."""
    return float(np.max(np.abs(array), where=among & np.isfinite(array), initial=0.0))


def _panel(
    one: Shown,
    array: Array,
    limit: float,
    x: float,
    y: float,
    cell: tuple[float, float],
    difference: bool,
) -> str:
    w, h = cell
    rows, columns = array.shape
    written = w >= 40 and h >= 15
    cells = [svg.rect(x, y, w * columns, h * rows, fill="#ffffff")]
    over: list[str] = []
    for i in range(rows):
        start = 0
        for j in range(columns):
            color = _color(array[i, j], limit, int(one.marks[i, j]), difference)
            last = j + 1 == columns
            if (
                last
                or _color(array[i, j + 1], limit, int(one.marks[i, j + 1]), difference) != color
            ):
                if color != "#ffffff":
                    at = x + start * w
                    cells.append(svg.rect(at, y + i * h, (j + 1 - start) * w, h, fill=color))
                start = j + 1
            over += _marked(one, i, j, x + j * w, y + i * h, cell, difference)
            if written and (
                one.marks[i, j] == WRONG or (not difference and np.isfinite(array[i, j]))
            ):
                ink = "#ffffff" if _is_dark(color) else _DARK
                number = _number(array[i, j])
                middle = x + (j + 0.5) * w
                over.append(
                    svg.text(
                        middle, y + (i + 0.5) * h + 4, number, size=10.5, anchor="middle", fill=ink
                    )
                )
    frame = svg.rect(x, y, w * columns, h * rows, fill="none", stroke=svg.FAINT)
    return svg.group(
        svg.group(*cells, shape_rendering="crispEdges"), *_guides(one, x, y, cell), frame, *over
    )


def _color(value: float, limit: float, mark: int, difference: bool) -> str:
    if math.isnan(value) or (mark in (KINK, UNKNOWN) and difference):
        return _UNKNOWN
    share = max(-1.0, min(1.0, value / limit)) if limit else 0.0
    end = _POSITIVE if share > 0 else _NEGATIVE
    return "#" + "".join(f"{round(255 + (e - 255) * abs(share)):02x}" for e in end)


def _is_dark(color: str) -> bool:
    r, g, b = (int(color[k : k + 2], 16) for k in (1, 3, 5))
    return 0.299 * r + 0.587 * g + 0.114 * b < 140


def _marked(
    one: Shown, i: int, j: int, x: float, y: float, cell: tuple[float, float], difference: bool
) -> list[str]:
    """The mark of one entry: a frame if it is wrong, a stroke for a kink, a ? if it is uncertain.

    In a cell that shows a number, stroke and ? stand in the corner. Where differences are drawn,
    the mark's tooltip tells the numbers.
    """
    mark, (w, h) = one.marks[i, j], cell
    roomy = w >= 24 and h >= 18 and not difference
    if mark == PLAIN:
        return []
    tooltip = ""
    if difference:
        bar = f" ± {one.bar[i, j]:.1g}" if np.isfinite(one.bar[i, j]) else ""
        tooltip = (
            f"{one.name}{_at(one.columns[i][j])}, output{_at(one.rows[i][j])}: analytic "
            f"{one.analytic[i, j]:.6g}, numerical {one.numeric[i, j]:.6g}{bar}"
        )
    if mark == WRONG:
        edge = min(1.5, w / 9, h / 9)
        drawn = svg.rect(
            x + edge / 2, y + edge / 2, w - edge, h - edge,
            fill="#ffffff", fill_opacity=0.0, stroke=_DARK, stroke_width=edge,
        )  # fmt: skip
    elif mark == KINK:
        part = 0.45 if roomy else 1.0
        drawn = svg.line(x, y + h * part, x + w * part, y, stroke=_DARK, stroke_width=1.5)
    elif roomy:
        drawn = svg.text(x + w - 5, y + 9, "?", size=9, anchor="middle", fill=_DARK)
    else:
        drawn = svg.text(
            x + w / 2, y + h / 2 + 3, "?", size=min(11.0, h + 1), anchor="middle", fill=_DARK
        )
    return [svg.group(drawn, tooltip=tooltip)] if tooltip else [drawn]


def _at(index: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, index))}]" if index else ""


def _number(value: float) -> str:
    text = f"{value:.3g}"
    return (text if len(text) <= 7 else f"{value:.1e}").replace("-", "−")


def _guides(one: Shown, x: float, y: float, cell: tuple[float, float]) -> list[str]:
    """Thin lines between the elements of the first axes: examples of a batch, output channels."""
    rows, columns = one.marks.shape
    lines = []
    for at in _boundaries(one.output, one.block[0], rows):
        lines.append(svg.line(x, y + at * cell[1], x + columns * cell[0], y + at * cell[1]))
    for at in _boundaries(one.shape, one.block[1], columns):
        lines.append(svg.line(x + at * cell[0], y, x + at * cell[0], y + rows * cell[1]))
    return [svg.group(*lines, class_="axis", opacity=0.6)] if lines else []


def _boundaries(shape: tuple[int, ...], block: int, cells: int) -> list[float]:
    """Where the elements of the first axis end, in cells; empty if there are too many to see."""
    if len(shape) < 2 or not 2 <= shape[0] <= 8 or math.prod(shape[1:]) < 2 or cells < 2 * shape[0]:
        return []
    return [k * math.prod(shape[1:]) / block for k in range(1, shape[0])]


def _ends(name: str, indices: Indices) -> tuple[str, str]:
    first, last = (f"{name}{_at(index)}" for index in (indices[0], indices[-1]))
    return first, last if len(indices) > 1 else ""


def _row_labels(one: Shown, y: float, h: float) -> list[str]:
    rows = len(one.rows)
    last = math.prod(one.output) - 1
    first, end = _ends("y", [index_of(0, one.output), index_of(last, one.output)][: 1 + (rows > 1)])
    labels = [(y + h / 2 + 4, first), (y + (rows - 0.5) * h + 4, end)]
    if rows > 1 and labels[1][0] - labels[0][0] < 12:
        labels = labels[:1]
    return [
        svg.text(_LEFT - 8, at, text, size=11, anchor="end", fill=svg.FAINT)
        for at, text in labels
        if text
    ]


def _column_labels(one: Shown, x: float, y: float, w: float) -> list[str]:
    columns = one.marks.shape[1]
    name = svg.shorten(one.name, 10)
    last = math.prod(one.shape) - 1
    first, end = _ends(
        name, [index_of(0, one.shape), index_of(last, one.shape)][: 1 + (columns > 1)]
    )
    labels = [svg.text(x, y, first, size=11, fill=svg.FAINT)]
    if svg.text_width(first, 11) + svg.text_width(end, 11) + 12 < w * columns and end:
        labels.append(svg.text(x + w * columns, y, end, size=11, anchor="end", fill=svg.FAINT))
    return labels


def _scale(x: float, y: float, limit: float, nothing: str) -> str:
    """What the colours mean."""
    if not limit:
        return svg.text(x, y + 9, nothing, size=11, fill=svg.FAINT)
    steps = 16
    low, high = _number(-limit), _number(limit)
    at = x + svg.text_width(low, 11) + 6
    bar = [
        svg.rect(
            at + 5 * k, y, 5.5, 10,
            fill=_color(2 * k / (steps - 1) - 1, 1.0, PLAIN, False),
        )
        for k in range(steps)
    ]  # fmt: skip
    return svg.group(
        svg.text(x, y + 9, low, size=11, fill=svg.FAINT),
        svg.group(*bar, shape_rendering="crispEdges"),
        svg.text(at + 5 * steps + 6, y + 9, high, size=11, fill=svg.FAINT),
    )


def _legend(y: float) -> str:
    """What the marks mean."""
    parts, x = [], 16.0
    for kind, told in (
        (WRONG, "wrong: off by more than the error bar allows"),
        (KINK, "on a kink: the one-sided derivatives differ"),
        (UNKNOWN, "too uncertain to judge"),
    ):
        parts.append(svg.rect(x, y - 10, 14, 12, fill="#ffffff" if kind == WRONG else _UNKNOWN))
        if kind == WRONG:
            parts.append(
                svg.rect(
                    x + 0.75, y - 9.25, 12.5, 10.5, fill="none", stroke=_DARK, stroke_width=1.5
                )
            )
        elif kind == KINK:
            parts.append(svg.line(x, y + 2, x + 14, y - 10, stroke=_DARK, stroke_width=1.5))
        else:
            parts.append(svg.text(x + 7, y, "?", size=11, anchor="middle", fill=_DARK))
        parts.append(svg.text(x + 20, y, told, size=11.5, fill=svg.FAINT))
        x += 44 + svg.text_width(told, 11.5)
    return svg.group(*parts)
