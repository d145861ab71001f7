"""Writers of what reads an image window by window, cell by cell: the windows laid out, and back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ....engine.node import Node
from .table import Writing, ends, only, writes

Pairs = Sequence[tuple[int, int]]


def _windows(
    w: Writing,
    x: Node,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Pairs = ((0, 0), (0, 0)),
    dilation: Sequence[int] = (1, 1),
) -> str:
    """(N, C, H, W) → (N, C, kh, kw, OH, OW): every window's cells, read by their flat number."""
    name = w.of(x)
    if any(map(any, padding)):
        name = w.put("Pad", name, w.ints(ends([(0, 0), (0, 0), *padding])))
    size = [n + sum(pair) for n, pair in zip(x.shape[2:], padding, strict=True)]
    rows, columns = (
        np.arange(k)[:, None] * d + np.arange((n - (k - 1) * d - 1) // s + 1) * s
        for n, k, s, d in zip(size, kernel, stride, dilation, strict=True)
    )
    cells = rows[:, None, :, None] * size[1] + columns[None, :, None, :]
    flat = w.put("Reshape", name, w.ints([0, 0, -1]))
    return str(w.put("Gather", flat, w.constant(cells, np.int64), axis=2))


@writes("unfold2d")
def _(w: Writing, node: Node) -> Any:
    options = node.options or {}
    return _windows(w, only(node), options["kernel"], options["stride"])


@writes("locally_connected2d")
def _(w: Writing, node: Node) -> Any:
    x, weight, bias = node.inputs
    options = node.options or {}
    assert x is not None
    assert weight is not None
    windows = _windows(w, x, weight.shape[2:4], options["stride"], options["padding"])
    y = w.put("Einsum", windows, w.of(weight), equation="ncabhw,ocabhw->nohw")
    return y if bias is None else w.put("Add", y, w.of(bias))


@writes("unfold")
def _(w: Writing, node: Node) -> Any:
    x, o = only(node), node.options or {}
    kernel = o["kernel_size"]
    windows = _windows(w, x, kernel, o["stride"], o["padding"], o["dilation"])
    columns = x.shape[1] * math.prod(kernel)
    return w.put("Reshape", windows, w.ints([0, columns, -1]))


@writes("fold")
def _(w: Writing, node: Node) -> Any:
    options = node.options or {}
    return w.put(
        "Col2Im",
        w.of(only(node)),
        w.ints(options["output_size"]),
        w.ints(options["kernel_size"]),
        dilations=list(options["dilation"]),
        pads=ends(options["padding"]),
        strides=list(options["stride"]),
    )
