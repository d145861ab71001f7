"""`zoom`: open one element of an op's output into its scalar arithmetic."""

from __future__ import annotations

from typing import Any

import numpy as np

from .context import scope
from .errors import GraphError, ShapeError
from .graph import Graph, Node, ancestors, refuse_freed
from .op import OUTPUT
from .scalar import Scalar
from .tensor import Tensor


class Cells:
    """An array whose elements are Scalars, made when first read.

    Definitions index it like an array, so only the elements that a formula uses appear in its
    graph, each with a name such as ``x[0, 2]``.
    """

    def __init__(self, value: Any, name: str) -> None:
        self.value = np.asarray(value)
        self.name = name
        self.read: dict[tuple[int, ...], Scalar] = {}

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape

    def __getitem__(self, index: tuple[int, ...]) -> Scalar:
        index = tuple(map(int, index))
        if index not in self.read:
            label = f"{self.name}[{', '.join(map(str, index))}]" if index else self.name
            self.read[index] = Scalar(float(self.value[index]), name=label)
        return self.read[index]


class ScalarGraph(Graph):
    """The graph of one element's arithmetic.

    Attributes:
        output: its last Scalar, whose value is the element.
        cells: by input of the op, the elements that were read: {index: Scalar}.
    """

    def __init__(self, output: Scalar, cells: dict[str, dict[tuple[int, ...], Scalar]]) -> None:
        super().__init__(ancestors([output.node]), [output.node])
        self.output = output
        self.cells = cells


def zoom(y: Tensor, index: int | tuple[int, ...] = ()) -> ScalarGraph:
    """The arithmetic that computes one element of y from the inputs of the op that made y.

    Args:
        y: a recorded Tensor.
        index: of the element; a tuple of ints.

    Returns:
        A graph of Scalars. ``graph.output.backward()`` gives the gradients of the inputs' elements.

    Raises:
        GraphError: y is no op's result, was not recorded, was computed from values that have
            changed since, or its op has no definition.
        ShapeError: the index is not one element of y.

    Example:
        >>> import tinygrad_cnn as tg
        >>> x = tg.Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True, name="x")
        >>> graph = tg.zoom(x @ x, (0, 1))
        >>> graph.output
        Scalar(10)
        >>> sorted(graph.cells["x"])
        [(0, 0), (0, 1), (1, 1)]
    """
    node = y.node
    if node.op is OUTPUT and node.inputs:
        node = _only_first_output(node)
    refuse_freed(node)
    if node.op is None or not node.inputs:
        raise GraphError(
            f"zoom: {node.describe()} is not the recorded result of an op; compute it from inputs "
            "with requires_grad=True, or inside a trace"
        )
    for used in (*node.inputs, node):
        if used is not None and used.modified > node.serial:
            raise GraphError(
                f"zoom: {node.describe()} used {used.describe()}, whose value was changed "
                "afterwards; run the forward pass again"
            )
    at = tuple(index) if isinstance(index, tuple | list) else (index,)
    at = _element(at, y.shape)
    cells = _cells(node)
    with scope(node.op.name):
        output = node.op.define(at, [cells.get(p) for p in node.inputs], node.options or {})
    if not isinstance(output, Scalar):  # an empty sum
        output = Scalar(output)
    return ScalarGraph(output, {c.name: c.read for c in cells.values() if c.read})


def _cells(node: Node) -> dict[Node | None, Cells]:
    """Cells for each input, named after it, or after the op's parameter; once if used twice."""
    assert node.op is not None
    names = node.op.inputs or tuple(f"x{i}" for i in range(len(node.inputs)))
    return {
        parent: Cells(parent.value, parent.name or name)
        for parent, name in zip(node.inputs, names, strict=True)
        if parent is not None
    }


def _only_first_output(node: Node) -> Node:
    whole = node.inputs[0]
    assert whole is not None
    assert whole.op is not None
    if node.options and node.options["index"] != 0:
        raise GraphError(f"zoom: only the first output of {whole.op.name} has a definition")
    return whole


def _element(at: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    if len(at) != len(shape) or not all(
        isinstance(i, int | np.integer) and -n <= i < n for i, n in zip(at, shape, strict=True)
    ):
        raise ShapeError(f"zoom: index {at} is not one element of shape {shape}")
    return tuple(i % n for i, n in zip(at, shape, strict=True))
