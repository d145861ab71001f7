"""A model run once to be drawn: in evaluation mode, recorded, and left as it was."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_cnn.engine.tensor import Tensor
from tinygrad_cnn.errors import DtypeError
from tinygrad_cnn.nn import Module
from tinygrad_cnn.nn.modes import in_mode
from tinygrad_cnn.recording.trace import Trace, trace


def run_on(model: Module, x: Any, name: str = "input") -> tuple[Any, Trace]:
    """A model's output for an array, and the trace. The model is in evaluation mode meanwhile."""
    with in_mode(model, training=False), trace() as recorded:
        y = model(Tensor(x, name=name))
    return y, recorded


def run_on_zeros(model: Module, shape: tuple[int, ...]) -> tuple[Any, Trace]:
    """The same for zeros; these are whole numbers if the model refuses others."""
    try:
        return run_on(model, np.zeros(shape, dtype_of(model)))
    except DtypeError:  # the model begins with an embedding
        return run_on(model, np.zeros(shape, np.int64))


def dtype_of(model: Module) -> Any:
    """The dtype of a model's parameters."""
    return next((p.dtype for p in model.parameters()), np.dtype(np.float32))
