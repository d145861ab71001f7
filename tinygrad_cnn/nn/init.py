"""How weights begin."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import defaults


def uniform(shape: tuple[int, ...], bound: float) -> np.ndarray[Any, Any]:
    """Uniform in −bound … bound, in the default dtype, from the process's generator."""
    return defaults.generator().uniform(-bound, bound, shape).astype(defaults.default_dtype())


def fan_in(shape: tuple[int, ...]) -> int:
    """How many inputs one output sums over: (out, in, kernel …) → in · kernel size."""
    return math.prod(shape[1:])


def pytorch_default(shape: tuple[int, ...], fan: int | None = None) -> np.ndarray[Any, Any]:
    """What PyTorch's linear and convolutional layers begin with: U(±1/√fan_in)."""
    return uniform(shape, 1 / math.sqrt(max(fan if fan is not None else fan_in(shape), 1)))
