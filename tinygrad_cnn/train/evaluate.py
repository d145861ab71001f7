"""A model's answers, and how many of them are right."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..data import Dataset
from ..engine.context import no_grad
from ..engine.tensor import Tensor
from ..errors import OptionError
from ..nn import Module
from ..nn.modes import in_mode


def predict(model: Module, inputs: Any, batch_size: int = 256) -> np.ndarray[Any, Any]:
    """The logits for many inputs, in evaluation mode and without recording.

    Args:
        model: is left in the mode it was in.
        inputs: an array (N, …).
        batch_size: how many go through the model at a time.

    Raises:
        OptionError: no inputs, or a batch size below 1.
    """
    if len(inputs) == 0 or batch_size < 1:
        raise OptionError(
            f"predict: at least 1 input and a batch_size of at least 1 are needed, "
            f"got {len(inputs)} and {batch_size}"
        )
    with in_mode(model, training=False), no_grad():
        parts = [
            model(Tensor(inputs[i : i + batch_size], copy=False)).data
            for i in range(0, len(inputs), batch_size)
        ]
    return np.concatenate(parts)


def accuracy(model: Module, data: Dataset) -> float:
    """The share of examples whose largest logit is at their label."""
    return float((predict(model, data.inputs).argmax(axis=1) == data.labels).mean())
