"""Elements of an op's output, opened into their scalar arithmetic by `tg.zoom`.

For each op that is opened, by its node: `shape` of the output, `says` (which elements, in words),
`elements`: each with its place `flat` in the output, `value`, `g` (the gradient that arrived at
it, or None), `lines` and `cells`. Cells are the numbers that it was computed from, by array:
`node`, `name`, `shape`, their places `flat` (runs: [first, how many]), `values`, and `slopes`: how
fast the element changes with each.

A line has a `name`, the number `result`, and how it is computed, `value`: [array, place] is one of
the cells, a number is a constant, a string is the name of an earlier line, and a list that begins
with a word is an op: ["+", …], ["×", …], or a formula with {0}, {1}, … for what follows.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

import tinygrad_cnn as tg
from tinygrad_cnn import Event
from tinygrad_cnn.engine.node import Handle, Node
from tinygrad_cnn.engine.op import OUTPUT, Op
from tinygrad_cnn.errors import GraphError, OptionError, ShapeError
from tinygrad_cnn.recording.description import Description
from tinygrad_cnn.recording.zoom import ScalarGraph

from .arrays import json_number
from .formulas import formula_of
from .recording import Recording

SMALL, MOST_WHOLE = 36, 1000  # so many elements, which read so many numbers, are all opened
MOST_READ = 1600  # numbers that an element may be computed from
MOST_OF_OP = 400  # numbers read by the sample of a larger output, but for its first element
MOST_ALL, MOST_EACH = 4000, 40  # numbers read by all samples of a page: at most, or for each step
MOST_COST = 16_000  # numbers of arrays that are read whole: more would take too long to open
Index = tuple[int, ...]
Wanted = Mapping[Any, Any]


def opened_ops(
    recording: Recording, wanted: Wanted, gradients: Mapping[Node, Any]
) -> dict[str, Any]:
    """The opened elements of all ops that have a definition.

    Args:
        recording: the program.
        wanted: elements to open beside the sample, by Tensor, or by the name of a node or module:
            one index, or a list of them.
        gradients: what arrived at each node.

    Raises:
        OptionError: `wanted` names what is not there, or cannot be opened.
        ShapeError: an index is not one element.
    """
    asked = _asked(recording, wanted)
    found: dict[str, Any] = {}
    left = max(MOST_ALL, MOST_EACH * len(recording.events))
    for event in recording.events:
        node = event.node
        if event.kind != "forward" or node.op in (None, OUTPUT):
            continue
        own = asked.get(node, [])
        output = _output(recording, node)
        if output is None or not _can_be_opened(event):
            if own:
                raise OptionError(f"step: open: {node.describe()} cannot be opened")
            continue
        indices, says = _sample(output, _reads(event))
        most = MOST_WHOLE if len(indices) == np.size(output.value) else MOST_OF_OP
        if left <= 0 or _reads(event) > MOST_COST:
            indices, says = [], "Only the elements that were asked for are opened."
        elements: list[dict[str, Any]] = []
        sampled = 0
        for at in dict.fromkeys([*own, *indices]):
            element = _element(recording, event, output, at, gradients.get(output))
            reads = sum(len(cells["values"]) for cells in element["cells"])
            if at not in own:
                sampled += reads
                if reads > left:
                    left = 0  # the later ops are not even tried: that would take long
                if reads > MOST_READ or not left or (elements and sampled > most):
                    break
                left -= reads
            elements.append(element)
        if not elements:
            continue
        if len(elements) < len({*own, *indices}):
            says = f"Of {math.prod(output.shape):,} elements {len(elements)} are opened."
        if own and len(elements) > len(own):
            says += " Those asked for come first."
        found[str(recording.graph.id(node))] = {
            "shape": list(output.shape),
            "says": says,
            "elements": elements,
        }
    return found


def _asked(recording: Recording, wanted: Wanted) -> dict[Any, list[Index]]:
    """For each node the elements that were asked for."""
    found: dict[Any, list[Index]] = {}
    forward = [e.node for e in recording.events if e.kind == "forward" and e.node.op is not OUTPUT]
    for key, indices in wanted.items():
        if isinstance(key, Handle):
            node = key.node
            while node.op is OUTPUT and node.inputs and node.inputs[0] is not None:
                node = node.inputs[0]
            nodes = [node] if node in forward else []
        else:
            nodes = [n for n in forward if key in {n.scope, n.name, recording.names.get(n)}]
            nodes = [n for n in nodes if n.op is not None and n.op.is_defined][:1]
        if not nodes:
            raise OptionError(f"step: open: no op of this program is {key!r}")
        many = list(indices)
        if not many or not isinstance(many[0], list | tuple):
            many = [tuple(many)]
        found.setdefault(nodes[0], []).extend(tuple(map(int, at)) for at in many)
    return found


def _output(recording: Recording, node: Node) -> Node | None:
    """The node of an op's first output, if its values were kept."""
    if type(node.value) is tuple:
        picked = [n for n in recording.graph.nodes if n.op is OUTPUT and n.inputs[:1] == (node,)]
        node = next((n for n in picked if (n.options or {}).get("index") == 0), node)
    value = node.value
    kept = not isinstance(value, Description) and type(value) in (np.ndarray, np.float64)
    return node if kept and np.size(value) else None


def _can_be_opened(event: Event) -> bool:
    op, node = event.node.op, event.node
    assert op is not None
    known = all(p is None or not isinstance(p.value, Description) for p in node.inputs)
    changed = any(p is not None and p.modified > node.serial for p in node.inputs)
    return op.is_defined and known and not changed and bool(node.inputs)


def _reads(event: Event) -> int:
    """At most so many numbers does one element depend on."""
    op = event.node.op
    assert op is not None
    if op.elementwise:
        return len(event.node.inputs)
    outputs = event.output if isinstance(event.output, tuple) else (event.output,)
    work = op.cost(event.node).multiply_adds
    if work:
        return 2 * work // max(1, np.size(outputs[0]))
    return sum(int(np.size(p.value)) for p in event.node.inputs if p is not None)


def _sample(output: Node, reads: int) -> tuple[list[Index], str]:
    """The elements to open of an output, each of which reads so many numbers, in words, too."""
    shape, size = output.shape, math.prod(output.shape)
    if size <= SMALL and size * reads <= MOST_WHOLE:
        return list(np.ndindex(shape)), "Click an element of y, or choose one here."
    middle = tuple(n // 2 for n in shape)
    indices = [middle, (0,) * len(shape), tuple(n - 1 for n in shape)]
    indices = list(dict.fromkeys(indices))
    return indices, f"Of {size:,} elements a sample is opened: the middle, the first, the last."


def _element(
    recording: Recording, event: Event, output: Node, at: Index, gradient: Any
) -> dict[str, Any]:
    try:
        graph = tg.zoom(tg.Tensor.of(output), at)
    except (GraphError, ShapeError) as error:
        raise type(error)(f"step: open: {error}") from error
    kept = gradient is not None and not isinstance(gradient, Description)
    g = json_number(float(np.asarray(gradient)[at])) if kept else None
    return {
        "flat": int(np.ravel_multi_index(at, output.shape)) if at else 0,
        "value": json_number(float(graph.output.data)),
        "g": g,
        **_arithmetic(graph, recording),
    }


def _arithmetic(graph: ScalarGraph, recording: Recording) -> dict[str, Any]:
    """The cells and lines of one element."""
    slopes = graph.output.node.needs_grad and tg.grad(
        graph.output, [s for read in graph.cells.values() for s in read.values()],
        allow_unused=True,
    )  # fmt: skip
    slope = iter(slopes or ())
    cells: list[dict[str, Any]] = []
    places: dict[Node, list[int]] = {}
    for name, read in graph.cells.items():
        array = graph.arrays[name]
        for k, scalar in enumerate(read.values()):
            places[scalar.node] = [len(cells), k]
        cells.append(
            {
                "node": recording.graph.id(array),
                "name": name,
                "shape": list(array.shape),
                "flat": _runs(
                    int(np.ravel_multi_index(at, array.shape)) if at else 0 for at in read
                ),
                "values": [_short(scalar.data) for scalar in read.values()],
                "slopes": [0 if (d := next(slope, None)) is None else _short(d.data) for _ in read],
            }
        )
    return {"cells": cells, "lines": _lines(graph, places)}


def _lines(graph: ScalarGraph, places: Mapping[Node, list[int]]) -> list[dict[str, Any]]:
    """The arithmetic, line by line: what is used once stands inside the line that uses it."""
    users: dict[Node, list[Node]] = defaultdict(list)
    for edge in graph.edges:
        users[graph.nodes[edge.producer]].append(graph.nodes[edge.consumer])
    written: dict[Node, Any] = {}
    depth: dict[Node, int] = {}
    lines: list[dict[str, Any]] = []
    for node in graph.nodes:
        if node in places and node is not graph.output.node:
            written[node], depth[node] = places[node], 0
            continue
        if node.op is None:
            written[node], depth[node] = places.get(node, _short(node.value)), 0
            if node is not graph.output.node:
                continue
            said: Any = written[node]
        else:
            given = [p for p in node.inputs if p is not None]
            said = _said(node.op, [written[p] for p in given], node.options or {})
            depth[node] = 1 + max(
                (depth[p] for p in given if p.op is not node.op or said[0] not in ("+", "×")),
                default=0,
            )
        is_last, used = node is graph.output.node, users[node]
        goes_on = len(used) == 1 and used[0].op is node.op and said[0] in ("+", "×")
        if is_last or len(used) > 1 or (depth[node] > 2 and not goes_on):
            name = "y" if is_last else f"s{len(lines) + 1}"
            lines.append({"name": name, "value": said, "result": _short(node.value)})
            written[node], depth[node] = name, 0
        else:
            written[node] = said
    return lines


def _said(op: Op, given: Sequence[Any], options: Mapping[str, Any]) -> list[Any]:
    """An op on what was written of its inputs; sums and products are flat."""
    sign = {"add": "+", "multiply": "×"}.get(op.name)
    if sign:
        flat: list[Any] = [sign]
        for each in given:
            same = isinstance(each, list) and each[:1] == [sign]
            flat += each[1:] if same else [each]
        return flat
    words = {name: f"{{{k}}}" for k, name in enumerate(op.inputs)}
    return [formula_of(op).value.format_map({**options, **words}), *given]


def _runs(flat: Iterable[int]) -> list[list[int]]:
    """Places as runs of consecutive ones: where each begins, and how many they are.

    Example:
        >>> _runs([4, 5, 6, 9])
        [[4, 3], [9, 1]]
    """
    runs: list[list[int]] = []
    for place in flat:
        if runs and place == sum(runs[-1]):
            runs[-1][1] += 1
        else:
            runs.append([place, 1])
    return runs


def _short(x: float) -> float | str:
    """A number with the four digits that are shown."""
    return json_number(float(f"{float(x):.4g}"))
