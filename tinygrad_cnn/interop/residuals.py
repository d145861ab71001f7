"""Which additions of a network end a residual block: `h + f(h)`.

Networks from elsewhere add with a plain `+`. Here an addition of two computed values becomes
`residual_add`, if one was computed from the other, or both from a common value, so that
`gradient_paths` can split a gradient there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial
from typing import Any

from ..engine.node import Handle
from ..ops.residual import residual_add
from .program import Call, Program, Value, numbers

Function = Callable[..., Any]


def with_residuals(
    program: Program, adds: Collection[Function], sizes: Collection[Function] = ()
) -> Program:
    """The same program with its residual additions recorded as such.

    The skip is the operand that the other one was computed from; else the one with fewer calls
    behind it, up to what both have in common (the first of equals).

    Args:
        program: it is left as it is.
        adds: the functions that add two values; calls of them with anything else beside the two
            operands stay.
        sizes: functions that give nothing but sizes, such as a shape: through these a value does
            not count as computed from another.
    """
    behind: dict[int, int] = {n: 1 << i for i, n in enumerate(program.inputs) if n is not None}
    calls = []
    for i, call in enumerate(program.calls, start=len(program.inputs)):
        calls.append(_as_residual(call, behind) if call.function in adds else call)
        if call.function not in sizes:
            found = 0  # as bits: what this value was computed from, and itself
            for number in numbers((call.args, call.options)):
                found |= behind.get(number, 0)
            if found:
                behind[call.result] = found | 1 << i
    return replace(program, calls=calls)


def _as_residual(call: Call, behind: dict[int, int]) -> Call:
    """The call as a residual addition, if it is one."""
    if call.options or len(call.args) != 2 or call.stateful:
        return call
    numbered = [a.number for a in call.args if isinstance(a, Value) and a.number in behind]
    if len(numbered) != 2 or numbered[0] == numbered[1]:
        return call
    first, second = (behind[n] for n in numbered)
    common = first & second
    if not common:
        return call
    is_swapped = (second & ~common).bit_count() < (first & ~common).bit_count()
    skip, branch = call.args[::-1] if is_swapped else call.args
    return replace(call, function=partial(_add, call.function), args=(skip, branch))


def _add(plain: Function, skip: Any, branch: Any) -> Any:
    """skip + branch, as a residual addition if both are Tensors of one shape."""
    if isinstance(skip, Handle) and isinstance(branch, Handle):
        a, b = skip.node.value, branch.node.value
        if a.shape == b.shape and a.dtype == b.dtype and a.dtype.kind == "f":
            return residual_add(skip, branch)
    return plain(skip, branch)
