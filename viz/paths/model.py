"""The paths of a model that came without data and loss."""

from __future__ import annotations

import copy

import numpy as np

from tinygrad_cnn import Tensor, gradient_paths
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.nn import Module
from tinygrad_cnn.paths import GradientPaths

BATCH = 8


def paths_of_model(model: Module, x: Tensor | None = None) -> tuple[GradientPaths, str]:
    """The paths from the sum of a model's outputs to its input, and words on how they were found.

    A copy of the model runs, in the model's mode, so that nothing in the model changes.

    Args:
        model: any module.
        x: its input; if None, 8 examples of standard normal numbers (seed 0), of its `input_shape`.

    Raises:
        OptionError: no `x`, and the model does not say which shape it takes.
    """
    given = "the given input"
    if x is None:
        shape = getattr(model, "input_shape", None)
        if shape is None:
            raise OptionError(
                f"unroll: {type(model).__name__} does not say which input it takes; give x=Tensor"
            )
        dtype = next((p.dtype for p in model.parameters()), np.dtype(np.float32))
        numbers = np.random.default_rng(0).standard_normal((BATCH, *shape))
        x = Tensor(numbers.astype(dtype), name="x")
        given = f"{BATCH} inputs of standard normal numbers"
    start = Tensor(x.data, requires_grad=True, name=x.name or "x")
    mode = "training" if model.training else "evaluation"
    paths = gradient_paths(copy.deepcopy(model)(start).sum(), wrt=start)
    return paths, f"Measured on the sum of the model's outputs for {given}, in {mode} mode."
