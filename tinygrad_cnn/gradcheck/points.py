"""The point at which a layer is checked: random inputs, and parameters that hide no mistake."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..engine.tensor import Tensor

FAR = 0.3  # standard deviation of what is added to a constant parameter


def draw_inputs(
    shapes: Sequence[tuple[int, ...]], random: np.random.Generator
) -> list[np.ndarray[Any, Any]]:
    """An array of standard normal numbers for each shape, float64."""
    return [np.asarray(random.standard_normal(shape)) for shape in shapes]


def spread_constants(module: Any, random: np.random.Generator) -> list[str]:
    """Add noise to a Module's parameters whose elements are all equal, and return their names.

    The Module may be PyTorch's.

    New parameters often are: a norm's weight is 1, a bias is 0. At these values an extra or a
    missing factor may make no difference, so a wrong gradient would pass.
    """
    moved = []
    for name, parameter in module.named_parameters():
        own = isinstance(parameter, Tensor)
        value = parameter.numpy() if own else parameter.detach().cpu().double().numpy()
        if value.dtype.kind == "f" and value.size and (value == value.flat[0]).all():
            noise = FAR * random.standard_normal(value.shape)
            if own:
                parameter.data = (value + noise).astype(value.dtype)
            else:
                parameter.data = parameter.data + parameter.data.new_tensor(noise)
            moved.append(name)
    return moved
