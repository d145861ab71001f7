"""`histograms`: how the values and the gradients of each layer are distributed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_cnn import Description
from tinygrad_cnn.engine.op import OUTPUT
from tinygrad_cnn.errors import DtypeError, GraphError, OptionError
from tinygrad_cnn.recording.trace import Trace

from ..graphs.norms import log10
from ..picture import svg
from ..picture.picture import Picture
from ..picture.style import MARKS, kind_of

MAX_LAYERS = 80
_BINS = 48
_MARGIN, _NAME, _PANEL, _APART = 16.0, 200.0, 260.0, 104.0
_HIGH, _ROW = 34.0, 62.0  # of a histogram, and of a row
_BLUE, _ORANGE = "#0067a3", "#e69f00"

Row = dict[str, Any]


def histograms(trace: Trace, *, layers: str | Sequence[str] | None = None) -> Picture:
    """Histograms of every layer's values and of the gradients that reached them.

    Values have an axis of their own for each layer, with its ends written below. Absolute values of
    gradients have one logarithmic axis for all layers: it shows how gradients shrink or grow from
    layer to layer. Zeros, NaN and infinities are in no bar; their share is written beside it.

    Args:
        trace: of a program, with or without a backward pass.
        layers: which layers to show, by their dotted names or the beginnings of these; all if None.

    Returns:
        A Picture. Its data lists the layers: ``layer``, ``op``, and ``values`` and ``gradients``,
        each with ``size``, ``zeros``, ``not_finite``, and ``counts`` between ``edges`` (of
        gradients, log₁₀ of the absolute value); ``gradients`` is None where none arrived.

    Raises:
        GraphError: the trace keeps statistics alone, or holds no op.
        OptionError: no layer of that name, or more than 80 layers.
        DtypeError: `trace` is no Trace.

    Example:
        >>> import tinygrad_cnn as tg
        >>> x = tg.Tensor([-1.0, 2.0, 3.0, 4.0], requires_grad=True)
        >>> with tg.trace() as t:
        ...     x.relu().sum().backward()
        >>> [(row["op"], row["values"]["zeros"]) for row in histograms(t).data]
        [('relu', 1), ('sum', 0)]
    """
    if not isinstance(trace, Trace):
        raise DtypeError(f"histograms: a Trace is needed, got {type(trace).__name__}")
    events = [
        event
        for event in trace.forward_events
        if event.node.op is not OUTPUT
        and kind_of(event.node) != "shape"
        and not isinstance(event.output, tuple)
    ]
    if layers is not None:
        names = [layers] if isinstance(layers, str) else list(layers)
        for name in names:
            if not any(f"{e.scope}.".startswith(f"{name}.") for e in events):
                known = ", ".join(dict.fromkeys(e.scope for e in events if e.scope))
                raise OptionError(f"histograms: no layer {name!r}; there are {known or 'none'}")
        events = [e for e in events if any(f"{e.scope}.".startswith(f"{n}.") for n in names)]
    if not events:
        raise GraphError(
            "histograms: the trace holds no op; compute inside `with tg.trace() as t:`"
        )
    if len(events) > MAX_LAYERS:
        raise OptionError(
            f"histograms: {len(events)} layers are more than {MAX_LAYERS} on a page; choose some: "
            f'layers=["{events[0].scope}", …]'
        )
    if any(isinstance(event.output, Description) for event in events):
        raise GraphError(
            'histograms: the trace keeps statistics alone; record with trace(keep="values")'
        )
    gradients = [trace.gradient(event.node) for event in events]
    ends = _decades(gradients)
    data = [
        {
            "layer": event.scope,
            "op": event.op,
            "values": counted(event.output),
            "gradients": None if g is None else counted(g, logarithmic=ends),
        }
        for event, g in zip(events, gradients, strict=True)
    ]
    title = "Values and gradients, layer by layer"
    return Picture(_drawn(data, ends, title), data, title=title)


def counted(array: Any, logarithmic: tuple[int, int] | None = None) -> Row:
    """How many elements are in each bin. Zeros, NaN and infinities are counted separately.

    Args:
        array: the numbers.
        logarithmic: the decades between which log₁₀ of the absolute values is counted. If None,
            the numbers themselves are counted, from the smallest to the largest.

    Example:
        >>> counted(np.array([0.0, 1.0, 1.0, np.nan]))["zeros"]
        1
    """
    values = np.ravel(np.asarray(array, np.float64))
    finite = values[np.isfinite(values)]
    others = finite[finite != 0]
    if logarithmic:
        span: tuple[float, float] = logarithmic
        others = np.round(np.log10(np.abs(others)), 9)  # as `norms.log10` does
    else:
        span = _span(finite)
    counts, edges = np.histogram(others, _BINS, span)
    return {
        "size": values.size,
        "zeros": finite.size - int(others.size),
        "not_finite": values.size - finite.size,
        "counts": counts,
        "edges": edges,
    }


def _span(finite: NDArray[np.float64]) -> tuple[float, float]:
    """From the smallest to the largest number; a little wider if bins could not tell them apart."""
    if not finite.size:
        return -0.5, 0.5
    low, high = float(finite.min()), float(finite.max())
    size = max(-low, high)
    if high / 2 - low / 2 < 1e-9 * size or size < 1e-290:
        apart = size / 1000 if size > 1e-290 else 0.5
        return low - apart, high + apart
    return low, high


def _decades(gradients: Sequence[Any]) -> tuple[int, int]:
    """The powers of ten between which all sizes of gradients are; at least one decade."""
    low, high = math.inf, -math.inf
    for gradient in gradients:
        if gradient is not None:
            sizes = np.abs(np.asarray(gradient, np.float64))
            sizes = sizes[np.isfinite(sizes) & (sizes > 0)]
            low = min(low, float(sizes.min(initial=np.inf)))
            high = max(high, float(sizes.max(initial=0.0)))
    if not math.isfinite(low):
        return -1, 0
    least = math.floor(log10(low))
    return least, max(least + 1, math.ceil(log10(high)))


# --- drawing -------------------------------------------------------------------------------------


def _drawn(data: Sequence[Row], ends: tuple[int, int], title: str) -> str:
    left, right = _MARGIN + _NAME, _MARGIN + _NAME + _PANEL + _APART
    width = right + _PANEL + _APART
    top = 84.0
    bottom = top + _ROW * len(data)
    parts = [
        svg.text(_MARGIN, 28, title, size=16, bold=True),
        svg.text(left, 54, "values", size=13, bold=True),
        svg.text(right, 54, "gradients, by size", size=13, bold=True),
    ]
    if any(row["gradients"] for row in data):
        parts.append(_axis(ends, right, top - 8, bottom - 14))
    for i, row in enumerate(data):
        y = top + _ROW * i
        name = row["layer"] or row["op"]
        parts.append(svg.text(_MARGIN, y + 18, svg.shorten(name, 26), size=12.5, bold=True))
        if row["layer"]:
            parts.append(svg.text(_MARGIN, y + 33, row["op"], size=11.5, fill=svg.FAINT))
        values, gradients = row["values"], row["gradients"]
        parts.append(_histogram(values, left, y, _BLUE, f"values of {name}"))
        parts += _ends_of(values, left, y)
        parts += _told(values, left, y)
        if gradients is None:
            words = svg.text(right, y + _HIGH - 4, "no gradient", size=11.5, fill=svg.FAINT)
            parts.append(words)
        else:
            parts.append(_histogram(gradients, right, y, _ORANGE, f"gradients at {name}"))
            parts += _told(gradients, right, y)
    return svg.document(width, bottom + 8, *parts, title=title, adapts=True)


def _axis(ends: tuple[int, int], x: float, top: float, bottom: float) -> str:
    """Powers of ten above all rows, with thin lines through them."""
    low, high = ends
    step = max(1, math.ceil((high - low) / 6))
    parts = []
    for exponent in range(low, high + 1, step):
        at = x + _PANEL * (exponent - low) / (high - low)
        parts.append(svg.line(at, top, at, bottom, stroke="#e5e7eb", class_="grid"))
        parts.append(svg.text(at, top - 3, f"1e{exponent:+03d}", size=11, anchor="middle"))
    return svg.group(*parts, class_="axis")


def _histogram(row: Row, x: float, y: float, color: str, hint: str) -> str:
    """A histogram as one filled outline. Its highest bin takes the whole height."""
    counts: NDArray[Any] = row["counts"]
    base, step = y + _HIGH, _PANEL / len(counts)
    unit = _HIGH / max(int(counts.max()), 1)
    d = f"M{svg.number(x)},{svg.number(base)}"
    for k, count in enumerate(counts):
        high = base - unit * float(count)
        d += f"V{svg.number(high)}H{svg.number(x + step * (k + 1))}"
    d += f"V{svg.number(base)}Z"
    return svg.group(
        svg.path(d, fill=color, fill_opacity=0.85),
        svg.line(x, base, x + _PANEL, base, stroke="#9ca3af"),
        class_="bar histogram",
        tooltip=hint,
    )


def _ends_of(row: Row, x: float, y: float) -> list[str]:
    """The ends of a linear axis, and 0 if it is between."""
    low, high = float(row["edges"][0]), float(row["edges"][-1])
    base = y + _HIGH
    parts = [
        svg.text(x, base + 12, f"{low:.3g}", size=11),
        svg.text(x + _PANEL, base + 12, f"{high:.3g}", size=11, anchor="end"),
    ]
    if low < 0 < high:
        at = x + _PANEL * (0 - low) / (high - low)
        parts.append(svg.line(at, y, at, base + 4, stroke=svg.FAINT))
        if 46 < at - x < _PANEL - 46:
            parts.append(svg.text(at, base + 13, "0", size=11, anchor="middle"))
    return parts


def _told(row: Row, x: float, y: float) -> list[str]:
    """The shares of zeros, NaN and infinities, which are in no bar."""
    told = (
        (row["zeros"], "exactly 0", MARKS["zero"]),
        (row["not_finite"], "NaN or infinite", MARKS["broken"]),
    )
    lines = [
        (line, color)
        for count, words, color in told
        if count
        for line in (f"{100 * count / row['size']:.3g} %", words)
    ]
    return [
        svg.text(x + _PANEL + 8, y + 8 + 12 * i, line, size=11, fill=color)
        for i, (line, color) in enumerate(lines)
    ]
