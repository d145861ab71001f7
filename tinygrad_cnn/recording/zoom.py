"""`zoom`: open one element of an op's output into its scalar arithmetic."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..engine.backward import grad
from ..engine.context import mode, scope
from ..engine.node import Handle, Node, ancestors, refuse_freed
from ..engine.op import OUTPUT
from ..engine.scalar import Scalar
from ..engine.tensor import Tensor
from ..errors import GraphError, OptionError, ShapeError
from ..ops.elementwise import multiply
from .graph import Graph
from .replay import refuse_stale

DEEPEST = 50
"""How many ops deep `zoom` goes at most."""
Index = tuple[int, ...]


class Cells:
    """An array whose elements are Scalars, made when first read.

    Definitions index it like an array, so only the elements that a formula uses appear in its
    graph, each with a name such as ``x[0,2]``.

    Args:
        value: the array.
        name: of the array.
        compute: gives the Scalar of an element; if None, each element is a leaf.
    """

    def __init__(
        self, value: Any, name: str, compute: Callable[[Index], Scalar] | None = None
    ) -> None:
        self.value = np.asarray(value)
        self.name = name
        self.compute = compute
        self.read: dict[Index, Scalar] = {}

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape

    def __getitem__(self, index: Index) -> Scalar:
        index = tuple(map(int, index))
        if index not in self.read:
            made = self.compute(index) if self.compute else Scalar(float(self.value[index]))
            made.name = made.name or label(self.name, index)
            self.read[index] = made
        return self.read[index]


class ScalarGraph(Graph):
    """The graph of one element's arithmetic.

    Attributes:
        output: its last Scalar, whose value is the element.
        cells: by array, the elements that were read: {name: {index: Scalar}}.
    """

    def __init__(self, output: Scalar, arrays: dict[Node, Cells]) -> None:
        super().__init__(ancestors([output.node]), [output.node])
        self.output = output
        self._arrays = arrays
        self.cells = {cells.name: cells.read for cells in arrays.values() if cells.read}

    @property
    def arrays(self) -> dict[str, Node]:
        """The arrays of which elements were read, by name."""
        return {cells.name: node for node, cells in self._arrays.items() if cells.read}

    def gradient(self, x: Handle | Node) -> np.ndarray[Any, Any]:
        """The gradient of the element with respect to an array that was read: 0 where it was not.

        Arrays that are not opened count as independent of each other.

        Raises:
            GraphError: x is no such array.

        Example:
            >>> import tinygrad_cnn as tg
            >>> x = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True)
            >>> tg.zoom(x * x, 1).gradient(x)
            array([0., 4., 0.])
        """
        node = x.node if isinstance(x, Handle) else x
        if node not in self._arrays:
            raise GraphError(f"zoom: {node.describe()} is not among the arrays that were opened")
        cells = self._arrays[node]
        found = np.zeros(cells.shape)
        if cells.read:
            gradients = grad(self.output, list(cells.read.values()), allow_unused=True)
            for index, gradient in zip(cells.read, gradients, strict=True):
                found[index] = 0.0 if gradient is None else gradient.data
        return found


def zoom(y: Tensor, index: int | tuple[int, ...] = (), depth: int = 1) -> ScalarGraph:
    """The arithmetic that computes one element of y from the inputs of the op that made y.

    Elements are named after their array and index, ``X[0,1,2]``; products of two elements after
    both, ``X[0,1,2]·W[0,0]``. Arrays have the names that you gave them, else those of the op's
    parameters.

    Args:
        y: a recorded Tensor.
        index: of the element; a tuple of ints.
        depth: how many ops deep: with 2, the elements that y's op used are opened as well.

    Returns:
        A graph of Scalars. ``graph.output.backward()`` gives the gradients of the inputs' elements,
        and ``graph.gradient(x)`` those of an array.

    Raises:
        GraphError: y is no op's result, was not recorded, was computed from values that have
            changed since, or its op has no definition.
        ShapeError: the index is not one element of y.
        OptionError: depth is not in 1 … 50.

    Example:
        >>> import tinygrad_cnn as tg
        >>> x = tg.Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True, name="x")
        >>> graph = tg.zoom(x @ x, (0, 1))
        >>> graph.output
        Scalar(10, name='y[0,1]')
        >>> [node.name for node in graph.nodes if node.op and node.op.name == "multiply"]
        ['x[0,0]·x[0,1]', 'x[0,1]·x[1,1]']
        >>> sorted(graph.cells["x"])
        [(0, 0), (0, 1), (1, 1)]
    """
    if not isinstance(depth, int) or not 1 <= depth <= DEEPEST:
        raise OptionError(f"zoom: depth must be an int in 1 … {DEEPEST}, got {depth!r}")
    if not isinstance(y, Tensor):
        raise GraphError(f"zoom: a Tensor is needed, got {type(y).__name__}")
    node = _producer(y.node)
    if not node.inputs:
        raise GraphError(
            f"zoom: {node.describe()} is not the recorded result of an op; compute it from inputs "
            "with requires_grad=True, or inside a trace"
        )
    at = tuple(index) if isinstance(index, tuple | list) else (index,)
    at = _element(at, y.shape)
    arrays: dict[Node, Cells] = {}
    with mode(recording=True, watchers=()):
        output = _define(node, at, depth, arrays)
    if output.name is None:
        output.name = label(y.name or "y", at)
    made = ScalarGraph(output, arrays)
    _name_products(made.nodes)
    return made


def label(name: str, index: Index) -> str:
    """The name of an element, such as ``x[0,2]``; just ``x`` if the array has no axes."""
    return f"{name}[{','.join(map(str, index))}]" if index else name


def _define(node: Node, at: Index, depth: int, arrays: dict[Node, Cells]) -> Scalar:
    """One element of what `node` computed; the arrays that it reads join `arrays`."""
    assert node.op is not None
    refuse_stale("zoom", node)
    names = node.op.inputs or tuple(f"x{i}" for i in range(len(node.inputs)))
    inputs = [
        None if parent is None else _cells(parent, name, depth - 1, arrays)
        for parent, name in zip(node.inputs, names, strict=True)
    ]
    with scope(node.op.name):
        result = node.op.define(at, inputs, node.options or {})
    return result if isinstance(result, Scalar) else Scalar(result)  # an empty sum is a number


def _cells(array: Node, name: str, depth: int, arrays: dict[Node, Cells]) -> Cells:
    """The elements of an array, shared by all that read it, and opened in turn if depth allows."""
    if array in arrays:
        return arrays[array]
    producer = _opened(array) if depth > 0 else None
    compute = None
    if producer is not None and producer.op is not None:
        name = producer.op.name

        def compute(index: Index) -> Scalar:
            with mode(scope=""):
                return _define(producer, index, depth, arrays)

    name = array.name or name
    taken = {cells.name for cells in arrays.values()}
    numbered = (f"{name}{i}" for i in itertools.count(2))
    name = next(n for n in itertools.chain([name], numbered) if n not in taken)
    arrays[array] = Cells(array.value, name, compute)
    return arrays[array]


def _producer(node: Node) -> Node:
    """The node of the op that made a value; for the first of several outputs, of all of them."""
    refuse_freed(node)
    if node.op is not OUTPUT or not node.inputs:
        return node
    whole = node.inputs[0]
    assert whole is not None
    assert whole.op is not None
    refuse_freed(whole)
    if node.options and node.options["index"] != 0:
        raise GraphError(f"zoom: only the first output of {whole.op.name} has a definition")
    return whole


def _opened(array: Node) -> Node | None:
    """The op's node behind an array if it has a definition, else None: it is not opened."""
    if array.op is OUTPUT and array.options and array.options["index"] != 0:
        return None
    producer = _producer(array)
    defined = producer.op is not None and producer.op.is_defined and producer.inputs
    return producer if defined else None


def _name_products(nodes: Iterable[Node]) -> None:
    for node in nodes:
        if node.op is multiply and node.name is None:
            names = [parent.name for parent in node.inputs if parent is not None]
            if all(names) and not any("·" in name for name in names if name):
                node.name = "·".join(name for name in names if name)


def _element(at: tuple[Any, ...], shape: tuple[int, ...]) -> Index:
    if len(at) != len(shape) or not all(
        isinstance(i, int | np.integer) and -n <= i < n for i, n in zip(at, shape, strict=True)
    ):
        raise ShapeError(f"zoom: index {at} is not one element of shape {shape}")
    return tuple(int(i) % n for i, n in zip(at, shape, strict=True))
