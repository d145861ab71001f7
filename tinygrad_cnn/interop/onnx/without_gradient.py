"""Ops whose result moves in steps: comparisons, logic, the place of the largest.

They are ops, not plain functions, so that a trace sees them and `to_onnx` can write them. No
gradient flows through them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...engine.op import Op, op
from ...ops.axes import one_axis


def _truth(name: str, forward: Any) -> Op:
    """An elementwise op whose result is true or false."""
    return op(name, forward, elementwise=True)


equal = _truth("equal", np.equal)
less = _truth("less", np.less)
less_equal = _truth("less_equal", np.less_equal)
greater = _truth("greater", np.greater)
greater_equal = _truth("greater_equal", np.greater_equal)
logical_and = _truth("logical_and", np.logical_and)
logical_or = _truth("logical_or", np.logical_or)
logical_xor = _truth("logical_xor", np.logical_xor)
logical_not = _truth("logical_not", np.logical_not)
isnan = _truth("isnan", np.isnan)


def _place(name: str, find: Any) -> Op:
    """argmax or argmin along one axis, which stays in with size 1; of equals the first or last."""

    def forward(x: Any, *, axis: int, last: bool = False) -> Any:
        if not last:
            return find(x, axis=axis, keepdims=True)
        return x.shape[axis] - 1 - find(np.flip(x, axis), axis=axis, keepdims=True)

    declared: Op = op(name, forward)

    @declared.check
    def _(x: Any, *, axis: int, last: bool) -> dict[str, Any]:
        return {"axis": one_axis(axis, np.ndim(x), name), "last": bool(last)}

    return declared


argmax = _place("argmax", np.argmax)
argmin = _place("argmin", np.argmin)
