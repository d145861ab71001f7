"""Writers of what gives elements other places."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....engine.node import Node
from ....errors import OptionError
from ..recorded import Moving
from .table import Writing, only, writes

END = 2**63 - 1  # behind the last element, however many there are


@writes("reshape", movable=True)
def _(w: Writing, node: Node) -> Any:
    wanted = w.shape(node)
    moved = [i for i, n in enumerate(wanted) if isinstance(n, Moving)]
    if len(moved) == 1 and 0 not in wanted:  # the one size that the others leave open
        wanted = tuple(-1 if i in moved else n for i, n in enumerate(wanted))
    return w.put("Reshape", w.of(only(node)), w.ints(wanted), allowzero=int(0 in wanted))


@writes("transpose")
def _(w: Writing, node: Node) -> Any:
    return w.put("Transpose", w.of(only(node)), perm=list((node.options or {})["axes"]))


@writes("moveaxis")
def _(w: Writing, node: Node) -> Any:
    source, options = only(node), node.options or {}
    order = [a for a in range(len(source.shape)) if a not in options["source"]]
    for to, a in sorted(zip(options["destination"], options["source"], strict=True)):
        order.insert(to, a)
    return w.put("Transpose", w.of(source), perm=order)


@writes("broadcast_to", movable=True)
def _(w: Writing, node: Node) -> Any:
    return w.put("Expand", w.of(only(node)), w.ints(w.shape(node)))


@writes("expand_dims")
def _(w: Writing, node: Node) -> Any:
    return w.put("Unsqueeze", w.of(only(node)), w.ints((node.options or {})["axis"]))


@writes("squeeze")
def _(w: Writing, node: Node) -> Any:
    axes = (node.options or {})["axis"]
    return w.put("Squeeze", w.of(only(node)), w.ints(axes)) if axes else w.of(only(node))


@writes("concatenate")
def _(w: Writing, node: Node) -> Any:
    dtype = node.value.dtype
    axis = (node.options or {})["axis"]
    return w.put("Concat", *(w.of(p, dtype) for p in node.inputs), axis=axis)


@writes("stack")
def _(w: Writing, node: Node) -> Any:
    axis, dtype = (node.options or {})["axis"], node.value.dtype
    at = w.ints([axis])
    parts = [w.put("Unsqueeze", w.of(p, dtype), at) for p in node.inputs]
    return w.put("Concat", *parts, axis=axis)


@writes("split", movable=True)
def _(w: Writing, node: Node) -> Any:
    options, source = w.recorded.options(node), only(node)
    axis, x = options["axis"], w.of(source)
    lengths = np.diff([0, *options["sections"], source.shape[axis]]).tolist()
    if len(lengths) == 1:
        return (x,)
    if isinstance(w.shape(source)[axis], Moving):
        raise OptionError("a split of the batch is of one size only")
    return w.put("Split", x, w.ints(lengths), outputs=len(lengths), axis=axis)


@writes("flip")
def _(w: Writing, node: Node) -> Any:
    axes = (node.options or {})["axis"]
    if not axes:
        return w.of(only(node))
    count = len(axes)
    bounds = w.ints([-1] * count), w.ints([-END] * count)
    return w.put("Slice", w.of(only(node)), *bounds, w.ints(axes), w.ints([-1] * count))


@writes("roll")
def _(w: Writing, node: Node) -> Any:
    options, source = node.options or {}, only(node)
    x, shape = w.of(source), w.shape(source)
    if options["axis"] is None:
        raise OptionError("a roll of the flattened input; name the axes")
    for shift, axis in zip(options["shift"], options["axis"], strict=True):
        if isinstance(shape[axis], Moving):
            raise OptionError("a roll along the batch")
        cut, along = -shift % max(shape[axis], 1), w.ints([axis])
        if cut:
            tail = w.put("Slice", x, w.ints([cut]), w.ints([END]), along)
            x = w.put(
                "Concat", tail, w.put("Slice", x, w.ints([0]), w.ints([cut]), along), axis=axis
            )
    return x


def _read(w: Writing, source: Node, index: Any, axis: int | None) -> Any:
    """The elements at `index` along an axis, or of the flattened input."""
    x = w.of(source)
    if axis is None:
        x, axis = w.put("Reshape", x, w.ints([-1])), 0
    return w.put("Gather", x, w.constant(index, np.int64), axis=axis)


@writes("take")
def _(w: Writing, node: Node) -> Any:
    options = node.options or {}
    return _read(w, only(node), options["indices"], options["axis"])


@writes("repeat")
def _(w: Writing, node: Node) -> Any:
    options = node.options or {}
    repeats = options["repeats"]
    return _read(w, only(node), np.repeat(np.arange(len(repeats)), repeats), options["axis"])


@writes("embedding")
def _(w: Writing, node: Node) -> Any:
    indices, weight = node.inputs
    return w.put("Gather", w.of(weight), w.of(indices), axis=0)


@writes("gather")
def _(w: Writing, node: Node) -> Any:
    x, indices = node.inputs
    return w.put("Gather", w.of(x), w.of(indices), axis=(node.options or {})["axis"])


@writes("gather_along")
def _(w: Writing, node: Node) -> Any:
    x, indices = node.inputs
    axis = (node.options or {})["axis"]
    return w.put("GatherElements", w.of(x), w.of(indices, np.int64), axis=axis)


@writes("top_places")
def _(w: Writing, node: Node) -> Any:
    options = node.options or {}
    _, places = w.put(
        "TopK",
        w.of(only(node)),
        w.ints([options["k"]]),
        outputs=2,
        axis=options["axis"],
        largest=int(options["largest"]),
    )
    return places


@writes("pad")
def _(w: Writing, node: Node) -> Any:
    options, x = node.options or {}, only(node)
    pairs = options["pad_width"]
    if options["mode"] == "wrap":  # which Pad has from opset 19 on
        y = w.of(x)
        for axis, (n, pair) in enumerate(zip(x.shape, pairs, strict=True)):
            places = np.arange(-pair[0], n + pair[1]) % max(n, 1)
            y = w.put("Gather", y, w.constant(places, np.int64), axis=axis) if any(pair) else y
        return y
    widths = w.ints([before for before, _ in pairs] + [after for _, after in pairs])
    given = [w.of(x), widths]
    if options["mode"] == "constant":
        given.append(w.constant(options["constant_values"], node.value.dtype))
    return w.put("Pad", *given, mode=options["mode"])


@writes("getitem", movable=True)
def _(w: Writing, node: Node) -> Any:
    """First the slices, then numbers and arrays, then new axes."""
    source = only(node)
    index = _spelt_out(w.recorded.options(node)["index"], len(source.shape))
    kept = [part for part in index if part is not None]
    x = _sliced(w, w.of(source), kept, w.shape(source))
    arrays = [i for i, part in enumerate(kept) if isinstance(part, np.ndarray)]
    if not arrays:
        numbers = [i for i, part in enumerate(kept) if not isinstance(part, slice)]
        x = w.put("Squeeze", x, w.ints(numbers)) if numbers else x
        shown = [part for part in index if part is None or isinstance(part, slice)]
        new = [i for i, part in enumerate(shown) if part is None]
        return w.put("Unsqueeze", x, w.ints(new)) if new else x
    if len(kept) < len(index) or any(not isinstance(p, slice | np.ndarray) for p in kept):
        raise OptionError("an index of arrays together with numbers or new axes; index twice")
    if len(arrays) == 1:
        return w.put("Gather", x, w.constant(kept[arrays[0]], np.int64), axis=arrays[0])
    return _gathered(w, x, kept, arrays)


def _spelt_out(index: Any, ndim: int) -> list[Any]:
    """An index with a part for each axis; masks as the places that they let through."""
    parts: list[Any] = []
    for part in index if isinstance(index, tuple) else (index,):
        if isinstance(part, np.ndarray) and part.dtype.kind == "b":
            parts += np.nonzero(part)
        else:
            parts.append(part)
    named = sum(part is not None and part is not Ellipsis for part in parts)
    rest: list[Any] = [slice(None)] * (ndim - named)
    for i, part in enumerate(parts):
        if part is Ellipsis:
            return parts[:i] + rest + parts[i + 1 :]
    return parts + rest


def _sliced(w: Writing, x: str, parts: list[Any], shape: tuple[int, ...]) -> str:
    """The slices among the parts, and numbers as slices of one."""
    found: list[tuple[int, int, int, int]] = []
    for axis, part in enumerate(parts):
        if isinstance(part, np.ndarray) or part == slice(None):
            continue
        if isinstance(part, slice):
            if any(isinstance(n, Moving) for n in (part.start, part.stop, part.step)):
                raise OptionError("a slice whose bounds move with the batch")
            step = part.step or 1
            start = part.start if part.start is not None else (0 if step > 0 else -1)
            end = part.stop if part.stop is not None else (END if step > 0 else -END)
        else:
            start, end, step = int(part), int(part) + 1 or END, 1
        found.append((start, end, axis, step))
    return str(w.put("Slice", x, *map(w.ints, zip(*found, strict=True)))) if found else x


def _gathered(w: Writing, x: str, parts: list[Any], arrays: list[int]) -> Any:
    """Several arrays as points: their axes go first, and the result's where NumPy has them."""
    others = [a for a in range(len(parts)) if a not in arrays]
    points = np.stack(np.broadcast_arrays(*(parts[a] for a in arrays)), axis=-1)
    first = w.put("Transpose", x, perm=[*arrays, *others])
    y = w.put("GatherND", first, w.constant(points, np.int64))
    found = points.ndim - 1
    if arrays != list(range(arrays[0], arrays[0] + len(arrays))) or not arrays[0]:
        return y
    before = [found + i for i in range(arrays[0])]
    behind = [found + i for i in range(arrays[0], len(others))]
    return w.put("Transpose", y, perm=[*before, *range(found), *behind])
