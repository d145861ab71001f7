"""Which line of the user's program is running."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from types import FrameType

_PACKAGE = str(Path(__file__).parents[1].absolute()) + os.sep
_TUTORIALS = os.path.join(_PACKAGE, "_tutorials")  # in a wheel; they count as user programs

_LINE: ContextVar[tuple[str, int] | None] = ContextVar("tinygrad_cnn_line", default=None)


@contextlib.contextmanager
def running_line(line: tuple[str, int] | None) -> Iterator[None]:
    """What runs inside stems from this line of a program, whoever calls it; None changes nothing.

    For networks that were written elsewhere: the line is that of their own source.
    """
    if line is None:
        yield
        return
    token = _LINE.set(line)
    try:
        yield
    finally:
        _LINE.reset(token)


def user_line() -> tuple[str, int] | None:
    """File and line of the innermost frame outside this package, or of the `running_line`."""
    if (line := _LINE.get()) is not None:
        return line
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if _is_users(frame.f_code.co_filename):
            return frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back
    return None


def user_line_of(error: BaseException) -> tuple[str, int] | None:
    """File and line of the innermost frame outside this package that an error passed through."""
    found = None
    step = error.__traceback__
    while step is not None:
        if _is_users(step.tb_frame.f_code.co_filename):
            found = step.tb_frame.f_code.co_filename, step.tb_lineno
        step = step.tb_next
    return found


def _is_users(file: str) -> bool:
    ours = file.startswith((_PACKAGE, "<frozen")) and not file.startswith(_TUTORIALS)
    return not ours and not file.endswith("contextlib.py")
