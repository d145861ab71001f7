"""Writers of matrix products, convolutions and pooling."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ....engine.node import Node
from ....ops.adaptive import windows
from ....ops.pooling import extended
from .table import Writing, ends, only, writes


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


@writes("conv1d", "conv2d", "conv3d")
def _(w: Writing, node: Node) -> Any:
    return _convolution(w, node, "Conv")


@writes("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def _(w: Writing, node: Node) -> Any:
    more = list((node.options or {})["output_padding"])
    return _convolution(w, node, "ConvTranspose", output_padding=more)


def _convolution(w: Writing, node: Node, kind: str, **attributes: Any) -> Any:
    x, weight, bias = node.inputs
    options = node.options or {}
    assert weight is not None
    return w.put(
        kind,
        w.of(x),
        w.of(weight),
        w.of(bias),
        kernel_shape=list(weight.shape[2:]),
        strides=list(options["stride"]),
        pads=ends(options["padding"]),
        dilations=list(options["dilation"]),
        group=options["groups"],
        **attributes,
    )


# --- pooling ---------------------------------------------------------------------------------


@writes("max_pool1d", "max_pool2d", "max_pool3d")
def _(w: Writing, node: Node) -> Any:
    return _pooled(w, node, "MaxPool", dilations=list((node.options or {})["dilation"]))


def _pooled(w: Writing, node: Node, kind: str, **attributes: Any) -> Any:
    options = node.options or {}
    return w.put(
        kind,
        w.of(only(node)),
        kernel_shape=list(options["kernel_size"]),
        strides=list(options["stride"]),
        pads=ends(options["padding"]),
        ceil_mode=int(options["ceil_mode"]),
        **attributes,
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
        pads=ends(pads),
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
