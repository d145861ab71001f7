"""Writers of matrix products, convolutions and pooling."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ....engine.node import Node
from ....ops.adaptive import windows
from ....ops.pooling import extended
from .table import Writing, only, writes


@writes("matmul")
def _(w: Writing, node: Node) -> Any:
    return w.put("MatMul", *(w.of(p, node.value.dtype) for p in node.inputs))


@writes("linear")
def _(w: Writing, node: Node) -> Any:
    x, weight, bias = node.inputs
    if x is not None and len(x.shape) == 2:
        return w.put("Gemm", w.of(x), w.of(weight), w.of(bias), transB=1)
    y = w.put("MatMul", w.of(x), w.put("Transpose", w.of(weight), perm=[1, 0]))
    return y if bias is None else w.put("Add", y, w.of(bias))


@writes("einsum")
def _(w: Writing, node: Node) -> Any:
    options = node.options or {}
    equation = f"{','.join(options['inputs'])}->{options['output']}"
    return w.put("Einsum", *(w.of(p, node.value.dtype) for p in node.inputs), equation=equation)


@writes("outer")
def _(w: Writing, node: Node) -> Any:
    a, b = (w.of(p, node.value.dtype) for p in node.inputs)
    column, row = w.ints([-1, 1]), w.ints([1, -1])
    return w.put("Mul", w.put("Reshape", a, column), w.put("Reshape", b, row))


# --- convolution -----------------------------------------------------------------------------


def _ends(pairs: Sequence[tuple[int, int]]) -> list[int]:
    """Pairs of padding as ONNX orders them: all begins, then all ends."""
    return [before for before, _ in pairs] + [after for _, after in pairs]


@writes("conv1d", "conv2d", "conv3d")
def _(w: Writing, node: Node) -> Any:
    x, weight, bias = node.inputs
    options = node.options or {}
    assert weight is not None
    return w.put(
        "Conv",
        w.of(x),
        w.of(weight),
        w.of(bias),
        kernel_shape=list(weight.shape[2:]),
        strides=list(options["stride"]),
        pads=_ends(options["padding"]),
        dilations=list(options["dilation"]),
        group=options["groups"],
    )


@writes("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def _(w: Writing, node: Node) -> Any:
    x, weight, bias = node.inputs
    options = node.options or {}
    assert weight is not None
    return w.put(
        "ConvTranspose",
        w.of(x),
        w.of(weight),
        w.of(bias),
        kernel_shape=list(weight.shape[2:]),
        strides=list(options["stride"]),
        pads=_ends(options["padding"]),
        dilations=list(options["dilation"]),
        output_padding=list(options["output_padding"]),
        group=options["groups"],
    )


@writes("unfold2d")
def _(w: Writing, node: Node) -> Any:
    options, x = node.options or {}, only(node)
    return _windows(w, w.of(x), x.shape, options["kernel"], options["stride"])


def _windows(
    w: Writing, x: str, shape: Sequence[int], kernel: Sequence[int], stride: Sequence[int]
) -> str:
    """(N, C, H, W) → (N, C, kh, kw, OH, OW): every window's cells, read by their flat number."""
    rows, columns = (
        np.arange(k)[:, None] + np.arange((n - k) // s + 1) * s
        for n, k, s in zip(shape[2:], kernel, stride, strict=True)
    )
    cells = rows[:, None, :, None] * shape[3] + columns[None, :, None, :]
    flat = w.put("Reshape", x, w.ints([0, 0, -1]))
    return str(w.put("Gather", flat, w.constant(cells, np.int64), axis=2))


@writes("locally_connected2d")
def _(w: Writing, node: Node) -> Any:
    x, weight, bias = node.inputs
    options = node.options or {}
    assert x is not None
    assert weight is not None
    pairs = options["padding"]
    name = w.of(x)
    if any(map(any, pairs)):
        name = w.put("Pad", name, w.ints(_ends([(0, 0), (0, 0), *pairs])))
    shape = [*x.shape[:2], *(n + sum(pair) for n, pair in zip(x.shape[2:], pairs, strict=True))]
    windows = _windows(w, name, shape, weight.shape[2:4], options["stride"])
    y = w.put("Einsum", windows, w.of(weight), equation="ncabhw,ocabhw->nohw")
    return y if bias is None else w.put("Add", y, w.of(bias))


# --- pooling ---------------------------------------------------------------------------------


@writes("max_pool1d", "max_pool2d", "max_pool3d")
def _(w: Writing, node: Node) -> Any:
    options = node.options or {}
    return w.put(
        "MaxPool",
        w.of(only(node)),
        kernel_shape=list(options["kernel_size"]),
        strides=list(options["stride"]),
        pads=_ends(options["padding"]),
        dilations=list(options["dilation"]),
        ceil_mode=int(options["ceil_mode"]),
    )


@writes("avg_pool1d", "avg_pool2d", "avg_pool3d")
def _(w: Writing, node: Node) -> Any:
    """Divided by a number of its own: the mean of windows that all count as whole, times a factor.

    They do if the padding is written that makes room for the last ones, in place of ceil_mode.
    """
    options, x = node.options or {}, only(node)
    kernel, stride, divisor = (
        options[name] for name in ("kernel_size", "stride", "divisor_override")
    )
    whole = divisor is not None
    pads = options["padding"]
    if whole and options["ceil_mode"]:
        pads = extended(x.shape[2:], kernel, stride, pads, (1,) * len(kernel), True)
    y = w.put(
        "AveragePool",
        w.of(x),
        kernel_shape=list(kernel),
        strides=list(stride),
        pads=_ends(pads),
        ceil_mode=int(options["ceil_mode"] and not whole),
        count_include_pad=int(options["count_include_pad"] or whole),
    )
    factor = math.prod(kernel) / divisor if whole else 1
    return y if factor == 1 else w.put("Mul", y, w.constant(factor, node.value.dtype))


@writes(*(f"adaptive_{kind}_pool{d}d" for kind in ("avg", "max") for d in (1, 2, 3)))
def _(w: Writing, node: Node) -> Any:
    x, sizes = only(node), (node.options or {})["output_size"]
    mean = str(node.op and node.op.name).startswith("adaptive_avg")
    places = list(zip(x.shape[2:], sizes, strict=True))
    if all(n % o == 0 for n, o in places):
        kernel = [n // o for n, o in places]
        kind = "AveragePool" if mean else "MaxPool"
        return w.put(kind, w.of(x), kernel_shape=kernel, strides=kernel)
    y = w.of(x)
    for axis, (n, o) in enumerate(places, start=2):
        y = _windows_of_an_axis(w, y, axis, windows(n, o), mean, x)
    return y


def _windows_of_an_axis(
    w: Writing, x: str, axis: int, windows: list[range], mean: bool, like: Node
) -> str:
    """One axis pooled over windows; a shorter one reads its last cell again."""
    longest = max(map(len, windows))
    cells = np.array([[*run, *[run[-1]] * (longest - len(run))] for run in windows])
    read = w.put("Gather", x, w.constant(cells, np.int64), axis=axis)
    along = w.ints([axis + 1])
    if not mean:
        return str(w.put("ReduceMax", read, along, keepdims=0))
    shares = np.array([[(i < len(run)) / len(run) for i in range(longest)] for run in windows])
    behind = (1,) * (len(like.shape) - axis - 1)
    weights = w.constant(shares.reshape(*shares.shape, *behind), like.value.dtype)
    return str(w.put("ReduceSum", w.put("Mul", read, weights), along, keepdims=0))
