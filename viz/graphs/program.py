"""`Program`: which nodes of a graph of Tensors get a box, in which order, and what is inside.

Parameters, buffers and constants stand inside the box of the op that uses them, and so do views of
them (a transposed weight) and the picked outputs of an op that has several.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_cnn.engine.node import Node
from tinygrad_cnn.engine.op import OUTPUT
from tinygrad_cnn.recording.graph import Edge, Graph

STORED = {"parameter", "buffer", "constant"}


class Program:
    """A graph, sorted into boxes.

    Attributes:
        nodes, edges: the graph's.
        into, out_of: edges by consumer, and by producer.
        stored: ids of the leaves and views that stand inside the op that uses them.
        anchors: for each node, the one in whose box it stands.
        scopes: each node's module; for parameters and stored nodes, that of their first user.
        order: ids of the nodes with a box of their own. What one module call computes is
            consecutive; a leaf comes right before the module, or op, that first uses it.
    """

    def __init__(
        self, graph: Graph, parameters: bool = False, sides: Sequence[str] | None = None
    ) -> None:
        self.graph = graph
        self.nodes = graph.nodes
        self.edges = graph.edges
        self.into: dict[int, list[Edge]] = defaultdict(list)
        self.out_of: dict[int, list[Edge]] = defaultdict(list)
        for edge in self.edges:
            self.into[edge.consumer].append(edge)
            self.out_of[edge.producer].append(edge)
        self.wanted = {graph.id(node) for node in graph.outputs}
        self.stored = self._find_stored({"constant"} if parameters else STORED)
        self.scopes = self._find_scopes(sides)
        self.anchors = [self.anchor(i) for i in range(len(self.nodes))]
        self.order = self._find_order()

    def _find_stored(self, roles: set[str]) -> set[int]:
        stored: set[int] = set()
        for i, node in enumerate(self.nodes):
            if i in self.wanted or not self.out_of[i]:
                continue
            if node.op is None:
                is_stored = node.role in roles
            else:  # a view: what a single-input op made of such a leaf
                parents = [edge.producer for edge in self.into[i]]
                is_stored = len(parents) == 1 and parents[0] in stored and node.op is not OUTPUT
            if is_stored and type(node.value) is not tuple:
                stored.add(i)
        return stored

    def _find_scopes(self, sides: Sequence[str] | None) -> list[str]:
        scopes = [node.scope for node in self.nodes]
        if sides is not None:
            scopes = [".".join(filter(None, both)) for both in zip(sides, scopes, strict=True)]
        for i in reversed(range(len(self.nodes))):
            if self.nodes[i].role in STORED and self.out_of[i]:
                scopes[i] = scopes[self.out_of[i][0].consumer]
        return scopes

    def _find_order(self) -> list[int]:
        leaves: dict[int, list[int]] = defaultdict(list)  # by the rank of the op after them
        starts: list[int] = []  # rank at which the module call at each level of nesting began
        modules: list[str] = []
        ops: list[int] = []
        placed: set[int] = set()
        for i, node in enumerate(self.nodes):
            if node.op in (None, OUTPUT) or i in self.stored:
                continue
            names = self.scopes[i].split(".") if self.scopes[i] else []
            same = _common(names, modules)
            starts[same:] = [len(ops)] * (len(names) - same)
            modules = names
            for edge in self.into[i]:
                leaf = self.anchor(edge.producer)
                if self.nodes[leaf].op is None and leaf not in placed:
                    placed.add(leaf)
                    around = self.scopes[leaf].split(".") if self.scopes[leaf] else []
                    outside = _common(names, around)
                    before = starts[outside] if outside < len(names) else len(ops)
                    leaves[before].append(leaf)
            ops.append(i)
        order = []
        for rank, i in enumerate(ops):
            order += [*leaves[rank], i]
        alone = [
            i
            for i, node in enumerate(self.nodes)
            if node.op is None and i not in self.stored and i not in placed
        ]
        return order + alone

    # --- asking ----------------------------------------------------------------------------------

    def anchor(self, i: int) -> int:
        """The node in whose box node i stands."""
        while True:
            if i in self.stored:
                i = self.out_of[i][0].consumer
            elif self.nodes[i].op is OUTPUT and self.into[i]:
                i = self.into[i][0].producer
            else:
                return i

    def is_op(self, i: int) -> bool:
        """Whether node i is an op with a box of its own (unless folded), rather than a leaf."""
        return self.nodes[i].op not in (None, OUTPUT) and i not in self.stored

    def origin(self, i: int) -> tuple[int, str]:
        """The leaf behind a stored node, and how it was viewed, e.g. "ᵀ"."""
        view = ""
        while (op := self.nodes[i].op) is not None:
            view = ("ᵀ" if op.name == "transpose" else f", {op.name}") + view
            i = self.into[i][0].producer
        return i, view

    def outputs(self, i: int) -> list[Node]:
        """The outputs of the box of op i. If the op has several, those that are used."""
        node = self.nodes[i]
        if type(node.value) is not tuple:
            return [node]
        outputs = [edge.consumer for edge in self.out_of[i]]
        used = [j for j in outputs if self.out_of[j]] or outputs
        return [self.nodes[j] for j in used]

    def held(self, i: int) -> list[int]:
        """The leaves stored in the box of op i, in the order of its arguments."""
        return [self.origin(e.producer)[0] for e in self.into[i] if e.producer in self.stored]

    def parameters(self, ids: Sequence[int]) -> list[int]:
        """The parameters that some nodes use, each once, in order of first use."""
        used = [
            self.origin(edge.producer)[0] if edge.producer in self.stored else edge.producer
            for i in ids
            for edge in self.into[i]
        ]
        return list(dict.fromkeys(i for i in used if self.nodes[i].role == "parameter"))


def count(nodes: Sequence[Node], ids: Sequence[int]) -> int:
    """How many numbers some nodes hold together."""
    return sum(int(np.size(nodes[i].value)) for i in ids)


def _common(a: Sequence[Any], b: Sequence[Any]) -> int:
    """How many entries at their beginning two sequences have in common."""
    same = 0
    for one, other in zip(a, b, strict=False):
        if one != other:
            break
        same += 1
    return same
