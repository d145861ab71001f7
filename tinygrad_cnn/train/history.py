"""`History`: what happened in training, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field


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
        steps: the loss of every batch, those of an unfinished epoch included.
        epochs: a record of every finished epoch.
        interrupted: whether Ctrl-C ended the training.
        stopped_early: whether patience ended it.

    Example:
        >>> history = History([2.3, 1.9, 2.0], [
        ...     Epoch(1, 2.3, 0.1, 0.2, 0.1), Epoch(2, 1.9, 0.3, 0.4, 0.1),
        ...     Epoch(3, 2.0, 0.3, 0.3, 0.1)])
        >>> history.best.epoch
        2
    """

    steps: list[float] = field(default_factory=list)
    epochs: list[Epoch] = field(default_factory=list)
    interrupted: bool = False
    stopped_early: bool = False

    @property
    def best(self) -> Epoch | None:
        """The first epoch with the highest held-out accuracy (the lowest loss if there is none)."""
        if any(e.held_out_accuracy is not None for e in self.epochs):
            known = [e for e in self.epochs if e.held_out_accuracy is not None]
            return max(known, key=lambda e: (e.held_out_accuracy, -e.epoch))
        return min(self.epochs, key=lambda e: e.loss, default=None)

    def has_run_out(self, patience: int | None) -> bool:
        """Whether the last `patience` epochs brought nothing better than the best before them."""
        best = self.best
        return patience is not None and best is not None and self._last - best.epoch >= patience

    @property
    def _last(self) -> int:
        return self.epochs[-1].epoch
