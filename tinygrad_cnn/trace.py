"""`trace()`: watch a program run, forward and backward, op by op.

Everything computed inside is recorded, with the module that ran it, the line of the user's
program, the time it took and what it costs; and, of a backward pass inside, the gradient that
flowed along every edge. Data only: `viz` draws it.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any, Literal

import numpy as np

from .context import current_mode, mode
from .graph import Graph, Handle, Node, refuse_freed
from .op import OUTPUT, Cost

_HERE = os.path.dirname(os.path.abspath(__file__)) + os.sep


@dataclass(frozen=True)
class Event:
    """One op that ran forward, or whose vjp ran backward.

    Attributes:
        kind: "forward" or "backward".
        node: what was computed; its op, inputs, value, scope.
        source: file and line of the user's program, or None.
        seconds: how long the op (or its vjp) took.
        cost: multiply-adds and bytes of the op, from shapes.
        cotangent: backward: what arrived at the node; the sum over its consumers.
        gradients: backward: what was sent to each input, None where none is needed.
    """

    kind: Literal["forward", "backward"]
    node: Node
    source: tuple[str, int] | None
    seconds: float
    cost: Cost
    cotangent: Any = None
    gradients: tuple[Any, ...] = ()

    @property
    def scope(self) -> str:
        return self.node.scope


class Trace:
    """What `trace()` recorded: see there."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._nodes: dict[Node, None] = {}

    # --- watching ------------------------------------------------------------------------------

    def on_forward(self, node: Node, seconds: float) -> None:
        """Called by every op that runs inside."""
        assert node.op is not None
        node.source = node.source or user_line()
        for parent in node.inputs:
            if parent is not None:
                self._nodes.setdefault(parent)
        self._nodes.setdefault(node)
        cost = Cost(0, 0) if node.op is OUTPUT else node.op.cost(node)
        self.events.append(Event("forward", node, node.source, seconds, cost))

    def on_backward(
        self, node: Node, cotangent: Any, gradients: tuple[Any, ...], seconds: float
    ) -> None:
        """Called for every op that a backward pass goes through."""
        plain = tuple(map(_plain, gradients))
        self.events.append(
            Event("backward", node, node.source, seconds, Cost(0, 0), _plain(cotangent), plain)
        )

    # --- asking --------------------------------------------------------------------------------

    @property
    def graph(self) -> Graph:
        """Everything computed inside, and the leaves it was computed from.

        Raises:
            GraphError: a backward pass inside has freed it.
        """
        nodes = sorted(self._nodes, key=lambda node: node.serial)
        for node in nodes:
            refuse_freed(node)
        used = {parent for node in nodes for parent in node.inputs}
        return Graph(nodes, [node for node in nodes if node not in used])

    @property
    def forward_events(self) -> list[Event]:
        return [event for event in self.events if event.kind == "forward"]

    @property
    def backward_events(self) -> list[Event]:
        return [event for event in self.events if event.kind == "backward"]

    def edge_gradients(self) -> dict[tuple[Node, int], np.ndarray[Any, Any]]:
        """The gradient that flowed along each edge, keyed by (consumer, argument index).

        Of several backward passes inside, their sum.
        """
        found: dict[tuple[Node, int], Any] = {}
        for event in self.backward_events:
            for argument, gradient in enumerate(event.gradients):
                if gradient is not None:
                    key = (event.node, argument)
                    found[key] = found[key] + gradient if key in found else gradient
        return found

    def gradient(self, x: Node | Handle) -> Any:
        """The gradient that reached a node: the sum over its edges; None if none did."""
        node = x.node if isinstance(x, Handle) else x
        return node.grad

    def summary(self) -> str:
        """A table of the ops that ran: module, op, output shape, multiply-adds, time."""
        rows = [("module", "op", "output", "multiply-adds", "ms", "‖gradient‖")]
        for event in self.forward_events:
            if event.node.op is OUTPUT:
                continue
            gradient = self.gradient(event.node)
            norm = "" if gradient is None else f"{np.linalg.norm(gradient):.2e}"
            rows.append(
                (
                    event.scope,
                    event.node.op.name if event.node.op else "",
                    str(event.node.shape),
                    f"{event.cost.multiply_adds:,}",
                    f"{1e3 * event.seconds:.2f}",
                    norm,
                )
            )
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(
                cell.ljust(width) if i < 3 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        ]
        return "\n".join([lines[0], "─" * len(lines[0]), *lines[1:]])

    def __repr__(self) -> str:
        return (
            f"<Trace of {len(self.forward_events)} forward and {len(self.backward_events)} "
            "backward events>"
        )


@contextlib.contextmanager
def trace() -> Iterator[Trace]:
    """Record everything computed inside a `with` block.

    Results are recorded even if no input asks for a gradient. Traces nest: each hears all that
    happens inside it.

    Example:
        >>> import tinygrad_cnn as tg
        >>> x = tg.Tensor([1.0, 2.0], requires_grad=True)
        >>> with tg.trace() as t:
        ...     (x * x).sum().backward()
        >>> [(event.kind, event.node.op.name) for event in t.events]
        [('forward', 'multiply'), ('forward', 'sum'), ('backward', 'sum'), ('backward', 'multiply')]
    """
    recorded = Trace()
    with mode(watchers=(*current_mode().watchers, recorded)):
        yield recorded


def user_line() -> tuple[str, int] | None:
    """File and line of the innermost frame outside this package."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        filename = frame.f_code.co_filename
        if not filename.startswith((_HERE, "<frozen")) and not filename.endswith("contextlib.py"):
            return filename, frame.f_lineno
        frame = frame.f_back
    return None


def _plain(value: Any) -> Any:
    return value.node.value if isinstance(value, Handle) else value
