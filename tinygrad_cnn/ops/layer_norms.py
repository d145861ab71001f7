"""Normalisation within one example: layer, group, instance and RMS norm.

Layer norm (Ba et al. 2016) and group norm (Wu & He 2018) standardise rows: of the last axes, or of
a group of channels with all their positions; instance norm takes groups of one channel, and RMS
norm leaves the mean alone. Then each element is scaled and shifted. Nothing depends on the rest of
the batch, so training and evaluation are the same.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..engine.definition import add_up, places
from ..engine.op import Shape, constant, op
from ..errors import DtypeError, OptionError, ShapeError
from .normalization import (
    batch_norm_eval,
    channels,
    check_running,
    normalised_element,
    update_running,
)
from .options import flag, integer, need_floating, number, sizes


def _standardised(rows: Any, eps: float) -> tuple[Any, Any]:
    """x̂ = (x − μ)/√(σ² + ε) along the last axis, and 1/√(σ² + ε); on arrays and on Tensors."""
    if rows.dtype == np.float16:  # its squares overflow from 256 on
        rows = rows.astype(np.float32)
    centred = rows - rows.mean(axis=-1, keepdims=True)
    rstd = ((centred * centred).mean(axis=-1, keepdims=True) + eps) ** -0.5
    return centred * rstd, rstd


def _normalised(x: Any, rows: Any, weight: Any, bias: Any, eps: float) -> Any:
    """γ·x̂ + β. `rows` makes of x the rows to standardise; weight and bias broadcast to x."""
    hat, _ = _standardised(rows(x), eps)
    y = hat.reshape(x.shape).astype(x.dtype, copy=False)
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


def _gradients(
    g: Any, x: Any, rows: Any, weight: Any, bias: Any, shared: tuple[int, ...], eps: float
) -> tuple[Any, ...]:
    """The gradients at x, weight and bias. Along the axes `shared`, weight and bias are the same.

    Each x moves its own x̂ directly, and all x̂ of its row through the mean and the variance.
    """
    hat, rstd = _standardised(rows(x), eps)
    g_hat = rows(g if weight is None else g * weight)
    along = g_hat.mean(axis=-1, keepdims=True)
    across = (g_hat * hat).mean(axis=-1, keepdims=True)
    gx = ((g_hat - along - hat * across) * rstd).reshape(x.shape)
    g_weight = None if weight is None else (g * hat.reshape(x.shape)).sum(axis=shared)
    return gx, g_weight, None if bias is None else g.sum(axis=shared)


def _check_affine(name: str, x: Any, shape: Shape, **affine: Any) -> None:
    need_floating(name, x)
    dtype = np.asarray(x).dtype
    for which, v in affine.items():
        if v is not None and np.shape(v) != shape:
            raise ShapeError(f"{name}: {which} must have shape {shape}, got {np.shape(v)}")
        if v is not None and np.asarray(v).dtype != dtype:
            raise DtypeError(
                f"{name}: input is {dtype}, {which} {np.asarray(v).dtype}; cast with .astype"
            )


# --- layer norm ------------------------------------------------------------------------------


@op("layer_norm")
def _layer_norm(
    x: Any, weight: Any = None, bias: Any = None, *, normalized_shape: Any, eps: float = 1e-5
) -> Any:
    """(x − μ)/√(σ² + ε) over the last axes of each example, scaled and shifted."""
    return _normalised(x, _rows(normalized_shape), weight, bias, eps)


def _rows(normalized_shape: Shape) -> Any:
    """A function that makes one axis, the rows to standardise, of the last axes."""
    d, size = len(normalized_shape), math.prod(normalized_shape)
    return lambda x: x.reshape((*x.shape[: x.ndim - d], size))


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
    lead = tuple(range(x.ndim - len(normalized_shape)))
    return _gradients(g, x, _rows(normalized_shape), weight, bias, lead, eps)


@_layer_norm.definition
def _(at: Shape, x: Any, weight: Any, bias: Any, *, normalized_shape: Shape, eps: float) -> Any:
    split = len(at) - len(normalized_shape)
    lead, inner = at[:split], at[split:]
    cells = [(*lead, *p) for p in places(normalized_shape)]
    return normalised_element(x, at, cells, eps, weight, bias, inner)


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
    weight, bias = _per_channel(weight, x.ndim), _per_channel(bias, x.ndim)
    return _normalised(x, _groups(num_groups), weight, bias, eps)


def _groups(num_groups: int) -> Any:
    """A function that makes one axis of each group of channels with all its positions."""
    return lambda x: x.reshape((x.shape[0], num_groups, math.prod(x.shape[1:]) // num_groups))


def _per_channel(v: Any, ndim: int) -> Any:
    return None if v is None else channels(v, ndim)


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
    weight, others = _per_channel(weight, x.ndim), (0, *range(2, x.ndim))
    return _gradients(g, x, _groups(num_groups), weight, bias, others, eps)


@_group_norm.definition
def _(at: Shape, x: Any, weight: Any, bias: Any, *, num_groups: int, eps: float) -> Any:
    n, c, *_ = at
    size = x.shape[1] // num_groups
    group = range(c // size * size, c // size * size + size)
    cells = [(n, channel, *p) for channel in group for p in places(x.shape[2:])]
    return normalised_element(x, at, cells, eps, weight, bias, (c,))


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


# --- instance norm ---------------------------------------------------------------------------


@op("instance_norm")
def _instance_norm(x: Any, weight: Any = None, bias: Any = None, *, eps: float = 1e-5) -> Any:
    """(x − μ)/√(σ² + ε) over each channel of each example: groups of one channel."""
    return _group_norm.forward(x, weight, bias, num_groups=x.shape[1], eps=eps)


@_instance_norm.check
def _(x: Any, weight: Any, bias: Any, *, eps: float) -> dict[str, Any]:
    shape = np.shape(x)
    if len(shape) < 3 or shape[1] == 0 or math.prod(shape[2:]) < 2:
        raise ShapeError(
            f"instance_norm: input must be (N, C, …) with more than one value per channel of each "
            f"example, got {shape}"
        )
    _check_affine("instance_norm", x, shape[1:2], weight=weight, bias=bias)
    return {"eps": number("instance_norm", "eps", eps, least=0)}


@_instance_norm.vjp
def _(g: Any, y: Any, x: Any, weight: Any, bias: Any, *, eps: float) -> Any:
    (through_groups,) = _group_norm.vjps
    return through_groups(g, y, x, weight, bias, num_groups=x.shape[1], eps=eps)


@_instance_norm.definition
def _(at: Shape, x: Any, weight: Any, bias: Any, *, eps: float) -> Any:
    return _group_norm.define(at, [x, weight, bias], {"num_groups": x.shape[1], "eps": eps})


_instance_norm.multiply_adds(lambda out, x, *affine, **o: 4 * math.prod(x))


def instance_norm(
    x: Any,
    running_mean: Any = None,
    running_var: Any = None,
    weight: Any = None,
    bias: Any = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:
    """Standardise each channel of each example, then scale and shift it (Ulyanov et al. 2016).

    Args:
        x: (N, C, …).
        running_mean, running_var: Tensors or arrays (C,), or None. Where the input's own statistics
            are used, these are updated in place, with the mean over the examples of each
            example's mean and unbiased variance: running ← (1−momentum)·running + momentum·mean.
        weight, bias: (C,), or None.
        use_input_stats: whether to standardise with the input's statistics; else with the running
            ones.
        eps: added to the variance, which is the biased one.

    Raises:
        ShapeError: one value per channel, or statistics, weight or bias that are not (C,).
        DtypeError: not of one floating dtype.
        OptionError: no running statistics to use; momentum out of 0 … 1.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.instance_norm(tg.Tensor([[[1.0, 3.0], [5.0, 4.0]]]), eps=0).numpy().tolist()
        [[[-1.0, 1.0], [1.0, -1.0]]]
    """
    if not flag("instance_norm", "use_input_stats", use_input_stats):
        if running_mean is None or running_var is None:
            raise OptionError(
                "instance_norm: use_input_stats=False needs running_mean and running_var"
            )
        return batch_norm_eval(x, running_mean, running_var, weight, bias, eps=eps)
    momentum = number("instance_norm", "momentum", momentum, least=0, most=1)
    values = np.asarray(constant(x))
    for which, running in (("running_mean", running_mean), ("running_var", running_var)):
        check_running("instance_norm", which, running, values.shape)
    y = _instance_norm(x, weight, bias, eps)
    axes = tuple(range(2, values.ndim))
    if running_mean is not None:
        update_running(running_mean, values.mean(axis=axes).mean(axis=0), momentum)
    if running_var is not None:
        update_running(running_var, values.var(axis=axes, ddof=1).mean(axis=0), momentum)
    return y


# --- RMS norm --------------------------------------------------------------------------------


@op("rms_norm")
def _rms_norm(x: Any, weight: Any = None, *, normalized_shape: Any, eps: float | None) -> Any:
    """x/√(mean x² + ε) over the last axes of each example, scaled."""
    hat, _ = _by_rms(_rows(normalized_shape)(x), eps)
    y = hat.reshape(x.shape).astype(x.dtype, copy=False)
    return y if weight is None else y * weight


def _by_rms(rows: Any, eps: Any) -> tuple[Any, Any]:
    """x̂ = x/√(mean x² + ε) along the last axis, and 1/√(mean x² + ε)."""
    if rows.dtype == np.float16:  # whose squares overflow from 256 on
        rows = rows.astype(np.float32)
    scale = ((rows * rows).mean(axis=-1, keepdims=True) + eps) ** -0.5
    return rows * scale, scale


@_rms_norm.check
def _(x: Any, weight: Any, *, normalized_shape: Any, eps: float | None) -> dict[str, Any]:
    wanted, shape = sizes("rms_norm", "normalized_shape", normalized_shape), np.shape(x)
    if not wanted or 0 in wanted or shape[len(shape) - len(wanted) :] != wanted:
        raise ShapeError(f"rms_norm: input {shape} must end in normalized_shape {wanted}")
    _check_affine("rms_norm", x, wanted, weight=weight)
    if eps is None:
        eps = float(np.finfo(np.asarray(x).dtype).eps)
    return {"normalized_shape": wanted, "eps": number("rms_norm", "eps", eps, least=0)}


@_rms_norm.vjp
def _(g: Any, y: Any, x: Any, weight: Any, *, normalized_shape: Shape, eps: float) -> Any:
    hat, scale = _by_rms(_rows(normalized_shape)(x), eps)
    g_hat = _rows(normalized_shape)(g if weight is None else g * weight)
    across = (g_hat * hat).mean(axis=-1, keepdims=True)
    gx = ((g_hat - hat * across) * scale).reshape(x.shape)
    lead = tuple(range(x.ndim - len(normalized_shape)))
    return gx, None if weight is None else (g * hat.reshape(x.shape)).sum(axis=lead)


@_rms_norm.definition
def _(at: Shape, x: Any, weight: Any, *, normalized_shape: Shape, eps: float) -> Any:
    split = len(at) - len(normalized_shape)
    lead, inner = at[:split], at[split:]
    cells = [(*lead, *p) for p in places(normalized_shape)]
    y = x[at] / (add_up(x[cell] ** 2 for cell in cells) / len(cells) + eps) ** 0.5
    return y if weight is None else y * weight[inner]


_rms_norm.multiply_adds(lambda out, x, *affine, **o: 3 * math.prod(x))


def rms_norm(x: Any, normalized_shape: Any, weight: Any = None, eps: float | None = None) -> Any:
    """Divide by the root of the mean square over the last axes, then scale (Zhang & Sennrich 2019).

    Args:
        x: (…, *normalized_shape).
        normalized_shape: the sizes of the axes to normalise over (an int for the last one).
        weight: of shape normalized_shape, or None.
        eps: added to the mean square; the dtype's smallest step from 1 if None.

    Raises:
        ShapeError: the input does not end in normalized_shape, or weight is not of it.
        DtypeError: not of one floating dtype.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.rms_norm(tg.Tensor([[1.0, -1.0], [0.0, 0.0]]), 2).numpy().round(4).tolist()
        [[1.0, -1.0], [0.0, 0.0]]
    """
    return _rms_norm(x, weight, normalized_shape, eps)
