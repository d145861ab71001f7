"""The boxes and arrows of a graph of Tensors: a box an op, a closed module, or a closed run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tinygrad_cnn.engine.node import Node
from tinygrad_cnn.engine.op import OUTPUT
from tinygrad_cnn.recording.graph import Edge

from ..picture.style import kind_of
from .diagram import Arrow, Box, Group
from .facts import Facts
from .folding import Part, Shown
from .program import Program, count
from .words import (
    COMMUTATIVE,
    argument_name,
    listed,
    options_text,
    own_name,
    shape_text,
    tooltip,
    with_constant,
)


class TensorBoxes:
    """Decides the boxes, arrows and frames of a view of a program."""

    def __init__(
        self,
        program: Program,
        shown: Iterable[Shown],
        facts: Facts,
        known: dict[tuple[str, int, str], Box] | None = None,
    ) -> None:
        self.program = program
        self.known = {} if known is None else known  # boxes decided before, in other views
        self.nodes = program.nodes
        self.facts = facts
        self.shown = list(shown)
        at = {i: one.part.id for one in self.shown for i in one.part.nodes}
        self.place = [at[anchor] for anchor in program.anchors]

    def decide(self) -> tuple[list[Box], list[Arrow], list[Group]]:
        """Boxes in order of the program, arrows, and frames, outer ones first."""
        inside: dict[str, list[int]] = defaultdict(list)
        for i, place in enumerate(self.place):
            inside[place].append(i)
        folded: dict[str, list[Edge]] = defaultdict(list)
        between: dict[tuple[Any, ...], list[Edge]] = defaultdict(list)
        is_closed = {one.part.id: self._is_closed(one.part) for one in self.shown}
        for edge in self.program.edges:
            source, target = self.place[edge.producer], self.place[edge.consumer]
            if edge.producer in self.program.stored or source == target:
                folded[target].append(edge)
            elif is_closed[source] or is_closed[target]:
                between[source, target].append(edge)  # one arrow between modules
            else:
                between[source, target, edge].append(edge)
        groups, group_of = self._frames()
        scope_of = {group.name: group.scope for group in groups}
        boxes = []
        for one in self.shown:
            part, name = one.part, one.part.id
            around = scope_of.get(group_of[name], "")
            key = (name, len(part.nodes), around)
            if key not in self.known:
                self.known[key] = self._box(part, inside[name], around)
            boxes.append(
                replace(
                    self.known[key],
                    id=name,
                    group=group_of[name],
                    nodes=tuple(inside[name]),
                    folded=tuple(folded[name]),
                )
            )
        arrows = [
            self._arrow(source, target, edges, plain=is_closed[target])
            for (source, target, *_), edges in between.items()
        ]
        return boxes, arrows, groups

    def _is_closed(self, part: Part) -> bool:
        """Whether a box stands for a module or run. If that is a single op, the op is drawn."""
        return len(part.nodes) > 1

    # --- frames ------------------------------------------------------------------------------

    def _frames(self) -> tuple[list[Group], dict[str, str]]:
        """A frame around each open part that holds at least two boxes; and each box's frame.

        Of frames around the same boxes, the innermost stays.
        """
        members: dict[str, list[str]] = defaultdict(list)
        parts: dict[str, Part] = {}
        inner: dict[str, set[str]] = defaultdict(set)
        for one in self.shown:
            for k, part in enumerate(one.around):
                parts[part.id] = part
                members[part.id].append(one.part.id)
                inner[part.id].update(p.id for p in one.around[k + 1 :])
        kept = {
            name
            for name in parts
            if len(members[name]) >= 2
            and not any(len(members[other]) == len(members[name]) for other in inner[name])
        }
        groups: dict[str, Group] = {}
        group_of = {}
        for one in self.shown:
            around = ""
            for part in one.around:
                if part.id not in kept:
                    continue
                if part.id not in groups:
                    scope = groups[around].scope if around else ""
                    name = self._name(part, scope)
                    groups[part.id] = Group(part.id, name, around, part.scope)
                around = part.id
            group_of[one.part.id] = around
        return list(groups.values()), group_of

    def _name(self, part: Part, around: str) -> str:
        """A part's name within a frame: "branch.conv1", "block (call 2)", "1 … 35: 35 alike"."""
        if part.repeats:
            fills = part.scope != around  # a whole module, whose frame it therefore replaces
            name = below(part.scope, around) if fills else self._span(part, around)
            return f"{name}: {part.times}"
        call = f" (call {part.call})" if part.call > 1 else ""
        return below(part.scope, around) + call

    def _span(self, run: Part, around: str) -> str:
        """What a run spans: its first and last module, or, without modules, the ops of a unit."""
        first, last = run.parts[0], run.parts[-1]
        if first.call and last.call:
            names = [below(part.scope, around) for part in (first, last)]
            return names[0] if names[0] == names[1] else " … ".join(names)
        return listed(self._words(run.units[0]), 4)

    def _words(self, unit: Sequence[Part]) -> list[str]:
        """The names of the ops of some parts, each once."""
        ops = [self.nodes[i].op for part in unit for i in part.nodes if self.program.is_op(i)]
        return list(dict.fromkeys(op.name for op in ops if op is not None))

    # --- what boxes say ----------------------------------------------------------------------

    def _box(self, part: Part, ids: list[int], around: str) -> Box:
        if self._is_closed(part):
            return self._closed(part, ids, around)
        (i,) = part.nodes
        if self.nodes[i].op is None:
            return self._leaf(i)
        tag = below(self.program.scopes[i], around)
        if part.call > 1:
            tag += f" (call {part.call})"
        return replace(self._op(i), tag=tag)

    def _leaf(self, i: int) -> Box:
        node = self.nodes[i]
        return Box(
            "",
            self.facts.name(node) or node.role,
            lines=(self.facts.shape(node), *self.facts.of_box(self.program, [i], [node])),
            kind=kind_of(node),
            rounded=True,
            tooltip=tooltip(node),
        )

    def _op(self, i: int) -> Box:
        node = self.nodes[i]
        assert node.op is not None
        outputs = self.program.outputs(i)
        failed = self.facts.failed([node])
        lines = [self.facts.name(node), options_text(node), *self._stored_lines(i)]
        if not self.facts.has_no_result(node):
            lines += map(self.facts.result, outputs)
            lines += self.facts.of_box(self.program, [i], outputs)
        said = tuple(line for line in [*lines, *failed] if line)
        kind = "failed" if failed else kind_of(node)
        return Box("", node.op.name, lines=said, kind=kind, tooltip=tooltip(node))

    def _closed(self, part: Part, ids: list[int], around: str) -> Box:
        ops = [i for i in ids if self.program.is_op(i)]
        single = part if part.repeats else part.parts[0] if len(part.parts) == 1 else part
        each = len(ops) // single.repeats if single.repeats else len(ops)
        title = self._span(part, around) if part.repeats else self._name(part, around)
        words = self._words(single.units[0]) if single.repeats else []
        if 0 < len(words) <= 3:
            lines = [f"each {', '.join(words)}"]
        else:
            lines = [f"{each} op{'s' * (each != 1)}" + (" each" if single.repeats else "")]
        learned = self.program.parameters(ids)
        if learned:
            lines.append(f"{count(self.nodes, learned):,} parameters")
        outputs = self._leaving(part, ids)
        failed = self.facts.failed([self.nodes[i] for i in ids])
        if not failed:
            lines += dict.fromkeys(map(self.facts.result, outputs))
        lines += self.facts.of_box(self.program, ids, outputs) + failed
        names = ", ".join(self.nodes[i].op.name for i in ops[:40])  # type: ignore[union-attr]
        return Box(
            "",
            title,
            tag=single.times,
            lines=tuple(lines),
            kind="module",
            stacked=bool(single.repeats),
            tooltip=f"{part.scope}: {names}" if part.scope else names,
        )

    def _stored_lines(self, i: int) -> list[str]:
        """A line for each parameter, buffer or constant that op i uses."""
        node = self.nodes[i]
        lines = []
        for edge in self.program.into[i]:
            if edge.producer not in self.program.stored:
                continue
            origin, view = self.program.origin(edge.producer)
            leaf = self.nodes[origin]
            if leaf.role == "constant" and np.size(leaf.value) == 1:
                lines.append(with_constant(node, edge.argument, leaf.value))
            else:
                name = own_name(leaf) or argument_name(node, edge.argument)
                lines.append(f"{name} {shape_text(leaf)}{view}")
        return lines

    def _leaving(self, part: Part, ids: list[int]) -> list[Node]:
        """The outputs of a closed part: results, and values that are used outside it."""
        program = self.program
        found = []
        for i in ids:
            if i in program.stored:
                continue
            if program.out_of[i]:
                leaves = any(self.place[edge.consumer] != part.id for edge in program.out_of[i])
            elif self.nodes[i].op is OUTPUT:
                leaves = self.nodes[i] in program.outputs(program.into[i][0].producer)
            else:
                leaves = i in program.wanted
            if leaves:
                found.append(self.nodes[i])
        return found

    # --- arrows ------------------------------------------------------------------------------

    def _arrow(self, source: str, target: str, edges: list[Edge], plain: bool) -> Arrow:
        values = dict.fromkeys(edge.producer for edge in edges)
        if len(values) > 1:
            label = f"{len(values)} values"
        else:
            label = "" if plain else self._role_of(edges[0])
        said = "; ".join(dict.fromkeys(tooltip(self.nodes[i]) for i in list(values)[:20]))
        return Arrow(source, target, tuple(edges), label, tooltip=said)

    def _role_of(self, edge: Edge) -> str:
        """Words beside an arrow, where the op has several inputs or outputs: "skip", "output 1"."""
        program = self.program
        words = []
        producer, consumer = self.nodes[edge.producer], self.nodes[edge.consumer]
        if producer.op is OUTPUT:
            whole = program.into[edge.producer][0].producer
            if len(program.outputs(whole)) > 1:
                words.append(f"output {(producer.options or {})['index']}")
        given = [
            other for other in program.into[edge.consumer] if other.producer not in program.stored
        ]
        if len(given) > 1 and consumer.op is not None and consumer.op.name not in COMMUTATIVE:
            words.append(argument_name(consumer, edge.argument))
        return ", ".join(words)


def below(scope: str, around: str) -> str:
    """A scope's name relative to one around it: "a.b.c" below "a" is "b.c"."""
    return scope[len(around) :].lstrip(".") if around else scope
