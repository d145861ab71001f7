"""What is known of an array that is not kept: its shape and dtype, perhaps statistics.

Both classes take the place of the array as a node's value, and give its shape, dtype and size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import GraphError
from ..kernels.parallel import over_batch

_NOTHING = [math.nan] * 6 + [0.0]  # min … mean_abs, and norm, of no element
_BLOCK = 1 << 13  # elements; from 10,000 on, OpenBLAS shares a product out, and waits
_WORK = 4  # multiply-adds that an element takes as long as
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
        flat = array.ravel("K")  # as it lies in memory; no number here depends on the order
        shape, dtype = array.shape, str(array.dtype)
        if not flat.size:
            return cls(shape, dtype, 0, *_NOTHING)
        low, high = float(flat.min()), float(flat.max())
        largest = max(high, -low)
        if largest == 0 or _TINY < largest < _HUGE:
            return cls(shape, dtype, 0, low, high, *_summary(flat, 1.0))
        if math.isfinite(largest):  # a square would be 0 or infinite
            return cls(shape, dtype, 0, low, high, *_summary(flat, largest))
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


@dataclass
class _Sums:
    """What is added up of some values: how many, their mean, and sums of their squares around it,
    of their squares, and of their sizes."""

    count: int = 0
    mean: float = 0.0
    around: float = 0.0
    squares: float = 0.0
    total: float = 0.0
    min_abs: float = math.inf

    def add(self, other: _Sums) -> None:
        """Squares around two means become squares around one (Chan, Golub and LeVeque, 1979)."""
        count, apart = self.count + other.count, other.mean - self.mean
        self.around += other.around + apart * apart * (self.count / count) * other.count
        self.mean += apart * (other.count / count)
        self.count = count
        self.squares, self.total = self.squares + other.squares, self.total + other.total
        self.min_abs = min(self.min_abs, other.min_abs)


def _summary(values: np.ndarray[Any, Any], scale: float) -> list[float]:
    """mean, std, min_abs, mean_abs and norm of one or more finite values.

    In float64, in blocks that fit into the cache: each is read from memory once. Squares are
    added up around each block's mean, so that nothing cancels.
    """

    def part(where: slice) -> _Sums:
        sums = _Sums()
        for start in range(where.start, where.stop, _BLOCK):
            sums.add(_sums(values[start : min(start + _BLOCK, where.stop)], scale))
        return sums

    first, *others = over_batch(part, values.size, _WORK * values.size)
    for sums in others:
        first.add(sums)
    found = (
        first.mean,
        math.sqrt(first.around / first.count),
        first.min_abs,
        first.total / first.count,
        math.sqrt(first.squares),
    )
    return [scale * value for value in found]


def _sums(values: np.ndarray[Any, Any], scale: float) -> _Sums:
    """Of one block."""
    block = values.astype(np.float64)
    if scale != 1.0:
        block /= scale
    squares, mean = float(block @ block), float(block.sum()) / block.size
    sizes = np.abs(block)
    block -= mean
    around, total = float(block @ block), float(sizes.sum())
    return _Sums(block.size, mean, around, squares, total, float(sizes.min()))
