"""Which memory may be shared: a value in a graph must not change after it was recorded."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def is_frozen(array: Array) -> bool:
    """Whether nobody can write to the array's memory, not even the program that made it.

    A read-only flag is not enough: an older view may still be writable, and an array that owns its
    memory can be made writable again. What a Tensor hands out, bytes, and a file mapped for reading
    are safe.

    Example:
        >>> import numpy as np, tinygrad_cnn as tg
        >>> a = np.zeros(3)
        >>> a.flags.writeable = False
        >>> is_frozen(a), is_frozen(tg.Tensor(a).data), is_frozen(np.frombuffer(b"abc", np.uint8))
        (False, True, True)
    """
    base: Any = array
    while isinstance(base, np.ndarray):
        if base.flags.writeable:
            return False
        base = base.base
    try:
        return memoryview(base).readonly
    except TypeError:  # no base, since the array owns its memory, or one without a buffer
        return False


def never_changes(value: Any) -> bool:
    """Whether a value can be hashed: then it holds no list and no array, at any depth."""
    try:
        hash(value)
    except TypeError:
        return False
    return True


def snapshot(value: Any) -> Any:
    """The value itself if it can never change, else a copy; tuples and lists part by part."""
    if isinstance(value, np.ndarray):
        return value if is_frozen(value) else value.copy()
    if type(value) is tuple or type(value) is list:
        return value if never_changes(value) else type(value)(map(snapshot, value))
    return value
