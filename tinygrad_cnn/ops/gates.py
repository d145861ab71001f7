"""Activations with a smooth gate: GLU and Mish; and the logarithm of the sigmoid."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..engine.op import Shape, op
from ..errors import DtypeError, ShapeError
from .activation import softplus
from .axes import one_axis
from .elementwise import floating, sigmoid, tanh
from .shape import concatenate, getitem


@op(elementwise=True)
def log_sigmoid(x: Any) -> Any:
    """log(1/(1 + e⁻ˣ)), stable for x of any size.

    Example:
        >>> import numpy as np, tinygrad_cnn as tg
        >>> tg.log_sigmoid(np.array([-1000.0, 0.0])).round(4).tolist()
        [-1000.0, -0.6931]
    """
    return -np.logaddexp(-floating(x), 0)


log_sigmoid.vjp(lambda g, y, x: g * sigmoid(-x))


@log_sigmoid.definition
def _(at: Shape, x: Any) -> Any:
    return -(1 + (-x[at]).exp()).log()


@op(elementwise=True)
def mish(x: Any) -> Any:
    """x·tanh(log(1 + eˣ)) (Misra 2019).

    Example:
        >>> import numpy as np, tinygrad_cnn as tg
        >>> tg.mish(np.array([0.0, 1.0])).round(4).tolist()
        [0.0, 0.8651]
    """
    x = floating(x)
    return x * np.tanh(np.logaddexp(x, 0))


@mish.vjp
def _(g: Any, y: Any, x: Any) -> Any:
    t = tanh(softplus(x))
    return g * (t + x * (1 - t * t) * sigmoid(x))


@mish.definition
def _(at: Shape, x: Any) -> Any:
    return x[at] * (1 + x[at].exp()).log().tanh()


@op
def glu(x: Any, *, axis: int = -1) -> Any:
    """a·sigmoid(b), with a and b the two halves of x along `axis` (Dauphin et al. 2017).

    Args:
        x: floating, of an even size along `axis`, which the result has half of.

    Raises:
        ShapeError, DtypeError: an odd size, an axis out of range, integers.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.glu(tg.Tensor([[1.0, 2.0, 0.0, 0.0]]))
        Tensor([[0.5, 1. ]])
    """
    a, b = np.split(x, 2, axis)
    return a * sigmoid(b)


def _half(x: Any, axis: int, which: int) -> Any:
    half = x.shape[axis] // 2
    return getitem(x, (slice(None),) * axis + (slice(which * half, (which + 1) * half),))


@glu.check
def _(x: Any, *, axis: int) -> dict[str, Any]:
    shape, dtype = np.shape(x), np.asarray(x).dtype
    axis = one_axis(axis, len(shape), "glu")
    if shape[axis] % 2:
        raise ShapeError(
            f"glu: axis {axis} of input {shape} has size {shape[axis]}; to be split into two "
            "halves it must be even"
        )
    if dtype.kind != "f":
        raise DtypeError(f"glu: a floating input is needed, got {dtype}")
    return {"axis": axis}


@glu.vjp
def _(g: Any, y: Any, x: Any, *, axis: int) -> Any:
    s = sigmoid(_half(x, axis, 1))
    return concatenate([g * s, g * y * (1 - s)], axis)


@glu.definition
def _(at: Shape, x: Any, *, axis: int) -> Any:
    half = x.shape[axis] // 2
    return x[at] * x[(*at[:axis], at[axis] + half, *at[axis + 1 :])].sigmoid()


glu.multiply_adds(lambda out, x, *, axis: math.prod(out))
