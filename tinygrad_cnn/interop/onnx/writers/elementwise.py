"""Writers of what works on each element by itself."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ....engine.node import Node
from .table import Writing, joint, only, writes

_SAME = {  # one operator, in the dtype of its operands together
    "add": "Add",
    "residual_add": "Add",
    "subtract": "Sub",
    "multiply": "Mul",
    "divide": "Div",
    "power": "Pow",
    "negative": "Neg",
    "absolute": "Abs",
    "exp": "Exp",
    "log": "Log",
    "sqrt": "Sqrt",
    "sin": "Sin",
    "cos": "Cos",
    "tan": "Tan",
    "atan": "Atan",
    "sinh": "Sinh",
    "cosh": "Cosh",
    "tanh": "Tanh",
    "reciprocal": "Reciprocal",
    "hardswish": "HardSwish",
    "mish": "Mish",
    "sigmoid": "Sigmoid",
    "relu": "Relu",
    "erf": "Erf",
    "floor": "Floor",
    "ceil": "Ceil",
    "round": "Round",
    "sign": "Sign",
    "arcsin": "Asin",
    "arccos": "Acos",
    "arcsinh": "Asinh",
    "arccosh": "Acosh",
    "arctanh": "Atanh",
    "maximum": "Max",
    "minimum": "Min",
}
_TRUTHS = {
    "equal": "Equal",
    "less": "Less",
    "less_equal": "LessOrEqual",
    "greater": "Greater",
    "greater_equal": "GreaterOrEqual",
    "isnan": "IsNaN",
}
_LOGIC = {
    "logical_and": "And",
    "logical_or": "Or",
    "logical_xor": "Xor",
    "logical_not": "Not",
}


@writes(*_SAME)
def _(w: Writing, node: Node) -> Any:
    dtype = node.value.dtype  # the dtype of the result: integers are divided as floats
    return w.put(_SAME[str(node.op and node.op.name)], *(w.of(p, dtype) for p in node.inputs))


@writes(*_TRUTHS)
def _(w: Writing, node: Node) -> Any:
    dtype = joint(*node.inputs)
    return w.put(_TRUTHS[str(node.op and node.op.name)], *(w.of(p, dtype) for p in node.inputs))


@writes(*_LOGIC)
def _(w: Writing, node: Node) -> Any:
    return w.put(_LOGIC[str(node.op and node.op.name)], *(w.of(p, bool) for p in node.inputs))


@writes("where")
def _(w: Writing, node: Node) -> Any:
    condition, a, b = node.inputs
    dtype = node.value.dtype
    return w.put("Where", w.of(condition, bool), w.of(a, dtype), w.of(b, dtype))


@writes("square")
def _(w: Writing, node: Node) -> Any:
    x = w.of(only(node))
    return w.put("Mul", x, x)


@writes("expm1")
def _(w: Writing, node: Node) -> Any:
    dtype = node.value.dtype
    return w.put("Sub", w.put("Exp", w.of(only(node), dtype)), w.constant(1, dtype))


@writes("log1p")
def _(w: Writing, node: Node) -> Any:
    dtype = node.value.dtype
    return w.put("Log", w.put("Add", w.of(only(node), dtype), w.constant(1, dtype)))


@writes("exp2")
def _(w: Writing, node: Node) -> Any:
    dtype = node.value.dtype
    return w.put("Pow", w.constant(2, dtype), w.of(only(node), dtype))


@writes("log2", "log10")
def _(w: Writing, node: Node) -> Any:
    dtype = node.value.dtype
    base = 2 if node.op is not None and node.op.name == "log2" else 10
    return w.put("Div", w.put("Log", w.of(only(node), dtype)), w.constant(math.log(base), dtype))


@writes("rsqrt")
def _(w: Writing, node: Node) -> Any:
    return w.put("Reciprocal", w.put("Sqrt", w.of(only(node), node.value.dtype)))


@writes("log_sigmoid")
def _(w: Writing, node: Node) -> Any:
    return w.put("Neg", w.put("Softplus", w.put("Neg", w.of(only(node), node.value.dtype))))


@writes("trunc")
def _(w: Writing, node: Node) -> Any:
    x = w.of(only(node), node.value.dtype)
    return w.put("Mul", w.put("Sign", x), w.put("Floor", w.put("Abs", x)))


@writes("hardsigmoid")
def _(w: Writing, node: Node) -> Any:
    return w.put("HardSigmoid", w.of(only(node), node.value.dtype), alpha=1 / 6, beta=0.5)


@writes("hardtanh")
def _(w: Writing, node: Node) -> Any:
    options, dtype = node.options or {}, node.value.dtype
    bounds = [w.constant(options[name], dtype) for name in ("min_val", "max_val")]
    return w.put("Clip", w.of(only(node), dtype), *bounds)


@writes("prelu")
def _(w: Writing, node: Node) -> Any:
    x, weight = node.inputs
    assert x is not None
    behind = [1] * max(len(x.shape) - 2, 0)  # one slope for each channel, the second axis
    slope = w.put("Reshape", w.of(weight), w.ints([-1, *behind]))
    return w.put("PRelu", w.of(x), slope)


@writes("glu")
def _(w: Writing, node: Node) -> Any:
    axis = (node.options or {})["axis"]
    value, gate = w.put("Split", w.of(only(node)), outputs=2, axis=axis, num_outputs=2)
    return w.put("Mul", value, w.put("Sigmoid", gate))


@writes("masked_fill")
def _(w: Writing, node: Node) -> Any:
    x, mask = node.inputs
    value = w.constant((node.options or {})["value"], node.value.dtype)
    return w.put("Where", w.of(mask, bool), value, w.of(x))


@writes("clip")
def _(w: Writing, node: Node) -> Any:
    """Clip takes two numbers; what bounds each element by itself is Max and Min."""
    dtype, (_, low, high) = node.value.dtype, node.inputs
    x, *bounds = (w.of(p, dtype) for p in node.inputs)
    if all(p is None or p.shape == () for p in (low, high)):
        return w.put("Clip", x, *bounds)
    for kind, bound in zip(("Max", "Min"), bounds, strict=True):
        x = w.put(kind, x, bound) if bound else x
    return x


@writes("softplus")
def _(w: Writing, node: Node) -> Any:
    """ONNX has it without a threshold: where that makes a difference, x is taken beyond it."""
    options, dtype = node.options or {}, node.value.dtype
    beta, threshold = options["beta"], options["threshold"]
    x = w.of(only(node), dtype)
    scaled = x if beta == 1 else w.put("Mul", x, w.constant(beta, dtype))
    y = w.put("Softplus", scaled)
    y = y if beta == 1 else w.put("Div", y, w.constant(beta, dtype))
    if threshold > 0 and math.log1p(math.exp(-threshold)) < threshold * np.finfo(dtype).eps / 4:
        return y  # rounded, they are equal there
    beyond = w.put("Greater", scaled, w.constant(threshold, dtype))
    return w.put("Where", beyond, x, y)


@writes("leaky_relu")
def _(w: Writing, node: Node) -> Any:
    slope = float((node.options or {})["negative_slope"])
    return w.put("LeakyRelu", w.of(only(node), node.value.dtype), alpha=slope)


@writes("elu")
def _(w: Writing, node: Node) -> Any:
    alpha = float((node.options or {})["alpha"])
    return w.put("Elu", w.of(only(node), node.value.dtype), alpha=alpha)


@writes("silu")
def _(w: Writing, node: Node) -> Any:
    x = w.of(only(node), node.value.dtype)
    return w.put("Mul", x, w.put("Sigmoid", x))


@writes("gelu")
def _(w: Writing, node: Node) -> Any:
    """x/2·(1 + erf(x/√2)), or tanh(√(2/π)·(x + 0.044715 x³)) for erf."""
    dtype = node.value.dtype
    x = w.of(only(node), dtype)

    def number(value: float) -> str:
        return w.constant(value, dtype)

    if (node.options or {})["approximate"] == "tanh":
        cube = w.put("Mul", w.put("Mul", x, x), x)
        inner = w.put("Add", x, w.put("Mul", cube, number(0.044715)))
        share = w.put("Tanh", w.put("Mul", inner, number(math.sqrt(2 / math.pi))))
    else:
        share = w.put("Erf", w.put("Mul", x, number(math.sqrt(0.5))))
    return w.put("Mul", w.put("Mul", x, number(0.5)), w.put("Add", share, number(1)))


@writes("remainder")
def _(w: Writing, node: Node) -> Any:
    """a − b·⌊a/b⌋: ONNX has it for whole numbers only."""
    dtype = node.value.dtype
    a, b = (w.of(p, dtype) for p in node.inputs)
    if np.dtype(dtype).kind != "f":
        return w.put("Mod", a, b)
    return w.put("Sub", a, w.put("Mul", b, w.put("Floor", w.put("Div", a, b))))


@writes("fmod")
def _(w: Writing, node: Node) -> Any:
    return w.put("Mod", *(w.of(p, node.value.dtype) for p in node.inputs), fmod=1)


@writes("astype")
def _(w: Writing, node: Node) -> Any:
    return w.of(only(node), node.value.dtype)


@writes("boundary")
def _(w: Writing, node: Node) -> Any:
    return tuple(w.of(p) for p in node.inputs)  # only hooks of modules see it


@writes("output")
def _(w: Writing, node: Node) -> Any:
    return w.values[only(node)][(node.options or {})["index"]]
