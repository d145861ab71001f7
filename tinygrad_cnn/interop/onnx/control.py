"""`If`: one of two programs, by a condition that is computed."""

from __future__ import annotations

from typing import Any

from ..program import Program, replaced
from .table import plain


class Choice:
    """Runs one of two programs.

    Args:
        branches: what runs if the condition does not hold, and if it does.
    """

    def __init__(self, *branches: Program) -> None:
        self.branches = branches

    def __call__(self, condition: Any, captured: tuple[list[Any], list[Any]]) -> Any:
        """What the chosen program gives for the values that it takes from around it."""
        chosen = bool(plain(condition).reshape(()))
        program = self.branches[chosen]
        values = dict(program.constants)
        values.update(zip(program.inputs, captured[chosen], strict=True))
        for call in program.calls:
            used = replaced(call.args, values.__getitem__)
            values[call.result] = call.function(*used, **call.options)
        return replaced(program.output, values.__getitem__)
