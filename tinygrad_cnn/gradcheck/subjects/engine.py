"""An op, a function of Tensors, or a Module with its parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...engine import defaults
from ...engine.backward import grad, to_visit, walk
from ...engine.node import Node
from ...engine.tensor import Tensor
from ...errors import DtypeError
from ...nn.module import Module
from ...ops.shape import concatenate
from ...recording.graph import Graph
from .base import Array, Pull, Subject, argument_names, note_casts


class EngineSubject(Subject):
    """A function of Tensors, whose gradient the engine computes.

    Args:
        names, tensors: what is differentiated; the tensors' arrays are perturbed in place.
        compute: runs the function on these tensors and returns a Tensor.
    """

    def __init__(
        self, names: list[str], tensors: list[Tensor], compute: Callable[[], Tensor]
    ) -> None:
        super().__init__(names, [tensor.node.value for tensor in tensors])
        self.tensors, self.compute = tensors, compute
        self.constants: list[Tensor] = []  # given, but not differentiated
        self.latest: Tensor | None = None  # what was recorded last

    def value(self) -> Array:
        return np.array(self.compute().node.value, copy=True)

    def record(self) -> tuple[Array, Pull]:
        y, nodes = self.compute(), [tensor.node for tensor in self.tensors]
        self.latest = y
        value = y.node.value
        if isinstance(value, np.ndarray) and not any(value is array for array in self.arrays):
            value.flags.writeable = False  # a vjp that writes into it raises an error
        # If each pass sorts the graph itself, a check of a chain of 60 ops takes 1.1 times as long.
        order = to_visit([y.node], nodes)

        def pull(cotangent: Array) -> list[Any]:
            if not y.requires_grad:
                return [None] * len(self.tensors)
            seed = cotangent.reshape(y.shape).astype(y.dtype)
            seed.flags.writeable = False  # for the same reason
            found = walk(
                {y.node: seed}, wanted=nodes, order=order
            )  # as grad does, without its Tensors
            return [found.get(node) for node in nodes]

        return np.array(y.node.value, copy=True), pull

    def conditions(self) -> list[Array]:
        nodes = Graph.of(self.latest).nodes if self.latest is not None else []
        found = [n.inputs[0] for n in nodes if n.op is not None and n.op.name == "where"]
        return [np.asarray(condition.value) for condition in found if condition is not None]

    def gradient_in_float32(self, cotangent: Array) -> list[Any] | None:
        nodes = [tensor.node for tensor in [*self.tensors, *self.constants]]
        held = [_hold(node) for node in nodes] + [_hold_default_dtype(np.float32)]
        try:
            for node in nodes:
                node.value = node.value.astype(np.float32)
            return self.record()[1](cotangent)
        except DtypeError:  # a float64 array inside
            return None
        finally:
            for restore in held:
                restore()

    def gradient(self, cotangent: Array, name: str) -> EngineSubject:
        v = _movable(cotangent, True, name)

        def compute() -> Tensor:
            y = self.compute()
            found = [None] * len(self.tensors)
            if y.requires_grad:
                found = grad(y, self.tensors, v, create_graph=True, allow_unused=True)
            flat = [
                Tensor(np.zeros(t.size)) if g is None else g.reshape(-1)
                for g, t in zip(found, self.tensors, strict=True)
            ]
            return concatenate(flat)

        return EngineSubject([*self.names, name], [*self.tensors, v], compute)


def engine_subject(f: Callable[..., Any], inputs: list[Any]) -> EngineSubject:
    """The subject for an op, a function of Tensors or a Module, which is cast to float64."""
    asked = any(isinstance(x, Tensor) and x.requires_grad for x in inputs)
    labels = argument_names(f, len(inputs))
    names, tensors, constants, arguments, dtypes = [], [], [], [], []
    for label, x in zip(labels, inputs, strict=True):
        value = np.asarray(x.node.value) if isinstance(x, Tensor) else x
        if not isinstance(value, np.ndarray) or value.dtype.kind != "f":
            arguments.append(x)  # labels, masks, options: passed on as they are
            continue
        wanted = x.requires_grad if asked and isinstance(x, Tensor) else not asked
        tensor = _movable(value, wanted, label)
        arguments.append(tensor)
        if not wanted:
            constants.append(tensor)
        else:
            names.append(label)
            tensors.append(tensor)
            dtypes.append(value.dtype)
    restores = [_hold_default_dtype(np.float64)]
    state: list[tuple[Node, Array]] = []
    if isinstance(f, Module):
        for name, parameter in f.named_parameters():
            restores.append(_hold(parameter.node))
            dtypes.append(parameter.dtype)
            parameter.node.value = np.array(parameter.node.value, np.float64, order="C")
            names.append(name)
            tensors.append(parameter)
        for buffer in f.buffers():
            restores.append(_hold(buffer.node))
            state.append((buffer.node, buffer.node.value))

    def compute() -> Tensor:
        for node, value in state:  # running statistics, which training mode changes
            floating = value.dtype.kind == "f" and tensors
            node.value = value.astype(tensors[0].dtype if floating else value.dtype)
        return _one_tensor(f(*arguments))

    subject = EngineSubject(names, tensors, compute)
    subject.restores, subject.constants = restores, constants
    note_casts(subject, dtypes)
    if _refused_dtype(compute):
        _cast_captured(subject, lambda: _one_tensor(f(*map(_in_float32, inputs))))
    return subject


def _movable(value: Any, requires_grad: bool, name: str) -> Tensor:
    """A float64 Tensor whose array the check moves in place."""
    tensor = Tensor(value, np.float64, requires_grad, name)
    tensor.node.value = np.array(value, np.float64, order="C")
    return tensor


def _refused_dtype(compute: Callable[[], Tensor]) -> bool:
    """Whether float64 inputs clash with a dtype inside f; the check reports other errors."""
    try:
        compute()
    except DtypeError:
        return True
    except Exception:
        return False
    return False


def _cast_captured(subject: EngineSubject, compute: Callable[[], Tensor]) -> None:
    """For the duration of the check, cast weights that f captures; its graph holds them."""
    try:
        y = compute()
    except Exception:  # not a clash of dtypes: the check reports it
        return
    known = {tensor.node for tensor in subject.tensors}
    captured = [
        node
        for node in Graph.of(y).nodes
        if node.op is None
        and node not in known
        and isinstance(node.value, np.ndarray)
        and node.value.dtype.kind == "f"
    ]
    for node in captured:
        subject.restores.append(_hold(node))
        node.value = node.value.astype(np.float64)
    if captured:
        subject.notes.append(f"{len(captured)} captured Tensors were cast to float64 as well")


def _in_float32(x: Any) -> Any:
    """A floating input as a float32 Tensor that requires a gradient; other inputs unchanged."""
    value = x.node.value if isinstance(x, Tensor) else x
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return Tensor(value, dtype=np.float32, requires_grad=True)
    return x


def _hold(node: Node) -> Callable[[], None]:
    """A function that restores the current value of a node."""
    value, modified = node.value, node.modified

    def restore() -> None:
        node.value, node.modified = value, modified

    return restore


def _hold_default_dtype(dtype: Any) -> Callable[[], None]:
    """Set the default dtype, and return a function that restores the previous one."""
    before = defaults.default_dtype()
    defaults.set_default_dtype(dtype)
    return lambda: defaults.set_default_dtype(before)


def _one_tensor(y: Any) -> Tensor:
    """f's result as one Tensor: several results are flattened and joined."""
    if isinstance(y, tuple | list):
        return concatenate([_one_tensor(part).reshape(-1) for part in y])
    if not isinstance(y, Tensor):
        raise DtypeError(
            f"f must return a Tensor (or a tuple of them), got {type(y).__name__}; for a function "
            "of plain arrays give its gradient as vjp="
        )
    return y
