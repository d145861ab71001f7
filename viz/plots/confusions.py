"""`confusion`: which classes a classifier confuses with which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_cnn import Tensor
from tinygrad_cnn.errors import DtypeError, OptionError, ShapeError

from ..picture import svg
from ..picture.picture import Picture

MAX_CLASSES = 40
_RIGHT, _WRONG = (0, 103, 163), (200, 82, 0)
_MARGIN, _NAME = 16.0, 14


def confusion(labels: Any, predictions: Any, classes: Sequence[str] | None = None) -> Picture:
    """The confusion matrix: a row for each label, a column for each prediction.

    The diagonal, in blue, counts right predictions; mistakes are orange. The larger a cell's part
    of its row, the stronger its colour. Mistakes are rarer, so twice their part is taken. Beside
    each row stands its recall: the part of these labels that was predicted. Below each column
    stands its precision: the part of these predictions that was right.

    Args:
        labels: (N,) whole numbers from 0.
        predictions: (N,) whole numbers, such as logits' argmax.
        classes: the classes' names; without them there are as many classes as numbers need.

    Returns:
        A Picture. Its data: ``classes``, ``counts`` (label, prediction), ``accuracy``, ``recall``
        and ``precision``; these are NaN, shown as "–", for a class without labels or predictions.

    Raises:
        ShapeError: labels and predictions are empty or do not fit together.
        DtypeError: they are no whole numbers.
        OptionError: a number without a name, or more than 40 classes.

    Example:
        >>> picture = confusion([0, 0, 1], [0, 1, 1], ["cat", "dog"])
        >>> picture.data["counts"].tolist()
        [[1, 1], [0, 1]]
    """
    truth, said = _whole("labels", labels), _whole("predictions", predictions)
    if truth.shape != said.shape or not truth.size:
        raise ShapeError(
            f"confusion: one prediction for each label, at least one, is needed; got "
            f"{truth.shape} labels and {said.shape} predictions"
        )
    low, high = min(truth.min(), said.min()), max(truth.max(), said.max())
    count = len(classes) if classes else int(high) + 1
    if low < 0 or high >= count:
        raise OptionError(f"confusion: numbers go from {low} to {high}, for {count} classes")
    if count > MAX_CLASSES:
        raise OptionError(
            f"confusion: {count} classes are more than {MAX_CLASSES}, which nobody could read; "
            "put classes together"
        )
    counts = np.zeros((count, count), np.int64)
    np.add.at(counts, (truth, said), 1)
    with np.errstate(invalid="ignore"):
        recall = counts.diagonal() / counts.sum(axis=1)
        precision = counts.diagonal() / counts.sum(axis=0)
    accuracy = float(counts.trace() / counts.sum())
    names = [svg.shorten(str(name), 20) for name in classes or range(count)]
    data = {
        "classes": names,
        "counts": counts,
        "accuracy": accuracy,
        "recall": recall,
        "precision": precision,
    }
    title = f"{counts.trace():,} of {counts.sum():,} right, {_percent(accuracy)}"
    return Picture(_drawn(data, title), data, title=title)


def _whole(what: str, values: Any) -> NDArray[np.int64]:
    array = values.numpy() if isinstance(values, Tensor) else np.asarray(values)
    if array.ndim != 1:
        hint = "; take logits.argmax(axis=1)" if array.ndim == 2 else ""
        raise ShapeError(f"confusion: {what} must be (N,), got {array.shape}{hint}")
    if array.size and array.dtype.kind not in "iub":
        raise DtypeError(f"confusion: {what} must be whole numbers, got {array.dtype}")
    return array.astype(np.int64)


def _percent(part: float) -> str:
    return "–" if np.isnan(part) else f"{100 * part:.1f} %"


def _drawn(data: dict[str, Any], title: str) -> str:
    counts, names = data["counts"], data["classes"]
    count = len(names)
    longest = max(svg.text_width(name, _NAME) for name in names)
    numbers = max(svg.text_width(f"{n:,}", 13) for n in counts.flat)
    cell = max(26.0, numbers + 8, min(58.0, 640.0 / count))
    upright = longest > cell - 6  # then the columns' names are vertical
    left = _MARGIN + longest + 34
    top = 56.0 + (longest + 12 if upright else 24)
    side = cell * count
    parts = [
        svg.text(_MARGIN, 28, title, size=17, bold=True),
        svg.text(left, 50, "prediction →", size=13, fill=svg.FAINT),
    ]
    middle = top + side / 2
    turn = f"rotate(-90 {svg.number(_MARGIN + 6)} {svg.number(middle)})"
    parts.append(
        svg.text(
            _MARGIN + 6, middle, "← label", size=13, anchor="middle", fill=svg.FAINT, transform=turn
        )
    )
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    for i in range(count):
        centre = (i + 0.5) * cell
        row = top + centre + 5
        parts.append(svg.text(left - 8, row, names[i], size=_NAME, anchor="end"))
        x = left + centre
        if upright:
            at = f"rotate(-90 {svg.number(x + 5)} {svg.number(top - 8)})"
            parts.append(svg.text(x + 5, top - 8, names[i], size=_NAME, transform=at))
        else:
            parts.append(svg.text(x, top - 8, names[i], size=_NAME, anchor="middle"))
        recall, precision = _percent(data["recall"][i]), _percent(data["precision"][i])
        parts.append(svg.text(left + side + 10, row, recall, size=12.5))
        at = f"rotate(-90 {svg.number(x + 5)} {svg.number(top + side + 10)})"
        if cell < 50:
            parts.append(
                svg.text(x + 5, top + side + 10, precision, size=12.5, anchor="end", transform=at)
            )
        else:
            parts.append(svg.text(x, top + side + 18, precision, size=12.5, anchor="middle"))
        for j in range(count):
            hint = f"{names[i]}, taken for {names[j]}: {counts[i, j]:,}"
            parts.append(
                _cell(
                    left + j * cell, top + i * cell, cell, counts[i, j], shares[i, j], i == j, hint
                )
            )
    frame = svg.rect(left, top, side, side, fill="none", stroke="#6b7280")
    words = "of these, right"
    below = 66.0 if cell < 50 else 28.0
    parts += [
        frame,
        svg.text(left + side + 10, top - 8, "found", size=12.5, fill=svg.FAINT),
        svg.text(left - 8, top + side + 18, words, size=12.5, anchor="end", fill=svg.FAINT),
    ]
    width = max(left + side + 74, _MARGIN * 2 + svg.text_width(title, 17, bold=True))
    return svg.document(width, top + side + below, *parts, title=title, adapts=True)


def _cell(x: float, y: float, side: float, count: int, share: float, right: bool, hint: str) -> str:
    end = np.array(_RIGHT if right else _WRONG)
    strength = share if right else min(1.0, 2.0 * share)  # mistakes are rarer
    mixed = np.rint(255 + strength * (end - 255)).astype(int)
    fill = "#" + "".join(f"{part:02x}" for part in mixed)
    ink = "#ffffff" if strength > (0.6 if right else 0.75) else "#1a1a1a"
    parts = [svg.rect(x, y, side, side, fill=fill, stroke="#d1d5db", stroke_width=0.6)]
    if count:
        shown = svg.text(
            x + side / 2, y + side / 2 + 5, f"{count:,}", size=13, anchor="middle", fill=ink
        )
        parts.append(shown)
    return svg.group(*parts, class_="cell", tooltip=hint)
