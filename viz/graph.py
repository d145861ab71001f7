"""`draw`: the computation graph behind a result, a trace or a model.

What a picture shows is decided here, as a `Diagram`. Every edge of the graph is in the diagram
exactly once: as part of an arrow, or folded into a box.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from tinygrad_cnn.errors import DtypeError, GraphError, OptionError
from tinygrad_cnn.graph import Graph, Handle, Node
from tinygrad_cnn.nn import Module
from tinygrad_cnn.tensor import Tensor
from tinygrad_cnn.trace import Trace, trace

from .diagram import Box, Diagram, Group
from .picture import Picture
from .render import kinds_legend, render
from .scalars import scalar_boxes
from .tensors import TensorBoxes

MAX_BOXES = 3000


def draw(
    what: Handle | Graph | Trace | Module,
    *,
    direction: str | None = None,
    parameters: bool = False,
    depth: int | None = None,
    legend: bool = True,
    input_shape: tuple[int, ...] | None = None,
    engine: str = "pure",
) -> Picture:
    """Draw a computation graph: boxes are ops, frames are modules, arrows carry values.

    Parameters, buffers and constants stand inside the box of the op that uses them. A graph of
    Scalars is drawn in micrograd's manner: each value with its data and its gradient, each op a
    small oval.

    Args:
        what: a Tensor, Scalar, Graph or Trace, or a Module (which then runs once on zeros, in
            evaluation mode; nothing in it changes).
        direction: "TB" (top to bottom) or "LR" (left to right); TB for Tensors, LR for Scalars
            if None.
        parameters: draw parameters and buffers as boxes of their own.
        depth: fold each module at this depth of nesting, 1 or more, into a single box.
        legend: explain the colours.
        input_shape: of the zeros that a Module runs on, the batch size included.
        engine: "pure", or "system" for a ``dot`` on the PATH.

    Raises:
        OptionError: an option with another value; a Module without input_shape; a graph that
            would make more than 3000 boxes (depth folds it).
        GraphError: a result that was not recorded.
        DtypeError: `what` is something else.

    Example:
        >>> import tinygrad_cnn as tg
        >>> x = tg.Scalar(3.0, name="x")
        >>> picture = draw(x * x)
        >>> [(arrow["source"], arrow["target"]) for arrow in picture.data["arrows"]]
        [('0', '1op'), ('0', '1op'), ('1op', '1')]
    """
    graph = graph_of(what, input_shape)
    title = f"{type(what).__name__} graph" if isinstance(what, Module) else "computation graph"
    diagram = diagram_of(
        graph, direction=direction, parameters=parameters, depth=depth, title=title
    )
    return render(diagram, engine=engine, legend=kinds_legend(diagram) if legend else None)


def graph_of(what: Any, input_shape: tuple[int, ...] | None = None) -> Graph:
    """The graph behind whatever `draw` takes: see there."""
    if isinstance(what, Module):
        if input_shape is None:
            raise OptionError(
                "draw: a Module needs input_shape, e.g. draw(model, input_shape=(1, 1, 28, 28))"
            )
        return _graph_of_module(what, tuple(input_shape))
    if input_shape is not None:
        raise OptionError("draw: input_shape is for Modules only")
    if isinstance(what, Graph):
        return what
    if isinstance(what, Trace):
        return what.graph
    if isinstance(what, Handle | Node):
        graph = Graph.of(what)
        (node,) = graph.outputs
        if node.op is not None and not node.inputs:
            raise GraphError(
                f"draw: {node.describe()} does not know what it was computed from; compute it from "
                "inputs with requires_grad=True, or inside `with tg.trace()`"
            )
        return graph
    raise DtypeError(
        "draw: a Tensor, Scalar, Graph, Trace or Module is needed, got " + type(what).__name__
    )


def _graph_of_module(model: Module, input_shape: tuple[int, ...]) -> Graph:
    """Run a model in evaluation mode, so that neither statistics nor generator move."""
    training = {module: module.training for _, module in model.named_modules()}
    model.eval()
    try:
        with trace() as recorded:
            y = model(Tensor(np.zeros(input_shape, _dtype_of(model)), name="input"))
    finally:
        for module, mode in training.items():
            module.training = mode
    return Graph.of(y) if isinstance(y, Handle) else recorded.graph


def _dtype_of(model: Module) -> Any:
    return next((p.dtype for p in model.parameters()), np.float32)


def diagram_of(
    graph: Graph,
    *,
    direction: str | None = None,
    parameters: bool = False,
    depth: int | None = None,
    title: str = "computation graph",
) -> Diagram:
    """What `draw` draws, as plain data; arguments and errors as there."""
    if depth is not None and (not isinstance(depth, int) or depth < 1):
        raise OptionError(f"draw: depth must be an int ≥ 1 or None, got {depth!r}")
    scalar = is_scalar(graph)
    direction = direction or ("LR" if scalar else "TB")
    if direction not in {"TB", "LR"}:
        raise OptionError(f'draw: direction must be "TB" or "LR", got {direction!r}')
    if scalar:
        boxes, arrows, scopes = scalar_boxes(graph)
    else:
        boxes, arrows, scopes = TensorBoxes(graph, parameters, depth).decide()
    if len(boxes) > MAX_BOXES:
        advice = "zoom into a smaller part" if scalar else "fold modules, e.g. depth=1"
        raise OptionError(f"draw: {len(boxes)} boxes are more than {MAX_BOXES}: {advice}")
    boxes, groups = _framed(boxes, scopes)
    return Diagram(tuple(boxes), tuple(arrows), tuple(groups), direction, title)


def is_scalar(graph: Graph) -> bool:
    """Whether a graph is of Scalars, rather than Tensors."""
    return bool(graph.outputs) and all(type(node.value) is float for node in graph.outputs)


# --- frames --------------------------------------------------------------------------------------


def _framed(boxes: Iterable[Box], scopes: Mapping[str, str]) -> tuple[list[Box], list[Group]]:
    """Put boxes into frames, one for each module that holds at least two.

    A module with a single box needs no frame: its name goes beside the box's title.
    """
    boxes = list(boxes)
    members: dict[str, set[str]] = defaultdict(set)
    for box in boxes:
        parts = scopes.get(box.id, "").split(".")
        if box.kind == "module":
            parts = parts[:-1]
        for n in range(1, len(parts) + 1):
            members[".".join(parts[:n])].add(box.id)
    members.pop("", None)
    kept: dict[str, Group] = {}
    for name in sorted(members, key=lambda name: (name.count("."), name)):
        inside = [
            other
            for other in members
            if other.startswith(name + ".") and members[other] == members[name]
        ]
        if len(members[name]) >= 2 and not inside:
            around = _innermost(name.rpartition(".")[0], kept)
            kept[name] = Group(name, _below(name, around), around)
    placed = []
    for box in boxes:
        scope = scopes.get(box.id, "")
        group = _innermost(scope, kept)
        tag, title = box.tag, box.title
        if box.kind == "module":
            title = _below(scope, group)
        elif not box.row and not box.rounded:
            tag = _below(scope, group)
        placed.append(replace(box, group=group, tag=tag, title=title))
    return placed, list(kept.values())


def _innermost(scope: str, kept: Mapping[str, Group]) -> str:
    """The nearest scope around, or equal to, this one that has a frame; "" if none has."""
    while scope and scope not in kept:
        scope = scope.rpartition(".")[0]
    return scope


def _below(scope: str, around: str) -> str:
    """A scope's name relative to one around it: "a.b.c" below "a" is "b.c"."""
    return scope[len(around) :].lstrip(".") if around else scope
