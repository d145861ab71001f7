"""What is stepped through: the events of a program, from whatever `viz.step` was given."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import tinygrad_cnn as tg
from tinygrad_cnn import Event, Failure, Graph, Trace
from tinygrad_cnn.engine.node import Handle, Node, refuse_freed
from tinygrad_cnn.engine.op import Cost
from tinygrad_cnn.errors import DtypeError, GraphError, OptionError
from tinygrad_cnn.nn import Module
from tinygrad_cnn.nn.modes import in_mode

from ..graphs.running import dtype_of


@dataclass(frozen=True)
class Recording:
    """A program that ran.

    Attributes:
        graph: all that was computed, and what it was computed from; if an op raised, that as well.
        events: of all ops, in the order in which they ran.
        failure: the error that ended the program, if one did.
        sources: texts of the program's files, by name; other files are read from disk.
        title: a few words.
        notes: what to know about where the backward pass began, by node.
        names: what values are called that have no names of their own.
    """

    graph: Graph
    events: Sequence[Event]
    failure: Failure | None = None
    sources: Mapping[str, str] = field(default_factory=dict)
    title: str = "a program"
    notes: Mapping[Node, str] = field(default_factory=dict)
    names: Mapping[Node, str] = field(default_factory=dict)


def recording_of(
    what: Any,
    x: Any = None,
    target: Any = None,
    *,
    loss: Callable[[Any, Any], Any] | None = None,
    grad: Any = None,
) -> Recording:
    """The recording of whatever `viz.step` takes; arguments and errors are described there."""
    if isinstance(what, Module):
        return _of_model(what, x, target, loss or tg.cross_entropy, grad)
    if x is not None or target is not None or loss is not None:
        raise OptionError("step: x, target and loss are for models: step(model, x, target)")
    if isinstance(what, str | os.PathLike):
        return _of_trace(tg.load_trace(what), Path(what).name)
    if isinstance(what, Trace):
        return _of_trace(what)
    if isinstance(what, Handle):
        return _of_result(what, grad)
    raise DtypeError(
        "step: a Trace, a Tensor or Scalar with a graph, a model with its input, or the path of a "
        f"saved trace is needed, got {type(what).__name__}"
    )


def _of_trace(trace: Trace, title: str | None = None) -> Recording:
    if not trace.events and trace.failure is None:
        raise GraphError("step: nothing was computed inside this trace")
    nodes, failure = trace.nodes, trace.failure
    if failure is not None and failure.node is not None and failure.node not in nodes:
        new = [p for p in failure.node.inputs if p is not None and p not in nodes]
        nodes = [*nodes, *dict.fromkeys(new), failure.node]
    if title is None:
        files = [Path(e.source[0]).name for e in trace.events if e.source is not None]
        title = files[0] if files else "a program"
    return Recording(_whole(nodes), trace.events, failure, trace.sources, title)


def _whole(nodes: Iterable[Node]) -> Graph:
    nodes = list(nodes)
    used = {parent for node in nodes for parent in node.inputs}
    return Graph(nodes, [node for node in nodes if node not in used])


def _of_result(y: Handle, grad: Any, title: str | None = None) -> Recording:
    refuse_freed(y.node)
    if not y.node.inputs:
        raise GraphError(
            f"step: {y.node.describe()} does not know what it was computed from; compute it from "
            "inputs with requires_grad=True, or inside `with tg.trace()`"
        )
    graph = Graph.of(y)
    forward = [_forward(node) for node in graph.nodes if node.op is not None]
    back, note = _backward(y, graph, grad)
    return Recording(
        graph,
        [*forward, *back],
        title=title or y.node.name or f"a graph of {type(y).__name__}s",
        notes={y.node: note} if note else {},
    )


def _forward(node: Node) -> Event:
    """The event of an op that ran before anybody listened."""
    inputs = tuple(None if p is None else p.value for p in node.inputs)
    return Event("forward", node, node.source, 0.0, Cost(0, 0), inputs, node.value)


def _backward(y: Handle, graph: Graph, grad: Any) -> tuple[list[Event], str]:
    """The events of a backward pass from y that changes no `.grad`, and a note on its beginning."""
    leaves = [n for n in graph.nodes if n.op is None and n.needs_grad]
    if not y.node.needs_grad or not leaves:
        return [], ""
    note = ""
    if grad is None and np.size(y.node.value) != 1:
        grad = np.ones(y.node.shape, y.node.value.dtype)
        note = "It holds several numbers: the gradients are those of their sum."
    with tg.trace() as recorded:
        tg.grad(y, [y.grain.of(n) for n in leaves], grad, allow_unused=True)
    return recorded.backward_events, note


def _of_model(
    model: Module, x: Any, target: Any, loss: Callable[[Any, Any], Any], grad: Any
) -> Recording:
    name = type(model).__name__
    if x is None:
        raise OptionError(f"step: {name} needs an input: step(model, x), or step(model, x, target)")
    if not isinstance(x, tg.Tensor):
        array = np.asarray(x)
        kind = dtype_of(model) if array.dtype.kind == "f" else array.dtype
        is_real = kind.kind == "f"
        x = tg.Tensor(array, dtype=kind, requires_grad=is_real, name="input")
    failure = None
    back: list[Event] = []
    notes: dict[Node, str] = {}
    names: dict[Node, str] = {}
    y: Any = None
    with in_mode(model, training=False):
        try:
            with tg.trace() as recorded:
                y = model(x)
                if target is not None:
                    y = loss(y, target)
        except Exception:
            if recorded.failure is None:
                raise
            failure = recorded.failure
    if failure is not None:
        return _of_trace(recorded, name)
    if isinstance(y, Handle):
        back, note = _backward(y, Graph.of(y), grad)
        notes = {y.node: note} if note else {}
        names = {y.node: "output" if target is None else "loss"}
    nodes = dict.fromkeys((*recorded.nodes, *(e.node for e in back)))
    graph = _whole(sorted(nodes, key=lambda node: node.serial))
    return Recording(graph, [*recorded.events, *back], title=name, notes=notes, names=names)
