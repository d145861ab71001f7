"""The boxes and arrows of a graph of Tensors: a box an op, with what it stores inside."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Any

import numpy as np

from tinygrad_cnn.graph import Edge, Graph, Node
from tinygrad_cnn.op import OUTPUT

from .diagram import Arrow, Box
from .style import kind_of
from .words import (
    COMMUTATIVE,
    argument_name,
    options_text,
    own_name,
    shape_text,
    tooltip,
    with_constant,
)

STORED = {"parameter", "buffer", "constant"}


class TensorBoxes:
    """Decides the boxes and arrows of a graph of Tensors."""

    def __init__(self, graph: Graph, parameters: bool, depth: int | None) -> None:
        self.graph = graph
        self.nodes = graph.nodes
        self.depth = depth
        self.into: dict[int, list[Edge]] = defaultdict(list)
        self.out_of: dict[int, list[Edge]] = defaultdict(list)
        self.edges = graph.edges
        for edge in self.edges:
            self.into[edge.consumer].append(edge)
            self.out_of[edge.producer].append(edge)
        self.wanted = {graph.id(node) for node in graph.outputs}
        self.stored = self._find_stored({"constant"} if parameters else STORED)
        self.scopes = self._find_scopes()
        self.place = self._find_places()

    def _find_stored(self, roles: set[str]) -> set[int]:
        """Nodes that stand inside the box that uses them: leaves of these roles, and views.

        A view is what a single-input op made of such a leaf, e.g. a transposed weight.
        """
        stored: set[int] = set()
        for i, node in enumerate(self.nodes):
            if i in self.wanted or not self.out_of[i]:
                continue
            if node.op is None:
                is_stored = node.role in roles
            else:
                parents = [edge.producer for edge in self.into[i]]
                is_stored = len(parents) == 1 and parents[0] in stored and node.op is not OUTPUT
            if is_stored and type(node.value) is not tuple:
                stored.add(i)
        return stored

    def _find_scopes(self) -> list[str]:
        """Each node's module; a parameter's is that of the first op that uses it."""
        scopes = [node.scope for node in self.nodes]
        for i in reversed(range(len(self.nodes))):
            if self.nodes[i].role in STORED and self.out_of[i]:
                scopes[i] = scopes[self.out_of[i][0].consumer]
        return scopes

    def _find_places(self) -> list[str]:
        """The box that each node is in."""
        places = [""] * len(self.nodes)
        for i in reversed(range(len(self.nodes))):
            node = self.nodes[i]
            if i in self.stored:
                places[i] = places[self.out_of[i][0].consumer]
            elif node.op is OUTPUT and self.into[i]:
                places[i] = self._home(self.into[i][0].producer)
            else:
                places[i] = self._home(i)
        return places

    def _home(self, i: int) -> str:
        parts = self.scopes[i].split(".")
        if self.depth and self.scopes[i] and len(parts) >= self.depth:
            return "scope:" + ".".join(parts[: self.depth])
        return str(i)

    def decide(self) -> tuple[list[Box], list[Arrow], dict[str, str]]:
        """Boxes in order of creation, arrows, and the module that each box belongs to."""
        inside: dict[str, list[int]] = defaultdict(list)
        for i, place in enumerate(self.place):
            inside[place].append(i)
        folded: dict[str, list[Edge]] = defaultdict(list)
        between: dict[tuple[Any, ...], list[Edge]] = defaultdict(list)
        for edge in self.edges:
            source, target = self.place[edge.producer], self.place[edge.consumer]
            if edge.producer in self.stored or source == target:
                folded[target].append(edge)
            elif source.startswith("scope:") or target.startswith("scope:"):
                between[source, target].append(edge)  # one arrow between modules
            else:
                between[source, target, edge].append(edge)
        boxes: list[Box] = []
        scopes: dict[str, str] = {}
        for name, ids in sorted(inside.items(), key=self._first):
            ops = self._ops(ids)
            if name.startswith("scope:") and len(ops) == 1:  # no module is shorter than its op
                box, scopes[name] = self._op_or_leaf(ops[0]), self.scopes[ops[0]]
            elif name.startswith("scope:"):
                scope = name.removeprefix("scope:")
                box, scopes[name] = self._module(scope, ids, ops), scope
            else:
                box, scopes[name] = self._op_or_leaf(int(name)), self.scopes[int(name)]
            boxes.append(replace(box, id=name, nodes=tuple(ids), folded=tuple(folded[name])))
        arrows = [self._arrow(key[0], key[1], edges) for key, edges in between.items()]
        return boxes, arrows, scopes

    # --- what they say -----------------------------------------------------------------------

    def _op_or_leaf(self, i: int) -> Box:
        node = self.nodes[i]
        if node.op is None:
            title = own_name(node) or node.role
            return Box(
                "",
                title,
                lines=(shape_text(node),),
                kind=kind_of(node),
                rounded=True,
                tooltip=tooltip(node),
            )
        lines = [own_name(node)] if own_name(node) else []
        lines += [options_text(node)] if options_text(node) else []
        lines += self._stored_lines(i)
        lines += [f"→ {shape_text(output)}" for output in self._outputs(i)]
        return Box("", node.op.name, lines=tuple(lines), kind=kind_of(node), tooltip=tooltip(node))

    def _first(self, item: tuple[str, list[int]]) -> int:
        """Sorts boxes by when the program came to them; parameters were there before."""
        return next(i for i in item[1] if i not in self.stored)

    def _ops(self, ids: list[int]) -> list[int]:
        """Those that are ops with a box of their own, unless folded."""
        return [i for i in ids if self.nodes[i].op not in (None, OUTPUT) and i not in self.stored]

    def _module(self, scope: str, ids: list[int], ops: list[int]) -> Box:
        learned = {
            edge.producer
            for i in ids
            for edge in self.into[i]
            if self.nodes[edge.producer].role == "parameter"
        }
        lines = [f"{len(ops)} ops"]
        if learned:
            size = sum(int(np.size(self.nodes[i].value)) for i in learned)
            lines.append(f"{size:,} parameters")
        leaving = [i for i in ids if i not in self.stored and self._leaves(i, scope)]
        shapes = [shape_text(self.nodes[i]) for i in leaving]
        lines += [f"→ {shape}" for shape in dict.fromkeys(shapes)]
        names = ", ".join(self.nodes[i].op.name for i in ops[:40])  # type: ignore[union-attr]
        return Box("", scope, lines=tuple(lines), kind="module", tooltip=f"{scope}: {names}")

    def _stored_lines(self, i: int) -> list[str]:
        """A line for each parameter, buffer or constant that op i uses."""
        node = self.nodes[i]
        lines = []
        for edge in self.into[i]:
            if edge.producer not in self.stored:
                continue
            leaf, view = self.origin(edge.producer)
            if leaf.role == "constant" and np.size(leaf.value) == 1:
                lines.append(with_constant(node, edge.argument, leaf.value))
            else:
                name = own_name(leaf) or argument_name(node, edge.argument)
                lines.append(f"{name} {shape_text(leaf)}{view}")
        return lines

    def origin(self, i: int) -> tuple[Node, str]:
        """The leaf behind a stored node, and how it was viewed, e.g. "ᵀ"."""
        view = ""
        while (node := self.nodes[i]).op is not None:
            name = node.op.name
            view = ("ᵀ" if name == "transpose" else f", {name}") + view
            i = self.into[i][0].producer
        return node, view

    def _outputs(self, i: int) -> list[Node]:
        """What the box of op i gives: itself, or those of its several outputs that are used."""
        node = self.nodes[i]
        if type(node.value) is not tuple:
            return [node]
        outputs = [edge.consumer for edge in self.out_of[i]]
        used = [j for j in outputs if self.out_of[j]] or outputs
        return [self.nodes[j] for j in used]

    def _leaves(self, i: int, scope: str) -> bool:
        """Whether a folded module's node i is used outside, or a result (no unused output is)."""
        if self.out_of[i]:
            return any(self.place[edge.consumer] != f"scope:{scope}" for edge in self.out_of[i])
        if self.nodes[i].op is OUTPUT:
            return self.nodes[i] in self._outputs(self.into[i][0].producer)
        return i in self.wanted

    def _arrow(self, source: str, target: str, edges: list[Edge]) -> Arrow:
        values = {edge.producer for edge in edges}
        if len(values) > 1:
            label = f"{len(values)} values"
        else:
            label = "" if target.startswith("scope:") else self._role_of(edges[0])
        said = "; ".join(dict.fromkeys(tooltip(self.nodes[edge.producer]) for edge in edges))
        return Arrow(source, target, tuple(edges), label, tooltip=said)

    def _role_of(self, edge: Edge) -> str:
        """What the value is to the op, where that is not plain: "skip", or "output 1"."""
        words = []
        producer, consumer = self.nodes[edge.producer], self.nodes[edge.consumer]
        if producer.op is OUTPUT and len(self._outputs(self.into[edge.producer][0].producer)) > 1:
            words.append(f"output {(producer.options or {})['index']}")
        shown = [other for other in self.into[edge.consumer] if other.producer not in self.stored]
        if len(shown) > 1 and consumer.op is not None and consumer.op.name not in COMMUTATIVE:
            words.append(argument_name(consumer, edge.argument))
        return ", ".join(words)
