"""`gradient_flow`: the graph, with the norm of the gradient on every edge."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tinygrad_cnn.graph import Edge, Graph, Node
from tinygrad_cnn.op import OUTPUT
from tinygrad_cnn.trace import Trace

from . import svg
from .bars import gradient_bars
from .diagram import LINE_SIZE, Arrow, Box, Diagram
from .graph import diagram_of
from .norms import MARKS, Scale, need_backward, norm, norm_text, state
from .picture import Picture
from .render import Panel, render
from .words import argument_name

__all__ = ["DROP", "edge_norms", "gradient_bars", "gradient_flow"]

DROP = 10.0  # a gradient that an op shrinks more than this is listed
_DASHES = {"zero": "7 4", "broken": "2 3", "none": "1 4"}


def gradient_flow(
    trace: Trace,
    *,
    direction: str | None = None,
    parameters: bool = False,
    depth: int | None = None,
    numbers: bool = True,
    legend: bool = True,
    engine: str = "pure",
) -> Picture:
    """Draw the gradient on every edge of a traced program: its arrow's width, colour and number.

    Arrows point the way that gradients flow. The norm of each parameter's gradient stands in the
    box of the op that uses it. Where one arrow stands for several edges (between folded modules),
    its norm is that of all their gradients together.

    Args:
        trace: of a program that ran a backward pass inside it.
        direction, parameters, depth, engine: as for `viz.draw`.
        numbers: write each norm beside its arrow.
        legend: explain colours and marks.

    Returns:
        A Picture. Its data has, besides the diagram's boxes, arrows and groups: ``edges``, the norm
        on each edge of the graph (producer, consumer, argument, norm, state), and ``drops``, where
        an op passes on less than a tenth of the norm that arrived at it, largest drop first.

    Raises:
        GraphError: the trace holds no backward pass.

    Example:
        >>> import tinygrad_cnn as tg
        >>> x = tg.Tensor([3.0, 4.0], requires_grad=True)
        >>> with tg.trace() as t:
        ...     (x * 0.01).sum().backward()
        >>> [(drop["op"], round(drop["factor"])) for drop in gradient_flow(t).data["drops"]]
        [('multiply', 100)]
    """
    need_backward(trace, "gradient_flow")
    graph = trace.graph
    sizes = edge_norms(trace, graph)
    drops = _drops(trace, graph)
    plan = diagram_of(
        graph, direction=direction, parameters=parameters, depth=depth, title="gradient flow"
    )
    flows = _arrow_norms(plan, graph, trace)
    scale = Scale.of(flows)
    shrunk = {(drop["consumer"], drop["argument"]): drop["factor"] for drop in drops}
    arrows = [
        _arrow(arrow, size, scale, shrunk, numbers)
        for arrow, size in zip(plan.arrows, flows, strict=True)
    ]
    boxes = [_with_parameter_gradients(box, graph, sizes) for box in plan.boxes]
    diagram = replace(plan, boxes=tuple(boxes), arrows=tuple(arrows))
    picture = render(diagram, engine=engine, legend=_legend(scale) if legend else None)
    data = {**picture.data, "edges": _listed(sizes), "drops": drops}
    return replace(picture, data=data)


def edge_norms(trace: Trace, graph: Graph) -> dict[Edge, float | None]:
    """The norm of the gradient on each edge; None where none flowed."""
    gradients = trace.edge_gradients()
    return {
        edge: norm(gradients.get((graph.nodes[edge.consumer], edge.argument)))
        for edge in graph.edges
    }


def _drops(trace: Trace, graph: Graph) -> list[dict[str, Any]]:
    """Where an op passes on less than a tenth of what arrived, parameters left out."""
    arrived: dict[Node, Any] = {}
    for event in trace.backward_events:
        if not isinstance(event.cotangent, tuple):
            before = arrived.get(event.node)
            arrived[event.node] = event.cotangent if before is None else before + event.cotangent
    inside = set(graph.nodes)
    found = []
    for (consumer, argument), gradient in trace.edge_gradients().items():
        if consumer not in inside:  # computed before the trace began
            continue
        producer = consumer.inputs[argument]
        if producer is None or producer.role not in {"op", "input"} or consumer.op is OUTPUT:
            continue
        whole = arrived.get(consumer)
        before, after = norm(_outputs(trace, consumer) if whole is None else whole), norm(gradient)
        if before and after is not None and math.isfinite(before) and after * DROP < before:
            found.append(
                {
                    "op": consumer.op.name if consumer.op else "",
                    "scope": consumer.scope,
                    "consumer": graph.id(consumer),
                    "argument": argument,
                    "before": before,
                    "after": after,
                    "factor": before / after if after else math.inf,
                }
            )
    return sorted(found, key=lambda drop: (-drop["factor"], drop["consumer"]))


def _outputs(trace: Trace, whole: Node) -> list[Any]:
    """The cotangents that arrived at the several outputs of an op."""
    return [
        part
        for event in trace.backward_events
        if event.node is whole and isinstance(event.cotangent, tuple)
        for part in event.cotangent
    ]


def _arrow_norms(plan: Diagram, graph: Graph, trace: Trace) -> list[float | None]:
    """For each arrow, the norm of the gradients on its edges together.

    An arrow without edges leads from a Scalar's op to its value: what arrived at the value.
    """
    on_edge = trace.edge_gradients()
    value_of = {box.id: graph.nodes[box.nodes[0]] for box in plan.boxes if box.nodes}
    arrived: dict[Node, list[Any]] = defaultdict(list)
    for event in trace.backward_events:
        arrived[event.node].append(event.cotangent)
    return [
        norm([on_edge.get((graph.nodes[e.consumer], e.argument)) for e in arrow.edges])
        if arrow.edges
        else norm(sum(arrived[value_of[arrow.target]]) if arrived[value_of[arrow.target]] else None)
        for arrow in plan.arrows
    ]


def _arrow(
    arrow: Arrow,
    size: float | None,
    scale: Scale,
    shrunk: Mapping[tuple[int, int], float],
    numbers: bool,
) -> Arrow:
    label = norm_text(size) if numbers and arrow.edges else ""
    factors = [shrunk[e.consumer, e.argument] for e in arrow.edges if e[1:] in shrunk]
    if factors and state(size) == "flows" and len(arrow.edges) == 1:
        label = f"{label} ▼ ÷{factors[0]:.0f}".strip()
    if arrow.label and label:
        label = f"{arrow.label}: {label}"
    said = f"gradient {norm_text(size)}" + (f", {arrow.tooltip}" if arrow.tooltip else "")
    return replace(_styled(arrow, size, scale), label=label or arrow.label, tooltip=said)


def _styled(arrow: Arrow, size: float | None, scale: Scale) -> Arrow:
    kind = state(size)
    if kind == "flows":
        assert size is not None
        color, width = scale.color(size), scale.width(size)
        return replace(arrow, color=color, width=round(width, 2), backward=True)
    color = MARKS[kind]
    width = 3.0 if kind == "broken" else 1.6
    backward = kind != "none"
    return replace(arrow, color=color, width=width, dash=_DASHES[kind], backward=backward)


def _with_parameter_gradients(box: Box, graph: Graph, sizes: Mapping[Edge, float | None]) -> Box:
    """Add a line for each parameter folded into an op's box."""
    if box.kind == "module":
        return box
    lines = [
        f"∂{producer.name or argument_name(graph.nodes[edge.consumer], edge.argument)} "
        f"{norm_text(sizes[edge])}"
        for edge in box.folded
        if (producer := graph.nodes[edge.producer]).role == "parameter"
    ]
    return replace(box, lines=box.lines + tuple(lines))


def _listed(sizes: Mapping[Edge, float | None]) -> list[dict[str, Any]]:
    return [{**edge._asdict(), "norm": size, "state": state(size)} for edge, size in sizes.items()]


def _legend(scale: Scale) -> Panel:
    """The colours and widths with their numbers, and a sample of each mark."""
    parts = [svg.text(0, 11, "‖gradient‖ on the edge", size=LINE_SIZE, bold=True)]
    y = 22.0
    for exponent in reversed(scale.decades):
        size = 10.0**exponent
        parts.append(
            svg.line(0, y + 6, 34, y + 6, stroke=scale.color(size), stroke_width=scale.width(size))
        )
        parts.append(svg.text(42, y + 10, f"1e{exponent:+03d}", size=LINE_SIZE))
        y += 17
    y += 6
    marks = {
        "zero": "exactly 0: vanished",
        "broken": "NaN or infinite",
        "none": "no gradient",
    }
    for kind, words in marks.items():
        width = 3.0 if kind == "broken" else 1.6
        style = {"stroke": MARKS[kind], "stroke_width": width, "stroke_dasharray": _DASHES[kind]}
        parts.append(svg.line(0, y + 6, 34, y + 6, **style))
        parts.append(svg.text(42, y + 10, words, size=LINE_SIZE))
        y += 17
    parts.append(svg.text(0, y + 12, f"▼ ÷n: shrinks more than {DROP:.0f}×", size=LINE_SIZE))
    width = 42 + svg.text_width("▼ ÷n: shrinks more than", LINE_SIZE)
    return Panel(width, y + 18, "".join(parts))
