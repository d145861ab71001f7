"""The pieces that pictures of paths are drawn from: branch boxes, ⊕, arrows, the network itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..picture import svg
from ..picture.svg import fit, wrap
from .choices import Block

WIDTH = 900.0
MARGIN = 20.0
INK = "#4b5563"
DASHES = "5 4"
RADIUS = 7.0


def heading(y: float, title: str, text: str) -> tuple[float, list[str]]:
    """A title with some sentences below it: the y where they end, and their SVG."""
    parts = [svg.text(MARGIN, y + 18, title, size=17.0, bold=True)]
    end, lines = paragraph(MARGIN, y + 26, text, WIDTH - 2 * MARGIN)
    return end, [*parts, *lines]


def paragraph(
    x: float, y: float, text: str, width: float, size: float = 12.0
) -> tuple[float, list[str]]:
    """Sentences in lines of some width, from y downwards: the y where they end, and their SVG."""
    lines = wrap(text, width, size)
    step = 1.4 * size
    parts = [
        svg.text(x, y + step * i, line, size=size, fill=INK) for i, line in enumerate(lines, 1)
    ]
    return y + step * len(lines) + 6, parts


def start_label(x: float, y: float, name: str) -> str:
    """The name of the value that paths start from, left of a line that begins at x."""
    return svg.text(x - 10, y + 4, fit(name, 56, 12), anchor="end")


def end_label(x: float, y: float, name: str) -> list[str]:
    """An arrow head with its tip at x, and the name of what it leads to."""
    return [head(x, y), svg.text(x + 4, y + 4, name)]


def document(height: float, parts: Sequence[str], title: str, width: float = WIDTH) -> str:
    """A picture of paths as SVG."""
    return svg.document(width, height, svg.group(*parts, class_="plot"), title=title, adapts=True)


def branch_box(block: Block, x: float, y: float, width: float, height: float = 20.0) -> str:
    """The branch F of a block, centred at (x, y)."""
    return svg.group(
        svg.rect(x - width / 2, y - height / 2, width, height, rx=4.0, fill=block.fill),
        svg.text(x, y + 4.2, block.branch, anchor="middle", bold=True, fill=block.ink),
        class_="branch",
        tooltip=block.name if block.join == "•" else f"branch of {block.name}",
    )


def join(mark: str, x: float, y: float) -> str:
    """Where two ways come together: an addition, ⊕, a concatenation, ⊟, or just a point, •."""
    arm = RADIUS - 2.5
    stroke: dict[str, Any] = {"stroke": svg.INK, "stroke_width": 1.3}
    if mark == "•":
        return svg.element("circle", cx=x, cy=y, r=3.5, fill=svg.INK, class_="point")
    if mark == "⊟":
        side = 2 * RADIUS - 1
        return svg.group(
            svg.rect(x - side / 2, y - side / 2, side, side, fill="#ffffff", **stroke),
            svg.line(x - side / 2, y, x + side / 2, y, **stroke),
            class_="concatenation",
        )
    return svg.group(
        svg.element("circle", cx=x, cy=y, r=RADIUS, fill="#ffffff", **stroke),
        svg.line(x - arm, y, x + arm, y, **stroke),
        svg.line(x, y - arm, x, y + arm, **stroke),
        class_="add",
    )


def wire(*corners: tuple[float, float], dashed: bool = False, thick: bool = False) -> str:
    """A line through corners; dashed along a shortcut, thick where it is highlighted."""
    d = "M" + "L".join(f"{svg.number(x)},{svg.number(y)}" for x, y in corners)
    dashes = DASHES if dashed else None
    stroke, width = (svg.INK, 3.6) if thick else (INK, 1.3)
    return svg.path(d, stroke=stroke, stroke_width=width, stroke_dasharray=dashes)


def head(x: float, y: float, dx: int = 1, dy: int = 0) -> str:
    """An arrow head with its tip at (x, y), pointing along an axis."""
    base = (x - 7 * dx, y - 7 * dy)
    corners = [(x, y), (base[0] + 3.5 * dy, base[1] + 3.5 * dx)]
    corners.append((base[0] - 3.5 * dy, base[1] - 3.5 * dx))
    return svg.polygon(corners, fill=INK)


def network(
    blocks: Sequence[Block],
    y: float,
    left: float,
    step: float,
    start: str,
    end: str,
    taken: Sequence[bool] | None = None,
) -> list[str]:
    """The network as it is: start → ⊕ → … → end along y, block i in its own column of width step.

    The branches are 34 pixels above y, the shortcuts' labels below. With `taken`, one path is
    highlighted: in each block its way is thick, and the other way pale. The shortcuts have the
    classes s1, s2, …, and the branches b1, b2, ….
    """
    right = left + len(blocks) * step
    thick = taken is not None
    parts = [
        start_label(left, y, start),
        wire((left - 6, y), (left + 9, y), thick=thick),
    ]
    for i, block in enumerate(blocks):
        x = left + i * step
        branch = None if taken is None else taken[i]
        parts += [
            _way(f"s{block.number}", branch, _shortcut(block, x, y, step, branch is False)),
            _way(
                f"b{block.number}",
                None if branch is None else not branch,
                _branch(block, x, y, step, branch is True),
            ),
            wire((x + step, y), (x + step + 9, y), thick=thick),
            join(block.join, x + step, y),
        ]
    parts += [
        wire((right + RADIUS * bool(blocks), y), (right + 24, y), thick=thick),
        *end_label(right + 26, y, end),
    ]
    return parts


def _way(name: str, pale: bool | None, drawn: list[str]) -> str:
    """One way through a block; pale if the highlighted path goes the other one."""
    state = {None: "", True: " off", False: " on"}[pale]
    return svg.group(*drawn, class_=f"way {name}{state}", opacity=0.22 if pale else None)


def _shortcut(block: Block, x: float, y: float, step: float, thick: bool) -> list[str]:
    after = x + step
    return [
        wire((x + 9, y), (after - RADIUS, y), dashed=True, thick=thick),
        head(after - RADIUS, y),
        svg.text(x + step / 2 + 4, y + 14, block.shortcut, size=10.0, anchor="middle", fill=INK),
    ]


def _branch(block: Block, x: float, y: float, step: float, thick: bool) -> list[str]:
    after, middle, raised, box = x + step, x + step / 2, y - 34, box_width(step)
    return [
        wire((x + 9, y), (x + 9, raised), (middle - box / 2, raised), thick=thick),
        wire((middle + box / 2, raised), (after, raised), (after, y - RADIUS), thick=thick),
        head(after, y - RADIUS, dx=0, dy=1),
        branch_box(block, middle, raised, box),
    ]


def box_width(step: float) -> float:
    """How wide branch boxes are in columns of some width."""
    return min(46.0, step - 24)
