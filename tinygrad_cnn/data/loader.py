"""`DataLoader`: a data set in mini-batches, in a new order every epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import OptionError
from .augment import Augment
from .dataset import Dataset


class DataLoader:
    """Iterates over (inputs, labels) mini-batches: plain arrays, copied from the data set.

    Each `for` loop over it is one epoch and meets every item once. The order depends on
    (`seed`, `epoch`) alone, so a run can be repeated, or continued by setting `epoch`.

    Args:
        dataset: what to iterate over.
        batch_size: items in a batch; the last batch may be smaller.
        shuffle: a new order every epoch; otherwise the data set's own order, always.
        seed: decides the orders.
        drop_last: leave out a last batch that would be smaller than the others.
        augment: what to do to each batch of inputs: `RandomFlip()`, or several in order,
            ``[RandomCrop(2), RandomFlip()]``. What it draws depends on seed, epoch and batch alone.

    Raises:
        OptionError: no `Dataset`, a batch size that is not 1 … the number of items, or a
            negative seed.

    Example:
        >>> data = Dataset(np.arange(10.0), np.arange(10))
        >>> loader = DataLoader(data, batch_size=4, shuffle=False)
        >>> [labels.tolist() for inputs, labels in loader]
        [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
        >>> len(loader), loader.epoch
        (3, 1)
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
        augment: Augment | Sequence[Augment] = (),
    ) -> None:
        if not isinstance(dataset, Dataset):
            raise OptionError(
                f"DataLoader: a Dataset is needed, got {type(dataset).__name__}; "
                "use tg.data.Dataset(inputs, labels)"
            )
        if not (isinstance(batch_size, int | np.integer) and 1 <= batch_size <= len(dataset)):
            raise OptionError(
                f"DataLoader: batch_size={batch_size} does not fit the {len(dataset)} items of "
                f"{dataset.name!r}; it must be a whole number, 1 … {len(dataset)}"
            )
        if not (isinstance(seed, int | np.integer) and seed >= 0):
            raise OptionError(f"DataLoader: seed={seed} must be a whole number, 0 or more")
        self.dataset = dataset
        self.batch_size = int(batch_size)
        self.shuffle = shuffle
        self.seed = int(seed)
        self.drop_last = drop_last
        self.augment = (augment,) if callable(augment) else tuple(augment)
        self.epoch = 0
        """Epochs begun so far: the next one uses the order of (seed, epoch)."""

    def __len__(self) -> int:
        """The number of batches in an epoch."""
        whole, rest = divmod(len(self.dataset), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
        # Not a generator itself: the epoch begins here, not at the first batch taken.
        order = np.arange(len(self.dataset))
        if self.shuffle:
            order = np.random.default_rng((self.seed, self.epoch)).permutation(order)
        epoch = self.epoch
        self.epoch += 1
        return (self._batch(order, epoch, k) for k in range(len(self)))

    def _batch(
        self, order: NDArray[np.intp], epoch: int, k: int
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        chosen = order[k * self.batch_size : (k + 1) * self.batch_size]
        inputs = self.dataset.inputs[chosen]
        rng = np.random.default_rng((self.seed, epoch, k))
        for change in self.augment:
            inputs = change(inputs, rng)
        return inputs, self.dataset.labels[chosen]
