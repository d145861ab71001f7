"""How ops read their options: each function returns the canonical value, or refuses by name.

`need_floating` asks of an input what most ops ask.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..engine.node import Handle
from ..engine.op import Shape, constant
from ..errors import DtypeError, GraphError, OptionError, ShapeError

# As tuples: int | np.integer would make a new union at every call.
_INTEGERS, _FLOATS = (int, np.integer), (float, np.floating)


def is_integer(value: Any) -> bool:
    """Whether a value is a Python or NumPy int; True and False are not."""
    return type(value) is int or (isinstance(value, _INTEGERS) and not isinstance(value, bool))


def integer(name: str, option: str, value: Any, least: int | None = None) -> int:
    """An int, not smaller than `least`.

    Raises:
        OptionError: anything else.
    """
    if not is_integer(value) or (least is not None and value < least):
        wanted = "an int" if least is None else f"an int ≥ {least}"
        raise OptionError(f"{name}: {option} must be {wanted}, got {value!r}")
    return int(value)


def number(
    name: str, option: str, value: Any, least: float = -math.inf, most: float = math.inf
) -> float:
    """A number in least … most, as a Python number, which leaves the dtype of arrays as it is.

    Raises:
        OptionError: anything else, NaN included.
    """
    real = isinstance(value, _FLOATS) or is_integer(value)
    if not real or not least <= value <= most:
        bounds = f" in {least} … {most}" if math.isfinite(most) else ""
        bounds = bounds or (f" ≥ {least}" if math.isfinite(least) else "")
        raise OptionError(f"{name}: {option} must be a number{bounds}, got {value!r}")
    return value.item() if isinstance(value, np.generic) else value


def flag(name: str, option: str, value: Any) -> bool:
    """True or False.

    Raises:
        OptionError: anything else.
    """
    if not isinstance(value, bool | np.bool_) and not (is_integer(value) and value in (0, 1)):
        raise OptionError(f"{name}: {option} must be True or False, got {value!r}")
    return bool(value)


def need_floating(name: str, x: Any, what: str = "a floating input is") -> None:
    """Refuse integers and booleans.

    Raises:
        DtypeError: says what is needed, and the dtype that came.
    """
    dtype = np.asarray(x).dtype
    if dtype.kind != "f":
        raise DtypeError(f"{name}: {what} needed, got {dtype}")


def choice(name: str, option: str, value: Any, choices: Sequence[str]) -> str:
    """One of some words.

    Raises:
        OptionError: another one; it lists them.
    """
    if not isinstance(value, str) or value not in choices:
        listed = f"{', '.join(choices[:-1])} or {choices[-1]}"
        raise OptionError(f"{name}: {option} {value!r} is not {listed}")
    return value


def sizes(name: str, option: str, value: Any) -> Shape:
    """A shape: an int, or several.

    Raises:
        OptionError: anything else.
    """
    several = isinstance(value, tuple | list)
    given = tuple(value) if several else (value,)
    if not all(map(is_integer, given)):
        raise OptionError(f"{name}: {option} must be an int or a tuple of ints, got {value!r}")
    return tuple(map(int, given))


def reduction(name: str, value: Any) -> str:
    """How a loss is reduced: "mean", "sum" or "none".

    Raises:
        OptionError: anything else.
    """
    return choice(name, "reduction", value, ("mean", "sum", "none"))


def constant_array(name: str, option: str, value: Any, dtype: Any) -> Any:
    """An array of some dtype, or None.

    Raises:
        GraphError: it asks for a gradient.
        ShapeError, DtypeError: it is ragged, or holds no real numbers.
    """
    if isinstance(value, Handle) and value.node.needs_grad:
        raise GraphError(f"{name}: {option} has no gradient; pass {option}.detach()")
    if value is None:
        return None
    try:
        array = np.asarray(constant(value))
    except ValueError as error:  # ragged
        raise ShapeError(f"{name}: {option} is no array: {error}") from error
    if array.dtype.kind not in "fiub":
        raise DtypeError(f"{name}: {option} must hold real numbers, got {array.dtype}")
    return array.astype(dtype, copy=False)
