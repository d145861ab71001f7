"""The walk that splits a gradient: like backward, with a polynomial in place of each cotangent.

Its coefficients stand at a node as a stack, and go through the node's vjp together.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..engine.node import Node
from ..engine.stacked import pull_stack
from .gates import Gate, Gates, Powers
from .segments import placed

Key = tuple[float, ...]  # powers; ∞ for all that cross more than is kept apart


@dataclass(frozen=True)
class Polynomial:
    """Cotangents at one node, by the powers that they are multiplied by.

    Attributes:
        keys: the powers, in order.
        rows: the cotangents, with an axis for the keys in front; of a node with several outputs, a
            tuple, with None for those that nothing came to.
    """

    keys: tuple[Key, ...]
    rows: Any

    @classmethod
    def of(cls, key: Key, g: Any) -> Polynomial:
        """One cotangent."""
        return cls((key,), np.asarray(g)[None])

    def times(self, powers: Powers, most: Key) -> Polynomial:
        """Multiplied by powers of z. What then exceeds `most` is one row, the last."""
        if not any(powers):
            return self
        rest = (math.inf,) * len(most)
        keys: list[Key] = []
        for key in self.keys:
            moved = tuple(a + b for a, b in zip(key, powers, strict=True))
            keys.append(rest if any(a > b for a, b in zip(moved, most, strict=True)) else moved)
        distinct = sorted(set(keys))
        if distinct == keys:
            return Polynomial(tuple(keys), self.rows)
        order = [[i for i, key in enumerate(keys) if key == wanted] for wanted in distinct]

        def merged(rows: Any) -> Any:
            return np.stack([rows[i[0]] if len(i) == 1 else rows[i].sum(axis=0) for i in order])

        return Polynomial(tuple(distinct), _each(merged, self.rows))

    def plus(self, other: Polynomial) -> Polynomial:
        """The sum."""
        if self.keys == other.keys:
            return Polynomial(self.keys, _both(_sum, self.rows, other.rows))
        keys = tuple(sorted({*self.keys, *other.keys}))
        mine, theirs = ([keys.index(key) for key in p.keys] for p in (self, other))

        def joined(a: Any, b: Any) -> Any:
            given = a if a is not None else b
            if given is None:
                return None
            rows = np.zeros((len(keys), *given.shape[1:]), given.dtype)
            if a is not None:
                rows[_run(mine)] = a
            if b is not None:
                rows[_run(theirs)] += b
            return rows

        return Polynomial(keys, _both(joined, self.rows, other.rows))


def _run(places: list[int]) -> Any:
    """Places as a slice, if they follow one another: then nothing is copied."""
    first, last = places[0], places[-1]
    return slice(first, last + 1) if last - first + 1 == len(places) else places


def _each(function: Any, rows: Any) -> Any:
    if type(rows) is tuple:
        return tuple(None if part is None else function(part) for part in rows)
    return function(rows)


def _both(function: Any, a: Any, b: Any) -> Any:
    return tuple(map(function, a, b)) if type(a) is tuple else function(a, b)


def _sum(a: Any, b: Any) -> Any:
    if a is None or b is None:
        return b if a is None else a
    return a + b


@dataclass
class Split:
    """What the walk found.

    Attributes:
        parts: at each wrt: the gradient of all paths, by their powers.
        rest: at each wrt: the gradient of all that exceed what is kept apart; absent if none do.
        norms: for each part: the norm of what arrives there, by the powers of its way so far.
    """

    parts: dict[Node, dict[Powers, Any]] = field(default_factory=dict)
    rest: dict[Node, Any] = field(default_factory=dict)
    norms: dict[int, dict[Powers, float]] = field(default_factory=dict)


def split(
    order: Sequence[Node],
    wrts: Collection[Node],
    loss: Node,
    cotangent: Any,
    gates: Gates,
    most: Key,
) -> Split:
    """Carry a cotangent back to each wrt, multiplied by z wherever a gate says so.

    A chain of n branches takes n vjps of each branch's ops, of up to n cotangents together.

    Args:
        order: the nodes that depend on a wrt, inputs first.
        wrts: where the gradient is wanted.
        loss: where the cotangent enters.
        gates: what multiplies, and by what.
        most: for each kind, how many crossings are kept apart. All that exceeds it is one part.
    """
    leading = set(order)
    start, first = gates.start
    plain: dict[Node, Polynomial] = {}
    entering: dict[Node, dict[Gate, Polynomial]] = {}
    begun = Polynomial.of((0,) * len(most), cotangent)
    found = Split()
    for number in first:
        _note(found.norms, number, begun)
    plain[loss] = begun.times(start, most)
    chosen: dict[Node, list[int]] = {}
    for number, part in enumerate(gates.parts):
        if part.choice is not None:
            chosen.setdefault(part.place, []).append(number)
    for node in reversed(order):
        arrived = plain.pop(node, None)
        through = entering.pop(node, {})
        if node in wrts:
            ended = _total(arrived, [p.times(gate.final[0], most) for gate, p in through.items()])
            if ended is not None:
                _keep(found, node, ended)
        for gate, polynomial in through.items():
            for number in gate.parts:
                if gates.parts[number].choice is None:
                    _note(found.norms, number, polynomial)
        total = _total(arrived, [p.times(gate.powers, most) for gate, p in through.items()])
        del arrived, through
        if total is None or not any(parent in leading for parent in node.inputs):
            continue
        for number in chosen.get(node, ()):
            _note(found.norms, number, total)
        for parent, argument, rows in placed(node, pull_stack(node, total.rows, leading), leading):
            passed, at = Polynomial(total.keys, rows), gates.at.get((node, argument))
            if at is None:
                before = plain.get(parent)
                plain[parent] = passed if before is None else before.plus(passed)
            else:
                into = entering.setdefault(parent, {})
                into[at] = into[at].plus(passed) if at in into else passed
    return found


def _total(first: Polynomial | None, others: Sequence[Polynomial]) -> Polynomial | None:
    for other in others:
        first = other if first is None else first.plus(other)
    return first


def _keep(found: Split, wrt: Node, polynomial: Polynomial) -> None:
    for key, row in zip(polynomial.keys, polynomial.rows, strict=True):
        if math.inf in key:
            found.rest[wrt] = row
        else:
            found.parts.setdefault(wrt, {})[tuple(map(int, key))] = row


def _note(norms: dict[int, dict[Powers, float]], number: int, polynomial: Polynomial) -> None:
    """Add what arrives at a part to its norms; of several exits, as of one long vector."""
    known = norms.setdefault(number, {})
    rows = polynomial.rows
    parts = [p for p in rows if p is not None] if type(rows) is tuple else [rows]
    for i, key in enumerate(polynomial.keys):
        if math.inf not in key:
            powers = tuple(map(int, key))
            known[powers] = math.hypot(known.get(powers, 0.0), *(norm(p[i]) for p in parts))


def norm(g: Any) -> float:
    """The Euclidean norm, summed in double precision."""
    return float(np.linalg.norm(np.asarray(g, np.float64)))
