"""Running cells one after the other, in one namespace, as a notebook does."""

from __future__ import annotations

import ast
import contextlib
import io
import linecache
import re
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinygrad_cnn.teaching.needs import Skipped

from ..picture.animation import Animation
from ..picture.picture import Picture
from .cells import Cell, Tutorial


@dataclass(frozen=True)
class Result:
    """What a cell gave.

    Attributes:
        output: what it printed.
        value: the value of its last line, if that is an expression; else None.
        error: if it failed, the traceback, beginning at the cell; else empty.
        skipped: if the rest cannot run here, why; else empty.
        name: what to call the value: the name that the last line consists of, or "picture".
    """

    output: str = ""
    value: Any = None
    error: str = ""
    skipped: str = ""
    name: str = "picture"

    @property
    def picture(self) -> Picture | None:
        """The value, if it is a picture."""
        return self.value if isinstance(self.value, Picture) else None

    @property
    def has_page(self) -> bool:
        """Whether the picture's .html does more than show it: unfold, or move."""
        return isinstance(self.value, Animation) or (
            self.picture is not None and self.picture.page is not None
        )

    @property
    def text(self) -> str:
        """What it printed, and its value, if that is not a picture."""
        shown = "" if self.value is None or self.picture else repr(self.value)
        return "\n".join(filter(None, (self.output.rstrip("\n"), shown)))


class Session:
    """A tutorial that runs.

    Args:
        tutorial: what runs.
        answers: code in place of exercises, by their titles.

    Example:
        >>> from viz.tutorial import Cell
        >>> session = Session(Tutorial(Path("x.py"), (Cell("a = 20"), Cell("print(a)\\na + 1"))))
        >>> [session.run(cell).text for cell in session.tutorial.cells]
        ['', '20\\n21']
    """

    def __init__(self, tutorial: Tutorial, answers: Mapping[str, str] | None = None) -> None:
        self.tutorial = tutorial
        self.answers = dict(answers or {})
        self.namespace: dict[str, Any] = {"__name__": "__main__", "__file__": str(tutorial.path)}

    def source(self, cell: Cell) -> str:
        """A cell's code, or the answer that replaces it."""
        return self.answers.get(cell.title, cell.source) if cell.exercise else cell.source

    def run(self, cell: Cell) -> Result:
        """Run one cell; prose does nothing. The result holds an exception, unless it is Ctrl-C."""
        if cell.prose:
            return Result()
        source, file, line = self.source(cell), str(self.tutorial.path), cell.line
        if source != cell.source:  # an answer is in no file: keep its lines for tracebacks
            file, line = f"<{cell.title}>", 1
            linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
        printed = io.StringIO()
        value, name = None, "picture"
        try:
            with contextlib.redirect_stdout(printed):
                # Lines are those of the file, so that a trace finds the source of an op.
                tree = ast.increment_lineno(ast.parse(source, file), line - 1)
                last = (
                    tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
                )
                exec(compile(tree, file, "exec"), self.namespace)
                if isinstance(last, ast.Expr):
                    value = eval(compile(ast.Expression(last.value), file, "eval"), self.namespace)
                    name = last.value.id if isinstance(last.value, ast.Name) else name
        except Skipped as reason:
            return Result(printed.getvalue(), skipped=str(reason))
        except Exception as error:  # whatever a cell does is shown where it stands
            return Result(printed.getvalue(), error=_told(error))
        return Result(printed.getvalue(), value, name=name)


def save_picture(result: Result, folder: Path, number: int) -> Path | None:
    """Write a result's picture as .svg, and as .html too if the page does more than show it.

    Args:
        result: what a cell gave.
        folder: made if need be.
        number: the cell's, so that pictures sort as they were drawn.

    Returns:
        The path of the .html if there is one, else of the .svg; None without a picture.
    """
    picture = result.picture
    if picture is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"\W+", "_", result.name.removesuffix("_picture"))
    path = picture.save(folder / f"{number:03d}_{name}.svg")
    return picture.save(path.with_suffix(".html")) if result.has_page else path


def _told(error: Exception) -> str:
    """The traceback without this file's own frames."""
    frames = error.__traceback__
    while frames and frames.tb_frame.f_code.co_filename == __file__:
        frames = frames.tb_next
    return "".join(traceback.format_exception(type(error), error, frames)).rstrip()
