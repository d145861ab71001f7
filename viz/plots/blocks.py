"""Which entries of a Jacobian are drawn: all of a small one, one of each block of a large one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_cnn.gradcheck import Report

MOST_CELLS = 40  # rows, and columns, of a picture
PLAIN, WRONG, KINK, UNKNOWN = range(4)  # marks

Array = np.ndarray[Any, Any]
Indices = list[tuple[int, ...]]


@dataclass(frozen=True)
class Shown:
    """One input's Jacobians as they are drawn, (rows, columns) each.

    Attributes:
        name, shape: of the input.
        output: the output's shape.
        block: how many rows and columns of the Jacobian a cell stands for.
        analytic, numeric, bar, difference: of the entry that each cell shows.
        marks: of that entry: 1 wrong, 2 on a kink, 3 too uncertain to judge, 0 none of these.
        rows, columns: the output's and the input's index of that entry.
        wrong, kinks, uncertain, size: numbers of such entries in the whole Jacobian, and of all.
    """

    name: str
    shape: tuple[int, ...]
    output: tuple[int, ...]
    block: tuple[int, int]
    analytic: Array
    numeric: Array
    bar: Array
    difference: Array
    marks: Array
    rows: list[Indices]
    columns: list[Indices]
    wrong: int
    kinks: int
    uncertain: int
    size: int

    @property
    def counted(self) -> str:
        """What is not right, in words."""
        if not self.size:
            return "no entries"
        parts = [f"{self.wrong:,} of {self.size:,} entries wrong" if self.wrong else ""]
        parts.append(f"{self.kinks:,} on a kink" if self.kinks else "")
        parts.append(f"{self.uncertain:,} too uncertain to judge" if self.uncertain else "")
        return ", ".join(filter(None, parts)) or f"all {self.size:,} entries right"


def shown(report: Report, name: str, most: int = MOST_CELLS) -> Shown:
    """What is drawn for one input, at most `most` rows and columns of cells."""
    analytic, numeric = report.analytic[name], report.numeric[name]
    shape = report.inputs[name].shape
    output = analytic.shape[: analytic.ndim - len(shape)]
    size = (math.prod(output), math.prod(shape))
    a, n, bar, wrong = (
        array.reshape(size) for array in (analytic, numeric, report.bar[name], report.wrong[name])
    )
    kink = np.zeros(size, bool)
    for k in report.kinks:
        if k.input == name:
            kink[_flat(k.output, output), _flat(k.index, shape)] = True
    marks = np.where(wrong, WRONG, np.where(kink, KINK, PLAIN))
    wide = report.uncertain.get(name, np.zeros(size, bool)).reshape(size)
    marks[(marks == PLAIN) & (wide | ~(np.isfinite(n) & np.isfinite(bar)))] = UNKNOWN
    difference = a - n
    # The most important entry of a block is shown: marked ones first, then the largest.
    importance = np.where(marks == WRONG, _relative(difference), _relative(a))
    importance += np.array([0.0, 6.0, 4.0, 2.0])[marks]
    block = tuple(max(1, -(-s // most)) for s in size)
    at = [
        [
            _largest(
                importance,
                range(i, min(i + block[0], size[0])),
                range(j, min(j + block[1], size[1])),
            )
            for j in range(0, size[1], block[1])
        ]
        for i in range(0, size[0], block[0])
    ]
    i, j = (np.array([[cell[axis] for cell in row] for row in at], int) for axis in (0, 1))
    i, j = (x.reshape(len(at), -(-size[1] // block[1])) for x in (i, j))
    return Shown(
        name, shape, output, (block[0], block[1]),
        a[i, j], n[i, j], bar[i, j], difference[i, j], marks[i, j],
        [[index_of(k, output) for k in row] for row in i],
        [[index_of(k, shape) for k in row] for row in j],
        int(wrong.sum()), int(kink.sum()), int((marks == UNKNOWN).sum()), a.size,
    )  # fmt: skip


def _flat(index: tuple[int, ...], shape: tuple[int, ...]) -> int:
    return int(np.ravel_multi_index(index, shape)) if shape else 0


def index_of(flat: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The index of element number `flat`, counted in row-major order."""
    return tuple(int(i) for i in np.unravel_index(int(flat), shape)) if shape else ()


def _relative(values: Array) -> Array:
    """Sizes from 0 to 1; what is not finite counts as 1."""
    size = np.abs(values)
    finite = np.isfinite(size)
    top = float(np.max(size, where=finite, initial=0.0))
    return np.where(finite, size / top if top else 0.0, 1.0)


def _largest(importance: Array, rows: range, columns: range) -> tuple[int, int]:
    part = importance[rows.start : rows.stop, columns.start : columns.stop]
    i, j = np.unravel_index(int(np.argmax(part)), part.shape)
    return rows.start + int(i), columns.start + int(j)
