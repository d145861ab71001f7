"""The built-in ops, one file a family, and the registry `OPS` of all of them, by name."""

from __future__ import annotations

from ..op import Op
from . import (
    activation,
    adaptive,
    convolution,
    dropout,
    einsum,
    elementwise,
    index,
    layer_norms,
    linear,
    locally_connected,
    loss,
    matmul,
    moving,
    normalization,
    operators,
    pooling,
    reduce,
    residual,
    shape,
    softmax,
    statistics,
)

_FAMILIES = (
    elementwise,
    activation,
    reduce,
    statistics,
    shape,
    moving,
    index,
    matmul,
    einsum,
    linear,
    softmax,
    loss,
    convolution,
    locally_connected,
    pooling,
    adaptive,
    normalization,
    layer_norms,
    dropout,
    residual,
)
OPS: dict[str, Op] = {
    value.name: value
    for family in _FAMILIES
    for value in vars(family).values()
    if isinstance(value, Op)
}
"""Every built-in op, by name. An op of your own is used the same way but is not listed here."""

__all__ = ["OPS", "operators"]
