"""Hooks: functions that are called at every step of training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..engine.definition import add_up
from ..errors import OptionError
from ..nn import Module


@dataclass(frozen=True)
class Step:
    """One step of training, as a hook sees it: after backward, before clipping and the update.

    Attributes:
        number: from 1, over the whole training.
        epoch: from 1.
        loss: of the batch.
        model: its parameters hold the gradients of the batch, as backward left them.
    """

    number: int
    epoch: int
    loss: float
    model: Module


Hook = Callable[[Step], None]


class GradientNorms:
    """A hook that records, for each layer, the Euclidean norm of its parameters' gradients.

    Args:
        every: record the first step, and then each step after this many.

    Attributes:
        steps: the numbers of the recorded steps.
        layers: for each layer, by its dotted name, a list as long as `steps`, in the model's order.
            It has NaN where no gradient reached the layer.

    Raises:
        OptionError: `every` is less than 1.

    Example:
        >>> import tinygrad_cnn as tg
        >>> norms = tg.train.GradientNorms()
        >>> model = tg.models.LeNet()
        >>> optimizer = tg.optim.SGD(model.parameters(), lr=0.1)
        >>> data = tg.data.fashion_mnist("train").subset(64)
        >>> loader = tg.data.DataLoader(data, batch_size=32)
        >>> history = tg.train.fit(model, loader, optimizer, 1, hooks=[norms], progress=False)
        >>> list(norms.layers)[:2], norms.steps
        (['features.conv1', 'features.conv2'], [1, 2])
    """

    def __init__(self, every: int = 1) -> None:
        if not every >= 1:
            raise OptionError(f"GradientNorms: every must be at least 1, got {every}")
        self.every = every
        self.steps: list[int] = []
        self.layers: dict[str, list[float]] = {}

    def __call__(self, step: Step) -> None:
        if (step.number - 1) % self.every:
            return
        squares: dict[str, list[float]] = {}
        for name, parameter in step.model.named_parameters():
            of_layer = squares.setdefault(name.rpartition(".")[0], [])
            gradient = parameter.node.grad
            if gradient is not None:
                of_layer.append(float(np.sum(np.square(gradient, dtype=np.float64))))
        for layer, parts in squares.items():
            norm = float(np.sqrt(add_up(parts))) if parts else float("nan")
            self.layers.setdefault(layer, []).append(norm)
        self.steps.append(step.number)
