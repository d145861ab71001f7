"""What is known of an array that is not kept: its shape and dtype, perhaps statistics.

Both classes take the place of the array as a node's value, and give its shape, dtype and size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import GraphError

_NOTHING = [math.nan] * 6 + [0.0]  # min … mean_abs, and norm, of no element
_BLOCK = 1 << 15  # elements
_TINY, _HUGE = 1e-100, 1e100  # between them, squares are neither 0 nor infinite


@dataclass(frozen=True)
class Description:
    """The shape and dtype of an array whose elements are not known."""

    shape: tuple[int, ...]
    dtype: str

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        return self.size * np.dtype(self.dtype).itemsize

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise GraphError(
            f"the values of this {self.dtype} array of shape {self.shape} were not kept: record "
            'with trace(keep="values")'
        )

    def __float__(self) -> float:
        return float(self.__array__())

    def __add__(self, other: Any) -> Any:
        return self.__array__()

    __radd__ = __add__


@dataclass(frozen=True)
class Statistics(Description):
    """An array in a few numbers.

    Attributes:
        not_finite: how many elements are NaN or infinite.
        min, max, mean, std: of the finite elements; NaN if there are none.
        min_abs, mean_abs: the same of their absolute values.
        norm: √Σx², NaN or infinite if an element is.
    """

    not_finite: int
    min: float
    max: float
    mean: float
    std: float
    min_abs: float
    mean_abs: float
    norm: float

    @classmethod
    def of(cls, array: Any) -> Statistics:
        """The statistics of an array.

        Example:
            >>> import numpy as np
            >>> s = Statistics.of(np.array([3.0, -4.0, np.nan]))
            >>> s.min, s.max, s.not_finite, s.norm
            (-4.0, 3.0, 1, nan)
        """
        array = np.asarray(array)
        flat = array.ravel()
        largest = max(float(flat.max(initial=0)), -float(flat.min(initial=0)))
        shape, dtype = array.shape, str(array.dtype)
        if not flat.size:
            return cls(shape, dtype, 0, *_NOTHING)
        if largest == 0 or _TINY < largest < _HUGE:
            return cls(shape, dtype, 0, *_summary(flat, 1.0))
        if math.isfinite(largest):  # a square would be 0 or infinite
            return cls(shape, dtype, 0, *_summary(flat, largest))
        finite = flat[np.isfinite(flat)]
        of_finite = cls.of(finite)
        return replace(
            of_finite, shape=shape, dtype=dtype, not_finite=flat.size - finite.size, norm=largest
        )

    def __float__(self) -> float:
        if self.size != 1:
            return super().__float__()
        return self.mean if not self.not_finite else self.norm


def summarised(value: Any) -> Any:
    """Statistics in place of an array, or of each in a tuple; numbers and None as they are."""
    if type(value) is tuple:
        return tuple(map(summarised, value))
    return Statistics.of(value) if isinstance(value, np.ndarray | np.generic) else value


def _summary(values: np.ndarray[Any, Any], scale: float) -> list[float]:
    """min, max, mean, std, min_abs, mean_abs and norm of one or more finite values.

    In float64, in blocks that fit into the cache: each is read from memory once. Squares are
    added up around each block's mean (Chan, Golub and LeVeque, 1979), so that nothing cancels.
    """
    count, mean, around, squares, total = 0, 0.0, 0.0, 0.0, 0.0
    low, high, min_abs = math.inf, -math.inf, math.inf
    for start in range(0, values.size, _BLOCK):
        block = values[start : start + _BLOCK].astype(np.float64)
        if scale != 1.0:
            block /= scale
        low, high = min(low, float(block.min())), max(high, float(block.max()))
        squares += float(block @ block)
        middle = float(block.sum()) / block.size
        sizes = np.abs(block)
        min_abs, total = min(min_abs, float(sizes.min())), total + float(sizes.sum())
        block -= middle
        apart = middle - mean
        after = count + block.size
        around += float(block @ block) + apart * apart * (count / after) * block.size
        mean += apart * (block.size / after)
        count = after
    found = (low, high, mean, math.sqrt(around / count), min_abs, total / count, math.sqrt(squares))
    return [scale * value for value in found]
