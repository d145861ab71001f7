"""What the pictures of path lengths show, as plain data."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

from tinygrad_cnn.paths import GradientPaths

from ..picture.numbers import percent, power
from .choices import ends
from .words import Things, count_of, name_of


@dataclass(frozen=True)
class ByLength:
    """For each length k = 0 … n: how many paths there are, ‖G_k‖, and the signed share.

    Attributes:
        start: name of the value that the gradient is taken at.
        things: what the paths are told apart by, in words.
        count: numbers of paths, for all lengths up to the number of blocks.
        norms: of G_k, the sum of the gradients of all paths of length k; it may end before the
            longest paths.
        shares: ⟨G_k, g⟩/‖g‖², which sum to 1 − left_out; NaN if the gradient g is zero.
        left_out: the share of all paths longer than the norms reach.
        single: mean gradient norm of a single path of each length; empty if it was not measured.
        estimate: Veit et al.'s, number of paths × mean norm of a single one; likewise.
        samples: how many paths of each length were measured.
        note: what the numbers were measured on, if that needs words.
    """

    start: str
    things: Things
    count: tuple[int, ...]
    norms: tuple[float, ...]
    shares: tuple[float, ...]
    left_out: float = 0.0
    single: tuple[float, ...] = ()
    estimate: tuple[float, ...] = ()
    samples: int = 0
    note: str = ""

    @property
    def n_blocks(self) -> int:
        return self.things.number

    @property
    def is_chain(self) -> bool:
        """Whether there are as many paths of each length as through a chain of blocks."""
        n = self.n_blocks
        return list(self.count) == [math.comb(n, k) for k in range(n + 1)]

    @property
    def title(self) -> str:
        total, n = sum(self.count), self.n_blocks
        known = f"{power(2, n)} " if self.is_chain and n > 1 else ""
        sign = f"{'=' if total < 1_000_000 else '≈'} " if known else ""
        return f"{self.things.told}: {known}{sign}{count_of(total, 'path')}, by length"

    def finding(self) -> str:
        """Where most paths are, and which lengths carry the gradient; "" for few blocks."""
        if not all(map(math.isfinite, self.shares)):
            return "The gradient is zero or not finite, so no length has a share in it."
        lengths = [k for k, number in enumerate(self.count) if number]
        if len(lengths) == 1 and self.n_blocks:
            number = count_of(lengths[0], self.things.crossed_one)
            return f"Every path crosses {number}, so that length tells nothing apart."
        if self.n_blocks < 4:
            return ""
        low, high = window(self.count, 0.9)
        first, last = window(self.shares, 0.9)
        part = sum(self.count[first : last + 1]) / sum(self.count)
        carried = math.fsum(self.shares[first : last + 1])
        said = (
            f"At least 90 % of all paths have {_range(low, high)}. Of the gradient, "
            f"{percent(carried)} comes from {_range(first, last)}, which {percent(part)} of the "
            "paths have."
        )
        if len(self.norms) < len(self.count):
            said += (
                f" Longer paths than {len(self.norms) - 1} were not kept apart; their share in the "
                f"gradient is {percent(self.left_out)}."
            )
        return said


def by_length(paths: GradientPaths, samples: int = 0, note: str = "") -> ByLength:
    """The numbers by length of a recorded network; single paths, if `samples` is not 0."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="gradient_paths: the gradient is zero")
        # No warning: the picture itself says that the gradient is zero.
        shares, left_out = tuple(paths.shares), paths.left_out
    start = name_of(ends(paths)[1])
    return ByLength(
        start,
        Things.of(paths),
        tuple(paths.count),
        tuple(paths.norms),
        shares,
        left_out,
        tuple(paths.single_norms(samples)) if samples else (),
        tuple(paths.veit_estimate(samples)) if samples else (),
        samples,
        note,
    )


def window(values: Sequence[float], part: float) -> tuple[int, int]:
    """The first and last index of the shortest run that holds this part of the sum.

    Of several, the one that holds most.

    >>> window([1, 5, 10, 10, 5, 1], 0.9)
    (1, 4)
    """
    before = [0, *itertools.accumulate(values)]
    goal = part * before[-1]
    for width in range(1, len(values)):
        held, first = max(
            (before[first + width] - before[first], -first)
            for first in range(len(values) - width + 1)
        )
        if held >= goal:
            return -first, width - first - 1
    return 0, len(values) - 1


def _range(first: int, last: int) -> str:
    return f"length {first}" if first == last else f"lengths {first}–{last}"
