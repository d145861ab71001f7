"""The walk that splits a gradient by path length: like backward, with parts instead of a sum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..engine.node import Node
from ..ops.residual import residual_add
from .choices import plus, sent

Parts = dict[int, Any]  # by how many branches were crossed so far


@dataclass
class Split:
    """What the walk found.

    Attributes:
        parts: at `wrt`: the gradient of all paths that cross k branches, for each k.
        rest: at `wrt`: the gradient of all longer paths, None if there are none.
        norms: at each residual add: the norm of each part that arrives there.
    """

    parts: Parts = field(default_factory=dict)
    rest: Any = None
    norms: dict[Node, dict[int, float]] = field(default_factory=dict)


def split(
    order: Sequence[Node], wrt: Node, cotangents: dict[Node, Any], max_length: int | None = None
) -> Split:
    """Carry cotangents back to `wrt`, in parts by the number of branches that they crossed.

        at an add:   G_k → skip as G_k, → branch as G_{k+1};     elsewhere: each through the vjp

    A chain of n blocks takes n(n+1)/2 branch vjps. All that crosses more than `max_length` branches
    is one part: nothing is lost, and at most n·(max_length+2) vjps are needed.

    Args:
        order: the nodes that depend on `wrt`, inputs first.
        wrt: where the gradient is wanted.
        cotangents: what enters, at which nodes.
        max_length: the longest paths to keep apart; None for all.
    """
    leading = set(order)
    longest = len(order) if max_length is None else max_length
    arrived: dict[Node, Parts] = {node: {0: g} for node, g in cotangents.items()}
    found = Split()
    for node in reversed(order):
        parts = arrived.pop(node, {})
        if node is wrt:
            found.rest = parts.pop(longest + 1, None)
            found.parts = parts
            break
        is_add = node.op is residual_add
        if is_add:
            found.norms[node] = {k: norm(g) for k, g in parts.items() if k <= longest}
        for k, g in parts.items():
            for parent, argument, gradient in sent(node, g, leading):
                after = min(k + 1, longest + 1) if is_add and argument == 1 else k
                onward = arrived.setdefault(parent, {})
                onward[after] = plus(onward.get(after), gradient)
    return found


def norm(g: Any) -> float:
    """The Euclidean norm, summed in double precision."""
    return float(np.linalg.norm(np.asarray(g, np.float64)))
