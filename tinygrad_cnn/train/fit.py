"""`fit`: the training loop."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from ..data import Dataset
from ..engine.tensor import Tensor
from ..errors import GraphError, OptionError
from ..nn import Module
from ..ops.class_losses import cross_entropy
from ..optim import Optimizer, Schedule, clip_grad_norm
from . import checkpoint as checkpoints
from .evaluate import accuracy
from .history import History
from .hooks import Hook, Step
from .interrupt import noting_interrupt
from .progress import Bar, Tally

Loss = Callable[[Tensor, Any], Tensor]


class Batches(Protocol):
    """What `fit` asks of a loader: a length, and (inputs, labels) to iterate over."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[tuple[Any, Any]]: ...


def fit(
    model: Module,
    batches: Batches,
    optimizer: Optimizer,
    epochs: int,
    *,
    held_out: Dataset | None = None,
    loss: Loss = cross_entropy,
    schedule: Schedule | None = None,
    clip_norm: float | None = None,
    patience: int | None = None,
    hooks: Iterable[Hook] = (),
    checkpoint: str | os.PathLike[str] | None = None,
    history: History | None = None,
    progress: bool = True,
) -> History:
    """Train a classifier.

    The same model, loader, options and seed (`tg.manual_seed`) give the same numbers, bit for bit,
    on one machine with the same number of threads, which decides the order of some sums. By default
    that is the number of cores (`tg.kernels.parallel.set_num_threads`).
    Ctrl-C ends the training after the step that is running.

    Args:
        model: maps a batch of inputs to logits (N, C). Left in evaluation mode.
        batches: a `DataLoader`, or anything like it.
        optimizer: of the model's parameters.
        epochs: passes over the data, those in `history` included.
        held_out: data to measure accuracy on after each epoch, a `Dataset`.
        loss: from logits and labels to one number, a mean over the examples.
        schedule: of the learning rate, which it sets before every step.
        clip_norm: scale the gradients down to this norm, where theirs is larger.
        patience: stop after so many epochs without a better held-out accuracy (without `held_out`:
            a lower loss). The model keeps its last weights.
        hooks: called with a `Step` after every backward pass.
        checkpoint: a file, written after every epoch with all that `tg.checkpoint.load` needs to
            go on as if never stopped.
        history: of the training that this one continues; it is not changed.
        progress: whether to show a bar with loss, accuracy and speed.

    Returns:
        The history, marked as interrupted or stopped early where it was.

    Raises:
        OptionError: fewer than one epoch, a clip_norm or patience not above 0, a data set in place
            of a loader or the reverse, a loader with no batches, an optimizer of another model or a
            schedule of another optimizer.
        DataError: the checkpoint's folder does not exist.
        GraphError: the loss became NaN or infinite; names the step. Parameters stay as before it.

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
    _check(batches, epochs, clip_norm, patience)
    _check_parts(model, optimizer, schedule, held_out)
    if checkpoint is not None:
        checkpoints.need_folder(checkpoint)
    before = history or History()
    history = History(list(before.steps), list(before.epochs))
    hooks = list(hooks)

    def step(inputs: Any, labels: Any) -> tuple[float, Any]:
        """Learn from one batch. Returns its loss, and which of its answers were right."""
        optimizer.zero_grad()
        logits = model(Tensor(inputs, copy=False))
        value = loss(logits, labels)
        size = float(value.item())
        number, epoch = len(history.steps) + 1, len(history.epochs) + 1
        if not math.isfinite(size):
            raise GraphError(
                f"fit: the loss became {size} in epoch {epoch}, step {number}; "
                "try a smaller learning rate, or clip_norm"
            )
        value.backward(free_graph=True)
        for hook in hooks:
            hook(Step(number, epoch, size, model))
        if clip_norm is not None:
            clip_grad_norm(model.parameters(), clip_norm)
        optimizer.step()
        history.steps.append(size)
        return size, logits.data.argmax(axis=1) == labels

    bar = Bar(history, epochs, len(batches), progress)
    try:
        # A loss that overflows is reported in words, and needs no warnings besides.
        with noting_interrupt() as interrupted, np.errstate(over="ignore", invalid="ignore"):
            while len(history.epochs) < epochs:
                history.stopped_early = history.has_run_out(patience)
                if history.stopped_early:
                    break
                tally = Tally()
                model.train()
                for k, (inputs, labels) in enumerate(batches):
                    history.interrupted = interrupted()
                    if history.interrupted:
                        return history
                    if schedule is not None:
                        schedule.move_to(len(history.epochs) + k / len(batches))
                    tally.add(*step(inputs, labels))
                    bar.show(tally, "images" if np.ndim(inputs) == 4 else "examples")
                epoch = tally.epoch(len(history.epochs) + 1)
                if held_out is not None:
                    epoch = replace(epoch, held_out_accuracy=accuracy(model, held_out))
                history.epochs.append(epoch)
                bar.show_epochs(history)
                if checkpoint is not None:
                    checkpoints.save(
                        checkpoint,
                        model,
                        optimizer=optimizer,
                        schedule=schedule,
                        loader=batches,
                        history=history,
                    )
    finally:
        bar.close()
        model.eval()
    return history


def _check(batches: Batches, epochs: int, clip_norm: float | None, patience: int | None) -> None:
    if isinstance(batches, Dataset):
        raise OptionError(
            "fit: batches are needed, got a data set; use "
            "tg.data.DataLoader(data, batch_size=32, seed=0)"
        )
    for name, value in (("epochs", epochs), ("clip_norm", clip_norm), ("patience", patience)):
        smallest = "above 0" if name == "clip_norm" else "at least 1"
        if value is not None and not (value > 0 if name == "clip_norm" else value >= 1):
            raise OptionError(f"fit: {name} must be {smallest}, got {value}")
    if len(batches) == 0:
        raise OptionError("fit: the loader has no batches")


def _check_parts(
    model: Module, optimizer: Optimizer, schedule: Schedule | None, held_out: Dataset | None
) -> None:
    """Refuse parts that do not belong together, since the training would silently do nothing."""
    if set(model.parameters()).isdisjoint(optimizer.params):
        raise OptionError(
            f"fit: the {type(optimizer).__name__} moves no parameter of the "
            f"{type(model).__name__}; make it of model.parameters()"
        )
    if schedule is not None and schedule.optimizer is not optimizer:
        raise OptionError("fit: the schedule is of another optimizer than the one that trains")
    if held_out is not None and not isinstance(held_out, Dataset):
        raise OptionError(f"fit: held_out must be a Dataset, got {type(held_out).__name__}")
