"""`from_onnx`: from a file to a `Program`, and to the Module that runs it."""

from __future__ import annotations

import math
import os
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from ...engine.tensor import Tensor
from ...errors import DataError, DtypeError, OptionError, TinygradError
from ...nn.parameter import Parameter
from ..program import Call, Imported, InputType, Program, Value, numbers
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
from .files import Tensors, read_model
from .guards import InputCheck, Named
from .naming import apart, parents
from .nodes import OWN, Nodes, Region, all_nodes, called, frozen
from .package import load_onnx
from .table import OLDEST, dtype_named, find

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
        self.nodes = Nodes(onnx, where, self.tensors, self._function)

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
            known[name] = value = self.nodes.new()
            if name in roles:
                numbered[name] = value.number
            else:
                self.program.constants[value.number] = frozen(array)
        outputs = self.nodes.calls(self.graph, Region(known, self.program, roles))
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
            call.function = Named(call.function, f"{self.where}: node {call.name}")
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
            parts[module] = self.nodes.kinds.get(module, "Module"), ""
        return Imported(program, parts, state)

    def _check_versions(self) -> None:
        domain = self._own_domain()
        version = self.opsets.get(domain)
        used = any(node.domain in OWN for node in self.graph.node)
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
        return node.op_type if node.domain in OWN else f"{node.domain}.{node.op_type}"

    def _function(self, node: Any) -> Any:
        domain = self._own_domain() if node.domain in OWN else node.domain
        return find(self._name(node), self.opsets.get(domain, 1))

    def _check_operators(self) -> None:
        """Refuse all unknown operators at once."""
        unknown = defaultdict(list)
        for node in all_nodes(self.graph):
            name = self._name(node)
            if name not in _BUILT_IN and self._function(node) is None:
                unknown[name].append(called(node))
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
        for node in all_nodes(self.graph):
            for i, name in enumerate(node.input):
                array = arrays.get(name)
                if array is None or array.dtype.kind != "f" or array.ndim == 0:
                    continue
                if i in _STATISTICS.get(node.op_type, ()):
                    roles.setdefault(name, Tensor)
                elif i not in _SETTINGS.get(node.op_type, ()):
                    roles[name] = Parameter
        return roles

    # --- inputs ----------------------------------------------------------------------------------

    def _inputs(self, known: dict[str, Value], arrays: dict[str, Any]) -> None:
        """The graph's inputs, each passed through a check."""
        for given in self.graph.input:
            if given.name in arrays:  # older files list their tensors here as well
                continue
            if given.name in known:
                raise DataError(f"{self.where}: there are two inputs {given.name!r}")
            value, checked = self.nodes.new(), self.nodes.new()
            check = self._input_check(given)
            sizes = tuple(size if isinstance(size, int) else None for size in check.sizes or ())
            self.program.inputs.append(value.number)
            self.program.input_types.append(
                None if check.sizes is None else InputType(sizes, np.dtype(check.dtype))
            )
            self.program.calls.append(
                Call(f"input {given.name!r}", check, (value,), {}, checked.number)
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
        return InputCheck(dtype, sizes)


def _written_out(model: Any) -> float:
    """How many nodes a model has with its functions written out; ∞ if one calls itself."""
    functions = {(f.domain, f.name): f for f in model.functions}
    counts: dict[Any, float] = {}

    def count(nodes: Any) -> float:
        return sum(counts.get((node.domain, node.op_type), 1) for node in nodes)

    for _ in range(len(functions) + 1):  # deep enough, whatever their order
        before = dict(counts)
        for key, function in functions.items():
            counts[key] = 1 + count(all_nodes(function))
            if counts[key] > _MOST_NODES:
                return math.inf
        if counts == before:
            return count(all_nodes(model.graph))
    return math.inf
