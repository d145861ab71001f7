"""`expand()`: is the network's output the sum of 2ⁿ forward networks? If it is linear, yes.

The picture of 2ⁿ paths is exact for gradients, since backward is linear. Forward it holds only for
linear branches: F₂(x + F₁(x)) = F₂(x) + F₂(F₁(x)) is what linear means. Otherwise the sum of the
unrolled networks is another function, and `Expansion.difference` says by how much it differs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..engine.node import Handle, Node, ancestors
from ..engine.op import OUTPUT
from ..engine.tensor import Tensor
from ..errors import DtypeError, GraphError, OptionError
from ..nn import Module
from ..nn.modes import in_mode
from ..ops.residual import residual_add
from ..recording.graph import Graph

Array = np.ndarray[Any, Any]
Taken = tuple[Node, bool]  # a residual add, and whether its branch is taken
Route = tuple[Taken, ...]


@dataclass(frozen=True)
class Expansion:
    """A network's output beside what its paths make, each run forward by itself.

    Attributes:
        start: the node of the input.
        blocks: the residual adds between input and output, in order of creation.
        paths: for each path, which blocks' branches it takes, and its output.
        output: of the network.
        met: for each path, which blocks it meets at all, taking their shortcut or their branch.
    """

    start: Node
    blocks: tuple[Node, ...]
    paths: tuple[tuple[tuple[bool, ...], Array], ...]
    output: Array
    met: tuple[tuple[bool, ...], ...]

    @property
    def n_blocks(self) -> int:
        return len(self.blocks)

    @property
    def total(self) -> Array:
        """The sum of all paths' outputs."""
        return np.sum([value for _, value in self.paths], axis=0)

    @property
    def difference(self) -> float:
        """‖sum of the paths − output‖ / ‖output‖: 0, up to rounding, if all is linear.

        A bias is not linear: each path adds it, the network once.
        """
        output = np.asarray(self.output, np.float64)
        apart = float(np.linalg.norm(self.total - output))
        size = float(np.linalg.norm(output))
        return apart / size if size else (0.0 if apart == 0 else float("inf"))

    def __repr__(self) -> str:
        return (
            f"<Expansion: {len(self.paths)} paths over {self.n_blocks} residual blocks, "
            f"their sum off by {self.difference:.2g} of the output>"
        )


def expand(what: Module | Graph | Handle, x: Handle | None = None, limit: int = 12) -> Expansion:
    """Run every path of a residual network forward by itself, and compare their sum.

    At each residual add a path keeps one input, the skip or the branch. Values that do not depend
    on `x` (weights, biases) are as recorded. Nonlinear functions, biases, and batch norm in
    training mode make the sum differ from the output.

    Args:
        what: a model, which is run on `x` in evaluation mode; or a recorded result, or the Graph of
            one.
        x: the input of the network; may be left out if a recorded result has only one input.
        limit: the most blocks; there are up to 2ⁿ paths.

    Raises:
        OptionError: more than `limit` blocks, or no `x` where one is needed.
        GraphError: the result does not depend on `x`, or the graph has several outputs.

    Example:
        >>> import tinygrad_cnn as tg
        >>> x = tg.Tensor([1.0, -2.0], requires_grad=True)
        >>> y = tg.residual_add(x, 3 * x)
        >>> expansion = tg.expand(tg.residual_add(y, 5 * y), x)  # (1 + 5)(1 + 3) x
        >>> [value[0].item() for _, value in expansion.paths]  # x, 3x, 5x, 15x
        [1.0, 3.0, 5.0, 15.0]
        >>> expansion.difference
        0.0
        >>> y = tg.relu(tg.residual_add(x, 3 * x))
        >>> round(tg.expand(tg.residual_add(y, tg.exp(y)), x).difference, 2)
        0.54
    """
    if isinstance(what, Module):
        if not isinstance(x, Handle):
            raise OptionError("expand: give x, the network's input, as a Tensor")
        start, result = _run(what, x)
    else:
        graph = Graph.of(what) if isinstance(what, Handle) else what
        if not isinstance(graph, Graph):
            raise DtypeError(
                f"expand: a model, Graph or Tensor is needed, got {type(what).__name__}"
            )
        start, result = _ends(graph, x)
    order = _depending(start, result)
    blocks = tuple(node for node in order if node.op is residual_add)
    if len(blocks) > limit:
        raise OptionError(
            f"expand: {len(blocks)} blocks have up to 2^{len(blocks)} paths, each a forward run; "
            f"take a smaller network, or limit={len(blocks)}"
        )
    routes = _forward(order, start, result)
    listed = [(_taken(route, blocks), route, np.asarray(y)) for route, y in routes.items()]
    listed.sort(key=lambda path: (sum(path[0]), [not branch for branch in path[0]]))
    return Expansion(
        start,
        blocks,
        tuple((branches, value) for branches, _, value in listed),
        np.asarray(result.value),
        tuple(_met(route, blocks) for _, route, _ in listed),
    )


def _run(model: Module, x: Handle) -> tuple[Node, Node]:
    """The model's input and output, recorded in evaluation mode; its modes are put back."""
    start = Tensor(x.node.value, requires_grad=True, name=x.node.name or "x")
    with in_mode(model, training=False):
        return start.node, model(start).node


def _ends(graph: Graph, x: Handle | None) -> tuple[Node, Node]:
    if len(graph.outputs) != 1:
        raise GraphError(f"expand: a graph of one output is needed, got {len(graph.outputs)}")
    if x is not None:
        return x.node, graph.outputs[0]
    inputs = [node for node in graph.nodes if node.role == "input" and node.needs_grad]
    if len(inputs) != 1:
        raise OptionError(f"expand: give x, since the graph has {len(inputs)} inputs")
    return inputs[0], graph.outputs[0]


def _depending(start: Node, result: Node) -> list[Node]:
    """The nodes on the way from `start` to `result`, inputs first."""
    found: set[Node] = {start}
    order = [start]
    for node in ancestors([result]):
        if node is not start and any(parent in found for parent in node.inputs):
            found.add(node)
            order.append(node)
    if result not in found:
        raise GraphError(f"expand: the result does not depend on x ({start.describe()})")
    return order


def _forward(order: Sequence[Node], start: Node, result: Node) -> dict[Route, Any]:
    """The value of the result along each route. A route is the choices made so far."""
    last = {parent: node for node in order for parent in node.inputs if parent is not None}
    values: dict[Node, dict[Route, Any]] = {start: {(): start.value}}
    for node in order[1:]:
        if node.op is residual_add:
            skip, branch = (values.get(p, {}) if p else {} for p in node.inputs)
            values[node] = {(*route, (node, False)): value for route, value in skip.items()}
            values[node] |= {(*route, (node, True)): value for route, value in branch.items()}
        else:
            values[node] = _along_each(node, values)
        for parent in node.inputs:  # free what is no longer needed: there are 2ⁿ values
            if parent is not None and last.get(parent) is node and parent is not result:
                values.pop(parent, None)
    return values[result]


def _along_each(node: Node, values: dict[Node, dict[Route, Any]]) -> dict[Route, Any]:
    """An op on the inputs' values along each route; an input that the route misses is zero."""
    assert node.op is not None
    routes: dict[Route, None] = {}
    for parent in node.inputs:
        if parent in values:
            routes |= dict.fromkeys(values[parent])
    made: dict[Route, Any] = {}
    for route in routes:
        args: list[Any] = []
        for parent in node.inputs:
            if parent is None or parent not in values:
                args.append(None if parent is None else parent.value)
            elif route in values[parent]:
                args.append(values[parent][route])
            else:
                args.append(_zeros(parent))
        made[route] = node.op.forward(*args, **(node.options or {}))
    return made


def _zeros(node: Node) -> Any:
    if node.op is OUTPUT or not isinstance(node.value, tuple):
        return np.zeros_like(node.value)
    return tuple(np.zeros_like(part) for part in node.value)


def _taken(route: Route, blocks: Sequence[Node]) -> tuple[bool, ...]:
    """For each block, whether the route took its branch."""
    crossed = {add for add, branch in route if branch}
    return tuple(add in crossed for add in blocks)


def _met(route: Route, blocks: Sequence[Node]) -> tuple[bool, ...]:
    found = {add for add, _ in route}
    return tuple(add in found for add in blocks)
