"""Training: a model, a loader, an optimiser and a loss, with a progress bar."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from .context import no_grad
from .data import Dataset
from .errors import GraphError, OptionError
from .nn import Module
from .ops.loss import cross_entropy
from .tensor import Tensor

Loss = Callable[[Tensor, Any], Tensor]


class Optimizer(Protocol):
    """What `fit` asks of an optimiser."""

    def zero_grad(self) -> None:
        """Forget all gradients."""

    def step(self) -> None:
        """Move the parameters."""


class Batches(Protocol):
    """What `fit` asks of a loader: a length, and (inputs, labels) to iterate over."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[tuple[Any, Any]]: ...


@dataclass(frozen=True)
class Epoch:
    """One pass over the training data.

    Attributes:
        epoch: from 1.
        loss, accuracy: means over the training examples, as they were seen.
        held_out_accuracy: on the held-out data after the epoch; None if there is none.
        seconds: for training alone.
    """

    epoch: int
    loss: float
    accuracy: float
    held_out_accuracy: float | None
    seconds: float


@dataclass
class History:
    """What happened in training: plain data, which `viz.training` draws.

    Attributes:
        steps: the loss of every batch.
        epochs: a record of every epoch.
    """

    steps: list[float] = field(default_factory=list)
    epochs: list[Epoch] = field(default_factory=list)


def fit(
    model: Module,
    batches: Batches,
    optimizer: Optimizer,
    epochs: int,
    *,
    held_out: Dataset | None = None,
    loss: Loss = cross_entropy,
    progress: bool = True,
) -> History:
    """Train a classifier.

    Args:
        model: maps a batch of inputs to logits (N, C). Left in evaluation mode.
        batches: a `DataLoader`, or anything like it.
        optimizer: of the model's parameters.
        epochs: passes over the data.
        held_out: data to measure accuracy on after each epoch.
        loss: from logits and labels to one number.
        progress: whether to show a bar with loss and accuracy.

    Raises:
        OptionError: fewer than one epoch.
        GraphError: the loss became NaN or infinite; names the step.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.manual_seed(0)
        >>> data = tg.data.fashion_mnist("train").subset(64, seed=0)
        >>> model = tg.models.LeNet(activation="relu")
        >>> optimizer = tg.optim.SGD(model.parameters(), lr=0.05)
        >>> loader = tg.data.DataLoader(data, batch_size=32, seed=0)
        >>> history = tg.train.fit(model, loader, optimizer, epochs=1, progress=False)
        >>> len(history.steps)
        2
    """
    if epochs < 1:
        raise OptionError(f"fit: epochs must be at least 1, got {epochs}")
    history = History()
    bar = _bar(epochs * len(batches), progress)
    for epoch in range(1, epochs + 1):
        model.train()
        started = time.perf_counter()
        total_loss, right, seen = 0.0, 0, 0
        for inputs, labels in batches:
            optimizer.zero_grad()
            logits = model(Tensor(inputs, copy=False))
            value = loss(logits, labels)
            number = float(value.item())
            if not np.isfinite(number):
                raise GraphError(
                    f"fit: the loss became {number} in epoch {epoch}, step "
                    f"{len(history.steps) + 1}; try a smaller learning rate"
                )
            value.backward(free_graph=True)
            optimizer.step()
            history.steps.append(number)
            total_loss += number * len(labels)
            right += int((logits.data.argmax(axis=1) == labels).sum())
            seen += len(labels)
            shown = f"loss {total_loss / seen:.3f}, accuracy {right / seen:.3f}"
            bar.set_postfix_str(shown, refresh=False)
            bar.update()
        seconds = time.perf_counter() - started
        measured = None if held_out is None else accuracy(model, held_out)
        history.epochs.append(Epoch(epoch, total_loss / seen, right / seen, measured, seconds))
        bar.set_description(
            f"epoch {epoch}/{epochs}"
            + ("" if measured is None else f", held-out accuracy {measured:.3f}")
        )
    bar.close()
    model.eval()
    return history


def predict(model: Module, inputs: Any, batch_size: int = 256) -> np.ndarray[Any, Any]:
    """The logits for many inputs, in evaluation mode and without recording."""
    was_training = model.training
    model.eval()
    with no_grad():
        parts = [
            model(Tensor(inputs[i : i + batch_size], copy=False)).data
            for i in range(0, len(inputs), batch_size)
        ]
    model.train(was_training)
    return np.concatenate(parts)


def accuracy(model: Module, data: Dataset) -> float:
    """The share of examples whose largest logit is at their label."""
    return float((predict(model, data.inputs).argmax(axis=1) == data.labels).mean())


def _bar(total: int, progress: bool) -> Any:
    from tqdm.auto import tqdm

    return tqdm(total=total, disable=not progress, desc="training", unit="batch", mininterval=0.3)


__all__ = ["Epoch", "History", "accuracy", "fit", "predict"]
