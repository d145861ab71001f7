"""Whether the numbers of a program can be turned in its page, which then computes it anew."""

from __future__ import annotations

from tinygrad_cnn.engine.node import Node

from .recording import Recording

MOST_TURNED = 2000  # nodes


def is_scalar(recording: Recording) -> bool:
    """Whether a program is one of Scalars alone."""
    nodes = recording.graph.nodes
    return all(type(node.value) is float or _is_constant(node) for node in nodes)


def why_fixed(recording: Recording) -> str | None:
    """Why a program's numbers cannot be turned; "" if they can, None if it has no Scalars."""
    if not is_scalar(recording):
        return None
    if len(recording.graph) > MOST_TURNED:
        return f"there are more than {MOST_TURNED:,}"
    if recording.failure is not None:
        return "the program raised an error"
    if any(node.hooks for node in recording.graph.nodes):
        return "a hook of the program changes gradients"
    now: dict[Node, float] = {}
    for event in recording.events:
        for node, value in zip(event.node.inputs, event.inputs, strict=True):
            if node is not None and now.setdefault(node, value) is not value:
                return "the program itself changed some on its way"
    return ""


def _is_constant(node: Node) -> bool:
    return node.role == "constant" and node.shape == ()
