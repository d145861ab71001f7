"""What is recorded: nodes, and the handles that users hold of them. No arithmetic happens here.

A `Node` is one value and how it came about: the op, the input nodes, the options. Nodes point
to their inputs only, so dropping a result frees everything that only it needed. A `Handle`
(`Tensor`, `Scalar`) is what users hold; it owns nothing but its node.

Every node carries a `serial`, drawn from one counter for all threads. Inputs are older than what
is computed from them, so *sorting by serial is a topological order*. A change to a value draws a
serial as well (`modified`). If it is younger than a node that used the value, that use is stale.
"""

from __future__ import annotations

import itertools
import operator
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from ..errors import GraphError

if TYPE_CHECKING:
    from .op import Op

T = TypeVar("T")
_by_serial = operator.attrgetter("serial")
next_serial = itertools.count(1).__next__
_changing = threading.Lock()  # so that the latest change of all threads has the largest serial
FREED: tuple[None] = (None,)
"""The inputs of a node whose recording `backward(free_graph=True)` threw away."""


class _Rare(Generic[T]):
    """An attribute that few nodes have, in a dictionary that a node gets when it sets the first."""

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
        inputs: a node for each argument of the op, None where an optional input was left out. The
            tuple is empty for a leaf, and for a result that was computed without recording.
        value: the array (a tuple of arrays for an op with several outputs), or a Scalar's float.
        options: the op's static arguments, by name.
        scope: dotted name of the module that computed it, e.g. ``features.0.conv1``.
        role: ``"op"``, or, for a leaf, ``"input"``, ``"parameter"`` or ``"constant"``.
        name: the user's name for it, or None.
        grad: the gradient kept here, or None if no backward pass has reached it.
    """

    # A program may make millions of nodes, and making a `__dict__` takes longer than all the rest.
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
    # Of any node: what is younger cannot be a stale use. Were each input asked instead, a network
    # of Scalars would take 1.3 times as long.
    latest_change: ClassVar[int] = 0
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

    # Each plain number in an expression makes one, so the class holds what all of them share.
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
    order = []  # nearly sorted already, so sorting it takes little time
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
