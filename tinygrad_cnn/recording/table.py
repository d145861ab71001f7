"""Text in columns: `aligned`, and `Table`, which a terminal shows with rules and colours."""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Sequence
from typing import Self


def aligned(rows: Sequence[Sequence[str]], left: int) -> list[str]:
    """Rows of cells as lines with columns below each other, the first `left` of them left-aligned.

    Example:
        >>> aligned([("op", "ms"), ("exp", "1.25")], left=1)
        ['op     ms', 'exp  1.25']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if i < left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


class Table(str):
    """A table as plain text; when it is printed to a terminal, rich draws it.

    Args:
        header: a word for each column.
        rows: their cells.
        left: how many columns, from the first, are words, aligned to the left.

    Example:
        >>> print(Table(("op", "ms"), [("exp", "1.25"), ("conv2d", "10.50")], left=1))
        op         ms
        ─────────────
        exp      1.25
        conv2d  10.50
    """

    header: tuple[str, ...]
    rows: list[tuple[str, ...]]
    left: int

    def __new__(cls, header: Sequence[str], rows: Sequence[Sequence[str]], left: int) -> Self:
        cells = [tuple(header), *map(tuple, rows)]
        lines = aligned(cells, left)
        table = super().__new__(cls, "\n".join([lines[0], "─" * len(lines[0]), *lines[1:]]))
        table.header, table.rows, table.left = cells[0], cells[1:], left
        return table

    def drawn(self, width: int) -> str:
        """The table as rich draws it, for a terminal of so many columns."""
        from rich.console import Console
        from rich.table import Table as RichTable

        drawing = RichTable(header_style="bold")
        for i, name in enumerate(self.header):
            drawing.add_column(name, justify="left" if i < self.left else "right")
        for row in self.rows:
            drawing.add_row(*[cell.replace("[", r"\[") for cell in row])
        console = Console(file=io.StringIO(), force_terminal=True, width=width)
        with console.capture() as captured:
            console.print(drawing)
        return captured.get().rstrip("\n")

    def __str__(self) -> str:
        if sys.stdout.isatty():
            return self.drawn(shutil.get_terminal_size().columns)
        return super().__str__()

    def __repr__(self) -> str:
        return str(self)
