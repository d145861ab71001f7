"""What splits for several ends have in common: the gates, and one walk through them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..engine.backward import leading_to, seed
from ..engine.node import Handle, ancestors
from ..errors import GraphError, OptionError
from .finding import Choice, find_choices
from .gates import kinds_of, of_choices, of_parts
from .selecting import Selector
from .split import Split, split


@dataclass(frozen=True)
class Asked:
    """What a caller asked for, as for `gradient_paths`."""

    loss: Handle
    wrts: list[Handle]
    through: Any
    branch: Any
    ignore: Any


class Walk:
    """What the splits for several `wrt` have in common: the gates, and one walk through them."""

    def __init__(self, asked: Asked, max_length: Any, cotangent: Any) -> None:
        self.asked, self.max_length = asked, max_length
        self.loss = loss = asked.loss.node
        self.given = cotangent
        if cotangent is not None:
            seed(asked.loss, cotangent)
        self.wrts = [w.node for w in asked.wrts]
        flowing = ancestors([loss], needing_grad=True)
        for wrt in self.wrts:
            if loss not in leading_to({wrt}, flowing):
                why = "" if wrt.needs_grad else "; it was made without requires_grad=True"
                raise GraphError(
                    f"gradient_paths: the loss does not depend on wrt ({wrt.describe()}), or not "
                    f"in a way that was recorded{why}"
                )
        self.order = leading_to(set(self.wrts), flowing)
        self.choices: list[Choice] = []
        if asked.through is not None:
            if asked.branch is not None or asked.ignore is not None:
                raise OptionError(
                    "gradient_paths: branch and ignore correct the choices that are found without "
                    "through"
                )
            kinds = kinds_of(asked.through)
            self.gates = of_parts(kinds, self.order, loss, self.wrts)
        else:
            branch, ignore = (
                None if what is None else Selector(name, what)
                for name, what in (("branch", asked.branch), ("ignore", asked.ignore))
            )
            self.choices = find_choices(loss, branch, ignore)
            for selector in (branch, ignore):
                if selector is not None:
                    selector.must_be_found(self.order)
            self.gates = of_choices(self.choices, set(self.order))
        self.limits = self._limits(max_length)

    def _limits(self, max_length: Any) -> tuple[float, ...]:
        """For each kind, how many crossings are kept apart."""
        kinds = self.gates.kinds
        if isinstance(max_length, Mapping):
            unknown = [name for name in max_length if name not in kinds]
            if unknown:
                raise OptionError(
                    f"gradient_paths: max_length has {unknown[0]!r}, and the kinds are "
                    f"{', '.join(kinds)}"
                )
            limits = [max_length.get(name) for name in kinds]
        else:
            limits = [max_length] * len(kinds)
        for limit in limits:
            if limit is not None:
                check_whole("gradient_paths: max_length", limit)
        return tuple(math.inf if limit is None else limit for limit in limits)

    @cached_property
    def cotangent(self) -> Any:
        return seed(self.asked.loss, self.given)

    @cached_property
    def split(self) -> Split:
        return split(self.order, self.wrts, self.loss, self.cotangent, self.gates, self.limits)


def check_whole(what: str, value: Any) -> int:
    """A whole number ≥ 0.

    Raises:
        OptionError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise OptionError(f"{what} must be a whole number ≥ 0, got {value!r}")
    return value
