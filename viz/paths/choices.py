"""What the pictures of single paths show, as plain data: blocks, and which of them a path takes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tinygrad_cnn.engine.node import Node
from tinygrad_cnn.paths import Choice, Expansion, GradientPaths

from ..picture.numbers import power
from .words import Things, count_of, name_of, subscript

# A fill, and an ink that is legible on it: Okabe & Ito's palette for colour-blind readers.
PALETTE = (
    ("#0072b2", "#ffffff"),
    ("#e69f00", "#1a1a1a"),
    ("#009e73", "#1a1a1a"),
    ("#cc79a7", "#1a1a1a"),
    ("#56b4e9", "#1a1a1a"),
    ("#d55e00", "#1a1a1a"),
)
MAX_BLOCKS = len(PALETTE)


@dataclass(frozen=True)
class Block:
    """A residual block, a branch or a marked part, as drawn.

    Attributes:
        number: from 1, in order of creation.
        name: a module's dotted name, or "block 1".
        shortcut: "identity", or "skip" where the shortcut computes something (a projection); "past
            it" of a marked part.
        fill, ink: the colours of its branch F, or of the part P.
        join: how the two ways come together again: "⊕", an addition, "⊟", a concatenation, or "•".
    """

    number: int
    name: str
    shortcut: str
    fill: str
    ink: str
    join: str = "⊕"

    @property
    def branch(self) -> str:
        return f"{'P' if self.join == '•' else 'F'}{subscript(self.number)}"


@dataclass(frozen=True)
class SinglePath:
    """One path.

    Attributes:
        taken: whether each block's branch is taken.
        norm: of its gradient, if known.
        met: whether the path comes by each block at all; None means that it meets all of them. In
            a block that it meets, it crosses either the branch or the shortcut.
    """

    taken: tuple[bool, ...]
    norm: float | None = None
    met: tuple[bool, ...] | None = None

    def misses(self, i: int) -> bool:
        """Whether the path does not come by block i, counted from 0."""
        return self.met is not None and not self.met[i]

    @property
    def length(self) -> int:
        return sum(self.taken)

    @property
    def formula(self) -> str:
        """The path's gradient, in the branches' Jacobians J and the gradient g at the output."""
        crossed = [f"J{subscript(i)}ᵀ" for i, taken in enumerate(self.taken, 1) if taken]
        return " ".join([*crossed, "g"])


@dataclass(frozen=True)
class Unrolled:
    """Everything that a table or a tree of paths says.

    Attributes:
        blocks: in order of creation.
        paths: shortest first, then those that branch early.
        start, end: the names of wrt and of the loss.
        is_chain: the blocks follow one another, and each is on the way.
        total: norm of the ordinary gradient, from a backward pass that splits nothing; where the
            paths were run forward, norm of the network's output.
        difference: the largest difference, over entries, between that and the paths' sum.
        largest: the largest entry of what the sum should be, by absolute value.
        summed: norm of the paths' sum, where they were run forward; None for gradients.
        note: what the numbers were measured on, if that needs words.
        thing: what the blocks are, if not residual blocks: see `words.Things`.
    """

    blocks: tuple[Block, ...]
    paths: tuple[SinglePath, ...]
    start: str = "x"
    end: str = "loss"
    is_chain: bool = True
    total: float | None = None
    difference: float | None = None
    largest: float | None = None
    summed: float | None = None
    note: str = ""
    thing: Things | None = None

    @property
    def forward(self) -> bool:
        """Whether the paths were run forward, so that the norms are those of their outputs."""
        return self.summed is not None

    @property
    def title(self) -> str:
        n = len(self.blocks)
        known = f"{power(2, n)} = " if self.is_chain and n > 1 else ""
        return f"{self.things.told}: {known}{count_of(len(self.paths), 'path')}"

    @property
    def things(self) -> Things:
        """What the blocks are, in words."""
        return self.thing or Things(len(self.blocks))

    @property
    def joins(self) -> str:
        """The marks at which ways come together, in words."""
        marks = {block.join for block in self.blocks}
        names = {"⊕": "⊕", "⊟": "⊟ (a concatenation)"}
        return " and every ".join(names[mark] for mark in names if mark in marks)

    def groups(self) -> Iterator[tuple[int, list[SinglePath]]]:
        """The paths of each length, shortest first."""
        for length, paths in itertools.groupby(self.paths, key=lambda path: path.length):
            yield length, list(paths)


def schematic(n: int) -> Unrolled:
    """A chain of n blocks without any numbers."""
    blocks = tuple(_block(i, f"block {i}", "identity") for i in range(1, n + 1))
    every = itertools.product((True, False), repeat=n)
    paths = tuple(SinglePath(taken) for taken in sorted(every, key=sum))
    return Unrolled(blocks, paths, end="y")


def shortest_first(taken: Sequence[bool]) -> tuple[object, ...]:
    """A key to sort rows: by length, and among these the paths first that branch early."""
    return sum(taken), [not t for t in taken]


def measured(paths: GradientPaths, note: str = "") -> Unrolled:
    """The paths of a recorded network, with the norms of their gradients."""
    ordinary = paths.ordinary
    singles, together = [], np.zeros_like(ordinary)
    for route in paths.routes():
        norm = float(np.linalg.norm(route.gradient))
        singles.append(SinglePath(route.taken, norm, route.met))
        together = together + route.gradient
    singles.sort(key=lambda path: shortest_first(path.taken))
    return Unrolled(
        blocks=_blocks_of(paths),
        thing=Things.of(paths),
        paths=tuple(singles),
        start=name_of(ends(paths)[1]),
        note=note,
        is_chain=_is_chain(singles, paths.n_blocks),
        total=float(np.linalg.norm(ordinary)),
        difference=float(np.abs(together - ordinary).max(initial=0.0)),
        largest=float(np.abs(ordinary).max(initial=0.0)),
    )


def forward(expansion: Expansion) -> Unrolled:
    """The paths of a network that was run forward along each of them."""
    output = np.asarray(expansion.output, np.float64)
    together = np.asarray(expansion.total, np.float64)
    singles = tuple(
        SinglePath(taken, float(np.linalg.norm(y)), met)
        for (taken, y), met in zip(expansion.paths, expansion.met, strict=True)
    )
    return Unrolled(
        blocks=_blocks(expansion.blocks),
        paths=singles,
        start=name_of(expansion.start),
        end="y",
        is_chain=_is_chain(singles, expansion.n_blocks),
        total=float(np.linalg.norm(output)),
        difference=float(np.abs(together - output).max(initial=0.0)),
        largest=float(np.abs(output).max(initial=0.0)),
        summed=float(np.linalg.norm(together)),
    )


def ends(paths: GradientPaths) -> tuple[Node, Node]:
    """The nodes of the loss and of wrt."""
    return paths.loss, paths.wrt


def shortcut(skip: Node | None, branch: Node | None) -> str:
    """The label of a block's shortcut: "identity" or "skip"; "none" if there is none.

    It is "identity" if the branch was computed from the same value that it is joined with, and
    "skip" if the shortcut computes something, such as a projection.
    """
    if skip is None:
        return "none"
    seen: set[Node] = set()
    stack = [branch]
    while stack:
        node = stack.pop()
        if node is skip:
            return "identity"
        if node is not None and node not in seen and node.serial > skip.serial:
            seen.add(node)  # older nodes cannot be computed from the skip
            stack.extend(node.inputs)
    return "skip"


def _blocks(adds: Sequence[Node]) -> tuple[Block, ...]:
    return tuple(
        _block(i, add.scope or f"block {i}", shortcut(*add.inputs)) for i, add in enumerate(adds, 1)
    )


def names_of(paths: GradientPaths) -> list[str]:
    """What pictures call the parts."""
    word = Things.of(paths).one.split(" ")[-1]
    return [part.name or f"{word} {i}" for i, part in enumerate(paths.parts, 1)]


def _blocks_of(paths: GradientPaths) -> tuple[Block, ...]:
    found = []
    for i, (part, name) in enumerate(zip(paths.parts, names_of(paths), strict=True), 1):
        choice = part.choice
        if choice is None:
            found.append(_block(i, name, "past it", "•"))
        else:
            assert part.argument is not None
            label = shortcut(choice.skip_node, part.place.inputs[part.argument])
            found.append(_block(i, name, label, join_of(choice)))
    return tuple(found)


def join_of(choice: Choice) -> str:
    """The mark of an addition or a concatenation."""
    return "⊟" if choice.kind == "concatenation" else "⊕"


def _block(number: int, name: str, shortcut: str, join: str = "⊕") -> Block:
    fill, ink = PALETTE[(number - 1) % len(PALETTE)]
    return Block(number, name, shortcut, fill, ink, join)


def _is_chain(paths: Sequence[SinglePath], n: int) -> bool:
    """Every path comes by every block, and every combination of choices is there once."""
    everywhere = not any(path.misses(i) for path in paths for i in range(n))
    return everywhere and len(paths) == len({path.taken for path in paths}) == 2**n
