"""A page in which closed boxes open at a click, and frames close: without a script or a network.

The page holds the drawing once for each box that opens. A click is a link to a place in another of
them, and the style sheet shows the one that holds the target; so "back" works, and every state has
an address.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from ..picture.html import page, safe
from .diagram import Diagram
from .render import Links, Panel, drawn

_STYLE = """
.state { display: none; }
.state:has(:target), body:not(:has(.state :target)) .state:first-of-type { display: block; }
.state svg a { cursor: pointer; scroll-margin: 20vh; }
.state svg .scope > rect { pointer-events: none; }
.state svg a:target { outline: none; }
.state svg a:hover .button, .state svg a:focus .button { filter: brightness(1.5); }
.state svg a:target > .node > rect, .state svg a:target > .scope > rect { stroke: #d55e00;
  stroke-width: 2; }
nav { color: #6b7280; margin-bottom: .5rem; }
"""


@dataclass(frozen=True)
class Opened:
    """A drawing in which one part is open that another drawing shows closed.

    Attributes:
        decide: makes the drawing, when it is needed.
        parts: ids of the part that was opened, and of what opened with it; empty in the first one.
        parent: index of the drawing in which it is closed.
    """

    decide: Callable[[], Diagram]
    parts: tuple[str, ...] = ()
    parent: int = 0

    @cached_property
    def diagram(self) -> Diagram:
        """The drawing."""
        return self.decide()


def page_of(
    drawings: Sequence[Opened], engine: str, legend: Callable[[Diagram], Panel] | None
) -> Callable[[], str] | None:
    """A function that writes the page, when it is needed; None if there is nothing to open."""
    return (lambda: unfolding_page(drawings, engine, legend)) if len(drawings) > 1 else None


def unfolding_page(
    drawings: Sequence[Opened],
    engine: str = "pure",
    legend: Callable[[Diagram], Panel] | None = None,
) -> str:
    """The page as HTML."""
    sections = []
    closed = False
    for index, drawing in enumerate(drawings):
        links = Links(f"s{index}-", *links_of(drawings, index))
        boxes = drawing.diagram.boxes
        closed |= any(box.kind == "module" and box.id not in links.boxes for box in boxes)
        panel = legend(drawing.diagram) if legend else None
        text = drawn(drawing.diagram, engine=engine, legend=panel, links=links)
        sections.append(
            f'<section class="state" id="s{index}">\n<nav>{_way(drawings, index)}</nav>\n'
            f"{text}</section>"
        )
    title = drawings[0].diagram.title
    hint = "A box with + opens at a click; a frame with − closes."
    if closed:
        hint += " What has no + is too much for this page: draw that module alone."
    body = f"<h1>{safe(title)}</h1>\n<p>{hint}</p>\n" + "\n".join(sections)
    return page(title, body, _STYLE)


def links_of(drawings: Sequence[Opened], index: int) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Where each box that opens, and each frame that closes, of one drawing leads."""
    opens = {drawing.parts[0]: k for k, drawing in enumerate(drawings) if drawing.parts}
    closes = {part: k for k, drawing in enumerate(drawings) for part in drawing.parts}
    diagram = drawings[index].diagram
    boxes = {}
    for box in diagram.boxes:
        whole = box.id.rpartition(":")[0]  # a piece of a run leads to the whole run, open
        target = opens.get(box.id) or (closes.get(whole) if box.stacked else None)
        if target is not None:
            boxes[box.id] = f"#s{target}-g{_frame(drawings[target])}"
    groups = {}
    for group in diagram.groups:
        if group.name in closes:
            opened = drawings[closes[group.name]]
            ids = [box.id for box in drawings[opened.parent].diagram.boxes]
            groups[group.name] = f"#s{opened.parent}-b{ids.index(opened.parts[0])}"
    return boxes, groups


def _frame(drawing: Opened) -> int:
    """Index of the frame around what a drawing opened."""
    (found,) = (k for k, g in enumerate(drawing.diagram.groups) if g.name in drawing.parts)
    return found


def _way(drawings: Sequence[Opened], index: int) -> str:
    """Which parts are open, outermost first, each with a link."""
    steps = []
    at = index
    while drawings[at].parts:
        frame = _frame(drawings[at])
        group = drawings[at].diagram.groups[frame]
        if group.label.startswith(group.scope):  # the label names the module, or there is none
            label = safe(group.label)
        else:
            is_module = group.scope.endswith(group.label)
            label = safe(group.scope if is_module else f"{group.scope} ({group.label})")
        steps.append(label if at == index else f'<a href="#s{at}-g{frame}">{label}</a>')
        at = drawings[at].parent
    steps.append('<a href="#">folded</a>' if index else "folded")
    return " › ".join(reversed(steps))
