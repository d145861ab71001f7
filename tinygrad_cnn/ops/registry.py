"""`OPS`: the built-in ops by name."""

from __future__ import annotations

from importlib import import_module

from ..engine.op import Op

FAMILIES = (
    "elementwise",
    "activation",
    "piecewise",
    "gates",
    "reduce",
    "statistics",
    "shape",
    "moving",
    "index",
    "selecting",
    "matmul",
    "einsum",
    "linear",
    "softmax",
    "attention",
    "class_losses",
    "loss",
    "convolution",
    "locally_connected",
    "unfolding",
    "pooling",
    "adaptive",
    "resizing",
    "normalization",
    "layer_norms",
    "response_norm",
    "dropout",
    "residual",
)
"""The files that declare ops. Some have the name of an op, so they are asked for as modules."""

OPS: dict[str, Op] = {
    value.name: value
    for family in FAMILIES
    for value in vars(import_module(f".{family}", __package__)).values()
    if isinstance(value, Op)
}
"""Every built-in op, by name. An op of your own is used the same way but is not listed here."""
