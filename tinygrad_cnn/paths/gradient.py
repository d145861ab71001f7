"""`gradient_paths()`: a gradient, by path length, path by path, or by samples."""

from __future__ import annotations

import math
import random
import warnings
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from ..engine.backward import leading_to, seed
from ..engine.node import Handle, Node, ancestors
from ..errors import DtypeError, GraphError, OptionError
from .choices import Choice, Choices, Segment, taken
from .lesion import BlockLesion, without_block
from .split import Split, norm, split

Array = np.ndarray[Any, Any]
Path = tuple[tuple[bool, ...], Array]  # was each block's branch taken?, and the path's gradient


def gradient_paths(loss: Handle, wrt: Handle, max_length: int | None = None) -> GradientPaths:
    """Split the gradient of `loss` with respect to `wrt` over the paths of a residual network.

    Args:
        loss: one number, recorded through residual adds (`residual_add`, `nn.Residual`).
        wrt: an input, an activation or a parameter.
        max_length: up to which length paths are kept apart, for very deep networks. All longer ones
            are then one part, and `left_out` is its share. None keeps all lengths apart.

    Raises:
        GraphError: the loss does not depend on `wrt`, or `wrt` asks for no gradient.
        ShapeError: the loss is not one number.
        DtypeError: loss or wrt is no Tensor or Scalar.
        OptionError: max_length is not a whole number ≥ 0.

    Example:
        >>> import tinygrad_cnn as tg
        >>> x = tg.Tensor(1.0, requires_grad=True)
        >>> y = tg.residual_add(x, 3 * x)  # a block with F(x) = 3x
        >>> paths = tg.gradient_paths(tg.residual_add(y, 5 * y), wrt=x)
        >>> [g.item() for g in paths.by_length]  # 1, then 3 + 5, then 3·5
        [1.0, 8.0, 15.0]
        >>> paths.count
        [1, 2, 1]
    """
    return GradientPaths(loss, wrt, max_length)


class GradientPaths:
    """The paths from a loss to one of the values that it depends on. See `gradient_paths`.

    Attributes:
        loss, wrt: the nodes that the paths lead from and to.
        blocks: the residual adds that some path meets, in order of creation.
        n_blocks: how many those are.
        count: ``count[k]`` is how many paths cross k branches; C(n, k) for a chain of n blocks.
        max_length: the longest paths that `by_length` keeps apart.
    """

    def __init__(self, loss: Handle, wrt: Handle, max_length: int | None = None) -> None:
        if max_length is not None:
            _check_whole("gradient_paths: max_length", max_length)
        for what, given in (("loss", loss), ("wrt", wrt)):
            if not isinstance(given, Handle):
                raise DtypeError(
                    f"gradient_paths: {what} must be one Tensor or Scalar, got "
                    f"{type(given).__name__}"
                )
        self._loss, self._wrt = loss, wrt
        self.loss, self.wrt = loss.node, wrt.node
        self._cotangent = seed(loss, None)
        self._order = leading_to({self.wrt}, ancestors([self.loss], needing_grad=True))
        if self.loss not in self._order:
            why = "" if self.wrt.needs_grad else "; it was made without requires_grad=True"
            raise GraphError(
                f"gradient_paths: the loss does not depend on wrt ({self.wrt.describe()}), or not "
                f"in a way that was recorded{why}"
            )
        self._leading = set(self._order)
        self._choices = Choices(self.loss, self.wrt, self._leading)
        self.blocks: Sequence[Node] = self._choices.blocks
        self.n_blocks = len(self.blocks)
        self.count = self._choices.count
        self.max_length = min(self.n_blocks, self.n_blocks if max_length is None else max_length)
        self._single_norms: dict[tuple[int, int], list[float]] = {}

    # --- by length -----------------------------------------------------------------------------

    @cached_property
    def _split(self) -> Split:
        longest = self.max_length if self.max_length < self.n_blocks else None
        return split(self._order, self.wrt, {self.loss: self._cotangent}, longest)

    @cached_property
    def by_length(self) -> list[Array]:
        """``by_length[k]``: the sum of the gradients of all paths that cross k branches."""
        zero = np.zeros_like(self.wrt.value)
        return [np.asarray(self._split.parts.get(k, zero)) for k in range(self.max_length + 1)]

    @property
    def total(self) -> Array:
        """The sum over all paths, also those longer than `max_length`: the ordinary gradient."""
        parts = self.by_length
        rest = self._split.rest
        return np.sum(parts if rest is None else [*parts, rest], axis=0)

    @property
    def norms(self) -> list[float]:
        """‖G_k‖ for each length k."""
        return [norm(part) for part in self.by_length]

    @property
    def shares(self) -> list[float]:
        """⟨G_k, g⟩ / ‖g‖² for each length k: the signed part in the gradient g.

        They sum to 1, together with `left_out`. NaN, with a warning, if g is zero.
        """
        return self._shares[:-1]

    @property
    def left_out(self) -> float:
        """The share of all paths longer than `max_length` together; 0 if there are none."""
        return self._shares[-1]

    @property
    def _shares(self) -> list[float]:
        parts = [part.astype(np.float64) for part in self.by_length]
        rest = self._split.rest
        parts.append(np.zeros_like(parts[0]) if rest is None else np.asarray(rest, np.float64))
        total = np.sum(parts, axis=0)
        square = float(np.vdot(total, total))
        if square == 0:
            warnings.warn("gradient_paths: the gradient is zero, so shares are NaN", stacklevel=3)
            return [float("nan")] * len(parts)
        return [float(np.vdot(part, total)) / square for part in parts]

    @property
    def trellis(self) -> Array:
        """How the split came about: a row for each block, (n_blocks, max_length + 1).

        ``trellis[i, k]`` is the norm of what arrives at the output of block i along all routes
        that crossed k branches on their way from the loss.
        """
        table = np.zeros((self.n_blocks, self.max_length + 1))
        for i, add in enumerate(self.blocks):
            for k, value in self._split.norms.get(add, {}).items():
                table[i, k] = value
        return table

    # --- one by one ----------------------------------------------------------------------------

    def paths(self, limit: int = 20) -> Iterator[Path]:
        """Every path, as a boolean for each block (was its branch taken?), with its gradient.

        Depth first: paths that begin with the same choices share that part of the work. So 2ⁿ paths
        of a chain take 2ⁿ − 1 branch vjps, and only n cotangents are kept. Shortcuts come before
        branches, and the last block is decided first. A block that is not met counts as not taken.

        Raises:
            OptionError: more than `limit` blocks, since there are up to 2ⁿ paths.
        """
        if self.n_blocks > limit:
            raise OptionError(
                f"paths: {self.n_blocks} blocks have up to 2^{self.n_blocks} paths; use by_length, "
                f"or paths(limit={self.n_blocks})"
            )
        return ((taken(made, self.blocks), gradient) for made, gradient in self.routes())

    def routes(self) -> Iterator[tuple[tuple[Choice, ...], Array]]:
        """Like `paths()`, with each path as the choices that it meets, from the loss on.

        A choice is a block's residual add, and whether its branch is taken. So a block that is not
        met differs from one whose shortcut is taken.
        """
        stack: list[tuple[Segment, Any, tuple[Choice, ...]]]
        stack = [(self._choices.first, self._cotangent, ())]
        while stack:
            segment, g, made = stack.pop()
            arrived = segment.carry(g, self._leading)
            if segment.arrives:
                yield made, self._gradient(arrived)
            for add in segment.adds:
                skip, branch = self._choices.onward[add]
                if branch is not None:
                    stack.append((branch, arrived.get(add), (*made, (add, True))))
                if skip is not None:
                    stack.append((skip, arrived.get(add), (*made, (add, False))))

    def sample(self, k: int, m: int = 1, seed: int = 0) -> list[Path]:
        """`m` paths drawn from all that cross k branches, each as likely as any other.

        As Veit, Wilber & Belongie 2016 did. Drawn with replacement; each costs k branch vjps.

        Args:
            k: number of branches.
            m: number of paths.
            seed: of the random numbers.

        Raises:
            OptionError: no path crosses k branches, or m is no whole number ≥ 0.
        """
        _check_whole("sample: k", k)
        _check_whole("sample: m", m)
        if k >= len(self.count) or not self.count[k]:
            known = [length for length, number in enumerate(self.count) if number]
            raise OptionError(
                f"sample: no path crosses {k} branches; there are paths of length "
                f"{known[0]} to {known[-1]}"
            )
        draw = random.Random(f"{seed} {k}")
        return [self._path(k, draw.randrange(self.count[k])) for _ in range(m)]

    def _path(self, length: int, rank: int) -> Path:
        """Number `rank` of the paths of a length, with its gradient."""
        made = self._choices.path(length, rank)
        arrived = self._choices.first.carry(self._cotangent, self._leading)
        for add, branch in made:
            segment = self._choices.onward[add][branch]
            assert segment is not None  # it leads to wrt, or this would not be a path
            arrived = segment.carry(arrived.get(add), self._leading)
        return taken(made, self.blocks), self._gradient(arrived)

    def _gradient(self, arrived: dict[Node, Any]) -> Array:
        """What arrived at `wrt`: zeros, where a vjp sent nothing."""
        return np.asarray(arrived.get(self.wrt, np.zeros_like(self.wrt.value)))

    # --- the estimate of Veit et al. -----------------------------------------------------------

    def single_norms(self, samples: int = 10, seed: int = 0) -> list[float]:
        """The mean gradient norm of single paths of each length, up to `max_length`.

        If there are at most `samples` paths of a length, all are measured, otherwise `samples` that
        are drawn. NaN for a length that no path has.
        """
        if _check_whole("single_norms: samples", samples) < 1:
            raise OptionError("single_norms: samples must be at least 1")
        key = samples, seed
        if key not in self._single_norms:
            self._single_norms[key] = [
                self._mean_norm(k, samples, seed) for k in range(self.max_length + 1)
            ]
        return list(self._single_norms[key])

    def _mean_norm(self, k: int, samples: int, seed: int) -> float:
        number = self.count[k]
        if not number:
            return float("nan")
        every = number <= samples
        found = (
            (self._path(k, rank) for rank in range(number))
            if every
            else self.sample(k, samples, seed)
        )
        return float(np.mean([norm(g) for _, g in found]))

    def veit_estimate(self, samples: int = 10, seed: int = 0) -> list[float]:
        """For each length: the number of paths times the mean gradient norm of a single one.

        The curve of Veit, Wilber & Belongie 2016, Fig. 6. It would be the gradient's magnitude by
        length if the gradients of all paths pointed in one direction. They do not: ‖G_k‖
        (`norms`) is smaller, since paths cancel.

        Args:
            samples: paths drawn for each length (all of them, where there are no more).
            seed: of the random numbers.
        """
        means = self.single_norms(samples, seed)
        return [
            _times(number, mean) if number else 0.0
            for mean, number in zip(means, self.count, strict=False)
        ]

    # --- lesions -------------------------------------------------------------------------------

    def lesion(self, i: int) -> BlockLesion:
        """What deleting block i changes: its branch gives zeros, and the rest is run again.

        Veit, Wilber & Belongie 2016 found that this hardly hurts a trained residual network.

        Args:
            i: the block's place in `blocks`; negative ones count from the end.

        Raises:
            OptionError: no such block.

        Example:
            >>> import tinygrad_cnn as tg
            >>> x = tg.Tensor(1.0, requires_grad=True)
            >>> y = tg.residual_add(x, 3 * x)
            >>> lesion = tg.gradient_paths(tg.residual_add(y, 5 * y), wrt=x).lesion(0)
            >>> lesion.loss_before, lesion.loss
            (24.0, 6.0)
            >>> lesion.gradient.item()
            6.0
        """
        if not self.n_blocks:
            raise OptionError("lesion: no path meets a residual block, so none can be deleted")
        whole = isinstance(i, int | np.integer) and not isinstance(i, bool)
        if not whole or not -self.n_blocks <= i < self.n_blocks:
            raise OptionError(f"lesion: there are blocks 0 to {self.n_blocks - 1}, got {i!r}")
        return without_block(self._loss, self._wrt, self.blocks[i])

    def __repr__(self) -> str:
        return f"<GradientPaths: {sum(self.count)} paths over {self.n_blocks} residual blocks>"


def _times(number: int, mean: float) -> float:
    """Their product, even if the number is too large for a float."""
    if not math.isfinite(mean):
        return mean
    try:
        return float(number * Fraction(mean))
    except OverflowError:
        return math.inf


def _check_whole(what: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise OptionError(f"{what} must be a whole number ≥ 0, got {value!r}")
    return value
