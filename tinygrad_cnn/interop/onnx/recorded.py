"""A model's computation, recorded for a file: its nodes, and which sizes move with the batch.

The model runs twice, on two batches of different sizes and values. What a recorded size is in both
says how it depends on the batch; a plain array that differs cannot be written, as it was computed
outside the recording.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...engine.context import no_grad
from ...engine.node import Node
from ...engine.tensor import Tensor
from ...errors import DtypeError, OptionError, TinygradError
from ...nn.module import Module
from ...recording.graph import Graph
from ...recording.trace import trace

Arrays = tuple[np.ndarray[Any, Any], ...]


class Moving(int):
    """A size of the recorded batch that is `each`·N + `rest` for a batch of N."""

    each: int
    rest: int


class Recorded:
    """What one model computes.

    Attributes:
        nodes: in order, each after its inputs.
        inputs: the nodes of the inputs.
        outputs: (name or None, node) of each result.
        moves: whether a batch of another size can be computed.
        names: dotted names of parameters and buffers, by node.
    """

    def __init__(self, model: Module, example: Any) -> None:
        given = _arrays(example)
        training = {m: m.training for _, m in model.named_modules()}
        try:
            model.eval()
            self._first = _Run(model, given)
            self._second, self.moves = self._other_run(model, given)
        finally:
            for module, mode in training.items():
                module.training = mode
        self.nodes, self.inputs, self.outputs = (
            self._first.nodes,
            self._first.inputs,
            self._first.outputs,
        )
        self.batch = given[0].shape[0] if self.moves else 0
        self.names: dict[Node, str] = {}
        for name, tensor in model._state().items():
            self.names.setdefault(tensor.node, name)
        for name, buffer in model.named_buffers():  # also those that a state dict leaves out
            self.names.setdefault(buffer.node, name)
        self._twins = dict(zip(self._first.nodes, self._second.nodes, strict=True))

    def _other_run(self, model: Module, given: Arrays) -> tuple[_Run, bool]:
        """A run on another batch: a larger one if the model takes it, else one of other values."""
        sizes = {array.shape[0] if array.ndim else 0 for array in given}
        batched = len(sizes) == 1 and 0 not in sizes
        trials = [(other, True) for other in (_drawn(given, 1), _turned(given, 1)) if batched]
        for arrays, moves in [*trials, (_drawn(given, 0), False), (given, False)]:
            try:
                run = _Run(model, arrays)
            except TinygradError:
                continue
            if run.same_program(self._first):
                return run, moves
        return self._first, False

    def twin(self, node: Node) -> Node:
        """The same node in the other run."""
        return self._twins[node]

    def moving(self, a: Any, b: Any) -> Any:
        """Sizes of both runs as one: an int that differs becomes a `Moving`.

        Raises:
            OptionError: something else differs.
        """
        if type(a) is not type(b):
            raise OptionError(f"{a!r} becomes {b!r}")
        if isinstance(a, tuple | list):
            if len(a) != len(b):
                raise OptionError(f"{a!r} becomes {b!r}")
            return type(a)([self.moving(x, y) for x, y in zip(a, b, strict=True)])
        if isinstance(a, slice):
            parts = [
                self.moving(getattr(a, part), getattr(b, part))
                for part in ("start", "stop", "step")
            ]
            return slice(*parts)
        if isinstance(a, np.ndarray):
            if same(a, b):
                return a
            raise OptionError(f"an array of {a.shape} differs")
        if isinstance(a, int) and not isinstance(a, bool) and a != b and self.moves:
            size = Moving(a)
            size.each = b - a  # the other batch is larger by one
            size.rest = a - size.each * self.batch
            return size
        if a != b and not (a != a and b != b):
            raise OptionError(f"{a!r} becomes {b!r}")
        return a

    def options(self, node: Node) -> dict[str, Any]:
        """The options of a node's op; sizes in them that move with the batch are `Moving`.

        Raises:
            OptionError: one that depends on the input in another way.
        """
        other = self.twin(node).options or {}
        found = {}
        for name, value in (node.options or {}).items():
            try:
                found[name] = self.moving(value, other[name])
            except OptionError as error:
                raise OptionError(f"its option {name} depends on the input: {error}") from None
        return found

    def shape(self, node: Node) -> tuple[int, ...]:
        """The shape of a node's value; sizes that move with the batch are `Moving`."""
        return tuple(self.moving(node.shape, self.twin(node).shape))


class _Run:
    """One run of the model, in evaluation mode."""

    def __init__(self, model: Module, arrays: Arrays) -> None:
        given = [Tensor(array) for array in arrays]
        with no_grad(), trace():
            result = model(*given)
        named = _named(result)
        self.inputs = [tensor.node for tensor in given]
        self.outputs = [(name, tensor.node) for name, tensor in named]
        self.nodes = list(Graph.of(*[node for _, node in self.outputs], *self.inputs).nodes)
        self._places = {node: i for i, node in enumerate(self.nodes)}

    def same_program(self, other: _Run) -> bool:
        """Whether both ran the same ops on the results of the same ones."""
        return len(self.outputs) == len(other.outputs) and self._program() == other._program()

    def _program(self) -> list[Any]:
        return [
            (node.op and node.op.name, [p and self._places[p] for p in node.inputs])
            for node in self.nodes
        ]


def _arrays(example: Any) -> Arrays:
    """The inputs as arrays.

    Raises:
        DtypeError: one is no array of real numbers.
    """
    given = example if isinstance(example, tuple | list) else (example,)
    if not given:
        raise OptionError("to_onnx: the example is empty; give an array for each input")
    found = []
    for x in given:
        if not isinstance(x, Tensor | np.ndarray):
            kind = type(x).__name__
            raise DtypeError(f"to_onnx: the example must be arrays or Tensors, got {kind}")
        found.append(np.asarray(x.data if isinstance(x, Tensor) else x))
    return tuple(found)


def _drawn(given: Arrays, more: int) -> Arrays:
    """Other values of the same kind, for a batch of `more` examples more."""
    random = np.random.default_rng(271828)
    found = []
    for array in given:
        shape = (array.shape[0] + more, *array.shape[1:]) if array.ndim else ()
        if array.dtype.kind == "f":
            found.append(random.normal(size=shape).astype(array.dtype))
        else:
            low, high = (int(array.min()), int(array.max())) if array.size else (0, 0)
            drawn = random.integers(low, max(high, low + 1), shape, endpoint=True)
            found.append(drawn.astype(array.dtype))
    return tuple(found)


def _turned(given: Arrays, more: int) -> Arrays:
    """The same values the other way about, and the first `more` examples once again."""
    return tuple(np.concatenate([array, array[:more]])[::-1] for array in given)


def _named(result: Any) -> list[tuple[str | None, Tensor]]:
    """The Tensors of a model's result, with their names if it is a dictionary.

    Raises:
        DtypeError: something else is in it.
    """
    if isinstance(result, Tensor):
        return [(None, result)]
    if isinstance(result, dict):
        return [(str(k), t) for k, part in result.items() for _, t in _named(part)]
    if isinstance(result, tuple | list):
        return [pair for part in result for pair in _named(part)]
    raise DtypeError(f"to_onnx: the model gives {type(result).__name__}, where a Tensor is needed")


def same(a: Any, b: Any) -> bool:
    """Whether two arrays are equal; NaN equals itself."""
    a, b = np.asarray(a), np.asarray(b)
    return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
