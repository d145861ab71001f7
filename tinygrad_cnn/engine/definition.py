"""What definitions are written with: sums and extremes of Scalars, and where inputs are read."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any


def add_up(terms: Iterable[Any]) -> Any:
    """The sum of Scalars, or of numbers; 0.0 if there are none.

    It begins with the first term, so that the graph of a sum has no "0 +" in it. Sums of floats are
    the same on every Python; those of the built-in `sum` are not, which since 3.12 compensates
    rounding errors.
    """
    total = None
    for term in terms:
        total = term if total is None else total + term
    return 0.0 if total is None else total


def first_to_beat(values: Iterable[Any], beats: Callable[[Any, Any], bool]) -> Any:
    """The largest of some Scalars if `beats` is `operator.gt`, the smallest if it is `operator.lt`.

    Of equal ones it is the first. NaN beats all other values, as in NumPy; again the first one.
    """
    best, *others = values
    for value in others:
        if math.isnan(float(best)):
            break
        if beats(value, best) or math.isnan(float(value)):
            best = value
    return best


def places(shape: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """All indices of an array of this shape, in row-major order."""
    return itertools.product(*map(range, shape))


def place(position: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The index at a position, from 0, in row-major order."""
    index = []
    for size in reversed(shape):
        position, i = divmod(position, size)
        index.append(i)
    return tuple(reversed(index))


def position(at: tuple[int, ...], shape: tuple[int, ...]) -> int:
    """At which position of the row-major order an index is.

    Example:
        >>> position((1, 2), (3, 4)), place(6, (3, 4))
        (6, (1, 2))
    """
    found = 0
    for i, size in zip(at, shape, strict=True):
        found = found * size + i
    return found


def broadcast_index(at: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    """Where output index `at` reads a broadcast input of `shape`: at 0 along axes of size 1."""
    tail = at[len(at) - len(shape) :] if shape else ()
    return tuple(0 if size == 1 else i for i, size in zip(tail, shape, strict=True))
