"""Losses of numbers: how far each is from its target, as one number or one for each element.

(Those of classes are in `class_losses`.)
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..engine.definition import add_up, places
from ..engine.op import Shape, op
from ..errors import DtypeError, ShapeError
from .elementwise import floating, sigmoid
from .gates import log_sigmoid
from .options import constant_array, need_floating
from .options import reduction as checked_reduction


def _reduced(losses: Any, reduction: str) -> Any:
    if reduction == "none":
        return losses
    return losses.sum() if reduction == "sum" else losses.mean()


def _check_pair(name: str, x: Any, target: Any, reduction: str) -> dict[str, Any]:
    if np.shape(x) != np.shape(target):
        raise ShapeError(
            f"{name}: input {np.shape(x)} and target {np.shape(target)} must have equal shapes"
        )
    need_floating(name, x)
    if np.asarray(target).dtype.kind not in "fiub":
        raise DtypeError(
            f"{name}: the target must hold real numbers, got {np.asarray(target).dtype}"
        )
    return {"reduction": checked_reduction(name, reduction)}


def _define_pair(at: Shape, x: Any, reduction: str, one: Any) -> Any:
    if reduction == "none":
        return one(at)
    total = add_up(map(one, places(x.shape)))
    return total / math.prod(x.shape) if reduction == "mean" else total


def _share(g: Any, x: Any, reduction: str) -> Any:
    return g / np.size(x) if reduction == "mean" else g


@op
def mse_loss(x: Any, target: Any, *, reduction: str = "mean") -> Any:
    """The squared difference, (x − target)², averaged over all elements.

    Args:
        x, target: of one shape; nothing is broadcast.
        reduction: "mean", "sum", or "none" for one loss for each element.

    Raises:
        ShapeError: the shapes differ.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.mse_loss(tg.Tensor([1.0, 2.0]), tg.Tensor([1.0, 4.0])).item()
        2.0
    """
    return _reduced(np.square(np.subtract(x, target)), reduction)


@mse_loss.check
def _(x: Any, target: Any, *, reduction: str) -> dict[str, Any]:
    return _check_pair("mse_loss", x, target, reduction)


mse_loss.vjp(
    lambda g, y, x, target, reduction: _share(g, x, reduction) * (2 * (x - target)),
    lambda g, y, x, target, reduction: _share(g, x, reduction) * (2 * (target - x)),
)


@mse_loss.definition
def _(at: Shape, x: Any, target: Any, *, reduction: str) -> Any:
    return _define_pair(at, x, reduction, lambda i: (x[i] - target[i]) ** 2)


@op
def binary_cross_entropy_with_logits(
    x: Any, target: Any, *, weight: Any = None, reduction: str = "mean", pos_weight: Any = None
) -> Any:
    """−w·(p·t·log σ(x) + (1−t)·log(1−σ(x))), averaged; stable for logits of any size.

    Args:
        x: logits, of any shape.
        target: t, probabilities in 0 … 1, of the same shape.
        weight: w, how much each element counts, broadcast against x, or None; a constant. "mean"
            divides by the number of elements all the same.
        reduction: "mean", "sum", or "none" for one loss for each element.
        pos_weight: p, how much positive targets count, broadcast against x, or None; a constant.

    Raises:
        ShapeError: the shapes differ, or a weight does not broadcast to them.

    Example:
        >>> import tinygrad_cnn as tg
        >>> x, target = tg.Tensor([0.0, 1000.0]), tg.Tensor([1.0, 1.0])
        >>> round(tg.binary_cross_entropy_with_logits(x, target).item(), 4)  # (log 2 + 0) / 2
        0.3466
    """
    x, target = np.asarray(x), floating(target)
    softplus_minus = np.logaddexp(0, -x)  # −log σ(x); and −log(1−σ(x)) = x + that
    losses = (1 - target) * x + _gain(target, pos_weight) * softplus_minus
    return _reduced(_weighted(losses, weight).astype(x.dtype), reduction)


def _gain(target: Any, pos_weight: Any) -> Any:
    """p·t + (1−t), on arrays and on Tensors."""
    return 1 if pos_weight is None else 1 + (pos_weight - 1) * target


def _weighted(losses: Any, weight: Any) -> Any:
    return losses if weight is None else losses * weight


@binary_cross_entropy_with_logits.check
def _(x: Any, target: Any, *, reduction: str, **weights: Any) -> dict[str, Any]:
    name = "binary_cross_entropy_with_logits"
    options = _check_pair(name, x, target, reduction)
    for option, given in weights.items():
        weight = constant_array(name, option, given, np.asarray(x).dtype)
        if weight is not None:
            try:
                weight = np.broadcast_to(weight, np.shape(x))
            except ValueError:
                raise ShapeError(
                    f"{name}: {option} {weight.shape} does not broadcast to {np.shape(x)}"
                ) from None
        options[option] = weight
    return options


def _bce_vjp_x(
    g: Any, y: Any, x: Any, target: Any, *, weight: Any, reduction: str, pos_weight: Any
) -> Any:
    slope = (1 - target) - _gain(target, pos_weight) * sigmoid(-x)
    return _share(g, x, reduction) * _weighted(slope, weight)


def _bce_vjp_target(
    g: Any, y: Any, x: Any, target: Any, *, weight: Any, reduction: str, pos_weight: Any
) -> Any:
    slope = -x if pos_weight is None else (1 - pos_weight) * log_sigmoid(x) - x
    return _share(g, x, reduction) * _weighted(slope, weight)


binary_cross_entropy_with_logits.vjp(_bce_vjp_x, _bce_vjp_target)


@binary_cross_entropy_with_logits.definition
def _(at: Shape, x: Any, target: Any, *, weight: Any, reduction: str, pos_weight: Any) -> Any:
    def one(i: Shape) -> Any:
        t = target[i]
        positive = t * x[i].sigmoid().log()
        if pos_weight is not None:
            positive = float(pos_weight[i]) * positive
        loss = -(positive + (1 - t) * (-x[i]).sigmoid().log())
        return loss if weight is None else float(weight[i]) * loss

    return _define_pair(at, x, reduction, one)


binary_cross_entropy_with_logits.multiply_adds(lambda out, x, *others, **o: 4 * math.prod(x))
mse_loss.multiply_adds(lambda out, x, target, **o: math.prod(x))
