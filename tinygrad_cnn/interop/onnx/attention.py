"""Attention, one operator from opset 23 on."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...errors import ShapeError
from ...ops.attention import scaled_dot_product_attention
from ...ops.elementwise import tanh, where
from ...ops.matmul import matmul
from ...ops.moving import repeat
from ...ops.shape import reshape, transpose
from ...ops.softmax import softmax
from .table import cast, dtype_of, onnx_op, plain, shape_of


@onnx_op("Attention", since=23)
def _(
    q: Any,
    k: Any,
    v: Any,
    mask: Any = None,
    *,
    is_causal: int = 0,
    kv_num_heads: int | None = None,
    q_num_heads: int | None = None,
    qk_matmul_output_mode: int = 0,
    scale: float | None = None,
    softcap: float = 0.0,
    softmax_precision: int | None = None,
) -> Any:
    """Without a cache of earlier keys and values, which generating text needs."""
    flat = len(shape_of(q)) == 3
    if flat:
        if not q_num_heads or not kv_num_heads:
            raise ShapeError(f"Attention: {shape_of(q)} needs q_num_heads and kv_num_heads")
        q, k, v = _heads(q, q_num_heads), _heads(k, kv_num_heads), _heads(v, kv_num_heads)
    times = shape_of(q)[1] // max(shape_of(k)[1], 1)
    if times > 1:  # several queries share a key
        k, v = repeat(k, times, 1), repeat(v, times, 1)
    if is_causal and (softcap or mask is not None):
        mask = _causal(mask, shape_of(q)[-2], shape_of(k)[-2])
        is_causal = 0
    if mask is not None and dtype_of(mask).kind != "b":
        mask = cast(mask, dtype_of(q))
    if softcap:
        y = _capped(q, k, v, mask, scale, softcap)
    else:
        y = scaled_dot_product_attention(q, k, v, mask, 0.0, bool(is_causal), scale)
    if not flat:
        return y
    n, heads, length, d = shape_of(y)
    return reshape(transpose(y, (0, 2, 1, 3)), (n, length, heads * d))


def _heads(x: Any, heads: int) -> Any:
    """(N, length, heads·d) → (N, heads, length, d)."""
    n, length, d = shape_of(x)
    return transpose(reshape(x, (n, length, heads, d // heads)), (0, 2, 1, 3))


def _causal(mask: Any, queries: int, keys: int) -> Any:
    """A mask that lets through no later keys, either."""
    seen = np.tri(queries, keys, dtype=bool)
    if mask is None:
        return seen
    if dtype_of(mask).kind == "b":
        return np.logical_and(plain(mask), seen)
    return where(seen, mask, np.array(-np.inf, dtype_of(mask)))


def _capped(q: Any, k: Any, v: Any, mask: Any, scale: float | None, softcap: float) -> Any:
    """Attention whose scores are bounded: softcap·tanh(scores/softcap), before the mask."""
    factor = 1 / math.sqrt(shape_of(q)[-1]) if scale is None else scale
    rank = len(shape_of(k))
    scores = matmul(q * factor, transpose(k, (*range(rank - 2), rank - 1, rank - 2)))
    scores = tanh(scores / softcap) * softcap
    zero, least = np.array(0, dtype_of(q)), np.array(-np.inf, dtype_of(q))
    if mask is not None and dtype_of(mask).kind == "b":
        scores = where(plain(mask), scores, least)
    elif mask is not None:
        scores = scores + mask
    nothing = (plain(scores) == -np.inf).all(axis=-1, keepdims=True)
    if not nothing.any():
        return matmul(softmax(scores, -1), v)
    return matmul(where(nothing, zero, softmax(where(nothing, zero, scores), -1)), v)
