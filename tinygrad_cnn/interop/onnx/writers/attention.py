"""Writer of attention, which is one operator only from opset 23 on."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ....engine.node import Node
from ....errors import OptionError
from .table import Writing, writes


@writes("scaled_dot_product_attention")
def _(w: Writing, node: Node) -> Any:
    query, key, value, mask, bias, kept = node.inputs
    if kept is not None:
        raise OptionError("it drops weights in evaluation, too; call it with dropout_p=0")
    assert query is not None
    assert key is not None
    options, dtype = node.options or {}, node.value.dtype
    axes = list(range(len(key.shape)))
    turned = w.put("Transpose", w.of(key), perm=[*axes[:-2], axes[-1], axes[-2]])
    scaled = w.put("Mul", w.of(query), w.constant(options["scale"], dtype))
    scores = w.put("MatMul", scaled, turned)
    if bias is not None:
        scores = w.put("Add", scores, w.of(bias))
    seen = "" if mask is None else w.of(mask)
    if options["is_causal"]:
        seen = w.constant(np.tri(query.shape[-2], key.shape[-2]), bool)
    if seen:
        scores = w.put("Where", seen, scores, w.constant(-math.inf, dtype))
    if mask is None and bias is None:  # each query sees a key
        return w.put("MatMul", w.put("Softmax", scores, axis=-1), w.of(value))
    # A query that may see none gets zeros; the softmax of nothing but −∞ would be NaN.
    largest = w.put("ReduceMax", scores, w.ints([-1]), keepdims=1)
    nothing = w.put("Equal", largest, w.constant(-math.inf, dtype))
    zero = w.constant(0, dtype)
    weights = w.put("Softmax", w.put("Where", nothing, zero, scores), axis=-1)
    return w.put("MatMul", w.put("Where", nothing, zero, weights), w.of(value))
