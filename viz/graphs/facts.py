"""What boxes say on request: dtype, cost, time, statistics, source line. See `SHOWN`."""

from __future__ import annotations

import textwrap
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tinygrad_cnn import Statistics
from tinygrad_cnn.engine.node import Node
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.recording.description import Description
from tinygrad_cnn.recording.graph import Graph
from tinygrad_cnn.recording.trace import Trace

from .program import Program, count
from .words import number_text, own_name, shape_text, source_text

SHOWN = {
    "dtype": "of the output",
    "parameters": "how many numbers the op has learned",
    "multiply_adds": "from shapes",
    "time": "forward, and backward if it ran; needs a Trace or a Module",
    "values": "mean ± standard deviation, smallest … largest of the output",
    "gradients": "the same of the gradient at the output",
    "source": "file and line of the program; needs a Trace",
}
"""What `show` can ask for."""


_MESSAGE = 44  # characters in a line of an error's message


class Facts:
    """The lines that boxes add to their usual ones."""

    def __init__(
        self,
        show: Iterable[str],
        graph: Graph,
        trace: Trace | None = None,
        names: Mapping[Node, str] | None = None,
    ) -> None:
        self.show = (show,) if isinstance(show, str) else tuple(show)
        unknown = [name for name in self.show if name not in SHOWN]
        if unknown:
            raise OptionError(f"draw: show may hold {', '.join(SHOWN)}; got {unknown[0]!r}")
        self.nodes = graph.nodes
        self.names = names or {}
        self.failure = trace.failure if trace else None
        self.seconds: dict[Node, list[float]] = defaultdict(lambda: [0.0, 0.0])
        for event in trace.events if trace else ():
            self.seconds[event.node][event.kind == "backward"] += event.seconds
        if "time" in self.show and trace is None:
            raise OptionError(
                'draw: show="time" needs a Trace: draw(t), of `with tg.trace() as t:` around the '
                "program"
            )
        sources = [source_text(node) for node in self.nodes]
        if "source" in self.show and not any(sources):
            raise OptionError(
                'draw: show="source" needs a Trace of your program: source lines are recorded in '
                "`with tg.trace() as t:` only"
            )
        self.backward_ran = any(node.op is None and node.grad is not None for node in self.nodes)

    def name(self, node: Node) -> str:
        """What a node is called in this picture, or by the user; or ""."""
        return self.names.get(node) or own_name(node)

    def shape(self, node: Node) -> str:
        """A node's shape, and, if asked for, its dtype."""
        return f"{shape_text(node)} {node.dtype}" if "dtype" in self.show else shape_text(node)

    def result(self, node: Node) -> str:
        """The line for a box's output: "→ (2,10)"."""
        return f"→ {self.shape(node)}"

    def of_box(self, program: Program, ids: Sequence[int], outputs: Sequence[Node]) -> list[str]:
        """Lines for a box that stands for some nodes and gives some outputs."""
        ops = [i for i in ids if program.is_op(i)]
        lines = _broken([self.nodes[i] for i in ids] if len(ops) > 1 else outputs)
        for name in self.show:
            if name == "parameters" and len(ops) <= 1:  # boxes of modules say it anyway
                size = count(self.nodes, program.parameters(ops))
                lines += [f"{size:,} parameters"] if size else []
            elif name == "multiply_adds" and ops:
                work = sum(_multiply_adds(self.nodes[i]) for i in ops)
                lines += [f"{work:,} multiply-adds"] if work else []
            elif name == "time" and ops:
                lines += [self._time(self.nodes[i] for i in ops)]
            elif name == "values":
                lines += [f"values {statistics(node.value)}" for node in outputs]
            elif name == "gradients":
                lines += [self._gradient(node) for node in outputs]
            elif name == "source" and len(ops) == 1:
                lines += [source_text(self.nodes[ops[0]])]
        return lines

    def of_scalar(self, node: Node) -> list[str]:
        """Lines for time and source, if asked for. A Scalar's box says the rest anyway."""
        said = {"time": self._time([node]), "source": source_text(node)} if node.op else {}
        return [said[name] for name in self.show if said.get(name)]

    def has_no_result(self, node: Node) -> bool:
        """Whether the program raised an error when it computed this node."""
        failure = self.failure
        return failure is not None and failure.kind == "forward" and failure.node is node

    def failed(self, nodes: Sequence[Node]) -> list[str]:
        """Lines for a box in which the program raised an error; none for all other boxes."""
        failure = self.failure
        if failure is None or failure.node is None or failure.node not in nodes:
            return []
        node, head = failure.node, f"✗ {failure.error}"
        if failure.kind == "backward":
            lines = [f"{head} in backward"]
        else:
            given = [p for p in node.inputs if p is not None]
            shapes = " and ".join(shape_text(p) for p in given)
            lines = [f"{head} on {shapes}" if given else head]
        if len(nodes) > 1 and node.op is not None:
            lines[0] += f" in {node.op.name}"
        return lines + textwrap.wrap(failure.message, _MESSAGE, max_lines=4, placeholder=" …")

    def _time(self, nodes: Iterable[Node]) -> str:
        forward, backward = np.sum([self.seconds[node] for node in nodes], axis=0)
        return f"{_milliseconds(forward)}" + (
            f", backward {_milliseconds(backward)}" if backward else ""
        )

    def _gradient(self, node: Node) -> str:
        if node.grad is not None:
            return f"gradient {statistics(node.grad)}"
        if not node.needs_grad:
            return "needs no gradient"
        if self.backward_ran and node.op is not None and not node.keeps_grad:
            return "gradient not kept"
        return "no grad yet"


def _multiply_adds(node: Node) -> int:
    assert node.op is not None
    return node.op.cost(node).multiply_adds


def statistics(value: Any) -> str:
    """Mean ± standard deviation, smallest … largest; what is not finite is counted apart.

    Example:
        >>> statistics(np.array([0.0, 2.0, np.nan]))
        '1 ± 1, 0 … 2, 1 of 3 not finite'
    """
    s = value if isinstance(value, Statistics) else Statistics.of(value)
    said = [f"{s.not_finite} of {s.size} not finite"] if s.not_finite else []
    finite = s.size - s.not_finite
    if finite == 1 and not s.not_finite:
        return number_text(s.mean)
    if finite:
        said = [f"{s.mean:.2g} ± {s.std:.2g}", f"{s.min:.3g} … {s.max:.3g}", *said]
    return ", ".join(said) or "empty"


def _broken(nodes: Sequence[Node]) -> list[str]:
    """A line that is always shown, if NaN or infinity is among the values or the gradients."""
    lines = []
    for what in ("value", "grad"):
        values = [getattr(node, what) for node in nodes]
        found = [v for v in values if v is not None and type(v) is not tuple]
        kinds = {kind for value in found for kind in not_finite(value)}
        if kinds:
            prefix = "⚠ " if what == "value" else "⚠ gradient "
            lines.append(prefix + " and ".join(sorted(kinds)))
    return lines


def not_finite(value: Any) -> list[str]:
    """Which of NaN and infinity are in a value; for statistics and descriptions, as far as known.

    Example:
        >>> not_finite(np.array([0.0, np.inf])), not_finite(1.0)
        (['inf'], [])
    """
    if isinstance(value, Statistics):
        return ["NaN or inf"] if value.not_finite else []
    if isinstance(value, Description):
        return []
    array = np.asarray(value)
    if array.dtype.kind != "f" or np.isfinite(array).all():
        return []
    kinds = {"NaN": np.isnan(array).any(), "inf": np.isinf(array).any()}
    return [kind for kind, there in kinds.items() if there]


def _milliseconds(seconds: float) -> str:
    return f"{1e3 * seconds:.3g} ms"
