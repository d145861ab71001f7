"""`receptive_field`: what one element of a network depends on.

The picture shows the cone from the element back through the layers to the image, and how much each
place of the image contributes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

import tinygrad_cnn as tg
from tinygrad_cnn import Tensor
from tinygrad_cnn.errors import OptionError, ShapeError
from tinygrad_cnn.nn import Module
from tinygrad_cnn.receptive import ReceptiveField

from ..picture import svg
from ..picture.picture import Picture
from ..picture.raster import image as raster
from ..picture.svg import fit_dotted, wrap

MAX_STAGES = 9  # maps in a row
_LARGEST, _LEAST = 150.0, 40.0  # pixels of a map's longer side
_MARGIN, _GAP, _CAPTION = 18.0, 22.0, 52.0
_CONE, _READ = "#d55e00", "#f9b84a"
_GRIDDED = 32  # a map with more cells along a side shows no grid
_HEAT = 260.0


@dataclass(frozen=True)
class Stage:
    """The image, or a layer's output, and which part of it the element depends on.

    Attributes:
        name: of the layer; "image".
        op: what computed it; "" for the image.
        channels: how many; 0 if it has none.
        grid: places along both axes (one row, in one dimension).
        cells: indices of the cells that the element depends on, along both axes.
        size: the receptive field of this layer's elements.
    """

    name: str
    op: str
    channels: int
    grid: tuple[int, int]
    cells: tuple[tuple[int, ...], tuple[int, ...]]
    size: tuple[int, ...]


@dataclass(frozen=True)
class Cone:
    """What the picture shows.

    Attributes:
        layer, index: the element.
        stages: the image first, the element last; only layers where the field grows.
        left_out: how many such layers are not shown, since there are too many.
        size: the element's receptive field.
        effective: |gradient| of the element at each place of the image.
        half: sides of the smallest box in the middle of the field that holds half of `effective`;
            sides of the whole field if that is 0 everywhere.
        image: what is shown below it, (H, W) or (H, W, 3), or None.
    """

    layer: str
    index: tuple[int, ...]
    stages: tuple[Stage, ...]
    left_out: int
    size: tuple[int, ...]
    effective: np.ndarray[Any, Any]
    half: tuple[int, int]
    image: np.ndarray[Any, Any] | None


def receptive_field(
    what: ReceptiveField | Module | Callable[[Tensor], Tensor],
    input_shape: Sequence[int] | None = None,
    index: Sequence[int] | int | None = None,
    layer: str | None = None,
    *,
    image: Any = None,
) -> Picture:
    """What one element of a network depends on: layer by layer, and place by place.

    Above, the cone: the cells of each layer's map, back to the image, that the element depends on.
    Below, the effective field: |gradient| of the element at each place of the image, which is
    strongest in the middle (Luo et al., "Understanding the effective receptive field in deep
    convolutional neural networks", 2016).

    Args:
        what: what `tinygrad_cnn.receptive_field` gave, or its first argument, a model.
        input_shape, index, layer: as for `tinygrad_cnn.receptive_field`, if `what` is a model;
            without input_shape it is the image's.
        image: (C, H, W), (H, W) or with a batch axis of 1. The gradient is taken at this image, and
            it is shown under the effective field. None: random noise, which is not shown.

    Returns:
        A Picture. Its data is a `Cone`.

    Raises:
        ShapeError: three spatial axes, an image of another shape, or as in
            `tinygrad_cnn.receptive_field`.
        OptionError: neither input_shape nor image for a model.

    Example:
        >>> import tinygrad_cnn as tg
        >>> from viz import receptive_field
        >>> two = tg.nn.Sequential(tg.nn.Conv2d(1, 1, 2), tg.nn.Conv2d(1, 1, 2))
        >>> cone = receptive_field(two, (1, 1, 8, 8), (3, 3)).data
        >>> [(stage.name, stage.cells[0]) for stage in cone.stages]
        [('image', (3, 4, 5)), ('0', (3, 4)), ('1', (3,))]
    """
    pixels = None if image is None else _image(image)
    if not isinstance(what, ReceptiveField):
        if input_shape is None:
            if pixels is None:
                raise OptionError("receptive_field: a model needs input_shape, or an image")
            input_shape = (1, *pixels.shape)
        what = tg.receptive_field(what, input_shape, index, layer)
    cone = _cone(what, pixels)
    title = f"What element {list(cone.index)} of {cone.layer} sees"
    return Picture(_draw(cone, title), cone, title=title)


# --- data ----------------------------------------------------------------------------------------


def _image(image: Any) -> np.ndarray[Any, Any]:
    array = np.asarray(image.data if isinstance(image, Tensor) else image)
    if array.ndim == 4 and len(array) == 1:
        array = array[0]
    if array.ndim == 2:
        array = array[None]
    if array.ndim != 3 or not array.size:
        raise ShapeError(f"receptive_field: image must be (C, H, W) or (H, W), got {array.shape}")
    return array


def _cone(field: ReceptiveField, pixels: np.ndarray[Any, Any] | None) -> Cone:
    spatial = field.input_shape[1:]
    if len(spatial) > 2:
        raise ShapeError(f"receptive_field: one or two spatial axes can be drawn, got {spatial}")
    start = Stage(
        "image",
        "",
        field.input_shape[0],
        _two(spatial, 1),
        _cells(field.cells),
        (1,) * len(spatial),
    )
    stages = [start]
    layers = [layer for layer in field.layers if all(layer.cells)]
    for i, layer in enumerate(layers):
        size = tuple(axis.size for axis in layer.field)
        grows = any(a > b for a, b in zip(size, stages[-1].size, strict=True))
        if not (grows or i == len(layers) - 1):
            continue
        channels = layer.output[0] if len(layer.output) > 1 else layer.output[-1]
        stages.append(
            Stage(layer.name, layer.op, channels, _two(layer.grid, 1), _cells(layer.cells), size)
        )
    shown = stages
    if len(stages) > MAX_STAGES:  # evenly, the first and the last among them
        chosen = np.linspace(0, len(stages) - 1, MAX_STAGES).round().astype(int)
        shown = [stages[i] for i in chosen]
    effective = field.effective(pixels).reshape(_two(spatial, 1))
    return Cone(
        field.layer,
        field.index,
        tuple(shown),
        len(stages) - len(shown),
        field.size,
        effective,
        _half(effective, start.cells),
        None if pixels is None else _shown(pixels),
    )


def _two(sizes: Sequence[int], one: int) -> tuple[int, int]:
    return (sizes[0], sizes[1]) if len(sizes) == 2 else (one, sizes[0])


def _cells(cells: Sequence[frozenset[int]]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    found = [tuple(sorted(c)) for c in cells]
    return (found[0], found[1]) if len(found) == 2 else ((0,), found[0])


def _half(effective: np.ndarray[Any, Any], cells: Sequence[tuple[int, ...]]) -> tuple[int, int]:
    """Sides of the smallest box about the field's middle with half of the gradient."""
    (top, bottom), (left, right) = ((c[0], c[-1]) if c else (0, -1) for c in cells)
    whole = effective[top : bottom + 1, left : right + 1].sum()
    best = (bottom - top + 1, right - left + 1)
    if not whole > 0:
        return best
    for cut in range(max(best) // 2 + 1):
        rows, columns = (min(cut, (n - 1) // 2) for n in (bottom - top + 1, right - left + 1))
        inner = effective[top + rows : bottom + 1 - rows, left + columns : right + 1 - columns]
        if inner.sum() < whole / 2:
            break
        best = inner.shape
    return best


def _shown(pixels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """An image as it can be seen: grey or in colours, from 0 to 1."""
    array = np.nan_to_num(pixels.astype(np.float64))
    array = array.transpose(1, 2, 0) if len(array) == 3 else array.mean(axis=0)
    low, high = array.min(), array.max()
    return (array - low) / ((high - low) or 1.0)


# --- drawing -------------------------------------------------------------------------------------


def _draw(cone: Cone, title: str) -> str:
    sizes = _map_sizes(cone.stages)
    common = _common([stage.name for stage in cone.stages[1:]])
    captions = [_caption(stage, common) for stage in cone.stages]
    slots = [
        max(width, max(svg.text_width(line, 11) for line in lines))
        for (width, _), lines in zip(sizes, captions, strict=True)
    ]
    width = max(math.fsum(slots) + _GAP * (len(slots) - 1), 560.0)
    tallest = max(height for _, height in sizes)
    top = _MARGIN + 34
    middle = top + tallest / 2
    parts = [svg.text(_MARGIN, _MARGIN + 14, title, size=15.0, bold=True)]
    x = _MARGIN
    places = []
    for stage, size, slot, lines in zip(cone.stages, sizes, slots, captions, strict=True):
        left, up = x + (slot - size[0]) / 2, middle - size[1] / 2
        places.append((left, up))
        pixels = cone.image if stage.name == "image" else None
        parts.append(_map(stage, left, up, size, pixels))
        parts += [
            svg.text(
                x + slot / 2,
                top + tallest + 17 + 14 * i,
                line,
                size=11.0,
                anchor="middle",
                fill=svg.FAINT if i else svg.INK,
            )
            for i, line in enumerate(lines)
        ]
        x += slot + _GAP
    boxes = [_box(s, p, q) for s, p, q in zip(cone.stages, places, sizes, strict=True)]
    parts += [_ray(a, b) for a, b in pairwise(boxes)]
    parts += map(_outline, boxes)
    y = top + tallest + 17 + _CAPTION
    below, height = _effective(cone, _MARGIN, y, width)
    document = (width + 2 * _MARGIN, y + height + _MARGIN)
    return svg.document(*document, *parts, *below, title=title, adapts=True)


def _common(names: Sequence[str]) -> str:
    """The outermost part of dotted names, if all share it: "features."."""
    first = names[0].partition(".")[0] + "." if names else ""
    return first if all(name.startswith(first) for name in names) else ""


def _caption(stage: Stage, common: str) -> list[str]:
    grid = stage.grid if stage.grid[0] > 1 or stage.grid[1] == 1 else stage.grid[1:]
    shape = " × ".join(map(str, (stage.channels, *grid)))
    count = f"{len(stage.cells[0])} × {len(stage.cells[1])}"
    if not stage.op:
        return [stage.name, shape, f"{count} cells read"]
    size = " × ".join(map(str, stage.size))
    return [fit_dotted(stage.name.removeprefix(common), 90, 11), shape, f"field {size}"]


def _map_sizes(stages: Sequence[Stage]) -> list[tuple[float, float]]:
    """Widths and heights: the larger the map, the larger, though less than in proportion."""
    most = max(max(stage.grid) for stage in stages)
    found = []
    for stage in stages:
        rows, columns = stage.grid
        longer = max(_LEAST, _LARGEST * math.sqrt(max(stage.grid) / most))
        if max(stage.grid) == 1:
            longer = 18.0
        cell = longer / max(rows, columns)
        found.append((columns * cell, max(rows * cell, min(cell, 12.0))))
    return found


Corners = tuple[float, float, float, float]  # left, top, right, bottom


def _box(stage: Stage, place: tuple[float, float], size: tuple[float, float]) -> Corners:
    (rows, columns), (left, top) = stage.grid, place
    across, down = size[0] / columns, size[1] / rows
    ys, xs = stage.cells
    return (
        left + xs[0] * across,
        top + ys[0] * down,
        left + (xs[-1] + 1) * across,
        top + (ys[-1] + 1) * down,
    )


def _outline(box: Corners) -> str:
    left, top, right, bottom = box
    return svg.rect(
        left,
        top,
        right - left,
        bottom - top,
        fill="none",
        stroke=_CONE,
        stroke_width=2.2,
        class_="outline window",
    )


def _map(
    stage: Stage,
    x: float,
    y: float,
    size: tuple[float, float],
    pixels: np.ndarray[Any, Any] | None,
) -> str:
    (rows, columns), (width, height) = stage.grid, size
    across, down = width / columns, height / rows
    told = f"{stage.name}: {rows} × {columns}"
    parts = [svg.rect(x, y, width, height, fill="#ffffff", stroke="#9ca3af", class_="paper")]
    if pixels is not None:
        parts.append(raster(_bytes(pixels), x, y, width, height))
    elif max(rows, columns) <= _GRIDDED:
        d = "".join(
            f"M{svg.number(x + i * across)},{svg.number(y)}v{svg.number(height)}"
            for i in range(1, columns)
        ) + "".join(
            f"M{svg.number(x)},{svg.number(y + i * down)}h{svg.number(width)}"
            for i in range(1, rows)
        )
        if d:
            parts.append(svg.path(d, stroke="#d7dbe0", stroke_width=0.7, class_="grid"))
    if pixels is None:
        parts += [
            svg.rect(x + c * across, y + r * down, n * across, m * down, fill=_READ)
            for r, m in _runs(stage.cells[0])
            for c, n in _runs(stage.cells[1])
        ]
    return svg.group(*parts, class_="map", tooltip=told)


def _runs(cells: Sequence[int]) -> list[tuple[int, int]]:
    """Neighbouring cells as (first, how many)."""
    found: list[tuple[int, int]] = []
    for cell in cells:
        if found and sum(found[-1]) == cell:
            found[-1] = (found[-1][0], found[-1][1] + 1)
        else:
            found.append((cell, 1))
    return found


def _ray(a: Corners, b: Corners) -> str:
    """From the right side of one box to the left side of the next."""
    corners = [(a[2], a[1]), (b[0], b[1]), (b[0], b[3]), (a[2], a[3])]
    fill = svg.polygon(corners, fill=_CONE, opacity=0.16)
    lines = [
        svg.line(a[2], a[1], b[0], b[1], stroke=_CONE, stroke_width=1.1),
        svg.line(a[2], a[3], b[0], b[3], stroke=_CONE, stroke_width=1.1),
    ]
    return svg.group(fill, *lines, class_="ray")


def _bytes(pixels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    grey = np.repeat(pixels[..., None], 3, axis=-1) if pixels.ndim == 2 else pixels
    return np.rint(255 * grey).astype(np.uint8)


def _effective(cone: Cone, x: float, y: float, width: float) -> tuple[list[str], float]:
    """The effective field on the image, beside it what to see in it, and the height of both."""
    rows, columns = cone.effective.shape
    cell = _HEAT / max(rows, columns)
    across, down = columns * cell, max(rows * cell, 14.0)
    parts = [svg.rect(x, y, across, down, fill="#ffffff", stroke="#9ca3af", class_="paper")]
    if cone.image is not None:
        faded = 0.5 + 0.5 * cone.image
        parts.append(raster(_bytes(faded), x, y, across, down))
    known = np.nan_to_num(cone.effective)
    # A quantile, not the maximum: otherwise one strong cell would make all others pale.
    strong = np.quantile(known[known > 0], 0.98) if known.any() else 1.0
    heat = np.minimum(known / strong, 1.0)
    rgba = np.zeros((rows, columns, 4), np.uint8)
    rgba[..., :3] = np.rint(
        np.array([249, 184, 74]) + heat[..., None] * (np.array([160, 20, 60]) - [249, 184, 74])
    )
    rgba[..., 3] = np.rint(240 * heat**0.5)
    parts.append(raster(rgba, x, y, across, down))
    parts.append(_outline(_box(cone.stages[0], (x, y), (across, down))))
    said, told = _words(cone), []
    line = y + 14
    for text, size, ink in said:
        for part in wrap(text, width - across - 24, size):
            told.append(svg.text(x + across + 24, line, part, size=size, fill=ink))
            line += 1.45 * size
        line += 5
    return [*parts, *told], max(down, line - y)


def _words(cone: Cone) -> list[tuple[str, float, str]]:
    size = " × ".join(map(str, cone.size))
    inside = " × ".join(map(str, (len(c) for c in cone.stages[0].cells)))
    found = [
        ("The effective field", 14.0, svg.INK),
        (
            f"The field is {size} cells"
            + (f", {inside} of them in the image." if inside != size else "."),
            12.0,
            svg.INK,
        ),
    ]
    where = "on this image" if cone.image is not None else "on random noise"
    if not cone.effective.any():
        told = f"The gradient is 0 everywhere, {where}: no way to the element is open, as behind a "
        found.append((told + "ReLU that gives 0. Another channel may be open.", 12.0, svg.INK))
    elif np.prod(cone.half) < math.prod(len(c) for c in cone.stages[0].cells):
        told = (
            f"Half of the gradient is in the middle {cone.half[0]} × {cone.half[1]} of the frame: "
        )
        found.append((told + "cells there reach the element on more ways.", 12.0, svg.INK))
    found.append(
        (f"The deeper the red, the larger |gradient| of the element, {where}.", 11.0, svg.FAINT)
    )
    if cone.left_out:
        found.append((f"{cone.left_out} layers between are not drawn.", 11.0, svg.FAINT))
    return found
