"""`batch_norm`: what batch normalisation does to a batch, and which elements share statistics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import tinygrad_cnn as tg
from tinygrad_cnn.errors import DtypeError, ShapeError

from ..picture import svg
from ..picture.picture import Picture
from ..picture.raster import colors, image
from ..picture.sheet import largest, not_finite

MAX_EXAMPLES, MAX_CHANNELS = 6, 6
_MARGIN, _GAP, _TILE = 20.0, 5.0, 38.0
_FRAMES = ("#0072b2", "#d55e00", "#009e73", "#5b4bb5", "#cc79a7", "#a6761d")


def batch_norm(x: Any, weight: Any = None, bias: Any = None, *, eps: float = 1e-5) -> Picture:
    """Draw a batch before batch normalisation, normalised, and scaled.

    A row is an example, a column a channel. All elements in a frame share one mean μ and one
    variance σ², written below it. They are taken over the batch and over all places, but not over
    channels. Below that, each channel's mean ± σ and its smallest and largest value share an axis.

    Args:
        x: (N, C, H, W), (N, C, L) or (N, C). The first 6 examples and channels are drawn; the
            statistics are those of all examples.
        weight, bias: γ and β, (C,) each; 1 and 0 if None.
        eps: added to the variance.

    Returns:
        A Picture. Its data lists the three stages: ``title``, ``values`` (as x), ``mean`` and
        ``std`` of each channel.

    Raises:
        ShapeError: x of another shape or empty, or with only one value per channel.
        DtypeError: x is no array of real numbers.

    Example:
        >>> import numpy as np
        >>> picture = batch_norm(np.arange(8.0).reshape(2, 2, 1, 2), weight=[1.0, 2.0])
        >>> [stage["mean"].round(3).tolist() for stage in picture.data]
        [[2.5, 4.5], [0.0, 0.0], [0.0, 0.0]]
    """
    array = _array("x", x)
    if array.ndim not in (2, 3, 4) or not array.size:
        raise ShapeError(
            f"batch_norm: x must be (N, C, H, W), (N, C, L) or (N, C), got {array.shape}"
        )
    gamma = None if weight is None else _array("weight", weight)
    beta = None if bias is None else _array("bias", bias)
    normalised = tg.batch_norm_train(array, eps=eps)[0]
    scaled = tg.batch_norm_train(array, gamma, beta, eps=eps)[0]
    alike = gamma is None and beta is None
    stages = [
        _Stage("Before", array),
        _Stage("Normalised: (x − μ) / √(σ² + ε)", normalised),
        _Stage("Scaled: γ = 1, β = 0" if alike else "Scaled: γ · x̂ + β", scaled),
    ]
    data = [{"title": s.title, "values": s.values, "mean": s.mean, "std": s.std} for s in stages]
    count = array.size // array.shape[1]
    title = f"Batch normalisation: {count:,} elements share a mean and a variance"
    return Picture(_drawn(stages, title), data, title=title)


def _array(what: str, values: Any) -> NDArray[np.float64]:
    array = values.numpy() if isinstance(values, tg.Tensor) else np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise DtypeError(f"batch_norm: {what} must hold real numbers, got {array.dtype}")
    return array.astype(np.float64)


@dataclass(frozen=True)
class _Stage:
    """The batch at one point.

    Attributes:
        title: above it.
        values: (N, C, …).
    """

    title: str
    values: NDArray[np.float64]

    @property
    def channels(self) -> NDArray[np.float64]:
        """The values as (C, n): those in a row share their statistics."""
        return np.moveaxis(self.values, 1, 0).reshape(self.values.shape[1], -1)

    @property
    def mean(self) -> NDArray[np.float64]:
        return self.channels.mean(axis=1)

    @property
    def std(self) -> NDArray[np.float64]:
        return self.channels.std(axis=1)

    @property
    def planes(self) -> NDArray[np.float64]:
        """What is drawn of the values, as (N, C, H, W)."""
        values = self.values[:MAX_EXAMPLES, :MAX_CHANNELS]
        return values.reshape(*values.shape[:2], *(1, 1, *values.shape[2:])[-2:])


# --- drawing -------------------------------------------------------------------------------------


def _drawn(stages: list[_Stage], title: str) -> str:
    planes = stages[0].planes
    count, channels, rows, columns = planes.shape
    across = _TILE
    down = max(8.0, _TILE * min(rows / columns, 2.0))
    block = max(230.0, channels * (across + _GAP) + 2 * _GAP)
    parts = [svg.text(_MARGIN, 28, title, size=16, bold=True)]
    shape = stages[0].values.shape
    words = "A row is an example, a column a channel; what is in one frame is normalised together."
    left_out = []
    if count < shape[0]:
        left_out.append(f"the first {count} of {shape[0]} examples")
    if channels < shape[1]:
        left_out.append(f"the first {channels} of {shape[1]} channels")
    notes = [words, "Drawn: " + " and ".join(left_out) + "; all count."] if left_out else [words]
    broken = not_finite(stages[0].values)
    if broken:
        notes.append(f"NaN or infinite: {broken} (crimson). They spoil their channels.")
    y = 36.0
    for note in notes:
        parts.append(svg.text(_MARGIN, y + 12, note, size=12.5, fill=svg.FAINT))
        y += 18
    top = y + 34
    for k, stage in enumerate(stages):
        x = _MARGIN + k * (block + 46)
        parts.append(svg.text(x, top - 12, stage.title, size=13, bold=True))
        parts.append(_tiles(stage, x, top, across, down))
        foot = top + count * (down + _GAP) + _GAP
        parts += _statistics(stage, x, foot, across)
        parts.append(_intervals(stage, x, foot + 50, block))
        if k < 2:
            at = x + block + 23
            middle = top + count * (down + _GAP) / 2
            parts.append(svg.text(at, middle, "→", size=22, anchor="middle", fill=svg.FAINT))
    width = max(
        _MARGIN * 2 + 3 * block + 92,
        *(_MARGIN * 2 + svg.text_width(note, 12.5) for note in notes),
        _MARGIN * 2 + svg.text_width(title, 16, bold=True),
    )
    height = foot + 50 + 20.0 * channels + 40
    return svg.document(width, height, *parts, title=title, adapts=True)


def _tiles(stage: _Stage, x: float, y: float, across: float, down: float) -> str:
    planes = stage.planes
    scale = largest(planes) or 1.0
    parts = []
    for c in range(planes.shape[1]):
        left = x + c * (across + _GAP)
        for n in range(planes.shape[0]):
            pixels = colors(planes[n, c], scale, signed=True)
            at = (left, y + n * (down + _GAP))
            tile = image(pixels, *at, across, down)
            edge = svg.rect(*at, across, down, fill="none", stroke="#9ca3af", stroke_width=0.6)
            parts.append(svg.group(tile, edge, class_="tile", tooltip=f"example {n}, channel {c}"))
        high = planes.shape[0] * (down + _GAP) + 1
        parts.append(
            svg.rect(
                left - 2.5,
                y - 3,
                across + 5,
                high,
                rx=3.0,
                fill="none",
                stroke=_FRAMES[c],
                stroke_width=2.2,
                class_="shared",
            )
        )
    return svg.group(*parts)


def _statistics(stage: _Stage, x: float, y: float, across: float) -> list[str]:
    """μ and σ below each column."""
    parts = [
        svg.text(x - 6, y + 14, "μ", size=12, anchor="end"),
        svg.text(x - 6, y + 29, "σ", size=12, anchor="end"),
    ]
    for c in range(stage.planes.shape[1]):
        middle = x + c * (across + _GAP) + across / 2
        for line, value in enumerate((stage.mean[c], stage.std[c])):
            said = _short(float(value))
            parts.append(svg.text(middle, y + 14 + 15 * line, said, size=11, anchor="middle"))
    return parts


def _short(value: float) -> str:
    rounded = 0.0 if abs(value) < 5e-4 else value
    if not np.isfinite(rounded) or 1e-2 <= abs(rounded) < 1000 or not rounded:
        return f"{rounded:.3g}" if abs(rounded) >= 100 else f"{rounded:.2f}"
    return f"{rounded:.0e}"


def _intervals(stage: _Stage, x: float, y: float, width: float) -> str:
    """Each channel's range, thin, and its mean ± σ, thick, on an axis for all of the stage."""
    shown = stage.channels[: stage.planes.shape[1]]
    finite = shown[np.isfinite(shown)]
    low, high = (min(0.0, finite.min()), max(0.0, finite.max())) if finite.size else (0.0, 1.0)
    reach = (high - low) or 1.0
    bottom = y + 20.0 * len(shown)

    def at(value: float) -> float:
        return x + width * float((value - low) / reach)

    parts = [
        svg.line(at(0.0), y, at(0.0), bottom, stroke="#9ca3af"),
        svg.line(x, bottom, x + width, bottom, stroke="#9ca3af"),
    ]
    ends = [(low, None if low < 0 else "middle"), (high, "end" if high > 0 else "middle")]
    parts += [
        svg.text(at(v), bottom + 14, f"{v:.3g}", size=11, anchor=where) for v, where in ends if v
    ]
    if 34 < at(0.0) - x < width - 34 or low == 0 or high == 0:
        parts.append(svg.text(at(0.0), bottom + 14, "0", size=11, anchor="middle"))
    for c, values in enumerate(shown):
        row = y + 10 + 20 * c
        if not np.isfinite(values).all():
            parts.append(svg.text(x, row + 4, "NaN or infinite", size=11, fill="#d1004b"))
            continue
        mean, std = values.mean(), values.std()
        color = _FRAMES[c]
        ends_of = (at(values.min()), row, at(values.max()), row)
        within = (at(max(mean - std, low)), row, at(min(mean + std, high)), row)
        parts.append(svg.line(*ends_of, stroke=color, stroke_width=1.2))
        parts.append(svg.line(*within, stroke=color, stroke_width=6.0, stroke_opacity=0.55))
        parts.append(svg.element("circle", cx=at(mean), cy=row, r=4.0, fill=color))
    return svg.group(*parts, class_="intervals")
