"""What a picture shows as one box: modules, and parts of a program that repeat.

A program is a tree of `Part`s: ops and leaves; the module calls around them; and runs of alike
parts that follow one another. A `View` says which of them are closed, so that a picture shows each
as one box.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

import numpy as np

from tinygrad_cnn import Description

from .program import Program

WHOLE = 32  # a picture of at most this many boxes is drawn whole,
PAGE = 20  # a larger one is folded to what a page holds
MOST_INSIDE = 200  # boxes that a part may show when it is opened
MOST_OPENINGS = 300
MOST_DRAWN = 5000  # boxes in all drawings of a page together; these take some seconds
_LONGEST = 24  # parts that a repeated unit may have
_WORTH = 4  # ops that a run must have to get a box of its own
_NESTING = 100  # deeper than modules nest


@dataclass(frozen=True, eq=False)
class Part:
    """A piece of a program.

    Attributes:
        id: unique: a node's id, ``scope:name`` of a module call, or ``run:first-last``.
        scope: dotted name of the module; of a run, of the module around it.
        nodes: ids of the nodes in it that have boxes of their own, in order.
        parts: what it consists of; nothing in an op or a leaf.
        level: how deep modules nest here.
        call: the number of this call of its module, from 1; 0 if it is no module call.
        repeats: for a run, how many alike units follow one another; else 0.
        shared: for a run, whether its units have parameters, and all the same ones.
    """

    id: str
    scope: str
    nodes: tuple[int, ...]
    parts: tuple[Part, ...] = ()
    level: int = 0
    call: int = 0
    repeats: int = 0
    shared: bool = False

    @property
    def times(self) -> str:
        """How often it repeats: "×5" with the same weights, "5 alike" without; or ""."""
        if self.repeats:
            return f"×{self.repeats}" if self.shared else f"{self.repeats} alike"
        return self.parts[0].times if len(self.parts) == 1 else ""

    @property
    def units(self) -> list[tuple[Part, ...]]:
        """The parts of each repetition of a run."""
        size = len(self.parts) // self.repeats
        return [self.parts[k : k + size] for k in range(0, len(self.parts), size)]


@dataclass(frozen=True)
class View:
    """Which parts are closed.

    Attributes:
        repeats: whether runs are closed.
        depth: modules at this level of nesting are closed; none if None.
        opened: ids of parts that are open all the same, each with the depth for what is inside it.
    """

    repeats: bool = False
    depth: int | None = None
    opened: Mapping[str, int | None] = field(default_factory=dict)

    def opening(self, part: Part) -> View:
        """This view with a closed part opened, as far as a page holds what is inside."""
        opened: dict[str, int | None] = {p.id: None for p in _through(part)}
        if size(part, View(self.repeats, None, opened)) > PAGE:
            opened = dict.fromkeys(opened, _deepest(part, self.repeats, opened))
        return replace(self, opened={**self.opened, **opened})


@dataclass(frozen=True, eq=False)
class Shown:
    """A part that is drawn as one box, and the open parts around it, outermost first."""

    part: Part
    around: tuple[Part, ...] = ()


def view_of(root: Part, depth: int | None = None, fold: bool | None = None) -> View:
    """The view that the options `depth` and `fold` of `viz.draw` ask for."""
    if fold is not None:
        return View(fold, depth)
    whole = View(False, depth)
    if size(root, whole) <= WHOLE:
        return whole
    if depth is None:
        depth = _deepest(root, True, {})
    return View(True, depth)


def boxes(root: Part, view: View) -> Iterator[Shown]:
    """What a view shows as boxes, in order."""
    stack: list[tuple[Part, tuple[Part, ...], int | None]] = [(root, (), view.depth)]
    while stack:
        part, around, depth = stack.pop()
        is_open = part.id in view.opened
        closed = (view.repeats and _is_run(part)) or (
            part.call and depth is not None and part.level >= depth
        )
        if not part.parts or (closed and not is_open):
            yield Shown(part, around)
            continue
        inside = view.opened[part.id] if is_open else depth
        if part is not root and (part.call or is_open):
            around = (*around, part)
        parts = _split(part, view) if part.repeats and is_open else part.parts
        stack += [(p, around, inside) for p in reversed(parts)]


def size(root: Part, view: View) -> int:
    """How many boxes a view shows."""
    return sum(1 for _ in boxes(root, view))


def _split(run: Part, view: View) -> list[Part]:
    """The parts of an open run. If one of its units is open, those before and after it are runs."""
    units = run.units
    opened = [k for k, unit in enumerate(units) if any(p.id in view.opened for p in unit)]
    if not opened:
        return list(run.parts)
    (at,) = opened
    found: list[Part] = []
    for first, last in ((0, at), (at, at + 1), (at + 1, len(units))):
        parts = tuple(p for unit in units[first:last] for p in unit)
        if last - first == 1 or not parts:
            found += parts
        else:
            nodes = tuple(i for p in parts for i in p.nodes)
            name = f"{run.id}:{first}"
            found.append(replace(run, id=name, nodes=nodes, parts=parts, repeats=last - first))
    return found


def _deepest(root: Part, repeats: bool, opened: Mapping[str, int | None]) -> int:
    """The greatest depth at which what is inside a part still fits on a page."""
    depth = root.level + 1
    while depth < _NESTING:
        deeper = View(repeats, depth + 1, dict.fromkeys(opened, depth + 1))
        if size(root, deeper) > PAGE:
            break
        depth += 1
    return depth


@dataclass(frozen=True, eq=False)
class Opening:
    """A view with a part opened that is closed in another view.

    Attributes:
        view: the view.
        parts: the part that was opened, and what opened with it; nothing for the first view.
        parent: index of the opening whose view has the part closed.
    """

    view: View
    parts: tuple[Part, ...] = ()
    parent: int = 0


def openings(root: Part, view: View) -> list[Opening]:
    """A view, and one more for each part that can be opened, in it or in a part opened before.

    A part that would show more than `MOST_INSIDE` boxes stays closed. No more parts are opened when
    there are `MOST_OPENINGS` views, or `MOST_DRAWN` boxes in all views together.
    """
    found = [Opening(view)]
    drawn = size(root, view)
    for index, opening in enumerate(found):  # the loop appends to this list
        for shown in boxes(root, opening.view):
            part = shown.part
            if len(found) > MOST_OPENINGS or drawn > MOST_DRAWN:
                return found
            new = not opening.parts or opening.parts[-1] in shown.around
            if len(part.nodes) < 2 or not new or _is_piece(part):
                continue
            opened = opening.view.opening(part)
            if size(part, opened) <= MOST_INSIDE:
                found.append(Opening(opened, tuple(_through(part)), index))
                drawn += size(root, opened)
    return found


def _is_run(part: Part) -> bool:
    """Whether a part is a run, or a module call that holds nothing else."""
    return part.repeats > 0 or (len(part.parts) == 1 and part.parts[0].repeats > 0)


def _is_piece(part: Part) -> bool:
    """Whether a run is a piece of an open one, made by `_split`."""
    return part.id.count(":") > 1 and bool(part.repeats)


def _through(part: Part) -> list[Part]:
    """A part, the only part in it, the only one in that, and so on: these open together."""
    found = [part]
    while len(found[-1].parts) == 1:
        found.append(found[-1].parts[0])
    return found


# --- the tree ------------------------------------------------------------------------------------


def tree(program: Program) -> Part:
    """The parts of a program; the whole has the id ""."""
    return _Tree(program).root


class _Tree:
    """Builds the tree of parts. The nodes of a part are consecutive in `Program.order`."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.order = program.order
        self.rank = {i: rank for rank, i in enumerate(self.order)}
        self.calls: dict[str, int] = {}
        self.numbers: dict[Hashable, int] = {}  # equal things have equal numbers
        self.kinds = [self._number(self._kind(i)) for i in self.order]
        self.sources = [
            sorted(
                (edge.argument, self.rank[program.anchor(edge.producer)])
                for edge in program.into[i]
                if edge.producer not in program.stored
            )
            for i in self.order
        ]
        parts = self._parts(0, len(self.order), "", 0)
        self.root = Part("", "", tuple(self.order), parts)

    def _number(self, key: Hashable) -> int:
        return self.numbers.setdefault(key, len(self.numbers))

    def _kind(self, i: int) -> Hashable:
        """Equal for alike ops or leaves. Where their inputs come from does not count here."""
        node = self.program.nodes[i]
        held = [
            (edge.argument, _frozen(self.program.nodes[edge.producer].value, number=True))
            if self.program.nodes[edge.producer].role == "constant"
            else (edge.argument, np.shape(self.program.nodes[edge.producer].value))
            for edge in self.program.into[i]
            if edge.producer in self.program.stored
        ]
        options = tuple((name, _frozen(value)) for name, value in (node.options or {}).items())
        return (node.op or node.role, options, _frozen(node.value), tuple(held))

    def _parts(self, first: int, last: int, scope: str, level: int) -> tuple[Part, ...]:
        """The parts between two ranks in the order, all of them inside one module."""
        skip = len(scope) + 1 if scope else 0

        def name(rank: int) -> str | int:
            inner = self.program.scopes[self.order[rank]][skip:].partition(".")[0]
            return inner or rank  # an op of the module's own

        parts = []
        for inner, ranks in groupby(range(first, last), name):
            inside = list(ranks)
            start, end = inside[0], inside[-1] + 1
            if isinstance(inner, int):
                i = self.order[start]
                parts.append(Part(str(i), scope, (i,), level=level))
                continue
            full = f"{scope}.{inner}" if scope else inner
            call = self.calls[full] = self.calls.get(full, 0) + 1
            unique = f"scope:{full}" if call == 1 else f"scope:{full}@{self.order[start]}"
            nodes = tuple(self.order[start:end])
            within = self._parts(start, end, full, level + 1)
            parts.append(Part(unique, full, nodes, within, level + 1, call))
        return tuple(self._with_runs(parts, scope, level))

    def _with_runs(self, parts: Sequence[Part], scope: str, level: int) -> Iterator[Part]:
        """The parts; those that repeat are put into runs."""
        numbers = [self._number(self._signature([part])) for part in parts]
        at = 0
        while at < len(parts):
            unit, repeats = self._best_run(parts, numbers, at)
            inside = tuple(parts[at : at + unit * repeats])
            nodes = tuple(i for part in inside for i in part.nodes)
            if repeats < 2 or sum(map(self.program.is_op, nodes)) < _WORTH:
                yield parts[at]
                at += 1
                continue
            run = Part(f"run:{nodes[0]}-{nodes[-1]}", scope, nodes, inside, level, 0, repeats)
            weights = {tuple(self._weights(part)) for part in run.units}
            yield replace(run, shared=len(weights) == 1 and weights != {()})
            at += unit * repeats

    def _best_run(self, parts: Sequence[Part], numbers: list[int], at: int) -> tuple[int, int]:
        """Length of the repeated unit that covers most from here on, and how often it repeats."""
        best = (1, 1)
        for unit in range(1, min(_LONGEST, (len(parts) - at) // 2) + 1):
            repeats, end = 1, at + unit
            while numbers[end : end + unit] == numbers[at : at + unit]:
                repeats, end = repeats + 1, end + unit
            if repeats > 1 and unit * repeats > best[0] * best[1]:
                repeats = self._wired_alike(parts, at, unit, repeats)
                if repeats > 1 and unit * repeats > best[0] * best[1]:
                    best = (unit, repeats)
                if end - at >= len(parts) - at:
                    break
        return best

    def _wired_alike(self, parts: Sequence[Part], at: int, unit: int, repeats: int) -> int:
        """How many units have alike edges between their parts, too."""
        if unit == 1:
            return repeats
        pattern = self._signature(parts[at : at + unit])
        for k in range(1, repeats):
            if self._signature(parts[at + k * unit : at + (k + 1) * unit]) != pattern:
                return k
        return repeats

    def _signature(self, parts: Sequence[Part]) -> Hashable:
        """Equal for parts that do the same, wherever they are: ops, names inside, inner edges."""
        start = self.rank[parts[0].nodes[0]]
        said = []
        for part in parts:
            skip = len(part.scope)
            for i in part.nodes:
                rank = self.rank[i]
                wires = [
                    (argument, rank - source if source >= start else 0)
                    for argument, source in self.sources[rank]
                ]
                said.append((self.kinds[rank], self.program.scopes[i][skip:], tuple(wires)))
        return tuple(said)

    def _weights(self, unit: Sequence[Part]) -> list[int]:
        return self.program.parameters([i for part in unit for i in part.nodes])


def _frozen(value: Any, number: bool = False) -> Hashable:
    """A value for comparisons: an array counts by its shape and dtype, or by its single number."""
    if isinstance(value, tuple | list):
        return tuple(map(_frozen, value))
    if isinstance(value, np.ndarray | np.generic | Description):
        if number and value.size == 1:
            return float(value if isinstance(value, Description) else value.item())
        return (value.shape, str(value.dtype))
    return value if isinstance(value, Hashable) else repr(value)
