"""What a caller names in a recorded program: nodes, calls of modules, or whatever is like them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from ..engine.node import Handle, Node
from ..engine.scope import Scope
from ..errors import DtypeError, OptionError
from ..nn import Module

Test = Callable[[Node], bool]
Call = tuple[Any, str]  # what tells the call apart, and the module's name


class Selector:
    """Nodes and calls of modules, by any of the ways to name them.

    Args:
        what: the option, for messages.
        given: a Tensor, Scalar or Node; a Module; a glob of dotted module names, in which ``*`` is
            any part of a name between dots and ``**`` anything; a function of a Node that is true
            for those meant; or a sequence of all these.

    Raises:
        DtypeError: it is none of these.
    """

    def __init__(self, what: str, given: Any) -> None:
        self.what = what
        self.found = False
        self.nodes: set[Node] = set()
        self.modules: list[Module] = []
        self.globs: list[str] = []
        self.tests: list[Test] = []
        self._add(given)
        self._patterns = [re.compile(_pattern(glob), re.DOTALL) for glob in self.globs]

    def _add(self, given: Any) -> None:
        if isinstance(given, Handle):
            self.nodes.add(given.node)
        elif isinstance(given, Node):
            self.nodes.add(given)
        elif isinstance(given, str):
            self.globs.append(given)
        elif isinstance(given, Module):
            self.modules.append(given)
        elif isinstance(given, Sequence):
            for part in given:
                self._add(part)
        elif callable(given):
            self.tests.append(given)
        else:
            raise DtypeError(
                f"gradient_paths: {self.what} takes modules, names such as 'layers.*.attention', "
                f"Tensors, or a function of a node, not {type(given).__name__}"
            )

    def has(self, node: Node) -> bool:
        """Whether the node itself is meant, not a module around it."""
        here = node in self.nodes or any(test(node) for test in self.tests)
        self.found = self.found or here
        return here

    def calls(self, node: Node) -> list[Call]:
        """The calls of the modules that are meant and that the node was computed in."""
        if not (self.modules or self.globs):
            return []
        found = [
            (id(scope) if isinstance(scope, Scope) else scope, str(scope))
            for scope in around(node.scope)
            if self._means(scope)
        ]
        self.found = self.found or bool(found)
        return found

    def covers(self, node: Node) -> bool:
        """Whether the node is meant, or computed in a module that is."""
        return self.has(node) or bool(self.calls(node))

    def _means(self, scope: str) -> bool:
        module = scope.module if isinstance(scope, Scope) else None
        if module is not None and any(module is one for one in self.modules):
            return True
        name = str(scope)
        if isinstance(scope, Scope) and name == str(scope.outer):
            return False  # the outermost module has no name of its own
        return any(pattern.fullmatch(name) for pattern in self._patterns)

    def must_be_found(self, order: Sequence[Node]) -> None:
        """Refuse what names nothing: a typing error.

        Raises:
            OptionError: lists names that are like it.
        """
        if self.found:
            return
        known = sorted({str(scope) for node in order for scope in around(node.scope)} - {""})
        asked = self.globs[0] if self.globs else ""
        near = difflib.get_close_matches(asked, known, 3) or known[:8]
        named = ", ".join(map(repr, self.globs)) or "what is given"
        raise OptionError(
            f"gradient_paths: {self.what}: {named} names nothing between the loss and wrt"
            + (f"; there are {', '.join(near)}" if near else "")
        )


def around(scope: str) -> Iterator[str]:
    """A scope and those around it, innermost first; of a plain name, by its dots."""
    if isinstance(scope, Scope):
        yield from scope.calls()
        return
    while scope:
        yield scope
        scope = scope.rpartition(".")[0]


@lru_cache(maxsize=256)
def _pattern(glob: str) -> str:
    parts = {"**": ".*", "*": r"[^.]*", "?": r"[^.]"}
    return "".join(parts.get(p) or re.escape(p) for p in re.split(r"(\*\*|\*|\?)", glob))
