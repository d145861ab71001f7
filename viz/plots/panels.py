"""Arrays side by side: small ones as numbers in cells, large ones as images. By matplotlib."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from tinygrad_cnn import Tensor
from tinygrad_cnn.errors import OptionError, ShapeError

from ..picture.picture import Picture
from ..picture.raster import colors
from .chart import SETTINGS, figure_of, picture_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_PANELS = 24
_NUMBERS = 12  # rows and columns, up to which each cell's number is written


def panels(
    arrays: Mapping[str, Any],
    *,
    columns: int | None = None,
    scale: Literal["each", "shared"] = "each",
    signed: bool = False,
    title: str = "",
) -> Picture:
    """Arrays as images side by side, each below its name.

    Args:
        arrays: by their names: (H, W), grey, or (3, H, W), in colour with values 0 … 1; axes of
            length 1 in front do not matter. With up to 12 rows and columns, a grey one's numbers
            are written into its cells.
        columns: panels in a row; up to 4 if None.
        scale: "each": the smallest value of each panel is black, its largest white; "shared": all
            panels have the same range. Colour images are shown as they are, cut off at 0 and 1.
        signed: negative is blue, 0 white, positive orange, up to the largest absolute value.
        title: above the panels; the arrays' names if empty.

    Raises:
        ShapeError: an array of another shape.
        OptionError: no panel or more than 24, or no such scale.

    Example:
        >>> import numpy as np
        >>> from viz import panels
        >>> panels({"X": np.eye(3), "−X": -np.eye(3)}, signed=True)
        <Picture 'X, −X', ...>
    """
    images = {name: _image(name, array) for name, array in arrays.items() if array is not None}
    if not images or len(arrays) > MAX_PANELS:
        raise OptionError(f"panels: 1 … {MAX_PANELS} arrays fit, got {len(images)}")
    if scale not in ("each", "shared"):
        raise OptionError(f"panels: scale must be 'each' or 'shared', got {scale!r}")
    columns = columns or min(len(arrays), 4)
    rows = math.ceil(len(arrays) / columns)
    side = max(max(image.shape[-2:]) for image in images.values())
    across = min(9.0 / columns, 2.2 if side <= _NUMBERS / 2 else 3.0)  # inches
    tall = max(image.shape[-2] / image.shape[-1] for image in images.values())
    import matplotlib

    with matplotlib.rc_context(SETTINGS):
        figure = figure_of(across * columns, (across * min(tall, 2.0) + 0.35) * rows)
        grid = figure.subplots(rows, columns, squeeze=False)
        for axes in grid.flat:
            axes.set_axis_off()
        ranges = _ranges(images, scale, signed)
        for axes, name in zip(grid.flat, arrays, strict=False):
            if name in images:
                axes.set_title(name, fontsize=10.0)
                _draw(axes, images[name], *ranges[name], signed, across)
        if title:
            figure.suptitle(title, x=0.01, ha="left", fontsize=11.0, fontweight="bold")
        return picture_of(figure, images, title or ", ".join(images))


def _image(name: str, array: Any) -> NDArray[Any]:
    image = np.asarray(array.data if isinstance(array, Tensor) else array)
    while image.ndim > 2 and image.shape[0] == 1:
        image = image[0]
    if image.ndim == 1:
        image = image[None]
    if image.size and (image.ndim == 2 or (image.ndim == 3 and image.shape[0] == 3)):
        return image
    raise ShapeError(
        f"panels: {name!r} must be (H, W), or (3, H, W) in colour, got {np.shape(image)}; "
        "name its channels one by one"
    )


def _ranges(
    shown: Mapping[str, NDArray[Any]], scale: str, signed: bool
) -> dict[str, tuple[float, float]]:
    """The values at both ends of each panel's colours."""

    def of(values: NDArray[Any]) -> tuple[float, float]:
        finite = values[np.isfinite(values)]
        if not finite.size:
            return 0.0, 1.0
        low, high = float(finite.min()), float(finite.max())
        if signed:
            low, high = -max(-low, high), max(-low, high)
        return (low, high) if low < high else (low - 0.5, high + 0.5)

    if scale == "shared":
        return dict.fromkeys(shown, of(np.concatenate([image.ravel() for image in shown.values()])))
    return {name: of(image) for name, image in shown.items()}


def _draw(
    axes: Axes, image: NDArray[Any], low: float, high: float, signed: bool, across: float
) -> None:
    if image.ndim == 3:
        axes.imshow(np.clip(image.transpose(1, 2, 0), 0, 1), interpolation="none")
        return
    rows, columns = image.shape
    numbers = max(rows, columns) <= _NUMBERS
    if signed:
        axes.imshow(colors(image, high, signed=True), interpolation="none")
    elif numbers:  # black numbers must be legible on every cell
        low, high = low - 0.02 * (high - low), high + 0.9 * (high - low)
        axes.imshow(image, cmap="Blues", vmin=low, vmax=high, interpolation="none")
    else:
        axes.imshow(image, cmap="gray", vmin=low, vmax=high, interpolation="none")
    if not numbers:
        return
    texts = [[_written(float(value)) for value in row] for row in image]
    longest = max(len(text) for row in texts for text in row)
    size = min(12.0, 72 * across / columns / (0.72 * max(longest, 2)))
    for i, row in enumerate(texts):
        for j, text in enumerate(row):
            dark = signed and abs(float(image[i, j])) > 0.55 * high
            ink = "#ffffff" if dark else "#1a1a1a"
            axes.text(j, i, text, ha="center", va="center", fontsize=size, color=ink)
    for x in np.arange(-0.5, columns):
        axes.plot([x, x], [-0.5, rows - 0.5], color="#6b7280", linewidth=0.6)
    for y in np.arange(-0.5, rows):
        axes.plot([-0.5, columns - 0.5], [y, y], color="#6b7280", linewidth=0.6)
    axes.set_xlim(-0.52, columns - 0.48)
    axes.set_ylim(rows - 0.48, -0.52)


def _written(value: float) -> str:
    if not math.isfinite(value):
        return str(value)
    value += 0.0  # no −0
    digits = 5 if value == round(value) else 3
    return f"{value:.{digits}g}".replace("-", "−")
