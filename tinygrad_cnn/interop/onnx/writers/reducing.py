"""Writers of reductions, and of softmax."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ....engine.node import Node
from .table import Writing, only, writes

_REDUCTIONS = {
    "sum": "ReduceSum",
    "mean": "ReduceMean",
    "max": "ReduceMax",
    "min": "ReduceMin",
    "prod": "ReduceProd",
    "norm": "ReduceL2",
    "logsumexp": "ReduceLogSumExp",
}


def _reduced(w: Writing, kind: str, x: str, axes: tuple[int, ...], keepdims: bool) -> str:
    if not axes:
        return x
    return str(w.put(kind, x, w.ints(axes), keepdims=int(keepdims)))


@writes(*_REDUCTIONS)
def _(w: Writing, node: Node) -> Any:
    options, kind = node.options or {}, _REDUCTIONS[str(node.op and node.op.name)]
    x = w.of(only(node), node.value.dtype)
    if not options["axis"] and kind == "ReduceL2":
        return w.put("Abs", x)
    return _reduced(w, kind, x, options["axis"], options["keepdims"])


@writes("var", "std")
def _(w: Writing, node: Node) -> Any:
    options, dtype, source = node.options or {}, node.value.dtype, only(node)
    axes = options["axis"]
    x = w.of(source, dtype)
    centred = w.put("Sub", x, _reduced(w, "ReduceMean", x, axes, True))
    y = _reduced(w, "ReduceMean", w.put("Mul", centred, centred), axes, options["keepdims"])
    if options["ddof"]:
        count = math.prod(w.shape(source)[a] for a in axes)
        y = w.put("Mul", y, w.constant(count / (count - options["ddof"]), dtype))
    return w.put("Sqrt", y) if str(node.op and node.op.name) == "std" else y


@writes("cumsum")
def _(w: Writing, node: Node) -> Any:
    axis = (node.options or {})["axis"]
    x = w.of(only(node), node.value.dtype)
    if axis is None:
        x, axis = w.put("Reshape", x, w.ints([-1])), 0
    return w.put("CumSum", x, w.constant(axis, np.int64))


@writes("argmax", "argmin")
def _(w: Writing, node: Node) -> Any:
    options = node.options or {}
    kind = "ArgMax" if str(node.op and node.op.name) == "argmax" else "ArgMin"
    return w.put(
        kind,
        w.of(only(node)),
        axis=options["axis"],
        keepdims=1,
        select_last_index=int(options["last"]),
    )


@writes("softmax", "log_softmax")
def _(w: Writing, node: Node) -> Any:
    kind = "Softmax" if str(node.op and node.op.name) == "softmax" else "LogSoftmax"
    return w.put(kind, w.of(only(node)), axis=(node.options or {})["axis"])
