"""Normalisation within one example: layer norm (Ba et al. 2016) and group norm (Wu & He 2018).

Both standardise rows: of the last axes, or of a group of channels with all their positions. Then
each element is scaled and shifted. Nothing depends on the rest of the batch, so training and
evaluation are the same.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from ..engine.definition import add_up
from ..engine.op import Shape, op
from ..errors import DtypeError, OptionError, ShapeError
from .options import integer, number, sizes


def _standardised(rows: Any, eps: float) -> tuple[Any, Any]:
    """x̂ = (x − μ)/√(σ² + ε) along the last axis, and 1/√(σ² + ε); on arrays and on Tensors."""
    if rows.dtype == np.float16:  # whose squares overflow from 256 on
        rows = rows.astype(np.float32)
    centred = rows - rows.mean(axis=-1, keepdims=True)
    rstd = ((centred * centred).mean(axis=-1, keepdims=True) + eps) ** -0.5
    return centred * rstd, rstd


def _row_gradient(g_hat: Any, hat: Any, rstd: Any) -> Any:
    """Through x̂: the direct term, less what moves with the mean and with the variance."""
    along = g_hat.mean(axis=-1, keepdims=True)
    across = (g_hat * hat).mean(axis=-1, keepdims=True)
    return (g_hat - along - hat * across) * rstd


def _check_affine(name: str, x: Any, shape: Shape, **affine: Any) -> None:
    dtype = np.asarray(x).dtype
    if dtype.kind != "f":
        raise DtypeError(f"{name}: a floating input is needed, got {dtype}")
    for which, v in affine.items():
        if v is not None and np.shape(v) != shape:
            raise ShapeError(f"{name}: {which} must have shape {shape}, got {np.shape(v)}")
        if v is not None and np.asarray(v).dtype != dtype:
            raise DtypeError(
                f"{name}: input is {dtype}, {which} {np.asarray(v).dtype}; cast with .astype"
            )


def _definition(x: Any, at: Shape, places: list[Shape], eps: float) -> Any:
    mean = add_up(x[place] for place in places) / len(places)
    variance = add_up((x[place] - mean) ** 2 for place in places) / len(places)
    return (x[at] - mean) / (variance + eps) ** 0.5


# --- layer norm ------------------------------------------------------------------------------


@op("layer_norm")
def _layer_norm(
    x: Any, weight: Any = None, bias: Any = None, *, normalized_shape: Any, eps: float = 1e-5
) -> Any:
    """(x − μ)/√(σ² + ε) over the last axes of each example, scaled and shifted."""
    hat, _ = _standardised(_rows(x, normalized_shape), eps)
    y = hat.reshape(x.shape).astype(x.dtype, copy=False)
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


def _rows(x: Any, normalized_shape: Shape) -> Any:
    lead = x.shape[: x.ndim - len(normalized_shape)]
    return x.reshape((*lead, math.prod(normalized_shape)))


@_layer_norm.check
def _(x: Any, weight: Any, bias: Any, *, normalized_shape: Any, eps: float) -> dict[str, Any]:
    wanted, shape = sizes("layer_norm", "normalized_shape", normalized_shape), np.shape(x)
    if not wanted or 0 in wanted or shape[len(shape) - len(wanted) :] != wanted:
        raise ShapeError(f"layer_norm: input {shape} must end in normalized_shape {wanted}")
    _check_affine("layer_norm", x, wanted, weight=weight, bias=bias)
    return {"normalized_shape": wanted, "eps": number("layer_norm", "eps", eps, least=0)}


@_layer_norm.vjp
def _(
    g: Any, y: Any, x: Any, weight: Any, bias: Any, *, normalized_shape: Shape, eps: float
) -> tuple[Any, ...]:
    hat, rstd = _standardised(_rows(x, normalized_shape), eps)
    lead = tuple(range(x.ndim - len(normalized_shape)))
    g_hat = g if weight is None else g * weight
    gx = _row_gradient(_rows(g_hat, normalized_shape), hat, rstd).reshape(x.shape)
    g_weight = None if weight is None else (g * hat.reshape(x.shape)).sum(axis=lead)
    return gx, g_weight, None if bias is None else g.sum(axis=lead)


@_layer_norm.definition
def _(at: Shape, x: Any, weight: Any, bias: Any, *, normalized_shape: Shape, eps: float) -> Any:
    split = len(at) - len(normalized_shape)
    lead, inner = at[:split], at[split:]
    places = [(*lead, *p) for p in itertools.product(*map(range, normalized_shape))]
    y = _definition(x, at, places, eps)
    y = y if weight is None else y * weight[inner]
    return y if bias is None else y + bias[inner]


_layer_norm.multiply_adds(lambda out, x, *affine, **o: 4 * math.prod(x))


def layer_norm(
    x: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Any:
    """Standardise over the last axes of each example, then scale and shift each element.

    Args:
        x: (…, *normalized_shape).
        normalized_shape: the sizes of the axes to normalise over (an int for the last one).
        weight, bias: of shape normalized_shape, or None.
        eps: added to the variance, which is the biased one.

    Raises:
        ShapeError: the input does not end in normalized_shape, or weight or bias is not of it.
        DtypeError: not of one floating dtype.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.layer_norm(tg.Tensor([[1.0, 3.0], [5.0, 4.0]]), 2, eps=0).numpy().tolist()
        [[-1.0, 1.0], [1.0, -1.0]]
    """
    return _layer_norm(x, weight, bias, normalized_shape, eps)


# --- group norm ------------------------------------------------------------------------------


@op("group_norm")
def _group_norm(
    x: Any, weight: Any = None, bias: Any = None, *, num_groups: int, eps: float = 1e-5
) -> Any:
    """(x − μ)/√(σ² + ε) over each group of channels of each example, scaled and shifted."""
    hat, _ = _standardised(_groups(x, num_groups), eps)
    y = hat.reshape(x.shape).astype(x.dtype, copy=False)
    y = y if weight is None else y * _per_channel(weight, x.ndim)
    return y if bias is None else y + _per_channel(bias, x.ndim)


def _groups(x: Any, num_groups: int) -> Any:
    return x.reshape((x.shape[0], num_groups, math.prod(x.shape[1:]) // num_groups))


def _per_channel(v: Any, ndim: int) -> Any:
    return v.reshape((1, -1, *(1,) * (ndim - 2)))


@_group_norm.check
def _(x: Any, weight: Any, bias: Any, *, num_groups: int, eps: float) -> dict[str, Any]:
    shape = np.shape(x)
    if len(shape) < 2 or 0 in shape[1:]:
        raise ShapeError(f"group_norm: input must be (N, C, …) with elements, got {shape}")
    groups = integer("group_norm", "num_groups", num_groups, least=1)
    if shape[1] % groups:
        raise OptionError(
            f"group_norm: num_groups={groups} must divide the {shape[1]} channels of input {shape}"
        )
    _check_affine("group_norm", x, shape[1:2], weight=weight, bias=bias)
    return {"num_groups": groups, "eps": number("group_norm", "eps", eps, least=0)}


@_group_norm.vjp
def _(
    g: Any, y: Any, x: Any, weight: Any, bias: Any, *, num_groups: int, eps: float
) -> tuple[Any, ...]:
    hat, rstd = _standardised(_groups(x, num_groups), eps)
    others = (0, *range(2, x.ndim))
    g_hat = g if weight is None else g * _per_channel(weight, x.ndim)
    gx = _row_gradient(_groups(g_hat, num_groups), hat, rstd).reshape(x.shape)
    g_weight = None if weight is None else (g * hat.reshape(x.shape)).sum(axis=others)
    return gx, g_weight, None if bias is None else g.sum(axis=others)


@_group_norm.definition
def _(at: Shape, x: Any, weight: Any, bias: Any, *, num_groups: int, eps: float) -> Any:
    n, c, *_ = at
    size = x.shape[1] // num_groups
    channels = range(c // size * size, c // size * size + size)
    places = [(n, *p) for p in itertools.product(channels, *map(range, x.shape[2:]))]
    y = _definition(x, at, places, eps)
    y = y if weight is None else y * weight[(c,)]
    return y if bias is None else y + bias[(c,)]


_group_norm.multiply_adds(lambda out, x, *affine, **o: 4 * math.prod(x))


def group_norm(
    x: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Any:
    """Standardise each group of channels of each example, then scale and shift each channel.

    Args:
        x: (N, C, …).
        num_groups: into how many groups the C channels are split; 1: all together; C: each apart.
        weight, bias: (C,) each, or None.
        eps: added to the variance, which is the biased one.

    Raises:
        OptionError: num_groups does not divide C.
        ShapeError: x is not (N, C, …), or weight or bias is not (C,).
        DtypeError: not of one floating dtype.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.group_norm(tg.Tensor([[1.0, 3.0, 5.0, 4.0]]), 2, eps=0).numpy().tolist()
        [[-1.0, 1.0, 1.0, -1.0]]
    """
    return _group_norm(x, weight, bias, num_groups, eps)
