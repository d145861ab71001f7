"""Progress of an epoch: `Tally` adds it up, `Bar` shows it in a terminal or a notebook."""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np

from .history import Epoch, History


class Tally:
    """Sums over the batches of an epoch so far. Its clock starts when it is made."""

    def __init__(self) -> None:
        self.started = time.perf_counter()
        self.loss = 0.0
        self.examples = self.answers = self.right = 0

    def add(self, loss: float, right: np.ndarray[Any, Any]) -> None:
        """Count in a batch, by its mean loss and by which of its answers were right."""
        self.loss += loss * len(right)
        self.examples += len(right)
        self.answers += right.size
        self.right += int(right.sum())

    def epoch(self, number: int) -> Epoch:
        """The means over the batches so far, as the record of an epoch."""
        seconds = time.perf_counter() - self.started
        mean_loss, accuracy = self.loss / self.examples, self.right / self.answers
        return Epoch(number, mean_loss, accuracy, None, seconds)


class Bar:
    """A progress bar over all epochs."""

    def __init__(self, history: History, epochs: int, batches: int, shown: bool) -> None:
        from tqdm import TqdmWarning

        with warnings.catch_warnings():  # a notebook without ipywidgets gets a bar of text
            warnings.simplefilter("ignore", TqdmWarning)
            from tqdm.auto import tqdm

        self._epochs = epochs
        self._bar = tqdm(
            total=epochs * batches,
            initial=len(history.epochs) * batches,
            disable=not shown,
            unit="batch",
            mininterval=0.3,
        )
        self.show_epochs(history)

    def show_epochs(self, history: History) -> None:
        """Show which epoch runs now, and how accurate the last one was on held-out data."""
        text = f"epoch {min(len(history.epochs) + 1, self._epochs)}/{self._epochs}"
        measured = history.epochs[-1].held_out_accuracy if history.epochs else None
        if measured is not None:
            text += f", held out {measured:.3f}"
        self._bar.set_description(text)

    def show(self, tally: Tally, kind: str) -> None:
        """Move on by a batch, and show the means so far; `kind` says what the examples are."""
        if not self._bar.disable:
            now = tally.epoch(0)
            self._bar.set_postfix_str(
                f"loss {now.loss:.3f}, accuracy {now.accuracy:.3f}, "
                f"{tally.examples / now.seconds:,.0f} {kind}/s",
                refresh=False,
            )
        self._bar.update()

    def close(self) -> None:
        self._bar.close()
