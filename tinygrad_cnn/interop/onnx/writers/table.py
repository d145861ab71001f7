"""The table of writers, and what a writer writes with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ....engine.node import Node
from ....errors import OptionError
from ..recorded import Moving, Recorded, same
from ..table import DTYPES

Writer = Callable[["Writing", Node], Any]
WRITERS: dict[str, Writer] = {}
"""By the op's name. A writer gives the name of the result, or a tuple of several."""

MOVABLE: set[str] = set()
"""Ops whose options may name sizes that move with the batch."""

OPSET = 18
CODES = {dtype: code for code, dtype in DTYPES.items()}


def writes(*names: str, movable: bool = False) -> Callable[[Writer], Writer]:
    """Declare what writes the ops of these names."""

    def declare(writer: Writer) -> Writer:
        for name in names:
            WRITERS[name] = writer
        if movable:
            MOVABLE.update(names)
        return writer

    return declare


class Writing:
    """A graph that is being written: its nodes and tensors, and the names of what is computed.

    Args:
        onnx: the package.
        recorded: the computation.
    """

    def __init__(self, onnx: Any, recorded: Recorded) -> None:
        self.onnx, self.recorded = onnx, recorded
        self.nodes: list[Any] = []
        self.tensors: list[Any] = []
        self.values: dict[Node, Any] = {}
        self.scope = ""
        self._used: set[str] = set(recorded.names.values())
        self._constants: dict[Any, str] = {}
        self._batch = ""

    # --- names ---------------------------------------------------------------------------------

    def name(self, wanted: str) -> str:
        """This name, with a number behind it if there is one like it."""
        name, i = wanted, 0
        while name in self._used:
            i += 1
            name = f"{wanted}_{i}"
        self._used.add(name)
        return name

    # --- writing -------------------------------------------------------------------------------

    def put(self, kind: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        """Append a node; the name of its output, or a tuple of several."""
        path = "/".join(["", *self.scope.split("."), kind] if self.scope else ["", kind])
        name = self.name(path)
        results = tuple(f"{name}_output_{i}" for i in range(outputs))
        given = list(inputs)
        while given and not given[-1]:
            given.pop()
        made = self.onnx.helper.make_node(kind, given, results, name=name, **attributes)
        self.nodes.append(made)
        return results[0] if outputs == 1 else results

    def constant(self, value: Any, dtype: Any = None) -> str:
        """The name of a tensor with this value; equal ones are written once."""
        array = np.ascontiguousarray(np.asarray(value, dtype)).reshape(np.shape(value))
        key = array.dtype.str, array.shape, array.tobytes()
        if key not in self._constants:
            name = self.name("constant")
            self.tensors.append(self.onnx.numpy_helper.from_array(array, name))
            self._constants[key] = name
        return self._constants[key]

    def ints(self, values: Sequence[Any]) -> str:
        """The name of a row of sizes, axes or indices; sizes that move are computed."""
        if not any(isinstance(v, Moving) for v in values):
            return self.constant([int(v) for v in values], np.int64)
        return str(self.put("Concat", *(self._size(v) for v in values), axis=0))

    def _size(self, value: Any) -> str:
        if not isinstance(value, Moving):
            return self.constant([int(value)], np.int64)
        if not self._batch:
            self._batch = self.put("Shape", self.of(self.recorded.inputs[0]), start=0, end=1)
        name = self._batch
        if value.each != 1:
            name = self.put("Mul", name, self.constant([value.each], np.int64))
        return self.put("Add", name, self.constant([value.rest], np.int64)) if value.rest else name

    # --- reading the record --------------------------------------------------------------------

    def of(self, node: Node | None, dtype: Any = None) -> str:
        """The name of a node's value, of another dtype if that is needed; "" for None."""
        if node is None:
            return ""
        own = dtype_of(node)
        if own is None:  # a Python number takes the dtype of what it meets
            other = self.recorded.twin(node).value
            if not same(node.value, other):
                raise OptionError(f"a number depends on the input: {node.value!r}, then {other!r}")
            return self.constant(node.value, dtype)
        if node not in self.values:
            self.values[node] = self._leaf(node)
        name = str(self.values[node])
        return name if dtype is None or own == dtype else self.cast(name, dtype)

    def cast(self, name: str, dtype: Any) -> str:
        """A value in another dtype."""
        return str(self.put("Cast", name, to=CODES[np.dtype(dtype)]))

    def _leaf(self, node: Node) -> str:
        """A parameter, a buffer or a constant of the program, as a tensor of the file."""
        name = self.recorded.names.get(node)
        if name is not None:
            self.tensors.append(self.onnx.numpy_helper.from_array(np.asarray(node.value), name))
            return name
        value, other = node.value, self.recorded.twin(node).value
        if same(value, other):
            return self.constant(value)
        return self._stretched(value, other)

    def _stretched(self, value: Any, other: Any) -> str:
        """An array that is the same for each example, as long as the batch."""
        sizes = self.recorded.moving(value.shape, other.shape)
        moved = [i for i, n in enumerate(sizes) if isinstance(n, Moving)]
        one = tuple(slice(0, 1) if i in moved else slice(None) for i in range(value.ndim))
        if not moved or not (same(value[one], other[one]) and (value == value[one]).all()):
            raise OptionError(
                f"a plain array of {value.shape} depends on the input: compute it with ops, from "
                "Tensors"
            )
        return str(self.put("Expand", self.constant(value[one]), self.ints(sizes)))

    def shape(self, node: Node) -> tuple[int, ...]:
        """The shape of a node's value; sizes that move with the batch are `Moving`."""
        return self.recorded.shape(node)


def dtype_of(node: Node) -> np.dtype[Any] | None:
    """The dtype of a node's value; None for a Python number."""
    value = node.value
    return value.dtype if isinstance(value, np.ndarray | np.generic) else None


def joint(*nodes: Node | None) -> np.dtype[Any]:
    """The dtype in which NumPy computes with these values."""
    values = [node.value for node in nodes if node is not None]
    kinds = [v.dtype if isinstance(v, np.ndarray | np.generic) else v for v in values]
    return np.result_type(*kinds)


def only(node: Node) -> Node:
    """The one input of an op that has one.

    Raises:
        OptionError: the recording does not know it.
    """
    (source,) = node.inputs
    if source is None:
        raise OptionError("its input was not recorded")
    return source


def ends(pairs: Sequence[tuple[int, int]]) -> list[int]:
    """Pairs of padding as ONNX orders them: all begins, then all ends."""
    return [before for before, _ in pairs] + [after for _, after in pairs]
