"""Settings of the whole process: the default dtype and the random generator."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import DtypeError

_dtype = np.dtype(np.float32)
_generator = np.random.default_rng()


def set_default_dtype(dtype: Any) -> None:
    """Set the dtype that Python numbers and lists get in `Tensor` (float32 at first).

    Raises:
        DtypeError: not a floating dtype.
    """
    global _dtype
    wanted = np.dtype(dtype)
    if not np.issubdtype(wanted, np.floating):
        raise DtypeError(f"set_default_dtype: a floating dtype is needed, got {wanted}")
    _dtype = wanted


def default_dtype() -> np.dtype[Any]:
    """The dtype that Python numbers and lists get in `Tensor`."""
    return _dtype


def manual_seed(seed: int) -> None:
    """Seed the generator that initialisation and dropout draw from: one seed repeats a run."""
    global _generator
    _generator = np.random.default_rng(seed)


def generator() -> np.random.Generator:
    """The generator that initialisation and dropout draw from."""
    return _generator
