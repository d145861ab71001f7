"""Activations made of straight lines: hardtanh, ReLU6, hardsigmoid, hardswish, PReLU.

At a kink each has the derivative that PyTorch gives it; its docstring says which.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..engine.op import Shape, constant, op
from ..errors import DtypeError, OptionError, ShapeError
from .elementwise import floating, where
from .options import number
from .shape import reshape

# --- activations -----------------------------------------------------------------------------


@op(elementwise=True)
def hardtanh(x: Any, *, min_val: float = -1.0, max_val: float = 1.0) -> Any:
    """x, but no less than `min_val` and no more than `max_val`; there the gradient is 0.

    (`clip` computes the same, and lets the gradient pass at the two bounds.)

    Raises:
        OptionError: min_val > max_val, or they are no numbers.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.hardtanh(tg.Tensor([-2.0, 0.5, 2.0]))
        Tensor([-1. ,  0.5,  1. ])
    """
    return np.clip(floating(x), min_val, max_val)


@hardtanh.check
def _(x: Any, *, min_val: float, max_val: float) -> dict[str, Any]:
    low, high = number("hardtanh", "min_val", min_val), number("hardtanh", "max_val", max_val)
    if low > high:
        raise OptionError(f"hardtanh: min_val {min_val} is larger than max_val {max_val}")
    return {"min_val": low, "max_val": high}


@hardtanh.vjp
def _(g: Any, y: Any, x: Any, *, min_val: float, max_val: float) -> Any:
    value = constant(x)
    return where((value <= min_val) | (value >= max_val), 0.0, g)


def _clipped(value: Any, low: float, high: float) -> Any:
    """A Scalar kept between two numbers; NaN stays NaN."""
    return low if value < low else high if value > high else value


@hardtanh.definition
def _(at: Shape, x: Any, *, min_val: float, max_val: float) -> Any:
    return _clipped(x[at], min_val, max_val)


def relu6(x: Any) -> Any:
    """x between 0 and 6 (Krizhevsky 2010, MobileNet): `hardtanh` with these bounds.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.relu6(tg.Tensor([-1.0, 3.0, 8.0]))
        Tensor([0., 3., 6.])
    """
    return hardtanh(x, 0.0, 6.0)


@op(elementwise=True)
def hardsigmoid(x: Any) -> Any:
    """x/6 + 1/2 between 0 and 1, a sigmoid of straight lines; the gradient at ±3 is 0.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.hardsigmoid(tg.Tensor([-4.0, 0.0, 1.5]))
        Tensor([0.  , 0.5 , 0.75])
    """
    return np.clip(floating(x) + 3, 0, 6) / 6


hardsigmoid.vjp(lambda g, y, x: where(abs(constant(x)) < 3, g / 6, 0.0))


@hardsigmoid.definition
def _(at: Shape, x: Any) -> Any:
    return _clipped(x[at] + 3, 0.0, 6.0) / 6


@op(elementwise=True)
def hardswish(x: Any) -> Any:
    """x·hardsigmoid(x) (Howard et al. 2019, MobileNetV3).

    The gradient is 0 at −3 and 1 at 3.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.hardswish(tg.Tensor([-1.5, 0.0, 5.0]))
        Tensor([-0.375,  0.   ,  5.   ])
    """
    x = floating(x)
    return x * (np.clip(x + 3, 0, 6) / 6)


@hardswish.vjp
def _(g: Any, y: Any, x: Any) -> Any:
    value = constant(x)
    return where(value <= -3, 0.0, where(value >= 3, g, g * (x / 3 + 0.5)))


@hardswish.definition
def _(at: Shape, x: Any) -> Any:
    return x[at] * (_clipped(x[at] + 3, 0.0, 6.0) / 6)


@op
def prelu(x: Any, weight: Any) -> Any:
    """x for x > 0, else weight·x, the slope being learned (He et al. 2015).

    Args:
        x: floating, (N, C, …), or of any shape if there is one weight.
        weight: one slope, (1,) or (), or one for each channel, (C,). At 0 it is the gradient.

    Raises:
        ShapeError: weight is neither.
        DtypeError: not of one floating dtype.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.prelu(tg.Tensor([[-2.0, -2.0, 3.0]]), tg.Tensor([0.1, 0.5, 0.5]))
        Tensor([[-0.2, -1. ,  3. ]])
    """
    return np.where(x > 0, x, _slopes(weight, np.ndim(x)) * x)


def _slopes(weight: Any, ndim: int) -> Any:
    """The weight, shaped to be multiplied with x: along axis 1, or one number for all."""
    return reshape(weight, (-1, *(1,) * (ndim - 2)) if ndim > 1 else (1,) * ndim)


@prelu.check
def _(x: Any, weight: Any) -> dict[str, Any]:
    x, weight = np.asarray(x), np.asarray(weight)
    channels = x.shape[1] if x.ndim > 1 else 1
    if weight.shape not in {(), (1,), (channels,)}:
        raise ShapeError(
            f"prelu: weight must have shape (1,)"
            f"{f' or ({channels},), one for each channel' if channels != 1 else ''} of input "
            f"{x.shape}, got {weight.shape}"
        )
    if x.dtype.kind != "f":
        raise DtypeError(f"prelu: a floating input is needed, got {x.dtype}")
    if weight.dtype != x.dtype:
        raise DtypeError(f"prelu: input is {x.dtype}, weight {weight.dtype}; cast with .astype")
    return {}


@prelu.vjp
def _(g: Any, y: Any, x: Any, weight: Any) -> tuple[Any, Any]:
    positive = constant(x) > 0
    to_weight = where(positive, 0.0, g * x)
    shape = np.shape(weight)
    axes = [a for a in range(g.ndim) if a != 1 or math.prod(shape) == 1]
    return (
        where(positive, g, g * _slopes(weight, g.ndim)),
        to_weight.sum(axis=tuple(axes)).reshape(shape),
    )


@prelu.definition
def _(at: Shape, x: Any, weight: Any) -> Any:
    channel = (at[1] if math.prod(weight.shape) > 1 else 0,) if weight.shape else ()
    return x[at] if x[at] > 0 else weight[channel] * x[at]


prelu.multiply_adds(lambda out, x, weight: math.prod(out))
