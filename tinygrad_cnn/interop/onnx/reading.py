"""`from_onnx`: from a file to a `Program`, and to the Module that runs it."""

from __future__ import annotations

import inspect
import math
import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ...engine.tensor import Tensor
from ...errors import AnomalyError, DataError, DtypeError, OptionError, ShapeError, TinygradError
from ...nn.parameter import Parameter
from ..program import Call, Imported, Program, Value, numbers
from ..residuals import with_residuals
from . import (  # noqa: F401  (they fill the table)
    activations,
    arithmetic,
    attention,
    convolution,
    indexing,
    linear,
    normalization,
    pooling,
    rearranging,
    reducing,
    resizing,
    shapes,
)
from .control import Choice
from .files import Tensors, read_model
from .naming import Place, apart, parents, place_of
from .package import load_onnx
from .table import OLDEST, dtype_named, dtype_of, find, shape_of

_OWN = {"", "ai.onnx"}
_MOST_NODES = 10**6
_BUILT_IN = {"Constant", "If"}
_STATISTICS = {"BatchNormalization": (3, 4)}
_SETTINGS = {  # inputs that set an operator up rather than being computed with
    "Clip": (1, 2),
    "Pad": (2,),
    "Resize": (1, 2),
    "Upsample": (1,),
    "Where": (1, 2),
    "OneHot": (2,),
    "Range": (0, 1, 2),
    "Dropout": (1,),
}


def from_onnx(path_or_model: Any) -> Imported:
    """A network of an ONNX file as a Module: run, differentiated and drawn like any other.

    Its parameters and buffers have the names of the file's tensors, its submodules those of the
    nodes, as far as these name any: ``/layer1/layer1.0/conv1/Conv`` is in ``layer1.0.conv1``.
    Additions that end a residual block are recorded as `residual_add`. Batch normalisation and
    dropout do what the file says, usually evaluation, also in training mode.

    Args:
        path_or_model: a file of opset 13 or later, or an ``onnx.ModelProto``.

    Returns:
        A module that takes the graph's inputs, (N, …) arrays or Tensors of the shapes that the
        file declares, in order. It gives the graph's output; of several, a tuple.

    Raises:
        OptionError: the package onnx is not installed; operators that are unknown here (all of
            them, with the nodes that use them; see `tinygrad_cnn.interop.register`), or an older
            opset.
        DataError, ShapeError, DtypeError: a damaged file; names the file and the node.

    Example:
        >>> import numpy as np, tinygrad_cnn as tg
        >>> model = tg.from_onnx("lenet.onnx")                      # doctest: +SKIP
        >>> model(np.zeros((8, 1, 28, 28), np.float32)).shape       # doctest: +SKIP
        (8, 10)
    """
    onnx = load_onnx("from_onnx")
    if isinstance(path_or_model, onnx.ModelProto):
        return _imported(onnx, path_or_model, "the model", None)
    if not isinstance(path_or_model, str | os.PathLike):
        kind = type(path_or_model).__name__
        raise DtypeError(f"from_onnx: a path or an onnx.ModelProto is needed, got {kind}")
    path = Path(path_or_model)
    return _imported(onnx, read_model(onnx, path), str(path), path.parent)


def _imported(onnx: Any, model: Any, where: str, folder: Path | None) -> Imported:
    """The module of a model; whatever fails on the way is the file's fault, and says so."""
    try:
        return _Reader(onnx, model, where, folder).imported()
    except TinygradError:
        raise
    except Exception as error:  # names that are no text, graphs inside graphs without end
        raise DataError(f"{where}: is damaged: {type(error).__name__}: {error}") from error


class _Reader:
    """Reads one model: nodes become calls, tensors parameters, buffers or constants."""

    def __init__(self, onnx: Any, model: Any, where: str, folder: Path | None) -> None:
        self.onnx, self.where = onnx, where
        self.tensors = Tensors(onnx, where, folder)
        self.model = self._inlined(model)
        self.graph = self.model.graph
        self.opsets = {o.domain: o.version for o in self.model.opset_import}
        self.program = Program()
        self.count = 0
        self.kinds: dict[str, str] = {}
        self.places: Counter[str] = Counter()

    def _inlined(self, model: Any) -> Any:
        """The model with its own functions written out where they are called."""
        if not model.functions:
            return model
        if (count := _written_out(model)) > _MOST_NODES:
            raise DataError(f"{self.where}: its functions call each other: {count} nodes or more")
        try:
            return self.onnx.inliner.inline_local_functions(model)
        except Exception as error:
            raise DataError(
                f"{self.where}: its functions cannot be written out: {error}"
            ) from error

    # --- the whole -------------------------------------------------------------------------------

    def imported(self) -> Imported:
        """The module."""
        self._check_versions()
        self._check_operators()
        if not self.graph.output:
            raise DataError(f"{self.where}: the graph has no output")
        if self.graph.sparse_initializer:
            raise DataError(f"{self.where}: sparse tensors are not supported")
        arrays = {
            tensor.name: self.tensors.array(tensor, f"tensor {tensor.name!r}")
            for tensor in self.graph.initializer
        }
        known: dict[str, Value] = {}
        self._inputs(known, arrays)
        roles = self._roles(arrays)
        numbered = {}
        for name, array in arrays.items():
            known[name] = value = self._new()
            if name in roles:
                numbered[name] = value.number
            else:
                self.program.constants[value.number] = _frozen(array)
        outputs = self._nodes(self.graph, known, self.program, roles)
        self.program.output = outputs[0] if len(outputs) == 1 else tuple(outputs)
        program = with_residuals(
            self.program.without_unused(), {arithmetic.add}, {shapes.shape, shapes.size}
        )
        return self._module(program, arrays, roles, numbered)

    def _module(
        self,
        program: Program,
        arrays: dict[str, np.ndarray[Any, Any]],
        roles: dict[str, type[Tensor]],
        numbered: dict[str, int],
    ) -> Imported:
        """The program with its submodules, parameters and buffers."""
        for call in program.calls:
            call.function = _Named(call.function, f"{self.where}: node {call.name}")
        modules = {call.module for call in program.calls} - {""}
        modules.update(parent for module in set(modules) for parent in parents(module))
        names = apart(roles, modules)
        used = set(numbers([(c.args, c.options) for c in program.calls])) | set(
            numbers(program.output)
        )
        state = {
            names[name]: role(arrays[name])
            for name, role in roles.items()
            if numbered[name] in used
        }
        program.state = {n: names[name] for name, n in numbered.items() if names[name] in state}
        text = f"{Path(self.where).name}, opset {self.opsets[self._own_domain()]}"
        parts = {"": (self.graph.name or "Graph", text)}
        for module in sorted(modules):
            parts[module] = self.kinds.get(module, "Module"), ""
        return Imported(program, parts, state)

    def _check_versions(self) -> None:
        domain = self._own_domain()
        version = self.opsets.get(domain)
        used = any(node.domain in _OWN for node in self.graph.node)
        if version is None and (used or not self.graph.node):
            raise DataError(f"{self.where}: is damaged, or no file of ONNX: it names no opset")
        if version is not None and version < OLDEST:
            raise OptionError(
                f"{self.where}: opset {version} is older than {OLDEST}, the oldest that is read; "
                "onnx.version_converter.convert_version makes it a newer one"
            )
        self.opsets.setdefault(domain, OLDEST)

    def _own_domain(self) -> str:
        return "ai.onnx" if "ai.onnx" in self.opsets else ""

    # --- operators -------------------------------------------------------------------------------

    def _name(self, node: Any) -> str:
        return node.op_type if node.domain in _OWN else f"{node.domain}.{node.op_type}"

    def _function(self, node: Any) -> Any:
        domain = self._own_domain() if node.domain in _OWN else node.domain
        return find(self._name(node), self.opsets.get(domain, 1))

    def _check_operators(self) -> None:
        """Refuse all unknown operators at once."""
        unknown = defaultdict(list)
        for node in _all_nodes(self.graph):
            name = self._name(node)
            if name not in _BUILT_IN and self._function(node) is None:
                unknown[name].append(_called(node))
        if unknown:
            lines = [
                f"  {name}, {len(nodes)} ×, in {', '.join(nodes)}"
                for name, nodes in sorted(unknown.items())
            ]
            raise OptionError(
                f"{self.where}: {len(unknown)} unknown operator{'s' * (len(unknown) > 1)}:\n"
                + "\n".join(lines)
                + f"\ntinygrad_cnn.interop.register('onnx.{min(unknown)}', function) adds one"
            )

    def _roles(self, arrays: dict[str, np.ndarray[Any, Any]]) -> dict[str, type[Tensor]]:
        """Which tensors are parameters and which are buffers; the others are constants."""
        roles: dict[str, type[Tensor]] = {}
        for node in _all_nodes(self.graph):
            for i, name in enumerate(node.input):
                array = arrays.get(name)
                if array is None or array.dtype.kind != "f" or array.ndim == 0:
                    continue
                if i in _STATISTICS.get(node.op_type, ()):
                    roles.setdefault(name, Tensor)
                elif i not in _SETTINGS.get(node.op_type, ()):
                    roles[name] = Parameter
        return roles

    # --- values ----------------------------------------------------------------------------------

    def _new(self) -> Value:
        self.count += 1
        return Value(self.count)

    def _inputs(self, known: dict[str, Value], arrays: dict[str, Any]) -> None:
        """The graph's inputs, each passed through a check."""
        for given in self.graph.input:
            if given.name in arrays:  # older files list their tensors here as well
                continue
            if given.name in known:
                raise DataError(f"{self.where}: there are two inputs {given.name!r}")
            value, checked = self._new(), self._new()
            self.program.inputs.append(value.number)
            self.program.calls.append(
                Call(
                    f"input {given.name!r}",
                    self._input_check(given),
                    (value,),
                    {},
                    checked.number,
                )
            )
            known[given.name] = checked

    def _input_check(self, given: Any) -> Any:
        kind = given.type
        if not kind.HasField("tensor_type"):
            raise DtypeError(f"{self.where}: input {given.name!r} is no tensor")
        try:
            dtype = dtype_named(kind.tensor_type.elem_type)
        except DtypeError as error:
            raise DtypeError(f"{self.where}: input {given.name!r}: {error}") from None
        sizes: list[int | str] | None = None
        if kind.tensor_type.HasField("shape"):
            sizes = [
                dim.dim_value if dim.HasField("dim_value") else dim.dim_param or "?"
                for dim in kind.tensor_type.shape.dim
            ]
        return _InputCheck(dtype, sizes)

    def _nodes(
        self,
        graph: Any,
        known: dict[str, Value],
        program: Program,
        roles: dict[str, type[Tensor]],
    ) -> list[Value]:
        """Append the calls of a graph's nodes; the values of its outputs."""
        made = {name for node in graph.node for name in node.output}
        for node in graph.node:
            for name in node.input:
                if name and name not in known:
                    why = (
                        "is computed later: the graph has a cycle, or is out of order"
                        if name in made
                        else "is not in the file"
                    )
                    raise DataError(f"{self.where}: node {_called(node)}: its input {name!r} {why}")
            try:
                values = self._node(node, known, program, roles)
            except TinygradError as error:
                if str(error).startswith(self.where):
                    raise
                raise type(error)(f"{self.where}: node {_called(node)}: {error}") from error
            for name, value in zip(node.output, values, strict=False):
                if name and name in known:
                    raise DataError(
                        f"{self.where}: node {_called(node)}: {name!r} is computed twice"
                    )
                known[name] = value
        for output in graph.output:
            if output.name not in known:
                raise DataError(f"{self.where}: output {output.name!r} is not computed")
        return [known[output.name] for output in graph.output]

    def _node(
        self,
        node: Any,
        known: dict[str, Value],
        program: Program,
        roles: dict[str, type[Tensor]],
    ) -> list[Value]:
        """Append the calls of one node; the values of its outputs."""
        attributes = {a.name: self._attribute(a, node) for a in node.attribute}
        if node.op_type == "Constant" and node.domain in _OWN:
            value = self._new()
            program.constants[value.number] = _constant(attributes)
            return [value]
        inputs = [known[name] if name else None for name in node.input]
        while inputs and inputs[-1] is None:
            inputs.pop()
        place = place_of(node, [name for name in node.input if name in roles])
        self.kinds.update(place.kinds)
        outputs = len(node.output)
        while outputs > 1 and not node.output[outputs - 1]:
            outputs -= 1
        if node.op_type == "If" and node.domain in _OWN:
            return self._if(node, inputs, known, program, roles, place, outputs)
        for name in ("to", "dtype"):
            if name in attributes:
                dtype_named(attributes[name])
        function = self._function(node)
        options = self._options(function, inputs, attributes, outputs)
        return self._call(node, function, tuple(inputs), options, program, place, outputs)

    def _call(
        self,
        node: Any,
        function: Any,
        args: tuple[Any, ...],
        options: dict[str, Any],
        program: Program,
        place: Place,
        outputs: int,
    ) -> list[Value]:
        result = self._new()
        name = f"{_called(node)}"
        call = Call(name, function, args, options, result.number, place.module, place.source)
        program.calls.append(call)
        if outputs == 1:
            return [result]
        parts = []
        for i in range(outputs):
            part = self._new()
            program.calls.append(
                Call(name, _part, (result, i, outputs), {}, part.number, place.module)
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
            what = f"node {_called(node)}: attribute {attribute.name!r}"
            return _frozen(self.tensors.array(attribute.t, what))
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
        known: dict[str, Value],
        program: Program,
        roles: dict[str, type[Tensor]],
        place: Place,
        outputs: int,
    ) -> list[Value]:
        """One branch in its place if the condition is a constant, else both, and a choice."""
        graphs = {a.name: a.g for a in node.attribute}
        if len(inputs) != 1 or set(graphs) != {"then_branch", "else_branch"}:
            raise DataError("a condition, then_branch and else_branch are needed")
        condition = program.constants.get(inputs[0].number)
        if condition is not None:
            chosen = graphs[
                "then_branch" if np.asarray(condition).reshape(-1)[0] else "else_branch"
            ]
            return self._branch(chosen, known, program, roles)
        branches, captured = [], []
        for name in ("else_branch", "then_branch"):
            inside = Program()
            results = self._branch(graphs[name], known, inside, roles)
            if len(results) != outputs:
                raise DataError(f"{name} gives {len(results)} values, the node {outputs}")
            inside.output = results[0] if outputs == 1 else tuple(results)
            own = {*inside.constants, *(call.result for call in inside.calls)}
            needed = numbers(([call.args for call in inside.calls], inside.output))
            inside.inputs = sorted(set(needed) - own)
            for call in inside.calls:
                call.function = _Named(call.function, f"{self.where}: node {call.name}")
            branches.append(inside)
            captured.append([Value(n) for n in inside.inputs])
        args = (inputs[0], tuple(captured))
        return self._call(node, Choice(*branches), args, {}, program, place, outputs)

    def _branch(
        self,
        graph: Any,
        known: dict[str, Value],
        program: Program,
        roles: dict[str, type[Tensor]],
    ) -> list[Value]:
        """The calls of a branch, which sees the names around it; its own stay inside."""
        inside = dict(known)
        for tensor in graph.initializer:
            inside[tensor.name] = value = self._new()
            array = self.tensors.array(tensor, f"tensor {tensor.name!r}")
            program.constants[value.number] = _frozen(array)
        return self._nodes(graph, inside, program, roles)


class _Named:
    """A function whose errors name the file and the node."""

    def __init__(self, function: Any, where: str) -> None:
        self.function, self.where = function, where

    def __call__(self, *args: Any, **options: Any) -> Any:
        try:
            return self.function(*args, **options)
        except AnomalyError:
            raise
        except TinygradError as error:
            raise type(error)(f"{self.where}: {error}") from error
        except Exception as error:  # a value that makes no sense, or no memory
            raise DataError(f"{self.where}: {error or type(error).__name__}") from error


def _part(result: Any, i: int, count: int) -> Any:
    """One of several outputs of a node."""
    if not isinstance(result, tuple) or len(result) != count:
        raise OptionError(f"the node has {count} outputs, which its function does not give")
    return result[i]


class _InputCheck:
    """Whether what is given for an input is what the file declares."""

    def __init__(self, dtype: np.dtype[Any], sizes: list[int | str] | None) -> None:
        self.dtype, self.sizes = dtype, sizes

    def __call__(self, x: Any) -> Any:
        shape, sizes = shape_of(x), self.sizes
        if sizes is not None and (
            len(shape) != len(sizes)
            or any(type(s) is int and s != n for s, n in zip(sizes, shape, strict=True))
        ):
            wanted = f"({', '.join(map(str, sizes))}{',' * (len(sizes) == 1)})"
            raise ShapeError(f"the file declares the shape {wanted}, got {shape}")
        if dtype_of(x) != self.dtype:
            raise DtypeError(f"the file declares {self.dtype}, got {dtype_of(x)}")
        return x if isinstance(x, Tensor) else np.asarray(x)


def _written_out(model: Any) -> float:
    """How many nodes a model has with its functions written out; ∞ if one calls itself."""
    functions = {(f.domain, f.name): f for f in model.functions}
    counts: dict[Any, float] = {}

    def count(nodes: Any) -> float:
        return sum(counts.get((node.domain, node.op_type), 1) for node in nodes)

    for _ in range(len(functions) + 1):  # deep enough, whatever their order
        before = dict(counts)
        for key, function in functions.items():
            counts[key] = 1 + count(_all_nodes(function))
            if counts[key] > _MOST_NODES:
                return math.inf
        if counts == before:
            return count(_all_nodes(model.graph))
    return math.inf


def _frozen(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
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
            return _frozen(np.array(value, kinds[name]))
    raise DataError(f"a constant of {', '.join(attributes) or 'nothing'} is not supported")


def _called(node: Any) -> str:
    """How errors call a node; one without a name by what it computes."""
    name = node.name or f"→ {', '.join(node.output)}"
    return f"{name!r} ({node.op_type})" if node.name else f"{name} ({node.op_type})"


def _all_nodes(graph: Any) -> Iterator[Any]:
    """The nodes of a graph, and of the graphs in their attributes."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _all_nodes(attribute.g)
