"""`Scope`: the name of one call of a module, which its nodes carry."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from weakref import ref


class Scope(str):
    """A module's dotted name, as a node carries it; each call of the module makes another one.

    It is a plain str to whoever only wants the name. Who asks how often a module was entered can
    tell two calls of a shared module apart: their scopes are equal, but not the same object.

    Attributes:
        outer: the scope in which the call was made, "" outside of all.
    """

    outer: str
    _module: Any

    @classmethod
    def of(cls, name: str, outer: str, module: Any = None) -> Scope:
        """The scope of a call; a reference to `module` keeps nothing alive."""
        made = cls(name)
        made.outer = outer
        made._module = None if module is None else ref(module)
        return made

    @property
    def module(self) -> Any:
        """The module that was called; None if it is not known, or gone."""
        return None if self._module is None else self._module()

    def calls(self) -> Iterator[Scope]:
        """This call and those around it, innermost first."""
        scope: str = self
        while isinstance(scope, Scope):
            yield scope
            scope = scope.outer
