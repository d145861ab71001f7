"""`gradient_bars`: the norm of each parameter's gradient, layer by layer."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np

from tinygrad_cnn.errors import GraphError, OptionError
from tinygrad_cnn.graph import Edge, Node
from tinygrad_cnn.trace import Trace

from . import svg
from .diagram import LINE_SIZE
from .norms import MARKS, Scale, need_backward, norm, norm_text, state
from .picture import Picture

_WEIGHT, _BIAS = "#0067a3", "#e69f00"
_BAR, _BETWEEN, _PANEL = 10.0, 9.0, 240.0


def gradient_bars(
    traces: Trace | Mapping[str, Trace], *, title: str = "gradient norms per layer"
) -> Picture:
    """Bars of the norm of each parameter's gradient, layer by layer, on a logarithmic axis.

    Weights are blue, biases orange. Several traces stand side by side on one axis.

    Args:
        traces: of programs that ran a backward pass; one, or several by name.
        title: above the bars.

    Returns:
        A Picture. Its data is {trace's name: [{layer, parameter, shape, norm, state}, …]}.

    Raises:
        OptionError: no traces.
        GraphError: a trace holds no backward pass, or no parameter.

    Example:
        >>> import tinygrad_cnn as tg
        >>> layer = tg.nn.Linear(3, 2)
        >>> with tg.trace() as t:
        ...     layer(tg.Tensor([[1.0, 2.0, 3.0]])).sum().backward()
        >>> [(row["parameter"], round(row["norm"], 3)) for row in gradient_bars(t).data[""]]
        [('weight', 5.292), ('bias', 1.414)]
    """
    named = {"": traces} if isinstance(traces, Trace) else dict(traces)
    if not named:
        raise OptionError("gradient_bars: at least one trace is needed")
    for trace in named.values():
        need_backward(trace, "gradient_bars")
    data = {name: parameter_norms(trace) for name, trace in named.items()}
    for name, rows in data.items():
        if not rows:
            raise GraphError(f"gradient_bars: no parameter was used in trace {name!r}")
    return Picture(_bars(data, title), data, title=title)


def parameter_norms(trace: Trace) -> list[dict[str, Any]]:
    """The norm of each parameter's gradient, in order of first use: see `gradient_bars`."""
    graph = trace.graph
    gradients = trace.edge_gradients()
    layers: dict[Node, str] = {}
    total: dict[Node, Any] = defaultdict(lambda: None)
    uses: list[tuple[Edge, Node]] = [
        (edge, graph.nodes[edge.producer])
        for edge in graph.edges
        if graph.nodes[edge.producer].role == "parameter"
    ]
    for edge, parameter in uses:
        consumer = graph.nodes[edge.consumer]
        layers.setdefault(parameter, consumer.scope)
        gradient = gradients.get((consumer, edge.argument))
        if gradient is not None:
            before = total[parameter]
            total[parameter] = gradient if before is None else before + gradient
    return [
        {
            "layer": layer,
            "parameter": parameter.name or "parameter",
            "shape": list(np.shape(parameter.value)),
            "norm": (size := norm(total[parameter])),
            "state": state(size),
        }
        for parameter, layer in layers.items()
    ]


def _bars(data: Mapping[str, list[dict[str, Any]]], title: str) -> str:
    layers: dict[str, dict[str, None]] = defaultdict(dict)  # layer → its parameters, in order
    for rows in data.values():
        for row in rows:
            layers[row["layer"]].setdefault(row["parameter"])
    scale = Scale.of([row["norm"] for rows in data.values() for row in rows])
    names = [svg.text_width(svg.shorten(layer), LINE_SIZE) for layer in layers]
    left = max([*names, 40.0]) + 14
    top = 62.0 if any(data) else 48.0
    tops = {}
    y = top
    for layer, parameters in layers.items():
        tops[layer] = y
        y += len(parameters) * _BAR + _BETWEEN
    bottom = y
    parts = [svg.text(0, 15, title, size=14, bold=True), *_bar_key(layers)]
    for layer, at in tops.items():
        middle = at + len(layers[layer]) * _BAR / 2 + 4
        parts.append(
            svg.text(left - 8, middle, svg.shorten(layer) or "(top)", size=LINE_SIZE, anchor="end")
        )
    room = 70.0  # beside the longest bar, for its number
    for i, (name, rows) in enumerate(data.items()):
        x = left + i * (_PANEL + room)
        if name:
            parts.append(svg.text(x, top - 8, svg.shorten(name, 36), size=12, bold=True))
        parts += _axis(x, top, bottom, scale)
        for row in rows:
            order = list(layers[row["layer"]]).index(row["parameter"])
            parts.append(_bar(row, x, tops[row["layer"]] + order * _BAR, scale))
    width = left + len(data) * (_PANEL + room)
    width = max(width, svg.text_width(title, 14, bold=True), 330.0)
    inner = svg.group(*parts, transform="translate(14 12)")
    return svg.document(width + 28, bottom + 40, inner, title=title)


def _bar_key(layers: Mapping[str, Mapping[str, None]]) -> list[str]:
    words = [("weights", _WEIGHT), ("biases", _BIAS)]
    parts = []
    x = 0.0
    for word, color in words:
        parts.append(svg.rect(x, 26, 12, 8, fill=color))
        parts.append(svg.text(x + 17, 34, word, size=LINE_SIZE))
        x += 30 + svg.text_width(word, LINE_SIZE)
    note = "norm of the gradient, logarithmic"
    return [*parts, svg.text(x, 34, note, size=LINE_SIZE, fill=svg.FAINT)]


def _axis(x: float, top: float, bottom: float, scale: Scale) -> list[str]:
    parts = [svg.line(x, top - 2, x, bottom, stroke="#6b7280")]
    step = max(1, math.ceil((scale.high - scale.low) / 4))
    for exponent in range(scale.low, scale.high + 1, step):
        at = x + _PANEL * (exponent - scale.low) / (scale.high - scale.low)
        parts.append(svg.line(at, top - 2, at, bottom, stroke="#d7dbe0", stroke_width=0.7))
        parts.append(
            svg.text(
                at, bottom + 14, f"1e{exponent:+03d}", size=10, anchor="middle", fill=svg.FAINT
            )
        )
    return parts


def _bar(row: Mapping[str, Any], x: float, y: float, scale: Scale) -> str:
    bias = row["parameter"].rpartition(".")[2].startswith("bias")
    said = f"{row['layer']} {row['parameter']} {tuple(row['shape'])}: {norm_text(row['norm'])}"
    length = 0.0
    parts = []
    if row["state"] == "flows":
        length = max(_PANEL * scale.share(row["norm"]), 1.0)
        color = _BIAS if bias else _WEIGHT
        parts.append(svg.rect(x, y + 1, length, _BAR - 2, fill=color))
    ink = {**MARKS, "flows": svg.INK, "none": svg.FAINT}[row["state"]]
    parts.append(svg.text(x + length + 5, y + _BAR - 1.5, norm_text(row["norm"]), size=9, fill=ink))
    return svg.group(*parts, class_="bar", tooltip=said)
