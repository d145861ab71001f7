"""Losses of classes: cross entropy, and the negative log-likelihood that it is made of.

    loss[n] = −Σ_c q[n, c]·log p[n, c]      q[n, c] = w[c]·((1−ε)·t[n, c] + ε/C)

with t the target's probabilities (1 at its class, 0 elsewhere, if it is given as a number), ε the
smoothing, and w how much each class counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..engine.definition import add_up, places
from ..engine.node import Handle
from ..engine.op import Shape, constant, op
from ..errors import DtypeError, OptionError, ShapeError
from .options import constant_array, integer, need_floating, number
from .options import reduction as checked_reduction
from .softmax import log_softmax, log_softmax_of, softmax


@op
def cross_entropy(
    logits: Any,
    target: Any,
    *,
    weight: Any = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Any:
    """−log softmax(logits)[target], averaged over the examples; or −Σ target·log softmax(logits).

    Args:
        logits: (N, C), or (N, C, …) with a class for every position; C classes along axis 1. Or
            one example, (C,).
        target: integer classes in 0 … C−1, of shape (N,), (N, …) or (), which have no gradient; or
            a probability for each class, floating, of the logits' shape.
        weight: how much each class counts, (C,), or None; a constant. "mean" divides by the
            weights of the targets; if they are probabilities, by the number of examples.
        ignore_index: a target that does not count at all. Where nothing counts, "mean" is 0/0,
            which is NaN, but its gradient is 0.
        reduction: "mean", "sum", or "none" for one loss for each example.
        label_smoothing: the share of the target's 1 that is spread evenly over all classes.

    Raises:
        ShapeError: target's or weight's shape does not fit the logits'.
        DtypeError: target is neither of integers nor of the logits' shape.
        OptionError: a class out of range, an unknown reduction, smoothing not in 0 … 1, an
            ignore_index ≥ 0 for probabilities.

    Example:
        >>> import tinygrad_cnn as tg
        >>> logits = tg.Tensor([[2.0, 0.0], [0.0, 0.0]])
        >>> round(tg.cross_entropy(logits, [0, 1]).item(), 4)
        0.41
        >>> round(tg.cross_entropy(logits, [[0.5, 0.5], [0.0, 1.0]]).item(), 4)
        0.91
    """
    q, total = _coefficients(logits, target, weight, ignore_index, label_smoothing)
    return _weighted(log_softmax(logits, 1), q, total, reduction)


@op
def nll_loss(
    log_probabilities: Any,
    target: Any,
    *,
    weight: Any = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Any:
    """−log_probabilities[target]: `cross_entropy` of what a log-softmax has given already.

    Args and errors: as for `cross_entropy`; the target holds classes.

    Example:
        >>> import tinygrad_cnn as tg
        >>> round(tg.nll_loss(tg.log_softmax(tg.Tensor([[0.0, 0.0]])), [1]).item(), 4)  # log 2
        0.6931
    """
    q, total = _coefficients(log_probabilities, target, weight, ignore_index, 0.0)
    return _weighted(log_probabilities, q, total, reduction)


cross_entropy.batched("logits", "target", axes=2)
nll_loss.batched("log_probabilities", "target", axes=2)


# --- coefficients ----------------------------------------------------------------------------


def _of_probabilities(target: Any) -> bool:
    return np.asarray(constant(target)).dtype.kind == "f"


def _examples(shape: Shape) -> int:
    """For how many examples and positions there are logits."""
    return math.prod(shape[:1] + shape[2:])


def _per_class(weight: Any, shape: Shape) -> Any:
    """The weight, shaped to be multiplied with logits."""
    return weight.reshape((-1, *(1,) * (len(shape) - 2)))


def _coefficients(
    logits: Any, target: Any, weight: Any, ignore_index: int, smoothing: float
) -> tuple[Any, Any]:
    """q, and by what "mean" divides; q has a gradient if the target has one."""
    shape, dtype = logits.shape, np.asarray(constant(logits)).dtype
    if _of_probabilities(target):
        q = target if smoothing == 0 else target * (1 - smoothing) + smoothing / shape[1]
        if weight is not None:
            q = q * _per_class(weight, shape)
        return q, _examples(shape)
    classes = np.asarray(constant(target))
    counts = classes != ignore_index
    safe = np.where(counts, classes, 0)
    w = np.ones(shape[1], dtype) if weight is None else weight
    q = np.full(shape, smoothing / shape[1], dtype)
    np.put_along_axis(q, safe[:, None], 1 - smoothing + smoothing / shape[1], axis=1)
    q *= _per_class(w, shape)
    q *= counts[:, None]
    return q, (w[safe] * counts).sum()


def _weighted(log_p: Any, q: Any, total: Any, reduction: str) -> Any:
    terms = np.multiply(q, log_p, out=np.zeros_like(log_p), where=q != 0)  # 0 · −∞ counts as 0
    losses = -terms.sum(axis=1)
    if reduction == "none":
        return losses
    return losses.sum() if reduction == "sum" else losses.sum() / total


# --- checks ----------------------------------------------------------------------------------


def _check_shapes(name: str, logits: Any, target: Any, probabilities: bool) -> bool:
    """Whether the target holds probabilities; refused if it fits neither these nor classes."""
    shape, given = np.shape(logits), np.asarray(target)
    if probabilities and given.dtype.kind == "f" and given.shape == shape and len(shape) > 1:
        return True
    if len(shape) < 2 or given.shape != shape[:1] + shape[2:]:
        fit = shape[:1] + shape[2:] if len(shape) > 1 else "(N,) for logits (N, C)"
        hint = "; probabilities of classes must be floating" if given.shape == shape else ""
        raise ShapeError(
            f"{name}: logits {shape} need a target of shape {fit}, got {given.shape}"
            f"{hint if probabilities else ''}"
        )
    if given.dtype.kind not in "iu":
        also = f"; or probabilities of shape {shape}" if probabilities else ""
        raise DtypeError(
            f"{name}: the target holds class numbers, so integers are needed, got {given.dtype}"
            f"{also}"
        )
    return False


def _check_classes(
    name: str,
    logits: Any,
    target: Any,
    weight: Any,
    ignore_index: int,
    reduction: str,
    probabilities: bool = False,
) -> dict[str, Any]:
    given = _check_shapes(name, logits, target, probabilities)
    need_floating(name, logits, "floating logits are")
    shape, dtype, target = np.shape(logits), np.asarray(logits).dtype, np.asarray(target)
    ignore_index = integer(name, "ignore_index", ignore_index)
    if given and ignore_index >= 0:
        raise OptionError(
            f"{name}: the target holds probabilities, so there is no class {ignore_index} in it "
            "to ignore; leave ignore_index out"
        )
    used = target[target != ignore_index] if not given else target[:0]
    if used.size and not (used.min() >= 0 and used.max() < shape[1]):
        worst = used.max() if used.max() >= shape[1] else used.min()
        raise OptionError(
            f"{name}: class {worst} in target, but the logits have {shape[1]} classes "
            f"(0 … {shape[1] - 1}), of shape {shape}"
        )
    weight = constant_array(name, "weight", weight, dtype)
    if weight is not None and weight.shape != shape[1:2]:
        raise ShapeError(
            f"{name}: weight must have shape {shape[1:2]}, one for each class of logits {shape}, "
            f"got {weight.shape}"
        )
    return {
        "weight": weight,
        "ignore_index": ignore_index,
        "reduction": checked_reduction(name, reduction),
    }


@cross_entropy.check
def _(logits: Any, target: Any, *, label_smoothing: float, **options: Any) -> dict[str, Any]:
    checked = _check_classes("cross_entropy", logits, target, **options, probabilities=True)
    smoothing = number("cross_entropy", "label_smoothing", label_smoothing, least=0, most=1)
    return {**checked, "label_smoothing": smoothing}


@nll_loss.check
def _(log_probabilities: Any, target: Any, **options: Any) -> dict[str, Any]:
    return _check_classes("nll_loss", log_probabilities, target, **options)


# --- gradients -------------------------------------------------------------------------------


def _shares(q: Any, total: Any, reduction: str) -> Any:
    """The share of the loss's cotangent for each −log p; 0 where q is 0, even if `total` is 0."""
    if reduction != "mean":
        return q
    if isinstance(q, Handle):
        return q / total
    return np.divide(q, total, out=np.zeros_like(q), where=q != 0)


def _spread(g: Any, shape: Shape, reduction: str) -> Any:
    """The cotangent of the loss, in a shape that broadcasts to (N, C, …)."""
    return g.reshape((shape[0], 1, *shape[2:])) if reduction == "none" else g


def _cross_entropy_vjp(
    g: Any,
    y: Any,
    logits: Any,
    target: Any,
    *,
    weight: Any,
    ignore_index: int,
    reduction: str,
    label_smoothing: float,
) -> Any:
    q, total = _coefficients(logits, target, weight, ignore_index, label_smoothing)
    q = _shares(q, total, reduction)
    slope = softmax(logits, 1) * q.sum(axis=1, keepdims=True) - q
    return _spread(g, logits.shape, reduction) * slope


def _probabilities_vjp(
    g: Any,
    y: Any,
    logits: Any,
    target: Any,
    *,
    weight: Any,
    ignore_index: int,
    reduction: str,
    label_smoothing: float,
) -> Any:
    shape = logits.shape
    slope = log_softmax(logits, 1) * (label_smoothing - 1)
    if reduction == "mean":
        slope = slope / _examples(shape)
    if weight is not None:
        slope = slope * _per_class(weight, shape)
    return _spread(g, shape, reduction) * slope


def _nll_vjp(
    g: Any, y: Any, log_p: Any, target: Any, *, weight: Any, ignore_index: int, reduction: str
) -> Any:
    q, total = _coefficients(log_p, target, weight, ignore_index, 0.0)
    return _spread(g, log_p.shape, reduction) * -_shares(q, total, reduction)


cross_entropy.vjp(_cross_entropy_vjp, _probabilities_vjp)
nll_loss.vjp(_nll_vjp, None)


# --- definitions -----------------------------------------------------------------------------


def _define_classes(
    at: Shape,
    shape: Shape,
    log_p: Callable[[Shape], Any],
    target: Any,
    weight: Any,
    ignore: int,
    reduction: str,
    smoothing: float,
) -> Any:
    """−Σ q·log p over classes and examples; `log_p((n, c, …))` is a Scalar."""
    of_probabilities = target.shape == shape
    examples = [at] if reduction == "none" else [*places(shape[:1] + shape[2:])]
    labels = {} if of_probabilities else {i: int(float(target[i])) for i in examples}
    counted = [i for i in examples if labels.get(i) != ignore]

    def weight_of(c: int) -> float:
        return 1.0 if weight is None else float(weight[c])

    def terms() -> Iterator[Any]:
        for i in counted:
            for c in range(shape[1]):
                cell = (i[0], c, *i[1:])
                t = target[cell] if of_probabilities else float(c == labels[i])
                share = (1 - smoothing) * t + smoothing / shape[1]
                if of_probabilities or share:
                    yield -share * weight_of(c) * log_p(cell)

    total = add_up(terms())
    if reduction != "mean":
        return total
    return total / (
        len(counted) if of_probabilities else add_up(weight_of(labels[i]) for i in counted)
    )


@cross_entropy.definition
def _(
    at: Shape,
    logits: Any,
    target: Any,
    *,
    weight: Any,
    ignore_index: int,
    reduction: str,
    label_smoothing: float,
) -> Any:
    return _define_classes(
        at,
        logits.shape,
        lambda cell: log_softmax_of(cell, logits, 1),
        target,
        weight,
        ignore_index,
        reduction,
        label_smoothing,
    )


@nll_loss.definition
def _(at: Shape, log_p: Any, target: Any, *, weight: Any, ignore_index: int, reduction: str) -> Any:
    return _define_classes(
        at, log_p.shape, log_p.__getitem__, target, weight, ignore_index, reduction, 0.0
    )


cross_entropy.multiply_adds(lambda out, logits, *others, **o: 3 * math.prod(logits))
nll_loss.multiply_adds(lambda out, log_p, *others, **o: math.prod(out))
