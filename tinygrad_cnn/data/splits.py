"""Training, validation and test sets that are always the same, and have nothing in common."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import OptionError

PARTS = 10
_SEED = 2015


def which_part(data: str, split: str, fold: int = 0) -> list[int]:
    """The tenths that a split takes: seven to train, one to validate, two to test.

    Args:
        data: the data set's name, for the message.
        split: "train", "validation" or "test".
        fold: 0 … 4. Each fold tests on other tenths, so that each item is tested on once.

    Raises:
        OptionError: another split or fold.

    Example:
        >>> which_part("digits", "test"), which_part("digits", "validation")
        ([0, 1], [2])
    """
    if not (isinstance(fold, int) and 0 <= fold < PARTS // 2):
        raise OptionError(f"{data}: fold={fold!r} must be a whole number, 0 … {PARTS // 2 - 1}")
    order = [(2 * fold + k) % PARTS for k in range(PARTS)]
    splits = {"test": order[:2], "validation": order[2:3], "train": order[3:]}
    if split not in splits:
        raise OptionError(f"{data}: split={split!r} is not one of 'train', 'validation', 'test'")
    return splits[split]


def stratified(
    groups: Sequence[Hashable], items: Sequence[Hashable] | None = None
) -> NDArray[np.intp]:
    """A tenth, 0 … 9, for each item, such that every group is spread evenly over the tenths.

    Args:
        groups: what an item should be spread by, such as its label.
        items: equal ones go to the same tenth, so that no item is in two splits. None: all differ.
    """
    equal: dict[Hashable, list[int]] = defaultdict(list)
    for i in range(len(groups)):
        equal[i if items is None else items[i]].append(i)
    members: dict[Hashable, list[list[int]]] = defaultdict(list)
    for same in equal.values():
        members[groups[same[0]]].append(same)
    rng = np.random.default_rng(_SEED)
    parts = np.empty(len(groups), np.intp)
    for group in members.values():
        for rank, k in enumerate(rng.permutation(len(group))):
            parts[group[k]] = rank % PARTS
    return parts
