"""`receptive_field`: which part of the image one element of a network depends on.

Along one axis, element i of a layer depends on the cells

    start + i · jump  …  start + i · jump + size − 1

of the image. A layer with windows (kernel k, stride s, padding p before, dilation e) takes the
field (size, jump, start) of its input to

    size + (k − 1) · e · jump,    jump · s,    start − p · jump

(Araujo, Norris & Sim, "Computing receptive fields of convolutional neural networks", Distill 2019;
their start is the window's centre). The network's recorded graph says which layers follow which.
The same is measured: by the gradient of the element with respect to the image.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..engine.backward import grad
from ..engine.node import Constant, Node
from ..engine.tensor import Tensor
from ..errors import DtypeError, GraphError, OptionError, ShapeError
from ..nn import Module
from ..nn.modes import in_mode
from ..recording.graph import Graph
from ..recording.table import Table
from .walk import WINDOWS, Axis, Cells, Index, Step, Walk

Box = tuple[tuple[int, int], ...]  # along each spatial axis the first cell and the last


@dataclass(frozen=True)
class Layer:
    """One row of the table.

    Attributes:
        name: of the module; of the op where there is none.
        op: the op's name.
        output: its shape without the batch axis.
        steps: how it reads its input, along each spatial axis.
        field: the receptive field of its elements, along each spatial axis.
        cells: which part of this layer the one element depends on: a set of indices along each
            spatial axis. The sets are empty if it does not depend on this layer.
        grid: how many places the layer has along each spatial axis.
    """

    name: str
    op: str
    output: Index
    steps: tuple[Step, ...]
    field: tuple[Axis, ...]
    cells: Cells
    grid: Index


class ReceptiveField:
    """What one element depends on. Printed, it is a table.

    Attributes:
        input_shape: (C, …).
        layer: where the element is: the module's name, or the op's.
        index: the element.
        layers: those layers that the element depends on, its own included, which have windows or
            another field than their input.
    """

    def __init__(self, graph: Graph, x: Node, target: Node, index: Index | int | None) -> None:
        self._graph, self._x, self._target = graph, x, target
        self._walk = Walk(graph, x)
        self.input_shape: Index = x.shape[1:]
        self.layer = target.scope or (target.op.name if target.op else "input")
        self.index = _element(index, target, self._walk)

    # --- analytic ----------------------------------------------------------------------------

    @property
    def field(self) -> tuple[Axis, ...]:
        """Size, jump and start along each spatial axis.

        Raises:
            GraphError: an op on the way has no rule; `measured` needs none.
        """
        return self._walk.field(self._target)

    @property
    def size(self) -> Index:
        """How many cells along each spatial axis, the padding counted."""
        return tuple(axis.size for axis in self.field)

    @property
    def window(self) -> Box:
        """The field of this element: first and last cell along each axis, the padding included."""
        place = self._walk.place(self._target, self.index)
        return tuple(axis.span(i) for axis, i in zip(self.field, place, strict=True))

    @cached_property
    def cells(self) -> Cells:
        """The cells of the image that the element depends on, along each axis: no padding, and
        with dilation only those that are read."""
        found = self._needs.get(self._x, ())
        return found if all(found) else (frozenset(),) * len(self.field)

    @property
    def box(self) -> Box:
        """The smallest box around `cells`: first and last along each axis.

        Raises:
            GraphError: there are none.
        """
        if not all(self.cells):
            raise GraphError(
                f"receptive_field: element {self.index} of {self.layer} depends on padding alone"
            )
        return tuple((min(cells), max(cells)) for cells in self.cells)

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        walk, needs = self._walk, self._needs
        found = []
        for node in self._graph.nodes:
            if node in needs and node is not self._x and walk.is_row(node):
                assert node.op is not None
                name = node.scope or node.op.name
                steps = walk.steps[node][next(iter(walk.steps[node]))]
                field = walk.field(node)
                found.append(
                    Layer(
                        name,
                        node.op.name,
                        node.shape[1:],
                        steps,
                        field,
                        needs[node],
                        walk.grids[node],
                    )
                )
        return tuple(found)

    @cached_property
    def _needs(self) -> dict[Node, Cells]:
        self._walk.field(self._target)  # raises where there is no rule
        place = self._walk.place(self._target, self.index)
        return self._walk.back(self._target, tuple(frozenset([i]) for i in place))

    # --- measured ----------------------------------------------------------------------------

    @cached_property
    def measured(self) -> Box:
        """The smallest box around the cells where the element's gradient is not 0.

        So that no gradient is 0 by chance, all weights are made positive, and there are two images:
        one grows brighter towards a corner, so that all maxima are at that side of their windows,
        the other grows darker. At the image's border, next to padding, max pooling may still hide
        cells.

        Raises:
            GraphError: the element's gradient is 0 everywhere.
        """
        spatial = self.input_shape[1:]
        ramp = 1 + 0.5 * np.mean(
            np.meshgrid(*(np.linspace(-1, 1, n) for n in spatial), indexing="ij"), axis=0
        )
        reached = np.zeros(spatial, bool)
        for image in (ramp, 2 - ramp):
            changes = {node: _positive(node) for node in self._graph.nodes if _is_weight(node)}
            changes.pop(self._x, None)
            reached |= self._gradient(np.broadcast_to(image, self.input_shape), changes) != 0
        if not reached.any():
            raise GraphError(
                f"receptive_field: the gradient of element {self.index} of {self.layer} is 0 "
                "everywhere"
            )
        where = np.argwhere(reached)
        return tuple(
            (int(a), int(b)) for a, b in zip(where.min(axis=0), where.max(axis=0), strict=True)
        )

    def effective(self, image: Any = None) -> np.ndarray[Any, Any]:
        """How much the element depends on each place: |gradient|, added up over the channels.

        Args:
            image: (C, …) or (1, C, …), where the gradient is taken; random noise if None. The
                network's weights are as they are.

        Returns:
            An array of the image's spatial shape.

        Raises:
            ShapeError: the image has another shape.
        """
        if image is None:
            image = np.random.default_rng(0).normal(size=self.input_shape)
        array = np.asarray(image.data if isinstance(image, Tensor) else image)
        array = array[0] if array.ndim == len(self.input_shape) + 1 and len(array) == 1 else array
        if array.shape != self.input_shape:
            raise ShapeError(
                f"receptive_field: the image must be {self.input_shape}, got {array.shape}"
            )
        return self._gradient(array, {})

    def _gradient(self, image: Any, changes: dict[Any, Any]) -> np.ndarray[Any, Any]:
        dtype = self._x.value.dtype
        x = Tensor(np.array(image, dtype)[None], requires_grad=True)
        replayed = Graph.of(self._target).replay({**changes, self._x: x})
        y = replayed[self._target]
        one = np.zeros(y.shape, y.dtype)
        one[(0, *self.index)] = 1
        found = grad(y, x, one, allow_unused=True)
        spatial = self.input_shape[1:]
        return np.zeros(spatial) if found is None else np.abs(found.numpy()[0]).sum(axis=0)

    # --- in words ----------------------------------------------------------------------------

    def table(self) -> Table:
        """A row per layer: kernel, stride, padding before, dilation; output; size, jump, start."""
        rows = []
        for layer in self.layers:
            whole = any(step.whole for step in layer.steps)
            windows = layer.op.startswith(WINDOWS)
            options: list[str] = [
                _same([getattr(step, name) for step in layer.steps])
                for name in ("kernel", "stride", "before", "dilation")
            ]
            rows.append(
                [
                    layer.name,
                    layer.op,
                    *(["all", "", "", ""] if whole else options if windows else [""] * 4),
                    " × ".join(map(str, layer.output)),
                    *(
                        _same([getattr(axis, name) for axis in layer.field])
                        for name in ("size", "jump", "start")
                    ),
                ]
            )
        header = ["layer", "op", "kernel", "stride", "padding", "dilation", "output"]
        return Table((*header, "size", "jump", "start"), rows, left=2)

    def __repr__(self) -> str:
        reason = self._walk.fields[self._target]
        if isinstance(reason, str):
            return f"element {list(self.index)} of {self.layer}: {reason}"
        size = " × ".join(map(str, self.size))
        box = ", ".join(f"{a} … {b}" for a, b in self.box) if all(self.cells) else ""
        return (
            f"{self.table()!r}\n\nelement {list(self.index)} of {self.layer}: "
            f"a field of {size}, {f'cells {box}' if box else 'no cell of the image'}"
        )


def receptive_field(
    model: Module | Callable[[Tensor], Tensor],
    input_shape: Sequence[int],
    index: Sequence[int] | int | None = None,
    layer: str | None = None,
) -> ReceptiveField:
    """Which part of the image one element depends on: by arithmetic, and measured by gradient.

    Args:
        model: a Module (run in evaluation mode), or a function of a Tensor.
        input_shape: of the image with its batch axis: (1, C, H, W), or one or three spatial axes.
        index: of the element: (i, j), (c, i, j), or, after flattening, a number; None: the middle
            one of channel 0.
        layer: the dotted name of the module whose output the element is in; None: the model's.

    Returns:
        A `ReceptiveField`: `.size`, `.field` (size, jump, start an axis), `.box`, `.cells`,
        `.measured`, `.effective(image)`, `.layers`, `.table()`.

    Raises:
        ShapeError: no image with spatial axes, or an index outside.
        OptionError: no module of that name computes something.
        GraphError: the output does not depend on the image.

    Example:
        >>> import tinygrad_cnn as tg
        >>> two = tg.nn.Sequential(tg.nn.Conv2d(1, 1, 2), tg.nn.Conv2d(1, 1, 2))
        >>> field = tg.receptive_field(two, (1, 1, 8, 8), (3, 3))
        >>> field.size, field.box, field.measured
        ((3, 3), ((3, 5), (3, 5)), ((3, 5), (3, 5)))
    """
    shape = tuple(input_shape)
    if not 3 <= len(shape) <= 5 or not all(isinstance(n, int) and n > 0 for n in shape):
        raise ShapeError(
            f"receptive_field: input_shape must be (1, C, H, W), or with one or three spatial "
            f"axes, all sizes positive; got {shape}"
        )
    x, y = _run(model, (1, *shape[1:]))
    graph = Graph.of(y)
    if x.node not in set(graph.nodes):
        raise GraphError("receptive_field: the output does not depend on the input")
    target = y.node if layer is None else _last_of(layer, graph, x.node)
    return ReceptiveField(graph.ancestors(target), x.node, target, index)  # type: ignore[arg-type]


def _run(model: Any, shape: Index) -> tuple[Tensor, Tensor]:
    """A forward pass on zeros, in evaluation mode; modules are left as they were."""
    is_module = isinstance(model, Module)
    parameters = model.parameters() if is_module else ()
    dtype = next((p.dtype for p in parameters), np.dtype(np.float32))
    x = Tensor(np.zeros(shape, dtype), requires_grad=True, name="input")
    with in_mode(model, training=False) if is_module else contextlib.nullcontext():
        y = model(x)
    if not isinstance(y, Tensor):
        raise DtypeError(f"receptive_field: the model must return a Tensor, got {type(y).__name__}")
    return x, y


def _last_of(layer: str, graph: Graph, x: Node) -> Node:
    found = [
        node
        for node in graph.nodes
        if node.op is not None and (node.scope == layer or node.scope.startswith(f"{layer}."))
    ]
    if not found:
        names = dict.fromkeys(node.scope for node in graph.nodes if node.scope)
        raise OptionError(
            f"receptive_field: no module {layer!r} computes something; there are {', '.join(names)}"
        )
    return found[-1]


def _element(index: Any, target: Node, walk: Walk) -> Index:
    shape = target.shape[1:]
    if index is None:
        return tuple(0 if i == 0 and len(shape) > 1 else n // 2 for i, n in enumerate(shape))
    given = tuple(index) if isinstance(index, Sequence) else (index,)
    if len(given) == len(shape) - 1:
        given = (0, *given)
    if len(given) != len(shape) or not all(
        isinstance(i, int | np.integer) and -n <= i < n for i, n in zip(given, shape, strict=True)
    ):
        raise ShapeError(f"receptive_field: index {index!r} is no element of the output {shape}")
    return tuple(int(i) % n for i, n in zip(given, shape, strict=True))


def _same(values: Sequence[int]) -> str:
    return str(values[0]) if len(set(values)) == 1 else " × ".join(map(str, values))


def _is_weight(node: Node) -> bool:
    value = node.value
    floating = getattr(getattr(value, "dtype", None), "kind", "") == "f"
    return node.op is None and not isinstance(node, Constant) and floating


def _positive(node: Node) -> np.ndarray[Any, Any]:
    """A weight with which every layer is a mean of what it reads."""
    shape = node.shape
    zero = (node.name or "").endswith(("bias", "mean"))
    return np.full(shape, 0.0 if zero else 1 / math.prod(shape[1:]))
