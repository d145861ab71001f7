"""Nodes as JSON, there and back."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from ..engine.node import Constant, Node
from ..engine.op import OUTPUT, Op
from ..errors import DataError, DtypeError, GraphError
from ..ops.registry import OPS
from .description import Description, Statistics

FORMAT = "tinygrad_cnn graph 1"
Json = Any


# --- JSON --------------------------------------------------------------------------------------


def nodes_to_json(
    nodes: Sequence[Node], outputs: Iterable[Node], array: Callable[[Any], Json] | None = None
) -> dict[str, Json]:
    """A graph's nodes as what JSON can hold.

    Args:
        nodes: each after its inputs. An input that is not among them is written as unknown.
        outputs: the nodes that the graph was asked for.
        array: makes JSON of an array of values; None writes its shape and dtype.
    """
    array = array or _described
    own: dict[Op, int] = {}  # ops that are not built in
    ids = {node: i for i, node in enumerate(nodes)}
    entries = []
    for node in nodes:
        op = node.op
        entry = {
            "op": op.name if op else None,
            "inputs": [None if p is None else ids.get(p, -1) for p in node.inputs],
            "role": node.role,
            "name": node.name,
            "shape": list(node.shape),
            "dtype": node.dtype,
            "scope": node.scope,
            "needs_grad": node.needs_grad,
            "value": value_to_json(node.value, array),
            "grad": value_to_json(node.grad, array),
        }
        if op is not None and op is not OUTPUT and OPS.get(op.name) is not op:
            entry["declared"] = own.setdefault(op, len(own))
        if node.options:
            entry["options"] = {k: option_to_json(v, node, k) for k, v in node.options.items()}
        if node.source:
            entry["source"] = list(node.source)
        entries.append(entry)
    return {
        "format": FORMAT,
        "ops": [_op_to_json(op) for op in own],
        "nodes": entries,
        "outputs": [ids[node] for node in outputs],
    }


def nodes_from_json(
    data: Json, array: Callable[[Json], Any] | None = None
) -> tuple[list[Node], list[Node]]:
    """The nodes that `nodes_to_json` wrote, and the outputs.

    Raises:
        DataError: this is no such graph, or it needs an op that is not known here.
    """
    if not isinstance(data, Mapping) or data.get("format") != FORMAT:
        raise DataError(f"from_json: this is no graph in the format {FORMAT!r}")
    try:
        ops = [_op_from_json(entry) for entry in data["ops"]]
        nodes: list[Node] = []
        for entry in data["nodes"]:
            nodes.append(_node_from_json(entry, nodes, ops, array or _undescribed))
        return nodes, [nodes[i] for i in data["outputs"]]
    except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
        raise DataError(f"from_json: this graph is damaged: {error!r}") from error


def dumps(data: Json) -> str:
    """JSON as text. NaN is refused, since JSON does not know it."""
    return json.dumps(data, allow_nan=False, ensure_ascii=False)


def loads(text: str, what: str) -> Json:
    """The JSON in a text.

    Raises:
        DataError: the text is no JSON.
    """
    try:
        return json.loads(text)
    except (json.JSONDecodeError, TypeError) as error:
        raise DataError(f"{what}: this is no JSON: {error}") from error


def _node_from_json(
    entry: Json, nodes: list[Node], ops: list[Op], array: Callable[[Json], Any]
) -> Node:
    name = entry["op"]
    op = None
    if "declared" in entry:
        op = ops[entry["declared"]]
    elif name is not None:
        op = OUTPUT if name == OUTPUT.name else OPS.get(name)
        if op is None:
            raise DataError(f"from_json: there is no op {name!r} in this version")
    inputs = tuple(
        None if i is None else nodes[i] if i >= 0 else _elsewhere() for i in entry["inputs"]
    )
    options = {k: option_from_json(v) for k, v in entry.get("options", {}).items()}
    value = value_from_json(entry["value"], array)
    needs_grad, scope, role = entry["needs_grad"], entry["scope"], entry["role"]
    node: Node
    if role == "constant":
        node = Constant(value)
        node.needs_grad, node.scope, node.name = needs_grad, scope, entry["name"]
    else:
        role = None if op else role
        node = Node(value, op, inputs, options, needs_grad, scope, role, entry["name"])
    node.grad = value_from_json(entry["grad"], array)
    if "source" in entry:
        file, line = entry["source"]
        node.source = (str(file), int(line))
    return node


def _elsewhere() -> Node:
    """Stands for an input outside of the part of a graph that was written."""
    return Node(Description((), "float"), role="input")


# --- values ------------------------------------------------------------------------------------


def value_to_json(value: Any, array: Callable[[Any], Json]) -> Json:
    """A node's value: a number with its type, an array by `array`, a list for several outputs."""
    if value is None:
        return None
    if type(value) is tuple:
        return [value_to_json(part, array) for part in value]
    if isinstance(value, Statistics):
        numbers = {k: _number_to_json(v) for k, v in vars(value).items() if k not in _DESCRIBED}
        return {"shape": list(value.shape), "dtype": value.dtype, "statistics": numbers}
    if isinstance(value, Description):
        return _described(value)
    if type(value) in (bool, int, float):  # not NumPy's float64, which is a float, too
        return {"number": _number_to_json(value), "type": type(value).__name__}
    value = np.asarray(value)
    if value.shape == () and value.dtype.kind in "fiub" and value.dtype.itemsize <= 8:
        return {"number": _number_to_json(value.item()), "dtype": str(value.dtype)}
    return array(value)


def value_from_json(data: Json, array: Callable[[Json], Any]) -> Any:
    """The value that `value_to_json` wrote."""
    if data is None:
        return None
    if isinstance(data, list):
        return tuple(value_from_json(part, array) for part in data)
    if "number" in data:
        number = _number_from_json(data["number"])
        if "type" in data:
            return {"float": float, "int": int, "bool": bool}[data["type"]](number)
        return np.array(number, data["dtype"])
    if "statistics" in data:
        numbers = {k: _number_from_json(v) for k, v in data["statistics"].items()}
        return Statistics(tuple(data["shape"]), data["dtype"], **numbers)
    return array(data)


_DESCRIBED = ("shape", "dtype")


def _described(value: Any) -> Json:
    return {"shape": list(value.shape), "dtype": str(value.dtype)}


def _undescribed(data: Json) -> Description:
    return Description(tuple(map(int, data["shape"])), str(np.dtype(data["dtype"])))


def _number_to_json(x: Any) -> Json:
    return x if not isinstance(x, float) or math.isfinite(x) else str(x)


def _number_from_json(x: Json) -> Any:
    return float(x) if isinstance(x, str) else x


# --- options -----------------------------------------------------------------------------------


def option_to_json(value: Any, node: Node, name: str) -> Json:
    """An op's option. What JSON has no form for becomes an object whose one key names its kind.

    Raises:
        DtypeError: of a kind that cannot be written.
    """
    if isinstance(value, np.generic):
        value = value.item() if value.dtype.kind in "fiub" else value
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": str(value)}
    if value is Ellipsis:
        return {"ellipsis": True}
    if isinstance(value, slice):
        parts = (value.start, value.stop, value.step)
        return {"slice": [option_to_json(part, node, name) for part in parts]}
    if isinstance(value, tuple):
        return {"tuple": [option_to_json(part, node, name) for part in value]}
    if isinstance(value, list):
        return [option_to_json(part, node, name) for part in value]
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
        return {"array": [_number_to_json(x) for x in value.ravel().tolist()], **_described(value)}
    if isinstance(value, np.dtype):
        return {"dtype": str(value)}
    if isinstance(value, type) and issubclass(value, np.generic):
        return {"dtype": str(np.dtype(value))}
    raise DtypeError(
        f"to_json: option {name!r} of {node.describe()} is a {type(value).__name__}, which JSON "
        "cannot hold"
    )


def option_from_json(data: Json) -> Any:
    """The option that `option_to_json` wrote."""
    if isinstance(data, list):
        return [option_from_json(part) for part in data]
    if not isinstance(data, dict):
        return data
    if "float" in data:
        return float(data["float"])
    if "ellipsis" in data:
        return Ellipsis
    if "slice" in data:
        return slice(*map(option_from_json, data["slice"]))
    if "tuple" in data:
        return tuple(map(option_from_json, data["tuple"]))
    if "array" in data:
        numbers = [_number_from_json(x) for x in data["array"]]
        return np.array(numbers, data["dtype"]).reshape(data["shape"])
    return np.dtype(data["dtype"])


# --- ops ---------------------------------------------------------------------------------------


def _op_to_json(op: Op) -> Json:
    return {
        "name": op.name,
        "inputs": list(op.inputs),
        "optional": list(op.optional),
        "variadic": op.variadic,
        "options": list(op.options),
        "symbol": op.symbol,
        "elementwise": op.elementwise,
    }


def _op_from_json(entry: Json) -> Op:
    """Stands for an op that was declared elsewhere: it has its name, and cannot compute."""
    name = str(entry["name"])

    def forward(*_: Any) -> NoReturn:
        raise GraphError(f"{name}: this op was declared where the graph was recorded; not here")

    op = Op(name, forward, elementwise=bool(entry["elementwise"]), symbol=entry["symbol"])
    op.inputs, op.options = tuple(entry["inputs"]), tuple(entry["options"])
    op.optional = dict.fromkeys(entry["optional"])
    op.variadic = bool(entry["variadic"])
    return op
