"""The matrix product, in every combination of ranks that NumPy's ``@`` has."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.definition import add_up, broadcast_index
from ..engine.op import Shape, op
from ..errors import ShapeError
from ..kernels.matrix import product


@op(symbol="@")
def matmul(a: Any, b: Any) -> Any:
    """``a @ b``: (…, n, k) @ (…, k, m) → (…, n, m); the leading axes broadcast.

    Raises:
        ShapeError: the inner sizes differ, or an input has no axes.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.matmul(tg.Tensor([[1.0, 2.0], [3.0, 4.0]]), tg.Tensor([1.0, 10.0]))
        Tensor([21., 43.])
    """
    return product(a, b)


@matmul.check
def _(a: Any, b: Any) -> dict[str, Any]:
    shape_a, shape_b = np.shape(a), np.shape(b)
    if not shape_a or not shape_b:
        raise ShapeError(f"matmul: {shape_a} @ {shape_b}: inputs need an axis; use * for numbers")
    inner = shape_b[-2] if len(shape_b) > 1 else shape_b[0]
    if shape_a[-1] != inner:
        raise ShapeError(
            f"matmul: {shape_a} @ {shape_b}: the first has {shape_a[-1]} columns, "
            f"the second {inner} rows"
        )
    try:
        np.broadcast_shapes(shape_a[:-2], shape_b[:-2])
    except ValueError:
        raise ShapeError(
            f"matmul: {shape_a} @ {shape_b}: leading axes {shape_a[:-2]} and {shape_b[:-2]} "
            "do not broadcast"
        ) from None
    return {}


def _matrix_transpose(x: Any) -> Any:
    return x.transpose((*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


def _vjp_a(g: Any, y: Any, a: Any, b: Any) -> Any:
    if b.ndim == 1:
        return g.reshape((*g.shape, 1)) * b
    if a.ndim == 1:
        return matmul(b, g.reshape((*g.shape, 1))).reshape(b.shape[:-1])
    return matmul(g, _matrix_transpose(b))


def _vjp_b(g: Any, y: Any, a: Any, b: Any) -> Any:
    if a.ndim == b.ndim == 1:
        return a * g
    if a.ndim == 1:
        return a.reshape((-1, 1)) * g.reshape((*g.shape[:-1], 1, g.shape[-1]))
    if b.ndim == 1:
        return (a * g.reshape((*g.shape, 1))).sum(axis=tuple(range(a.ndim - 1)))
    return matmul(_matrix_transpose(a), g)


matmul.vjp(_vjp_a, _vjp_b)


@matmul.definition
def _(at: Shape, a: Any, b: Any) -> Any:
    batch, ends = at, []
    for x in (b, a):  # the last index of `at` is b's column, the one before it a's row
        if len(x.shape) > 1:
            batch, end = batch[:-1], batch[-1:]
            ends.append(end)
        else:
            ends.append(())
    column, row = ends
    lead_a = broadcast_index(batch, a.shape[:-2])
    lead_b = broadcast_index(batch, b.shape[:-2])
    return add_up(a[(*lead_a, *row, k)] * b[(*lead_b, k, *column)] for k in range(a.shape[-1]))


@matmul.multiply_adds
def _(out: Shape, a: Shape, b: Shape) -> int:
    return int(np.prod(out, dtype=int)) * a[-1]
