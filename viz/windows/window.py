"""What a window computes, as plain data: which cells it reads, the products, and their sum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinygrad_cnn.engine.definition import add_up, places
from tinygrad_cnn.ops.windows import Pairs

from .numbers import Array, Index


def first_cell(at: Index, stride: Index, padding: Pairs) -> Index:
    """Where the window of an output place begins. In the padding, indices are negative."""
    return tuple(i * s - before for i, s, (before, _) in zip(at, stride, padding, strict=True))


def cell_of(start: Index, tap: Index, dilation: Index) -> Index:
    """The cell that lies under one place (`tap`) of a kernel whose first cell is at `start`."""
    return tuple(q + a * e for q, a, e in zip(start, tap, dilation, strict=True))


def is_inside(cell: Index, size: Index) -> bool:
    """Whether a cell lies in an array of this size, rather than in its padding."""
    return all(0 <= q < n for q, n in zip(cell, size, strict=True))


@dataclass(frozen=True)
class Product:
    """One input cell times one weight.

    Attributes:
        cell: of the input, (channel, …); in the padding, an index outside.
        tap: of the kernel, (channel, …).
        input: the cell's value; 0 in the padding.
        weight: the tap's value.
        padding: whether the cell is padding.
    """

    cell: Index
    tap: Index
    input: float
    weight: float
    padding: bool

    @property
    def value(self) -> float:
        return self.input * self.weight


@dataclass(frozen=True)
class Window:
    """One output cell of a convolution: the sum of its products, plus the bias.

    Attributes:
        output: the cell that it fills, (channel, …).
        products: one for each weight, channel by channel, row by row.
        bias: what is added; None if there is none.
    """

    output: Index
    products: tuple[Product, ...]
    bias: float | None = None

    @property
    def channel_sums(self) -> tuple[float, ...]:
        """The sum of the products of each input channel."""
        channels = 1 + max(product.tap[0] for product in self.products)
        return tuple(
            add_up(p.value for p in self.products if p.tap[0] == c) for c in range(channels)
        )

    @property
    def sum(self) -> float:
        """All products, and the bias."""
        return add_up(self.channel_sums) + (self.bias or 0.0)


@dataclass(frozen=True)
class Convolution:
    """A convolution of one image, with its options in full.

    Attributes:
        x: the input, (C, …).
        w: the kernels, (O, C, …).
        b: the biases, (O,), or None.
        y: the output, (O, …).
        stride, padding, dilation: for each axis; padding as (before, after).
    """

    x: Array
    w: Array
    b: Array | None
    y: Array
    stride: Index
    padding: Pairs
    dilation: Index

    def start(self, at: Index) -> Index:
        """The first cell of the window of an output cell (spatial indices)."""
        return first_cell(at, self.stride, self.padding)

    def window(self, output: Index) -> Window:
        """The products that make up one output cell."""
        o, *at = output
        start = self.start(tuple(at))
        products = []
        for c in range(self.w.shape[1]):
            for tap in places(self.w.shape[2:]):
                cell = cell_of(start, tap, self.dilation)
                inside = is_inside(cell, self.x.shape[1:])
                value = float(self.x[(c, *cell)]) if inside else 0.0
                weight = float(self.w[(o, c, *tap)])
                products.append(Product((c, *cell), (c, *tap), value, weight, not inside))
        return Window(output, tuple(products), None if self.b is None else float(self.b[o]))


@dataclass(frozen=True)
class PooledWindow:
    """One output cell of max or average pooling.

    Attributes:
        output: the cell that it fills, (channel, …).
        kind: "max" or "mean".
        cells: what the window covers, (channel, …), row by row; in the padding, indices outside.
        values: their values; in the padding −∞ for a maximum, 0 for a mean.
        padding: which of them are padding.
        winner: the position in `cells` of the cell that gives the maximum; None for a mean, or if
            there is none.
        divisor: what the sum is divided by; None for a maximum.
        value: the output.
    """

    output: Index
    kind: str
    cells: tuple[Index, ...]
    values: tuple[float, ...]
    padding: tuple[bool, ...]
    winner: int | None
    divisor: int | None
    value: float

    @property
    def ties(self) -> tuple[int, ...]:
        """The positions in `cells` of values that equal the winner's and come after it."""
        if self.winner is None:
            return ()
        best = self.values[self.winner]
        return tuple(i for i, v in enumerate(self.values) if v == best and i > self.winner)


@dataclass(frozen=True)
class Pooling:
    """Max or average pooling of one image, with its options in full.

    Attributes:
        x, y: input and output, (C, …).
        kind: "max" or "mean".
        kernel, stride, padding: for each axis; padding as (before, after).
        count_include_pad: whether a mean divides by the padding's cells, too.
        winners: for a maximum, the flat index of each output's winner in its plane; else None.
    """

    x: Array
    y: Array
    kind: str
    kernel: Index
    stride: Index
    padding: Pairs
    count_include_pad: bool = True
    winners: np.ndarray | None = None

    def window(self, output: Index) -> PooledWindow:
        """The cells that one output cell is computed from."""
        channel, *at = output
        size = self.x.shape[1:]
        filler = -np.inf if self.kind == "max" else 0.0
        start = first_cell(tuple(at), self.stride, self.padding)
        cells, values, padding = [], [], []
        for tap in places(self.kernel):
            cell = cell_of(start, tap, (1,) * len(tap))
            inside = is_inside(cell, size)
            cells.append((channel, *cell))
            values.append(float(self.x[(channel, *cell)]) if inside else filler)
            padding.append(not inside)
        winner = divisor = None
        if self.winners is not None:
            flat = int(self.winners[output])
            place = (channel, *map(int, np.unravel_index(flat, size))) if flat >= 0 else None
            winner = cells.index(place) if place else None
        else:
            divisor = len(cells) if self.count_include_pad else padding.count(False)
        return PooledWindow(
            output,
            self.kind,
            tuple(cells),
            tuple(values),
            tuple(padding),
            winner,
            divisor,
            float(self.y[output]),
        )
