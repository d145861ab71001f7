"""`Graph.replay`: what if? Compute a recorded program again, with other values at some nodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .errors import DtypeError, GraphError, ShapeError
from .graph import Graph, Handle, Node, ancestors, refuse_freed
from .op import has_gradient
from .scalar import Scalar
from .tensor import Tensor


class Replay(Graph):
    """A recorded graph in which some values differ. See `Graph.replay`.

    It is recorded like any program, so that `tg.grad`, `zoom` and pictures work on it.
    Running statistics and random masks stay what they were: ops are pure.
    """

    def __init__(self, original: Graph, changes: Mapping[Any, Any]) -> None:
        self._became: dict[Node, Node] = {}
        for key, value in changes.items():
            old = original.nodes[original.id(key)]
            self._became[old] = _changed(old, value)
        for node in original.nodes:
            refuse_freed(node)
            if node not in self._became:
                self._became[node] = self._again(node)
        outputs = [self._became[node] for node in original.outputs]
        super().__init__(ancestors(outputs), outputs)

    def _again(self, node: Node) -> Node:
        """The node itself if it depends on no change, else one computed anew."""
        op = node.op
        if op is None:
            return node
        used = [*(p for p in node.inputs if p is not None), node]
        for value in used:
            if value.modified > node.serial:
                raise GraphError(
                    f"replay: {node.describe()} used {value.describe()}, whose value was changed "
                    "afterwards; run the forward pass again"
                )
        inputs = tuple(None if p is None else self._became.get(p, p) for p in node.inputs)
        if inputs == node.inputs:
            return node
        values = [None if p is None else p.value for p in inputs]
        value = op.compute(values, node.options or {}, single=type(node.value) is float)
        cut = not node.needs_grad and any(p is not None and p.needs_grad for p in node.inputs)
        needs_grad = not cut and any(p is not None and p.needs_grad for p in inputs)
        again = Node(
            value,
            op,
            inputs,
            node.options,
            needs_grad and has_gradient(value),
            node.scope,
            name=node.name,
        )
        again.source = node.source
        return again

    def __getitem__(self, key: Node | Handle) -> Any:
        """What became of a node, Tensor or Scalar of the original graph, as a Tensor or Scalar.

        Raises:
            GraphError: it was not in that graph.
        """
        node = key.node if isinstance(key, Handle) else key
        if not isinstance(node, Node) or node not in self._became:
            raise GraphError(f"replay: {key!r} was not in the graph that was replayed")
        found = self._became[node]
        return (Scalar if type(found.value) is float else Tensor).of(found)


def _changed(old: Node, value: Any) -> Node:
    """A leaf with another value in the place of a node; of a Tensor or Scalar, its own node."""
    what = f"replay: the new value of {old.describe()}"
    if type(old.value) is tuple:
        raise GraphError(f"{what}: it stands for several outputs; change one of them")
    new = value.node if isinstance(value, Handle) else None
    array = np.asarray(new.value if new is not None else value)
    dtype = np.asarray(old.value).dtype
    if array.shape != old.shape:
        raise ShapeError(f"{what} must have its shape, got {array.shape}")
    if new is not None:
        if array.dtype != dtype:
            raise DtypeError(f"{what} must be {dtype}, got {array.dtype}")
        return new
    if array.dtype.kind not in "fiub" or not np.can_cast(array.dtype, dtype, "same_kind"):
        raise DtypeError(f"{what} must fit into {dtype}, got {array.dtype}")
    kept = float(array) if type(old.value) is float else np.array(array, dtype)
    role = "input" if old.op is not None else old.role
    return Node(kept, None, (), None, old.needs_grad, old.scope, role, old.name)
