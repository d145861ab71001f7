"""The product of two matrices, its rows shared out over threads."""

from __future__ import annotations

from typing import Any

import numpy as np

from .parallel import over_batch

Array = np.ndarray[Any, Any]


def product(a: Array, b: Array) -> Array:
    """``a @ b``. Large float matrices go through `over_batch`; all else is NumPy's matmul."""
    if not (a.ndim == b.ndim == 2 and a.dtype == b.dtype and a.dtype.kind == "f"):
        return np.matmul(a, b)
    y = np.empty((len(a), b.shape[1]), a.dtype)

    def multiply_part(part: slice) -> None:
        np.matmul(a[part], b, out=y[part])

    over_batch(multiply_part, len(a), y.size * len(b))
    return y
