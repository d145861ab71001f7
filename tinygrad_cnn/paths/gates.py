"""The edges by which paths are told apart, and what crossing one multiplies a cotangent by.

The cotangents of all paths together are a polynomial in z, with those that crossed k branches at
zᵏ. A `Gate` is where it is multiplied: by z at a branch, by 1 at a skip; with several kinds of
parts, by the variable of its kind. Between gates, paths are not told apart.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from ..engine.node import Node
from ..errors import OptionError
from .finding import Choice
from .naming import names_of
from .selecting import Selector

Powers = tuple[int, ...]  # one for each kind
Edge = tuple[Node, int]  # a node, and which of its inputs


@dataclass(frozen=True)
class Part:
    """A branch or a marked part of a network, which a path crosses or not.

    Attributes:
        place: of a branch, the addition or concatenation; of a marked module, the node where it is
            left first; a marked node.
        name: the module's, or what the node is; of a branch, see `naming.py`.
        kind: which kind it was marked as: its number.
        choice: the choice that it is a branch of, or None.
        argument: which argument of `place` the branch is, or None.
        exits: the nodes of a marked part that are used outside.
    """

    place: Node
    name: str
    kind: int = 0
    choice: Choice | None = None
    argument: int | None = None
    exits: tuple[Node, ...] = ()


@dataclass(frozen=True, eq=False)
class Gate:
    """One or several edges into a node, which count as one.

    Attributes:
        place: what is chosen at, or the node that the edges lead to.
        target: the node that the edges lead to.
        powers: what crossing multiplies by, as exponents.
        parts: numbers of the parts that are crossed.
        final: both where a path ends at `target`: a marked node is then not passed.
        rank: of this gate at its place, the skip first.
    """

    place: Node
    target: Node
    powers: Powers
    parts: tuple[int, ...]
    final: tuple[Powers, tuple[int, ...]]
    rank: int = 0


@dataclass
class Gates:
    """All gates of a program.

    Attributes:
        kinds: names of the kinds.
        parts: in order of creation.
        at: the gate of an edge.
        start: what the loss itself is multiplied by, if it is marked, and the parts it is.
    """

    kinds: tuple[str, ...] = ("",)
    parts: list[Part] = field(default_factory=list)
    at: dict[Edge, Gate] = field(default_factory=dict)
    start: tuple[Powers, tuple[int, ...]] = ((0,), ())


def of_choices(choices: Sequence[Choice], leading: Collection[Node]) -> Gates:
    """A gate for each operand of each choice; the branches' multiply by z."""
    gates = Gates()
    choices = [choice for choice in choices if choice.place in leading]
    names = names_of(choices)
    for choice in choices:
        numbers = {}
        for argument in choice.branches:
            numbers[argument] = len(gates.parts)
            name = names[choice.place, argument]
            gates.parts.append(Part(choice.place, name, 0, choice, argument))
        operands = [*([] if choice.skip is None else [choice.skip]), *choice.branches]
        for rank, argument in enumerate(operands):
            target = choice.place.inputs[argument]
            if target in leading:
                assert target is not None
                crossed = (numbers[argument],) if argument in numbers else ()
                z = (len(crossed),)
                gates.at[choice.place, argument] = Gate(
                    choice.place, target, z, crossed, (z, crossed), rank
                )
    return gates


def of_parts(
    kinds: Mapping[str, Selector], order: Sequence[Node], loss: Node, wrts: Collection[Node]
) -> Gates:
    """A gate wherever a marked module is left or a marked node passed.

    Args:
        kinds: what is marked, by name.
        order: the nodes from `wrts` to the loss, inputs first.
    """
    gates = Gates(tuple(kinds))
    selectors = list(kinds.values())
    leading = set(order)
    inside = {node: [selector.calls(node) for selector in selectors] for node in order}
    marked = {node: [selector.has(node) for selector in selectors] for node in order}
    exits: dict[tuple[int, object], list[Node]] = {}
    names: dict[tuple[int, object], str] = {}
    crossed_at: dict[Edge, list[tuple[int, object]]] = {}

    def passed(node: Node) -> list[tuple[int, object]]:
        keys: list[tuple[int, object]] = [(d, node) for d, is_ in enumerate(marked[node]) if is_]
        names.update((key, node.scope or (node.op.name if node.op else node.role)) for key in keys)
        return keys

    for node in order:
        for argument, parent in enumerate(node.inputs):
            if parent is None or parent not in leading:
                continue
            keys = passed(parent)
            for d, calls in enumerate(inside[parent]):
                around = {key for key, _ in inside[node][d]}
                for key, name in calls:
                    if key not in around:
                        keys.append((d, key))
                        names[d, key] = name
            if keys:
                crossed_at[node, argument] = keys
                for key in keys:
                    if parent not in exits.setdefault(key, []):
                        exits[key].append(parent)
    first = passed(loss)
    for key in first:
        exits.setdefault(key, []).append(loss)
    for selector in selectors:
        selector.must_be_found(order)
    numbers = {key: i for i, key in enumerate(sorted(exits, key=lambda key: exits[key][0].serial))}
    for d, key in numbers:
        nodes = exits[d, key]
        gates.parts.append(Part(nodes[0], names[d, key], d, exits=tuple(nodes)))

    def crossing(keys: Sequence[tuple[int, object]]) -> tuple[Powers, tuple[int, ...]]:
        powers = tuple(sum(d == kind for d, _ in keys) for kind in range(len(selectors)))
        return powers, tuple(sorted(numbers[key] for key in keys))

    shared: dict[tuple[Node, frozenset[tuple[int, object]]], Gate] = {}
    for (node, argument), keys in crossed_at.items():
        target = node.inputs[argument]
        assert target is not None
        found = target, frozenset(keys)
        if found not in shared:
            final = [k for k in keys if not (target in wrts and k[1] is target)]
            shared[found] = Gate(target, target, *crossing(keys), crossing(final))
        gates.at[node, argument] = shared[found]
    gates.start = crossing(first)
    return gates


def kinds_of(through: object) -> dict[str, Selector]:
    """What is marked, by the name of its kind; one kind without a name, if it is no dictionary.

    Raises:
        OptionError: an empty dictionary.
        DtypeError: what names nothing.
    """
    if isinstance(through, Mapping):
        if not through:
            raise OptionError("gradient_paths: through={} marks nothing; give a kind of parts")
        return {str(name): Selector(f"through[{name!r}]", what) for name, what in through.items()}
    return {"": Selector("through", through)}
