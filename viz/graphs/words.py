"""How pictures of graphs put nodes into words: names, shapes, options, constants."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_cnn import Statistics
from tinygrad_cnn.engine.node import Node

_VIZ = Path(__file__).resolve().parents[1]
COMMUTATIVE = {"add", "multiply", "maximum", "minimum"}


def argument_name(node: Node, argument: int) -> str:
    """What an op calls one of its inputs; "left" and "right" for an infix sign."""
    assert node.op is not None
    if node.op.variadic:
        return f"input {argument}"
    if len(node.op.inputs) == 2 and not node.op.symbol.isidentifier() and node.op.inputs[0] == "a":
        return ("left", "right")[argument]
    return node.op.inputs[argument]


def own_name(node: Node) -> str:
    """The user's name for a node, or ""."""
    return (node.name or "").strip()


def shape_text(node: Node) -> str:
    """A shape, or, for a single number, the number."""
    if isinstance(node.value, tuple):
        return ", ".join(_shape(np.shape(part)) for part in node.value)
    if np.shape(node.value) == ():
        return number_text(node.value)
    return _shape(np.shape(node.value))


def _shape(shape: tuple[int, ...]) -> str:
    return f"({','.join(map(str, shape))})"


def tooltip(node: Node) -> str:
    """All about a node in one line."""
    said = f"{node.describe()}, {node.dtype}"
    return ", ".join(filter(None, [said, source_text(node)]))


def source_text(node: Node) -> str:
    """The line of the user's program that made a node, or "". Lines of viz do not count."""
    if node.source is None or node.op is None:
        return ""
    file, line = node.source
    return "" if _VIZ in Path(file).parents else f"{Path(file).name}:{line}"


def number_text(value: Any) -> str:
    """A single number to four digits."""
    known = isinstance(value, Statistics)  # statistics of one number hold that number
    return f"{float(value if known else np.asarray(value).item()):.4g}"


def with_constant(node: Node, argument: int, value: Any) -> str:
    """How a constant operand is written: "× 2", "1 −"; "b = 2" for an op without a sign."""
    assert node.op is not None
    if node.op.symbol == node.op.name or len(node.inputs) != 2:
        return f"{argument_name(node, argument)} = {number_text(value)}"
    sign, number = node.op.symbol, number_text(value)
    return f"{sign} {number}" if argument == 1 else f"{number} {sign}"


def options_text(node: Node) -> str:
    """The options that differ from their defaults, e.g. "stride 2, padding 1"."""
    assert node.op is not None
    said = []
    for name, value in (node.options or {}).items():
        value = _uniform(value)
        default = node.op.defaults.get(name)
        if value is None or (name in node.op.defaults and _equal(value, _uniform(default))):
            continue
        words = str(value).replace(" ", "")
        if name == "shape":  # the box shows the output's shape anyway
            continue
        if len(words) <= 24 and not isinstance(value, np.ndarray):
            said.append(f"{name.replace('_', ' ').replace(' size', '')} {words}")
    return ", ".join(said)


def _uniform(value: Any) -> Any:
    """One number for a tuple of equal ones: ((2, 2), (2, 2)) → 2."""
    if isinstance(value, np.dtype):
        return value.name
    if isinstance(value, tuple) and value:
        parts = [_uniform(part) for part in value]
        if all(type(part) is type(parts[0]) and _equal(part, parts[0]) for part in parts):
            return parts[0]
    return value


def _equal(one: Any, other: Any) -> bool:
    """Whether two options are equal; arrays count as different ones."""
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(_equal, one, other))
    return not isinstance(one, np.ndarray) and not isinstance(other, np.ndarray) and one == other


def listed(words: Sequence[str], most: int) -> str:
    """The first few of some words: "a, b, …"."""
    return ", ".join([*words[:most], *(["…"] if len(words) > most else [])])
