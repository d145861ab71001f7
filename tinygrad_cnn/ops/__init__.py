"""The built-in ops, one file a family, and the registry `OPS` of all of them, by name."""

from __future__ import annotations

from ..op import Op
from . import (
    convolution,
    dropout,
    elementwise,
    linear,
    loss,
    matmul,
    normalization,
    operators,
    pooling,
    reduce,
    residual,
    shape,
)

OPS: dict[str, Op] = {
    value.name: value
    for family in (
        elementwise,
        reduce,
        shape,
        matmul,
        linear,
        loss,
        convolution,
        pooling,
        normalization,
        dropout,
        residual,
    )
    for value in vars(family).values()
    if isinstance(value, Op)
}
"""Every built-in op, by name. An op of your own is used the same way but is not listed here."""

__all__ = ["OPS", "operators"]
