"""Activations, and softmax."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...ops import activation
from ...ops import elementwise as e
from ...ops.softmax import log_softmax, softmax
from . import composed
from . import without_gradient as steps
from .table import cast, dtype_of, onnx_op, plain

_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "Relu": e.relu,
    "Sigmoid": e.sigmoid,
    "Tanh": e.tanh,
    "Erf": activation.erf,
    "HardSwish": composed.hard_swish,
    "Mish": composed.mish,
    "Softsign": composed.softsign,
    "PRelu": composed.prelu,
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
    return composed.selu(x, alpha, gamma)


@onnx_op("Celu")
def _(x: Any, *, alpha: float = 1.0) -> Any:
    return composed.celu(x, alpha)


@onnx_op("HardSigmoid")
def _(x: Any, *, alpha: float = 0.2, beta: float = 0.5) -> Any:
    return composed.hard_sigmoid(x, alpha, beta)


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
    return x * e.sigmoid(x * alpha)


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
