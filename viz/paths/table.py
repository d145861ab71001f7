"""The strip table: a row per path, sorted by length, with the norm of its gradient."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..picture import svg
from ..picture.html import page, safe
from ..picture.picture import Picture
from ..picture.svg import fit
from .choices import SinglePath, Unrolled
from .parts import (
    INK,
    MARGIN,
    WIDTH,
    box_width,
    branch_box,
    document,
    end_label,
    heading,
    network,
    paragraph,
    start_label,
    wire,
)
from .report import STYLE
from .words import count_of, short, subscript, told_apart

ROW = 25.0
LEFT = 198.0  # of the first block's column
RULE = "#d1d5db"
BAR = "#6b7280"
BAR_OF_SUM = "#1f2937"
NUMBER_ROOM = 76.0


@dataclass(frozen=True)
class _Columns:
    """Where the columns are: blocks of width `step` from LEFT, then the end's name, then bars."""

    step: float
    end: float
    bars: float
    longest: float  # length of the longest bar

    @classmethod
    def of(cls, unrolled: Unrolled) -> _Columns:
        n = max(len(unrolled.blocks), 1)
        step = min(96.0, 378.0 / n)
        end = LEFT + n * step + 26
        bars = max(end + svg.text_width(unrolled.end) + 28, LEFT + 170)  # room for the last row
        return cls(step, end, bars, WIDTH - MARGIN - NUMBER_ROOM - bars)


def draw_table(unrolled: Unrolled, more: Callable[[], str] = str) -> Picture:
    """The table as a picture; its data is `unrolled`. On its page, `more` follows, HTML."""
    columns = _Columns.of(unrolled)
    y, parts = heading(8.0, unrolled.title, _introduction(unrolled))
    if unrolled.is_chain and unrolled.blocks:
        y += 58
        parts += network(unrolled.blocks, y, LEFT, columns.step, unrolled.start, unrolled.end)
        y += 16
    y, header = _header(unrolled, columns, y + 6)
    parts += header
    norms = [path.norm for path in unrolled.paths if path.norm is not None]
    sums = [unrolled.total or 0.0, unrolled.summed or 0.0]
    scale = max([v for v in [*norms, *sums] if math.isfinite(v)], default=0.0)
    for length, paths in unrolled.groups():
        parts += [
            _rule(y),
            svg.text(MARGIN, y + ROW / 2 + 4, f"length {length}", bold=True),
            svg.text(
                MARGIN + 63, y + ROW / 2 + 4, count_of(len(paths), "path"), size=10.0, fill=INK
            ),
        ]
        for path in paths:
            parts.append(_row(unrolled, columns, path, y, scale))
            y += ROW
    y, footer = _sum(unrolled, columns, y, scale)
    text = document(y + 8, [*parts, *footer], unrolled.title)
    return Picture(text, unrolled, title=unrolled.title, page=lambda: _page(unrolled, text, more()))


def _page(unrolled: Unrolled, drawn: str, more: str) -> str:
    """A page in which the network above the table shows the way of the row that is pointed at."""
    body = f"<h1>{safe(unrolled.title)}</h1>\n{drawn}"
    if not unrolled.is_chain:
        return page(unrolled.title, body + more, STYLE)
    rules = [STYLE, ".path:hover, .path:focus { outline: 1px solid #9ca3af }"]
    for path in unrolled.paths:
        aimed = f'svg:has([data-path="{_name(path)}"]:is(:hover, :focus))'
        ways = ", ".join(f".{'b' if t else 's'}{i}" for i, t in enumerate(path.taken, 1))
        rules.append(f"{aimed} .way:not({ways}) {{ opacity: .22 }}")
        rules.append(f"{aimed} :is({ways}) > path {{ stroke-width: 3.6px }}")
    told = "<p>Point at a row, and the network above the table shows its way.</p>"
    return page(unrolled.title, body + told + more, "\n".join(rules))


def _name(path: SinglePath) -> str:
    return "".join("01"[taken] for taken in path.taken)


def _introduction(unrolled: Unrolled) -> str:
    start, end = unrolled.start, unrolled.end
    things = unrolled.things
    if not unrolled.blocks:
        said = f"No {things.one} lies between {start} and {end}, so there is one path."
        return f"{said} {unrolled.note}".strip()
    gaps = (
        ""
        if unrolled.is_chain or things.marked
        else f" A gap: the path does not come by that {things.one.split(' ')[-1]}."
    )
    if unrolled.forward:
        return (
            "Each row is a network of its own, run forward: at every ⊕ it keeps one input, the "
            "shortcut (dashed) or the branch F (a box). The outputs add up to the whole network's "
            "if all branches are linear. For the gradient they always do, but here it is about "
            f"the output.{gaps}"
        )
    if things.marked:
        text = (
            f"The gradient, on its way back from {end} to {start}, goes through a marked part "
            "(a box), or past it (dashed). Each row is one sequence of these; its length is the "
            "number of parts that it crosses."
        )
    else:
        text = (
            f"At every {unrolled.joins} the gradient, on its way back from {end} to {start}, goes "
            "on along the shortcut (dashed) and through the branch F (a box). Each row is one "
            "sequence of such choices; its length is the number of branches that it crosses."
        )
    return f"{text}{gaps} {unrolled.note}".strip()


def _header(unrolled: Unrolled, columns: _Columns, y: float) -> tuple[float, list[str]]:
    """The blocks' names over their columns; their shortcuts, too, unless the network shows them."""
    parts = []
    lines = _names([block.name for block in unrolled.blocks], columns.step - 2)
    shortcuts = not unrolled.is_chain and not unrolled.things.marked
    for i, block in enumerate(unrolled.blocks):
        x = LEFT + (i + 0.5) * columns.step
        label = [
            svg.text(x, y + 14 * row, line[i], size=10.0, anchor="middle")
            for row, line in enumerate(lines, 1)
        ]
        parts.append(svg.group(*label, tooltip=block.name))
        if shortcuts:
            below = y + 14 * (len(lines) + 1)
            parts.append(svg.text(x, below, block.shortcut, size=10.0, anchor="middle", fill=INK))
    y += 14 * (len(lines) - 1 + shortcuts)
    start = fit(unrolled.start, 56, 11)
    told = (
        f"its gradient at {start}"
        if unrolled.total is None
        else f"norm of its output {unrolled.end}"
        if unrolled.forward
        else f"norm of its gradient at {start}"
    )
    parts.append(svg.text(columns.bars, y + 14, told, size=11.0))
    return y + 22, parts


def _names(names: Sequence[str], width: float) -> list[list[str]]:
    """Names in one line, or in two where that is too long: their last part below the others."""
    if all("." in name for name in names):
        apart = [name.rpartition(".") for name in names]
        if any(svg.text_width(name, 10.0) > width for name in names):
            return [
                told_apart([head for head, _, _ in apart], width, 10.0),
                [fit(last, width, 10.0) for _, _, last in apart],
            ]
    return [told_apart(names, width, 10.0)]


def _row(unrolled: Unrolled, columns: _Columns, path: SinglePath, top: float, scale: float) -> str:
    y = top + ROW / 2
    parts = [
        start_label(LEFT, y, unrolled.start),
        *_line(columns, path, y),
        *end_label(columns.end - 4, y, unrolled.end),
    ]
    for i, (block, taken) in enumerate(zip(unrolled.blocks, path.taken, strict=True)):
        if taken:
            x = LEFT + (i + 0.5) * columns.step
            parts.append(branch_box(block, x, y, box_width(columns.step)))
    if path.norm is None:
        parts.append(svg.text(columns.bars, y + 4, path.formula))
    else:
        parts.append(_bar(columns, path.norm, y, scale, BAR))
    reach = svg.rect(MARGIN, top, WIDTH - 2 * MARGIN, ROW, fill="none", pointer_events="all")
    return svg.group(reach, *parts, class_="path", data_path=_name(path), tabindex=0)


def _line(columns: _Columns, path: SinglePath, y: float) -> list[str]:
    """A dashed line from the start to the end, with a gap at each block that is not met.

    Without blocks there is no shortcut, and the line is solid.
    """
    gap = box_width(columns.step) + 10
    middles = [LEFT + (i + 0.5) * columns.step for i in range(len(path.taken)) if path.misses(i)]
    lefts = [LEFT - 4, *(x + gap / 2 for x in middles)]
    rights = [*(x - gap / 2 for x in middles), columns.end - 10]
    return [
        wire((left, y), (right, y), dashed=bool(path.taken))
        for left, right in zip(lefts, rights, strict=True)
    ]


def _sum(unrolled: Unrolled, columns: _Columns, y: float, scale: float) -> tuple[float, list[str]]:
    if unrolled.forward:
        return _forward_sum(unrolled, columns, y, scale)
    count = len(unrolled.paths)
    middle = y + ROW / 2 + 4
    parts = [
        svg.line(MARGIN, y + 1, WIDTH - MARGIN, y + 1, stroke=BAR_OF_SUM, stroke_width=1.6),
        svg.text(MARGIN, middle + 2, f"sum of {count_of(count, 'path')}", bold=True),
        svg.text(LEFT, middle + 2, "= the ordinary gradient"),
    ]
    if unrolled.total is None:
        parts.append(svg.text(columns.bars, middle + 2, _product(len(unrolled.blocks))))
        text = "Jᵢᵀ is the transposed Jacobian of the branch Fᵢ, g the gradient at the output."
    else:
        parts.append(_bar(columns, unrolled.total, y + ROW / 2 + 2, scale, BAR_OF_SUM))
        assert unrolled.difference is not None
        assert unrolled.largest is not None
        text = (
            f"Check: the paths added up, entry by entry, against one ordinary backward pass: "
            f"largest difference {short(unrolled.difference)}, where the largest entry is "
            f"{short(unrolled.largest)}."
        )
        if count > 1:
            text += (
                " The norms need not add up: gradients of different paths can point in different "
                "directions, and partly cancel."
            )
    end, lines = paragraph(MARGIN, y + ROW + 4, text, WIDTH - 2 * MARGIN, 11.0)
    return end, [*parts, *lines]


def _forward_sum(
    unrolled: Unrolled, columns: _Columns, y: float, scale: float
) -> tuple[float, list[str]]:
    """Two rows: the sum of the paths' outputs, and the output of the network."""
    assert unrolled.summed is not None
    assert unrolled.total is not None
    assert unrolled.difference is not None
    assert unrolled.largest is not None
    parts = [svg.line(MARGIN, y + 1, WIDTH - MARGIN, y + 1, stroke=BAR_OF_SUM, stroke_width=1.6)]
    said = f"sum of {count_of(len(unrolled.paths), 'path')}"
    for label, value in ((said, unrolled.summed), ("output of the network", unrolled.total)):
        middle = y + ROW / 2 + 2
        parts += [
            svg.text(MARGIN, middle + 4, label, bold=True),
            _bar(columns, value, middle, scale, BAR_OF_SUM),
        ]
        y += ROW
    off = unrolled.difference / unrolled.largest if unrolled.largest else float(unrolled.difference)
    verdict = (
        "They are equal up to rounding: everything on the way is linear."
        if off < 1e-5
        else "They differ, since not everything here is linear: then the unrolled paths are not "
        "the network's forward pass, but only its gradient's."
    )
    text = (
        f"{verdict} Entry by entry: largest difference {short(unrolled.difference)}, where the "
        f"output's largest entry is {short(unrolled.largest)}."
    )
    end, lines = paragraph(MARGIN, y + 4, text, WIDTH - 2 * MARGIN, 11.0)
    return end, [*parts, *lines]


def _product(n: int) -> str:
    factors = [f"(1 + J{subscript(i)}ᵀ)" for i in range(1, n + 1)]
    shown = factors if n <= 3 else [factors[0], "⋯", factors[-1]]
    return " ".join([*shown, "g"])


def _bar(columns: _Columns, value: float, y: float, scale: float, fill: str) -> str:
    known = math.isfinite(value) and scale > 0
    length = columns.longest * value / scale if known else 0.0
    return svg.group(
        svg.rect(columns.bars, y - 6, length, 12, fill=fill, class_="bar"),
        svg.text(columns.bars + length + 6, y + 4, short(value), size=11.0),
    )


def _rule(y: float) -> str:
    return svg.line(MARGIN, y, WIDTH - MARGIN, y, stroke=RULE)
