"""A network as a row of arrays: what `architecture` draws, decided as plain data.

Convolutions, pooling and dense layers make new arrays; what keeps an array's size (activations,
batch norm, residual additions) belongs to the array. So a network is a list of `Volume`s and
`Link`s between them; a shortcut is a link that skips some volumes.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np

from tinygrad_cnn.engine.node import Node
from tinygrad_cnn.recording.graph import Graph

from ..picture.style import kind_of

PAGE = 24  # if there are more volumes, modules become one each, and so do alike ones in a row
_SAME = {"activation", "normalization", "elementwise"}
_WORDS = {
    "relu": "ReLU",
    "tanh": "tanh",
    "linear": "dense",
    "matmul": "dense",
    "residual_add": "+",
    "add": "+",
    "getitem": "subsample",
}


@dataclass(frozen=True)
class Volume:
    """One array of a network, and how it was made.

    Attributes:
        shape: of one example: (C, H, W), (C, L) or (F,).
        words: the ops that made it, in order, such as "conv 5×5", "pad 2", "ReLU".
        kind: of the op that made it (a key of `KINDS`).
        scope: dotted name of the layer.
        parameters: ids of the parameter nodes that went into it.
        repeats: for how many alike volumes in a row it stands.
    """

    shape: tuple[int, ...]
    words: tuple[str, ...]
    kind: str
    scope: str = ""
    parameters: tuple[int, ...] = ()
    repeats: int = 1


@dataclass(frozen=True)
class Link:
    """From one volume to another.

    Attributes:
        source, target: their indices; the same for shortcuts inside a volume that stands for many.
        words: what a shortcut does on its way; nothing for an identity.
        shortcut: whether it ends in an addition.
    """

    source: int
    target: int
    words: tuple[str, ...] = ()
    shortcut: bool = False


@dataclass(frozen=True)
class Architecture:
    """A network: its volumes in order, links between them, and sizes of the parameters by id."""

    volumes: tuple[Volume, ...]
    links: tuple[Link, ...]
    sizes: dict[int, int]

    def count(self, volume: Volume) -> int:
        """How many learned numbers went into a volume."""
        return sum(self.sizes[i] for i in volume.parameters)


def architecture_of(graph: Graph) -> Architecture:
    """The architecture behind the graph of one run."""
    found = _Reading(graph).architecture()
    if len(found.volumes) > PAGE:
        deepest = max(volume.scope.count(".") for volume in found.volumes) + 1
        for depth in range(deepest, 0, -1):
            folded = _runs(_by_module(found, depth))
            if len(folded.volumes) <= PAGE:
                return folded
        return folded
    return found


class _Reading:
    """Reads the volumes and links off a graph, op by op."""

    def __init__(self, graph: Graph) -> None:
        self.nodes = graph.nodes
        self.index = {node: i for i, node in enumerate(graph.nodes)}
        self.made: list[Volume] = []
        self.links: list[Link] = []
        self.home: dict[Node, int] = {}  # the volume that a node's value is, or comes from
        self.flows: set[Node] = set()  # what depends on an input
        for node in self.nodes:
            if node.role == "input" or any(p in self.flows for p in node.inputs if p is not None):
                self.flows.add(node)
        self.detour = self._detours()

    def architecture(self) -> Architecture:
        sizes = {
            i: int(np.size(node.value))
            for i, node in enumerate(self.nodes)
            if node.role == "parameter"
        }
        for node in self.nodes:
            self._read(node)
        links = dict.fromkeys(link for link in self.links if link.source != link.target)
        return Architecture(tuple(self.made), tuple(links), sizes)

    def _read(self, node: Node) -> None:
        data = self._data(node)
        if node.op is None:
            if node.role == "input":
                self.home[node] = len(self.made)
                name = (node.name or "input").strip()
                self.made.append(Volume(_shape(node), (name,), "input"))
            return
        if not data:  # it depends on parameters alone
            return
        if node in self.detour:
            self.home[node] = self.home[data[0]]  # it is written where the shortcut ends
            return
        homes = [self.home[parent] for parent in data if parent in self.home]
        if _is_addition(node, data):
            skip, branch = self._sides(node, data)
            at = self.home[node] = self.home[branch]
            words, parameters = self._on_the_way(skip)
            self.links.append(Link(self.home[skip], at, words, shortcut=True))
            self._extend(at, node, parameters)
            return
        alike = np.shape(node.value) == np.shape(data[0].value)
        moves = kind_of(node) == "shape" and len(data) == 1 and not self._learned(node)
        if moves or node.op.name == "output":
            self.home[node] = homes[0]
        elif alike and kind_of(node) in _SAME and len(data) == 1 and homes[0]:
            self.home[node] = homes[0]  # the input, volume 0, stays as it is
            self._extend(homes[0], node)
        else:
            at = self.home[node] = len(self.made)
            self.made.append(
                Volume(_shape(node), _words(node), kind_of(node), node.scope, self._learned(node))
            )
            self.links += [Link(home, at) for home in dict.fromkeys(homes)]

    def _extend(self, at: int, node: Node, parameters: Sequence[int] = ()) -> None:
        volume = self.made[at]
        learned = (*volume.parameters, *self._learned(node), *parameters)
        self.made[at] = replace(
            volume,
            words=(*volume.words, *_words(node)),
            parameters=tuple(dict.fromkeys(learned)),
        )

    def _on_the_way(self, skip: Node) -> tuple[tuple[str, ...], list[int]]:
        """What a shortcut does, and its parameters."""
        words: list[str] = []
        learned: list[int] = []
        node: Node | None = skip
        while node is not None and node in self.detour:
            words = [*_words(node), *words]
            learned += self._learned(node)
            node = next(iter(self._data(node)), None)
        return tuple(words), learned

    def _learned(self, node: Node) -> tuple[int, ...]:
        """An op's parameters, also those behind an input that depends on parameters alone."""
        found: list[int] = []
        stack = [p for p in node.inputs if p is not None]
        while stack:
            parent = stack.pop()
            if parent.role == "parameter":
                found.append(self.index[parent])
            elif parent.op is not None and not self._data(parent):
                stack += [p for p in parent.inputs if p is not None]
        return tuple(sorted(dict.fromkeys(found)))

    def _data(self, node: Node) -> list[Node]:
        """The inputs that depend on the network's input."""
        return [p for p in node.inputs if p is not None and p in self.flows]

    def _detours(self) -> set[Node]:
        """Ops on shortcuts: between a split and an addition, on the side with fewer ops."""
        found: set[Node] = set()
        for node in self.nodes:
            data = self._data(node)
            if node.op is not None and _is_addition(node, data):
                skip, branch = self._sides(node, data)
                inside = self._before(branch)
                at: Node | None = skip
                while at is not None and at not in inside and at.op is not None:
                    found.add(at)
                    at = next(iter(self._data(at)), None)
        return found

    def _sides(self, node: Node, data: Sequence[Node]) -> tuple[Node, Node]:
        """Shortcut and branch of an addition."""
        if node.op is not None and node.op.name == "residual_add":
            return data[0], data[1]
        first, second = data
        if first in self._before(second):
            return first, second
        if second in self._before(first):
            return second, first
        lengths = [len(self._before(a) - self._before(b)) for a, b in (data, data[::-1])]
        return (first, second) if lengths[0] <= lengths[1] else (second, first)

    def _before(self, node: Node) -> set[Node]:
        """A node, and all nodes before it that depend on the input."""
        found: set[Node] = set()
        stack = [node]
        while stack:
            at = stack.pop()
            if at not in found:
                found.add(at)
                stack += self._data(at)
        return found


def _is_addition(node: Node, data: Sequence[Node]) -> bool:
    assert node.op is not None
    alike = len(data) == 2 and np.shape(data[0].value) == np.shape(data[1].value)
    return alike and node.op.name in ("add", "residual_add")


def _shape(node: Node) -> tuple[int, ...]:
    """The shape of one example."""
    shape = np.shape(node.value)
    return tuple(shape[1:]) if len(shape) > 1 else tuple(shape)


def _words(node: Node) -> tuple[str, ...]:
    """An op as a textbook names it."""
    assert node.op is not None
    name, options = node.op.name, node.options or {}
    if name.startswith("conv"):
        weight = node.inputs[1]
        kernel = "×".join(map(str, np.shape(weight.value)[2:])) if weight is not None else ""
        kind = "transposed conv" if "transpose" in name else "conv"
        groups = options.get("groups", 1)
        return (
            f"{kind} {kernel}",
            *_stepping(options, 1),
            *([f"{groups} groups"] if groups != 1 else []),
        )
    if name.startswith(("max_pool", "avg_pool")):
        kernel = options.get("kernel_size", ())
        size = "×".join(map(str, kernel)) if isinstance(kernel, tuple) else str(kernel)
        return (f"{name[:3]} pool {size}", *_stepping(options, kernel))
    if name.startswith("batch_norm"):
        return ("BN",)
    if name == "mean":
        return ("average",)
    if name == "add" and any(p is not None and p.role == "parameter" for p in node.inputs):
        return ("bias",)
    return (_WORDS.get(name, name.replace("_", " ")),)


def _stepping(options: dict[str, Any], usual: Any) -> list[str]:
    """Stride and padding, where they are not the usual ones."""
    found = []
    stride = _one(options.get("stride", usual))
    if stride != _one(usual):
        found.append(f"stride {stride}")
    padding = _one(options.get("padding", 0))
    if padding != 0:
        found.append(f"pad {padding}")
    return found


def _one(value: Any) -> Any:
    """One number for a tuple of equal ones."""
    while isinstance(value, tuple) and value:
        if len(set(value)) > 1:
            return ",".join(str(_one(part)) for part in value)
        value = value[0]
    return value


# --- folding -------------------------------------------------------------------------------------


def _merged(found: Architecture, groups: Sequence[Sequence[int]], repeats: bool) -> Architecture:
    """Each group of consecutive volumes as one. A shortcut inside a group links it to itself."""
    of = {i: k for k, group in enumerate(groups) for i in group}
    volumes = []
    for group in groups:
        parts = [found.volumes[i] for i in group]
        learned = tuple(dict.fromkeys(i for part in parts for i in part.parameters))
        if len(parts) == 1:
            volumes.append(parts[0])
        elif repeats:
            count = sum(part.repeats for part in parts)
            volumes.append(replace(parts[-1], parameters=learned, repeats=count))
        else:
            words = tuple(word for part in parts for word in part.words)
            volumes.append(replace(parts[-1], words=words, parameters=learned, kind="module"))
    links = []
    for link in found.links:
        source, target = of[link.source], of[link.target]
        if source != target or link.shortcut:
            links.append(replace(link, source=source, target=target))
    if repeats:  # shortcuts between alike volumes become one, over the volume that stands for all
        links = [
            replace(link, source=link.target)
            if link.shortcut and volumes[link.target].repeats > 1
            else link
            for link in links
        ]
    return Architecture(tuple(volumes), tuple(dict.fromkeys(links)), found.sizes)


def _by_module(found: Architecture, depth: int) -> Architecture:
    """The volumes of each module at some depth merged into one."""

    def key(i: int) -> Hashable:
        names = found.volumes[i].scope.split(".")
        return tuple(names[:depth]) if len(names) >= depth and names != [""] else i

    groups = [list(group) for _, group in groupby(range(len(found.volumes)), key)]
    return _merged(found, groups, repeats=False)


def _runs(found: Architecture) -> Architecture:
    """Alike volumes that follow one another merged into one."""

    def key(i: int) -> Hashable:
        volume = found.volumes[i]
        return (volume.shape, volume.words, volume.kind)

    groups = [list(group) for _, group in groupby(range(len(found.volumes)), key)]
    return _merged(found, groups, repeats=True)
