"""A tutorial in the terminal, step by step: read, run, see the result, go back, quit, go on later.

A step is a cell of code with the prose before it.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markdown import Markdown
from rich.syntax import Syntax

from tinygrad_cnn.errors import DataError

from ..picture.browser import open_page
from .cells import Cell, Tutorial
from .run import Result, Session, save_picture

_EDITOR = "notepad" if os.name == "nt" else "nano"


@dataclass(frozen=True)
class Step:
    """Prose, and then the code that it is about; the last step may have prose alone."""

    prose: tuple[Cell, ...]
    code: Cell | None


def steps_of(tutorial: Tutorial) -> list[Step]:
    """The cells, in groups that end with code."""
    steps: list[Step] = []
    prose: list[Cell] = []
    for cell in tutorial.cells:
        if cell.prose:
            prose.append(cell)
        else:
            steps.append(Step(tuple(prose), cell))
            prose = []
    return [*steps, Step(tuple(prose), None)] if prose else steps


def step(
    tutorial: Tutorial, folder: str | Path, restart: bool = False, console: Console | None = None
) -> bool:
    """Go through a tutorial in the terminal. Returns whether its end was reached.

    Pictures, progress and answers to exercises are kept in ``folder/NAME``.

    Args:
        tutorial: what to go through.
        folder: made if need be.
        restart: start from the beginning, even if there is progress to go on from.
        console: where to write, and to read from; the terminal if None.

    Raises:
        DataError: the file with the progress is damaged.
    """
    return _Reader(tutorial, Path(folder) / tutorial.name, console or Console()).read(restart)


class _Reader:
    def __init__(self, tutorial: Tutorial, folder: Path, console: Console) -> None:
        self.folder, self.say = folder, console
        self.progress = folder / "progress.json"
        self.session = Session(tutorial)
        self.steps = steps_of(tutorial)
        self.results: list[Result] = []  # of the steps that ran
        self.picture: Path | None = None
        self.at = 0

    def read(self, restart: bool) -> bool:
        if not restart and self.progress.exists():
            self._resume()
        self._show()
        while True:
            try:
                command = self.say.input(self._prompt()).strip().lower()
            except (EOFError, KeyboardInterrupt):
                command = "q"
            if command == "q":
                self._remember()
                self.say.print(f"\nStep {self.at + 1} of {len(self.steps)} is where you go on.")
                return False
            if command == "b":
                self.at = max(0, self.at - 1)
                self._show()
            elif command == "s" and self._exercise():
                self._code(self.session.tutorial.solutions.get(self._exercise(), "# none"))
            elif command == "e" and self._exercise():
                self._edit()
            elif command == "o" and self.picture:
                if not open_page(self.picture):
                    self.say.print(f"{self.picture}: nothing here could open it.", markup=False)
            elif command:
                self.say.print(f"There is no {command!r} here.", markup=False)
            elif self._go_on():
                self.progress.unlink(missing_ok=True)
                self.say.print("\nThis was the last step.")
                return True

    def _go_on(self) -> bool:
        """Run the step, or show its result again, and go to the next. True if it was the last."""
        code = self.steps[self.at].code
        if code is not None and self.at == len(self.results):
            try:
                result = self.session.run(code)
            except KeyboardInterrupt:
                self.say.print("\nStopped. Enter runs it again.")
                return False
            if not self._tell(result):
                return False  # it failed: stay here
            self.results.append(result)
        elif code is not None:
            self._tell(self.results[self.at])
        if self.at + 1 == len(self.steps):
            return True
        self.at += 1
        self._remember()
        self._show()
        return False

    def _tell(self, result: Result) -> bool:
        """Show a step's result. True if the step went well."""
        if result.text:
            self.say.print(result.text, markup=False, highlight=False)
        path = save_picture(result, self.folder, self.at + 1)
        if path:
            self.picture = path
            self.say.print(f"Picture (o opens it): {path}", style="green", soft_wrap=True)
        if result.error:
            self.say.print(result.error, style="red", markup=False, highlight=False)
            self.say.print("This step failed. Enter runs it again.")
        elif result.skipped:
            self.say.print("The rest cannot run without that.", style="red")
        elif not (result.text or path):
            self.say.print("✓ It ran; what it asserts holds.", style="green")
        return not (result.error or result.skipped)

    def _show(self) -> None:
        self.say.rule(f"step {self.at + 1} of {len(self.steps)}")
        for cell in self.steps[self.at].prose:
            self.say.print(Markdown(cell.source))
        code = self.steps[self.at].code
        if code is not None:
            self.say.print()
            self._code(self.session.source(code))

    def _code(self, source: str) -> None:
        self.say.print(Syntax(source, "python", theme="ansi_dark", word_wrap=True))

    def _exercise(self) -> str:
        """The exercise's title, if this step is one."""
        code = self.steps[self.at].code
        return code.title if code is not None and code.exercise else ""

    def _prompt(self) -> str:
        code = self.steps[self.at].code
        does = "ends" if self.at + 1 == len(self.steps) else "goes on"
        if code is not None and self.at == len(self.results):
            does = "runs it"
        keys = [f"Enter {does}"]
        keys += ["e edits your answer", "s shows a solution"] if self._exercise() else []
        keys += ["b back"] if self.at else []
        keys += ["o opens the picture"] if self.picture else []
        return f"[dim]{', '.join([*keys, 'q quits'])}[/dim] > "

    def _edit(self) -> None:
        """Open the exercise in the reader's editor; the steps after it run again."""
        title = self._exercise()
        code = self.steps[self.at].code
        editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or _EDITOR
        with tempfile.TemporaryDirectory() as place:
            file = Path(place) / "answer.py"
            file.write_text(self.session.source(code) + "\n" if code else "", encoding="utf-8")
            try:
                subprocess.run([*shlex.split(editor), str(file)], check=True)
            except (OSError, subprocess.CalledProcessError) as error:
                self.say.print(f"{error}; set EDITOR to an editor of yours", markup=False)
                return
            self.session.answers[title] = file.read_text(encoding="utf-8").rstrip()
        del self.results[self.at :]
        self._remember()
        self._show()

    def _remember(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        state = {"step": self.at, "answers": self.session.answers}
        self.progress.write_text(json.dumps(state, ensure_ascii=False), encoding="utf-8")

    def _resume(self) -> None:
        """Run the steps again that the reader had run before, without showing them."""
        try:
            state: Any = json.loads(self.progress.read_text(encoding="utf-8"))
            to, self.session.answers = int(state["step"]), dict(state["answers"])
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{self.progress}: is damaged; --restart ignores it") from error
        self.at = min(to, len(self.steps) - 1)
        self.say.print(f"Running again what came before step {self.at + 1} …")
        for earlier in self.steps[: self.at]:
            result = self.session.run(earlier.code) if earlier.code else Result()
            if result.error or result.skipped:  # something has changed since: go on here
                self.at = len(self.results)
                self._tell(result)
                return
            self.results.append(result)
