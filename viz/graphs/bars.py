"""`gradient_bars`: how large each parameter's gradient is, layer by layer."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tinygrad_cnn import Statistics
from tinygrad_cnn.engine.node import Node
from tinygrad_cnn.errors import GraphError, OptionError
from tinygrad_cnn.recording.trace import Trace

from ..picture import svg
from ..picture.picture import Picture
from ..picture.style import MARKS
from .diagram import LINE_SIZE
from .norms import Scale, need_backward, norm, norm_text, state

Row = dict[str, Any]
MAX_ROWS = 120  # if there are more parameters, those of a module share a row
MAX_PANELS = 6  # if there are more traces, a map is drawn
_BAR, _BETWEEN, _TOP = 10.0, 9.0, 62.0
_NUMBER = 62.0  # beside the longest bar, for its number
_INK = {"weight": ("#0067a3", "#8cc0e3"), "bias": ("#e69f00", "#f5d08c")}  # mean, maximum


def gradient_bars(
    traces: Trace | Mapping[str, Trace],
    *,
    depth: int | None = None,
    kind: str | None = None,
    title: str = "gradients, layer by layer",
) -> Picture:
    """How large the entries of each parameter's gradient are: mean, max and min of |gradient|.

    The axis is logarithmic; weights are blue, biases orange. Several traces stand side by side on
    one axis: two activations, a plain and a residual network, or the steps of a training run.

    Args:
        traces: of programs that ran a backward pass; one, or several by name.
        depth: put the parameters of each module at this depth of nesting together. If None, this
            is done only if there are more than 120 parameters.
        kind: "bars", or "map": a cell for each layer and trace, coloured by the mean. If None, bars
            for up to 6 traces, and the map for more.
        title: above the bars.

    Returns:
        A Picture. Its data is {trace's name: [{layer, parameter, shape, norm, mean, max, min,
        state}, …]}, one entry a parameter (or, put together, one for the weights and one for the
        biases of a module); mean, max and min are of absolute values.

    Raises:
        OptionError: no traces, a depth below 1, or another kind.
        GraphError: a trace holds no backward pass, or no parameter.

    Example:
        >>> import tinygrad_cnn as tg
        >>> layer = tg.nn.Linear(3, 2)
        >>> with tg.trace() as t:
        ...     layer(tg.Tensor([[1.0, 2.0, 3.0]])).sum().backward()
        >>> [(row["parameter"], row["mean"], row["max"]) for row in gradient_bars(t).data[""]]
        [('weight', 2.0, 3.0), ('bias', 1.0, 1.0)]
    """
    named = {"": traces} if isinstance(traces, Trace) else dict(traces)
    if not named:
        raise OptionError("gradient_bars: at least one trace is needed")
    if depth is not None and depth < 1:
        raise OptionError(f"gradient_bars: depth must be 1 or more, got {depth}")
    if kind not in {None, "bars", "map"}:
        raise OptionError(f'gradient_bars: kind must be "bars" or "map", got {kind!r}')
    for trace in named.values():
        need_backward(trace, "gradient_bars")
    data = {name: parameter_norms(trace) for name, trace in named.items()}
    for name, rows in data.items():
        if not rows:
            raise GraphError(f"gradient_bars: no parameter was used in trace {name!r}")
    data = _together(data, depth)
    as_map = kind == "map" or (kind is None and len(data) > MAX_PANELS)
    return Picture(_map(data, title) if as_map else _bars(data, title), data, title=title)


# --- data ----------------------------------------------------------------------------------------


def parameter_norms(trace: Trace) -> list[Row]:
    """The size of each parameter's gradient, in order of first use: see `gradient_bars`."""
    graph = trace.graph
    gradients = trace.edge_gradients()
    layers: dict[Node, str] = {}
    total: dict[Node, Any] = {}
    for edge in graph.edges:
        parameter, consumer = graph.nodes[edge.producer], graph.nodes[edge.consumer]
        if parameter.role != "parameter":
            continue
        layers.setdefault(parameter, consumer.scope)
        gradient = gradients.get((consumer, edge.argument))
        if isinstance(gradient, Statistics):  # cannot be added; take those of the whole gradient
            total[parameter] = parameter.grad
        elif gradient is not None:
            total[parameter] = total[parameter] + gradient if parameter in total else gradient
    return [
        {
            "layer": layer,
            "parameter": parameter.name or "parameter",
            "shape": list(np.shape(parameter.value)),
            **_sizes(total.get(parameter)),
        }
        for parameter, layer in layers.items()
    ]


def _sizes(gradient: Any) -> Row:
    """Norm of a gradient, and mean, max and min of its absolute values; None for no gradient."""
    if gradient is None:
        return {"norm": None, "mean": None, "max": None, "min": None, "state": "none"}
    if isinstance(gradient, Statistics):
        size, known = gradient.norm, gradient.size and not gradient.not_finite
        largest = max(-gradient.min, gradient.max) if known else size  # else 0, NaN or infinite
        return {
            "norm": size,
            "mean": gradient.mean_abs if known else size,
            "max": largest,
            "min": gradient.min_abs if known else size,
            "state": state(largest),
        }
    values = np.abs(np.asarray(gradient, np.float64))
    largest = float(values.max(initial=0.0))
    scale = largest if largest and math.isfinite(largest) else 1.0  # so that no sum overflows
    return {
        "norm": norm(gradient),
        "mean": scale * float((values / scale).mean()) if values.size else 0.0,
        "max": largest,
        "min": float(values.min(initial=largest)),
        "state": state(largest),
    }


def _together(data: Mapping[str, list[Row]], depth: int | None) -> dict[str, list[Row]]:
    """The rows; those of a module put together, if asked for, or if there are too many."""
    if depth is None and len(_keys(data.values())) <= MAX_ROWS:
        return dict(data)
    deepest = max(row["layer"].count(".") + 1 for rows in data.values() for row in rows)
    for level in range(deepest, 0, -1) if depth is None else (depth,):
        found = {name: _by_module(rows, level) for name, rows in data.items()}
        if len(_keys(found.values())) <= MAX_ROWS:
            break
    return found


def _by_module(rows: Iterable[Row], level: int) -> list[Row]:
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        layer = ".".join(row["layer"].split(".")[:level])
        groups[layer, "biases" if _is_bias(row) else "weights"].append(row)
    return [
        {"layer": layer, "parameter": kind, **_joined(found)}
        for (layer, kind), found in groups.items()
    ]


def _joined(rows: Sequence[Row]) -> Row:
    given = [row for row in rows if row["max"] is not None]
    shape = [sum(math.prod(row["shape"]) for row in rows)]
    if not given:
        return {"shape": shape, **_sizes(None)}
    counts = [math.prod(row["shape"]) for row in given]
    largest = float(np.max([row["max"] for row in given]))
    return {
        "shape": shape,
        "norm": norm(np.array([row["norm"] for row in given])),
        "mean": float(np.average([row["mean"] for row in given], weights=counts)),
        "max": largest,
        "min": float(np.min([row["min"] for row in given])),
        "state": state(largest),
    }


def _is_bias(row: Mapping[str, Any]) -> bool:
    return row["parameter"].rpartition(".")[2].startswith("bias")


def _keys(every: Iterable[Iterable[Row]]) -> list[tuple[str, str]]:
    """Layer and parameter of the rows of all traces, each once, layers together."""
    layers: dict[str, dict[str, None]] = defaultdict(dict)
    for rows in every:
        for row in rows:
            layers[row["layer"]].setdefault(row["parameter"])
    return [(layer, parameter) for layer, inside in layers.items() for parameter in inside]


# --- drawing -------------------------------------------------------------------------------------


def _bars(data: Mapping[str, list[Row]], title: str) -> str:
    keys = _keys(data.values())
    scale = _scale(data)
    top = _TOP + (18.0 if any(data) else 0.0)
    tops, bottom = _rows(keys, top)
    left = _left(keys)
    panel = max(100.0, 240.0 if len(data) == 1 else 560.0 / len(data))
    note = "|gradient|: dark to the mean, light to the max, ┃ min"
    key, used = _key(note)
    parts = [svg.text(0, 15, title, size=14, bold=True), *key]
    parts += _layer_names(keys, tops, left)
    for i, (name, rows) in enumerate(data.items()):
        x = left + i * (panel + _NUMBER)
        if name:
            parts.append(svg.text(x, top - 10, svg.shorten(name, 30), size=12, bold=True))
        parts.append(_axis(x, top, bottom, panel, scale))
        parts += [_bar(row, x, tops[row["layer"], row["parameter"]], panel, scale) for row in rows]
    width = max(left + len(data) * (panel + _NUMBER), svg.text_width(title, 14, bold=True), used)
    inner = svg.group(*parts, transform="translate(14 12)")
    return svg.document(width + 28, bottom + 40, inner, title=title, adapts=True)


def _map(data: Mapping[str, list[Row]], title: str) -> str:
    """A cell per parameter and trace, in the colour of the mean; traces from left to right."""
    keys = _keys(data.values())
    scale = Scale.of([row["mean"] for rows in data.values() for row in rows])
    tops, bottom = _rows(keys, _TOP + 18)
    left = _left(keys)
    cell = min(40.0, max(4.0, 560.0 / len(data)))
    key, used = _key("mean of |gradient|, a cell for each trace")
    parts = [svg.text(0, 15, title, size=14, bold=True), *key]
    x = 0.0
    for exponent in scale.decades:
        size = 10.0**exponent
        box = svg.rect(x, 44, 12, 10, fill=scale.color(size))
        parts += [svg.group(box, class_=scale.mark(size))]
        parts.append(svg.text(x + 16, 53, f"1e{exponent:+03d}", size=LINE_SIZE))
        x += 62
    for kind, words in (("zero", "0"), ("broken", "NaN or infinite"), ("none", "no grad")):
        parts.append(svg.rect(x, 44, 12, 10, fill=MARKS[kind]))
        parts.append(svg.text(x + 16, 53, words, size=LINE_SIZE))
        x += 28 + svg.text_width(words, LINE_SIZE)
    parts += _layer_names(keys, tops, left)
    for (_, parameter), y in tops.items():
        ink = _INK["bias" if _is_bias({"parameter": parameter}) else "weight"][0]
        parts.append(svg.group(svg.rect(left - 5, y, 3, _BAR, fill=ink), class_="bar"))
    every = max(1, math.ceil(56.0 / cell))
    for i, (name, rows) in enumerate(data.items()):
        at = left + i * cell
        for row in rows:
            parts.append(_cell(name, row, at, tops[row["layer"], row["parameter"]], cell, scale))
        if i % every == 0:
            parts.append(svg.text(at, bottom + 14, svg.shorten(name, 9), size=10, fill=svg.FAINT))
    width = max(left + len(data) * cell + 60, svg.text_width(title, 14, bold=True), x, used)
    inner = svg.group(*parts, transform="translate(14 12)")
    return svg.document(width + 28, bottom + 40, inner, title=title, adapts=True)


def _scale(data: Mapping[str, list[Row]]) -> Scale:
    """Decades for all means and maxima, and for the minima that lie not too far below."""
    rows = [row for each in data.values() for row in each if row["state"] == "flows"]
    means = [row["mean"] for row in rows]
    least = min((size for size in means if size), default=0.0) / 100
    minima = [row["min"] for row in rows if row["min"] >= least]
    sizes = [*means, *(row["max"] for row in rows), *minima]
    # With 0.9 of each size, the shortest bar is visible, too.
    return Scale.of([*sizes, *(0.9 * size for size in sizes)])


def _rows(keys: Sequence[tuple[str, str]], y: float) -> tuple[dict[tuple[str, str], float], float]:
    """The top of each row, with gaps between layers, and the y where the rows end."""
    tops = {}
    for i, key in enumerate(keys):
        if i and key[0] != keys[i - 1][0]:
            y += _BETWEEN
        tops[key] = y
        y += _BAR
    return tops, y + _BETWEEN


def _left(keys: Sequence[tuple[str, str]]) -> float:
    widths = [svg.text_width(svg.shorten(layer), LINE_SIZE) for layer, _ in keys]
    return max([*widths, 40.0]) + 14


def _layer_names(
    keys: Sequence[tuple[str, str]], tops: Mapping[tuple[str, str], float], left: float
) -> list[str]:
    spans: dict[str, list[float]] = defaultdict(list)
    for key in keys:
        spans[key[0]].append(tops[key])
    return [
        svg.text(
            left - 8,
            (at[0] + at[-1] + _BAR) / 2 + 4,
            svg.shorten(layer) or "(top)",
            size=LINE_SIZE,
            anchor="end",
        )
        for layer, at in spans.items()
    ]


def _key(note: str) -> tuple[list[str], float]:
    """Which colour is weights, which biases, and a note; and how wide that is."""
    parts = []
    x = 0.0
    for word, (dark, light) in zip(("weights", "biases"), _INK.values(), strict=True):
        pair = svg.rect(x, 26, 9, 8, fill=dark) + svg.rect(x + 9, 26, 9, 8, fill=light)
        parts += [svg.group(pair, class_="bar"), svg.text(x + 24, 34, word, size=LINE_SIZE)]
        x += 38 + svg.text_width(word, LINE_SIZE)
    parts.append(svg.text(x, 34, note, size=LINE_SIZE, fill=svg.FAINT))
    return parts, x + svg.text_width(note, LINE_SIZE)


def _axis(x: float, top: float, bottom: float, panel: float, scale: Scale) -> str:
    parts = []
    step = max(1, math.ceil((scale.high - scale.low) * 46.0 / panel))
    for exponent in range(scale.low, scale.high + 1, step):
        at = x + panel * (exponent - scale.low) / (scale.high - scale.low)
        parts.append(
            svg.line(at, top - 2, at, bottom, stroke="#d7dbe0", stroke_width=0.7, class_="grid")
        )
        words = f"1e{exponent:+03d}"
        parts.append(svg.text(at, bottom + 14, words, size=10, anchor="middle", fill=svg.FAINT))
    return svg.group(*parts, svg.line(x, top - 2, x, bottom, stroke="#6b7280"), class_="axis")


def _bar(row: Mapping[str, Any], x: float, y: float, panel: float, scale: Scale) -> str:
    dark, light = _INK["bias" if _is_bias(row) else "weight"]
    end = x
    parts = []
    if row["state"] == "flows":
        mean, largest = (max(panel * scale.share(row[name]), 1.0) for name in ("mean", "max"))
        parts.append(svg.rect(x, y + 1, largest, _BAR - 2, fill=light))
        parts.append(svg.rect(x, y + 1, mean, _BAR - 2, fill=dark))
        end += largest
        if row["min"] and scale.share(row["min"]) >= 0:
            at = x + panel * scale.share(row["min"])
            parts.append(svg.line(at, y, at, y + _BAR, stroke="#ffffff", stroke_width=3.0))
            parts.append(svg.line(at, y, at, y + _BAR, stroke="#1a1a1a", stroke_width=1.4))
    ink = {**MARKS, "flows": svg.INK, "none": svg.FAINT}[row["state"]]
    shown = row["mean"] if row["state"] == "flows" else row["max"]
    parts.append(svg.text(end + 5, y + _BAR - 1.5, norm_text(shown), size=9, fill=ink))
    return svg.group(*parts, class_="bar", tooltip=_said(row))


def _cell(name: str, row: Mapping[str, Any], x: float, y: float, width: float, scale: Scale) -> str:
    flows = row["state"] == "flows"
    fill = scale.color(row["mean"]) if flows else MARKS[row["state"]]
    mark = scale.mark(row["mean"]) if flows else row["state"]
    box = svg.rect(x, y + 0.5, width - (width > 8), _BAR - 1, fill=fill)
    return svg.group(box, class_=f"cell {mark}", tooltip=f"{name}: {_said(row)}")


def _said(row: Mapping[str, Any]) -> str:
    sizes = ", ".join(f"{name} {norm_text(row[name])}" for name in ("mean", "max", "min", "norm"))
    where = f"{row['layer']} {row['parameter']} {tuple(row['shape'])}".strip()
    return f"{where}: {sizes if row['state'] == 'flows' else norm_text(row['max'])}"
