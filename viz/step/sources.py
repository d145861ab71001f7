"""The lines of the user's program that a page shows."""

from __future__ import annotations

import linecache
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

_VIZ = str(Path(__file__).resolve().parents[1])
AROUND = 12  # lines shown before and after one that ran
LONGEST = 400  # characters of a line; the rest is cut off, and a … says so


class Sources:
    """The files of a program, each with its lines.

    Args:
        texts: of files that came with a saved trace; others are read from disk.
    """

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = {name: text.splitlines() for name, text in texts.items()}
        self._files: dict[str, int] = {}
        self._used: dict[str, set[int]] = {}

    def line(self, file: str, number: int) -> str:
        """A line's text, or ""."""
        lines = self._texts.get(file)
        if lines is None:
            lines = self._texts[file] = [each.rstrip("\n") for each in linecache.getlines(file)]
        return lines[number - 1] if 0 < number <= len(lines) else ""

    def knows(self, source: tuple[str, int]) -> bool:
        """Whether there is such a line, of the user's and not of viz."""
        return not source[0].startswith(_VIZ) and bool(self.line(*source))

    def __call__(self, source: tuple[str, int] | None) -> list[int] | None:
        """[number of the file, line], to be shown; None if there is none."""
        if source is None or not self.knows(source):
            return None
        file, line = source
        self._used.setdefault(file, set()).add(line)
        return [self._files.setdefault(file, len(self._files)), line]

    def plain(self) -> list[dict[str, Any]]:
        """Each file's name, and [number, text] of the lines near those that ran."""
        found = []
        for file in self._files:
            total = len(self._texts[file])
            near = {
                line
                for used in self._used[file]
                for line in range(max(1, used - AROUND), min(total, used + AROUND) + 1)
            }
            lines = [[n, _cut(self.line(file, n))] for n in sorted(near)]
            found.append({"name": PurePath(file).name, "lines": lines})
        return found


def _cut(line: str) -> str:
    return line if len(line) <= LONGEST else line[:LONGEST] + " …"
