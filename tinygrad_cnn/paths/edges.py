"""What part of a gradient comes along each edge of a program, exactly.

The paths over an edge from u to v bring ⟨Jᵀgₑ, g⟩ = ⟨gₑ, J g⟩ of ‖g‖² = ⟨g, g⟩, where gₑ is what
backward sends along the edge, and J the Jacobian of u by `wrt`. So one walk forward, with g as the
tangent at `wrt`, and one back give the shares of all edges. They flow as water does: what comes to
a node is what goes on from it, and whatever cuts the loss off from `wrt` carries 1.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..engine.backward import grad, pull
from ..engine.context import mode
from ..engine.node import Handle, Node
from ..engine.op import OUTPUT
from .segments import plus, sent

Edge = tuple[Node, int]  # a node, and which of its inputs


def shares_of_edges(
    order: Sequence[Node], loss: Handle, wrt: Node, cotangent: Any
) -> dict[Edge, float]:
    """The share in the gradient at `wrt` that comes along each edge.

    Args:
        order: the nodes from `wrt` to the loss, inputs first.
        loss: where the cotangent enters.
        wrt: what the gradient is taken at.
        cotangent: at the loss.
    """
    gradient = None
    for _, _, parent, sent_there in _backward(order, loss.node, cotangent):
        if parent is wrt:
            gradient = plus(gradient, sent_there)
    if loss.node is wrt:
        gradient = cotangent
    gradient = np.zeros_like(wrt.value) if gradient is None else gradient
    square = _inner(gradient, gradient)
    if square == 0:
        warnings.warn("gradient_paths: the gradient is zero, so shares are NaN", stacklevel=3)
    tangents = _tangents(order, wrt, gradient, loss.grain)
    return {
        (node, argument): _inner(g, tangents[parent]) / square if square else float("nan")
        for node, argument, parent, g in _backward(order, loss.node, cotangent)
    }


def _backward(
    order: Sequence[Node], loss: Node, cotangent: Any
) -> Iterator[tuple[Node, int, Node, Any]]:
    """An ordinary walk back: each edge (node, argument, input), and what is sent along it."""
    leading = set(order)
    arrived: dict[Node, Any] = {loss: cotangent}
    for node in reversed(order):
        g = arrived.pop(node, None)
        if g is None or not any(parent in leading for parent in node.inputs):
            continue
        for parent, argument, gradient in sent(node, g, leading):
            arrived[parent] = plus(arrived.get(parent), gradient)
            yield node, argument, parent, gradient


def _tangents(
    order: Sequence[Node], wrt: Node, tangent: Any, grain: type[Handle]
) -> dict[Node, Any]:
    """What a step along `tangent` at `wrt` changes at each node, to first order."""
    found: dict[Node, Any] = {wrt: tangent}
    for node in order:
        if node is not wrt:
            found[node] = _pushed(node, found, grain)
    return found


def _pushed(node: Node, tangents: dict[Node, Any], grain: type[Handle]) -> Any:
    """The tangent of one op's output. ⟨vjp(u), t⟩ is linear in u, and its slope is J t."""
    if node.op is OUTPUT:
        assert node.options is not None
        (whole,) = node.inputs
        assert whole is not None
        return tangents[whole][node.options["index"]]
    several = type(node.value) is tuple
    values = node.value if several else (node.value,)
    cotangents = [_unknown(value, grain) for value in values]
    with mode(recording=True):
        pulled = pull(
            node, tuple(cotangents) if several else cotangents[0], grain, leading=set(tangents)
        )
        total = None
        for parent, g in zip(node.inputs, pulled, strict=True):
            if g is not None and parent in tangents:
                for part, t in _pairs(g, tangents[parent]):
                    product = part * t
                    product = product if product.is_single else product.sum()
                    total = product if total is None else total + product
    slopes: Any = [None] * len(cotangents)
    asked = [c for c in cotangents if c is not None]
    if total is not None and total.node.needs_grad:
        slopes = iter(grad(total, asked, allow_unused=True))
        slopes = [None if c is None else next(slopes) for c in cotangents]
    found = tuple(
        np.zeros_like(value) if slope is None else slope.node.value
        for slope, value in zip(slopes, values, strict=True)
    )
    return found if several else found[0]


def _unknown(value: Any, grain: type[Handle]) -> Any:
    """A cotangent of which only the slope matters; None of what has no gradient."""
    if type(value) is not float and np.asarray(value).dtype.kind != "f":
        return None
    zeros = 0.0 if type(value) is float else np.zeros_like(value)
    return grain.of(Node(zeros, needs_grad=True, role="input"))


def _pairs(g: Any, t: Any) -> Iterator[tuple[Any, Any]]:
    """A cotangent and a tangent; of a node with several outputs, those of each that has both."""
    if type(t) is not tuple:
        yield g, t
        return
    yield from ((a, b) for a, b in zip(g, t, strict=True) if a is not None)


def _inner(g: Any, t: Any) -> float:
    """⟨g, t⟩, in double precision."""
    if type(g) is tuple:
        return sum(_inner(a, b) for a, b in zip(g, t, strict=True) if a is not None)
    return float(np.vdot(np.asarray(g, np.float64), np.asarray(t, np.float64)))
