"""A graph condensed to its residual adds: what each choice leads to, and how many paths there are.

A *segment* is the part of the graph between one choice and the next: from the loss, or from one
input of a residual add, back to the adds (or to `wrt`) that are met first. Within a segment nothing
is chosen, so one walk carries a cotangent through it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..engine.backward import pull, quiet
from ..engine.node import Node
from ..engine.op import OUTPUT
from ..ops.residual import residual_add

Choice = tuple[Node, bool]  # a residual add, and whether its branch is taken


@dataclass(frozen=True)
class Segment:
    """The nodes from `start` back to the next choice.

    Attributes:
        start: where a cotangent enters.
        inner: the nodes to carry it through, youngest first.
        adds: the residual adds where it comes out, in order of creation.
        arrives: whether it also comes out at `wrt`.
    """

    start: Node
    inner: tuple[Node, ...]
    adds: tuple[Node, ...]
    arrives: bool

    @classmethod
    def of(cls, start: Node, wrt: Node, leading: set[Node]) -> Segment:
        """The segment that begins at `start`; `leading` are the nodes that depend on `wrt`."""
        inner: list[Node] = []
        adds: list[Node] = []
        seen: set[Node] = set()
        stack: list[Node | None] = [start]
        while stack:
            node = stack.pop()
            if node is None or node in seen or node not in leading:
                continue
            seen.add(node)
            if node is wrt:
                continue
            if node.op is residual_add:
                adds.append(node)
            else:
                inner.append(node)
                stack.extend(node.inputs)
        inner.sort(key=lambda node: -node.serial)
        return cls(start, tuple(inner), tuple(sorted(adds, key=_serial)), wrt in seen)

    def carry(self, g: Any, leading: set[Node]) -> dict[Node, Any]:
        """Carry a cotangent at `start` on to the adds and to `wrt`. None means no cotangent."""
        arrived: dict[Node, Any] = {} if g is None else {self.start: g}
        for node in self.inner:
            if node in arrived:
                for parent, _, gradient in sent(node, arrived.pop(node), leading):
                    arrived[parent] = plus(arrived.get(parent), gradient)
        return arrived


class Choices:
    """All choices between a loss and `wrt`, and the number of paths that they make.

    Attributes:
        blocks: the residual adds that some path meets, in order of creation.
        first: the segment that begins at the loss.
        onward: for each add, the segments that its skip and its branch lead into; None where
            `wrt` does not depend on that input.
        count: how many paths cross k branches, for k = 0 … number of blocks.
    """

    def __init__(self, loss: Node, wrt: Node, leading: set[Node]) -> None:
        self.first = Segment.of(loss, wrt, leading)
        self.onward: dict[Node, tuple[Segment | None, Segment | None]] = {}
        waiting = list(self.first.adds)
        while waiting:
            add = waiting.pop()
            if add in self.onward:
                continue
            skip, branch = (
                Segment.of(parent, wrt, leading) if parent in leading else None
                for parent in add.inputs
                if parent is not None
            )
            self.onward[add] = skip, branch
            waiting += [met for segment in (skip, branch) if segment for met in segment.adds]
        self.blocks = sorted(self.onward, key=_serial)
        self._ways = self._count()
        found = self._through(self.first)
        self.count = found + [0] * (len(self.blocks) + 1 - len(found))

    def _count(self) -> dict[Choice, list[int]]:
        """For each choice and each k: how many ways go on from it that cross k branches.

        If the choice is a branch, that one counts.
        """
        self._ways = {}
        for add in self.blocks:  # inputs first, so what an add leads to is counted already
            skip, branch = self.onward[add]
            self._ways[add, False] = self._through(skip) if skip else []
            self._ways[add, True] = [0, *self._through(branch)] if branch else []
        return self._ways

    def _through(self, segment: Segment) -> list[int]:
        total = [int(segment.arrives)]
        for add in segment.adds:
            for branch in (False, True):
                total = _sum(total, self._ways[add, branch])
        return total

    def path(self, length: int, rank: int) -> list[Choice]:
        """The choices, from the loss on, of path number `rank` of those with `length` branches.

        Ranks count from 0. A uniformly random rank is a uniformly random path.
        """
        made: list[Choice] = []
        segment: Segment | None = self.first
        while segment is not None:
            if segment.arrives and length == 0:
                if rank == 0:
                    break
                rank -= 1
            segment, length, rank = self._step(segment, length, rank, made)
        return made

    def _step(
        self, segment: Segment, length: int, rank: int, made: list[Choice]
    ) -> tuple[Segment | None, int, int]:
        for add in segment.adds:
            for branch in (False, True):
                ways = self._ways[add, branch]
                number = ways[length] if length < len(ways) else 0
                if rank < number:
                    made.append((add, branch))
                    return self.onward[add][branch], length - branch, rank
                rank -= number
        raise IndexError("there are not so many paths of this length")


def sent(node: Node, g: Any, leading: set[Node]) -> Iterable[tuple[Node, int, Any]]:
    """What a node sends back when `g` arrives: (input, its argument index, cotangent).

    An output of an op with several outputs sends a tuple with a place for each of them.
    """
    with quiet():
        gradients = pull(node, g, leading=leading)
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


def taken(made: Iterable[Choice], blocks: Iterable[Node]) -> tuple[bool, ...]:
    """For each block, whether the choices of a path took its branch."""
    crossed = {add for add, branch in made if branch}
    return tuple(add in crossed for add in blocks)


def _serial(node: Node) -> int:
    return node.serial


def _sum(a: list[int], b: list[int]) -> list[int]:
    """The sum of two polynomials, given by their coefficients."""
    longer, shorter = (a, b) if len(a) >= len(b) else (b, a)
    return [x + (shorter[i] if i < len(shorter) else 0) for i, x in enumerate(longer)]
