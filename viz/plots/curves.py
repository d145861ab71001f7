"""`training`: loss and accuracy over the epochs, of one run or of several side by side."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_cnn.errors import DtypeError, OptionError
from tinygrad_cnn.train import History

from ..picture.picture import Picture
from .chart import BLUE, ORANGE, SETTINGS, figure_of, picture_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Runs = History | Sequence[History]
MAX_RUNS = 8
# They differ in lightness, dash and marker, and in colours that the colour-blind tell apart.
_LOOKS: Sequence[tuple[str, Any, str]] = (
    (BLUE, "-", "o"),
    (ORANGE, "--", "s"),
    ("#009e73", "-.", "^"),
    ("#111111", ":", "D"),
    ("#cc79a7", (0, (6, 1)), "v"),
    ("#56b4e9", (0, (3, 1, 1, 1, 1, 1)), "P"),
    ("#a6761d", (0, (1, 1)), "X"),
    ("#6b7280", (0, (9, 2, 2, 2)), "*"),
)


def training(history: Runs | Mapping[str, Runs]) -> Picture:
    """Loss and accuracy over the epochs.

    A single run shows the loss of every batch, its means over the epochs, and both accuracies.
    Several runs are told apart by name: the mean loss in training, and the accuracy on held-out
    data (in training, if a run has none, and says so). Where a name has several runs, which differ
    by their seeds, the line is their mean and the band goes from the smallest to the largest.

    Args:
        history: what `tinygrad_cnn.train.fit` returned; a list of such, from runs that differ by
            their seeds; or a dict of these by name, at most 8.

    Returns:
        A Picture. For a single run, its data is the history as a dict. For several it has, by name,
        ``epochs``, ``loss`` and ``accuracy`` (run, epoch; NaN where a run has ended), ``held_out``,
        and ``diverged``: in how many epochs the loss is NaN or infinite.

    Raises:
        OptionError: nothing was recorded, or more than 8 names.
        DtypeError: `history` is something else.

    Example:
        >>> from tinygrad_cnn.train import Epoch, History
        >>> run = History([2.3, 1.9], [Epoch(1, 2.1, 0.3, None, 0.1)])
        >>> training(run)
        <Picture 'training: 1 epoch', ...>
        >>> training({"plain": run, "residual": [run, run]}).title
        'training: plain, residual'
    """
    if isinstance(history, History):
        return _one(history)
    named = history if isinstance(history, Mapping) else {"": history}
    groups = {name: _histories(name, runs) for name, runs in named.items()}
    if not 1 <= len(groups) <= MAX_RUNS:
        raise OptionError(f"training: 1 … {MAX_RUNS} names fit, got {len(groups)}")
    return _several({name: _measured(runs) for name, runs in groups.items()})


def _histories(name: str, runs: Any) -> list[History]:
    if not isinstance(runs, History | Sequence):
        raise DtypeError(f"training: histories are needed, got {type(runs).__name__}")
    found = [runs] if isinstance(runs, History) else list(runs)
    for run in found:
        if not isinstance(run, History):
            raise DtypeError(f"training: {name or 'a list'} must hold histories, got {run!r:.60}")
    if not found or any(not run.epochs for run in found):
        where = f" of {name!r}" if name else ""
        raise OptionError(f"training: a history{where} is empty; train for at least one epoch")
    return found


# --- one run -------------------------------------------------------------------------------------


def _one(history: History) -> Picture:
    if not history.steps or not history.epochs:
        raise OptionError("training: the history is empty; train for at least one epoch")
    import matplotlib

    epochs = len(history.epochs)
    title = f"training: {epochs} epoch{'s' * (epochs != 1)}"
    with matplotlib.rc_context(SETTINGS):
        figure = figure_of(9.0, 4.2)
        left, right = figure.subplots(1, 2)
        _loss(left, history)
        _accuracy(right, history)
        return picture_of(figure, dataclasses.asdict(history), title)


def _loss(axes: Axes, history: History) -> None:
    at = np.arange(1, len(history.steps) + 1) / len(history.steps) * len(history.epochs)
    middles = [epoch.epoch - 0.5 for epoch in history.epochs]
    means = [epoch.loss for epoch in history.epochs]
    axes.plot(at, history.steps, color="#9ca3af", linewidth=0.8, label="each batch")
    axes.plot(
        middles, means, color=BLUE, linewidth=1.8, **_marks("o", means), label="mean of the epoch"
    )
    broken = int(np.sum(~np.isfinite(history.steps)))
    _finish_loss(axes, len(history.epochs), [history.steps], broken, "batches")


def _accuracy(axes: Axes, history: History) -> None:
    middles = [epoch.epoch - 0.5 for epoch in history.epochs]  # where the mean of an epoch is drawn
    seen = [epoch.accuracy for epoch in history.epochs]
    style: dict[str, Any] = {"color": BLUE, "linewidth": 1.8}
    axes.plot(middles, seen, **style, **_marks("o", seen), label="in training, mean of the epoch")
    measured = [(e.epoch, e.held_out_accuracy) for e in history.epochs]
    known = [(number, value) for number, value in measured if value is not None]
    if known:
        xs, ys = zip(*known, strict=True)
        style = {"color": ORANGE, "linewidth": 1.8, "linestyle": "--"}
        axes.plot(xs, ys, **style, **_marks("s", ys), label=f"held out, in the end {ys[-1]:.1%}")
    _finish_accuracy(axes, len(history.epochs), "Accuracy: part that is right")


# --- several -------------------------------------------------------------------------------------


def _measured(runs: Sequence[History]) -> dict[str, Any]:
    """The runs of one name, as arrays (run, epoch), with NaN where a run has no number."""
    held_out = all(e.held_out_accuracy is not None for run in runs for e in run.epochs)
    epochs = max(len(run.epochs) for run in runs)
    loss, accuracy = np.full((2, len(runs), epochs), np.nan)
    for i, run in enumerate(runs):
        for j, epoch in enumerate(run.epochs):
            loss[i, j] = epoch.loss
            accuracy[i, j] = epoch.held_out_accuracy if held_out else epoch.accuracy
    return {
        "epochs": np.arange(1, epochs + 1),
        "loss": loss,
        "diverged": sum(not np.isfinite(epoch.loss) for run in runs for epoch in run.epochs),
        "accuracy": accuracy,
        "held_out": held_out,
    }


def _several(data: Mapping[str, dict[str, Any]]) -> Picture:
    import matplotlib

    title = "training: " + ", ".join(filter(None, data)) if any(data) else "training"
    if not any(data):
        title += f": {len(data['']['loss'])} runs"
    epochs = max(len(each["epochs"]) for each in data.values())
    with matplotlib.rc_context(SETTINGS):
        figure = figure_of(9.0, 4.0 + 0.22 * len(data))
        left, right = figure.subplots(1, 2)
        for (name, each), look in zip(data.items(), _LOOKS, strict=False):
            runs = len(each["loss"])
            said = name or "mean of the epoch"
            said += f", {runs} runs" if runs > 1 else ""
            _line(left, each["epochs"] - 0.5, each["loss"], look, said)
            final = each["accuracy"][np.isfinite(each["accuracy"]).any(axis=1)]
            ends = [row[np.isfinite(row)][-1] for row in final]
            kind = "" if each["held_out"] else "in training"
            at = each["epochs"] - (0.0 if each["held_out"] else 0.5)
            _line(
                right,
                at,
                each["accuracy"],
                look,
                ", ".join(filter(None, [name, kind, _ends(ends)])),
            )
        broken = sum(each["diverged"] for each in data.values())
        _finish_loss(left, epochs, [each["loss"] for each in data.values()], broken, "epochs")
        held_out = all(each["held_out"] for each in data.values())
        head = "Accuracy on held-out data" if held_out else "Accuracy: part that is right"
        _finish_accuracy(right, epochs, head)
        return picture_of(figure, dict(data), title)


def _ends(ends: Sequence[float]) -> str:
    """The accuracy at the end of the runs: "in the end 81.2% (79.0% … 83.1%)"."""
    if not ends:
        return "nothing finite"
    spread = f" ({min(ends):.1%} … {max(ends):.1%})" if len(ends) > 1 else ""
    return f"in the end {np.mean(ends):.1%}{spread}"


def _line(
    axes: Axes, at: NDArray[Any], rows: NDArray[Any], look: tuple[str, Any, str], label: str
) -> None:
    """The mean of the runs that still have a number, and the band from smallest to largest."""
    color, dash, marker = look
    known = np.isfinite(rows)
    counts = known.sum(axis=0)
    total = np.where(known, rows, 0.0).sum(axis=0)
    mean = np.divide(total, counts, out=np.full(len(at), np.nan), where=counts > 0)
    style: dict[str, Any] = {"color": color, "linestyle": dash, "linewidth": 1.8}
    axes.plot(at, mean, **style, **_marks(marker, mean.tolist()), label=label)
    if len(rows) > 1:
        low = np.where(known, rows, np.inf).min(axis=0)
        high = np.where(known, rows, -np.inf).max(axis=0)
        axes.fill_between(at, low, high, where=counts > 0, color=color, alpha=0.18, linewidth=0)


def _marks(marker: str, values: Sequence[float]) -> dict[str, Any]:
    return {"marker": marker, "markersize": 4.0, "markevery": max(1, len(values) // 15)}


def _finish_loss(axes: Axes, epochs: int, losses: Sequence[Any], broken: int, of: str) -> None:
    """Title and range. The title counts losses that are NaN or infinite: they cannot be drawn."""
    values = np.concatenate([np.ravel(each) for each in losses])
    axes.set_title("Loss" + (f": NaN or infinite in {broken} {of}" if broken else ""))
    if (values[np.isfinite(values)] >= 0).all():
        axes.set_ylim(bottom=0)
    _finish(axes, epochs)


def _finish_accuracy(axes: Axes, epochs: int, title: str) -> None:
    axes.set_title(title)
    axes.set_ylim(0, 1.02)
    _finish(axes, epochs)


def _finish(axes: Axes, epochs: int) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlabel("epoch")
    axes.set_xlim(0, epochs * 1.02)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="y", color="#e5e7eb", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.legend(loc="upper left", bbox_to_anchor=(-0.02, -0.16))  # below the axes
