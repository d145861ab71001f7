"""Whose memory is it? Values in a graph must not change behind its back."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def is_frozen(array: Array) -> bool:
    """Whether neither the array, nor what it is a view of, can be written to.

    Example:
        >>> import numpy as np
        >>> a = np.zeros(3)
        >>> view = a[:2]
        >>> view.flags.writeable = False
        >>> is_frozen(view)  # but for `a`, it could not
        False
    """
    base: Any = array
    while isinstance(base, np.ndarray):
        if base.flags.writeable:
            return False
        base = base.base
    return base is None or _is_read_only(base)


def _is_read_only(buffer: Any) -> bool:
    try:
        return memoryview(buffer).readonly
    except TypeError:  # no buffer that we know
        return False


def snapshot(value: Any) -> Any:
    """The value itself if it can never change, else a copy of it."""
    return value.copy() if isinstance(value, np.ndarray) and not is_frozen(value) else value
