"""Attention, one operator from opset 23 on."""

from __future__ import annotations

from typing import Any

from ...errors import ShapeError
from ...ops.moving import repeat
from ...ops.shape import reshape, transpose
from . import composed
from .table import onnx_op, shape_of


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
    y = composed.attention(q, k, v, mask, bool(is_causal), scale, softcap)
    if not flat:
        return y
    n, heads, length, d = shape_of(y)
    return reshape(transpose(y, (0, 2, 1, 3)), (n, length, heads * d))


def _heads(x: Any, heads: int) -> Any:
    """(N, length, heads·d) → (N, heads, length, d)."""
    n, length, d = shape_of(x)
    return transpose(reshape(x, (n, length, heads, d // heads)), (0, 2, 1, 3))
