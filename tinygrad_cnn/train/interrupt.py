"""Ctrl-C is noted, so that training can end after a whole step."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def noting_interrupt() -> Iterator[Callable[[], bool]]:
    """Inside the block, Ctrl-C ends nothing; the function that it gives says whether it came.

    A second Ctrl-C raises KeyboardInterrupt, as usual. Signals reach the main thread only, so
    nothing changes in any other thread.

    Example:
        >>> with noting_interrupt() as interrupted:
        ...     signal.raise_signal(signal.SIGINT)
        ...     interrupted()
        True
    """
    came = False

    def note(number: int, frame: Any) -> None:
        nonlocal came
        if came:
            raise KeyboardInterrupt
        came = True

    # A handler that was not set from Python is None, and could not be put back.
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before is None:
        yield lambda: False
        return
    signal.signal(signal.SIGINT, note)
    try:
        yield lambda: came
    finally:
        signal.signal(signal.SIGINT, before)
