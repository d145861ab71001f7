"""`connectivity`: one map three times: fully connected, locally connected, and as a convolution."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_cnn.engine.definition import places
from tinygrad_cnn.errors import OptionError, ShapeError
from tinygrad_cnn.kernels.windows import output_sizes
from tinygrad_cnn.ops.windows import padding_pairs, per_axis, read

from ..picture import svg
from ..picture.picture import Picture
from ..picture.svg import wrap

MOST_INPUTS, MOST_OUTPUTS = 36, 48
NONE = -1
# After Okabe and Ito, for the colour-blind; letters tell the weights apart, too.
_SHARED = (
    ("#0072b2", "#ffffff"),
    ("#e69f00", "#1a1a1a"),
    ("#009e73", "#ffffff"),
    ("#cc79a7", "#1a1a1a"),
    ("#56b4e9", "#1a1a1a"),
    ("#d55e00", "#ffffff"),
    ("#f0e442", "#1a1a1a"),
    ("#6b4aa0", "#ffffff"),
)
_OWN = ("#d7dbe0", "#1a1a1a")
_OWN_WIRE = "#8b93a1"
_MARGIN, _GAP, _NODE, _STEP = 18.0, 34.0, 7.0, 24.0


@dataclass(frozen=True)
class Layer:
    """One of the three layers.

    Attributes:
        name: "fully connected", "locally connected" or "convolution".
        matrix: for each output (row) and input (column) the number of the weight between them; −1
            where there is none. One number in several places is one weight, shared.
        weights: how many different weights there are.
        formula: how the number of weights is computed.
        structure: what kind of matrix it is.
    """

    name: str
    matrix: NDArray[np.int64]
    weights: int
    formula: str
    structure: str

    @property
    def places(self) -> str:
        """How often each weight occurs, in words; "" if once, or if it differs."""
        counts = np.unique(self.matrix[self.matrix != NONE], return_counts=True)[1]
        most = counts.max()
        return f", each in {most} places" if most > 1 and most == counts.min() else ""


@dataclass(frozen=True)
class Connectivity:
    """The same map three times.

    Attributes:
        inputs, outputs: their shapes, (n,) or (h, w); of several filters (filters, …).
        kernel: of the window.
        layers: the three.
    """

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    kernel: tuple[int, ...]
    layers: tuple[Layer, ...]


def connectivity(
    size: int | Sequence[int] = 7,
    kernel: int | Sequence[int] = 3,
    stride: Any = 1,
    padding: Any = 0,
    filters: int = 1,
) -> Picture:
    """One small map fully connected, locally connected, and as a convolution.

    Above, the map is drawn as wires, from inputs on the left to outputs on the right. Below, it is
    a matrix that takes the inputs to the outputs: dense, block-sparse, or Toeplitz. Entries with
    the same colour and letter are one shared weight. Grey ones with a number are used only once.

    Args:
        size: of the input, an int, or (h, w) for an image, whose pixels are put in one row.
        kernel, stride, padding: of the windows, as for `tinygrad_cnn.conv2d`.
        filters: how many output channels.

    Returns:
        A Picture. Its data is a `Connectivity`.

    Raises:
        OptionError: more than 36 inputs or 48 outputs, or an invalid option.
        ShapeError: the kernel does not fit, or size has more than two axes.

    Example:
        >>> from viz import connectivity
        >>> {layer.name: layer.weights for layer in connectivity(7, 3).data.layers}
        {'fully connected': 35, 'locally connected': 15, 'convolution': 3}
    """
    data = _connect(size, kernel, stride, padding, filters)
    title = "One map, three times: which weights there are, and which are shared"
    return Picture(_draw(data, title), data, title=title)


# --- data ----------------------------------------------------------------------------------------


def _connect(size: Any, kernel: Any, stride: Any, padding: Any, filters: Any) -> Connectivity:
    name = "connectivity"
    d = len(size) if isinstance(size, tuple | list) else 1
    if d not in (1, 2):
        raise ShapeError(f"{name}: size must be an int or (h, w), got {size!r}")
    inputs = per_axis(size, d, name, "size", 1)
    taps = per_axis(kernel, d, name, "kernel", 1)
    steps = per_axis(stride, d, name, "stride", 1)
    ones = (1,) * d
    pairs = padding_pairs(padding, d, taps, ones, name)
    (channels,) = per_axis(filters, 1, name, "filters", 1)
    outputs = output_sizes(inputs, taps, steps, pairs, ones)
    if min(outputs) < 1:
        raise ShapeError(
            f"{name}: kernel {taps} does not fit into input {inputs} with padding {pairs}"
        )
    n, m, k = math.prod(inputs), math.prod(outputs), math.prod(taps)
    if n > MOST_INPUTS or channels * m > MOST_OUTPUTS:
        raise OptionError(
            f"{name}: {n} inputs and {channels * m} outputs are too many to draw, at most "
            f"{MOST_INPUTS} and {MOST_OUTPUTS}; use a smaller size, or a larger stride"
        )
    dense = np.arange(channels * m * n).reshape(channels * m, n)
    local, shared = np.full_like(dense, NONE), np.full_like(dense, NONE)
    for row, (o, *at) in enumerate(places((channels, *outputs))):
        for tap, a in enumerate(places(taps)):
            cell = read(tuple(at), a, steps, pairs, ones, inputs)
            if cell is not None:
                column = int(np.ravel_multi_index(cell, inputs))
                local[row, column] = row * k + tap
                shared[row, column] = o * k + tap
    used = {weight: i for i, weight in enumerate(sorted({*local.flat} - {NONE}))}
    local = np.vectorize(lambda weight: used.get(weight, NONE))(local)
    f = f"{channels} · " if channels > 1 else ""
    cut = len(used) < channels * m * k
    layers = (
        Layer("fully connected", dense, dense.size, f"{f}{m} · {n}", "dense: one for each pair"),
        Layer(
            "locally connected",
            local,
            len(used),
            f"{f}{m} · {k}" + " less those in the padding" * cut,
            "sparse: a block for each output",
        ),
        Layer(
            "convolution",
            shared,
            channels * k,
            f"{f}{k}",
            "Toeplitz: equal along diagonals" if d == 1 else "block Toeplitz: blocks repeat",
        ),
    )
    shape = (channels, *outputs) if channels > 1 else outputs
    return Connectivity(inputs, shape, taps, layers)


# --- drawing -------------------------------------------------------------------------------------


def _draw(data: Connectivity, title: str) -> str:
    m, n = data.layers[0].matrix.shape
    cell = 22.0 if n <= 12 else 17.0
    panel = max(n * cell, 210.0)
    width = 3 * panel + 2 * _GAP
    lines = wrap(title, width, 15 * 1.1)
    top = _MARGIN + 20 * len(lines) + 10
    parts = [
        svg.text(_MARGIN, _MARGIN + 13 + 20 * i, line, size=15.0, bold=True)
        for i, line in enumerate(lines)
    ]
    step = min(_STEP, 420.0 / max(m, n))
    wires = step * max(m, n)
    for i, layer in enumerate(data.layers):
        x = _MARGIN + i * (panel + _GAP)
        middle = x + panel / 2
        parts.append(svg.text(middle, top + 14, layer.name, size=14.0, anchor="middle", bold=True))
        told = f"{layer.formula} = " if not layer.formula.isdigit() else ""
        words = f"{told}{layer.weights} weight{'s' * (layer.weights != 1)}{layer.places}"
        lines = wrap(words, panel, 12)
        parts += [
            svg.text(middle, top + 33 + 15 * j, line, anchor="middle")
            for j, line in enumerate(lines)
        ]
        above = top + 58
        parts += _wires(layer, x + 24, above, panel - 48, wires, step)
        below = above + wires + 26
        parts.append(
            svg.text(middle, below, layer.structure, size=11.0, anchor="middle", fill=svg.FAINT)
        )
        parts += _matrix(layer, middle - n * cell / 2, below + 9, cell)
    y = top + 58 + wires + 26 + 9 + m * cell
    sizes = [" × ".join(map(str, s)) for s in (data.inputs, data.outputs, data.kernel)]
    notes = (
        f"Input {sizes[0]}, output {sizes[1]}, kernel {sizes[2]}; biases are left out. "
        "One colour and letter: one weight, which all its places share. "
        "Grey, with a number: a weight of its own. Rows of a matrix are outputs, columns inputs."
    )
    for line in wrap(notes, width, 11.0):
        y += 17
        parts.append(svg.text(_MARGIN, y + 6, line, size=11.0, fill=svg.FAINT))
    return svg.document(width + 2 * _MARGIN, y + _MARGIN + 4, *parts, title=title, adapts=True)


def _letter(weight: int) -> str:
    """a, b, …, z, aa, ab, …"""
    first, last = divmod(weight, 26)
    return ("" if not first else _letter(first - 1)) + "abcdefghijklmnopqrstuvwxyz"[last]


def _look(layer: Layer, weight: int) -> tuple[str, str, str]:
    """Label, fill and ink of a weight."""
    if layer.name == "convolution":
        return _letter(weight), *_SHARED[weight % len(_SHARED)]
    return str(weight + 1), *_OWN


def _wires(layer: Layer, x: float, y: float, width: float, height: float, step: float) -> list[str]:
    m, n = layer.matrix.shape
    left = [(x, y + height / 2 + (j - (n - 1) / 2) * step) for j in range(n)]
    right = [(x + width, y + height / 2 + (i - (m - 1) / 2) * step) for i in range(m)]
    shared = layer.name == "convolution"
    parts = []
    for i, j in np.argwhere(layer.matrix != NONE):
        label, fill, _ = _look(layer, int(layer.matrix[i, j]))
        parts.append(
            svg.group(
                svg.line(
                    *left[j],
                    *right[i],
                    stroke=fill if shared else _OWN_WIRE,
                    stroke_width=2.2 if shared else 1.0,
                ),
                class_="wire",
                tooltip=f"weight {label}: input {j} → output {i}",
            )
        )
    radius = min(_NODE, step / 2 - 1.5)
    for points, fill in ((left, "#fde0b8"), (right, "#bfe8d8")):
        kind = "window" if points is left else "output"
        parts += [
            svg.element(
                "circle", cx=cx, cy=cy, r=radius, fill=fill, stroke=svg.FAINT, class_=f"dot {kind}"
            )
            for cx, cy in points
        ]
    return parts


def _matrix(layer: Layer, x: float, y: float, cell: float) -> list[str]:
    m, n = layer.matrix.shape
    parts = [svg.rect(x, y, n * cell, m * cell, fill="#ffffff", stroke="#9ca3af", class_="paper")]
    size = 10.0 if cell > 20 else 8.0
    longest = max(
        svg.text_width(_look(layer, int(w))[0], size) for w in layer.matrix.flat if w >= 0
    )
    for (i, j), weight in np.ndenumerate(layer.matrix):
        if weight == NONE:
            continue
        label, fill, ink = _look(layer, int(weight))
        left, top = x + j * cell, y + i * cell
        drawn = [svg.rect(left, top, cell, cell, fill=fill, stroke="#ffffff", stroke_width=0.8)]
        if longest <= cell - 2:
            drawn.append(
                svg.text(
                    left + cell / 2, top + cell / 2 + 3.6, label, size=size, anchor="middle",
                    fill=ink,
                )
            )  # fmt: skip
        told = f"weight {label}: input {j} → output {i}"
        parts.append(svg.group(*drawn, class_="entry", tooltip=told))
    return parts
