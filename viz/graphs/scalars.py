"""The boxes and arrows of a graph of Scalars, as micrograd draws them: values, and ops between."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from tinygrad_cnn.engine.node import Node
from tinygrad_cnn.recording.graph import Edge, Graph

from ..picture.style import kind_of
from .diagram import Arrow, Box, Group
from .facts import Facts
from .words import COMMUTATIVE, argument_name, number_text, tooltip


def scalar_boxes(
    graph: Graph, facts: Facts, sides: Sequence[str] | None = None
) -> tuple[list[Box], list[Arrow], list[Group]]:
    """Boxes in order of creation, arrows, and a frame for each module and side."""
    used = {edge.producer for edge in graph.edges}
    folded: dict[int, list[Edge]] = defaultdict(list)
    arrows: list[Arrow] = []
    boxes: list[Box] = []
    scopes: dict[str, str] = {}
    hidden = {i for i, node in enumerate(graph.nodes) if node.role == "constant" and i in used}
    shown: dict[int, list[Edge]] = defaultdict(list)
    for edge in graph.edges:
        (folded if edge.producer in hidden else shown)[edge.consumer].append(edge)
    for i, node in enumerate(graph.nodes):
        if i in hidden:
            continue
        value = Box(
            str(i),
            facts.name(node),
            lines=(*_data_and_grad(node), *facts.of_scalar(node)),
            kind="value",
            row=True,
            nodes=(i,),
            tooltip=tooltip(node),
        )
        if node.op is not None:
            boxes.append(_scalar_op(i, node, graph, folded[i]))
            scopes[f"{i}op"] = scopes[str(i)] = _joined(sides[i] if sides else "", node.scope)
            for edge in shown[i]:
                unclear = len(shown[i]) > 1 and node.op.name not in COMMUTATIVE
                label = argument_name(node, edge.argument) if unclear else ""
                arrows.append(Arrow(str(edge.producer), f"{i}op", (edge,), label))
            arrows.append(Arrow(f"{i}op", str(i)))
        boxes.append(value)
    groups = frames_of(scopes)
    framed = [replace(box, group=innermost(scopes.get(box.id, ""), groups)) for box in boxes]
    return framed, arrows, list(groups.values())


def frames_of(scopes: Mapping[str, str]) -> dict[str, Group]:
    """A frame for each scope, by name, outer ones first. No frame holds only another frame."""
    members: dict[str, int] = defaultdict(int)
    for scope in scopes.values():
        names = scope.split(".")
        for n in range(1, len(names) + 1):
            members[".".join(names[:n])] += 1
    members.pop("", None)
    groups: dict[str, Group] = {}
    for name in sorted(members, key=lambda name: (name.count("."), name)):
        if not any(o.startswith(f"{name}.") and members[o] == members[name] for o in members):
            around = innermost(name.rpartition(".")[0], groups)
            groups[name] = Group(name, name[len(around) :].lstrip("."), around, name)
    return groups


def innermost(scope: str, groups: Mapping[str, Group]) -> str:
    """The nearest scope around, or equal to, this one that has a frame; "" if none has."""
    while scope and scope not in groups:
        scope = scope.rpartition(".")[0]
    return scope


def _joined(side: str, scope: str) -> str:
    return ".".join(filter(None, (side, scope)))


def _scalar_op(i: int, node: Node, graph: Graph, folded: list[Edge]) -> Box:
    assert node.op is not None
    constants = {edge.argument: number_text(graph.nodes[edge.producer].value) for edge in folded}
    if len(node.inputs) == 2:
        words = [constants.get(0, ""), node.op.symbol, constants.get(1, "")]
        title = " ".join(filter(None, words))
    else:
        given = [f"{argument_name(node, k)} = {v}" for k, v in constants.items()]
        title = ", ".join([node.op.symbol, *given])
    hidden = tuple(edge.producer for edge in folded)
    return Box(
        f"{i}op",
        title,
        kind=kind_of(node),
        rounded=True,
        nodes=hidden,
        folded=tuple(folded),
        tooltip=tooltip(node),
    )


def _data_and_grad(node: Node) -> tuple[str, str]:
    grad = "no grad yet" if node.grad is None else f"grad {number_text(node.grad)}"
    return f"data {number_text(node.value)}", grad
