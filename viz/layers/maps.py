"""`feature_maps` and `filters`: the outputs of a network's layers, and the weights behind them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tinygrad_cnn import Tensor
from tinygrad_cnn.engine.op import OUTPUT
from tinygrad_cnn.errors import DtypeError, OptionError, ShapeError
from tinygrad_cnn.nn import Module

from ..graphs.running import dtype_of, run_on
from ..picture.picture import Picture
from ..picture.sheet import Sheet, Strip, Tile, draw_sheet, largest, not_finite
from ..picture.style import kind_of

MAX_LAYERS = 60
MAX_MAPS = 32  # of a layer, by default
MAX_TILES, MAX_VALUES = 4000, 4_000_000  # on a sheet
_INNER, _WIDEST = 868.0, 110.0  # pixels of a line, and of a map
_UNITS = 128  # cells in a line of a vector; twice as many for a long one

Scale = Literal["layer", "shared"]


def feature_maps(
    model: Module,
    image: Any,
    *,
    layers: str | Sequence[str] | None = None,
    scale: Scale = "layer",
    most: int = MAX_MAPS,
) -> Picture:
    """The outputs of every layer of a network for one image, on one sheet.

    The model runs once, in evaluation mode. Blue is negative, white 0, orange positive. The scale
    is symmetric about 0, so equal absolute values have equally strong colours. A vector is a strip
    of cells, one for each unit, in lines of 128 or 256.

    Args:
        model: takes (1, C, H, W), or whatever `image` is.
        image: one example: (C, H, W), (1, C, H, W), or (H, W) for one channel; whole numbers for a
            model that begins with an embedding.
        layers: which layers to show, by their dotted names or the beginnings of these; all if None.
        scale: "layer": each layer's strongest colour is its own largest absolute value; "shared":
            that of all layers shown.
        most: how many channels of a layer to show, at most; the sheet says how many there are.

    Returns:
        A Picture. Its data lists the layers: ``layer``, ``op``, ``values`` (the whole array, one
        example), ``shown`` (how many channels are drawn) and ``scale``.

    Raises:
        ShapeError: `image` is empty, or no single example.
        OptionError: more than 60 layers, 4,000 maps or 4,000,000 values; no layer of that name;
            another `scale` or `most`.
        DtypeError: `model` is no Module.

    Example:
        >>> import numpy as np, tinygrad_cnn as tg
        >>> picture = feature_maps(tg.models.LeNet(), np.zeros((28, 28)))
        >>> [(row["layer"], row["values"].shape) for row in picture.data[:2]]
        [('input', (1, 28, 28)), ('features.conv1', (6, 28, 28))]
    """
    if not isinstance(model, Module):
        raise DtypeError(f"feature_maps: model must be a Module, got {type(model).__name__}")
    _check_scale("feature_maps", scale, most)
    x = _one_example(image, model)
    rows = [{"layer": "input", "op": "", "values": x[0]}, *_layers(model, x)]
    rows = _chosen(rows, layers)
    if len(rows) > MAX_LAYERS:
        raise OptionError(
            f"feature_maps: {len(rows)} layers are more than {MAX_LAYERS} on a sheet; choose some: "
            f'layers=["{rows[1]["layer"]}", …]'
        )
    every = max(largest(row["values"]) for row in rows)
    for row in rows:
        values = row["values"]
        row["shown"] = min(most, len(values)) if values.ndim > 1 else values.size
    _check_size("feature_maps", [row["values"][: row["shown"]] for row in rows])
    for row in rows:
        values = row["values"]
        row["scale"] = every if scale == "shared" else largest(values)
    named = f"Feature maps of {type(model).__name__}"
    what = "all layers" if scale == "shared" else "the layer"
    sheet = Sheet(
        named, [_strip_of(row) for row in rows], f"Strongest colour: largest size in {what}."
    )
    return Picture(draw_sheet(sheet), rows, title=named)


def _one_example(image: Any, model: Module) -> NDArray[Any]:
    x = image.numpy() if isinstance(image, Tensor) else np.asarray(image)
    if not x.size:
        raise ShapeError(f"feature_maps: the image is empty, {x.shape}")
    if x.dtype.kind == "f":
        x = x.astype(dtype_of(model))
    wanted = 2 if x.ndim == 1 or x.dtype.kind != "f" else 4
    wanted = len(getattr(model, "input_shape", range(wanted - 1))) + 1
    x = x[(None,) * max(wanted - x.ndim, 0)]
    if len(x) != 1 or x.ndim != wanted:
        raise ShapeError(
            "feature_maps: one example is drawn, such as images[0], (C, H, W); got "
            f"{np.shape(image)}; layers may be dense or convolve over one or two axes"
        )
    return x


def _layers(model: Module, x: NDArray[Any]) -> list[dict[str, Any]]:
    """The outputs of all ops, except those that only move values, such as reshape."""
    _, recorded = run_on(model, x, "image")
    rows = []
    for event in recorded.forward_events:
        values = event.output
        alike = isinstance(values, np.ndarray) and values.ndim in (2, 3, 4) and len(values) == 1
        if event.node.op is OUTPUT or kind_of(event.node) == "shape" or not alike:
            continue
        rows.append({"layer": event.scope, "op": event.op, "values": values[0]})
    return rows


def _chosen(rows: list[dict[str, Any]], layers: str | Sequence[str] | None) -> list[dict[str, Any]]:
    if layers is None:
        return rows
    names = [layers] if isinstance(layers, str) else list(layers)
    for name in names:
        if not any(_is_below(row["layer"], name) for row in rows):
            known = ", ".join(dict.fromkeys(row["layer"] for row in rows if row["layer"]))
            raise OptionError(f"feature_maps: no layer {name!r}; there are {known}")
    return [row for row in rows if any(_is_below(row["layer"], name) for name in names)]


def _is_below(layer: str, name: str) -> bool:
    return layer == name or layer.startswith(f"{name}.")


def _strip_of(row: dict[str, Any]) -> Strip:
    values, shown = row["values"], row["shown"]
    name = row["layer"] or row["op"]
    sizes = " × ".join(map(str, values.shape)) + (" units" if values.ndim == 1 else "")
    said = [row["op"]] if row["op"] and row["layer"] else []
    said += [sizes, f"largest {largest(values):.3g}"]
    if values.ndim > 1 and shown < len(values):
        said.append(f"the first {shown} of {len(values)} channels")
    broken = not_finite(values)
    said += [f"{broken} not finite"] if broken else []
    if values.ndim == 1:
        columns = min(values.size, _UNITS if values.size <= 4 * _UNITS else 2 * _UNITS)
        lines = -(-values.size // columns)
        cells = np.zeros(lines * columns)
        cells[: values.size] = values
        tiles = [Tile(cells.reshape(lines, columns), name)]
        across = min(_INNER, 16.0 * columns) if lines == 1 else _INNER
    elif values.ndim == 2:
        said.append("a channel in each row")
        tiles, across = [Tile(values[:shown], name)], min(_INNER, 6.0 * values.shape[1])
    else:
        tiles = [Tile(values[c], f"{name}, channel {c}") for c in range(shown)]
        in_line = min(shown, 16 if values.shape[2] <= 50 else 10)
        across = min(_WIDEST, (_INNER + 4) / in_line - 4)
    grey = row["layer"] == "input" and not (values < 0).any()
    return Strip(name, ", ".join(said), tiles, row["scale"], across, grey=grey)


def _check_size(what: str, drawn: Sequence[NDArray[Any]]) -> None:
    """Refuse a sheet with too many arrays or values."""
    tiles = sum(math.prod(values.shape[:-2]) for values in drawn)
    values = sum(values.size for values in drawn)
    if tiles > MAX_TILES or values > MAX_VALUES:
        raise OptionError(
            f"{what}: {tiles:,} arrays of {values:,} values in all are more than fit on a sheet "
            f"({MAX_TILES:,} and {MAX_VALUES:,}); choose some layers, or give a smaller `most`"
        )


def _check_scale(what: str, scale: str, most: int) -> None:
    if scale not in ("layer", "shared"):
        raise OptionError(f'{what}: scale must be "layer" or "shared", got {scale!r}')
    if not isinstance(most, int) or most < 1:
        raise OptionError(f"{what}: most must be a whole number of 1 or more, got {most!r}")


# --- filters -------------------------------------------------------------------------------------


def filters(what: Any, *, scale: Scale = "layer", most: int = MAX_MAPS) -> Picture:
    """The weights of convolutions, as pictures: blue is negative, white 0, orange positive.

    With several input channels, each line is one filter, with a kernel for every input channel.

    Args:
        what: weights (O, C, kH, kW) or (O, C, k), as a Tensor or array; a layer that has such a
            `weight`; or a model, of which all convolutions are shown.
        scale: "layer": each layer's strongest colour is its own largest weight; "shared": that of
            all layers.
        most: how many filters of a layer, and input channels of a filter, to show, at most.

    Returns:
        A Picture. Its data lists the layers: ``layer``, ``values`` (all weights), ``shown`` (how
        many filters, and of how many channels) and ``scale``.

    Raises:
        ShapeError: weights of another shape, or empty.
        OptionError: no convolution, or more than 60; more than 4,000 kernels; another `scale` or
            `most`.

    Example:
        >>> import tinygrad_cnn as tg
        >>> [(row["layer"], row["shown"]) for row in filters(tg.models.LeNet()).data]
        [('features.conv1', (6, 1)), ('features.conv2', (16, 6))]
    """
    _check_scale("filters", scale, most)
    found = list(_weights(what))
    if not found:
        raise OptionError(
            f"filters: {type(what).__name__} has no weights of a convolution, (O, C, kH, kW)"
        )
    if len(found) > MAX_LAYERS:
        raise OptionError(
            f"filters: {len(found)} convolutions are more than {MAX_LAYERS} on a sheet; "
            "give one of the layers, such as model.conv1"
        )
    every = max(largest(weights) for _, weights in found)
    rows: list[dict[str, Any]] = [
        {
            "layer": name,
            "values": weights,
            "shown": (min(most, len(weights)), min(most, weights.shape[1])),
            "scale": every if scale == "shared" else largest(weights),
        }
        for name, weights in found
    ]
    _check_size("filters", [r["values"][: r["shown"][0], : r["shown"][1]] for r in rows])
    of = type(what).__name__ if isinstance(what, Module) else "a convolution"
    sheet = Sheet(
        f"Filters of {of}",
        [_filters_of(row) for row in rows],
        "Strongest colour: largest weight in "
        + ("all layers." if scale == "shared" else "the layer."),
    )
    return Picture(draw_sheet(sheet), rows, title=sheet.title)


def _weights(what: Any) -> Iterable[tuple[str, NDArray[Any]]]:
    if isinstance(what, Module):
        for name, parameter in what.named_parameters():
            layer, _, last = name.rpartition(".")
            if last == "weight" and len(parameter.shape) in (3, 4):
                yield layer or "weight", parameter.numpy()
        return
    weights = what.numpy() if isinstance(what, Tensor) else np.asarray(what)
    if weights.ndim not in (3, 4) or not weights.size:
        raise ShapeError(
            f"filters: weights must be (O, C, kH, kW) or (O, C, k), got {weights.shape}"
        )
    yield "weight", weights


def _filters_of(row: dict[str, Any]) -> Strip:
    weights = row["values"]
    kernels = weights if weights.ndim == 4 else weights[:, :, None]
    count, channels = row["shown"]
    said = [" × ".join(map(str, weights.shape)), f"largest {largest(weights):.3g}"]
    if (count, channels) != weights.shape[:2]:
        of = f"{len(weights)} filters, {channels} of {weights.shape[1]} channels"
        said.append(f"the first {count} of {of}")
    broken = not_finite(weights)
    said += [f"{broken} not finite"] if broken else []
    alone = weights.shape[1] == 1
    tiles = [
        Tile(kernels[o, c], f"filter {o}, channel {c}", f"{o}" if alone else "")
        for o in range(count)
        for c in range(channels)
    ]
    across = (
        min(72.0, _INNER / min(count, 12) - 4)
        if alone
        else min(44.0, max(14.0, _INNER / channels - 4))
    )
    if not alone:
        said.append("a line is a filter, a column an input channel")
    return Strip(
        row["layer"], ", ".join(said), tiles, row["scale"], across, None if alone else channels
    )
