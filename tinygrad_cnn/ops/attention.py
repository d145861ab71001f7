"""Scaled dot-product attention (Vaswani et al. 2017): for each query a mean of the values."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..engine import defaults
from ..engine.definition import add_up, broadcast_index
from ..engine.op import Shape, constant, op
from ..errors import DtypeError, OptionError, ShapeError
from .dropout import probability
from .elementwise import exp, where
from .matmul import matmul
from .options import flag, number

_NAME = "scaled_dot_product_attention"


@op(_NAME)
def _attention(
    query: Any,
    key: Any,
    value: Any,
    mask: Any = None,
    bias: Any = None,
    kept: Any = None,
    *,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
) -> Any:
    """softmax(scale·Q Kᵀ + bias) V.

    `mask` says which keys may be seen, `kept` which weights dropout leaves.
    """
    seen = _seen(query, key, mask, is_causal)
    weights = _weights(query, key, seen, bias, scale)
    return matmul.checked(_dropped(weights, seen, kept, dropout_p), value)


def _seen(query: Any, key: Any, mask: Any, is_causal: bool) -> Any:
    """Which keys a query may see; None: all."""
    if is_causal:
        return np.tri(query.shape[-2], key.shape[-2], dtype=bool)
    return None if mask is None else constant(mask)


def _weights(query: Any, key: Any, seen: Any, bias: Any, scale: Any) -> Any:
    """The softmax of the scores, (…, L, S); on arrays and on Tensors."""
    scores = matmul.checked(query * scale, _turned(key))
    if bias is not None:
        scores = scores + bias
    if seen is not None:
        scores = where(seen, scores, -math.inf)
    largest = np.max(constant(scores), axis=-1, keepdims=True, initial=-math.inf)
    e = exp(scores - np.where(np.isfinite(largest), largest, 0.0))
    total = e.sum(axis=-1, keepdims=True)
    return e / where(constant(total) == 0, 1.0, total)  # 0 where no key may be seen


def _dropped(weights: Any, seen: Any, kept: Any, p: float) -> Any:
    if kept is None:
        return weights
    kept = constant(kept) if seen is None else np.logical_and(constant(kept), seen)
    return where(kept, weights * _scale(p), 0.0)


def _scale(p: float) -> float:
    """What keeps the mean of what dropout leaves."""
    return 1 / (1 - p) if p < 1 else 0.0


def _turned(x: Any) -> Any:
    return x.swapaxes(-1, -2)


@_attention.check
def _(
    query: Any,
    key: Any,
    value: Any,
    mask: Any,
    bias: Any,
    kept: Any,
    *,
    dropout_p: float,
    is_causal: bool,
    scale: float | None,
) -> dict[str, Any]:
    shape, v = _score_shape(query, key), np.shape(value)
    if len(v) < 2 or v[-2] != shape[-1]:
        raise ShapeError(
            f"{_NAME}: value must be (…, S, Ev), with a row for each of the {shape[-1]} keys "
            f"{np.shape(key)}, got {v}"
        )
    _leading(shape, v)
    dtype = np.asarray(query).dtype
    dtypes = {str(np.asarray(x).dtype) for x in (query, key, value, bias) if x is not None}
    if len(dtypes) > 1 or dtype.kind != "f":
        raise DtypeError(
            f"{_NAME}: query, key, value and a mask to be added must be of one floating dtype, "
            f"got {', '.join(sorted(dtypes))}"
        )
    for given in (mask, kept):
        if given is not None and np.asarray(given).dtype.kind != "b":
            raise DtypeError(
                f"{_NAME}: a mask must be of booleans (True: may be seen) or floating (to be "
                f"added), got {np.asarray(given).dtype}"
            )
    for given in (mask, bias):
        if given is not None and not _broadcasts(np.shape(given), shape):
            raise ShapeError(
                f"{_NAME}: attn_mask {np.shape(given)} does not broadcast to the scores, which "
                f"are (…, L, S) = {shape}"
            )
    if kept is not None and np.shape(kept) != shape:
        raise ShapeError(f"{_NAME}: kept must have the scores' shape {shape}, got {np.shape(kept)}")
    is_causal = flag(_NAME, "is_causal", is_causal)
    if is_causal and not (mask is None and bias is None):
        raise OptionError(f"{_NAME}: give attn_mask or is_causal=True, not both")
    if scale is None:
        scale = 1 / math.sqrt(max(np.shape(query)[-1], 1))
    return {
        "dropout_p": probability(dropout_p, _NAME),
        "is_causal": is_causal,
        "scale": number(_NAME, "scale", scale),
    }


def _score_shape(query: Any, key: Any) -> Shape:
    """(…, L, S), of which there is one score for each query and key."""
    q, k = np.shape(query), np.shape(key)
    if len(q) < 2 or len(k) < 2:
        raise ShapeError(f"{_NAME}: query must be (…, L, E) and key (…, S, E), got {q} and {k}")
    if q[-1] != k[-1]:
        raise ShapeError(
            f"{_NAME}: query {q} and key {k} must have vectors of one size E, got {q[-1]} and "
            f"{k[-1]} numbers"
        )
    return (*_leading(q, k), q[-2], k[-2])


def _leading(a: Shape, b: Shape) -> Shape:
    try:
        return np.broadcast_shapes(a[:-2], b[:-2])
    except ValueError:
        raise ShapeError(
            f"{_NAME}: the leading axes {a[:-2]} of {a} and {b[:-2]} of {b} do not broadcast"
        ) from None


def _broadcasts(shape: Shape, to: Shape) -> bool:
    try:
        return np.broadcast_shapes(shape, to) == to
    except ValueError:
        return False


@_attention.vjp
def _(
    g: Any,
    y: Any,
    query: Any,
    key: Any,
    value: Any,
    mask: Any,
    bias: Any,
    kept: Any,
    *,
    dropout_p: float,
    is_causal: bool,
    scale: float,
) -> tuple[Any, ...]:
    seen = _seen(query, key, mask, is_causal)
    weights = _weights(query, key, seen, bias, scale)
    g_weights = _dropped(matmul.checked(g, _turned(value)), seen, kept, dropout_p)
    # through the softmax, whose Σⱼ gⱼ·wⱼ is Σ g·y
    g_scores = weights * (g_weights - (g * y).sum(axis=-1, keepdims=True))
    return (
        matmul.checked(g_scores, key) * scale,
        matmul.checked(_turned(g_scores), query) * scale,
        matmul.checked(_turned(_dropped(weights, seen, kept, dropout_p)), g),
        None,
        None if bias is None else g_scores,
        None,
    )


@_attention.definition
def _(
    at: Shape,
    query: Any,
    key: Any,
    value: Any,
    mask: Any,
    bias: Any,
    kept: Any,
    *,
    dropout_p: float,
    is_causal: bool,
    scale: float,
) -> Any:
    *lead, i, column = at

    def read(x: Any, row: int, place: int) -> Any:
        return x[broadcast_index((*lead, row, place), x.shape)]

    def score(j: int) -> Any:
        products = (read(query, i, d) * read(key, j, d) for d in range(query.shape[-1]))
        s = scale * add_up(products)
        return s if bias is None else s + read(bias, i, j)

    seen = [
        j
        for j in range(key.shape[-2])
        if (mask is None or float(read(mask, i, j))) and (j <= i or not is_causal)
    ]
    scores = [score(j) for j in seen]
    if all(float(s) == -math.inf for s in scores):  # no key may be seen
        return 0.0
    largest = max(map(float, scores))
    largest = largest if math.isfinite(largest) else 0.0
    shifted = [(s - largest).exp() for s in scores]
    total = add_up(shifted)

    def terms() -> Iterator[Any]:
        for j, e in zip(seen, shifted, strict=True):
            if kept is None:
                yield e / total * read(value, j, column)
            elif float(read(kept, i, j)):
                yield e / total * _scale(dropout_p) * read(value, j, column)

    return add_up(terms())


@_attention.multiply_adds
def _(out: Shape, query: Shape, key: Shape, *others: Any, **o: Any) -> int:
    return math.prod(out[:-1]) * key[-2] * (query[-1] + out[-1])


def scaled_dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
) -> Any:
    """softmax(scale·Q Kᵀ + mask) V: each query's mean of the values, by how well the keys fit.

    It is one op, with PyTorch's arguments. Dropout's mask is drawn here, outside of it, so that the
    recorded computation can be replayed; it is drawn in evaluation, too, unless dropout_p is 0.

    Args:
        query: (…, L, E).
        key: (…, S, E).
        value: (…, S, Ev). The leading axes of the three broadcast.
        attn_mask: broadcasts to (…, L, S). Of booleans: which keys a query may see. Floating: is
            added to the scores, and has a gradient.
        dropout_p: with what probability each weight of the mean is zeroed; the rest are scaled.
        is_causal: query i sees the keys 0 … i.
        scale: 1/√E if None.

    Returns:
        (…, L, Ev). A query that may see no key gets zeros, as in PyTorch since 2.5. (A value that
        is not seen is multiplied by 0, so NaN in it shows.)

    Raises:
        ShapeError, DtypeError: sizes or dtypes that do not go together.
        OptionError: a mask and is_causal=True.

    Example:
        >>> import numpy as np, tinygrad_cnn as tg
        >>> x = tg.Tensor([[1.0, 0.0], [0.0, 1.0]])
        >>> tg.scaled_dot_product_attention(x, x, x, is_causal=True).numpy().round(2).tolist()[0]
        [1.0, 0.0]
    """
    mask = bias = kept = None
    if attn_mask is not None:
        if np.asarray(constant(attn_mask)).dtype.kind == "f":
            bias = attn_mask
        else:
            mask = attn_mask
    if probability(dropout_p, _NAME) > 0:
        shape = _score_shape(constant(query), constant(key))
        kept = defaults.generator().random(shape) >= dropout_p
    return _attention(query, key, value, mask, bias, kept, dropout_p, is_causal, scale)
