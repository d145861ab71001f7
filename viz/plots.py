"""Plots by matplotlib: how training went, and images with what a network says of them."""

from __future__ import annotations

import dataclasses
import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_cnn import Tensor
from tinygrad_cnn.errors import OptionError, ShapeError
from tinygrad_cnn.train import History

from .picture import Picture
from .svg import shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, RED = "#0072b2", "#d55e00", "#b30000"
MAX_IMAGES = 100
_COLUMNS = 10
# Text stays text, names no date or version, and ids repeat: the same data give the same bytes.
_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "tinygrad_cnn",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Helvetica", "Arial"],
    "font.size": 10.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.titlesize": 11.0,
    "legend.frameon": False,
    "legend.handlelength": 3.0,
}


def training(history: History) -> Picture:
    """Loss and accuracy over the epochs.

    Args:
        history: what `tinygrad_cnn.train.fit` returned.

    Raises:
        OptionError: nothing was recorded.

    Example:
        >>> from tinygrad_cnn.train import Epoch, History
        >>> from viz.plots import training
        >>> training(History([2.3, 1.9], [Epoch(1, 2.1, 0.3, None, 0.1)]))
        <Picture 'training: 1 epoch', ...>
    """
    if not history.steps or not history.epochs:
        raise OptionError("training: the history is empty; train for at least one epoch")
    import matplotlib

    epochs = len(history.epochs)
    title = f"training: {epochs} epoch{'s' * (epochs != 1)}"
    with matplotlib.rc_context(_SETTINGS):
        figure = _figure(9.0, 4.2)
        left, right = figure.subplots(1, 2)
        _loss(left, history)
        _accuracy(right, history)
        return _picture(figure, dataclasses.asdict(history), title)


def _loss(axes: Axes, history: History) -> None:
    at = np.arange(1, len(history.steps) + 1) / len(history.steps) * len(history.epochs)
    middles = [epoch.epoch - 0.5 for epoch in history.epochs]
    means = [epoch.loss for epoch in history.epochs]
    axes.plot(at, history.steps, color="#9ca3af", linewidth=0.8, label="each batch")
    axes.plot(
        middles, means, color=BLUE, linewidth=1.8, **_marks("o", means), label="mean of the epoch"
    )
    axes.set_title("Loss")
    axes.set_ylim(bottom=0)
    _finish(axes, len(history.epochs))


def _accuracy(axes: Axes, history: History) -> None:
    middles = [epoch.epoch - 0.5 for epoch in history.epochs]  # a mean over the epoch
    seen = [epoch.accuracy for epoch in history.epochs]
    style: dict[str, Any] = {"color": BLUE, "linewidth": 1.8}
    axes.plot(middles, seen, **style, **_marks("o", seen), label="in training, mean of the epoch")
    measured = [(e.epoch, e.held_out_accuracy) for e in history.epochs]
    known = [(number, value) for number, value in measured if value is not None]
    if known:
        xs, ys = zip(*known, strict=True)
        style = {"color": ORANGE, "linewidth": 1.8, "linestyle": "--"}
        axes.plot(xs, ys, **style, **_marks("s", ys), label=f"held out, in the end {ys[-1]:.1%}")
    axes.set_title("Accuracy: part that is right")
    axes.set_ylim(0, 1.02)
    _finish(axes, len(history.epochs))


def _marks(marker: str, values: Sequence[float]) -> dict[str, Any]:
    return {"marker": marker, "markersize": 4.0, "markevery": max(1, len(values) // 15)}


def _finish(axes: Axes, epochs: int) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlabel("epoch")
    axes.set_xlim(0, epochs * 1.02)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="y", color="#e5e7eb", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.legend(loc="upper left", bbox_to_anchor=(-0.02, -0.16))  # hides no data there


def images(
    batch: Any,
    labels: Any,
    predictions: Any = None,
    classes: Sequence[str] | None = None,
) -> Picture:
    """A grid of grey images with label and prediction; wrong ones have a cross and a frame.

    Args:
        batch: (N, 1, H, W) or (N, H, W), at most 100; the smallest value of all is drawn black,
            the largest white.
        labels: (N,) whole numbers.
        predictions: (N,) whole numbers, such as logits' argmax; None shows labels only.
        classes: the classes' names; numbers are shown without them.

    Raises:
        ShapeError: batch, labels and predictions do not fit together.
        OptionError: no image or more than 100, or a label that has no name.

    Example:
        >>> import numpy as np
        >>> from viz.plots import images
        >>> images(np.eye(4).reshape(1, 1, 4, 4), [0], [1], ["cat", "dog"])
        <Picture '1 image, 0 right', ...>
    """
    grey = _grey(batch)
    count = len(grey)
    names = _names("labels", labels, count, classes)
    guesses = None if predictions is None else _names("predictions", predictions, count, classes)
    plural = f"{count} image{'s' * (count != 1)}"
    title = plural
    right: list[bool] | None = None
    if guesses is not None:
        right = [bool(r) for r in np.asarray(labels) == np.asarray(predictions)]
        title = f"{plural}, {sum(right)} right"
    import matplotlib

    with matplotlib.rc_context(_SETTINGS):
        columns = min(count, _COLUMNS)
        rows = -(-count // columns)
        row_height = 0.9 + (0.36 if guesses else 0.22)
        figure = _figure(max(0.94 * columns, 5.0), row_height * rows + 0.5)
        grid = figure.subplots(rows, columns, squeeze=False)
        low, high = float(grey.min()), float(grey.max())
        for i, axes in enumerate(grid.flat):
            if i >= count:
                axes.set_axis_off()
                continue
            axes.imshow(grey[i], cmap="gray", vmin=low, vmax=high, interpolation="none")
            told = names[i]
            if guesses is not None and right is not None:
                told += f"\n{'✓' if right[i] else '✗'} {guesses[i]}"
            _frame(axes, told, wrong=right is not None and not right[i])
        legend = "" if guesses is None else ": the label, and below it the prediction"
        figure.suptitle(title + legend, x=0.01, ha="left", fontsize=10.0)
        data = {"labels": names, "predictions": guesses, "right": right, "images": grey}
        return _picture(figure, data, title)


def _frame(axes: Axes, told: str, wrong: bool) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_xlabel(told, fontsize=8.0, color=RED if wrong else "#222222", labelpad=3.0)
    for spine in axes.spines.values():
        spine.set_visible(wrong)
        spine.set(color=RED, linewidth=2.5)


def _grey(batch: Any) -> np.ndarray[Any, Any]:
    array = batch.numpy() if isinstance(batch, Tensor) else np.asarray(batch)
    if array.ndim == 4 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 3:
        raise ShapeError(
            f"images: batch must be grey images, (N, 1, H, W) or (N, H, W), got {array.shape}"
        )
    if not 1 <= len(array) <= MAX_IMAGES:
        raise OptionError(f"images: 1 … {MAX_IMAGES} images fit, got {len(array)}; take a slice")
    return array


def _names(what: str, values: Any, count: int, classes: Sequence[str] | None) -> list[str]:
    array = values.numpy() if isinstance(values, Tensor) else np.asarray(values)
    if array.shape != (count,):
        hint = "; take logits.argmax(axis=1)" if array.ndim == 2 else ""
        raise ShapeError(
            f"images: {what} must be ({count},), one per image, got {array.shape}{hint}"
        )
    if not classes:
        return [str(value) for value in array]
    if array.min() < 0 or array.max() >= len(classes):
        raise OptionError(
            f"images: {what} go from {array.min()} to {array.max()}, but there are "
            f"{len(classes)} classes"
        )
    return [shorten(classes[value], 12) for value in array]


def _figure(width: float, height: float) -> Figure:
    """A figure of its own, in inches: no global state of pyplot's."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _picture(figure: Figure, data: Any, title: str) -> Picture:
    written = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(written, format="svg", metadata=nothing)
    text = written.getvalue()
    text = text[text.index("<svg") :]  # an XML declaration has no place inside a page,
    text = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", text, count=1, flags=re.DOTALL)
    joins = "stroke-linejoin:round;stroke-linecap:butt"  # nor has a style for all its elements
    text = text.replace("<svg", f'<svg style="max-width:100%;height:auto;{joins}"', 1)
    return Picture(text, data, title=title)
