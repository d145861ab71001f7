"""From logits to a loss: softmax, its logarithm, and cross-entropy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import DtypeError, OptionError, ShapeError
from ..op import Op, Shape, constant, op
from .elementwise import exp
from .reduce import reduced_axes


def _along_one_axis(declared: Op) -> Op:
    @declared.check
    def _(x: Any, *, axis: int) -> dict[str, Any]:
        if np.asarray(x).dtype.kind != "f":
            raise DtypeError(
                f"{declared.name}: floating logits are needed, got {np.asarray(x).dtype}"
            )
        return {"axis": reduced_axes((axis,), np.ndim(x), declared.name)[0]}

    @declared.multiply_adds
    def _(out: Shape, x: Shape, *, axis: int) -> int:
        return 3 * math.prod(x)

    return declared


def _slice_through(at: Shape, x: Any, axis: int) -> list[Any]:
    """The elements of x that share all indices with `at` but the one along `axis`."""
    return [x[(*at[:axis], k, *at[axis + 1 :])] for k in range(x.shape[axis])]


def _log_sum_exp(row: list[Any]) -> Any:
    """log Σ eˣ of some Scalars; shifted by the largest, so that nothing overflows."""
    shift = max(float(x) for x in row)
    shift = shift if math.isfinite(shift) else 0.0
    total = 0.0
    for x in row:
        total = total + (x - shift).exp()
    return total.log() + shift  # type: ignore[attr-defined]


@_along_one_axis
@op
def log_softmax(x: Any, *, axis: int = -1) -> Any:
    """xᵢ − log Σⱼ eˣʲ along `axis`; stable for logits of any size.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.log_softmax(tg.Tensor([0.0, 1e4])).numpy()
        array([-10000.,      0.], dtype=float32)
    """
    shifted = x - np.max(x, axis=axis, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


@log_softmax.vjp
def _(g: Any, y: Any, x: Any, *, axis: int) -> Any:
    return g - exp(y) * g.sum(axis=axis, keepdims=True)


@log_softmax.definition
def _(at: Shape, x: Any, *, axis: int) -> Any:
    return x[at] - _log_sum_exp(_slice_through(at, x, axis))


@_along_one_axis
@op
def softmax(x: Any, *, axis: int = -1) -> Any:
    """eˣⁱ / Σⱼ eˣʲ along `axis`: positive, and sums to 1."""
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)


@softmax.vjp
def _(g: Any, y: Any, x: Any, *, axis: int) -> Any:
    gy = g * y
    return gy - y * gy.sum(axis=axis, keepdims=True)


@softmax.definition
def _(at: Shape, x: Any, *, axis: int) -> Any:
    return (x[at] - _log_sum_exp(_slice_through(at, x, axis))).exp()


@op
def cross_entropy(logits: Any, target: Any, *, reduction: str = "mean") -> Any:
    """−log softmax(logits)[target], averaged over the examples.

    Args:
        logits: (N, C), or (N, C, …) with a class for every position; C classes along axis 1.
        target: integer classes in 0 … C−1, of shape (N,) or (N, …). It has no gradient.
        reduction: "mean", "sum", or "none" for one loss an example.

    Raises:
        ShapeError: target's shape does not fit the logits'.
        DtypeError: target is not of integers.
        OptionError: a class out of range, or an unknown reduction.

    Example:
        >>> import tinygrad_cnn as tg
        >>> logits = tg.Tensor([[2.0, 0.0], [0.0, 0.0]])
        >>> round(tg.cross_entropy(logits, [0, 1]).item(), 4)
        0.41
    """
    target = np.asarray(target)
    picked = -np.take_along_axis(log_softmax(logits, 1), target[:, None], 1)[:, 0]
    if reduction == "none":
        return picked
    return np.mean(picked) if reduction == "mean" else np.sum(picked)


@cross_entropy.check
def _(logits: Any, target: Any, *, reduction: str) -> dict[str, Any]:
    shape, target = np.shape(logits), np.asarray(target)
    if len(shape) < 2 or target.shape != shape[:1] + shape[2:]:
        fit = (*shape[:1], *shape[2:]) if len(shape) > 1 else "(N,) for logits (N, C)"
        raise ShapeError(
            f"cross_entropy: logits {shape} need a target of shape {fit}, got {target.shape}"
        )
    if target.dtype.kind not in "iu":
        raise DtypeError(
            f"cross_entropy: the target holds class numbers, so integers are needed, "
            f"got {target.dtype}"
        )
    if target.size and not (target.min() >= 0 and target.max() < shape[1]):
        worst = target.max() if target.max() >= shape[1] else target.min()
        raise OptionError(
            f"cross_entropy: class {worst} in target, but the logits have {shape[1]} classes "
            f"(0 … {shape[1] - 1})"
        )
    if reduction not in {"mean", "sum", "none"}:
        raise OptionError(f"cross_entropy: reduction {reduction!r} is not mean, sum or none")
    return {"reduction": reduction}


def _cross_entropy_vjp(g: Any, y: Any, logits: Any, target: Any, *, reduction: str) -> Any:
    target = np.asarray(constant(target))
    one_hot = np.zeros(logits.shape, logits.dtype)
    np.put_along_axis(one_hot, target[:, None], 1, axis=1)
    if reduction == "none":
        g = g.reshape((target.shape[0], 1, *target.shape[1:]))
    elif reduction == "mean":
        g = g / target.size
    return g * (softmax(logits, 1) - one_hot)


cross_entropy.vjp(_cross_entropy_vjp, None)


@cross_entropy.definition
def _(at: Shape, logits: Any, target: Any, *, reduction: str) -> Any:
    places = [at] if reduction == "none" else list(np.ndindex(*target.shape))
    total = 0.0
    for n, *rest in places:
        label = int(float(target[(n, *rest)]))
        where = (n, label, *rest)
        total = total + _log_sum_exp(_slice_through(where, logits, 1)) - logits[where]
    return total / len(places) if reduction == "mean" else total


@cross_entropy.multiply_adds
def _(out: Shape, logits: Shape, target: Shape, *, reduction: str) -> int:
    return 3 * math.prod(logits)
