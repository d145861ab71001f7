"""A diagram as a `Picture`: lays it out, and writes boxes, arrows, frames and legend as SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..picture import svg
from ..picture.picture import Picture
from ..picture.style import KINDS
from .diagram import (
    GROUP_SIZE,
    LINE_HEIGHT,
    LINE_SIZE,
    PAD_Y,
    TITLE_HEIGHT,
    TITLE_SIZE,
    Arrow,
    Box,
    Diagram,
    Group,
)
from .layout import Places, Point, Route, place, to_dot

MARGIN = 12.0
_GAP = 24.0
_FRAMES = ("#f8fafc", "#eef2f6")  # nested frames alternate


@dataclass(frozen=True)
class Links:
    """Where clicks on a drawing in a page lead: addresses by box, and by the name of a group.

    Attributes:
        prefix: of the ids of this drawing's boxes and groups, to tell several in a page apart.
        boxes, groups: what opens, and what closes.
    """

    prefix: str
    boxes: Mapping[str, str]
    groups: Mapping[str, str]


@dataclass(frozen=True)
class Panel:
    """A piece of SVG with its size: a legend, to stand beside a diagram."""

    width: float
    height: float
    content: str


def render(
    diagram: Diagram,
    *,
    engine: str = "pure",
    legend: Panel | None = None,
) -> Picture:
    """Draw a diagram as a Picture with its data and its DOT text. Arguments as for `drawn`."""
    text = drawn(diagram, engine=engine, legend=legend)
    return Picture(text, diagram.to_dict(), to_dot(diagram), diagram.title)


def drawn(
    diagram: Diagram,
    *,
    engine: str = "pure",
    legend: Panel | None = None,
    links: Links | None = None,
    places: Places | None = None,
) -> str:
    """A diagram as SVG.

    Args:
        diagram: what to draw.
        engine: see `layout.place`.
        legend: put to the right of a tall drawing, below a wide one.
        links: make boxes and frames clickable, as in a page that unfolds.
        places: where everything goes; if None, it is laid out.
    """
    places = places or place(diagram, engine)
    parts = _parts(diagram, places, links)
    drawing = svg.group(*parts, transform=f"translate({MARGIN} {MARGIN})")
    width, height = places.width, places.height
    parts = [drawing]
    if legend is not None:
        beside = height > width
        x, y = (width + _GAP, 0.0) if beside else (0.0, height + _GAP)
        where = f"translate({svg.number(MARGIN + x)} {svg.number(MARGIN + y)})"
        parts.append(svg.group(legend.content, class_="legend", transform=where))
        width, height = max(width, x + legend.width), max(height, y + legend.height)
    return svg.document(
        width + 2 * MARGIN, height + 2 * MARGIN, *parts, title=diagram.title, adapts=True
    )


def kinds_legend(diagram: Diagram) -> Panel:
    """A colour key of the kinds that a diagram shows."""
    present = {box.kind for box in diagram.boxes}
    parts = []
    y = width = 0.0
    for name, kind in KINDS.items():
        if name in present:
            parts.append(svg.rect(0, y, 16, 12, rx=3.0, fill=kind.fill, stroke=kind.edge))
            parts.append(svg.text(23, y + 10.5, kind.label, size=LINE_SIZE))
            width = max(width, 23 + svg.text_width(kind.label, LINE_SIZE))
            y += 18
    return Panel(width, y, "".join(parts))


def _parts(diagram: Diagram, places: Places, links: Links | None) -> list[str]:
    links = links or Links("", {}, {})
    depth = {"": 0}
    frames = []
    for i, group in enumerate(diagram.groups):  # outer ones come first
        depth[group.name] = depth[group.parent] + 1
        frame = _frame(group, places.groups[group.name], depth[group.name])
        if group.name in links.groups:
            x, y, width, _ = places.groups[group.name]
            button = _button(x + width - 15, y + 13, opens=False)
            frame = _linked(frame + button, links.groups[group.name], f"{links.prefix}g{i}")
        frames.append(frame)
    piles = [_pile(box, places.boxes[box.id]) for box in diagram.boxes if box.stacked]
    arrows = [
        _arrow(i, arrow, route, links.prefix)
        for i, (arrow, route) in enumerate(zip(diagram.arrows, places.routes, strict=True))
    ]
    boxes = []
    for i, box in enumerate(diagram.boxes):
        at = places.boxes[box.id]
        drawn = _box(box, at, links.prefix)
        if box.id in links.boxes:
            width, height = box.size
            button = _button(at[0] + width / 2, at[1] - height / 2, opens=True)
            drawn = _linked(drawn + button, links.boxes[box.id], f"{links.prefix}b{i}")
        boxes.append(drawn)
    labels = [
        _label(arrow, route, sideways=diagram.direction == "LR")
        for arrow, route in zip(diagram.arrows, places.routes, strict=True)
        if arrow.label
    ]
    return frames + piles + arrows + boxes + labels


def _linked(content: str, address: str, name: str) -> str:
    return svg.element("a", content, href=address, id=name)


def _button(x: float, y: float, opens: bool) -> str:
    """A disc with + or −, the sign of what opens or closes."""
    arm = 4.0
    stroke: dict[str, Any] = {"stroke": "#ffffff", "stroke_width": 1.8}
    signs = [svg.line(x - arm, y, x + arm, y, **stroke)]
    if opens:
        signs.append(svg.line(x, y - arm, x, y + arm, **stroke))
    disc = svg.element("circle", cx=x, cy=y, r=7.5, fill="#42647f")
    return svg.group(disc, *signs, class_="button", tooltip="open" if opens else "close")


def _frame(group: Group, at: tuple[float, float, float, float], depth: int) -> str:
    x, y, width, height = at
    fill = _FRAMES[depth % 2]
    return svg.group(
        svg.rect(x, y, width, height, rx=8.0, fill=fill, stroke="#9ca3af", stroke_width=0.8),
        svg.text(x + 9, y + 16, svg.shorten(group.label), size=GROUP_SIZE, fill=svg.FAINT),
        class_="scope",
        data_scope=group.scope,
        tooltip=group.scope,
    )


def _pile(box: Box, centre: Point) -> str:
    """Two more boxes behind one that stands for several; arrows are drawn over them."""
    kind = KINDS[box.kind]
    width, height = box.size
    x, y = centre[0] - width / 2, centre[1] - height / 2
    cards = [
        svg.rect(x + d, y + d, width, height, rx=4.0, fill=kind.fill, stroke=kind.edge)
        for d in (6.0, 3.0)
    ]
    return svg.group(*cards, class_="pile")


def _box(box: Box, centre: Point, prefix: str) -> str:
    kind = KINDS[box.kind]
    width, height = box.size
    x, y = centre[0] - width / 2, centre[1] - height / 2
    radius = min(height / 2, 18.0) if box.rounded else 4.0
    shape = svg.rect(x, y, width, height, rx=radius, fill=kind.fill, stroke=kind.edge)
    inside = _row(box, x, y, kind.ink) if box.row else _column(box, centre[0], y, kind.ink)
    return svg.group(
        shape,
        *inside,
        id=f"{prefix}node-{box.id}",
        class_=f"node {box.kind}",
        data_id=box.id,
        tooltip=box.tooltip,
    )


def _column(box: Box, middle: float, y: float, ink: str) -> list[str]:
    baseline = y + PAD_Y + TITLE_SIZE
    title, tag = svg.shorten(box.title), svg.shorten(box.tag)
    if tag:  # one line in two weights, centred as a whole in any font
        spans = svg.element("tspan", svg.escape(title), font_weight="bold") + svg.element(
            "tspan", svg.escape(f"\u2002{tag}"), font_size=LINE_SIZE
        )
        head = svg.element(
            "text",
            spans,
            x=middle,
            y=baseline,
            text_anchor="middle",
            font_size=TITLE_SIZE,
            fill=ink,
        )
    else:
        head = svg.text(
            middle, baseline, title, size=TITLE_SIZE, bold=True, anchor="middle", fill=ink
        )
    lines = [
        svg.text(
            middle,
            y + PAD_Y + TITLE_HEIGHT + LINE_HEIGHT * i + LINE_SIZE,
            svg.shorten(text),
            size=LINE_SIZE,
            anchor="middle",
            fill=ink,
        )
        for i, text in enumerate(box.lines)
    ]
    return [head, *lines]


def _row(box: Box, x: float, y: float, ink: str) -> list[str]:
    parts = []
    baseline = y + PAD_Y + TITLE_SIZE
    texts = ([box.title] if box.title else []) + list(box.lines)
    for i, (text, width) in enumerate(zip(texts, box.cells, strict=True)):
        if i:
            height = box.size[1]
            parts.append(svg.line(x, y, x, y + height, stroke=KINDS[box.kind].edge))
        bold = bool(box.title) and i == 0
        parts.append(
            svg.text(
                x + width / 2,
                baseline,
                svg.shorten(text),
                size=TITLE_SIZE if bold else LINE_SIZE,
                bold=bold,
                anchor="middle",
                fill=ink,
            )
        )
        x += width
    return parts


def _arrow(index: int, arrow: Arrow, route: Route, prefix: str) -> str:
    first, *rest = route.points
    curve = f"M{_at(first)}C{' '.join(map(_at, rest))}"
    base = route.points[0] if arrow.backward != arrow.upward else route.points[-1]
    return svg.group(
        svg.path(
            curve, stroke=arrow.color, stroke_width=arrow.width, stroke_dasharray=arrow.dash or None
        ),
        _head(base, route.tip, arrow),
        id=f"{prefix}edge-{index}",
        class_=f"edge {arrow.mark}".strip(),
        data_source=arrow.source,
        data_target=arrow.target,
        tooltip=arrow.tooltip,
    )


def _head(base: Point, tip: Point, arrow: Arrow) -> str:
    dx, dy = tip[0] - base[0], tip[1] - base[1]
    length = math.sqrt(dx * dx + dy * dy) or 1.0
    half = 3.0 + 0.5 * arrow.width
    across = (-dy / length * half, dx / length * half)
    corners = [
        tip,
        (base[0] + across[0], base[1] + across[1]),
        (base[0] - across[0], base[1] - across[1]),
    ]
    return svg.polygon(corners, fill=arrow.color)


def _label(arrow: Arrow, route: Route, sideways: bool) -> str:
    """Graphviz leaves no room for a thick arrow, so the label moves off by half its width."""
    assert route.label is not None
    x, y = route.label
    aside = arrow.width / 2
    return svg.text(
        x if sideways else x + aside,
        y + 4 - (aside if sideways else 0),
        arrow.label,
        size=LINE_SIZE,
        anchor="middle",
        stroke="#ffffff",
        stroke_width=3.0,
        paint_order="stroke",
        class_="label",
    )


def _at(point: Point) -> str:
    return f"{svg.number(point[0])},{svg.number(point[1])}"
