"""Activations, and softmax."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...ops import activation, gates, piecewise
from ...ops import elementwise as e
from ...ops.shape import reshape
from ...ops.softmax import log_softmax, softmax
from .. import elementary
from . import without_gradient as steps
from .table import cast, dtype_of, onnx_op, plain, shape_of

_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "Relu": e.relu,
    "Sigmoid": e.sigmoid,
    "Tanh": e.tanh,
    "Erf": activation.erf,
    "HardSwish": piecewise.hardswish,
    "Mish": gates.mish,
    "Softsign": elementary.softsign,
}
for _name, _function in _FUNCTIONS.items():
    onnx_op(_name)(_function)


@onnx_op("Softplus")
def _(x: Any) -> Any:
    return activation.softplus(x, threshold=math.inf)


@onnx_op("LeakyRelu")
def _(x: Any, *, alpha: float = 0.01) -> Any:
    return activation.leaky_relu(x, alpha)


@onnx_op("Elu")
def _(x: Any, *, alpha: float = 1.0) -> Any:
    return activation.elu(x, alpha)


@onnx_op("Selu")
def _(x: Any, *, alpha: float = 1.6732632423543772, gamma: float = 1.0507009873554805) -> Any:
    return elementary.selu(x, alpha, gamma)


@onnx_op("Celu")
def _(x: Any, *, alpha: float = 1.0) -> Any:
    return elementary.celu(x, alpha)


@onnx_op("HardSigmoid")
def _(x: Any, *, alpha: float = 0.2, beta: float = 0.5) -> Any:
    if beta == 0.5 and np.float32(alpha) == np.float32(1 / 6):  # as PyTorch has it
        return piecewise.hardsigmoid(x)
    return e.clip(x * alpha + beta, 0.0, 1.0)


@onnx_op("PRelu")
def _(x: Any, slope: Any) -> Any:
    shape = shape_of(x)
    channels = (1, *shape[1:2], *(1,) * (len(shape) - 2)) if len(shape) > 1 else (1,)
    aligned = (1,) * (len(shape) - len(shape_of(slope))) + shape_of(slope)
    if dtype_of(x).kind == "f" and aligned in {channels, (1,) * len(shape)}:
        return piecewise.prelu(x, reshape(slope, -1))
    return e.where(steps.greater(x, 0), x, x * slope)


@onnx_op("ThresholdedRelu")
def _(x: Any, *, alpha: float = 1.0) -> Any:
    return e.where(steps.greater(x, alpha), x, np.array(0, dtype_of(x)))


@onnx_op("Shrink")
def _(x: Any, *, bias: float = 0.0, lambd: float = 0.5) -> Any:
    below = e.where(steps.less(x, -lambd), x + bias, x * 0)
    return cast(e.where(steps.greater(x, lambd), x - bias, below), dtype_of(x))


@onnx_op("Gelu")
def _(x: Any, *, approximate: str = "none") -> Any:
    return activation.gelu(x, approximate)


@onnx_op("Swish")
def _(x: Any, *, alpha: float = 1.0) -> Any:
    return activation.silu(x) if alpha == 1 else x * e.sigmoid(x * alpha)


@onnx_op("Softmax")
def _(x: Any, *, axis: int = -1) -> Any:
    return softmax(x, axis)


@onnx_op("LogSoftmax")
def _(x: Any, *, axis: int = -1) -> Any:
    return log_softmax(x, axis)


@onnx_op("Hardmax")
def _(x: Any, *, axis: int = -1) -> Any:
    values = plain(x)
    first = np.argmax(values, axis, keepdims=True)
    places = np.arange(values.shape[axis])
    places = places.reshape([-1 if a == axis % values.ndim else 1 for a in range(values.ndim)])
    return (places == first).astype(values.dtype)
