"""Heat maps: an array as the pixels of a small image inside an SVG."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import svg

# Diverging about 0, told apart by the colour-blind: blue is negative, orange positive.
_NEGATIVE, _ZERO, _POSITIVE = (0, 86, 150), (255, 255, 255), (200, 82, 0)
BROKEN = (209, 0, 75)


def colors(
    values: NDArray[Any], scale: float | None = None, signed: bool | None = None
) -> NDArray[np.uint8]:
    """A colour for each number, (…, 3).

    Numbers with two signs are blue (negative), white (0) and orange (positive), on a scale that is
    symmetric about 0; others go from black (the smallest) to white (the largest). NaN and
    infinities are crimson.

    Args:
        values: the numbers.
        scale: the absolute value that has the strongest colour; if None, the largest of the values.
        signed: whether to use blue and orange; if None, only if some number is negative.

    Example:
        >>> colors(np.array([-1.0, 0.0, 0.5]))[0].tolist()
        [0, 86, 150]
    """
    values = np.asarray(values, np.float64)
    finite = np.isfinite(values)
    known = np.where(finite, values, 0.0)
    if signed is None:
        signed = bool((known < 0).any())
    if signed:
        most = scale or np.abs(known).max() or 1.0
        part = np.clip(known / most, -1, 1)[..., None]
        end = np.where(part < 0, np.array(_NEGATIVE), np.array(_POSITIVE))
        found = np.array(_ZERO) + np.abs(part) * (end - np.array(_ZERO))
    else:
        low = known[finite].min(initial=np.inf) if finite.any() else 0.0
        low = min(low, scale) if scale else low
        high = scale or known.max(initial=low)
        part = np.clip((known - low) / ((high - low) or 1.0), 0, 1)
        found = np.repeat(255 * part[..., None], 3, axis=-1)
    found = np.where(finite[..., None], found, np.array(BROKEN))
    return np.rint(found).astype(np.uint8)


def image(
    pixels: NDArray[np.uint8], x: float, y: float, width: float, height: float, **attributes: Any
) -> str:
    """Pixels (rows, columns, 3 or 4) as an SVG element, with sharp edges."""
    from PIL import Image

    written = io.BytesIO()
    Image.fromarray(pixels).save(written, format="PNG", optimize=True)
    encoded = base64.b64encode(written.getvalue()).decode()
    return svg.element(
        "image",
        x=float(x),
        y=float(y),
        width=float(width),
        height=float(height),
        preserveAspectRatio="none",
        style="image-rendering:pixelated",
        href=f"data:image/png;base64,{encoded}",
        **attributes,
    )
