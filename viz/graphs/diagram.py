"""`Diagram`: what a picture of a graph shows, as plain data: boxes, arrows and groups.

`draw.py` and `flow.py` decide what goes into one; `layout.py` finds where things go; `render.py`
writes the SVG.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from tinygrad_cnn.recording.graph import Edge

from ..picture.svg import shorten, text_width

TITLE_SIZE = 13.0
LINE_SIZE = 11.0
GROUP_SIZE = 12.0
TITLE_HEIGHT = 17.0
LINE_HEIGHT = 14.5
PAD_X, PAD_Y = 10.0, 6.0


@dataclass(frozen=True)
class Box:
    """A node of the picture.

    Attributes:
        id: unique within the diagram.
        title: the first line, bold.
        tag: follows the title in lighter print; it says where the box belongs.
        lines: what stands below the title, or, with `row`, beside it.
        kind: a key of `style.KINDS`; decides the colour.
        rounded: an oval instead of a box.
        row: title and lines stand side by side.
        stacked: drawn as a pile, since it stands for several alike parts.
        group: name of the innermost group around it; "" for none.
        nodes: ids, within the graph, of the nodes that it stands for.
        folded: the graph's edges that are hidden in it.
        tooltip: shown on hover.
    """

    id: str
    title: str
    tag: str = ""
    lines: tuple[str, ...] = ()
    kind: str = "other"
    rounded: bool = False
    row: bool = False
    stacked: bool = False
    group: str = ""
    nodes: tuple[int, ...] = ()
    folded: tuple[Edge, ...] = ()
    tooltip: str = ""

    @property
    def title_width(self) -> float:
        return text_width(shorten(self.title), TITLE_SIZE, bold=True)

    @property
    def head_width(self) -> float:
        tag = f"  {shorten(self.tag)}" if self.tag else ""
        return self.title_width + text_width(tag, LINE_SIZE)

    @property
    def cells(self) -> list[float]:
        """With `row`: how wide each cell is, the title's first if there is one."""
        title = [self.head_width + 2 * PAD_X] if self.title else []
        return title + [text_width(shorten(text), LINE_SIZE) + 2 * PAD_X for text in self.lines]

    @property
    def size(self) -> tuple[float, float]:
        """Width and height in pixels, with room for the widest font."""
        if self.row:
            return max(math.fsum(self.cells), 30.0), TITLE_HEIGHT + 2 * PAD_Y
        below = [text_width(shorten(text), LINE_SIZE) for text in self.lines]
        width = max([self.head_width, *below]) + 2 * PAD_X
        height = TITLE_HEIGHT + len(self.lines) * LINE_HEIGHT + 2 * PAD_Y
        return max(width, height if self.rounded else 40.0), height


@dataclass(frozen=True)
class Arrow:
    """An edge of the picture.

    Attributes:
        source, target: ids of boxes; the source is computed first.
        edges: the graph's edges that it stands for.
        label: text beside it.
        width: in pixels.
        color: six digits, like "#4b5563".
        dash: an SVG dash pattern, "" for a solid line.
        backward: its head is at the source: a gradient flows that way.
        upward: its target is placed above its source, instead of below.
        loose: it does not affect which box is placed above which.
        mark: a class for style sheets.
        tooltip: shown on hover.
    """

    source: str
    target: str
    edges: tuple[Edge, ...] = ()
    label: str = ""
    width: float = 1.3
    color: str = "#4b5563"
    dash: str = ""
    backward: bool = False
    upward: bool = False
    loose: bool = False
    mark: str = ""
    tooltip: str = ""


@dataclass(frozen=True)
class Group:
    """A frame around boxes and other groups.

    Attributes:
        name: unique within the diagram.
        label: written in its corner.
        parent: name of the frame around it, or "".
        scope: dotted name of the module that it stands for, or is in.
    """

    name: str
    label: str
    parent: str = ""
    scope: str = ""


@dataclass(frozen=True)
class Diagram:
    """A whole picture: see `Box`, `Arrow` and `Group`. `direction` is "TB" or "LR"."""

    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    groups: tuple[Group, ...] = ()
    direction: str = "TB"
    title: str = "computation graph"

    def to_dict(self) -> dict[str, Any]:
        """Nested dicts and lists, as `Picture.data` holds them."""
        return {
            **vars(self),
            "boxes": tuple(dict(vars(box)) for box in self.boxes),
            "arrows": tuple(dict(vars(arrow)) for arrow in self.arrows),
            "groups": tuple(dict(vars(group)) for group in self.groups),
        }
