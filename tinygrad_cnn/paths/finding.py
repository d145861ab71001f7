"""Where a network chooses: residual adds, plain additions of that kind, and concatenations.

`h + f(h)` is a choice between h, the skip, and f(h), the branch; so is `cat([h, f(h)])`. An
addition of what has nothing in common (a bias, a position embedding, a constant) is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..engine.node import Node, ancestors
from ..engine.op import OUTPUT
from ..ops.elementwise import add
from ..ops.residual import residual_add
from ..ops.shape import concatenate
from .selecting import Selector

_KINDS = {residual_add: "residual add", add: "addition", concatenate: "concatenation"}
_GIVEN = ("parameter", "buffer", "constant")  # what these are in common makes no choice
_MOVING = {
    "astype", "expand_dims", "flip", "getitem", "moveaxis", "pad", "reshape", "roll", "split",
    "squeeze", "take", "transpose",
}  # fmt: skip
"""Ops that move elements about, and compute nothing with them."""


@dataclass(frozen=True)
class Choice:
    """A place where a path goes one way or another.

    Attributes:
        place: the node of the addition or concatenation.
        kind: "residual add", "addition" or "concatenation".
        skip: which of its arguments is the skip; None if all of them are branches.
        branches: which are the branches.
    """

    place: Node
    kind: str
    skip: int | None
    branches: tuple[int, ...]

    @property
    def scope(self) -> str:
        """The module in which it stands, by dotted name."""
        return str(self.place.scope)

    @property
    def skip_node(self) -> Node | None:
        """What the skip brings."""
        return None if self.skip is None else self.place.inputs[self.skip]

    @property
    def branch_nodes(self) -> tuple[Node | None, ...]:
        """What the branches bring."""
        return tuple(self.place.inputs[i] for i in self.branches)

    def __repr__(self) -> str:
        def told(node: Node | None) -> str:
            if node is None:
                return "none"
            made = node.inputs[0] if node.op is OUTPUT else node
            what = made.op.name if made is not None and made.op else node.name or node.role
            return f"{what} in {node.scope}" if node.scope else what

        branches = ", ".join(map(told, self.branch_nodes))
        where = f"{self.scope}: " if self.scope else ""
        return f"<{where}{self.kind}, skip {told(self.skip_node)}, branch {branches}>"


def find_choices(
    end: Node, branch: Selector | None = None, ignore: Selector | None = None
) -> list[Choice]:
    """The places where a program chooses, in order of creation.

    Of two operands of an addition, the one that the other was computed from is the skip. Where both
    were computed from something else, the skip is the one with fewer ops behind it (a projection),
    the first of equals. Of a concatenation's operands that have something in common, likewise one
    is the skip, and all others are branches. No choice is a + a, nor a concatenation of pieces of
    one value, as when patches are merged: that only moves elements about.

    Args:
        end: the program's result.
        branch: operands that are branches, whatever was found.
        ignore: places that are none.
    """
    order = ancestors([end])
    behind = _Behind(order)
    found = []
    for node in order:
        if node.op not in _KINDS or (ignore is not None and ignore.covers(node)):
            continue
        kind = _KINDS[node.op]
        if node.op is residual_add:
            skip, branches = 0, [1]
        else:
            related = behind.related(node.inputs)
            if len(related) < 2 or (node.op is concatenate and behind.moved(node.inputs, related)):
                continue
            skip = behind.skip(node.inputs, related)
            branches = [i for i in related if i != skip]
        chosen = _corrected(node, skip, branches, branch)
        found.append(Choice(node, kind, *chosen))
    return found


def _corrected(
    node: Node, skip: int, branches: list[int], branch: Selector | None
) -> tuple[int | None, tuple[int, ...]]:
    """Skip and branches, with those operands as branches that the caller says are."""
    said = {i for i in (skip, *branches) if branch is not None and branch.covers(_operand(node, i))}
    if not said:
        return skip, tuple(branches)
    left = [i for i in (skip, *branches) if i not in said]
    first = left[0] if left else None
    return first, tuple(sorted({skip, *branches} - {first}))


def _operand(node: Node, i: int) -> Node:
    operand = node.inputs[i]
    assert operand is not None
    return operand


class _Behind:
    """What each node was computed from, itself included: as the bits of a number.

    Parameters, buffers and constants have no bit.
    """

    def __init__(self, order: Sequence[Node]) -> None:
        self.bits: dict[Node, int] = {}
        self.own: dict[Node, int] = {}
        self.ops = 0  # the bits of what an op computed
        self.moves = 0  # of these, what it only moved
        for i, node in enumerate(order):
            own = 0 if node.op is None and node.role in _GIVEN else 1 << i
            self.own[node] = bits = own
            if node.op is not None and node.op is not OUTPUT:
                self.ops |= own
                self.moves |= own if node.op.name in _MOVING else 0
            for parent in node.inputs:
                if parent is not None:
                    bits |= self.bits[parent]
            self.bits[node] = bits

    def related(self, operands: Sequence[Node | None]) -> list[int]:
        """The operands that have something in common with another one."""
        distinct: list[int] = []
        for i, operand in enumerate(operands):
            if operand is not None and operand not in [operands[j] for j in distinct]:
                distinct.append(i)
        bits = [self.bits[operands[i]] for i in distinct]  # type: ignore[index]
        seen = shared = 0
        for each in bits:
            shared |= seen & each
            seen |= each
        return [i for i, each in zip(distinct, bits, strict=True) if each & shared]

    def skip(self, operands: Sequence[Any], related: Sequence[int]) -> int:
        """Which of them is the skip."""
        for i in related:
            own = self.own[operands[i]]
            if own and all(self.bits[operands[j]] & own for j in related):
                return i
        counts = [own.bit_count() for own in self._apart(operands, related)]
        return related[counts.index(min(counts))]

    def moved(self, operands: Sequence[Any], related: Sequence[int]) -> bool:
        """Whether all of them are pieces of one value."""
        return not any(own & ~self.moves for own in self._apart(operands, related))

    def _apart(self, operands: Sequence[Any], related: Sequence[int]) -> list[int]:
        """For each operand, the ops behind it that are not behind all of them."""
        common = -1
        for i in related:
            common &= self.bits[operands[i]]
        return [self.bits[operands[i]] & ~common & self.ops for i in related]
