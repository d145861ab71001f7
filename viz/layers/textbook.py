"""`architecture`: a network as a textbook draws it, arrays as boxes to scale."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tinygrad_cnn.engine.node import Handle
from tinygrad_cnn.errors import DtypeError, OptionError
from tinygrad_cnn.nn import Module
from tinygrad_cnn.recording.graph import Graph

from ..graphs.running import run_on_zeros
from ..picture import svg
from ..picture.picture import Picture
from ..picture.style import KINDS
from .volumes import Architecture, Link, Volume, architecture_of

MAX_MODELS = 6
MAX_VOLUMES = 80
_MARGIN, _WIDTH = 18.0, 1040.0
_TALL, _WIDE, _LEAST = 150.0, 52.0, 2.0  # pixels: largest side, most channels, and the smallest
_DEPTH = 0.32  # of a box's depth, what goes to the right and up
_SIZE, _LINE, _BETWEEN = 12.5, 15.0, 22.0
_LINES = 7  # of words below a box
_JOINED = 92.0  # pixels up to which words share a line
_STEP = 26.0  # between arcs above one another
_INK = "#4b5563"

Shape = tuple[int, ...]


def architecture(
    model: Module | Sequence[Module] | Mapping[str, Module],
    input_shape: Shape | Mapping[str, Shape] | None = None,
) -> Picture:
    """Draw networks as textbooks do: every array a box, channels × height × width to scale.

    Below each box stand its shape, the ops that make it, and how many parameters they have.
    Activations, batch norm and additions belong to the array whose size they keep. A shortcut is an
    arc, with what it does on its way; it ends in a +. Height and width have one scale, channels
    another; vectors stand upright and have a third. Each network has scales of its own.

    If there are more than 24 arrays, those of a module become one box, and alike boxes that follow
    one another become one with a "×N".

    Args:
        model: a Module; or several, in a list or by name, below one another.
        input_shape: of the input, the batch size included; a dict gives each model's by name. If
            None, one example of a module's own ``input_shape``.

    Returns:
        A Picture. Its data lists the networks: ``name``, ``parameters`` (of all), ``volumes``
        (shape, words, kind, scope, parameters, repeats) and ``links`` (source, target, words,
        shortcut).

    Raises:
        OptionError: a model without input_shape; no model, or more than 6; a network of more than
            80 boxes that no module holds together.
        DtypeError: `model` is something else.

    Example:
        >>> import tinygrad_cnn as tg
        >>> (lenet,) = architecture(tg.models.LeNet()).data
        >>> [volume["shape"] for volume in lenet["volumes"]][:3]
        [(1, 28, 28), (6, 28, 28), (6, 14, 14)]
    """
    named = _named(model)
    rows, data = [], []
    for name, each in named.items():
        shape = input_shape.get(name) if isinstance(input_shape, Mapping) else input_shape
        found = _read(name, each, shape)
        total = each.count_parameters()
        rows.append((name, found, total))
        data.append(
            {
                "name": name,
                "parameters": total,
                "volumes": [
                    {**vars(volume), "parameters": found.count(volume)} for volume in found.volumes
                ],
                "links": [dict(vars(link)) for link in found.links],
            }
        )
    title = "Architecture: " + ", ".join(named)
    return Picture(_drawn(rows, title), data, title=title)


def _named(model: Any) -> dict[str, Module]:
    if isinstance(model, Module) and not isinstance(model, Mapping):
        named = {type(model).__name__: model}
    elif isinstance(model, Mapping):
        named = dict(model)
    elif isinstance(model, Sequence):
        kinds = [type(each).__name__ for each in model]
        named = {
            kind if kinds.count(kind) == 1 else f"{kind} {i}": each
            for i, (kind, each) in enumerate(zip(kinds, model, strict=True), 1)
        }
    else:
        named = {"": model}
    for each in named.values():
        if not isinstance(each, Module):
            raise DtypeError(f"architecture: a Module is needed, got {type(each).__name__}")
    if not 1 <= len(named) <= MAX_MODELS:
        raise OptionError(f"architecture: 1 … {MAX_MODELS} models fit, got {len(named)}")
    return named


def _read(name: str, model: Module, shape: Shape | None) -> Architecture:
    if shape is None and hasattr(model, "input_shape"):
        shape = (1, *model.input_shape)
    if shape is None:
        raise OptionError(
            f"architecture: {name} needs input_shape, e.g. architecture(model, (1, 1, 28, 28))"
        )
    y, recorded = run_on_zeros(model, tuple(shape))
    found = architecture_of(Graph.of(y) if isinstance(y, Handle) else recorded.graph)
    if len(found.volumes) > MAX_VOLUMES:
        raise OptionError(
            f"architecture: {name} has {len(found.volumes)} boxes, more than {MAX_VOLUMES}; put "
            "its layers into modules, which then become one box each"
        )
    return found


# --- placing -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """Where a box is: its front from (x, ground − height), and how far its depth goes."""

    x: float
    ground: float
    width: float
    height: float
    depth: float
    middle: float  # of the words below

    @property
    def top(self) -> float:
        """The middle of the upper face."""
        return self.ground - self.height - _DEPTH * self.depth / 2

    @property
    def entering(self) -> float:
        """Where arcs end, left of the upper face's middle; they begin to its right."""
        return self._centre - self._apart

    @property
    def leaving(self) -> float:
        return self._centre + self._apart

    @property
    def _centre(self) -> float:
        return (self.x + self.right) / 2

    @property
    def _apart(self) -> float:
        return min(12.0, max(5.0, (self.right - self.x) / 5))

    @property
    def right(self) -> float:
        return self.x + self.width + _DEPTH * self.depth


@dataclass(frozen=True)
class Scales:
    """Pixels for a step in height or width, for a channel, and for an element of a vector."""

    side: float
    channel: float
    unit: float

    @classmethod
    def of(cls, volumes: Sequence[Volume]) -> Scales:
        sides = [max(v.shape[1:]) for v in volumes if len(v.shape) > 1]
        channels = [v.shape[0] for v in volumes if len(v.shape) > 1]
        units = [v.shape[0] for v in volumes if len(v.shape) == 1]
        tall = min(_TALL, 12.0 * max(sides, default=1))
        return cls(
            tall / max(sides, default=1),
            min(_WIDE / max(channels, default=1), 10.0),
            min(_TALL / max(units, default=1), 10.0),
        )

    def box(self, shape: Shape) -> tuple[float, float, float]:
        """Width (channels), height and depth of an array's box."""
        if len(shape) == 0:
            return 6.0, 6.0, 0.0
        if len(shape) == 1:
            return 8.0, max(_LEAST, self.unit * shape[0]), 8.0
        height = self.side * shape[-2] if len(shape) > 2 else self.side * shape[-1]
        depth = self.side * shape[-1] if len(shape) > 2 else 6.0
        return (
            max(_LEAST, self.channel * shape[0]),
            max(_LEAST, height),
            max(_LEAST, depth),
        )


def _drawn(rows: Sequence[tuple[str, Architecture, int]], title: str) -> str:
    parts: list[str] = []
    y, width = _MARGIN, 400.0
    for name, found, total in rows:
        head = svg.shorten(name, 60)
        note = f"{total:,} parameters"
        parts.append(svg.text(_MARGIN, y + 16, head, size=17, bold=True))
        after = _MARGIN + svg.text_width(head, 17, bold=True) + 12
        parts.append(svg.text(after, y + 16, note, size=13, fill=svg.FAINT))
        width = max(width, after + svg.text_width(note, 13) + _MARGIN)
        drawn, right, y = _network(found, y + 26)
        parts.append(svg.group(*drawn, class_="network", tooltip=name))
        width = max(width, right + _MARGIN)
        y += 18
    words = (
        "Height and width of boxes are to scale; so are channels, and the lengths of vectors, each "
        "to a scale of its own."
    )
    parts.append(svg.text(_MARGIN, y, words, size=11.5, fill=svg.FAINT))
    width = max(width, _MARGIN * 2 + svg.text_width(words, 11.5))
    return svg.document(width, y + _MARGIN - 4, *parts, title=title, adapts=True)


def _network(found: Architecture, y: float) -> tuple[list[str], float, float]:
    """A network from y downwards: its SVG, how far it goes right, and down."""
    scales = Scales.of(found.volumes)
    words = [_words_of(found, volume) for volume in found.volumes]
    boxes = [scales.box(volume.shape) for volume in found.volumes]
    heights = [height + _DEPTH * depth for _, height, depth in boxes]
    columns = [
        _across(width + _DEPTH * depth, said)
        for (width, _, depth), said in zip(boxes, words, strict=True)
    ]
    arcs = [link for link in found.links if _is_arc(link)]
    levels = _levels(arcs)
    places: dict[int, Place] = {}
    parts: list[str] = []
    furthest = 0.0
    for line in _lines(found, columns):
        first, last = line[0], line[-1]
        reach: dict[Link, float] = {}  # of the arcs over this line, above the ground
        for link in arcs:
            if link.source in line or link.target in line:
                start, end = max(link.source, first), min(link.target, last)
                reach[link] = max(heights[start : end + 1]) + _STEP * levels[link] + 4
        ground = y + max([*(h + 14 for h in reach.values()), *(heights[i] for i in line)]) + 6
        x = _MARGIN
        for i in line:
            width, height, depth = boxes[i]
            left = x + (columns[i] - width - _DEPTH * depth) / 2
            places[i] = Place(left, ground, width, height, depth, x + columns[i] / 2)
            x += columns[i] + _BETWEEN
        furthest = max(furthest, x - _BETWEEN)
        for link in found.links:
            if link.target in line and not _is_arc(link) and link.source != link.target:
                before = places[link.source] if link.source in line else None
                parts.append(_arrow(before, places[link.target]))
        parts += [_box(found.volumes[i], places[i], words[i]) for i in line]
        for link, high in reach.items():
            source = places[link.source] if link.source in line else None
            target = places[link.target] if link.target in line else None
            parts.append(_arc(link, source, target, ground - high, x - _BETWEEN))
        y = ground + 20 + _LINE * max(len(words[i]) for i in line)
    return parts, furthest, y


def _is_arc(link: Link) -> bool:
    return link.source != link.target and (link.shortcut or link.target != link.source + 1)


def _lines(found: Architecture, columns: Sequence[float]) -> list[list[int]]:
    """The boxes of each line. A line breaks where the fewest arcs cross, as late as possible."""
    crossed = [
        sum(_is_arc(link) and link.source < k <= link.target for link in found.links)
        for k in range(len(columns))
    ]
    lines: list[list[int]] = [[]]
    for i in range(len(columns)):
        line = lines[-1]
        if line and _MARGIN + math.fsum(columns[k] + _BETWEEN for k in [*line, i]) > _WIDTH:
            latest = range(line[len(line) // 2] + 1, i + 1)  # a line is at least half full
            at = min(latest, key=lambda k: (crossed[k], -k))
            lines[-1] = [k for k in line if k < at]
            lines.append([k for k in line if k >= at])
        lines[-1].append(i)
    return lines


def _across(box: float, words: Sequence[str]) -> float:
    return max(box, *(svg.text_width(word, _SIZE, bold=i == 0) for i, word in enumerate(words)))


def _levels(arcs: Sequence[Link]) -> dict[Link, int]:
    """How high each arc goes: above those that it spans."""
    levels: dict[Link, int] = {}
    for link in sorted(arcs, key=lambda link: (link.target - link.source, link.source)):
        inside = [
            level
            for other, level in levels.items()
            if other.source < link.target and link.source < other.target
        ]
        levels[link] = 1 + max(inside, default=0)
    return levels


def _words_of(found: Architecture, volume: Volume) -> list[str]:
    """What stands below a box: shape, ops, parameters."""
    said = list(volume.words)
    if volume.kind == "module":  # only layers with weights or pooling, and additions
        said = [w for w in said if w.startswith(("conv", "dense", "max", "avg", "+"))]
        counts = {word: said.count(word) for word in said}
        said = [f"{count} × {word}" if count > 1 else word for word, count in counts.items()]
    lines: list[str] = said[:1]
    for word in said[1:]:
        joined = f"{lines[-1]}, {word}"
        if svg.text_width(joined, _SIZE) <= _JOINED:
            lines[-1] = joined
        else:
            lines.append(word)
    if len(lines) > _LINES:
        lines = [*lines[: _LINES - 1], f"… {len(lines) - _LINES + 1} more"]
    if volume.repeats > 1:
        lines.insert(0, f"×{volume.repeats}, alike")
    learned = found.count(volume)
    return [_shape_text(volume.shape), *lines, *([f"{learned:,} par."] if learned else [])]


def _shape_text(shape: Shape) -> str:
    """A shape as it is written: 6 × 28², 48 × 19 × 17, 120."""
    if len(shape) == 3 and shape[1] == shape[2] and shape[1] > 1:
        return f"{shape[0]} × {shape[1]}²"
    return " × ".join(map(str, shape)) or "one number"


# --- drawing -------------------------------------------------------------------------------------


def _box(volume: Volume, place: Place, words: Sequence[str]) -> str:
    kind = KINDS[volume.kind]
    aside = _DEPTH * place.depth
    style: dict[str, Any] = {"stroke": kind.edge, "stroke_width": 0.9, "stroke_linejoin": "round"}
    parts = []
    for shift in (6.0, 3.0, 0.0) if volume.repeats > 1 else (0.0,):
        x, low = place.x + shift, place.ground - shift
        y, right = low - place.height, x + place.width
        upper = [(x, y), (x + aside, y - aside), (right + aside, y - aside), (right, y)]
        side = [(right, y), (right + aside, y - aside), (right + aside, low - aside), (right, low)]
        parts.append(svg.polygon(upper, fill=_shaded(kind.fill, 0.25), **style))
        parts.append(svg.polygon(side, fill=_shaded(kind.fill, -0.18), **style))
        parts.append(svg.rect(x, y, place.width, place.height, fill=kind.fill, **style))
    for i, word in enumerate(words):
        parts.append(
            svg.text(
                place.middle,
                place.ground + 18 + _LINE * i,
                word,
                size=_SIZE,
                anchor="middle",
                bold=i == 0,
                fill=svg.FAINT if word.endswith(" par.") else svg.INK,
            )
        )
    hint = ", ".join(filter(None, [volume.scope, *volume.words]))
    return svg.group(*parts, class_=f"volume {volume.kind}", tooltip=hint)


def _shaded(color: str, part: float) -> str:
    """A colour made lighter by a positive part, darker by a negative one."""
    end = 255 if part > 0 else 0
    channels = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{round(c + abs(part) * (end - c)):02x}" for c in channels)


def _arrow(source: Place | None, target: Place) -> str:
    """An arrow from one box to the next. At the start of a line it comes from the left edge."""
    height = min(source.height, target.height) if source else target.height
    y = target.ground - max(3.0, height / 2)
    start = source.right + 2 if source else 3.0
    d = f"M{svg.number(start)},{svg.number(y)}H{svg.number(target.x - 7)}"
    return svg.group(
        svg.path(d, stroke=_INK, stroke_width=1.3), _tip(target.x - 2, y), class_="edge"
    )


def _tip(x: float, y: float, down: bool = False) -> str:
    corners = [(0, 0), (-3.5, -7), (3.5, -7)] if down else [(0, 0), (-7, -3.5), (-7, 3.5)]
    return svg.polygon([(x + a, y + b) for a, b in corners], fill=_INK)


def _arc(link: Link, source: Place | None, target: Place | None, y: float, edge: float) -> str:
    """An arc from one box to another. If one is on another line, the arc ends beyond the edge."""
    x1 = source.leaving if source else 3.0
    x2 = target.entering if target else edge + 10
    bend = min(12.0, abs(x2 - x1) / 2)
    n = svg.number
    curve = f"M{n(x1)},{n(y)}"
    if source:
        curve = f"M{n(x1)},{n(source.top - 1)}V{n(y + bend)}Q{n(x1)},{n(y)} {n(x1 + bend)},{n(y)}"
    parts = []
    if target:
        low = target.top - (12 if link.shortcut else 1)
        curve += f"H{n(x2 - bend)}Q{n(x2)},{n(y)} {n(x2)},{n(y + bend)}V{n(low - 6)}"
        parts.append(_tip(x2, low, down=True))
        if link.shortcut:
            at = low + 5.5
            disc = svg.element("circle", cx=x2, cy=at, r=5.5, fill="#f9c65c", stroke="#a87400")
            style: dict[str, Any] = {"stroke": "#1a1a1a", "stroke_width": 1.3}
            parts += [disc, svg.line(x2 - 3, at, x2 + 3, at, **style)]
            parts.append(svg.line(x2, at - 3, x2, at + 3, **style))
    else:
        curve += f"H{n(x2)}"
    parts.insert(0, svg.path(curve, stroke=_INK, stroke_width=1.3))
    said = ", ".join(word for word in link.words if word != "BN") or "identity"
    if link.shortcut and target and svg.text_width(said, 11) <= x2 - x1:
        middle = (x1 + x2) / 2
        parts.append(svg.text(middle, y - 4, said, size=11, anchor="middle", fill=svg.FAINT))
    hint = "shortcut: " + (", ".join(link.words) or "identity") if link.shortcut else ""
    return svg.group(*parts, class_="edge shortcut" if link.shortcut else "edge", tooltip=hint)
