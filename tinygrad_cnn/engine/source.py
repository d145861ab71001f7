"""Which line of the user's program is running."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import FrameType

_PACKAGE = str(Path(__file__).parents[1].absolute()) + os.sep
_TUTORIALS = os.path.join(_PACKAGE, "_tutorials")  # in a wheel; they count as user programs


def user_line() -> tuple[str, int] | None:
    """File and line of the innermost frame outside this package."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        filename = frame.f_code.co_filename
        ours = filename.startswith((_PACKAGE, "<frozen")) and not filename.startswith(_TUTORIALS)
        if not ours and not filename.endswith("contextlib.py"):
            return filename, frame.f_lineno
        frame = frame.f_back
    return None
