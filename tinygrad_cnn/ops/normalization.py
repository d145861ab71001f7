"""Batch normalisation (Ioffe & Szegedy 2015).

In training each channel is normalised by the mean and variance over the batch and all positions,
m·p·q elements for m images of p × q; in evaluation by given statistics.

    x̂ = (x − μ) / √(σ² + ε),     y = γ x̂ + β
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..engine.definition import add_up, places
from ..engine.op import Shape, constant, op
from ..engine.tensor import Tensor
from ..errors import DtypeError, OptionError, ShapeError
from ..kernels.windows import arithmetic
from .options import flag, need_floating, number


def channels(v: Any, ndim: int) -> Any:
    """(C,) as (1, C, 1, …), to go with an input of `ndim` axes."""
    return v.reshape((1, -1, *(1,) * (ndim - 2)))


def _others(x: Any) -> tuple[int, ...]:
    return (0, *range(2, x.ndim))


def normalised_element(
    x: Any, at: Shape, cells: list[Shape], eps: float, weight: Any, bias: Any, which: Shape
) -> Any:
    """The definition of all norms: (x − μ)/√(σ² + ε) · γ + β at one place.

    μ and σ² are those of the elements at `cells`; `which` says where γ and β are read.
    """
    mean = add_up(x[cell] for cell in cells) / len(cells)
    variance = add_up((x[cell] - mean) ** 2 for cell in cells) / len(cells)
    y = (x[at] - mean) / (variance + eps) ** 0.5
    y = y if weight is None else y * weight[which]
    return y if bias is None else y + bias[which]


def _check_rank(name: str, shape: Shape) -> None:
    if len(shape) < 2:
        raise ShapeError(f"{name}: input must be (N, C) or (N, C, …), got {shape}")


def _check(name: str, x: Any, eps: float, **per_channel: Any) -> dict[str, Any]:
    shape = np.shape(x)
    _check_rank(name, shape)
    need_floating(name, x)
    dtype = np.asarray(x).dtype
    for which, v in per_channel.items():
        if v is None:
            continue
        if np.shape(v) != (shape[1],):
            raise ShapeError(
                f"{name}: {which} must have shape ({shape[1]},), one for each channel of input "
                f"{shape}, got {np.shape(v)}"
            )
        if np.asarray(v).dtype != dtype:
            raise DtypeError(
                f"{name}: input is {dtype}, {which} {np.asarray(v).dtype}; cast with .astype"
            )
    return {"eps": number(name, "eps", eps, least=0)}


@op
def batch_norm_train(x: Any, weight: Any = None, bias: Any = None, *, eps: float = 1e-5) -> Any:
    """Normalise each channel by the batch's own statistics.

    Args:
        x: (N, C) or (N, C, …).
        weight, bias: γ and β, (C,) each, or None.
        eps: added to the variance.

    Returns:
        (y, mean, variance): y like x; the statistics (C,) each, the variance biased (÷ m·p·q).

    Raises:
        ShapeError: one value per channel, or weight or bias is not (C,).
        DtypeError: not of one floating dtype.

    Example:
        >>> import tinygrad_cnn as tg
        >>> y, mean, var = tg.batch_norm_train(tg.Tensor([[1.0], [3.0]]), eps=0)
        >>> y.numpy().tolist(), mean.item(), var.item()
        ([[-1.0], [1.0]], 2.0, 1.0)
    """
    flat, m = x.reshape(*x.shape[:2], -1), x.size // x.shape[1]
    wide = arithmetic(x.dtype)
    mean = np.add.reduce(flat, axis=(0, 2), dtype=wide) / m
    y = flat - mean[:, None]
    var = np.add.reduce(np.vecdot(y, y), axis=0) / m
    scale = (var + eps) ** -0.5
    y *= (scale if weight is None else scale * weight)[:, None]
    if bias is not None:
        y += bias[:, None]
    if x.dtype.itemsize < wide.itemsize:
        y, mean, var = (a.astype(x.dtype) for a in (y, mean, var))
    return y.reshape(x.shape), mean, var


@batch_norm_train.check_shapes
def _(x: Any, weight: Any, bias: Any, *, eps: float) -> dict[str, Any]:
    options = _check("batch_norm", x, eps, weight=weight, bias=bias)
    shape = np.shape(x)
    if math.prod(shape) // max(shape[1], 1) < 2:
        raise ShapeError(
            f"batch_norm: training needs more than one value per channel, got input {shape}; "
            "use a larger batch, or eval mode"
        )
    return options


@batch_norm_train.vjp
def _(g: Any, y: Any, x: Any, weight: Any, bias: Any, *, eps: float) -> tuple[Any, ...]:
    g_y, g_mean, g_var = g
    _, mean, var = y
    axes, m, per_channel = _others(x), x.size // x.shape[1], (1, -1, *(1,) * (x.ndim - 2))
    if x.dtype == np.float16:
        x = x.astype(np.float32)
    centred = x - mean.reshape(per_channel)
    gx = g_weight = g_bias = None
    if g_mean is not None:
        gx = (g_mean / m).reshape(per_channel) + 0 * x
    if g_var is not None:
        part = centred * (g_var * (2 / m)).reshape(per_channel)
        gx = part if gx is None else gx + part
    if g_y is not None:
        # μ and σ² depend on every x: two more terms beside the direct one
        rstd = (var + eps) ** -0.5
        g_bias = g_y.sum(axis=axes)
        g_weight = (g_y * centred).sum(axis=axes) * rstd
        part = g_y - centred * (rstd * g_weight / m).reshape(per_channel)
        part -= (g_bias / m).reshape(per_channel)  # in place: ours alone
        part *= (rstd if weight is None else rstd * weight).reshape(per_channel)
        gx = part if gx is None else gx + part
    return gx, None if weight is None else g_weight, None if bias is None else g_bias


@batch_norm_train.definition
def _(at: Shape, x: Any, weight: Any, bias: Any, *, eps: float) -> Any:
    c = at[1]
    n, _, *sizes = x.shape
    cells = [(i, c, *p) for i in range(n) for p in places(tuple(sizes))]
    return normalised_element(x, at, cells, eps, weight, bias, (c,))


@batch_norm_train.multiply_adds
def _(out: Shape, x: Shape, weight: Any, bias: Any, **o: Any) -> int:
    return 4 * math.prod(x)


@op
def batch_norm_eval(
    x: Any, mean: Any, var: Any, weight: Any = None, bias: Any = None, *, eps: float = 1e-5
) -> Any:
    """Normalise each channel by given statistics, all examples in the same way.

    Args:
        x: (N, C) or (N, C, …).
        mean, var: the statistics, (C,) each.
        weight, bias: γ and β, (C,) each, or None.
        eps: added to the variance.

    Raises:
        ShapeError, DtypeError: statistics, weight or bias are not (C,), or not of x's dtype.

    Example:
        >>> import tinygrad_cnn as tg
        >>> x, mean, var = tg.Tensor([[1.0], [3.0]]), tg.Tensor([1.0]), tg.Tensor([4.0])
        >>> tg.batch_norm_eval(x, mean, var, eps=0).numpy().tolist()
        [[0.0], [1.0]]
    """
    scale = 1 / np.sqrt(var + eps)
    scale = scale if weight is None else scale * weight
    shift = -mean * scale if bias is None else bias - mean * scale
    y = x * channels(scale.astype(x.dtype, copy=False), x.ndim)
    y += channels(shift.astype(x.dtype, copy=False), x.ndim)
    return y


@batch_norm_eval.check_shapes
def _(x: Any, mean: Any, var: Any, weight: Any, bias: Any, *, eps: float) -> dict[str, Any]:
    return _check(
        "batch_norm", x, eps, running_mean=mean, running_var=var, weight=weight, bias=bias
    )


@batch_norm_eval.vjp
def _(
    g: Any, y: Any, x: Any, mean: Any, var: Any, weight: Any, bias: Any, *, eps: float
) -> tuple[Any, ...]:
    axes = _others(x)
    rstd = (var + eps) ** -0.5
    scale = rstd if weight is None else rstd * weight
    g_sum = g.sum(axis=axes)
    g_hat = (g * (x - channels(mean, x.ndim))).sum(axis=axes) * rstd  # Σ g·x̂
    return (
        g * channels(scale, x.ndim),
        -g_sum * scale,
        -0.5 * g_hat * scale * rstd,
        None if weight is None else g_hat,
        None if bias is None else g_sum,
    )


@batch_norm_eval.definition
def _(at: Shape, x: Any, mean: Any, var: Any, weight: Any, bias: Any, *, eps: float) -> Any:
    c = (at[1],)
    y = (x[at] - mean[c]) / (var[c] + eps) ** 0.5
    y = y if weight is None else y * weight[c]
    return y if bias is None else y + bias[c]


@batch_norm_eval.multiply_adds
def _(out: Shape, x: Shape, *others: Any, **o: Any) -> int:
    return math.prod(x)


def batch_norm(
    x: Any,
    running_mean: Any = None,
    running_var: Any = None,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
    decay: float | None = None,
) -> Any:
    """Batch normalisation as a layer applies it, with its running statistics.

    In training the batch's own statistics normalise, and the running ones, if given, are updated
    in place: running ← (1−momentum)·running + momentum·batch. The course writes this as
    running ← decay·running + (1−decay)·batch; give `decay` instead of `momentum` for that.
    The running variance takes the unbiased estimate, as PyTorch's does. Otherwise the running
    statistics normalise.

    Args:
        x: (N, C) or (N, C, …).
        running_mean, running_var: Tensors or arrays (C,).
        weight, bias: γ and β, (C,) each, or None.
        training: which statistics to use.

    Returns:
        y, like x.

    Raises:
        OptionError: evaluation without running statistics, or momentum out of 0 … 1.

    Example:
        >>> import numpy as np, tinygrad_cnn as tg
        >>> running = np.zeros(1), np.ones(1)
        >>> tg.batch_norm(np.array([[1.0], [3.0]]), *running, training=True, eps=0).tolist()
        [[-1.0], [1.0]]
        >>> float(running[0][0]), round(float(running[1][0]), 4)
        (0.2, 1.1)
    """
    if not flag("batch_norm", "training", training):
        if running_mean is None or running_var is None:
            raise OptionError("batch_norm: evaluation needs running_mean and running_var")
        return batch_norm_eval(x, running_mean, running_var, weight, bias, eps=eps)
    if decay is not None:
        momentum = 1 - number("batch_norm", "decay", decay, least=0, most=1)
    momentum = number("batch_norm", "momentum", momentum, least=0, most=1)
    if running_mean is None and running_var is None:
        return batch_norm_train(x, weight, bias, eps=eps)[0]
    shape = np.shape(constant(x))
    _check_rank("batch_norm", shape)
    for which, running in (("running_mean", running_mean), ("running_var", running_var)):
        check_running("batch_norm", which, running, shape)
    y, mean, var = batch_norm_train(x, weight, bias, eps=eps)
    count = math.prod(shape) // shape[1]
    update_running(running_mean, constant(mean), momentum)
    if running_var is not None:
        update_running(running_var, constant(var) * (count / (count - 1)), momentum)
    return y


def check_running(name: str, which: str, running: Any, shape: Shape) -> None:
    """Refuse running statistics that could not be updated, before any of them is."""
    if running is None:
        return
    if not isinstance(running, Tensor | np.ndarray) or running.dtype.kind != "f":
        got = getattr(running, "dtype", type(running).__name__)
        raise DtypeError(
            f"{name}: {which} must be a floating Tensor or array, to be updated in place, got {got}"
        )
    if running.shape != shape[1:2]:
        raise ShapeError(
            f"{name}: {which} must have shape {shape[1:2]}, one for each channel of input "
            f"{shape}, got {running.shape}"
        )


def update_running(running: Any, batch: Any, momentum: float) -> None:
    """running ← (1−momentum)·running + momentum·batch, in place."""
    if running is None:
        return
    mixed = (1 - momentum) * constant(running) + momentum * batch
    if isinstance(running, np.ndarray):
        running[...] = mixed
    else:
        running.data = mixed
