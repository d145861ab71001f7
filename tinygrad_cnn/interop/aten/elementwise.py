"""Calls that compute element by element: arithmetic, functions, comparisons, conditions."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from ... import ops
from ...engine.defaults import generator
from .. import elementary
from .table import aten, cast, dtype_of, plain, promoted, result_type

# --- arithmetic --------------------------------------------------------------------------------


def _binary(function: Callable[[Any, Any], Any], *names: str) -> None:
    @aten(*[f"{name}.{overload}" for name in names for overload in ("Tensor", "Scalar", "default")])
    def _(a: Any, b: Any) -> Any:
        return function(*promoted(a, b))


_binary(ops.multiply, "mul", "multiply")
_binary(ops.maximum, "maximum")
_binary(ops.minimum, "minimum")
_binary(lambda a, b: a - ops.multiply(b, np.trunc(plain(a) / plain(b))), "fmod")
_binary(lambda a, b: a - ops.multiply(b, np.floor_divide(plain(a), plain(b))), "remainder")


@aten("add.Tensor", "add.Scalar")
def _(a: Any, b: Any, alpha: Any = 1) -> Any:
    a, b = promoted(a, b)
    return ops.add(a, b if alpha == 1 else ops.multiply(b, alpha))


@aten("sub.Tensor", "sub.Scalar", "subtract.Tensor")
def _(a: Any, b: Any, alpha: Any = 1) -> Any:
    a, b = promoted(a, b)
    return ops.subtract(a, b if alpha == 1 else ops.multiply(b, alpha))


@aten("rsub.Scalar", "rsub.Tensor")
def _(a: Any, b: Any, alpha: Any = 1) -> Any:
    a, b = promoted(a, b)
    return ops.subtract(b, a if alpha == 1 else ops.multiply(a, alpha))


@aten("div.Tensor", "div.Scalar", "divide.Tensor", "true_divide.Tensor")
def _(a: Any, b: Any) -> Any:
    if result_type(a, b).kind != "f":
        return np.divide(plain(a), plain(b), dtype=np.float32)
    return ops.divide(*promoted(a, b))


@aten("div.Tensor_mode", "div.Scalar_mode")
def _(a: Any, b: Any, rounding_mode: str | None = None) -> Any:
    dtype = result_type(a, b)
    if rounding_mode is None:
        return ops.divide(*promoted(a, b))
    quotient = np.true_divide(plain(a), plain(b))
    return (np.floor if rounding_mode == "floor" else np.trunc)(quotient).astype(dtype)


@aten("floor_divide", "floor_divide.Scalar")
def _(a: Any, b: Any) -> Any:
    return np.floor_divide(plain(a), plain(b)).astype(result_type(a, b))


@aten("pow.Tensor_Scalar", "pow.Tensor_Tensor", "pow.Scalar")
def _(a: Any, b: Any) -> Any:
    if isinstance(b, int | float) and b == 2:
        return ops.square(a)
    return ops.power(*promoted(a, b))


@aten("addcmul")
def _(x: Any, a: Any, b: Any, value: Any = 1) -> Any:
    product = ops.multiply(a, b)
    return ops.add(x, product if value == 1 else ops.multiply(product, value))


@aten("addcdiv")
def _(x: Any, a: Any, b: Any, value: Any = 1) -> Any:
    ratio = ops.divide(a, b)
    return ops.add(x, ratio if value == 1 else ops.multiply(ratio, value))


@aten("lerp.Scalar", "lerp.Tensor")
def _(start: Any, end: Any, weight: Any) -> Any:
    return ops.add(start, ops.multiply(ops.subtract(end, start), weight))


@aten("logaddexp")
def _(a: Any, b: Any) -> Any:
    a, b = promoted(a, b)
    apart = ops.negative(ops.absolute(ops.subtract(a, b)))
    return ops.add(ops.maximum(a, b), ops.log1p(ops.exp(apart)))


@aten("atan2")
def _(y: Any, x: Any) -> Any:
    radius = ops.sqrt(ops.add(ops.square(x), ops.square(y)))
    return ops.multiply(ops.atan(ops.divide(y, ops.add(radius, x))), 2)


# --- functions of one number -------------------------------------------------------------------

_FUNCTIONS = """
    exp exp2 expm1 log log1p log2 log10 sqrt rsqrt square reciprocal
    sin cos tan tanh sinh cosh atan erf
    relu relu6 sigmoid silu mish hardswish hardsigmoid log_sigmoid
    floor ceil round sign
"""
_KEEPING = ("relu", "square", "sign", "floor", "ceil")  # integers
for _name in _FUNCTIONS.split():

    @aten(_name)
    def _(x: Any, *, name: str = _name) -> Any:
        if dtype_of(x).kind != "f" and name not in _KEEPING:
            x = cast(x, np.float32)
        return getattr(ops, name)(x)


for _name in ("sin", "cos", "sinh", "cosh", "tanh"):

    @aten(f"a{_name}", f"arc{_name}")
    def _(x: Any, *, name: str = f"arc{_name}") -> Any:
        x = x if dtype_of(x).kind == "f" else cast(x, np.float32)
        return getattr(elementary, name)(x)


@aten("neg", "negative")
def _(x: Any) -> Any:
    return ops.negative(x)


@aten("abs", "absolute")
def _(x: Any) -> Any:
    return ops.absolute(x)


@aten("trunc")
def _(x: Any) -> Any:
    return np.trunc(plain(x))


@aten("logit")
def _(x: Any, eps: float | None = None) -> Any:
    if eps is not None:
        x = ops.clip(x, eps, 1 - eps)
    return ops.subtract(ops.log(x), ops.log1p(ops.negative(x)))


@aten("gelu")
def _(x: Any, approximate: str = "none") -> Any:
    return ops.gelu(x, approximate)


@aten("leaky_relu")
def _(x: Any, negative_slope: float = 0.01) -> Any:
    return ops.leaky_relu(x, negative_slope)


@aten("elu")
def _(x: Any, alpha: float = 1.0, scale: float = 1.0, input_scale: float = 1.0) -> Any:
    scaled = x if input_scale == 1 else ops.multiply(x, input_scale)
    y = ops.elu(scaled, alpha)
    return y if scale == 1 else ops.multiply(y, scale)


@aten("selu")
def _(x: Any) -> Any:
    return elementary.selu(x, 1.6732632423543772, 1.0507009873554805)


@aten("softsign")
def _(x: Any) -> Any:
    return elementary.softsign(x)


@aten("rrelu")
def _(x: Any, lower: float = 1 / 8, upper: float = 1 / 3, training: Any = False, *_: Any) -> Any:
    if not training:
        return ops.leaky_relu(x, (lower + upper) / 2)
    slopes = generator().uniform(lower, upper, np.shape(plain(x))).astype(dtype_of(x))
    return ops.where(plain(x) > 0, x, ops.multiply(x, slopes))


@aten("celu")
def _(x: Any, alpha: float = 1.0) -> Any:
    return elementary.celu(x, alpha)


@aten("hardtanh")
def _(x: Any, min_val: float = -1.0, max_val: float = 1.0) -> Any:
    return ops.hardtanh(x, min_val, max_val)


@aten("softplus")
def _(x: Any, beta: float = 1.0, threshold: float = 20.0) -> Any:
    return ops.softplus(x, beta, threshold)


@aten("prelu", "_prelu_kernel")
def _(x: Any, weight: Any) -> Any:
    return ops.prelu(x, ops.reshape(weight, -1))


@aten("glu")
def _(x: Any, dim: int = -1) -> Any:
    return ops.glu(x, dim)


@aten("threshold")
def _(x: Any, threshold: float, value: float) -> Any:
    return ops.where(plain(x) > threshold, x, value)


@aten("softshrink")
def _(x: Any, lambd: float = 0.5) -> Any:
    return ops.subtract(x, ops.clip(x, -lambd, lambd))


@aten("tanhshrink")
def _(x: Any) -> Any:
    return ops.subtract(x, ops.tanh(x))


@aten("clamp", "clamp.Tensor", "clip", "clip.Tensor")
def _(x: Any, min: Any = None, max: Any = None) -> Any:
    return _clipped(x, min, max)


@aten("clamp_min", "clamp_min.Tensor")
def _(x: Any, min: Any) -> Any:
    return _clipped(x, min, None)


@aten("clamp_max", "clamp_max.Tensor")
def _(x: Any, max: Any) -> Any:
    return _clipped(x, None, max)


def _clipped(*operands: Any) -> Any:
    dtype = result_type(*[x for x in operands if x is not None])
    return ops.clip(*[x if x is None else cast(x, dtype) for x in operands])


# --- what has no gradient ----------------------------------------------------------------------

_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "logical_and": np.logical_and,
    "logical_or": np.logical_or,
    "logical_xor": np.logical_xor,
    "bitwise_and": operator.and_,
    "bitwise_or": operator.or_,
    "bitwise_xor": operator.xor,
    "__and__": operator.and_,
    "__or__": operator.or_,
}
for _name, _compare in _COMPARISONS.items():

    @aten(*[f"{_name}.{overload}" for overload in ("Tensor", "Scalar", "default")])
    def _(a: Any, b: Any, *, compare: Callable[[Any, Any], Any] = _compare) -> Any:
        return compare(np.asarray(plain(a)), plain(b))


for _name in ("isnan", "isinf", "isfinite", "logical_not", "bitwise_not"):

    @aten(_name)
    def _(x: Any, *, name: str = _name) -> Any:
        return getattr(np, {"bitwise_not": "invert"}.get(name, name))(plain(x))


# --- conditions --------------------------------------------------------------------------------


@aten("where.self", "where.ScalarOther", "where.ScalarSelf", "where.Scalar")
def _(condition: Any, a: Any, b: Any) -> Any:
    return ops.where(plain(condition), *promoted(a, b))


@aten("masked_fill.Scalar", "masked_fill.Tensor")
def _(x: Any, mask: Any, value: Any) -> Any:
    return ops.masked_fill(x, plain(mask), float(np.asarray(plain(value))))


@aten("nan_to_num")
def _(x: Any, nan: Any = None, posinf: Any = None, neginf: Any = None) -> Any:
    values = plain(x)
    limits = np.finfo(values.dtype)
    x = ops.where(np.isnan(values), 0.0 if nan is None else nan, x)
    x = ops.where(values == math.inf, float(limits.max) if posinf is None else posinf, x)
    return ops.where(values == -math.inf, float(limits.min) if neginf is None else neginf, x)
