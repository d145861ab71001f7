"""A recorded program computed again, with other values at some nodes. See `Graph.replay`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..engine.node import Handle, Node, refuse_freed
from ..engine.op import has_gradient
from ..errors import DtypeError, GraphError, ShapeError


def recomputed(nodes: Iterable[Node], changes: Mapping[Node, Any]) -> dict[Node, Node]:
    """What becomes of each node when some have other values: itself if it depends on none of them.

    Args:
        nodes: each after its inputs.
        changes: the new values. The node of a Tensor or Scalar takes the old node's place.

    Raises:
        GraphError: a node holds several outputs, was freed, or was changed after its use.
        ShapeError, DtypeError: a value does not fit.
    """
    became = {node: _changed(node, value) for node, value in changes.items()}
    for node in nodes:
        refuse_freed(node)
        if node not in became:
            became[node] = _again(node, became)
    return became


def refuse_stale(what: str, node: Node) -> None:
    """Refuse to compute a node again if one of its inputs, or its value, has changed since.

    Raises:
        GraphError: names the function that refuses, the node, and what has changed.
    """
    for used in (*node.inputs, node):
        if used is not None and used.modified > node.serial:
            raise GraphError(
                f"{what}: {node.describe()} used {used.describe()}, whose value was changed "
                "afterwards; run the forward pass again"
            )


def _again(node: Node, became: Mapping[Node, Node]) -> Node:
    """The node itself if it depends on no change, else one computed anew."""
    op = node.op
    if op is None:
        return node
    refuse_stale("replay", node)
    inputs = tuple(None if p is None else became.get(p, p) for p in node.inputs)
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


def _changed(old: Node, value: Any) -> Node:
    """A leaf with the new value, to replace a node; a Tensor or Scalar replaces it by its own."""
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
