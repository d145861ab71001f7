"""The vocabulary: which function of ours computes a call of PyTorch's ATen library.

A function takes the arguments of the call as ATen names and orders them. Values are Tensors where
a gradient may flow, else plain arrays; what has no gradient (a mask, an index) is a plain array.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...engine.node import Handle
from ...engine.op import constant
from ...ops.shape import astype

Function = Callable[..., Any]
ATEN: dict[str, Function] = {}
"""Functions by the name of the call without ``aten.``, as ``conv2d.default``."""
STATEFUL: set[str] = set()
"""Those that get the network and the calling submodule first."""


def aten(*names: str, stateful: bool = False) -> Callable[[Function], Function]:
    """Declare what computes the calls of these names; ``relu`` stands for ``relu.default``."""

    def declare(function: Function) -> Function:
        for name in names:
            full = name if "." in name else f"{name}.default"
            ATEN[full] = function
            if stateful:
                STATEFUL.add(full)
        return function

    return declare


def dtype_of(x: Any) -> np.dtype[Any]:
    """The dtype of a Tensor or array; that of PyTorch for a Python number."""
    if isinstance(x, Handle | np.ndarray | np.generic):
        return np.asarray(constant(x)).dtype
    kinds = {bool: np.dtype(bool), int: np.dtype(np.int64), float: np.dtype(np.float32)}
    return kinds[type(x)]


def cast(x: Any, dtype: Any) -> Any:
    """x with another dtype; a Python number stays one. A gradient passes between floats."""
    if not isinstance(x, Handle | np.ndarray | np.generic) or dtype_of(x) == dtype:
        return x
    if isinstance(x, Handle) and np.dtype(dtype).kind == "f" and dtype_of(x).kind == "f":
        return astype(x, dtype)
    return np.asarray(constant(x)).astype(dtype)


def result_type(*operands: Any) -> np.dtype[Any]:
    """The dtype that PyTorch gives to the result of these operands.

    A number or an array without axes changes the dtype of arrays with axes only if it is of a
    higher kind: boolean, integer, floating.
    """
    ranked: list[list[np.dtype[Any]]] = [[], [], []]
    for x in operands:
        known = isinstance(x, Handle | np.ndarray | np.generic)
        ranked[2 if not known else 1 if np.ndim(constant(x)) == 0 else 0].append(dtype_of(x))
    found: np.dtype[Any] | None = None
    for dtypes in ranked:
        for dtype in dtypes[:1]:
            joint = np.result_type(*dtypes) if len(dtypes) > 1 else dtype
            if found is None or _rank(joint) > _rank(found):
                found = joint
    assert found is not None
    return found


def _rank(dtype: np.dtype[Any]) -> int:
    return "biuf".index(dtype.kind) + (dtype.kind == "i")


def promoted(*operands: Any) -> tuple[Any, ...]:
    """The operands with one dtype, as PyTorch promotes them."""
    dtype = result_type(*operands)
    return tuple(cast(x, dtype) for x in operands)


def plain(x: Any) -> Any:
    """The values without their history: of what no gradient goes through."""
    return constant(x)


def numbers_of(sizes: Any) -> tuple[int, ...]:
    """Sizes as plain ints; they may be computed from a shape."""
    return tuple(int(size) for size in (sizes if isinstance(sizes, list | tuple) else [sizes]))
