"""What a branch is called: after the module that it ends in, or after the one that computed it.

A residual block with one addition is called after itself, ``layer1.0``. Where a module adds more
than once, as a transformer's block does, or adds what another one computed, a branch is called
after what computed it, ``layers.0.attention``.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np

from ..engine.node import Node
from .finding import Choice

Branch = tuple[Node, int]  # a place, and which of its arguments


def names_of(choices: Sequence[Choice]) -> dict[Branch, str]:
    """A name for each branch; "" where no module has anything to do with it."""
    places = {choice.place for choice in choices}
    branches = [(choice, argument) for choice in choices for argument in choice.branches]
    names = [choice.scope or choice.place.name or "" for choice, _ in branches]
    unclear = {*_repeated(names), ""}
    makers = [_made_in(choice, argument, places) for choice, argument in branches]
    for i, (choice, _) in enumerate(branches):
        beside = _beside(choice.scope, makers[i])
        outside = beside and not beside.startswith(f"{choice.scope}.")
        if names[i] in unclear or outside:
            names[i] = beside or names[i]
    unclear = _repeated(names)
    several = {name for name in unclear if len(_those(makers, names, name)) > 1}
    names = [maker if name in several else name for name, maker in zip(names, makers, strict=True)]
    unclear = _repeated(names)  # one value that goes into several concatenations
    names = [
        f"{name} → {_onward(name, choice.scope)}" if name in unclear and choice.scope else name
        for name, (choice, _) in zip(names, branches, strict=True)
    ]
    return {
        (choice.place, argument): name
        for name, (choice, argument) in zip(_told_apart(names), branches, strict=True)
    }


def _repeated(names: Sequence[str]) -> set[str]:
    return {name for name, number in Counter(names).items() if name and number > 1}


def _those(makers: Sequence[str], names: Sequence[str], name: str) -> set[str]:
    """The modules that made what has a name."""
    return {maker for maker, other in zip(makers, names, strict=True) if other == name}


def _told_apart(names: Sequence[str]) -> list[str]:
    """Names with a number behind those that are there several times."""
    repeated, seen = _repeated(names), Counter[str]()
    found = []
    for name in names:
        seen[name] += 1
        found.append(f"{name} ({seen[name]})" if name in repeated else name)
    return found


def _made_in(choice: Choice, argument: int, places: Collection[Node]) -> str:
    """The module that computed a branch, by dotted name; "" if that is also around its place.

    It is the one that applied the last weights with two axes or more before the place; so neither
    the normalization nor the dropout behind them. If there are no such weights, the last of all.
    """
    last = ""
    stop = {choice.skip_node, None} | (set(places) - {choice.place})
    start = choice.place.inputs[argument]
    assert start is not None
    seen, waiting = {start}, [(-start.serial, start)]
    while waiting:
        _, node = heapq.heappop(waiting)
        module = str(node.scope) if _beside(choice.scope, str(node.scope)) else ""
        if any(_is_matrix(parent) for parent in node.inputs):
            return module or last
        if node.op is not None:
            last = last or module
        for parent in node.inputs:
            if parent not in seen and parent not in stop:
                assert parent is not None
                seen.add(parent)
                heapq.heappush(waiting, (-parent.serial, parent))
    return last


def _is_matrix(node: Node | None) -> bool:
    return node is not None and node.role == "parameter" and np.ndim(node.value) >= 2


def _beside(scope: str, other: str) -> str:
    """The outermost module around `other` that is not around `scope` as well; "" if all are.

    >>> _beside("layers.0", "layers.0.attention.out"), _beside("layers.0", "layers")
    ('layers.0.attention', '')
    """
    there, common = other.split("."), _in_common(scope, other)
    return ".".join(there[: common + 1]) if common < len(there) else ""


def _onward(name: str, scope: str) -> str:
    """What of a scope is not said by a name before it.

    >>> _onward("dense.layer1", "dense.layer2"), _onward("dense.layer1", "dense")
    ('layer2', 'dense')
    """
    parts = scope.split(".")
    return ".".join(parts[min(_in_common(name, scope), len(parts) - 1) :])


def _in_common(a: str, b: str) -> int:
    """How many parts between dots two names begin with in common."""
    pairs = zip(a.split("."), b.split("."), strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
