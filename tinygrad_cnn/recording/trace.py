"""`trace()`: watch a program run, forward and backward, op by op.

Everything computed inside is recorded, with the module that ran it, the line of the user's
program, the time it took and what it costs; and, of a backward pass inside, the gradient that
flowed along every edge. Data only: `viz` draws it, and `tracefile` saves it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..engine.context import Block, StepBack, Watcher, current_mode
from ..engine.node import Constant, Handle, Node, refuse_freed
from ..engine.op import OUTPUT, Cost, Op
from ..engine.source import user_line, user_line_of
from ..errors import OptionError
from .description import Statistics, summarised
from .event import Event, Failure
from .graph import Graph
from .table import Table
from .tracefile import read_trace, write_trace


class Trace(Watcher):
    """What `trace()` recorded: see there.

    Attributes:
        events: of all ops, in the order in which they ran.
        keep: "values" or "statistics".
        sources: of a loaded trace, the text of the program's files, by name.
        failure: the exception that left the block and ended the recording; None if all went well.
    """

    def __init__(self, keep: str = "values") -> None:
        if keep not in {"values", "statistics"}:
            raise OptionError(f'trace: keep must be "values" or "statistics", got {keep!r}')
        self.keep = keep
        self.records = keep == "values"
        self.events: list[Event] = []
        self.sources: dict[str, str] = {}
        self.failure: Failure | None = None
        # The last error that an op raised: its node, and, of a vjp, what had arrived there.
        self._raised: tuple[Exception, Node, Any] | None = None
        self._nodes: dict[int, Node] = {}  # all nodes that events name, by serial
        self._computed: set[int] = set()  # serials of what ops computed inside, and of their inputs
        self._arrived: dict[int, Any] = {}  # gradients, by the serial of their node
        # Sums of gradients at nodes that backward has not reached yet, with their statistics.
        self._summed: dict[int, tuple[Any, Any]] = {}

    # --- watching ------------------------------------------------------------------------------

    def on_forward(self, node: Node, seconds: float) -> None:
        """Called by every op that runs inside."""
        assert node.op is not None
        node.source = node.source or user_line()
        inputs = tuple(None if p is None else self._value(p) for p in node.inputs)
        kept = self._with_inputs(node)
        self._computed.update(p.serial for p in (node, *node.inputs) if p is not None)
        cost = Cost(0, 0) if node.op is OUTPUT else node.op.cost(node)
        self.events.append(
            Event("forward", kept, node.source, seconds, cost, inputs, self._value(node))
        )

    def on_backward(self, step: StepBack) -> None:
        """Called for every op that a backward pass goes through."""
        node = step.node
        kept = self._with_inputs(node)
        at_node, sent, summed = self._gradients(step)
        event = Event(
            "backward",
            kept,
            node.source,
            step.seconds,
            _backward_cost(node, step.cotangent, step.gradients),
            tuple(None if p is None else self._value(p) for p in node.inputs),
            self._value(node),
            at_node,
            sent,
            summed,
        )
        self.events.append(event)
        self.add_up(event, node.inputs)
        if not self.records:  # else nodes keep their gradients themselves
            kept.grad = None if type(event.cotangent) is tuple else event.cotangent
            for parent, total in zip(node.inputs, event.sums, strict=True):
                if parent is not None and total is not None and not parent.inputs:
                    self._kept(parent).grad = total

    def on_error(self, error: Exception, op: Op, inputs: Sequence[Any]) -> None:
        """Called by every op that raises inside."""
        if op.variadic and len(inputs) == 1 and isinstance(inputs[0], list | tuple):
            inputs = inputs[0]
        given = tuple(map(_as_node, inputs))
        node = Node(np.empty(0), op, given, None, False, current_mode().scope)
        node.source = user_line()
        self._raised = error, node, None

    def on_backward_error(self, error: Exception, node: Node, cotangent: Any) -> None:
        """Called for every op whose vjp raises inside."""
        self._raised = error, node, _plain(cotangent)

    def on_exit(self, error: Exception) -> None:
        """Called when an exception leaves the block."""
        said = type(error).__name__, str(error)
        causes: list[BaseException] = [error]
        while (cause := causes[-1].__cause__) is not None and cause not in causes:
            causes.append(cause)
        if self._raised is None or self._raised[0] not in causes:
            self.failure = Failure("program", *said, user_line_of(error))
            return
        _, node, cotangent = self._raised
        self._raised = None
        if cotangent is None:
            node.inputs = tuple(None if p is None else self._kept(p) for p in node.inputs)
            self.failure = Failure("forward", *said, node.source, node)
        else:
            arrived = cotangent if self.records else summarised(cotangent)
            self.failure = Failure("backward", *said, node.source, self._with_inputs(node), arrived)

    def add_up(self, event: Event, inputs: Iterable[Node | None]) -> None:
        """Add a backward event's gradients to those that have arrived at its node and at leaves."""
        if type(event.cotangent) is not tuple:
            self._add(event.node, event.cotangent)
        edges = event.gradients if self.records else event.sums
        for parent, gradient in zip(inputs, edges, strict=True):
            if parent is not None and gradient is not None and not parent.inputs:
                self._add(parent, gradient)

    def _add(self, node: Node, gradient: Any) -> None:
        before = self._arrived.get(node.serial)
        known = before is not None and not isinstance(gradient, Statistics)
        self._arrived[node.serial] = before + gradient if known else gradient

    @classmethod
    def of(
        cls,
        keep: str,
        nodes: Iterable[Node],
        computed: Iterable[Node],
        events: Iterable[Event],
        sources: Mapping[str, str],
        failure: Failure | None = None,
    ) -> Trace:
        """A trace from its parts: all nodes, those computed inside, events, sources, failure."""
        made = cls(keep)
        made._nodes = {node.serial: node for node in nodes}
        made._computed = {node.serial for node in computed}
        made.sources = dict(sources)
        made.failure = failure
        for event in events:
            made.events.append(event)
            if event.kind == "backward":
                made.add_up(event, event.node.inputs)
        return made

    @property
    def nodes(self) -> list[Node]:
        """All nodes that events name: those of `graph`, and those that backward met beyond it."""
        nodes = [self._nodes[serial] for serial in sorted(self._nodes)]
        for node in nodes:
            refuse_freed(node)
        return nodes

    def _kept(self, node: Node) -> Node:
        """The node itself, or, where only statistics are kept, a copy of it without the array."""
        kept = self._nodes.get(node.serial)
        if kept is None:
            kept = node if self.records else _likeness(node)
            self._nodes[node.serial] = kept
        return kept

    def _with_inputs(self, node: Node) -> Node:
        """An op's result as `_kept` gives it, with its inputs."""
        kept = self._kept(node)
        inputs = tuple(None if p is None else self._kept(p) for p in node.inputs)
        if kept is not node:
            kept.inputs = inputs
        return kept

    def _value(self, node: Node) -> Any:
        """A node's value as it is now, or its statistics."""
        if self.records:
            return node.value
        kept = self._kept(node)
        if kept.modified != node.modified:
            kept.value, kept.modified = summarised(node.value), node.modified
        return kept.value

    def _gradients(self, step: StepBack) -> tuple[Any, tuple[Any, ...], tuple[Any, ...]]:
        """Cotangent, gradients and sums as they are kept; the same array is summarised once."""
        node = step.node
        shown = (_plain(step.cotangent), _plain(step.gradients), _plain(step.sums))
        if self.records:
            return shown
        array, known = self._summed.pop(node.serial, (None, None))
        seen = {id(array): known} if array is shown[0] and array is not None else {}

        def of(value: Any) -> Any:
            if id(value) not in seen:
                seen[id(value)] = summarised(value)
            return seen[id(value)]

        at_node, sent, summed = of(shown[0]), tuple(map(of, shown[1])), tuple(map(of, shown[2]))
        for parent, total, summary in zip(node.inputs, shown[2], summed, strict=True):
            if parent is not None and parent.inputs and isinstance(total, np.ndarray):
                self._summed[parent.serial] = total, summary
        return at_node, sent, summed

    # --- asking --------------------------------------------------------------------------------

    @property
    def graph(self) -> Graph:
        """Everything computed inside, and what it was computed from.

        Raises:
            GraphError: a backward pass inside has freed it.
        """
        nodes = [node for node in self.nodes if node.serial in self._computed]
        used = {parent for node in nodes for parent in node.inputs}
        return Graph(nodes, [node for node in nodes if node not in used])

    @property
    def forward_events(self) -> list[Event]:
        return [event for event in self.events if event.kind == "forward"]

    @property
    def backward_events(self) -> list[Event]:
        return [event for event in self.events if event.kind == "backward"]

    def edge_gradients(self) -> dict[tuple[Node, int], Any]:
        """The gradient that flowed along each edge, keyed by (consumer, argument index).

        Several backward passes inside are added up; of statistics, those of the last one are kept.
        """
        found: dict[tuple[Node, int], Any] = {}
        for event in self.backward_events:
            for argument, gradient in enumerate(event.gradients):
                if gradient is not None:
                    key = (event.node, argument)
                    if key in found and not isinstance(gradient, Statistics):
                        gradient = found[key] + gradient
                    found[key] = gradient
        return found

    def gradient(self, x: Node | Handle) -> Any:
        """The gradient that reached a node in this trace; None if none did.

        It is the sum over the node's edges; at a leaf, before its hooks. Several backward passes
        inside are added up; of statistics, those of the last one are kept.
        """
        node = x.node if isinstance(x, Handle) else x
        return self._arrived.get(node.serial)

    def summary(self) -> Table:
        """A table of the ops that ran: module, op, output shape, multiply-adds, time, gradient.

        It is text; when it is printed to a terminal, rich draws it.
        """
        rows = [
            (
                event.scope,
                event.op,
                str(event.node.shape),
                f"{event.multiply_adds:,}",
                f"{1e3 * event.seconds:.2f}",
                _norm(self.gradient(event.node)),
            )
            for event in self.forward_events
            if event.node.op is not OUTPUT
        ]
        header = ("module", "op", "output", "multiply-adds", "ms", "‖gradient‖")
        return Table(header, rows, left=3)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the trace to one file, which `tg.load_trace` reads: JSON and arrays, no code.

        The text of the program's files travels along, under their names without directories.

        Raises:
            GraphError: a backward pass inside has freed the graph.
            DtypeError: an option or an array of a kind that the file cannot hold.
        """
        write_trace(self, path)

    def __repr__(self) -> str:
        return (
            f"<Trace of {len(self.forward_events)} forward and {len(self.backward_events)} "
            "backward events>"
        )


@contextlib.contextmanager
def trace(keep: str = "values") -> Iterator[Trace]:
    """Record everything computed inside a `with` block.

    Results are recorded even if no input asks for a gradient. Traces may be nested; each records
    all that runs inside it.

    Args:
        keep: "values" keeps every array; "statistics" keeps only the `Statistics` of each, so that
            a trace takes little memory however large the arrays are.

    Raises:
        OptionError: another `keep`.

    Example:
        >>> import tinygrad_cnn as tg
        >>> x = tg.Tensor([1.0, 2.0], requires_grad=True)
        >>> with tg.trace() as t:
        ...     (x * x).sum().backward()
        >>> [(event.kind, event.op) for event in t.events]
        [('forward', 'multiply'), ('forward', 'sum'), ('backward', 'sum'), ('backward', 'multiply')]
    """
    recorded = Trace(keep)
    with Block(lambda mode: mode.watched_by(recorded)):
        try:
            yield recorded
        except Exception as error:
            recorded.on_exit(error)
            raise


def load_trace(path: str | os.PathLike[str]) -> Trace:
    """Read a trace that `Trace.save` wrote: its events, values, gradients and source lines.

    Args:
        path: of the file.

    Returns:
        A Trace as it was recorded. Its ops can be drawn and stepped through; an op that was not
        built in is known by name only.

    Raises:
        DataError: the file is missing, damaged, or no trace.
    """
    return read_trace(path, Trace.of)


def _as_node(value: Any) -> Node | None:
    """An op's argument as a node: its own, or one for a plain array; None for what is no array."""
    if isinstance(value, Handle):
        return value.node
    plain = isinstance(value, np.ndarray | np.generic | float | int)
    return Constant(np.array(value)) if plain else None


def _likeness(node: Node) -> Node:
    role = None if node.op else node.role
    value, options = summarised(node.value), node.options
    alike = Node(value, node.op, (), options, node.needs_grad, node.scope, role, node.name)
    alike.serial, alike.modified, alike.source = node.serial, node.modified, node.source
    return alike


def _backward_cost(node: Node, cotangent: Any, gradients: tuple[Any, ...]) -> Cost:
    if node.op is OUTPUT or node.op is None:
        return Cost(0, 0)
    forward = node.op.cost(node)
    factors = sum(gradient is not None for gradient in gradients[:2])
    arrays = [cotangent, *gradients]
    moved = sum(_nbytes(a) for a in arrays)
    moved += sum(_nbytes(p.value) for p in node.inputs if p is not None)
    return Cost(factors * forward.multiply_adds, moved)


def _nbytes(value: Any) -> int:
    if isinstance(value, tuple):
        return sum(map(_nbytes, value))
    return 0 if value is None else np.asarray(_plain(value)).nbytes


def _norm(gradient: Any) -> str:
    if gradient is None:
        return ""
    size = gradient.norm if isinstance(gradient, Statistics) else np.linalg.norm(gradient)
    return f"{size:.2e}"


def _plain(value: Any) -> Any:
    if type(value) is tuple:
        return tuple(map(_plain, value))
    return value.node.value if isinstance(value, Handle) else value
