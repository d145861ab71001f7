"""Arithmetic, comparisons and logic, element by element; ONNX and NumPy broadcast alike."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ...engine.defaults import generator
from ...engine.node import Handle
from ...ops import elementwise as e
from ...ops.dropout import dropout_mask
from .. import elementary
from . import without_gradient as steps
from .table import cast, dtype_of, onnx_op, plain, shape_of

add = e.add

for _name, _function in {
    "Add": add,
    "Sub": e.subtract,
    "Mul": e.multiply,
    "Neg": e.negative,
    "Abs": e.absolute,
    "Exp": e.exp,
    "Log": e.log,
    "Sqrt": e.sqrt,
    "Reciprocal": e.reciprocal,
    "Sin": e.sin,
    "Cos": e.cos,
    "Tan": e.tan,
    "Sinh": e.sinh,
    "Cosh": e.cosh,
    "Asin": elementary.arcsin,
    "Acos": elementary.arccos,
    "Atan": e.atan,
    "Asinh": elementary.arcsinh,
    "Acosh": elementary.arccosh,
    "Atanh": elementary.arctanh,
    "Floor": e.floor,
    "Ceil": e.ceil,
    "Round": e.round,
    "Sign": e.sign,
    "Equal": steps.equal,
    "Less": steps.less,
    "LessOrEqual": steps.less_equal,
    "Greater": steps.greater,
    "GreaterOrEqual": steps.greater_equal,
    "And": steps.logical_and,
    "Or": steps.logical_or,
    "Xor": steps.logical_xor,
    "Not": steps.logical_not,
    "IsNaN": steps.isnan,
}.items():
    onnx_op(_name)(_function)


@onnx_op("Div")
def _(a: Any, b: Any) -> Any:
    if dtype_of(a).kind == "f":
        return e.divide(a, b)
    a, b = plain(a), plain(b)  # whole numbers, rounded towards 0
    quotient = np.abs(a) // np.where(b == 0, 1, np.abs(b)).astype(a.dtype)
    return (
        (quotient * (np.sign(a) * np.sign(b))).astype(a.dtype) if a.dtype.kind == "i" else quotient
    )


@onnx_op("Pow")
def _(a: Any, b: Any) -> Any:
    dtype = dtype_of(a)
    if dtype.kind != "f":
        return np.power(plain(a), plain(b)).astype(dtype)
    if not isinstance(b, Handle) and np.ndim(b) == 0:
        return e.power(a, plain(b).item())  # a plain number: its gradient is not asked for
    return e.power(a, cast(b, dtype))


@onnx_op("Mod")
def _(a: Any, b: Any, *, fmod: int = 0) -> Any:
    return e.fmod(a, b) if fmod else e.remainder(a, b)


@onnx_op("Where")
def _(condition: Any, a: Any, b: Any) -> Any:
    return e.where(condition, a, b)


@onnx_op("Clip")
def _(x: Any, low: Any = None, high: Any = None) -> Any:
    bounds = [b if b is None else b.reshape(()) for b in (low, high)]
    return x if low is None and high is None else e.clip(x, *bounds)


@onnx_op("Min")
def _(*arrays: Any) -> Any:
    return functools.reduce(e.minimum, arrays)


@onnx_op("Max")
def _(*arrays: Any) -> Any:
    return functools.reduce(e.maximum, arrays)


@onnx_op("Sum")
def _(*arrays: Any) -> Any:
    return functools.reduce(add, arrays)


@onnx_op("Mean")
def _(*arrays: Any) -> Any:
    return functools.reduce(add, arrays) / len(arrays)


@onnx_op("IsInf")
def _(x: Any, *, detect_negative: int = 1, detect_positive: int = 1) -> Any:
    values = plain(x)
    found = np.isposinf(values) & bool(detect_positive)
    return found | (np.isneginf(values) & bool(detect_negative))


@onnx_op("Identity")
def _(x: Any) -> Any:
    return x


@onnx_op("Dropout")
def _(
    x: Any, ratio: Any = None, training: Any = None, *, seed: int | None = None, outputs: int = 1
) -> Any:
    """Nothing is dropped unless the file is one of a training."""
    mask = np.ones(shape_of(x), bool)
    if training is not None and plain(training).reshape(()):
        p = 0.5 if ratio is None else float(plain(ratio).reshape(()))
        mask = generator().random(shape_of(x)) >= p
        x = dropout_mask(x, mask, p=p)
    return x if outputs == 1 else (x, mask)
