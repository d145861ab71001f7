"""What a network says of one image: the image as the network sees it, and its likeliest classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tinygrad_cnn import Tensor
from tinygrad_cnn.errors import OptionError, ShapeError

from ..picture.picture import Picture
from ..picture.svg import shorten
from .chart import BLUE, SETTINGS, figure_of, picture_of


def prediction(
    image: Any, probabilities: Any, classes: Sequence[str] | None = None, top: int = 5
) -> Picture:
    """An image, and beside it a bar for each of its likeliest classes.

    Args:
        image: (1, H, W) or (H, W) grey, its smallest value drawn black; or (3, H, W), 0 … 1.
        probabilities: (C,), such as the softmax of the logits.
        classes: the classes' names; numbers are shown without them.
        top: how many classes to show, at most.

    Raises:
        ShapeError: image or probabilities of another shape.
        OptionError: not as many names as probabilities, or `top` less than 1.

    Example:
        >>> import numpy as np
        >>> from viz.plots import prediction
        >>> prediction(np.eye(4), [0.1, 0.7, 0.2], ["cat", "dog", "bird"])
        <Picture 'dog, 70.0 %', ...>
    """
    pixels, part = (
        a.numpy() if isinstance(a, Tensor) else np.asarray(a) for a in (image, probabilities)
    )
    if pixels.ndim == 3 and pixels.shape[0] in (1, 3):
        pixels = pixels[0] if pixels.shape[0] == 1 else pixels.transpose(1, 2, 0)
    elif pixels.ndim != 2:
        raise ShapeError(f"prediction: image must be (1 or 3, H, W) or (H, W), got {pixels.shape}")
    if part.ndim != 1 or not part.size:
        raise ShapeError(f"prediction: probabilities must be (C,), got {part.shape}")
    names = [str(i) for i in range(len(part))] if not classes else list(classes)
    if len(names) != len(part) or top < 1:
        raise OptionError(
            f"prediction: {len(part)} probabilities need as many names, and top ≥ 1, "
            f"got {len(names)} and {top}"
        )
    best = np.argsort(-part, kind="stable")[:top]
    title = f"{names[best[0]]}, {part[best[0]]:.1%}".replace("%", " %")
    import matplotlib

    with matplotlib.rc_context(SETTINGS):
        figure = figure_of(7.0, 2.6)
        left, right = figure.subplots(1, 2, width_ratios=[1.0, 1.6])
        left.imshow(pixels, cmap="gray", interpolation="none")
        left.set_axis_off()
        bars = right.barh([shorten(names[i], 24) for i in best], part[best], color=BLUE)
        right.bar_label(bars, [f"{part[i]:.1%}".replace("%", " %") for i in best], padding=4)
        right.invert_yaxis()
        right.set_xlim(0, 1.18)
        right.set_xticks([])
        right.spines[["bottom", "left"]].set_visible(False)
        right.tick_params(length=0)
        right.set_title(title)
        data = {"classes": [names[i] for i in best], "probabilities": part[best], "image": pixels}
        return picture_of(figure, data, title)
