"""The vocabulary: which function of ours computes an operator of ONNX.

A function takes the operator's inputs in order (None for one that is left out) and its attributes
by name. Values are Tensors where they come from the network's inputs or parameters, else plain
arrays: of those is the arithmetic on shapes. A function with a parameter `outputs` is told how
many are asked for; where that is more than one, it returns a tuple.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...engine.context import current_mode
from ...engine.node import Handle
from ...engine.op import constant
from ...errors import DtypeError, OptionError, ShapeError
from ...ops.shape import astype

Function = Callable[..., Any]
ONNX: dict[str, dict[int, Function]] = {}
"""By the operator's name (of another domain: ``domain.Name``), and by its first opset."""

OLDEST = 13
"""The oldest opset that is read."""

MOST_ELEMENTS = 2**29
"""Of an array that a file asks for by its size alone; a larger one is taken for damage."""

DTYPES: dict[int, np.dtype[Any]] = {
    code: np.dtype(name)
    for code, name in {
        1: "float32",
        2: "uint8",
        3: "int8",
        4: "uint16",
        5: "int16",
        6: "int32",
        7: "int64",
        9: "bool",
        10: "float16",
        11: "float64",
        12: "uint32",
        13: "uint64",
    }.items()
}
"""The dtypes that this project computes with, by their numbers in ONNX."""


def onnx_op(*names: str, since: int = 1) -> Callable[[Function], Function]:
    """Declare what computes the operators of these names, from an opset on."""

    def declare(function: Function) -> Function:
        for name in names:
            ONNX.setdefault(name, {})[since] = function
        return function

    return declare


def find(name: str, opset: int) -> Function | None:
    """What computes an operator in files of this opset; None if nothing does."""
    versions = ONNX.get(name, {})
    known = [since for since in versions if since <= opset]
    return versions[max(known)] if known else None


# --- what the functions share ----------------------------------------------------------------


def plain(x: Any) -> Any:
    """The values as an array, without their history: of what no gradient goes through."""
    return np.asarray(constant(x))


def ints(x: Any) -> tuple[int, ...]:
    """Sizes, axes or indices as plain ints; they may be an attribute or computed."""
    return tuple(int(i) for i in np.reshape(plain(x), -1))


def dtype_of(x: Any) -> np.dtype[Any]:
    """The dtype of a Tensor or array."""
    return plain(x).dtype


def shape_of(x: Any) -> tuple[int, ...]:
    """The shape of a Tensor or array."""
    return np.shape(constant(x))


def cast(x: Any, dtype: Any) -> Any:
    """x with another dtype, recorded if it is a Tensor."""
    if dtype_of(x) == dtype:
        return x
    return astype(x, dtype) if isinstance(x, Handle) else plain(x).astype(dtype)


def dtype_named(code: int) -> np.dtype[Any]:
    """The dtype of a number that ONNX gives to one.

    Raises:
        DtypeError: one that is not computed with here, as bfloat16 or string.
    """
    if code not in DTYPES:
        raise DtypeError(
            f"element type {code} of ONNX is not supported; these are: "
            + ", ".join(map(str, DTYPES.values()))
        )
    return DTYPES[code]


def sized(*shape: int) -> tuple[int, ...]:
    """A shape that a file asks for, if an array can have it.

    Raises:
        ShapeError: a negative size, or too many elements.
    """
    count = 1
    for size in shape:
        count *= size
    if min(shape, default=0) < 0 or count > MOST_ELEMENTS:
        raise ShapeError(f"no array of shape {shape} is made: of sizes ≥ 0, at most 2²⁹ elements")
    return shape


def no_gradient(what: str, *values: Any) -> None:
    """Refuse to lose a gradient without a word.

    Raises:
        OptionError: one of the values needs one, and gradients are being recorded.
    """
    needed = any(isinstance(x, Handle) and x.node.needs_grad for x in values)
    if needed and current_mode().recording:
        raise OptionError(f"{what} has no gradient here; run it inside tg.no_grad()")
