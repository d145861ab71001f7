"""Activation functions with an option or a longer formula: leaky ReLU, ELU, SiLU, GELU, softplus.

(ReLU, sigmoid and tanh are functions of one number, in `elementwise`.)
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.polynomial import Chebyshev

from ..engine.op import Op, Shape, constant, op
from ..errors import OptionError
from .elementwise import clip, exp, floating, sigmoid, tanh, where
from .options import choice, number


@op(elementwise=True)
def leaky_relu(x: Any, *, negative_slope: float = 0.01) -> Any:
    """x for x > 0, else negative_slope·x; the gradient at 0 is negative_slope.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.leaky_relu(tg.Tensor([-2.0, 1.0]), 0.1)
        Tensor([-0.2,  1. ])
    """
    return np.where(x > 0, x, negative_slope * x)


@leaky_relu.check
def _(x: Any, *, negative_slope: float) -> dict[str, Any]:
    return {"negative_slope": number("leaky_relu", "negative_slope", negative_slope)}


leaky_relu.vjp(lambda g, y, x, negative_slope: where(constant(x) > 0, g, negative_slope * g))


@leaky_relu.definition
def _(at: Shape, x: Any, *, negative_slope: float) -> Any:
    return x[at] if x[at] > 0 else negative_slope * x[at]


@op(elementwise=True)
def elu(x: Any, *, alpha: float = 1.0) -> Any:
    """x for x > 0, else alpha·(eˣ − 1) (Clevert et al. 2016).

    Example:
        >>> import numpy as np, tinygrad_cnn as tg
        >>> tg.elu(np.array([-1.0, 1.0])).round(4).tolist()
        [-0.6321, 1.0]
    """
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


@elu.check
def _(x: Any, *, alpha: float) -> dict[str, Any]:
    return {"alpha": number("elu", "alpha", alpha)}


@elu.vjp
def _(g: Any, y: Any, x: Any, *, alpha: float) -> Any:
    positive = constant(x) > 0
    return g * where(positive, 1.0, alpha * exp(where(positive, 0.0, x)))


@elu.definition
def _(at: Shape, x: Any, *, alpha: float) -> Any:
    return x[at] if x[at] > 0 else alpha * (x[at].exp() - 1)


@op(elementwise=True)
def silu(x: Any) -> Any:
    """x·sigmoid(x), also known as swish.

    Example:
        >>> import numpy as np, tinygrad_cnn as tg
        >>> tg.silu(np.array([0.0, 1.0])).round(4).tolist()
        [0.0, 0.7311]
    """
    return x * sigmoid(x)


@silu.vjp
def _(g: Any, y: Any, x: Any) -> Any:
    s = sigmoid(x)
    return g * (s + y * (1 - s))


@silu.definition
def _(at: Shape, x: Any) -> Any:
    return x[at] / (1 + (-x[at]).exp())


@op(elementwise=True)
def softplus(x: Any, *, beta: float = 1.0, threshold: float = 20.0) -> Any:
    """log(1 + e^(beta·x))/beta, a smooth ReLU; stable for x of any size.

    Args:
        beta: how sharp the bend is; not 0.
        threshold: where beta·x is larger, the result is x, as in PyTorch; inf for nowhere.

    Raises:
        OptionError: beta is 0, or they are no numbers.

    Example:
        >>> import numpy as np, tinygrad_cnn as tg
        >>> tg.softplus(np.array([0.0, 1000.0])).round(4).tolist()
        [0.6931, 1000.0]
        >>> tg.softplus(np.array([0.0]), beta=2).round(4).tolist()
        [0.3466]
    """
    scaled = floating(x) * beta
    return np.where(scaled > threshold, x, np.logaddexp(scaled, 0) / beta)


@softplus.check
def _(x: Any, *, beta: float, threshold: float) -> dict[str, Any]:
    beta = number("softplus", "beta", beta)
    if not beta:
        raise OptionError("softplus: beta must not be 0, since the result is divided by it")
    return {"beta": beta, "threshold": number("softplus", "threshold", threshold)}


@softplus.vjp
def _(g: Any, y: Any, x: Any, *, beta: float, threshold: float) -> Any:
    return where(constant(x) * beta > threshold, g, g * sigmoid(x * beta))


@softplus.definition
def _(at: Shape, x: Any, *, beta: float, threshold: float) -> Any:
    scaled = beta * x[at]
    return x[at] if scaled > threshold else (1 + scaled.exp()).log() / beta


def _erfc_chebyshev() -> Chebyshev:
    """log(erfc(x)/t) + x² as a polynomial in t = 2/(2+x), for 0 ≤ x ≤ 6."""

    def smooth(t: Any) -> Any:
        x = 2 / t - 2
        return np.log(np.vectorize(math.erfc)(x) / t) + x * x

    return Chebyshev.interpolate(smooth, deg=26, domain=[0.25, 1])


_ERFC = _erfc_chebyshev()


def _erf(x: Any) -> Any:
    x = floating(x)
    z = np.minimum(np.abs(x.astype(np.float64, copy=False)), 6.0)  # erf(6) rounds to 1
    t = 2 / (2 + z)
    small = z < 0.5
    series = z * (2 / math.sqrt(math.pi)) * _erf_series(np.where(small, z * z, 0))
    y = np.where(small, series, 1 - t * np.exp(_ERFC(t) - z * z))
    return np.copysign(y, x).astype(x.dtype)


def _erf_series(square: Any) -> Any:
    """Σ (−x²)ᵏ / (k!·(2k+1)), which keeps its digits near 0 where 1 − erfc would lose them."""
    total = np.zeros_like(square)
    for k in reversed(range(14)):
        total = (-1) ** k / (math.factorial(k) * (2 * k + 1)) + square * total
    return total


erf: Op = op(
    "erf",
    _erf,
    lambda g, y, x: g * (2 / math.sqrt(math.pi)) * exp(-x * x),
    elementwise=True,
    single=math.erf,
)

_ROOT = math.sqrt(2 / math.pi)


@op(elementwise=True)
def gelu(x: Any, *, approximate: str = "none") -> Any:
    """x·Φ(x), with Φ the normal distribution function (Hendrycks & Gimpel 2016).

    Args:
        approximate: "none", or "tanh" for x/2·(1 + tanh(√(2/π)·(x + 0.044715 x³))).

    Raises:
        OptionError: another value of `approximate`.

    Example:
        >>> import numpy as np, tinygrad_cnn as tg
        >>> tg.gelu(np.array([0.0, 1.0])).round(4).tolist()
        [0.0, 0.8413]
    """
    x = floating(x)
    return x * _gelu_gate(x, approximate)


def _gelu_gate(x: Any, approximate: str) -> Any:
    if approximate == "tanh":
        return 0.5 + 0.5 * tanh(_bent(x)[0])
    return 0.5 + 0.5 * erf(x / math.sqrt(2))


def _bent(x: Any) -> tuple[Any, Any]:
    """√(2/π)·(x + 0.044715 x³), of which tanh is taken, and its slope."""
    x = clip(x, -20, 20)  # beyond, tanh is ±1; and x³ would overflow in float16
    return _ROOT * (x + 0.044715 * (x * x * x)), _ROOT * (1 + 3 * 0.044715 * (x * x))


@gelu.check
def _(x: Any, *, approximate: str) -> dict[str, Any]:
    return {"approximate": choice("gelu", "approximate", approximate, ("none", "tanh"))}


@gelu.vjp
def _(g: Any, y: Any, x: Any, *, approximate: str) -> Any:
    if approximate == "tanh":
        bent, slope = _bent(x)
        t = tanh(bent)
        slope = 0.5 * (1 - t * t) * slope
    else:
        slope = exp(-0.5 * (x * x)) / math.sqrt(2 * math.pi)
    return g * (_gelu_gate(x, approximate) + x * slope)


@gelu.definition
def _(at: Shape, x: Any, *, approximate: str) -> Any:
    v = x[at]
    if approximate == "tanh":
        return 0.5 * v * (1 + (_ROOT * (v + 0.044715 * v**3)).tanh())
    return 0.5 * v * (1 + (v / math.sqrt(2)).erf())
