"""Where boxes and arrows go: a `Diagram` as DOT text, and Graphviz's answer.

Only this file knows Graphviz. The engine is the ``graphviz-pure`` executable that pip installs,
which gives the same answer on every platform. A ``dot`` of the system can be used instead.
"""

from __future__ import annotations

import functools
import importlib.metadata
import json
import math
import shutil
import subprocess
import warnings
from dataclasses import dataclass
from typing import Any

import graphviz

from tinygrad_cnn.errors import GraphError, OptionError

from ..picture import svg
from ..picture.style import KINDS
from .diagram import GROUP_SIZE, LINE_SIZE, Box, Diagram

Point = tuple[float, float]
ENGINES = ("pure", "system")
TIMEOUT = 60  # seconds
_QUICK = {"splines": "line", "nslimit": "1", "nslimit1": "1", "mclimit": "0.2"}


@dataclass(frozen=True)
class Route:
    """An arrow's way: a Bézier spline between its boxes, its tip, and its label's centre."""

    points: tuple[Point, ...]
    tip: Point
    label: Point | None


@dataclass(frozen=True)
class Places:
    """Where everything goes, in pixels from the upper left corner.

    Attributes:
        width, height: of the whole.
        boxes: centre of each box, by id.
        groups: x, y, width, height of each group, by name.
        routes: one for each arrow, in order.
    """

    width: float
    height: float
    boxes: dict[str, Point]
    groups: dict[str, tuple[float, float, float, float]]
    routes: tuple[Route, ...]


def place(diagram: Diagram, engine: str = "pure") -> Places:
    """Lay a diagram out.

    Args:
        diagram: what to place.
        engine: "pure" (comes with pip), or "system", a ``dot`` on the PATH.

    Raises:
        OptionError: another engine.
        GraphError: no engine is installed, or it fails; the message holds what it said.
    """
    answer = json.loads(_run(to_dot(diagram), engine))
    return _read(answer, diagram)


# --- DOT -----------------------------------------------------------------------------------------


def to_dot(diagram: Diagram) -> str:
    """DOT text that any Graphviz draws: the same boxes, sizes, colours and labels."""
    dot = graphviz.Digraph(
        graph_attr={
            "rankdir": diagram.direction,
            "nodesep": "0.35",
            "ranksep": "0.35",
            "fontname": "Helvetica",
            "fontsize": "12",
            **(_QUICK if _is_tangled(diagram) else {}),
        },
        node_attr={"shape": "box", "style": "filled", "fontname": "Helvetica", "fontsize": "11"},
        edge_attr={"fontname": "Helvetica", "fontsize": "12", "arrowsize": "0.8"},
    )
    _write_group(dot, diagram, "")
    names = {box.id: f"b{i}" for i, box in enumerate(diagram.boxes)}
    for i, arrow in enumerate(diagram.arrows):
        ends = [names[arrow.source], names[arrow.target]]
        dot.edge(
            *(reversed(ends) if arrow.upward else ends),
            label=_sized(arrow.label, LINE_SIZE) if arrow.label else None,
            id=str(i),
            color=arrow.color,
            fontcolor=arrow.color,
            penwidth=f"{arrow.width:.2f}",
            style="dashed" if arrow.dash else None,
            dir="back" if arrow.backward != arrow.upward else None,
            constraint="false" if arrow.loose else None,
        )
    return dot.source


def _is_tangled(diagram: Diagram) -> bool:
    """Whether there are so many long arrows that curves around all boxes would take minutes."""
    rank = {box.id: i for i, box in enumerate(diagram.boxes)}
    way = sum(abs(rank[arrow.source] - rank[arrow.target]) for arrow in diagram.arrows)
    return len(rank) > 300 and way > 50 * len(rank)


def _write_group(dot: graphviz.Digraph, diagram: Diagram, name: str) -> None:
    """Write the boxes directly in a group, then, by recursion, the groups inside it."""
    for i, box in enumerate(diagram.boxes):
        if box.group == name:
            _write_box(dot, f"b{i}", box)
    for i, group in enumerate(diagram.groups):
        if group.parent == name:
            frame = {
                "label": _sized(svg.shorten(group.label), GROUP_SIZE),
                "labeljust": "l",
                "color": "#9ca3af",
            }
            with dot.subgraph(name=f"cluster_{i}", graph_attr={**frame, "margin": "10"}) as inner:
                _write_group(inner, diagram, group.name)


def _write_box(dot: graphviz.Digraph, name: str, box: Box) -> None:
    kind = KINDS[box.kind]
    width, height = box.size
    head = f"{svg.shorten(box.title)}  {svg.shorten(box.tag)}".strip()
    lines = [text for text in [head, *map(svg.shorten, box.lines)] if text]
    dot.node(
        name,
        label=_literal([" | ".join(lines)] if box.row else lines),
        id=box.id,
        width=f"{width / 72:.4f}",
        height=f"{height / 72:.4f}",
        fixedsize="true",
        fillcolor=kind.fill,
        color=kind.edge,
        fontcolor=kind.ink,
        style="rounded,filled" if box.rounded else None,
    )


def _literal(lines: list[str]) -> str:
    """A label that shows exactly these lines: no escapes, no entities, no HTML."""
    shown = [svg.clean(line).replace("&", "&amp;") for line in lines]
    return graphviz.nohtml("\\n".join(graphviz.escape(line) for line in shown))


def _sized(text: str, size: float) -> str:
    """A one-line label with the width of our font, whatever font Graphviz measures with."""
    width = math.ceil(svg.text_width(text, size)) + 8
    cell = f'<td fixedsize="true" width="{width}" height="{math.ceil(size * 1.3)}">'
    return f'<<table border="0" cellpadding="0"><tr>{cell}{svg.escape(text)}</td></tr></table>>'


# --- running Graphviz ----------------------------------------------------------------------------


def _run(dot: str, engine: str) -> str:
    if engine not in ENGINES:
        raise OptionError(f"engine must be one of {', '.join(ENGINES)}, got {engine!r}")
    try:
        done = subprocess.run(
            [_executable(engine), "-Kdot", "-Tjson0", "-q"],
            input=dot.encode(),
            capture_output=True,
            timeout=TIMEOUT,
        )
    except subprocess.TimeoutExpired:
        raise GraphError(
            f"Graphviz ({engine}) found no layout within {TIMEOUT} seconds: the graph is too "
            "tangled; close modules with depth=1, or draw a part of it"
        ) from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()[:500]
        raise GraphError(f"Graphviz ({engine}) could not lay out the picture: {said}")
    return done.stdout.decode()


def _executable(engine: str) -> str:
    pure, system = pure_executable(), shutil.which("dot")
    if engine == "system" and system is None and pure is not None:
        warnings.warn("no `dot` on the PATH: drawn with graphviz-pure instead", stacklevel=2)
    found = (system or pure) if engine == "system" else (pure or system)
    if found is None:
        raise GraphError("no Graphviz found: pip install graphviz-pure, or put `dot` on the PATH")
    return found


@functools.cache
def pure_executable() -> str | None:
    """Path of the executable that the package ``graphviz-pure`` installed, or None.

    It is found in the package's list of files, so it need not be on the PATH.
    """
    try:
        files = importlib.metadata.files("graphviz-pure") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    for file in files:
        if file.stem == "graphviz-pure" and file.suffix in {"", ".exe"}:
            return str(file.locate().resolve())  # type: ignore[attr-defined]
    return None


# --- reading the answer --------------------------------------------------------------------------


def _read(answer: dict[str, Any], diagram: Diagram) -> Places:
    _, _, width, height = _floats(answer["bb"])

    def point(text: str) -> Point:
        x, y = _floats(text)
        return x, height - y  # Graphviz counts upwards

    boxes: dict[str, Point] = {}
    groups: dict[str, tuple[float, float, float, float]] = {}
    for thing in answer.get("objects", ()):
        if thing["name"].startswith("cluster_"):
            left, low, right, high = _floats(thing["bb"])
            name = diagram.groups[int(thing["name"].removeprefix("cluster_"))].name
            groups[name] = (left, height - high, right - left, high - low)
        else:
            boxes[diagram.boxes[int(thing["name"][1:])].id] = point(thing["pos"])
    routes: dict[int, Route] = {}
    for edge in answer.get("edges", ()):
        label = point(edge["lp"]) if "lp" in edge else None
        tip: Point | None = None
        points = []
        for part in edge["pos"].split():
            if part[:2] in {"e,", "s,"}:
                tip = point(part[2:])
            else:
                points.append(point(part))
        routes[int(edge["id"])] = Route(tuple(points), tip or points[-1], label)
    ordered = tuple(routes[i] for i in range(len(diagram.arrows)))
    return Places(width, height, boxes, groups, ordered)


def _floats(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]
