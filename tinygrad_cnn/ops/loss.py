"""Losses: how far a prediction is from its target, as one number (or one for each example)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..engine.definition import add_up, places
from ..engine.node import Handle
from ..engine.op import Shape, constant, op
from ..errors import DtypeError, GraphError, OptionError, ShapeError
from .activation import softplus
from .elementwise import floating, sigmoid
from .options import choice, integer, need_floating, number
from .softmax import log_softmax, log_softmax_of, softmax


def _reduction(name: str, reduction: str) -> str:
    return choice(name, "reduction", reduction, ("mean", "sum", "none"))


# --- classes ---------------------------------------------------------------------------------


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
    """−log softmax(logits)[target], averaged over the examples.

    Args:
        logits: (N, C), or (N, C, …) with a class for every position; C classes along axis 1.
        target: integer classes in 0 … C−1, of shape (N,) or (N, …). It has no gradient.
        weight: how much each class counts, (C,), or None; a constant. "mean" divides by the
            weights of the targets.
        ignore_index: a target that does not count at all. Where nothing counts, "mean" is 0/0,
            which is NaN, but its gradient is 0.
        reduction: "mean", "sum", or "none" for one loss for each example.
        label_smoothing: the share of the target's 1 that is spread evenly over all classes.

    Raises:
        ShapeError: target's or weight's shape does not fit the logits'.
        DtypeError: target is not of integers.
        OptionError: a class out of range, an unknown reduction, smoothing not in 0 … 1.

    Example:
        >>> import tinygrad_cnn as tg
        >>> logits = tg.Tensor([[2.0, 0.0], [0.0, 0.0]])
        >>> round(tg.cross_entropy(logits, [0, 1]).item(), 4)
        0.41
    """
    return _weighted(
        log_softmax(logits, 1), target, weight, ignore_index, reduction, label_smoothing
    )


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

    Args and errors: as for `cross_entropy`.

    Example:
        >>> import tinygrad_cnn as tg
        >>> round(tg.nll_loss(tg.log_softmax(tg.Tensor([[0.0, 0.0]])), [1]).item(), 4)  # log 2
        0.6931
    """
    return _weighted(log_probabilities, target, weight, ignore_index, reduction, 0.0)


def _coefficients(
    shape: Shape, dtype: Any, target: Any, weight: Any, ignore_index: int, smoothing: float
) -> tuple[Any, Any]:
    """Q with loss[n] = −Σ_c Q[n, c]·log p[n, c], and by what "mean" divides.

    Q[n, c] = w[c]·((1−ε)·[c = target] + ε/C), and 0 where the target is ignored.
    """
    counts = target != ignore_index
    safe = np.where(counts, target, 0)
    w = np.ones(shape[1], dtype) if weight is None else weight
    q = np.full(shape, smoothing / shape[1], dtype)
    np.put_along_axis(q, safe[:, None], 1 - smoothing + smoothing / shape[1], axis=1)
    q *= w.reshape((-1, *(1,) * (len(shape) - 2)))
    q *= counts[:, None]
    return q, (w[safe] * counts).sum()


def _weighted(
    log_p: Any, target: Any, weight: Any, ignore_index: int, reduction: str, smoothing: float
) -> Any:
    q, total = _coefficients(log_p.shape, log_p.dtype, target, weight, ignore_index, smoothing)
    terms = np.multiply(q, log_p, out=np.zeros_like(q), where=q != 0)  # 0 · −∞ counts as 0
    losses = -terms.sum(axis=1)
    if reduction == "none":
        return losses
    return losses.sum() if reduction == "sum" else losses.sum() / total


def _check_classes(
    name: str, logits: Any, target: Any, weight: Any, ignore_index: int, reduction: str
) -> dict[str, Any]:
    shape, dtype = np.shape(logits), np.asarray(logits).dtype
    target = np.asarray(target)
    if len(shape) < 2 or target.shape != shape[:1] + shape[2:]:
        fit = shape[:1] + shape[2:] if len(shape) > 1 else "(N,) for logits (N, C)"
        raise ShapeError(f"{name}: logits {shape} need a target of shape {fit}, got {target.shape}")
    if target.dtype.kind not in "iu":
        raise DtypeError(
            f"{name}: the target holds class numbers, so integers are needed, got {target.dtype}"
        )
    need_floating(name, logits, "floating logits are")
    ignore_index = integer(name, "ignore_index", ignore_index)
    used = target[target != ignore_index]
    if used.size and not (used.min() >= 0 and used.max() < shape[1]):
        worst = used.max() if used.max() >= shape[1] else used.min()
        raise OptionError(
            f"{name}: class {worst} in target, but the logits have {shape[1]} classes "
            f"(0 … {shape[1] - 1}), of shape {shape}"
        )
    weight = _constant_option(name, "weight", weight, dtype)
    if weight is not None and weight.shape != shape[1:2]:
        raise ShapeError(
            f"{name}: weight must have shape {shape[1:2]}, one for each class of logits {shape}, "
            f"got {weight.shape}"
        )
    return {
        "weight": weight,
        "ignore_index": ignore_index,
        "reduction": _reduction(name, reduction),
    }


def _constant_option(name: str, option: str, value: Any, dtype: Any) -> Any:
    """An array given as an option, in the input's dtype; refused if it asks for a gradient."""
    if isinstance(value, Handle) and value.node.needs_grad:
        raise GraphError(f"{name}: {option} has no gradient; pass {option}.detach()")
    if value is None:
        return None
    try:
        array = np.asarray(constant(value))
    except ValueError as error:  # ragged
        raise ShapeError(f"{name}: {option} is no array: {error}") from error
    if array.dtype.kind not in "fiub":
        raise DtypeError(f"{name}: {option} must hold real numbers, got {array.dtype}")
    return array.astype(dtype, copy=False)


@cross_entropy.check
def _(logits: Any, target: Any, *, label_smoothing: float, **options: Any) -> dict[str, Any]:
    checked = _check_classes("cross_entropy", logits, target, **options)
    smoothing = number("cross_entropy", "label_smoothing", label_smoothing, least=0, most=1)
    return {**checked, "label_smoothing": smoothing}


@nll_loss.check
def _(log_probabilities: Any, target: Any, **options: Any) -> dict[str, Any]:
    return _check_classes("nll_loss", log_probabilities, target, **options)


def _shares(q: Any, total: Any, reduction: str) -> Any:
    """The share of the loss's cotangent for each −log p; 0 where q is 0, even if `total` is 0."""
    return np.divide(q, total, out=q, where=q != 0) if reduction == "mean" else q


def _spread(g: Any, q: Any, reduction: str) -> Any:
    """The cotangent of the loss, in a shape that broadcasts to (N, C, …)."""
    return g.reshape((q.shape[0], 1, *q.shape[2:])) if reduction == "none" else g


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
    target = np.asarray(constant(target))
    q, total = _coefficients(
        logits.shape, logits.dtype, target, weight, ignore_index, label_smoothing
    )
    q = _shares(q, total, reduction)
    slope = softmax(logits, 1) * q.sum(axis=1, keepdims=True) - q
    return _spread(g, q, reduction) * slope


def _nll_vjp(
    g: Any, y: Any, log_p: Any, target: Any, *, weight: Any, ignore_index: int, reduction: str
) -> Any:
    target = np.asarray(constant(target))
    q, total = _coefficients(log_p.shape, log_p.dtype, target, weight, ignore_index, 0.0)
    return _spread(g, q, reduction) * -_shares(q, total, reduction)


cross_entropy.vjp(_cross_entropy_vjp, None)
nll_loss.vjp(_nll_vjp, None)


def _define_classes(
    at: Shape, log_p: Any, target: Any, weight: Any, ignore: int, reduction: str, smoothing: float
) -> Any:
    """−Σ share·log p over classes and examples; `log_p(n, c, rest)` is a Scalar."""
    examples = [at] if reduction == "none" else places(target.shape)
    labels = {i: int(float(target[i])) for i in examples}
    counted = {i: label for i, label in labels.items() if label != ignore}

    def weight_of(c: int) -> float:
        return 1.0 if weight is None else float(weight[c])

    def terms() -> Iterator[Any]:
        for (n, *rest), label in counted.items():
            for c in range(log_p.classes):
                share = (1 - smoothing) * (c == label) + smoothing / log_p.classes
                if share:
                    yield -share * weight_of(c) * log_p(n, c, rest)

    total = add_up(terms())
    if reduction != "mean":
        return total
    return total / add_up(weight_of(label) for label in counted.values())


class _LogSoftmax:
    def __init__(self, logits: Any) -> None:
        self.logits, self.classes = logits, logits.shape[1]

    def __call__(self, n: int, c: int, rest: list[int]) -> Any:
        return log_softmax_of((n, c, *rest), self.logits, 1)


class _Given(_LogSoftmax):
    def __call__(self, n: int, c: int, rest: list[int]) -> Any:
        return self.logits[(n, c, *rest)]


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
    log_p = _LogSoftmax(logits)
    return _define_classes(at, log_p, target, weight, ignore_index, reduction, label_smoothing)


@nll_loss.definition
def _(at: Shape, log_p: Any, target: Any, *, weight: Any, ignore_index: int, reduction: str) -> Any:
    return _define_classes(at, _Given(log_p), target, weight, ignore_index, reduction, 0.0)


cross_entropy.multiply_adds(lambda out, logits, *others, **o: 3 * math.prod(logits))
nll_loss.multiply_adds(lambda out, log_p, *others, **o: math.prod(out))

# --- numbers ---------------------------------------------------------------------------------


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
    return {"reduction": _reduction(name, reduction)}


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
    x: Any, target: Any, *, reduction: str = "mean", pos_weight: Any = None
) -> Any:
    """−(t·log σ(x) + (1−t)·log(1−σ(x))), averaged; stable for logits of any size.

    Args:
        x: logits, of any shape.
        target: probabilities in 0 … 1, of the same shape.
        reduction: "mean", "sum", or "none" for one loss for each element.
        pos_weight: how much positive targets count, broadcast against x, or None; a constant.

    Raises:
        ShapeError: the shapes differ.

    Example:
        >>> import tinygrad_cnn as tg
        >>> x, target = tg.Tensor([0.0, 1000.0]), tg.Tensor([1.0, 1.0])
        >>> round(tg.binary_cross_entropy_with_logits(x, target).item(), 4)  # (log 2 + 0) / 2
        0.3466
    """
    x, target = np.asarray(x), floating(target)
    softplus_minus = np.logaddexp(0, -x)  # −log σ(x); and −log(1−σ(x)) = x + that
    gain = 1 if pos_weight is None else 1 + (pos_weight - 1) * target
    return _reduced(((1 - target) * x + gain * softplus_minus).astype(x.dtype), reduction)


@binary_cross_entropy_with_logits.check
def _(x: Any, target: Any, *, reduction: str, pos_weight: Any) -> dict[str, Any]:
    name = "binary_cross_entropy_with_logits"
    options = _check_pair(name, x, target, reduction)
    weight = _constant_option(name, "pos_weight", pos_weight, np.asarray(x).dtype)
    if weight is not None:
        try:
            weight = np.broadcast_to(weight, np.shape(x))
        except ValueError:
            raise ShapeError(
                f"{name}: pos_weight {weight.shape} does not broadcast to {np.shape(x)}"
            ) from None
    return {**options, "pos_weight": weight}


def _bce_vjp_x(g: Any, y: Any, x: Any, target: Any, *, reduction: str, pos_weight: Any) -> Any:
    gain = 1 if pos_weight is None else 1 + (pos_weight - 1) * target
    return _share(g, x, reduction) * ((1 - target) - gain * sigmoid(-x))


def _bce_vjp_target(g: Any, y: Any, x: Any, target: Any, *, reduction: str, pos_weight: Any) -> Any:
    slope = -x if pos_weight is None else (pos_weight - 1) * softplus(-x) - x
    return _share(g, x, reduction) * slope


binary_cross_entropy_with_logits.vjp(_bce_vjp_x, _bce_vjp_target)


@binary_cross_entropy_with_logits.definition
def _(at: Shape, x: Any, target: Any, *, reduction: str, pos_weight: Any) -> Any:
    def one(i: Shape) -> Any:
        t = target[i]
        positive = t * x[i].sigmoid().log()
        if pos_weight is not None:
            positive = float(pos_weight[i]) * positive
        return -(positive + (1 - t) * (-x[i]).sigmoid().log())

    return _define_pair(at, x, reduction, one)


binary_cross_entropy_with_logits.multiply_adds(lambda out, x, *others, **o: 4 * math.prod(x))
mse_loss.multiply_adds(lambda out, x, target, **o: math.prod(x))
