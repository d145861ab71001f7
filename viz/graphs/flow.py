"""`gradient_flow`: the graph, with the norm of the gradient on every edge."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from tinygrad_cnn import Statistics
from tinygrad_cnn.engine.node import Node
from tinygrad_cnn.engine.op import OUTPUT
from tinygrad_cnn.errors import GraphError
from tinygrad_cnn.paths import GradientPaths
from tinygrad_cnn.recording.graph import Edge, Graph
from tinygrad_cnn.recording.trace import Trace

from ..picture import svg
from ..picture.numbers import percent
from ..picture.picture import Picture
from ..picture.style import MARKS
from .diagram import LINE_SIZE, Arrow, Box, Diagram
from .draw import diagrams_of, graph_of
from .norms import Scale, need_backward, norm, norm_text, state
from .render import Panel, render
from .unfolding import Opened, page_of
from .words import argument_name

DROP = 10.0  # an op that shrinks the gradient by a larger factor is listed
_LISTED = 12  # drops in the legend
_DASHES = {"zero": "7 4", "broken": "2 3", "none": "1 4"}


def gradient_flow(
    trace: Trace,
    *,
    show: str | Iterable[str] = (),
    parameters: bool = False,
    depth: int | None = None,
    fold: bool | None = None,
    direction: str | None = None,
    numbers: bool = True,
    paths: GradientPaths | None = None,
    legend: bool = True,
    engine: str = "pure",
) -> Picture:
    """Draw the gradient on every edge of a traced program: its arrow's width, colour and number.

    Arrows point the way that gradients flow. The norm of each parameter's gradient stands in the
    box of the op that uses it. Where one arrow stands for several edges (between closed modules),
    its norm is that of all their gradients together. The legend lists where the flow drops.

    Args:
        trace: of a program that ran a backward pass inside it.
        show, parameters, depth, fold, direction, engine: as for `viz.draw`.
        numbers: write each norm beside its arrow.
        paths: what `tinygrad_cnn.gradient_paths` found in the same program. Beside each arrow then
            stands, too, what part of the gradient at its `wrt` comes along it: at a residual
            addition, how much along the shortcut and how much through the branch. What comes to a
            box is what goes on from it; a negative part pulls against the rest.
        legend: explain colours and marks, and list the drops.

    Returns:
        A Picture. Its data has, besides the diagram's boxes, arrows and groups: ``edges``, the norm
        on each edge of the graph (producer, consumer, argument, norm, state, and with `paths` its
        share), and ``drops``, where an op passes on less than a tenth of the norm that arrived at
        it, largest drop first.

    Raises:
        GraphError: the trace holds no backward pass, or the paths are of another program.

    Example:
        >>> import tinygrad_cnn as tg
        >>> x = tg.Tensor([3.0, 4.0], requires_grad=True)
        >>> with tg.trace() as t:
        ...     (x * 0.01).sum().backward()
        >>> [(drop["op"], round(drop["factor"])) for drop in gradient_flow(t).data["drops"]]
        [('multiply', 100)]
    """
    need_backward(trace, "gradient_flow")
    flow = _Flow(trace, numbers, paths)
    plans = diagrams_of(
        flow.graph,
        trace,
        show=show,
        direction=direction,
        parameters=parameters,
        depth=depth,
        fold=fold,
        title="gradient flow",
    )
    opened = [replace(plan, decide=partial(flow.styled_of, plan)) for plan in plans]
    panel = _legend(flow.scale, flow.drops, paths) if legend else None
    picture = render(opened[0].diagram, engine=engine, legend=panel)
    data = {**picture.data, "edges": _listed(flow.sizes, flow.shares), "drops": flow.drops}
    page = page_of(opened, engine, (lambda _: panel) if panel else None)
    return replace(picture, data=data, page=page)


class _Flow:
    """The norms on a graph's edges, and how a diagram shows them."""

    def __init__(self, trace: Trace, numbers: bool, paths: GradientPaths | None) -> None:
        self.numbers = numbers
        self.graph = graph_of(trace)
        self.shares = {} if paths is None else edge_shares(paths, self.graph)
        self.sizes = edge_norms(trace, self.graph)
        self.arrived = _arrived(trace)
        self.drops = _drops(self.graph, self.arrived, self.sizes)
        self.shrunk = {(drop["consumer"], drop["argument"]): drop["factor"] for drop in self.drops}
        stored = {
            edge for edge in self.sizes if self.graph.nodes[edge.producer].role == "parameter"
        }
        # What boxes say of gradients, computed once for all drawings.
        self.said: dict[tuple[str, int], tuple[str, ...]] = {}
        self.scale = Scale.of([size for edge, size in self.sizes.items() if edge not in stored])

    def styled_of(self, plan: Opened) -> Diagram:
        return self.styled(plan.diagram)

    def styled(self, plan: Diagram) -> Diagram:
        """A diagram with its arrows reversed. Larger gradients have wider and darker arrows."""
        values = {box.id: self.graph.nodes[box.nodes[0]] for box in plan.boxes if box.nodes}
        arrows = []
        for arrow in plan.arrows:
            if arrow.edges:
                size = norm([self.sizes[edge] for edge in arrow.edges])
            else:  # from a Scalar's op to its value: what arrived there
                size = norm(self.arrived.get(values[arrow.target]))
            arrows.append(self._arrow(arrow, size))
        boxes = [self._box(box) for box in plan.boxes]
        return replace(plan, boxes=tuple(boxes), arrows=tuple(arrows))

    def _arrow(self, arrow: Arrow, size: float | None) -> Arrow:
        label = norm_text(size) if self.numbers and arrow.edges else ""
        factors = [self.shrunk[e.consumer, e.argument] for e in arrow.edges if e[1:] in self.shrunk]
        if factors and state(size) == "flows" and len(arrow.edges) == 1:
            label = f"{label} ▼ ÷{factors[0]:.0f}".strip()
        shares = [self.shares[edge] for edge in arrow.edges if edge in self.shares]
        if shares:
            label = f"{label} · {percent(math.fsum(shares))}".removeprefix(" · ")
        if arrow.label and label:
            label = f"{arrow.label}: {label}"
        said = f"gradient {norm_text(size)}" + (f", {arrow.tooltip}" if arrow.tooltip else "")
        styled = _styled(arrow, size, self.scale)
        return replace(styled, label=label or arrow.label, tooltip=said)

    def _box(self, box: Box) -> Box:
        """A box with additional lines on the gradients inside it."""
        key = (box.id, len(box.nodes))
        if key not in self.said:
            self.said[key] = tuple(self._lines(box))
        return replace(box, lines=box.lines + self.said[key])

    def _lines(self, box: Box) -> list[str]:
        """A line for each parameter's gradient; for a closed box, their range."""
        nodes = self.graph.nodes
        inside = [e for e in box.folded if nodes[e.producer].role == "parameter"]
        if box.kind != "module":
            return [
                f"∂{nodes[e.producer].name or argument_name(nodes[e.consumer], e.argument)} "
                f"{norm_text(self.sizes[e])}"
                for e in inside
            ]
        drops = sum(e[1:] in self.shrunk for e in box.folded)
        more = [f"▼ {drops} drop{'s' * (drops != 1)} inside"] if drops else []
        return _range([self.sizes[e] for e in inside]) + more


def _range(sizes: Sequence[float | None]) -> list[str]:
    """Lines for several parameters' norms: smallest and largest; how many are 0, NaN or none."""
    flowing = [size for size in sizes if size is not None and state(size) == "flows"]
    lines = [f"∂parameters {min(flowing):.1e} … {max(flowing):.1e}"] if flowing else []
    for kind, words in (("zero", "vanished"), ("broken", "NaN or infinite"), ("none", "no grad")):
        count = sum(state(size) == kind for size in sizes)
        lines += [f"{count} of {len(sizes)} {words}"] if count else []
    return lines


def edge_norms(trace: Trace, graph: Graph) -> dict[Edge, float | None]:
    """The norm of the gradient on each edge; None where none flowed."""
    gradients = trace.edge_gradients()
    return {
        edge: norm(gradients.get((graph.nodes[edge.consumer], edge.argument)))
        for edge in graph.edges
    }


def edge_shares(paths: GradientPaths, graph: Graph) -> dict[Edge, float]:
    """What part of the gradient comes along each edge between the ends of the paths.

    Raises:
        GraphError: the paths do not run through the graph.
    """
    # A trace that keeps statistics has nodes of its own, with the serials of those recorded.
    shares = {
        (node.serial, node.op, argument): share
        for (node, argument), share in paths.edge_shares.items()
    }
    found = {}
    for edge in graph.edges:
        node = graph.nodes[edge.consumer]
        key = node.serial, node.op, edge.argument
        if key in shares:
            found[edge] = shares[key]
    if len(found) < len(shares):
        raise GraphError(
            f"gradient_flow: {len(shares) - len(found)} of the {len(shares)} edges that the paths "
            "run along are not in the trace; compute the loss that gradient_paths gets inside of it"
        )
    return found


def _arrived(trace: Trace) -> dict[Node, Any]:
    """The cotangent at each node, summed over backward passes.

    For an op with several outputs it is a list. Statistics cannot be summed; of these, the ones of
    the last pass are taken.
    """
    found: dict[Node, Any] = {}
    for event in trace.backward_events:
        if isinstance(event.cotangent, tuple):
            found.setdefault(event.node, []).extend(event.cotangent)
        else:
            before = found.get(event.node)
            adds = before is not None and not isinstance(before, Statistics)
            found[event.node] = before + event.cotangent if adds else event.cotangent
    return found


def _drops(
    graph: Graph, arrived: Mapping[Node, Any], sizes: Mapping[Edge, float | None]
) -> list[dict[str, Any]]:
    """Where an op passes on less than a tenth of what arrived. Parameters are left out."""
    found = []
    for edge, after in sizes.items():
        producer, consumer = graph.nodes[edge.producer], graph.nodes[edge.consumer]
        if producer.role not in {"op", "input"} or consumer.op is OUTPUT or after is None:
            continue
        before = norm(arrived.get(consumer))
        if before and math.isfinite(before) and after * DROP < before:
            found.append(
                {
                    "op": consumer.op.name if consumer.op else "",
                    "scope": consumer.scope,
                    "consumer": edge.consumer,
                    "argument": edge.argument,
                    "before": before,
                    "after": after,
                    "factor": before / after if after else math.inf,
                }
            )
    return sorted(found, key=lambda drop: (-drop["factor"], drop["consumer"]))


def _styled(arrow: Arrow, size: float | None, scale: Scale) -> Arrow:
    kind = state(size)
    if kind == "flows":
        assert size is not None
        color, width, mark = scale.color(size), round(scale.width(size), 2), scale.mark(size)
        return replace(arrow, color=color, width=width, mark=mark, backward=True)
    color = MARKS[kind]
    width = 3.0 if kind == "broken" else 1.6
    backward = kind != "none"
    return replace(
        arrow, color=color, width=width, dash=_DASHES[kind], mark=kind, backward=backward
    )


def _listed(
    sizes: Mapping[Edge, float | None], shares: Mapping[Edge, float]
) -> list[dict[str, Any]]:
    listed = []
    for edge, size in sizes.items():
        share = {"share": shares[edge]} if edge in shares else {}
        listed.append({**edge._asdict(), "norm": size, "state": state(size), **share})
    return listed


def _legend(scale: Scale, drops: Sequence[Mapping[str, Any]], paths: GradientPaths | None) -> Panel:
    """The colours and widths with their numbers, a sample of each mark, and the largest drops."""
    parts = [svg.text(0, 11, "‖gradient‖ on the edge", size=LINE_SIZE, bold=True)]
    y = 22.0
    for exponent in reversed(scale.decades):
        size = 10.0**exponent
        style: dict[str, Any] = {"stroke": scale.color(size), "stroke_width": scale.width(size)}
        parts.append(svg.group(svg.line(0, y + 6, 34, y + 6, **style), class_=scale.mark(size)))
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
    y += 6
    told = []
    if paths is not None:
        start = svg.shorten(paths.wrt.name or paths.wrt.role, 20)
        told = [f"n %: what part of the gradient at {start}", "comes along the edge: ⟨·, g⟩ / ‖g‖²"]
        for line in told:
            parts.append(svg.text(0, y + 12, line, size=LINE_SIZE))
            y += 16
        y += 6
    words_of = _drops_in_words(drops)
    for i, line in enumerate(words_of):
        parts.append(svg.text(0, y + 12, line, size=LINE_SIZE, bold=i == 0))
        y += 16
    widths = [svg.text_width(line, LINE_SIZE) for line in told]
    widths += [svg.text_width(line, LINE_SIZE, bold=i == 0) for i, line in enumerate(words_of)]
    return Panel(
        max([*widths, 42 + svg.text_width(marks["zero"], LINE_SIZE)]), y + 6, "".join(parts)
    )


def _drops_in_words(drops: Sequence[Mapping[str, Any]]) -> list[str]:
    if not drops:
        return [f"No op shrinks it more than {DROP:.0f}×."]
    lines = [f"▼ ÷n: shrinks it more than {DROP:.0f}×"]
    for drop in drops[:_LISTED]:
        factor = f"÷{drop['factor']:.0f}" if math.isfinite(drop["factor"]) else "to 0"
        where = f" {svg.shorten(drop['scope'], 30)}" if drop["scope"] else ""
        lines.append(f"{factor}  {drop['op']}{where}")
    if len(drops) > _LISTED:
        lines.append(f"… and {len(drops) - _LISTED} more")
    return lines
