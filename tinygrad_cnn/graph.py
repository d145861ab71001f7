"""What was computed: nodes, and graphs of them. No arithmetic happens here.

A `Node` is one value and how it came about: the op, the input nodes, the options. Nodes point
to their inputs only, so dropping a result frees everything that only it needed. A `Handle`
(`Tensor`, `Scalar`) is what users hold; it owns nothing but its node. A `Graph` is the part of the
recording that some results depend on.

Every node carries a `serial`, drawn from one counter for all threads. Inputs are older than what
is computed from them, so *sorting by serial is a topological order*, and a change to a value
(`modified`, a serial too) that is younger than a node that used it is a stale use.
"""

from __future__ import annotations

import itertools
import operator
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NamedTuple, TypeVar

from .errors import GraphError

if TYPE_CHECKING:
    import networkx

    from .op import Op
    from .replay import Replay

T = TypeVar("T")
_by_serial = operator.attrgetter("serial")
next_serial = itertools.count(1).__next__
_changing = threading.Lock()  # the latest change, of all threads, is to be the largest serial
FREED: tuple[None] = (None,)
"""The inputs of a node whose recording `backward(free_graph=True)` threw away."""


class _Rare(Generic[T]):
    """An attribute that few nodes have. It is in the node's dictionary, made once one is set."""

    def __init__(self, default: T) -> None:
        self.default = default

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, node: Node, owner: type | None = None) -> T:
        return self.default if node.rare is None else node.rare.get(self.name, self.default)

    def __set__(self, node: Node, value: T) -> None:
        if node.rare is None:
            node.rare = {}
        node.rare[self.name] = value


class Node:
    """One value, and the op, inputs and options that it was computed from (none for a leaf).

    Attributes:
        op: the op that computed the value; None for a leaf.
        inputs: a node per argument of the op, None where an optional input was left out; the
            tuple is empty for a leaf, and for a result computed without recording.
        value: the array (a tuple of arrays for an op with several outputs), or a Scalar's float.
        options: the op's static arguments, by name.
        scope: dotted name of the module that computed it, e.g. ``features.0.conv1``.
        role: ``"op"``, or, for a leaf, ``"input"``, ``"parameter"`` or ``"constant"``.
        name: the user's name for it, or None.
        grad: the gradient kept here, or None as long as no backward pass reached it.
    """

    # Programs make nodes by the million. A `__dict__` would take longer to make than the rest.
    __slots__ = (
        "__weakref__",
        "grad",
        "inputs",
        "needs_grad",
        "op",
        "options",
        "rare",
        "scope",
        "serial",
        "value",
    )
    rare: dict[str, Any] | None
    role = _Rare("op")
    name = _Rare[str | None](None)
    keeps_grad = _Rare(False)
    modified = _Rare(0)
    latest_change: ClassVar[int] = 0  # of any node: what is younger cannot be a stale use
    hooks = _Rare[tuple[Any, ...]](())  # called with the gradient that arrives: see `hooks.py`
    hooked: ClassVar[bool] = False  # has any node ever had hooks?
    source = _Rare[tuple[str, int] | None](None)

    def __init__(
        self,
        value: Any,
        op: Op | None = None,
        inputs: tuple[Node | None, ...] = (),
        options: dict[str, Any] | None = None,
        needs_grad: bool = False,
        scope: str = "",
        role: str | None = None,
        name: str | None = None,
    ) -> None:
        self.value = value
        self.op = op
        self.inputs = inputs
        self.options = options
        self.needs_grad = needs_grad
        self.scope = scope
        self.grad: Any = None
        self.rare = None
        self.serial = next_serial()
        if role is not None:
            self.role = role
        if name is not None:
            self.name = name

    @property
    def shape(self) -> tuple[int, ...]:
        return getattr(self.value, "shape", ())

    @property
    def dtype(self) -> str:
        return str(getattr(self.value, "dtype", type(self.value).__name__))

    def replace_value(self, value: Any) -> None:
        """Set another value; a backward pass through an earlier use will then refuse."""
        self.value = value
        with _changing:
            Node.latest_change = self.modified = next_serial()

    def describe(self) -> str:
        """The words by which errors and pictures name this node."""
        what = self.op.name if self.op else self.role
        called = f" {self.name!r}" if self.name else ""
        where = f" in {self.scope}" if self.scope else ""
        return f"{what}{called} of shape {self.shape}{where}"

    def __repr__(self) -> str:
        return f"<Node {self.describe()}>"


class Constant(Node):
    """A leaf that stands for a plain number or array in an op's inputs."""

    # Each number that a program adds or multiplies makes one, so what all have in common is here.
    __slots__ = ("__dict__",)
    role = "constant"
    op = None
    inputs = ()
    options = None
    needs_grad = False
    scope = ""
    grad = None
    rare = None

    def __init__(self, value: Any) -> None:
        self.value = value
        self.serial = next_serial()


class Handle:
    """What users hold of a node. `Tensor` and `Scalar` are the two kinds (the two grains)."""

    __slots__ = ("node",)
    node: Node
    grain: type[Handle]  # Tensor or Scalar: what ops that take this give back
    is_single: bool  # one Python float, instead of an array?

    @classmethod
    def of(cls, node: Node) -> Any:
        """A handle of this class on a node that exists already."""
        handle = object.__new__(cls)
        handle.node = node
        return handle


class Edge(NamedTuple):
    """`producer` is argument number `argument` of `consumer` (ids within the graph)."""

    producer: int
    consumer: int
    argument: int


def refuse_freed(node: Node) -> None:
    """Refuse a node whose recording was thrown away.

    Raises:
        GraphError: names the node, and says how to keep the graph.
    """
    if node.inputs is FREED:
        raise GraphError(
            f"the graph behind {node.describe()} was freed by an earlier "
            "backward(free_graph=True); run the forward pass again, or leave free_graph out"
        )


def ancestors(roots: Iterable[Node], *, needing_grad: bool = False) -> list[Node]:
    """The roots and all that they were computed from, inputs first.

    Iterative, so that a chain of a million ops works. With `needing_grad`, only nodes through
    which a gradient flows.
    """
    stack = [node for node in roots if node.needs_grad or not needing_grad]
    found = set(stack)
    order = []  # nearly sorted, from which to sort takes less time
    while stack:
        node = stack.pop()
        order.append(node)
        inputs = node.inputs
        if inputs is FREED:
            refuse_freed(node)
        for parent in inputs:
            if (
                parent is not None
                and (parent.needs_grad or not needing_grad)
                and parent not in found
            ):
                found.add(parent)
                stack.append(parent)
    return sorted(order, key=_by_serial)


class Graph:
    """The recorded computation behind some results.

    Attributes:
        nodes: all nodes, each after its inputs; a node's position is its id.
        outputs: the nodes that the graph was asked for.

    Example:
        >>> import tinygrad_cnn as tg
        >>> x = tg.Scalar(3.0, name="x")
        >>> graph = tg.Graph.of(x * x + 1)
        >>> [node.op.name for node in graph.nodes if node.op]
        ['multiply', 'add']
        >>> [tuple(edge) for edge in graph.edges][:2]  # x * x has two edges
        [(0, 1, 0), (0, 1, 1)]
    """

    def __init__(self, nodes: Iterable[Node], outputs: Iterable[Node]) -> None:
        self.nodes = tuple(nodes)
        self.outputs = tuple(outputs)
        self._ids = {node: i for i, node in enumerate(self.nodes)}

    @classmethod
    def of(cls, *results: Handle | Node) -> Graph:
        """The graph behind one or more Tensors, Scalars or nodes."""
        outputs = [r.node if isinstance(r, Handle) else r for r in results]
        for output in outputs:
            if not isinstance(output, Node):
                raise GraphError(
                    f"Graph.of: a Tensor, Scalar or Node is needed, got {type(output).__name__}"
                )
        return cls(ancestors(outputs), outputs)

    def id(self, node: Node | Handle | int) -> int:
        """A node's id: its place in the order of creation within this graph, from 0."""
        if isinstance(node, int):
            if not 0 <= node < len(self.nodes):
                raise GraphError(f"there is no node {node} in this graph of {len(self.nodes)}")
            return node
        try:
            return self._ids[node.node if isinstance(node, Handle) else node]
        except (KeyError, TypeError):
            raise GraphError(f"{node!r} is not in this graph") from None

    @property
    def edges(self) -> list[Edge]:
        """All edges, by consumer and argument; `x * x` has two."""
        ids = self._ids
        return [
            Edge(ids[parent], consumer, argument)
            for consumer, node in enumerate(self.nodes)
            for argument, parent in enumerate(node.inputs)
            if parent is not None and parent in ids
        ]

    # --- parts ---------------------------------------------------------------------------------

    def subgraph(self, nodes: Iterable[Node | Handle | int]) -> Graph:
        """Some of the nodes (or ids, Tensors, Scalars), and the edges between them.

        Its outputs are the nodes that no other of them uses.

        Raises:
            GraphError: one is not in this graph.
        """
        chosen = {self._node(node) for node in nodes}
        used = {parent for node in chosen for parent in node.inputs}
        kept = [node for node in self.nodes if node in chosen]
        return Graph(kept, [node for node in kept if node not in used])

    def ancestors(self, node: Node | Handle | int) -> Graph:
        """The part that a node was computed from, itself included; it is the output.

        Example:
            >>> import tinygrad_cnn as tg
            >>> x = tg.Scalar(3.0)
            >>> h = x * x
            >>> graph = tg.Graph.of(h.exp())
            >>> len(graph), len(graph.ancestors(h))
            (3, 2)
        """
        node = self._node(node)
        return Graph([n for n in ancestors([node]) if n in self._ids], [node])

    def paths_between(
        self, source: Node | Handle | int, target: Node | Handle | int
    ) -> Iterator[tuple[Edge, ...]]:
        """Every way along edges from one node to a later one; there may be very many.

        Example:
            >>> import tinygrad_cnn as tg
            >>> x = tg.Scalar(3.0)
            >>> y = x * x + x
            >>> sorted(len(path) for path in tg.Graph.of(y).paths_between(x, y))
            [1, 2, 2]
        """
        from .interchange import paths_between

        return paths_between(self, self.id(source), self.id(target))

    # --- again ---------------------------------------------------------------------------------

    def replay(self, changes: Mapping[Any, Any]) -> Replay:
        """Compute again what depends on some nodes, with other values at these.

        Args:
            changes: {node (or id, Tensor, Scalar): array of its shape}. A Tensor as the value
                takes the node's place, so that gradients flow to it.

        Returns:
            A new Graph; ``replayed[node]`` is what became of a node or Tensor of this one.
            Nodes that do not depend on the changes are in both.

        Raises:
            GraphError: a node is not in this graph, holds several outputs, or was changed after
                its use.
            ShapeError, DtypeError: a value does not fit.

        Example:
            >>> import tinygrad_cnn as tg
            >>> x = tg.Tensor([1.0, 2.0], requires_grad=True)
            >>> h = x * 3
            >>> loss = (h * h).sum()
            >>> replayed = tg.Graph.of(loss).replay({h: [10.0, 0.0]})
            >>> replayed[loss].item()
            100.0
        """
        from .replay import Replay

        return Replay(self, changes)

    # --- in other forms ------------------------------------------------------------------------

    def to_networkx(self) -> networkx.MultiDiGraph[int]:
        """A `networkx.MultiDiGraph` for analysis with that library.

        Nodes are ids, with attributes op (None for a leaf), role, name, shape, dtype, scope; an
        edge's key is the argument index.

        Example:
            >>> import tinygrad_cnn as tg
            >>> x = tg.Scalar(3.0)
            >>> tg.Graph.of(x * x).to_networkx().number_of_edges(0, 1)
            2
        """
        from .interchange import to_networkx

        return to_networkx(self)

    def to_json(self) -> str:
        """The graph as JSON: all but the elements of arrays, of which shape and dtype stay.

        Raises:
            DtypeError: an op's option is of a kind that JSON cannot hold, such as a function.
        """
        from .interchange import dumps, graph_to_json

        return dumps(graph_to_json(self))

    @staticmethod
    def from_json(text: str) -> Graph:
        """The graph that `to_json` wrote; arrays are `Description` objects.

        Raises:
            DataError: this is no such text.

        Example:
            >>> import tinygrad_cnn as tg
            >>> x = tg.Tensor([1.0, 2.0], requires_grad=True, name="x")
            >>> graph = tg.Graph.from_json(tg.Graph.of(x.exp()).to_json())
            >>> [node.describe() for node in graph.nodes]
            ["input 'x' of shape (2,)", 'exp of shape (2,)']
        """
        from .interchange import graph_from_json, loads

        return graph_from_json(loads(text, "from_json"))

    def _node(self, node: Node | Handle | int) -> Node:
        return self.nodes[self.id(node)]

    def __contains__(self, node: Any) -> bool:
        return (node.node if isinstance(node, Handle) else node) in self._ids

    def __len__(self) -> int:
        return len(self.nodes)

    def __repr__(self) -> str:
        return f"<Graph of {len(self.nodes)} nodes, {len(self.edges)} edges>"
