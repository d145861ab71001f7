"""Writers of normalisation."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....engine.node import Node
from .table import Writing, only, writes


def _affine(w: Writing, weight: Node | None, bias: Node | None, n: Any, dtype: Any) -> list[str]:
    """Scale and shift; ones and zeros for one that is left out."""
    return [
        w.constant(np.full(n, filler), dtype) if node is None else w.of(node)
        for node, filler in ((weight, 1.0), (bias, 0.0))
    ]


@writes("batch_norm_eval")
def _(w: Writing, node: Node) -> Any:
    x, mean, var, weight, bias = node.inputs
    assert mean is not None
    return w.put(
        "BatchNormalization",
        w.of(x),
        *_affine(w, weight, bias, mean.shape, node.value.dtype),
        w.of(mean),
        w.of(var),
        epsilon=float((node.options or {})["eps"]),
    )


@writes("layer_norm")
def _(w: Writing, node: Node) -> Any:
    x, weight, bias = node.inputs
    options = node.options or {}
    sizes = options["normalized_shape"]
    return w.put(
        "LayerNormalization",
        w.of(x),
        *_affine(w, weight, bias, sizes, node.value.dtype),
        axis=-len(sizes),
        epsilon=float(options["eps"]),
    )


@writes("group_norm")
def _(w: Writing, node: Node) -> Any:
    """As an instance norm of the groups, which then get their shape again."""
    x, weight, bias = node.inputs
    options = node.options or {}
    assert x is not None
    groups, dtype = options["num_groups"], node.value.dtype
    rows = w.put("Reshape", w.of(x), w.ints([0, groups, -1]))
    ones, zeros = _affine(w, None, None, groups, dtype)
    y = w.put("InstanceNormalization", rows, ones, zeros, epsilon=float(options["eps"]))
    y = w.put("Reshape", y, w.put("Shape", w.of(x)))
    column = w.ints([-1, *(1,) * (len(x.shape) - 2)])
    if weight is not None:
        y = w.put("Mul", y, w.put("Reshape", w.of(weight), column))
    return y if bias is None else w.put("Add", y, w.put("Reshape", w.of(bias), column))


@writes("instance_norm")
def _(w: Writing, node: Node) -> Any:
    x, weight, bias = node.inputs
    assert x is not None
    affine = _affine(w, weight, bias, x.shape[1], node.value.dtype)
    epsilon = float((node.options or {})["eps"])
    return w.put("InstanceNormalization", w.of(x), *affine, epsilon=epsilon)


@writes("rms_norm")
def _(w: Writing, node: Node) -> Any:
    """x/√(mean x² + ε): one operator only from opset 23 on."""
    x, weight = node.inputs
    options, dtype = node.options or {}, node.value.dtype
    wide = np.promote_types(dtype, np.float32)  # squares of float16 overflow from 256 on
    values = w.of(x, wide)
    axes = w.ints(range(-len(options["normalized_shape"]), 0))
    squares = w.put("ReduceMean", w.put("Mul", values, values), axes, keepdims=1)
    root = w.put("Sqrt", w.put("Add", squares, w.constant(options["eps"], wide)))
    y = w.put("Div", values, root)
    y = y if wide == dtype else w.cast(y, dtype)
    return y if weight is None else w.put("Mul", y, w.of(weight))


@writes("local_response_norm")
def _(w: Writing, node: Node) -> Any:
    """As LRN; of an even number of channels, which onnxruntime refuses, by a mean of squares."""
    options, x = node.options or {}, only(node)
    size, power = options["size"], float(options["beta"])
    if size % 2:
        alpha, k = float(options["alpha"]), float(options["k"])
        return w.put("LRN", w.of(x), size=size, alpha=alpha, beta=power, bias=k)
    squares = w.put("Mul", w.of(x), w.of(x))
    column = w.put("Reshape", squares, w.ints([0, 1, x.shape[1], -1]))
    pads = [size // 2, 0, (size - 1) // 2, 0]
    means = w.put("AveragePool", column, kernel_shape=[size, 1], pads=pads, count_include_pad=1)
    means = w.put("Reshape", means, w.put("Shape", w.of(x)))
    dtype = x.value.dtype
    scaled = w.put("Mul", means, w.constant(options["alpha"], dtype))
    divisor = w.put("Add", scaled, w.constant(options["k"], dtype))
    return w.put("Div", w.of(x), w.put("Pow", divisor, w.constant(power, dtype)))
