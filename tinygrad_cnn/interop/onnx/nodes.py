"""The nodes of a graph as calls, one after the other; a branch inside a node likewise."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from ...engine.tensor import Tensor
from ...errors import DataError, TinygradError
from ..program import Call, Program, Value, numbers
from .control import Choice
from .files import Tensors
from .guards import Named, part_of
from .naming import Place, place_of
from .table import Function, dtype_named

OWN = {"", "ai.onnx"}
"""How ONNX's own domain is called."""


class Region(NamedTuple):
    """What is known where a graph's nodes are read.

    Attributes:
        known: the values by their names in the file.
        program: the calls are appended to it.
        roles: what the tensors are that are parameters or buffers.
    """

    known: dict[str, Value]
    program: Program
    roles: dict[str, type[Tensor]]


class Nodes:
    """Reads nodes as calls.

    Args:
        onnx: the package.
        where: how errors name the file.
        tensors: reads those of the file.
        function_of: what computes a node.

    Attributes:
        kinds: the classes of the modules that nodes named, by dotted name.
    """

    def __init__(
        self, onnx: Any, where: str, tensors: Tensors, function_of: Callable[[Any], Function | None]
    ) -> None:
        self.onnx, self.where, self.tensors = onnx, where, tensors
        self._function_of = function_of
        self.kinds: dict[str, str] = {}
        self._count = 0

    def new(self) -> Value:
        """A value with a number of its own."""
        self._count += 1
        return Value(self._count)

    def calls(
        self,
        graph: Any,
        region: Region,
    ) -> list[Value]:
        """Append the calls of a graph's nodes; the values of its outputs."""
        made = {name for node in graph.node for name in node.output}
        for node in graph.node:
            for name in node.input:
                if name and name not in region.known:
                    why = (
                        "is computed later: the graph has a cycle, or is out of order"
                        if name in made
                        else "is not in the file"
                    )
                    raise DataError(f"{self.where}: node {called(node)}: its input {name!r} {why}")
            try:
                values = self._node(node, region)
            except TinygradError as error:
                if str(error).startswith(self.where):
                    raise
                raise type(error)(f"{self.where}: node {called(node)}: {error}") from error
            for name, value in zip(node.output, values, strict=False):
                if name and name in region.known:
                    raise DataError(
                        f"{self.where}: node {called(node)}: {name!r} is computed twice"
                    )
                region.known[name] = value
        for output in graph.output:
            if output.name not in region.known:
                raise DataError(f"{self.where}: output {output.name!r} is not computed")
        return [region.known[output.name] for output in graph.output]

    def _node(
        self,
        node: Any,
        region: Region,
    ) -> list[Value]:
        """Append the calls of one node; the values of its outputs."""
        attributes = {a.name: self._attribute(a, node) for a in node.attribute}
        if node.op_type == "Constant" and node.domain in OWN:
            value = self.new()
            region.program.constants[value.number] = _constant(attributes)
            return [value]
        inputs = [region.known[name] if name else None for name in node.input]
        while inputs and inputs[-1] is None:
            inputs.pop()
        place = place_of(node, [name for name in node.input if name in region.roles])
        self.kinds.update(place.kinds)
        outputs = len(node.output)
        while outputs > 1 and not node.output[outputs - 1]:
            outputs -= 1
        if node.op_type == "If" and node.domain in OWN:
            return self._if(node, inputs, region, place, outputs)
        for name in ("to", "dtype"):
            if name in attributes:
                dtype_named(attributes[name])
        function = self._function_of(node)
        options = self._options(function, inputs, attributes, outputs)
        return self._call(node, function, tuple(inputs), options, region, place, outputs)

    def _call(
        self,
        node: Any,
        function: Any,
        args: tuple[Any, ...],
        options: dict[str, Any],
        region: Region,
        place: Place,
        outputs: int,
    ) -> list[Value]:
        result = self.new()
        name = f"{called(node)}"
        call = Call(name, function, args, options, result.number, place.module, place.source)
        region.program.calls.append(call)
        if outputs == 1:
            return [result]
        parts = []
        for i in range(outputs):
            part = self.new()
            region.program.calls.append(
                Call(name, part_of, (result, i, outputs), {}, part.number, place.module)
            )
            parts.append(part)
        return parts

    def _options(
        self, function: Any, inputs: list[Any], attributes: dict[str, Any], outputs: int
    ) -> dict[str, Any]:
        """The attributes, and how many outputs are asked for, if the function takes them."""
        try:
            signature = inspect.signature(function)
        except (TypeError, ValueError):  # one of C
            return attributes
        if "outputs" in signature.parameters:
            attributes = {**attributes, "outputs": outputs}
        try:
            signature.bind(*inputs, **attributes)
        except TypeError as error:
            raise DataError(f"inputs or attributes do not fit: {error}") from None
        return attributes

    def _attribute(self, attribute: Any, node: Any) -> Any:
        kinds = self.onnx.AttributeProto
        if attribute.type == kinds.TENSOR:
            what = f"node {called(node)}: attribute {attribute.name!r}"
            return frozen(self.tensors.array(attribute.t, what))
        if attribute.type == kinds.GRAPH:
            return attribute.g
        if attribute.type not in {
            kinds.FLOAT,
            kinds.INT,
            kinds.STRING,
            kinds.FLOATS,
            kinds.INTS,
            kinds.STRINGS,
        }:
            raise DataError(f"attribute {attribute.name!r} is of a kind that is not supported")
        value = self.onnx.helper.get_attribute_value(attribute)
        if isinstance(value, bytes):
            return value.decode("utf-8", "replace")
        if attribute.type == kinds.STRINGS:
            return tuple(part.decode("utf-8", "replace") for part in value)
        return tuple(value) if attribute.type in {kinds.FLOATS, kinds.INTS} else value

    # --- branches --------------------------------------------------------------------------------

    def _if(
        self,
        node: Any,
        inputs: list[Any],
        region: Region,
        place: Place,
        outputs: int,
    ) -> list[Value]:
        """One branch in its place if the condition is a constant, else both, and a choice."""
        graphs = {a.name: a.g for a in node.attribute}
        if len(inputs) != 1 or set(graphs) != {"then_branch", "else_branch"}:
            raise DataError("a condition, then_branch and else_branch are needed")
        condition = region.program.constants.get(inputs[0].number)
        if condition is not None:
            chosen = graphs[
                "then_branch" if np.asarray(condition).reshape(-1)[0] else "else_branch"
            ]
            return self._branch(chosen, region)
        branches, captured = [], []
        for name in ("else_branch", "then_branch"):
            inside = Program()
            results = self._branch(graphs[name], region._replace(program=inside))
            if len(results) != outputs:
                raise DataError(f"{name} gives {len(results)} values, the node {outputs}")
            inside.output = results[0] if outputs == 1 else tuple(results)
            own = {*inside.constants, *(call.result for call in inside.calls)}
            needed = numbers(([call.args for call in inside.calls], inside.output))
            inside.inputs = sorted(set(needed) - own)
            for call in inside.calls:
                call.function = Named(call.function, f"{self.where}: node {call.name}")
            branches.append(inside)
            captured.append([Value(n) for n in inside.inputs])
        args = (inputs[0], tuple(captured))
        return self._call(node, Choice(*branches), args, {}, region, place, outputs)

    def _branch(
        self,
        graph: Any,
        region: Region,
    ) -> list[Value]:
        """The calls of a branch, which sees the names around it; its own stay inside."""
        inside = dict(region.known)
        for tensor in graph.initializer:
            inside[tensor.name] = value = self.new()
            array = self.tensors.array(tensor, f"tensor {tensor.name!r}")
            region.program.constants[value.number] = frozen(array)
        return self.calls(graph, region._replace(known=inside))


def frozen(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A constant: nobody is to write to it."""
    array = array.view()
    array.flags.writeable = False
    return array


def _constant(attributes: dict[str, Any]) -> np.ndarray[Any, Any]:
    """The value of a Constant."""
    kinds = {
        "value_float": np.float32,
        "value_floats": np.float32,
        "value_int": np.int64,
        "value_ints": np.int64,
    }
    for name, value in attributes.items():
        if name == "value" and isinstance(value, np.ndarray):
            return value
        if name in kinds:
            return frozen(np.array(value, kinds[name]))
    raise DataError(f"a constant of {', '.join(attributes) or 'nothing'} is not supported")


def called(node: Any) -> str:
    """How errors call a node; one without a name by what it computes."""
    name = node.name or f"→ {', '.join(node.output)}"
    return f"{name!r} ({node.op_type})" if node.name else f"{name} ({node.op_type})"


def all_nodes(graph: Any) -> Iterator[Any]:
    """The nodes of a graph, and of the graphs in their attributes."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from all_nodes(attribute.g)
