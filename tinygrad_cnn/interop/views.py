"""Which values of PyTorch's are parts of one another, and what writing into one does to the others.

Here values are never written into. Writing computes a new value of the whole; whatever is a part of
it is taken from that anew, when it is next used.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from .aten.table import cast, dtype_of
from .overwriting import overwritten, positions
from .program import Call, Value

Compute = Callable[..., Value]


class Views:
    """The parts that values are of other values, as nodes of a graph.

    Args:
        values: of each node; those that change are replaced in it.
        compute: appends a call, of (node, name, function, args, options), and gives its value.
    """

    def __init__(self, values: dict[Any, Any], compute: Compute) -> None:
        self._values, self._compute = values, compute
        self._bases: dict[Any, Any] = {}  # the node that a view is a part of
        self._calls: dict[Any, Call] = {}  # how a view takes its part
        self._elements: dict[Any, Any] = {}  # of lists: the first node of each
        self._made_at: dict[Any, int] = {}  # the version of its root that a view shows
        self._versions: Counter[Any] = Counter()  # of roots: how often they were written into

    def note(self, node: Any, base: Any, call: Call) -> None:
        """Note that a call gives a part of another value, if it does.

        One such as reshape or contiguous gives a view or a copy; the memory tells which.
        """
        if _share_memory(node, base):
            kept = call.name.startswith(("aten.to.", "aten._to_copy", "aten.type_as"))  # its dtype
            call = replace(call, function=_same, args=call.args[:1]) if kept else call
            self._add(node, base, call)

    def same(self, node: Any, base: Any) -> None:
        """Note that a node is another one under a further name."""
        self._add(node, base, Call("same", _same, (), {}, 0))

    def element(self, node: Any, base: Any, index: Any, call: Call) -> None:
        """Note that a node is an element of a list: a part of what the list's elements are of."""
        first = self._elements.setdefault((base, index), node)
        if base in self._bases:
            self.note(node, base, call)
        elif first is not node:
            self.same(node, first)

    def current(self, node: Any) -> Any:
        """A node's value: computed anew if it is a part of what was written into since."""
        if node in self._bases and self._made_at[node] != self._versions[self._root(node)]:
            self._values[node] = self._part(node, self.current(self._bases[node]))
            self._made_at[node] = self._versions[self._root(node)]
        return self._values[node]

    def write(self, base: Any, node: Any) -> tuple[Any, Value]:
        """`node` computed what is written into `base`: give that to all that share its memory.

        Returns:
            The node whose value is the whole, and that value.
        """
        new = self._compute(node, "in place", _like, (self.current(base), self._values[node]))
        chain = [base]
        while chain[-1] in self._bases:
            chain.append(self._bases[chain[-1]])
        root = chain.pop()
        whole = new
        if chain:
            before = self.current(root)
            places: Any = self._compute(node, "positions", positions, (before,))
            for view in reversed(chain):
                places = self._part(view, places)
            whole = self._compute(node, "in place", overwritten, (before, places, new))
        self._versions[root] += 1
        self._values[root] = whole
        self._values[base] = self._values[node] = new
        self._made_at[base] = self._versions[root]
        if node is not base:
            self.same(node, base)
        return root, whole

    def _add(self, node: Any, base: Any, call: Call) -> None:
        self._bases[node], self._calls[node] = base, call
        self._made_at[node] = self._versions[self._root(node)]

    def _root(self, node: Any) -> Any:
        while node in self._bases:
            node = self._bases[node]
        return node

    def _part(self, node: Any, base: Any) -> Any:
        """The part of another base that a view takes of its own."""
        call = self._calls[node]
        if call.function is _same:
            return base
        return self._compute(node, call.name, call.function, (base, *call.args[1:]), call.options)


def _share_memory(node: Any, base: Any) -> bool:
    """Whether two values do, or parts of them; taken for true where the graph does not say."""
    parts = []
    if "val" not in node.meta or "val" not in base.meta:
        return True
    for value in (node.meta.get("val"), base.meta.get("val")):
        tensors = value if isinstance(value, list | tuple) else [value]
        parts.append({t.untyped_storage()._cdata for t in tensors if hasattr(t, "untyped_storage")})
    return not parts[0].isdisjoint(parts[1])


def _same(x: Any, **_: Any) -> Any:
    return x


def _like(x: Any, new: Any) -> Any:
    """What is written into x, in its dtype."""
    return cast(new, dtype_of(x))
