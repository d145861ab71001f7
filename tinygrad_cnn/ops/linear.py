"""The fully connected map, y = x Wᵀ + b."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..engine.definition import add_up
from ..engine.op import Shape, op
from ..errors import DtypeError, ShapeError
from ..kernels.matrix import product
from .matmul import matmul


@op
def linear(x: Any, w: Any, b: Any = None) -> Any:
    """y = x Wᵀ + b along the last axis.

    Args:
        x: (…, in).
        w: (out, in).
        b: (out,), or None.

    Raises:
        ShapeError, DtypeError: naming the sizes that do not fit.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.linear(tg.Tensor([1.0, 2.0]), tg.Tensor([[1.0, 1.0], [0.0, 3.0]]))
        Tensor([3., 6.])
    """
    y = product(_rows(x), w.T).reshape(*x.shape[:-1], len(w))
    if b is not None:
        y += b
    return y


@linear.check_shapes
def _(x: Any, w: Any, b: Any) -> dict[str, Any]:
    X, W = np.shape(x), np.shape(w)
    if len(W) != 2:
        raise ShapeError(f"linear: weight must be (out, in), got {W}")
    if not X or X[-1] != W[1]:
        hint = "; flatten it first" if len(X) > 2 and math.prod(X[1:]) == W[1] else ""
        raise ShapeError(
            f"linear: input {X} must end in {W[1]} features, as weight {W} expects{hint}"
        )
    if b is not None and np.shape(b) != W[:1]:
        raise ShapeError(f"linear: bias must have shape {W[:1]} for weight {W}, got {np.shape(b)}")
    dtypes = {
        name: np.asarray(a).dtype
        for name, a in (("input", x), ("weight", w), ("bias", b))
        if a is not None
    }
    if len(set(dtypes.values())) > 1:
        listed = ", ".join(f"{name} {dtype}" for name, dtype in dtypes.items())
        raise DtypeError(f"linear: inputs must share one dtype, got {listed}; cast with .astype")
    return {}


def _rows(x: Any) -> Any:
    """(…, n) as a matrix (…·, n)."""
    return x if x.ndim == 2 else x.reshape((math.prod(x.shape[:-1]), x.shape[-1]))


linear.vjp(
    lambda g, y, x, w, b: matmul(_rows(g), w).reshape(x.shape),
    lambda g, y, x, w, b: matmul(_rows(g).transpose(), _rows(x)),
    lambda g, y, x, w, b: _rows(g).sum(axis=0),
)


@linear.definition
def _(at: Shape, x: Any, w: Any, b: Any) -> Any:
    *lead, o = at
    total = add_up(x[(*lead, i)] * w[(o, i)] for i in range(w.shape[1]))
    return total if b is None else total + b[(o,)]


@linear.multiply_adds
def _(out: Shape, x: Shape, w: Shape, b: Any) -> int:
    return math.prod(out) * w[1]
