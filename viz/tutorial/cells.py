"""A tutorial as cells of prose and of code, read from its py:percent file."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import tinygrad_cnn
from tinygrad_cnn.errors import DataError, OptionError

_START = re.compile(r"# %%(?: +(.*?))?\s*")
_PROSE = "[markdown]"


@dataclass(frozen=True)
class Cell:
    """A piece of prose or of code.

    Attributes:
        source: Markdown, or Python.
        prose: whether it is Markdown.
        title: what stands after ``# %%``; an exercise's is "Exercise 1" and so on.
        line: where the source starts in the file, counted from 1.
    """

    source: str
    prose: bool = False
    title: str = ""
    line: int = 1

    @property
    def exercise(self) -> bool:
        """Whether it waits for an answer."""
        return self.title.startswith("Exercise")


@dataclass(frozen=True)
class Tutorial:
    """A tutorial's file, its cells, and the solutions of its exercises by their titles."""

    path: Path
    cells: tuple[Cell, ...]
    solutions: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The file's name without its ending, such as ``05_padding_and_stride``."""
        return self.path.stem

    @property
    def title(self) -> str:
        """The heading that it starts with, such as "5 · Padding and stride"."""
        first = self.cells[0]
        return first.source.partition("\n")[0].lstrip("# ") if first.prose else self.name


def cells_of(text: str) -> tuple[Cell, ...]:
    """The cells of a py:percent file.

    Example:
        >>> for cell in cells_of("# %% [markdown]\\n# Hello\\n\\n# %% Exercise 1\\nx = ...\\n"):
        ...     print(cell.prose, repr(cell.title), repr(cell.source), cell.line)
        True '' 'Hello' 2
        False 'Exercise 1' 'x = ...' 5
    """
    lines = text.splitlines()
    starts = [i for i, line in enumerate(lines) if _START.fullmatch(line)]
    found = []
    for start, end in itertools.pairwise([*starts, len(lines)]):
        match = _START.fullmatch(lines[start])
        title = (match and match[1]) or ""
        body = lines[start + 1 : end]
        prose = title == _PROSE
        if prose:
            body = [re.sub(r"^# ?", "", line) for line in body]
        source = "\n".join(body).rstrip()
        if source.strip():
            found.append(Cell(source, prose, "" if prose else title, start + 2))
    return tuple(found)


def read(path: str | Path) -> Tutorial:
    """A tutorial from its file, with its solutions from ``solutions/`` beside it, if there are any.

    Raises:
        DataError: no such file, or one without cells.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: there is no such file")
    cells = cells_of(path.read_text(encoding="utf-8"))
    if not cells:
        raise DataError(f"{path}: has no cells; each starts with a line `# %%`")
    beside = path.parent / "solutions" / path.name
    known = cells_of(beside.read_text(encoding="utf-8")) if beside.is_file() else ()
    return Tutorial(path, cells, {cell.title: cell.source for cell in known if cell.exercise})


def folder() -> Path:
    """Where the tutorials are: inside an installed package, or beside it in a clone."""
    package = Path(tinygrad_cnn.__file__).parent
    installed = package / "_tutorials"
    return installed if installed.is_dir() else package.parent / "tutorials"


def listed() -> list[Tutorial]:
    """All tutorials, in their order."""
    return [read(path) for path in sorted(folder().glob("[0-9][0-9]_*.py"))]


def find(name: str) -> Tutorial:
    """The tutorial of a number ("5"), a name ("05_padding_and_stride") or a path.

    Raises:
        OptionError: there is no such tutorial; the message lists all that there are.

    Example:
        >>> find("1").title
        '1 · One number'
    """
    if name.endswith(".py"):
        return read(name)
    paths = sorted(folder().glob("[0-9][0-9]_*.py"))
    for path in paths:
        if name in (path.stem, path.stem[:2], path.stem[:2].lstrip("0")):
            return read(path)
    there = ", ".join(path.stem[:2].lstrip("0") for path in paths)
    raise OptionError(f"there is no tutorial {name!r}; there are {there}, or give a file's path")
