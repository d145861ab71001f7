"""A graph condensed to its gates: which ones follow which, and how many paths there are.

A *segment* is the part of the graph between one gate and the next: from the loss, or from the node
that a gate leads to, back to the gates (or to `wrt`) that are met first. Within a segment nothing
is told apart, so one walk carries a cotangent through it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..engine.backward import pull, quiet
from ..engine.node import Node
from ..engine.op import OUTPUT
from .gates import Edge, Gate, Gates, Powers

Ways = dict[Powers, int]  # how many ways, by what they are multiplied by


@dataclass(frozen=True)
class Segment:
    """The nodes from `start` back to the next gates.

    Attributes:
        start: where a cotangent enters.
        inner: the nodes to carry it through, youngest first.
        gates: where it comes out, in order of creation, a place's skip before its branches.
        arrives: whether it also comes out at `wrt`.
    """

    start: Node
    inner: tuple[Node, ...]
    gates: tuple[Gate, ...]
    arrives: bool

    @classmethod
    def of(
        cls, start: Node, wrt: Node, leading: Collection[Node], at: Mapping[Edge, Gate]
    ) -> Segment:
        """The segment that begins at `start`; `leading` are the nodes that depend on `wrt`."""
        inner: list[Node] = []
        gates: dict[Gate, None] = {}
        seen: set[Node] = set()
        stack = [start]
        while stack:
            node = stack.pop()
            if node in seen:
                continue
            seen.add(node)
            if node is wrt:
                continue
            inner.append(node)
            for argument, parent in enumerate(node.inputs):
                if parent is not None and parent in leading:
                    gate = at.get((node, argument))
                    if gate is None:
                        stack.append(parent)
                    else:
                        gates[gate] = None
        inner.sort(key=lambda node: -node.serial)
        ordered = sorted(gates, key=lambda gate: (gate.place.serial, gate.rank))
        return cls(start, tuple(inner), tuple(ordered), wrt in seen)

    def carry(
        self, g: Any, leading: set[Node], at: Mapping[Edge, Gate]
    ) -> tuple[dict[Gate, Any], Any]:
        """Carry a cotangent at `start` on to the gates and to `wrt`. None means no cotangent."""
        arrived: dict[Any, Any] = {} if g is None else {self.start: g}
        for node in self.inner:
            if node in arrived:
                for parent, argument, gradient in sent(node, arrived.pop(node), leading):
                    to = at.get((node, argument), parent)
                    arrived[to] = plus(arrived.get(to), gradient)
        gates = {gate: arrived.pop(gate) for gate in self.gates if gate in arrived}
        return gates, next(iter(arrived.values()), None)


class Routes:
    """All paths between a loss and `wrt`, by the gates that they go through.

    Attributes:
        first: the segment that begins at the loss.
        onward: for each gate, the segment that it leads into.
        count: how many paths there are, by what their cotangent is multiplied by.
    """

    def __init__(self, gates: Gates, loss: Node, wrt: Node, leading: set[Node]) -> None:
        self.gates, self.wrt = gates, wrt
        segments: dict[Node, Segment] = {}

        def segment(start: Node) -> Segment:
            if start not in segments:
                segments[start] = Segment.of(start, wrt, leading, gates.at)
            return segments[start]

        self.first = segment(loss)
        self.onward: dict[Gate, Segment] = {}
        waiting = list(self.first.gates)
        while waiting:
            gate = waiting.pop()
            if gate not in self.onward:
                self.onward[gate] = segment(gate.target)
                waiting += self.onward[gate].gates
        self._ways: dict[Node, Ways] = {}
        for start in sorted(segments, key=lambda node: node.serial):
            self._ways[start] = self._through(segments[start])
        self.count = _times(self._ways[loss], gates.start[0])

    def powers(self, gate: Gate) -> Powers:
        """What a gate multiplies by."""
        return gate.final[0] if gate.target is self.wrt else gate.powers

    def parts(self, gate: Gate) -> tuple[int, ...]:
        """The numbers of the parts that a path crosses at a gate."""
        return gate.final[1] if gate.target is self.wrt else gate.parts

    def _through(self, segment: Segment) -> Ways:
        kinds = len(self.gates.kinds)
        total: Ways = {(0,) * kinds: 1} if segment.arrives else {}
        for gate in segment.gates:
            for powers, number in _times(self._ways[gate.target], self.powers(gate)).items():
                total[powers] = total.get(powers, 0) + number
        return total

    def path(self, powers: Powers, rank: int) -> list[Gate]:
        """The gates, from the loss on, of path number `rank` of those with these powers.

        Ranks count from 0. A uniformly random rank is a uniformly random path.
        """
        left = _minus(powers, self.gates.start[0])
        made: list[Gate] = []
        segment = self.first
        while True:
            if segment.arrives and not any(left):
                if rank == 0:
                    return made
                rank -= 1
            for gate in segment.gates:
                after = _minus(left, self.powers(gate))
                number = self._ways[gate.target].get(after, 0)
                if rank < number:
                    made.append(gate)
                    segment, left = self.onward[gate], after
                    break
                rank -= number
            else:
                raise IndexError("there are not so many paths of this length")

    def crossed(self, made: Iterable[Gate]) -> set[int]:
        """The numbers of the parts that a path crosses."""
        found = {part for gate in made for part in self.parts(gate)}
        return found.union(self.gates.start[1])


def sent(node: Node, g: Any, leading: set[Node]) -> Iterable[tuple[Node, int, Any]]:
    """What a node sends back when `g` arrives: (input, its argument index, cotangent).

    An output of an op with several outputs sends a tuple with a place for each of them.
    """
    with quiet():
        gradients = pull(node, g, leading=leading)
    return placed(node, gradients, leading)


def placed(
    node: Node, gradients: Sequence[Any], leading: Collection[Node]
) -> Iterable[tuple[Node, int, Any]]:
    """Gradients with the inputs that they are for, where something is sent."""
    for argument, (parent, gradient) in enumerate(zip(node.inputs, gradients, strict=True)):
        if parent is None or gradient is None or parent not in leading:
            continue
        if node.op is OUTPUT:
            assert node.options is not None
            places: list[Any] = [None] * len(parent.value)
            places[node.options["index"]] = gradient
            gradient = tuple(places)
        yield parent, argument, gradient


def plus(a: Any, b: Any) -> Any:
    """The sum of two cotangents. None counts as zero, and tuples are added part by part."""
    if a is None or b is None:
        return b if a is None else a
    if isinstance(a, tuple):
        return tuple(map(plus, a, b))
    return a + b


def _times(ways: Ways, powers: Powers) -> Ways:
    if not any(powers):
        return ways
    return {tuple(map(int.__add__, p, powers)): number for p, number in ways.items()}


def _minus(a: Powers, b: Powers) -> Powers:
    return tuple(map(int.__sub__, a, b))
