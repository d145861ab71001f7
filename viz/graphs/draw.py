"""`draw`: the computation graph behind a result, a trace or a model.

What a picture shows is decided here, as a `Diagram`. Every edge of the graph is in the diagram
exactly once: as part of an arrow, or folded into a box.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from tinygrad_cnn.engine.node import Handle, Node
from tinygrad_cnn.errors import DtypeError, GraphError, OptionError
from tinygrad_cnn.nn import Module
from tinygrad_cnn.recording.graph import Graph
from tinygrad_cnn.recording.trace import Trace

from ..picture.picture import Picture
from .diagram import Arrow, Box, Diagram
from .facts import Facts
from .folding import View, openings, tree, view_of
from .folding import boxes as boxes_of
from .program import Program
from .render import kinds_legend, render
from .running import run_on_zeros
from .scalars import scalar_boxes
from .tensors import TensorBoxes
from .unfolding import Opened, page_of

MAX_BOXES = 1500


def draw(
    what: Handle | Graph | Trace | Module,
    *,
    show: str | Iterable[str] = (),
    parameters: bool = False,
    depth: int | None = None,
    fold: bool | None = None,
    gradients: Handle | Sequence[Handle] | Mapping[str, Handle] = (),
    beside: bool = True,
    direction: str | None = None,
    legend: bool = True,
    input_shape: tuple[int, ...] | None = None,
    engine: str = "pure",
) -> Picture:
    """Draw a computation graph: boxes are ops, frames are modules, arrows carry values.

    Parameters, buffers and constants stand inside the box of the op that uses them. A graph of
    Scalars is drawn in micrograd's manner: each value with its data and its gradient, each op a
    small oval.

    A Trace of a program that raised an error shows how far it came; the op that raised is red.

    A graph of more than 32 boxes is folded until it fits on a page: modules that repeat become one
    box, which says "×5" if they share their weights and "5 alike" if they do not; then the
    innermost modules are closed. Saved as .html, a closed box opens at a click.

    Args:
        what: a Tensor, Scalar, Graph or Trace; or a Module, which then runs once on zeros, in
            evaluation mode, and is left as it was. If it refuses floats, it gets whole numbers.
        show: further lines in each box, any of "dtype", "parameters" (how many numbers it learned),
            "multiply_adds", "time", "values", "gradients" and "source".
        parameters: draw parameters and buffers as boxes of their own.
        depth: close each module at this depth of nesting, 1 or more.
        fold: True: close what repeats, even in a small graph. False: close only what `depth` says.
            None: fold a large graph, as said above.
        gradients: what ``tg.grad(y, ..., create_graph=True)`` returned, to be drawn together with
            y. The graph of the backward pass then has a frame of its own. A dict gives names.
        beside: put the backward pass beside the forward one, in opposite direction; else below it.
        direction: "TB" (top to bottom) or "LR" (left to right); TB for Tensors, LR for Scalars
            if None.
        legend: explain the colours.
        input_shape: of the zeros that a Module runs on, the batch size included. If None, one
            example of the module's own ``input_shape``.
        engine: "pure", or "system" for a ``dot`` on the PATH.

    Raises:
        OptionError: an option with another value; a Module without input_shape; time or source
            lines that were not recorded; a graph that would make more than 1500 boxes.
        GraphError: a result that was not recorded.
        DtypeError: `what` is something else.

    Example:
        >>> import tinygrad_cnn as tg
        >>> x = tg.Scalar(3.0, name="x")
        >>> picture = draw(x * x)
        >>> [(arrow["source"], arrow["target"]) for arrow in picture.data["arrows"]]
        [('0', '1op'), ('0', '1op'), ('1op', '1')]
    """
    graph, recorded = recording_of(what, input_shape)
    named = _named(gradients)
    sides = None
    if named:
        graph, sides = _with_backward(what, list(named.values()))
    title = f"{type(what).__name__} graph" if isinstance(what, Module) else "computation graph"
    opened = diagrams_of(
        graph,
        recorded,
        sides,
        names={gradient.node: name for name, gradient in named.items()},
        show=show,
        direction=direction,
        parameters=parameters,
        depth=depth,
        fold=fold,
        beside=beside,
        title=title,
    )
    diagram = opened[0].diagram
    picture = render(diagram, engine=engine, legend=kinds_legend(diagram) if legend else None)
    return replace(picture, page=page_of(opened, engine, kinds_legend if legend else None))


def recording_of(
    what: Any, input_shape: tuple[int, ...] | None = None
) -> tuple[Graph, Trace | None]:
    """The graph behind whatever `draw` takes, and the trace if there is one."""
    if isinstance(what, Module):
        shape = input_shape
        if shape is None and hasattr(what, "input_shape"):
            shape = (1, *what.input_shape)
        if shape is None:
            raise OptionError(
                "draw: a Module needs input_shape, e.g. draw(model, input_shape=(1, 1, 28, 28))"
            )
        y, recorded = run_on_zeros(what, tuple(shape))
        return (Graph.of(y) if isinstance(y, Handle) else recorded.graph), recorded
    if input_shape is not None:
        raise OptionError("draw: input_shape is for Modules only")
    if isinstance(what, Graph):
        return what, None
    if isinstance(what, Trace):
        return graph_of(what), what
    if isinstance(what, Handle | Node):
        graph = Graph.of(what)
        (node,) = graph.outputs
        if node.op is not None and not node.inputs:
            raise GraphError(
                f"draw: {node.describe()} does not know what it was computed from; compute it from "
                "inputs with requires_grad=True, or inside `with tg.trace()`"
            )
        return graph, None
    raise DtypeError(
        "draw: a Tensor, Scalar, Graph, Trace or Module is needed, got " + type(what).__name__
    )


def graph_of(trace: Trace) -> Graph:
    """A trace's graph; if an op raised, with that op and its inputs at the end."""
    graph, failure = trace.graph, trace.failure
    if failure is None or failure.node is None or failure.node in graph:
        return graph
    given = [node for node in failure.node.inputs if node is not None and node not in graph]
    nodes = [*graph.nodes, *dict.fromkeys(given), failure.node]
    used = {parent for node in nodes for parent in node.inputs}
    return Graph(nodes, [node for node in nodes if node not in used])


def _named(gradients: Any) -> dict[str, Any]:
    if isinstance(gradients, Mapping):
        return dict(gradients)
    if isinstance(gradients, Handle):
        return {"gradient": gradients}
    if len(gradients) == 1:
        return {"gradient": gradients[0]}
    return {f"gradient {i}": gradient for i, gradient in enumerate(gradients, 1)}


def _with_backward(what: Any, gradients: Sequence[Any]) -> tuple[Graph, list[str]]:
    """The graph of a result and its gradients, and on which side each of its nodes is."""
    if not isinstance(what, Handle) or not all(isinstance(g, Handle) for g in gradients):
        raise OptionError(
            "draw: gradients are drawn beside the Tensor or Scalar that they are the gradients of: "
            "draw(y, gradients=tg.grad(y, [x], create_graph=True))"
        )
    forward = set(Graph.of(what).nodes)
    graph = Graph.of(what, *gradients)
    if len(graph) == len(forward) or not all(g.node.inputs for g in gradients):
        raise GraphError(
            "draw: the gradients do not know how they were computed; use "
            "tg.grad(..., create_graph=True)"
        )
    return graph, ["forward" if node in forward else "backward" for node in graph.nodes]


def diagrams_of(
    graph: Graph,
    recorded: Trace | None = None,
    sides: Sequence[str] | None = None,
    *,
    names: Mapping[Node, str] | None = None,
    show: str | Iterable[str] = (),
    direction: str | None = None,
    parameters: bool = False,
    depth: int | None = None,
    fold: bool | None = None,
    beside: bool = True,
    title: str = "computation graph",
) -> list[Opened]:
    """What `draw` draws, as plain data: first the picture itself, then one for each box that opens.

    Arguments and errors are those of `draw`. `sides` says for each node of a graph with its
    backward pass whether it is "forward" or "backward"; `names` are names for nodes.
    """
    if depth is not None and (not isinstance(depth, int) or depth < 1):
        raise OptionError(f"draw: depth must be an int ≥ 1 or None, got {depth!r}")
    scalar = is_scalar(graph)
    direction = direction or ("LR" if scalar else "TB")
    if direction not in {"TB", "LR"}:
        raise OptionError(f'draw: direction must be "TB" or "LR", got {direction!r}')
    facts = Facts(show, graph, recorded, names)

    def diagram(boxes: Any, arrows: Any, groups: Any) -> Diagram:
        if sides is not None and beside:
            arrows = _beside(arrows, {box.id: sides[_newest(box)] for box in boxes})
        return Diagram(tuple(boxes), tuple(arrows), tuple(groups), direction, title)

    if scalar:
        _refuse(2 * len(graph), "draw a part of it: tg.zoom, or a result earlier in the program")
        return [Opened(lambda: diagram(*scalar_boxes(graph, facts, sides)))]
    program = Program(graph, parameters, sides)
    root = tree(program)
    view = view_of(root, depth if depth is None or sides is None else depth + 1, fold)
    _refuse(
        sum(1 for _ in boxes_of(root, view)),
        "leave out fold=False, or close modules with depth=1; ops outside of any module can be put "
        "into one with `with tg.scope(name)`",
    )

    known: dict[tuple[str, int, str], Box] = {}

    def decide(view: View) -> Diagram:
        return diagram(*TensorBoxes(program, boxes_of(root, view), facts, known).decide())

    return [
        Opened(
            partial(decide, opening.view),
            tuple(part.id for part in opening.parts),
            opening.parent,
        )
        for opening in openings(root, view)
    ]


def diagram_of(graph: Graph, **options: Any) -> Diagram:
    """What `draw` draws of a graph, as plain data."""
    return diagrams_of(graph, **options)[0].diagram


def is_scalar(graph: Graph) -> bool:
    """Whether a graph is of Scalars, rather than Tensors."""
    return bool(graph.outputs) and all(type(node.value) is float for node in graph.outputs)


def _refuse(count: int, advice: str) -> None:
    if count > MAX_BOXES:
        raise OptionError(
            f"draw: {count} boxes are more than {MAX_BOXES}, which nobody could read: {advice}"
        )


def _newest(box: Box) -> int:
    """The id of the box's newest node. For a Scalar's op, this is the value that it computes."""
    return int(box.id.removesuffix("op")) if box.id.endswith("op") else max(box.nodes)


def _beside(arrows: Iterable[Arrow], side: dict[str, str]) -> list[Arrow]:
    """Arrows that place the backward pass from bottom to top, beside the forward pass."""
    return [
        replace(
            arrow,
            upward=side.get(arrow.source) == "backward",
            loose=side.get(arrow.source) != side.get(arrow.target),
        )
        for arrow in arrows
    ]
