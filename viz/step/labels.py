"""What the values of a program are called: by the user, by the line that made them, or in short."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from itertools import count

from tinygrad_cnn.engine.node import Node
from tinygrad_cnn.engine.op import OUTPUT

from .numerals import numeral
from .recording import Recording
from .sources import Sources


def names_of(recording: Recording, sources: Sources) -> dict[Node, str]:
    """The nodes that the user, or a line of the program, gave a name, and these names."""
    given = {**_assigned(recording, sources), **recording.names}
    own = {n: name for n in recording.graph.nodes if (name := (n.name or "").strip())}
    return {**given, **own}


def labels_of(recording: Recording, sources: Sources) -> list[str]:
    """A name for each node of a recording's graph.

    A name that the user gave comes first; a parameter's follows that of its module. Else, for the
    last op that ran on a line such as ``d = a * b + c``, it is the name on the left. Else a Scalar
    is v1, v2, …, and a Tensor has the name of its op, with a number where there are several.
    """
    nodes = recording.graph.nodes
    given = names_of(recording, sources)
    found: list[str] = []
    taken = set(given.values())
    short = (name for k in count(1) if (name := f"v{k}") not in taken)
    used: dict[str, int] = {}
    scopes: dict[Node, str] = {}  # of the modules that use a value first
    for edge in recording.graph.edges:
        scopes.setdefault(nodes[edge.producer], nodes[edge.consumer].scope)
    for node in nodes:
        name = given.get(node, "")
        if not name and node.role == "constant" and node.shape == ():
            try:
                name = numeral(float(node.value))
            except (TypeError, ValueError):
                name = "constant"
        elif not name and type(node.value) is float:
            name = next(short)
        elif name and node.role in {"parameter", "buffer"} and scopes.get(node):
            name = f"{scopes[node]}.{name}"
        elif not name:
            name = node.role if node.op is None else node.op.name
            if node.op is OUTPUT and node.inputs and node.inputs[0] and node.inputs[0].op:
                name = f"{node.inputs[0].op.name}[{(node.options or {}).get('index', 0)}]"
            used[name] = used.get(name, 0) + 1
            if used[name] > 1:
                name = f"{name} {used[name]}"
        found.append(name)
    return found


def _assigned(recording: Recording, sources: Sources) -> Mapping[Node, str]:
    """The names that lines of the program assign to what their last op computed."""
    lasts: list[tuple[Node, tuple[str, int]]] = []
    for event in recording.events:
        if event.kind != "forward" or event.source is None or not sources.knows(event.source):
            continue
        if event.node.op is OUTPUT and (event.node.options or {}).get("index") != 0:
            continue
        if lasts and lasts[-1][1] == event.source:
            lasts[-1] = (event.node, event.source)
        else:
            lasts.append((event.node, event.source))
    found = {}
    for node, source in lasts:
        name = _target(sources.line(*source))
        if name:
            found[node] = name
    return found


def _target(line: str) -> str:
    """The name that a line assigns to, or "".

    Example:
        >>> _target("    d = (a * b + c).relu()"), _target("x, y = f()"), _target("f(a)")
        ('d', '', '')
    """
    try:
        (statement,) = ast.parse(line.strip()).body
    except (SyntaxError, ValueError):
        return ""
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target: ast.expr = statement.targets[0]
    elif isinstance(statement, ast.AugAssign):
        target = statement.target
    else:
        return ""
    return target.id if isinstance(target, ast.Name) else ""
