"""`Dataset`: inputs and their labels, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, OptionError, ShapeError


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """`n` inputs and their `n` labels.

    Args:
        inputs: (n, ...), e.g. images (n, channels, height, width).
        labels: (n, ...), usually (n,) whole numbers, each the number of a class.
        classes: the classes' names; class `k` is `classes[k]`. Empty if there are none.
        name: what to call the data in messages and pictures.

    An index of one number gives the pair (input, label); a slice, an array of indices or an array
    of booleans gives a smaller `Dataset`.

    Raises:
        ShapeError: inputs and labels differ in number.
        DataError: a label that `classes` has no name for.

    Example:
        >>> data = Dataset(np.zeros((4, 1, 8, 8)), np.array([0, 1, 1, 0]), ("cat", "dog"), "pets")
        >>> data
        Dataset 'pets': 4 inputs of (1, 8, 8) float64, 2 classes
        >>> len(data[data.labels == 1])
        2
    """

    inputs: NDArray[Any]
    labels: NDArray[Any]
    classes: Sequence[str] = ()
    name: str = "data"

    def __post_init__(self) -> None:
        for field in ("inputs", "labels"):
            array = np.asarray(getattr(self, field))
            if array.ndim == 0:
                raise ShapeError(f"Dataset {self.name!r}: {field} is one number, not an array")
            object.__setattr__(self, field, array)
        object.__setattr__(self, "classes", tuple(self.classes))
        if len(self.inputs) != len(self.labels):
            raise ShapeError(
                f"Dataset {self.name!r}: {len(self.inputs)} inputs but {len(self.labels)} labels; "
                "each input needs one label"
            )
        if self.classes:
            self._check_labels()

    def _check_labels(self) -> None:
        if self.labels.dtype.kind not in "iu":
            raise DataError(
                f"Dataset {self.name!r}: labels that name a class are whole numbers, "
                f"not {self.labels.dtype}"
            )
        wrong = np.argwhere((self.labels < 0) | (self.labels >= len(self.classes)))
        if len(wrong):
            where = tuple(wrong[0].tolist())
            raise DataError(
                f"Dataset {self.name!r}: label {self.labels[where]} at {where[0]} is not one of "
                f"the {len(self.classes)} classes 0 … {len(self.classes) - 1}"
            )

    @property
    def images(self) -> NDArray[Any]:
        """The inputs, by the name that suits pictures."""
        return self.inputs

    def __len__(self) -> int:
        return len(self.inputs)

    @overload
    def __getitem__(self, index: int | np.integer[Any]) -> tuple[NDArray[Any], Any]: ...
    @overload
    def __getitem__(self, index: slice | list[int] | NDArray[Any]) -> Dataset: ...
    def __getitem__(
        self, index: int | np.integer[Any] | slice | list[int] | NDArray[Any]
    ) -> tuple[NDArray[Any], Any] | Dataset:
        if isinstance(index, int | np.integer):
            return self.inputs[index], self.labels[index]
        if not isinstance(index, slice):
            index = np.asarray(index, dtype=np.intp) if isinstance(index, list) else index
            if not isinstance(index, np.ndarray) or index.ndim != 1:
                raise TypeError(
                    f"Dataset {self.name!r}: an index is one number, a slice, or a 1-D array of "
                    f"numbers or booleans, not {index!r}"
                )
        return Dataset(self.inputs[index], self.labels[index], self.classes, self.name)

    def subset(self, n: int, seed: int = 0) -> Dataset:
        """`n` different items; `seed` decides which, and in which order.

        Raises:
            OptionError: `n` is not 1 … the number of items.

        Example:
            >>> data = Dataset(np.arange(10.0), np.arange(10))
            >>> sorted(data.subset(10).labels.tolist()) == list(range(10))
            True
        """
        if not (isinstance(n, int | np.integer) and 1 <= n <= len(self)):
            raise OptionError(
                f"subset: cannot take {n} of the {len(self)} items of {self.name!r}; "
                f"n must be a whole number, 1 … {len(self)}"
            )
        return self[np.random.default_rng(seed).permutation(len(self))[:n]]

    def split(self, *shares: float, seed: int = 0) -> tuple[Dataset, ...]:
        """Parts that have nothing in common, such as a training and a validation set.

        Args:
            shares: of each part; together at most 1.
            seed: decides which item goes where; the same seed always gives the same parts.

        Raises:
            OptionError: shares that are not positive, add up to more than 1, or leave a part empty.

        Example:
            >>> train, validation = Dataset(np.arange(10.0), np.arange(10)).split(0.8, 0.2)
            >>> len(train), len(validation)
            (8, 2)
        """
        if not shares or min(shares) <= 0 or sum(shares) > 1 + 1e-9:
            raise OptionError(f"split: shares {shares} must be positive, and together at most 1")
        ends = [round(share * len(self)) for share in np.cumsum(shares)]
        order = np.random.default_rng(seed).permutation(len(self))
        parts = tuple(
            self[order[begin:end]] for begin, end in zip([0, *ends[:-1]], ends, strict=True)
        )
        if not all(map(len, parts)):
            raise OptionError(
                f"split: shares {shares} leave a part of the {len(self)} items of {self.name!r} "
                "empty"
            )
        return parts

    def __repr__(self) -> str:
        kinds = f", {len(self.classes)} classes" if self.classes else ""
        shape = self.inputs.shape[1:]
        return f"Dataset {self.name!r}: {len(self)} inputs of {shape} {self.inputs.dtype}{kinds}"
