"""`images()`: images, with what a network says of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_cnn import Tensor
from tinygrad_cnn.errors import OptionError, ShapeError

from ..picture.picture import Picture
from ..picture.raster import BROKEN, colors
from ..picture.svg import INK, shorten
from .chart import RED, SETTINGS, figure_of, picture_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_IMAGES = 100
_COLUMNS = 10


def images(
    batch: Any,
    labels: Any,
    predictions: Any = None,
    classes: Sequence[str] | None = None,
) -> Picture:
    """A grid of images with label and prediction; wrong ones have a cross and a frame.

    Args:
        batch: (N, 1, H, W) or (N, H, W), grey, or (N, 3, H, W), in colour; at most 100. The
            smallest value of all is drawn black, the largest white; NaN and infinity crimson.
        labels: (N,) whole numbers.
        predictions: (N,) whole numbers, such as logits' argmax; None shows labels only.
        classes: the classes' names; numbers are shown without them.

    Raises:
        ShapeError: batch, labels and predictions do not fit together.
        OptionError: no image or more than 100, or a label that has no name.

    Example:
        >>> import numpy as np
        >>> from viz import images
        >>> images(np.eye(4).reshape(1, 1, 4, 4), [0], [1], ["cat", "dog"])
        <Picture '1 image, 0 right', ...>
    """
    shown = _images(batch)
    count = len(shown)
    names = _names("labels", labels, count, classes)
    guesses = None if predictions is None else _names("predictions", predictions, count, classes)
    plural = f"{count} image{'s' * (count != 1)}"
    title = plural
    right: list[bool] | None = None
    if guesses is not None:
        right = [bool(r) for r in np.asarray(labels) == np.asarray(predictions)]
        title = f"{plural}, {sum(right)} right"
    import matplotlib

    with matplotlib.rc_context(SETTINGS):
        columns = min(count, _COLUMNS)
        rows = -(-count // columns)
        across = max(0.94, min(2.2, 9.0 / columns))  # inches
        tall = min(2.0, max(0.3, shown.shape[-2] / shown.shape[-1]))
        row_height = 0.96 * across * tall + (0.36 if guesses else 0.22)
        figure = figure_of(max(across * columns, 5.0), row_height * rows + 0.5)
        grid = figure.subplots(rows, columns, squeeze=False)
        pixels, broken = _pixels(shown), int(np.sum(~np.isfinite(shown)))
        for i, axes in enumerate(grid.flat):
            if i >= count:
                axes.set_axis_off()
                continue
            axes.imshow(pixels[i], interpolation="none")
            told = names[i]
            if guesses is not None and right is not None:
                told += f"\n{'✓' if right[i] else '✗'} {guesses[i]}"
            _frame(axes, told, wrong=right is not None and not right[i])
        legend = "" if guesses is None else ": the label, and below it the prediction"
        legend += f"; {broken} values are NaN or infinite" if broken else ""
        figure.suptitle(title + legend, x=0.01, ha="left", fontsize=10.0)
        data = {"labels": names, "predictions": guesses, "right": right, "images": shown}
        return picture_of(figure, data, title)


def _frame(axes: Axes, told: str, wrong: bool) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_xlabel(told, fontsize=8.0, color=RED if wrong else INK, labelpad=3.0)
    for spine in axes.spines.values():
        spine.set_visible(wrong)
        spine.set(color=RED, linewidth=2.5)


def _images(batch: Any) -> np.ndarray[Any, Any]:
    array = batch.numpy() if isinstance(batch, Tensor) else np.asarray(batch)
    if array.ndim == 4 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 3 and not (array.ndim == 4 and array.shape[1] == 3):
        raise ShapeError(
            "images: batch must be grey images, (N, 1, H, W) or (N, H, W), or (N, 3, H, W) in "
            f"colour, got {array.shape}"
        )
    if not 1 <= len(array) <= MAX_IMAGES:
        raise OptionError(f"images: 1 … {MAX_IMAGES} images fit, got {len(array)}; take a slice")
    if not array.size:
        raise ShapeError(f"images: the images are empty, {array.shape}")
    return array


def _pixels(images: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """(N, H, W, 3), 0 … 255."""
    if images.ndim == 3:
        return colors(images, signed=False)
    known = np.isfinite(images)
    finite = images[known]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 1.0)
    part = np.where(known, images - low, 0.0) / ((high - low) or 1.0)
    pixels = np.rint(255 * part.transpose(0, 2, 3, 1)).astype(np.uint8)
    pixels[~known.all(axis=1)] = BROKEN
    return pixels


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
