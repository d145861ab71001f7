"""What is known of an array that is not kept: its shape and dtype, perhaps statistics.

Both take the place of the array as a node's value, where shape, dtype and size are asked for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .errors import GraphError


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
        values = array.astype(np.float64).ravel()
        low = high = mean = std = min_abs = mean_abs = math.nan
        norm = largest = max(float(values.max(initial=0.0)), -float(values.min(initial=0.0)))
        finite = values if math.isfinite(largest) else values[np.isfinite(values)]
        if finite.size:
            low, high = float(finite.min()), float(finite.max())
            sizes = np.abs(finite)
            min_abs = float(sizes.min())
            with np.errstate(over="ignore"):
                mean, std, mean_abs = map(float, (finite.mean(), finite.std(), sizes.mean()))
        if 0 < largest < math.inf:  # scaled, since a square may overflow
            norm = largest * float(np.linalg.norm(values / largest))
        broken = values.size - finite.size
        return cls(
            array.shape, str(array.dtype), broken, low, high, mean, std, min_abs, mean_abs, norm
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
