"""`Graph`: the part of a recording that some results depend on, and what can be asked of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ..engine.node import Handle, Node, ancestors
from ..engine.scalar import Scalar
from ..engine.tensor import Tensor
from ..errors import GraphError
from .interchange import dumps, loads, nodes_from_json, nodes_to_json
from .replay import recomputed

if TYPE_CHECKING:
    import networkx


class Edge(NamedTuple):
    """`producer` is argument number `argument` of `consumer` (ids within the graph)."""

    producer: int
    consumer: int
    argument: int


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
        return self._paths(self.id(source), self.id(target))

    def _paths(self, source: int, target: int) -> Iterator[tuple[Edge, ...]]:
        import networkx

        whole = self.to_networkx()
        between = (networkx.descendants(whole, source) | {source}) & (
            networkx.ancestors(whole, target) | {target}
        )
        part = whole.subgraph(between)  # no dead ends, so each step leads on to the target
        if {source, target} <= between:
            for path in networkx.all_simple_edge_paths(part, source, target):
                yield tuple(Edge(*step) for step in path)  # type: ignore[misc]

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
        import networkx

        exported: networkx.MultiDiGraph[int] = networkx.MultiDiGraph()
        for i, node in enumerate(self.nodes):
            exported.add_node(
                i,
                op=node.op.name if node.op else None,
                role=node.role,
                name=node.name,
                shape=node.shape,
                dtype=node.dtype,
                scope=node.scope,
            )
        for edge in self.edges:
            exported.add_edge(edge.producer, edge.consumer, key=edge.argument)
        return exported

    def to_json(self) -> str:
        """The graph as JSON: all but the elements of arrays, of which shape and dtype stay.

        Raises:
            DtypeError: an op's option is of a kind that JSON cannot hold, such as a function.
        """
        return dumps(nodes_to_json(self.nodes, self.outputs))

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
        return Graph(*nodes_from_json(loads(text, "from_json")))

    def _node(self, node: Node | Handle | int) -> Node:
        return self.nodes[self.id(node)]

    def __contains__(self, node: Any) -> bool:
        return (node.node if isinstance(node, Handle) else node) in self._ids

    def __len__(self) -> int:
        return len(self.nodes)

    def __repr__(self) -> str:
        return f"<Graph of {len(self.nodes)} nodes, {len(self.edges)} edges>"


class Replay(Graph):
    """A recorded graph in which some values differ. See `Graph.replay`.

    It is recorded like any program, so that `tg.grad`, `zoom` and pictures work on it.
    Running statistics and random masks stay what they were: ops are pure.
    """

    def __init__(self, original: Graph, changes: Mapping[Any, Any]) -> None:
        at = {original.nodes[original.id(key)]: value for key, value in changes.items()}
        self._became = recomputed(original.nodes, at)
        outputs = [self._became[node] for node in original.outputs]
        super().__init__(ancestors(outputs), outputs)

    def __getitem__(self, key: Node | Handle) -> Any:
        """What became of a node, Tensor or Scalar of the original graph, as a Tensor or Scalar.

        Raises:
            GraphError: it was not in that graph.
        """
        node = key.node if isinstance(key, Handle) else key
        if not isinstance(node, Node) or node not in self._became:
            raise GraphError(f"replay: {key!r} was not in the graph that was replayed")
        found = self._became[node]
        return (Scalar if type(found.value) is float else Tensor).of(found)
