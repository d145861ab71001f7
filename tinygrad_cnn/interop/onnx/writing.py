"""`to_onnx`: from a recorded computation to a file."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from ...engine.node import Node
from ...errors import DataError, DtypeError, OptionError, TinygradError
from ...nn.module import Module
from .package import load_onnx
from .recorded import Moving, Recorded
from .writers import (  # noqa: F401  (they fill the table)
    attention,
    elementwise,
    normalizing,
    products,
    reducing,
    resizing,
    shapes,
    windows,
)
from .writers.table import CODES, MOVABLE, OPSET, WRITERS, Writing

_MOST_BYTES = 2**31 - 2**20  # a file of protobuf cannot be larger


def to_onnx(model: Module, path: str | os.PathLike[str], example: Any) -> None:
    """Write a model as an ONNX file, for other programs to run: in evaluation mode, of opset 18.

    The model runs on the example, and on another batch to see which sizes are the batch's: the
    file then takes a batch of any size, unless the model itself takes only one. Parameters and
    buffers keep their dotted names. Tensors of more than 2 GB stand in a file beside it,
    ``path`` with ``.data`` behind it.

    Args:
        model: of this project, or imported.
        path: of the file; one that is there is replaced.
        example: an input of the model, (N, …), as a Tensor or array; a tuple of several.

    Raises:
        OptionError: the package onnx is not installed; ops that ONNX is not written for (all of
            them, with the modules that use them); a part that is computed outside the ops.
        DtypeError: the model is no Module, or its inputs and outputs are no arrays.
        DataError: the file cannot be written.

    Example:
        >>> import numpy as np, tinygrad_cnn as tg
        >>> model = tg.models.LeNet()
        >>> tg.to_onnx(model, "lenet.onnx", np.zeros((1, 1, 28, 28), np.float32))  # doctest: +SKIP
    """
    onnx = load_onnx("to_onnx")
    if not isinstance(model, Module):
        raise DtypeError(f"to_onnx: a Module is needed, got {type(model).__name__}")
    written = _model(onnx, model, Recorded(model, example))
    large = written.ByteSize() > _MOST_BYTES
    try:
        onnx.save_model(
            written,
            os.fspath(path),
            save_as_external_data=large,
            location=f"{Path(path).name}.data",
        )
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror or error}") from error


def _model(onnx: Any, model: Module, recorded: Recorded) -> Any:
    """The computation as a ModelProto."""
    _refuse_unknown(model, recorded)
    w = Writing(onnx, recorded)
    inputs = _named(w, "input", [(None, node) for node in recorded.inputs])
    for name, node in inputs:
        w.values[node] = name
    for node in recorded.nodes:
        if node.op is not None:
            w.values[node] = _written(w, node, model)
    w.scope = ""
    outputs = []
    for name, node in _named(w, "output", recorded.outputs):
        w.nodes.append(onnx.helper.make_node("Identity", [w.of(node)], [name], name=f"/{name}"))
        outputs.append((name, node))
    graph = onnx.helper.make_graph(
        w.nodes,
        type(model).__name__,
        [_described(onnx, recorded, *pair) for pair in inputs],
        [_described(onnx, recorded, *pair) for pair in outputs],
        w.tensors,
    )
    return onnx.helper.make_model(
        graph,
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=8,
        producer_name="tinygrad_cnn",
    )


def _refuse_unknown(model: Module, recorded: Recorded) -> None:
    """Refuse all ops at once that have no writer."""
    unknown = defaultdict(list)
    for node in recorded.nodes:
        if node.op is not None and node.op.name not in WRITERS:
            unknown[node.op.name].append(node.scope or type(model).__name__)
    if unknown:
        lines = [f"  {op}, in {', '.join(places)}" for op, places in sorted(unknown.items())]
        raise OptionError("to_onnx: these ops cannot be written:\n" + "\n".join(lines))


def _written(w: Writing, node: Node, model: Module) -> Any:
    """The names of what a node computes, once it is written."""
    assert node.op is not None
    w.scope = node.scope
    try:
        if node.op.name not in MOVABLE:
            _refuse_moving(w, node)
        return WRITERS[node.op.name](w, node)
    except TinygradError as error:
        where = node.scope or type(model).__name__
        raise OptionError(f"to_onnx: {node.op.name} in {where}: {error}") from error


def _refuse_moving(w: Writing, node: Node) -> None:
    """Refuse an option that is another one for another batch."""
    for name, value in w.recorded.options(node).items():
        if _moves(value):
            raise OptionError(f"its option {name}={value!r} depends on the size of the batch")


def _moves(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return any(map(_moves, value))
    return isinstance(value, Moving)


def _named(w: Writing, kind: str, nodes: list[tuple[str | None, Node]]) -> list[tuple[str, Node]]:
    """Inputs or outputs with their names: their own, or numbered if there are several."""
    return [
        (w.name(name or (kind if len(nodes) == 1 else f"{kind}_{i}")), node)
        for i, (name, node) in enumerate(nodes)
    ]


def _described(onnx: Any, recorded: Recorded, name: str, node: Node) -> Any:
    """A name with dtype and shape; N is the batch."""
    value = np.asarray(node.value)
    if value.dtype not in CODES:
        raise DtypeError(f"to_onnx: {name} is of {value.dtype}, which ONNX does not have")
    sizes = [_dimension(n) for n in recorded.shape(node)]
    return onnx.helper.make_tensor_value_info(name, CODES[value.dtype], sizes)


def _dimension(size: int) -> int | str:
    if not isinstance(size, Moving):
        return size
    times = "N" if size.each == 1 else f"{size.each}*N"
    return f"{times}{size.rest:+d}" if size.rest else times
