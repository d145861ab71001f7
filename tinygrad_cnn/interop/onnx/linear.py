"""Matrix products."""

from __future__ import annotations

from typing import Any

from ...errors import ShapeError
from ...ops.einsum import einsum
from ...ops.linear import linear
from ...ops.matmul import matmul
from ...ops.shape import transpose
from .table import onnx_op, shape_of

onnx_op("MatMul")(matmul)


@onnx_op("Gemm")
def _(
    a: Any,
    b: Any,
    c: Any = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,
    transB: int = 0,
) -> Any:
    if len(shape_of(a)) != 2 or len(shape_of(b)) != 2:
        raise ShapeError(f"Gemm: two matrices are needed, got {shape_of(a)} and {shape_of(b)}")
    a = transpose(a) if transA else a
    per_output = c is None or (beta == 1 and shape_of(c) == shape_of(b)[:1])
    if transB and alpha == 1 and per_output:
        return linear(a, b, c)  # as every dense layer is written
    y = matmul(a, transpose(b) if transB else b)
    y = y if alpha == 1 else y * alpha
    if c is None:
        return y
    return y + (c if beta == 1 else c * beta)


@onnx_op("Einsum")
def _(*arrays: Any, equation: str) -> Any:
    return einsum(equation, *arrays)
