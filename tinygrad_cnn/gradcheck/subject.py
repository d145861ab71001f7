"""One interface to whatever is checked: float64 arrays to perturb, a value, and a backward pass.

A `Subject` may be an op, a function of Tensors, a Module with its parameters, or a pair of
plain-array functions. The rest of this package need not know which.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..engine import defaults
from ..engine.backward import grad, to_visit, walk
from ..engine.node import Node
from ..engine.op import Op
from ..engine.tensor import Tensor
from ..errors import DtypeError, OptionError, ShapeError
from ..nn.module import Module
from ..ops.shape import concatenate
from ..recording.graph import Graph

Array = np.ndarray[Any, Any]
Pull = Callable[[Array], list[Any]]


class Subject:
    """A function to be checked, at a point.

    Attributes:
        names: the names of the differentiated inputs, parameters last.
        arrays: their values in float64, which the check perturbs in place.
        notes: sentences for the report, e.g. about casts.
        restores: functions that undo what preparing changed, called in reverse order.
    """

    def __init__(self, names: list[str], arrays: list[Array]) -> None:
        self.names, self.arrays = names, arrays
        self.notes: list[str] = []
        self.restores: list[Callable[[], None]] = []

    def value(self) -> Array:
        """The function's value at the current arrays, as a new float array."""
        raise NotImplementedError

    def record(self) -> tuple[Array, Pull]:
        """The value, and the map from a cotangent to a gradient (or None) for each input."""
        raise NotImplementedError

    def close(self) -> None:
        """Put everything back as it was."""
        while self.restores:
            self.restores.pop()()

    def __enter__(self) -> Subject:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class PlainSubject(Subject):
    """A function of plain arrays and its separate gradient, `vjp(cotangent, *arrays)`."""

    def __init__(self, f: Callable[..., Any], inputs: list[Any], vjp: Callable[..., Any]) -> None:
        values = [np.asarray(x.node.value if isinstance(x, Tensor) else x) for x in inputs]
        self.f, self.vjp = f, vjp
        self.places = [i for i, value in enumerate(values) if value.dtype.kind == "f"]
        names = argument_names(f, len(values))
        super().__init__(
            [names[i] for i in self.places],
            [np.array(values[i], np.float64, order="C") for i in self.places],
        )
        self.arguments = values
        for i, array in zip(self.places, self.arrays, strict=True):
            self.arguments[i] = array
        _note_casts(self, [np.asarray(inputs[i]).dtype for i in self.places])

    def value(self) -> Array:
        return _as_output(self.f(*self.arguments))

    def record(self) -> tuple[Array, Pull]:
        value = self.value()

        def pull(cotangent: Array) -> list[Any]:
            found = self.vjp(cotangent.reshape(value.shape), *self.arguments)
            gradients = list(found) if isinstance(found, tuple | list) else [found]
            if len(gradients) == len(self.arguments):
                gradients = [gradients[i] for i in self.places]
            if len(gradients) != len(self.places):
                raise ShapeError(
                    f"vjp returned {len(gradients)} gradients for {len(self.places)} inputs "
                    f"({', '.join(self.names)}): return a tuple of arrays, one for each input"
                )
            return [None if g is None else np.asarray(g) for g in gradients]

        return value, pull


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

    def value(self) -> Array:
        return np.array(self.compute().node.value, copy=True)

    def record(self) -> tuple[Array, Pull]:
        y, nodes = self.compute(), [tensor.node for tensor in self.tensors]
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

    def gradient_in_float32(self, cotangent: Array) -> list[Any] | None:
        """The gradient as a float32 run computes it; None if f cannot run in float32."""
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

    def gradient(self, cotangent: Array) -> EngineSubject:
        """The subject whose value is this one's gradient; the cotangent is a further input."""
        v = _movable(cotangent, True, "cotangent")

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

        return EngineSubject([*self.names, "cotangent"], [*self.tensors, v], compute)


def prepare(f: Callable[..., Any], inputs: Any, vjp: Callable[..., Any] | None) -> Subject:
    """The subject for f at the inputs, computing in float64. Close it after use.

    Raises:
        OptionError: f cannot be called, or no input is floating.
    """
    if not callable(f):
        raise OptionError(f"gradcheck: f must be a function or a Module, got {type(f).__name__}")
    given = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
    arguments = [np.asarray(x) if isinstance(x, float) else x for x in given]
    subject = PlainSubject(f, arguments, vjp) if vjp is not None else _engine_subject(f, arguments)
    if not subject.arrays:
        subject.close()
        raise OptionError(
            "gradcheck: nothing to differentiate: no input is floating, and f has no parameters"
        )
    return subject


def _engine_subject(f: Callable[..., Any], inputs: list[Any]) -> EngineSubject:
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
    _note_casts(subject, dtypes)
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


def _as_output(y: Any) -> Array:
    if isinstance(y, tuple | list):
        return np.concatenate([np.ravel(_as_output(part)) for part in y])
    if y is None:
        raise DtypeError("f returned None: it must return an array")
    y = np.array(y, copy=True)
    return y if y.dtype.kind == "f" else y.astype(np.float64)


def argument_names(f: Callable[..., Any], count: int) -> list[str]:
    """The names of f's inputs from its signature; `input0` and so on where it has none."""
    known: Sequence[str] = ()
    if isinstance(f, Op):
        known = f.inputs
    else:
        try:
            signature = inspect.signature(f.forward if isinstance(f, Module) else f)
            known = [
                name
                for name, p in signature.parameters.items()
                if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
            ]
        except (TypeError, ValueError):
            known = ()
    return [known[i] if i < len(known) else f"input{i}" for i in range(count)]


def _note_casts(subject: Subject, dtypes: list[Any]) -> None:
    cast = [
        f"{name} ({dtype})"
        for name, dtype in zip(subject.names, dtypes, strict=True)
        if dtype != np.float64
    ]
    if cast:
        listed = ", ".join(cast[:4]) + (f" and {len(cast) - 4} more" if len(cast) > 4 else "")
        subject.notes.append(f"computed in float64; cast from: {listed}")
