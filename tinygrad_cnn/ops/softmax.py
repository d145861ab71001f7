"""Softmax, and its logarithm, along an axis."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..engine.definition import add_up
from ..engine.op import Op, Shape, op
from .axes import one_axis
from .elementwise import exp
from .options import need_floating


def _along_one_axis(declared: Op) -> Op:
    @declared.check
    def _(x: Any, *, axis: int) -> dict[str, Any]:
        need_floating(declared.name, x, "floating logits are")
        return {"axis": one_axis(axis, np.ndim(x), declared.name)}

    @declared.multiply_adds
    def _(out: Shape, x: Shape, *, axis: int) -> int:
        return 3 * math.prod(x)

    return declared


def slice_through(at: Shape, x: Any, axis: int) -> list[Any]:
    """The elements of x that share all indices with `at` but the one along `axis`."""
    return [x[(*at[:axis], k, *at[axis + 1 :])] for k in range(x.shape[axis])]


def log_sum_exp(row: list[Any]) -> Any:
    """log Σ eˣ of some Scalars; shifted by the largest, so that nothing overflows."""
    shift = max(float(x) for x in row)
    shift = shift if math.isfinite(shift) else 0.0
    return add_up((x - shift).exp() for x in row).log() + shift


def log_softmax_of(at: Shape, x: Any, axis: int) -> Any:
    """(xᵢ − m) − log Σⱼ eˣʲ⁻ᵐ, with m the largest of them."""
    row = slice_through(at, x, axis)
    shift = max(float(x) for x in row)
    shifted = [x - shift for x in row]
    return shifted[at[axis]] - add_up(x.exp() for x in shifted).log()


@_along_one_axis
@op
def log_softmax(x: Any, *, axis: int = -1) -> Any:
    """xᵢ − log Σⱼ eˣʲ along `axis`; stable for logits of any size.

    −∞ among them has the probability 0. Where all are −∞, or one is +∞, all become NaN.

    Raises:
        ShapeError, DtypeError: an axis out of range; integer logits.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.log_softmax(tg.Tensor([0.0, 1e4])).numpy()
        array([-10000.,      0.], dtype=float32)
    """
    shifted = x - np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


@log_softmax.vjp
def _(g: Any, y: Any, x: Any, *, axis: int) -> Any:
    return g - exp(y) * g.sum(axis=axis, keepdims=True)


@log_softmax.definition
def _(at: Shape, x: Any, *, axis: int) -> Any:
    return log_softmax_of(at, x, axis)


@_along_one_axis
@op
def softmax(x: Any, *, axis: int = -1) -> Any:
    """eˣⁱ / Σⱼ eˣʲ along `axis`: positive, and sums to 1. Of ±∞: see `log_softmax`.

    Raises:
        ShapeError, DtypeError: an axis out of range; integer logits.

    Example:
        >>> import numpy as np, tinygrad_cnn as tg
        >>> tg.softmax(tg.Tensor([0.0, 0.0, -np.inf]))
        Tensor([0.5, 0.5, 0. ])
    """
    e = np.exp(x - np.max(x, axis=axis, keepdims=True, initial=-np.inf))
    return e / np.sum(e, axis=axis, keepdims=True)


@softmax.vjp
def _(g: Any, y: Any, x: Any, *, axis: int) -> Any:
    gy = g * y
    return gy - y * gy.sum(axis=axis, keepdims=True)


@softmax.definition
def _(at: Shape, x: Any, *, axis: int) -> Any:
    return log_softmax_of(at, x, axis).exp()
