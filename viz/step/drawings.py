"""The graph of a program as drawings: folded, and once more for each module that opens.

A drawing is a dict: `svg`; `boxes`, each with the `nodes` that it stands for, `opens` (the drawing
in which it is open, or None), `closed`, `main` (the node whose gradient it says), whether it `has`
a line for that, and `at`, its centre and size; `arrows`, each a list of places in `edges`;
`parent`, the drawing in which what is open here is closed; and its `name`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tinygrad_cnn import Graph, Trace
from tinygrad_cnn.engine.node import Node
from tinygrad_cnn.engine.op import OUTPUT
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.recording.graph import Edge

from ..graphs.diagram import Arrow, Box, Diagram
from ..graphs.draw import diagrams_of
from ..graphs.facts import Facts
from ..graphs.layout import Places, place
from ..graphs.program import Program
from ..graphs.render import MARGIN, Links, drawn
from ..graphs.scalars import frames_of, innermost
from ..graphs.unfolding import Opened, links_of
from ..graphs.words import tooltip
from ..picture.style import kind_of
from .formulas import filled, formula_of
from .labels import names_of
from .numerals import numeral
from .recording import Recording
from .sources import Sources
from .turning import is_scalar

MOST_OPS, MOST_SCALARS = 4000, 3000
PANE = (720.0, 540.0)  # pixels that a drawing has on a usual screen
NO_GRAD = "no grad yet"
_WIDEST_VALUE, _WIDEST_GRAD = "data −1.234e−12", "‖grad‖ 1.234e−12"  # what takes most room
_LONGEST = 18  # characters of a Scalar's formula inside its box


def refuse_large(recording: Recording) -> None:
    """Refuse a program that nobody would step through.

    Raises:
        OptionError: it says what to do instead.
    """
    scalar = is_scalar(recording)
    most, what = (MOST_SCALARS, "Scalars") if scalar else (MOST_OPS, "ops")
    count = len(recording.graph) if scalar else len(recording.events)
    if count > most:
        raise OptionError(
            f"step: {count:,} {what} are more than {most:,}, through which nobody would step: "
            "trace a part of the program (one layer, one training step, fewer iterations), or "
            "draw it with viz.gradient_flow"
        )


def drawings_of(
    recording: Recording, labels: Sequence[str], fold: bool | None = None
) -> tuple[list[dict[str, Any]], int]:
    """The drawings of a program, and which of them is shown at the beginning."""
    graph = recording.graph
    edges = {edge: i for i, edge in enumerate(graph.edges)}
    backward = any(event.kind == "backward" for event in recording.events)
    if is_scalar(recording):
        plan = _scalar_diagram(recording, labels)
        opened = [Opened(lambda: plan)]
    else:
        trace = Trace.of(
            "values", graph.nodes, [], recording.events, recording.sources, recording.failure
        )
        names = names_of(recording, Sources(recording.sources))
        opened = diagrams_of(graph, trace, names=names, fold=fold, direction="TB")
        opened = _with_closed(opened, graph, trace, names)
    program = Program(graph)
    start = len(opened) - 1 if opened[-1].parts == () else 0
    direction = _direction(opened[start].diagram)
    found = []
    for index, drawing in enumerate(opened):
        diagram = replace(drawing.diagram, direction=direction, title="the program's graph")
        if backward and not is_scalar(recording):
            boxes = tuple(_with_gradient(box, program) for box in diagram.boxes)
            diagram = replace(diagram, boxes=boxes)
        found.append(_drawing(diagram, opened, index, edges, program))
    return found, start


def _with_closed(
    opened: list[Opened], graph: Graph, trace: Trace, names: Mapping[Node, str]
) -> list[Opened]:
    """If a drawing shows all modules open: first those in which they are closed, and it last."""
    if len(opened) > 1 or not any("." in node.scope for node in graph.nodes):
        return opened
    closed = diagrams_of(graph, trace, names=names, depth=1, direction="TB")
    return [*closed, opened[0]] if len(closed) > 1 else opened


def _direction(diagram: Diagram) -> str:
    """Downwards or to the right: in which way the drawing can be larger on the screen."""

    def scale(direction: str) -> float:
        places = place(replace(diagram, direction=direction))
        return min(PANE[0] / (places.width + 1), PANE[1] / (places.height + 1), 1.2)

    return max(("TB", "LR"), key=scale)


def _drawing(
    diagram: Diagram,
    opened: Sequence[Opened],
    index: int,
    edges: Mapping[Edge, int],
    program: Program,
) -> dict[str, Any]:
    boxes, frames = links_of(opened, index)
    links = Links("", boxes, frames)
    places = place(diagram)
    return {
        "svg": _before(drawn(diagram, links=links, places=places), program),
        "name": _name(diagram, opened[index]),
        "parent": opened[index].parent if index else None,
        "boxes": [_box(box, places, boxes, program) for box in diagram.boxes],
        "arrows": [[edges[edge] for edge in arrow.edges] for arrow in diagram.arrows],
    }


def _before(svg: str, program: Program) -> str:
    """A drawing as it is before the first step: only what was given has a value."""
    parts = svg.split(f">{_WIDEST_VALUE}<")
    known = re.findall(r'id="node-(\d+)"', svg) if len(parts) > 1 else []
    values = [program.nodes[int(i)] for i in known]
    said = [f">data {'?' if n.op else numeral(n.value)}<" for n in values] + [""]
    whole = "".join(part + word for part, word in zip(parts, said, strict=True)) if known else svg
    return whole.replace(f">{_WIDEST_GRAD}<", f">{NO_GRAD}<")


def _box(box: Box, places: Places, opens: Mapping[str, str], program: Program) -> dict[str, Any]:
    x, y = places.boxes[box.id]
    return {
        "id": box.id,
        "title": box.title,
        "nodes": list(box.nodes),
        "closed": box.kind == "module",
        "main": _main(box, program),
        "opens": _place(opens[box.id]) if box.id in opens else None,
        "has": bool(box.lines) and box.lines[-1] == _WIDEST_GRAD,
        "at": [round(v) for v in (x + MARGIN, y + MARGIN, *box.size)],
    }


def _name(diagram: Diagram, drawing: Opened) -> str:
    """What is open in a drawing that is closed in its parent."""
    found = [group for group in diagram.groups if group.name in drawing.parts]
    return found[0].label if found else "all modules open"


def _place(address: str) -> int:
    """The number of the drawing to which an address such as #s3-g0 leads."""
    return int(address.removeprefix("#s").partition("-")[0])


def _with_gradient(box: Box, program: Program) -> Box:
    """A box of one op or leaf, with a line for the gradient that arrives there."""
    if box.kind == "module" or not program.nodes[_main(box, program)].needs_grad:
        return box
    return replace(box, lines=(*box.lines, _WIDEST_GRAD))


def _main(box: Box, program: Program) -> int:
    """The node whose gradient a box says: what its op computed, or the first of its outputs."""
    own = [i for i in box.nodes if i not in program.stored and program.nodes[i].op is not OUTPUT]
    outputs = program.outputs(own[-1]) if own else []
    return program.graph.id(outputs[0]) if outputs else box.nodes[-1]


def _scalar_diagram(recording: Recording, labels: Sequence[str]) -> Diagram:
    """A box for each Scalar, with how it was computed, its value and its gradient."""
    graph = recording.graph
    used = {edge.producer for edge in graph.edges}
    hidden = {i for i, n in enumerate(graph.nodes) if n.role == "constant" and i in used}
    scopes = {str(i): node.scope for i, node in enumerate(graph.nodes) if node.op is not None}
    groups = frames_of(scopes)
    failed = Facts((), graph)
    failed.failure = recording.failure
    boxes = []
    for i, node in enumerate(graph.nodes):
        if i in hidden:
            continue
        tag = ""
        if node.op is not None:
            words = {
                name: labels[graph.id(parent)]
                for name, parent in zip(node.op.inputs, node.inputs, strict=False)
                if parent is not None
            }
            tag = filled(formula_of(node.op).value, _Options(words | (node.options or {})))
            if len(tag) > _LONGEST:
                tag = node.op.symbol
        boxes.append(
            Box(
                str(i),
                labels[i],
                tag=f"= {tag}" if tag else "",
                lines=(_WIDEST_VALUE, _WIDEST_GRAD),
                kind="failed" if failed.failed([node]) else kind_of(node) if tag else "value",
                nodes=(i,),
                group=innermost(scopes.get(str(i), ""), groups),
                tooltip=tooltip(node),
            )
        )
    arrows = [
        Arrow(str(edge.producer), str(edge.consumer), (edge,))
        for edge in graph.edges
        if edge.producer not in hidden
    ]
    return Diagram(tuple(boxes), tuple(arrows), tuple(groups.values()), "LR")


class _Options(dict[str, Any]):
    def __missing__(self, name: str) -> str:
        return name
