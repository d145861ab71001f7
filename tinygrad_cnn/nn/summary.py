"""`Module.summary`: a table of layers, output shapes, parameters and multiply-adds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine.op import OUTPUT
from ..engine.tensor import Tensor
from ..errors import ShapeError
from ..recording.table import aligned
from ..recording.trace import Trace, trace
from .modes import in_mode
from .parameter import Parameter

if TYPE_CHECKING:
    from .module import Module


@dataclass
class Row:
    """A module that computed something itself, and what it computed last.

    Attributes:
        name: dotted; the model's own name is "".
        layer: the module's class and options; the ops that ran, where it has modules inside.
        output: the shape.
        parameters: of this module, without those of the modules inside.
        multiply_adds: of the ops that it ran.
    """

    name: str
    layer: str
    output: tuple[int, ...]
    parameters: int
    multiply_adds: int


def example_input(model: Module, shape: Sequence[int]) -> Tensor:
    """Zeros to run a model on, in its own dtype; integers if its `input_dtype` says so."""
    own = next((p.dtype for p in model.parameters()), np.dtype(np.float32))
    return Tensor(np.zeros(tuple(shape), getattr(model, "input_dtype", own)), name="input")


def rows(model: Module, input_shape: Sequence[int]) -> list[Row]:
    """The rows of `summary`, as data, in the order of computation."""
    recorded = _run(model, input_shape)
    modules = dict(model.named_modules())
    counted: set[Parameter] = set()
    found: dict[str, Row] = {}
    ops: dict[str, list[str]] = {}
    for event in recorded.forward_events:
        if event.node.op is None or event.node.op is OUTPUT:
            continue
        name = event.scope
        if name not in found:
            found[name] = Row(name, "", (), _own_parameters(modules[name], counted), 0)
        found[name].output = event.node.shape
        found[name].multiply_adds += event.cost.multiply_adds
        ops.setdefault(name, []).append(event.node.op.name)
    for name, row in found.items():
        module = modules[name]
        inside = any(True for _ in module.children())
        row.layer = (
            " + ".join(dict.fromkeys(ops[name]))
            if inside
            else f"{type(module).__name__}({module.describe()})"
        )
    return list(found.values())


def summary(model: Module, input_shape: Sequence[int]) -> str:
    """The table that `Module.summary` returns; see there."""
    table = rows(model, input_shape)
    total = model.count_parameters()
    work = sum(row.multiply_adds for row in table)
    cells = [("module", "layer", "output", "parameters", "multiply-adds")]
    cells += [
        (
            row.name or type(model).__name__,
            row.layer,
            " × ".join(map(str, row.output)),
            f"{row.parameters:,}",
            f"{row.multiply_adds:,}",
        )
        for row in table
    ]
    cells.append(("total", "", "", f"{total:,}", f"{work:,}"))
    lines = aligned(cells, left=3)
    rule = "─" * len(lines[0])
    title = f"{type(model).__name__} on an input of {' × '.join(map(str, input_shape))}"
    return "\n".join([title, rule, lines[0], rule, *lines[1:-1], rule, lines[-1]])


def _run(model: Module, input_shape: Sequence[int]) -> Trace:
    """Trace the model in evaluation mode, and leave its mode as it was."""
    sizes = input_shape if isinstance(input_shape, Sequence) else [None]
    if any(not isinstance(n, int | np.integer) or n < 1 for n in sizes):
        raise ShapeError(
            f"summary: input_shape must be ints ≥ 1, the batch size included, got {input_shape!r}"
        )
    with in_mode(model, training=False), trace() as recorded:
        model(example_input(model, input_shape))
    return recorded


def _own_parameters(module: Module, counted: set[Parameter]) -> int:
    """Parameters that are the module's own attributes; shared ones count once."""
    own: list[Any] = [v for v in vars(module).values() if isinstance(v, Parameter)]
    fresh = [parameter for parameter in dict.fromkeys(own) if parameter not in counted]
    counted.update(fresh)
    return sum(parameter.size for parameter in fresh)
