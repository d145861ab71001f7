"""The walk over a recorded graph: how each op reads its inputs, and which field follows.

Each op that has a rule reads its inputs by a `Step` along each axis. A field goes forward through
the steps; what one element depends on goes back through them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..engine.node import Node
from ..errors import GraphError
from ..recording.graph import Graph

Index = tuple[int, ...]
Cells = tuple[frozenset[int], ...]  # along each spatial axis


@dataclass(frozen=True)
class Axis:
    """A receptive field along one axis: see `field.py`. With a jump of 0, all elements have it."""

    size: int = 1
    jump: int = 1
    start: int = 0

    def span(self, i: int) -> tuple[int, int]:
        """The first cell and the last that element i depends on; outside the image is padding."""
        first = self.start + i * self.jump
        return first, first + self.size - 1


@dataclass(frozen=True)
class Step:
    """Which elements of its input an op reads along one axis: a window, or all of them."""

    kernel: int = 1
    stride: int = 1
    before: int = 0
    dilation: int = 1
    whole: bool = False

    def field(self, axis: Axis, n: int) -> Axis:
        """The field of the output, from that of the input, which has n elements."""
        if self.whole:
            return Axis((n - 1) * axis.jump + axis.size, 0, axis.start)
        return Axis(
            axis.size + (self.kernel - 1) * self.dilation * axis.jump,
            axis.jump * self.stride,
            axis.start - self.before * axis.jump,
        )

    def back(self, cells: frozenset[int], n: int) -> frozenset[int]:
        """The input elements, of n, that some output elements read."""
        if self.whole:
            return frozenset(range(n))
        read = (
            i * self.stride + a * self.dilation - self.before
            for i in cells
            for a in range(self.kernel)
        )
        return frozenset(q for q in read if 0 <= q < n)


WINDOWS = ("conv", "locally_connected", "max_pool", "avg_pool", "adaptive_")
_POINTWISE = {
    "astype",
    "batch_norm_eval",
    "concatenate",
    "dropout_mask",
    "log_softmax",
    "residual_add",
    "softmax",
}
_REDUCING = {"sum", "mean", "max", "min", "prod", "var", "std", "norm", "logsumexp"}


class Walk:
    """Grids, steps and fields of all nodes that depend on x.

    Every node has a grid of places, with as many axes as the image has spatial ones. They are its
    own spatial axes, or, after flattening, those from before it. Where an op has read all places,
    the grid is a single one.
    """

    def __init__(self, graph: Graph, x: Node) -> None:
        self.nodes, self.x = graph.nodes, x
        self.d = len(x.shape) - 2
        self.grids: dict[Node, Index] = {x: x.shape[2:]}
        self.flat: dict[Node, Index] = {}  # the shape (C, …) before flattening
        self.steps: dict[Node, dict[Node, tuple[Step, ...]]] = {x: {}}
        self.fields: dict[Node, tuple[Axis, ...] | str] = {x: (Axis(),) * self.d}
        for node in graph.nodes:
            parents = [p for p in node.inputs if p is not None and p in self.fields]
            if parents:
                self._add(node, list(dict.fromkeys(parents)))

    def field(self, node: Node) -> tuple[Axis, ...]:
        found = self.fields[node]
        if isinstance(found, str):
            raise GraphError(f"receptive_field: {found}; .measured and .effective() still work")
        return found

    def place(self, node: Node, index: Index) -> Index:
        """Where an element is in its node's grid."""
        if node in self.flat:
            return tuple(map(int, np.unravel_index(index[-1], self.flat[node])))[1:]
        return index[-self.d :] if len(node.shape) == self.d + 2 else (0,) * self.d

    def is_row(self, node: Node) -> bool:
        """Whether a node is worth a row: it has windows, or another field than its input."""
        steps = self.steps[node]
        first = next(iter(steps))
        name = node.op.name if node.op else ""
        return name.startswith(WINDOWS) or self.fields[node] != self.fields[first]

    def back(self, target: Node, cells: Cells) -> dict[Node, Cells]:
        """What a place of the target depends on, at every node."""
        needs = {target: cells}
        for node in reversed(self.nodes):
            for parent, steps in self.steps[node].items() if node in needs else ():
                read = tuple(
                    step.back(c, n)
                    for step, c, n in zip(steps, needs[node], self.grids[parent], strict=True)
                )
                before = needs.get(parent, (frozenset[int](),) * self.d)
                needs[parent] = tuple(a | b for a, b in zip(before, read, strict=True))
        return needs

    def _add(self, node: Node, parents: list[Node]) -> None:
        unknown = next((self.fields[p] for p in parents if isinstance(self.fields[p], str)), None)
        steps = None if unknown else self._read(node, parents)
        if steps is None:
            op = node.op.name if node.op else "a leaf"
            where = f" in {node.scope}" if node.scope else ""
            self.fields[node] = unknown or f"there is no rule for {op}{where}"
            self.steps[node] = {}
            return
        self.steps[node] = dict(zip(parents, steps, strict=True))
        fields = [
            tuple(
                step.field(axis, n)
                for step, axis, n in zip(read, self.field(parent), self.grids[parent], strict=True)
            )
            for parent, read in zip(parents, steps, strict=True)
        ]
        axes = [
            _union(same, n)
            for same, n in zip(zip(*fields, strict=True), self.x.shape[2:], strict=True)
        ]
        if None in axes:
            self.fields[node] = f"the inputs of {node.describe()} have fields of different jumps"
        else:
            self.fields[node] = tuple(axis for axis in axes if axis is not None)

    def _read(self, node: Node, parents: list[Node]) -> list[tuple[Step, ...]] | None:
        """How an op reads each parent; None if there is no rule. Notes the node's grid."""
        assert node.op is not None
        name, shape, d = node.op.name, node.shape, self.d
        options = node.options or {}
        first = parents[0]
        grid = self.grids[first]
        self.grids[node] = shape[2:] if len(shape) == d + 2 else (1,) * d
        windows = _windows(node, options, d)
        if windows is not None:
            return [windows] if len(parents) == 1 else None
        if name.startswith("adaptive_") and len(shape) == d + 2:
            if any(n % o for n, o in zip(grid, shape[2:], strict=True)):
                return None
            return [tuple(Step(n // o, n // o) for n, o in zip(grid, shape[2:], strict=True))]
        if node.op.elementwise or (name in _POINTWISE and _along_channels(options)):
            return self._pointwise(node, parents)
        if name == "reshape" and shape == (1, math.prod(first.shape)):
            self.flat[node] = self.flat.get(first, first.shape[1:])
            self.grids[node] = grid
            return [(Step(),) * d]
        if name in {"pad", "getitem"} and len(shape) == len(first.shape) == d + 2:
            return _cut(options, first.shape)
        single = first in self.flat or math.prod(grid) == 1
        if name in {"linear", "matmul"} and len(parents) == 1 and single:
            return [(Step(whole=True),) * d]
        axis = options.get("axis")
        spatial = set(range(2, d + 2))
        if name in _REDUCING and (axis is None or spatial <= set(axis) or single):
            return [(Step(whole=True),) * d]
        return None

    def _pointwise(self, node: Node, parents: list[Node]) -> list[tuple[Step, ...]] | None:
        flat = {self.flat[p] for p in parents if p in self.flat}
        if flat:
            if len(flat) > 1 or any(p not in self.flat for p in parents):
                return None
            self.flat[node] = flat.pop()
            self.grids[node] = self.grids[parents[0]]
        grid = self.grids[node]
        found = []
        for parent in parents:
            pairs = list(zip(self.grids[parent], grid, strict=True))
            if any(n not in (1, m) for n, m in pairs):
                return None
            found.append(tuple(Step(whole=n < m) for n, m in pairs))
        return found


def _windows(node: Node, options: dict[str, Any], d: int) -> tuple[Step, ...] | None:
    """The windows of a convolution or pooling."""
    assert node.op is not None
    name = node.op.name
    if name == f"conv{d}d" or name == f"locally_connected{d}d":
        weight = node.inputs[1]
        assert weight is not None
        kernel = weight.shape[2 : d + 2]
    elif name in (f"max_pool{d}d", f"avg_pool{d}d"):
        kernel = options["kernel_size"]
    else:
        return None
    dilation = options.get("dilation", (1,) * d)
    return tuple(
        Step(k, s, before, e)
        for k, s, (before, _), e in zip(
            kernel, options["stride"], options["padding"], dilation, strict=True
        )
    )


def _cut(options: dict[str, Any], shape: Index) -> list[tuple[Step, ...]] | None:
    """Zeros around an image, or a part of it by slices."""
    if "pad_width" in options:
        widths = np.broadcast_to(options["pad_width"], (len(shape), 2))[2:]
        if options["mode"] != "constant":
            return None
        return [tuple(Step(before=int(before)) for before, _ in widths)]
    index = options["index"] if isinstance(options["index"], tuple) else (options["index"],)
    if Ellipsis in index:
        i = index.index(Ellipsis)
        index = (*index[:i], *[slice(None)] * (len(shape) - len(index) + 1), *index[i + 1 :])
    if not all(isinstance(part, slice) for part in index):
        return None
    slices = (*index, *[slice(None)] * (len(shape) - len(index)))
    ranges = [range(n)[part] for part, n in zip(slices, shape, strict=True)][2:]
    if any(r.step < 0 for r in ranges):
        return None
    return [tuple(Step(stride=r.step, before=-r.start) for r in ranges)]


def _along_channels(options: dict[str, Any]) -> bool:
    axis = options.get("axis", 1)
    return axis in (1, (1,))


def _union(axes: tuple[Axis, ...], n: int) -> Axis | None:
    """The field of what depends on several; None if their jumps differ."""
    if len({axis.jump for axis in axes}) > 1:
        all_of_it = [a for a in axes if a.jump == 0 and a.start <= 0 and sum(a.span(0)) >= n - 1]
        return all_of_it[0] if all_of_it else None
    start = min(axis.start for axis in axes)
    end = max(axis.start + axis.size for axis in axes)
    return Axis(end - start, axes[0].jump, start)
