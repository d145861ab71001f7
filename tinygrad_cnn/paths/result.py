"""`GradientPaths`: what can be asked of a gradient that was split over its paths."""

from __future__ import annotations

import itertools
import math
import random
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from ..engine.backward import grad, leading_to
from ..engine.node import Handle, Node
from ..errors import OptionError
from .edges import Edge, shares_of_edges
from .finding import Choice
from .gates import Gate, Part, Powers
from .lesion import BlockLesion, without_part
from .segments import Routes, Segment
from .split import norm
from .walk import Asked, Walk, check_whole

Array = np.ndarray[Any, Any]
Path = tuple[tuple[bool, ...], Array]  # was each part crossed?, and the path's gradient
Length = int | tuple[int, ...]


class GradientPaths:
    """The paths from a loss to one of the values that it depends on. See `gradient_paths`.

    Attributes:
        loss, wrt: the nodes that the paths lead from and to.
        choices: how the places where the network chooses were read; empty with `through`.
        parts: what a path can cross: branches, or what was marked, in order of creation.
        blocks: where each of the parts is: the addition of a branch, the end of a module.
        n_blocks: how many those are.
        kinds: names of the kinds of parts; one without a name, if `through` had none.
        count: ``count[k]`` is how many paths cross k parts; C(n, k) for a chain of n blocks.
        max_length: the longest paths that `by_length` keeps apart.
    """

    def __init__(self, walk: Walk, wrt: Handle) -> None:
        self._walk, self._loss, self._wrt = walk, walk.asked.loss, wrt
        self.loss, self.wrt = walk.loss, wrt.node
        self.kinds = walk.gates.kinds
        order = leading_to({self.wrt}, walk.order)
        self._leading = set(order)
        self._routes = Routes(walk.gates, self.loss, self.wrt, self._leading)
        met_places = self._leading - {self.wrt}
        self.choices = [c for c in walk.choices if c.place in met_places]
        met = self._routes.crossed(self._routes.onward)
        self._numbers = [
            number
            for number, part in enumerate(walk.gates.parts)
            if number in met or (part.choice is not None and part.place in met_places)
        ]
        self.parts: list[Part] = [walk.gates.parts[number] for number in self._numbers]
        self.blocks: Sequence[Node] = [part.place for part in self.parts]
        self.n_blocks = len(self.blocks)
        self.count = self._by_total(self._routes.count)
        limit = walk.limits[0] if len(self.kinds) == 1 else math.inf
        self.max_length = int(min(len(self.count) - 1, limit))
        self._single_norms: dict[tuple[int, int], list[float]] = {}

    def _by_total(self, ways: Mapping[Powers, int]) -> list[int]:
        """How many paths there are of each length, up to the number of places."""
        longest = max((sum(powers) for powers in ways), default=0)
        count = [0] * (max(longest, len({*self.blocks})) + 1)
        for powers, number in ways.items():
            count[sum(powers)] += number
        return count

    def of(self, index: int | tuple[int, ...]) -> GradientPaths:
        """The paths of one element of the output, such as a class's logit.

        Raises:
            OptionError: there is no such element.

        Example:
            >>> import tinygrad_cnn as tg
            >>> x = tg.Tensor([1.0, 2.0], requires_grad=True)
            >>> paths = tg.gradient_paths(tg.residual_add(x, x * x), wrt=x)
            >>> [g.tolist() for g in paths.of(1).by_length]
            [[0.0, 1.0], [0.0, 4.0]]
        """
        value = np.asarray(self.loss.value)
        one = np.zeros(value.shape, value.dtype)
        try:
            chosen = one[index]
            if np.ndim(chosen):
                raise IndexError(f"an element takes {value.ndim} numbers")
        except IndexError as error:
            raise OptionError(
                f"of: the output has shape {value.shape}; {index!r}: {error}"
            ) from None
        one[index] = 1
        walk = self._walk
        asked = Asked(
            walk.asked.loss,
            [self._wrt],
            *[getattr(walk.asked, name) for name in ("through", "branch", "ignore")],
        )
        return GradientPaths(Walk(asked, walk.max_length, one), self._wrt)

    # --- by length -----------------------------------------------------------------------------

    @property
    def by_crossings(self) -> dict[Powers, Array]:
        """The sum of the gradients of all paths that cross so many parts of each kind."""
        found = self._walk.split.parts.get(self.wrt, {})
        return {powers: np.asarray(part) for powers, part in found.items()}

    @cached_property
    def by_length(self) -> list[Array]:
        """``by_length[k]``: the sum of the gradients of all paths that cross k parts."""
        parts = [np.zeros_like(self.wrt.value) for _ in range(self.max_length + 1)]
        for powers, part in self.by_crossings.items():
            parts[sum(powers)] = parts[sum(powers)] + part
        return [np.asarray(part) for part in parts]

    @property
    def _rest(self) -> Array | None:
        return self._walk.split.rest.get(self.wrt)

    @property
    def total(self) -> Array:
        """The sum over all paths, also those longer than `max_length`: the ordinary gradient."""
        parts = self.by_length
        return np.sum(parts if self._rest is None else [*parts, self._rest], axis=0)

    @property
    def ordinary(self) -> Array:
        """The gradient by an ordinary backward pass, to hold `total` against."""
        found = grad(self._loss, self._wrt, self._walk.cotangent)
        return np.asarray(found.node.value)

    @property
    def norms(self) -> list[float]:
        """‖G_k‖ for each length k."""
        return [norm(part) for part in self.by_length]

    @property
    def shares(self) -> list[float]:
        """⟨G_k, g⟩ / ‖g‖² for each length k: the signed part in the gradient g.

        They sum to 1, together with `left_out`. NaN, with a warning, if g is zero.
        """
        return self._shares(self.by_length)[:-1]

    @property
    def left_out(self) -> float:
        """The share of all paths longer than `max_length` together; 0 if there are none."""
        return self._shares(self.by_length)[-1]

    def _shares(self, parts: Sequence[Array]) -> list[float]:
        """Of some parts, and of the rest."""
        total = np.asarray(self.total, np.float64)
        square = float(np.vdot(total, total))
        rest = np.zeros_like(total) if self._rest is None else self._rest
        every = [np.asarray(part, np.float64) for part in (*parts, rest)]
        if square == 0:
            warnings.warn("gradient_paths: the gradient is zero, so shares are NaN", stacklevel=3)
            return [float("nan")] * len(every)
        return [float(np.vdot(part, total)) / square for part in every]

    # --- edge by edge ----------------------------------------------------------------------------

    @cached_property
    def edge_shares(self) -> dict[Edge, float]:
        """What part of the gradient comes along each edge: (node, which of its inputs) → share.

        The share of an edge is ⟨sum of the gradients of all paths over it, g⟩ / ‖g‖². What comes to
        a node is what goes on from it. It takes one walk forward and two back.
        """
        order = [node for node in self._walk.order if node in self._leading]
        return shares_of_edges(order, self._loss, self.wrt, self._walk.cotangent)

    @cached_property
    def part_shares(self) -> list[float]:
        """For each of `parts`: the share of the paths that cross it (each time that they do).

        Example:
            >>> import tinygrad_cnn as tg
            >>> x = tg.Tensor(1.0, requires_grad=True)
            >>> y = tg.residual_add(x, 3 * x)
            >>> paths = tg.gradient_paths(tg.residual_add(y, -0.5 * y), wrt=x)
            >>> paths.part_shares  # 3 of 1 + 3; −0.5 of 1 − 0.5
            [0.75, -1.0]
        """
        gates, final = self._walk.gates, self.wrt
        found = {number: float(number in gates.start[1]) for number in self._numbers}
        for edge, gate in gates.at.items():
            crossed = gate.final[1] if gate.target is final else gate.parts
            for number in crossed:
                if number in found:
                    found[number] += self.edge_shares.get(edge, 0.0)
        return list(found.values())

    # --- by two kinds or more --------------------------------------------------------------------

    def table(self, what: str = "shares") -> Array:
        """The split by kinds: ``table()[j, k]`` is of the paths that cross j and k of each kind.

        Args:
            what: "shares", "norms" or "count".

        Returns:
            An array with an axis for each of `kinds`, as long as the most crossings of that kind.

        Raises:
            OptionError: `what` is something else.

        Example:
            >>> import tinygrad_cnn as tg
            >>> x = tg.Tensor(1.0, requires_grad=True)
            >>> kinds = {"tanh": lambda n: n.op is tg.tanh, "exp": lambda n: n.op is tg.exp}
            >>> tg.gradient_paths(x + tg.exp(x + tg.tanh(x)), x, through=kinds).table("count")
            array([[1, 1],
                   [0, 1]], dtype=object)
        """
        if what not in ("shares", "norms", "count"):
            raise OptionError(f"table: 'shares', 'norms' or 'count' is needed, not {what!r}")
        limits = self._walk.limits
        kept = {
            powers: number
            for powers, number in self._routes.count.items()
            if all(p <= limit for p, limit in zip(powers, limits, strict=True))
        }
        sizes = [max((p[d] for p in kept), default=0) + 1 for d in range(len(self.kinds))]
        table: Array = np.zeros(sizes, object if what == "count" else float)
        if what == "count":
            table[...] = 0
            for powers, number in kept.items():
                table[powers] = number
            return table
        parts = self.by_crossings
        values = (
            self._shares(list(parts.values())) if what == "shares" else map(norm, parts.values())
        )
        for powers, value in zip(parts, values, strict=False):
            table[powers] = value
        return table

    def margin(self, kind: str) -> list[Array]:
        """The split by one kind alone: the gradient of all paths that cross k of its parts.

        Raises:
            OptionError: no such kind.
        """
        if kind not in self.kinds:
            raise OptionError(f"margin: the kinds are {', '.join(self.kinds)}, not {kind!r}")
        d = self.kinds.index(kind)
        parts = self.by_crossings
        longest = max((powers[d] for powers in parts), default=0)
        sums = [np.zeros_like(self.wrt.value) for _ in range(longest + 1)]
        for powers, part in parts.items():
            sums[powers[d]] = sums[powers[d]] + part
        return [np.asarray(part) for part in sums]

    @property
    def trellis(self) -> Array:
        """How the split came about: a row for each block, (n_blocks, max_length + 1).

        ``trellis[i, k]`` is the norm of what arrives at the output of block i along all routes
        that crossed k parts on their way from the loss.
        """
        table = np.zeros((self.n_blocks, self.max_length + 1))
        for i, number in enumerate(self._numbers):
            for powers, value in self._walk.split.norms.get(number, {}).items():
                if sum(powers) <= self.max_length:
                    table[i, sum(powers)] = math.hypot(table[i, sum(powers)], value)
        return table

    # --- one by one ----------------------------------------------------------------------------

    def paths(self, limit: int = 20) -> Iterator[Path]:
        """Every path, as a boolean for each block (was it crossed?), with its gradient.

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
        return ((route.taken, route.gradient) for route in self.routes())

    def routes(self) -> Iterator[Route]:
        """Like `paths()`, with which blocks each path meets at all."""
        at = self._walk.gates.at
        stack: list[tuple[Segment, Any, tuple[Gate, ...]]]
        stack = [(self._routes.first, self._walk.cotangent, ())]
        while stack:
            segment, g, made = stack.pop()
            arrived, ended = segment.carry(g, self._leading, at)
            if segment.arrives:
                yield Route(self._taken(made), self._met(made), self._gradient(ended))
            places = [list(gates) for _, gates in itertools.groupby(segment.gates, _place)]
            for gates in places:
                for gate in reversed(gates):
                    stack.append((self._routes.onward[gate], arrived.get(gate), (*made, gate)))

    def _taken(self, made: Sequence[Gate]) -> tuple[bool, ...]:
        crossed = self._routes.crossed(made)
        return tuple(number in crossed for number in self._numbers)

    def _met(self, made: Sequence[Gate]) -> tuple[bool, ...]:
        crossed, places = self._routes.crossed(made), {gate.place for gate in made}
        return tuple(
            number in crossed or (part.choice is None or part.place in places)
            for number, part in zip(self._numbers, self.parts, strict=True)
        )

    def sample(self, k: Length, m: int = 1, seed: int = 0) -> list[Path]:
        """`m` paths drawn from all that cross k parts, each as likely as any other.

        As Veit, Wilber & Belongie 2016 did. Drawn with replacement; each costs k branch vjps.

        Args:
            k: number of parts; of several kinds, of all together, or a number for each.
            m: number of paths.
            seed: of the random numbers.

        Raises:
            OptionError: no path crosses k parts, or m is no whole number ≥ 0.
        """
        for number in k if isinstance(k, tuple) else (k,):
            check_whole("sample: k", number)
        check_whole("sample: m", m)
        if isinstance(k, tuple) and len(k) != len(self.kinds):
            raise OptionError(f"sample: give a number for each of {', '.join(self.kinds)}")
        number = sum(number for _, number in self._ways(k))
        if not number:
            known = [length for length, number in enumerate(self.count) if number]
            what = "parts" if self._marked else "branches"
            raise OptionError(
                f"sample: no path crosses {k} {what}; there are paths of length "
                f"{known[0]} to {known[-1]}"
            )
        draw = random.Random(f"{seed} {k}")
        return [self._path(k, draw.randrange(number)) for _ in range(m)]

    def _ways(self, k: Length) -> list[tuple[Powers, int]]:
        """How many paths there are of a length, by powers."""
        ways = sorted(self._routes.count.items())
        return [(p, number) for p, number in ways if (p == k or sum(p) == k)]

    @property
    def _marked(self) -> bool:
        return self._walk.asked.through is not None

    def _path(self, k: Length, rank: int) -> Path:
        """Number `rank` of the paths of a length, with its gradient."""
        ways = iter(self._ways(k))
        powers, number = next(ways)
        while rank >= number:
            rank -= number
            powers, number = next(ways)
        made = self._routes.path(powers, rank)
        at = self._walk.gates.at
        arrived, ended = self._routes.first.carry(self._walk.cotangent, self._leading, at)
        for gate in made:
            arrived, ended = self._routes.onward[gate].carry(arrived.get(gate), self._leading, at)
        return self._taken(made), self._gradient(ended)

    def _gradient(self, ended: Any) -> Array:
        """What arrived at `wrt`: zeros, where a vjp sent nothing."""
        return np.asarray(np.zeros_like(self.wrt.value) if ended is None else ended)

    # --- the estimate of Veit et al. -----------------------------------------------------------

    def single_norms(self, samples: int = 10, seed: int = 0) -> list[float]:
        """The mean gradient norm of single paths of each length, up to `max_length`.

        If there are at most `samples` paths of a length, all are measured, otherwise `samples` that
        are drawn. NaN for a length that no path has.
        """
        if check_whole("single_norms: samples", samples) < 1:
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

        Veit, Wilber & Belongie 2016 found that this hardly hurts a trained residual network. A
        marked part is deleted in the same way: what leaves it is zeros.

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
        return without_part(self._loss, self._wrt, self.parts[i], self._walk.cotangent)

    def __repr__(self) -> str:
        what = "marked parts" if self._marked else _told(self.choices)
        return f"<GradientPaths: {sum(self.count)} paths over {self.n_blocks} {what}>"


@dataclass(frozen=True)
class Route:
    """One path.

    Attributes:
        taken: for each block, whether the path crosses it.
        met: for each block, whether the path comes by it at all.
        gradient: of the path.
    """

    taken: tuple[bool, ...]
    met: tuple[bool, ...]
    gradient: Array


def _place(gate: Gate) -> Node:
    return gate.place


def _told(choices: Sequence[Choice]) -> str:
    """What the choices are, in a word."""
    kinds = {choice.kind for choice in choices}
    return "branches" if kinds & {"addition", "concatenation"} else "residual blocks"


def _times(number: int, mean: float) -> float:
    """Their product, even if the number is too large for a float."""
    if not math.isfinite(mean):
        return mean
    try:
        return float(number * Fraction(mean))
    except OverflowError:
        return math.inf
