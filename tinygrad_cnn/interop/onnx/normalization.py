"""Normalisation by statistics of the batch, the example, the channel or its neighbours."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...errors import ShapeError
from ...ops.elementwise import absolute, sqrt, where
from ...ops.layer_norms import group_norm, instance_norm, layer_norm, rms_norm
from ...ops.moving import flip
from ...ops.normalization import batch_norm_eval, batch_norm_train
from ...ops.reduce import mean
from ...ops.reduce import sum as total
from ...ops.response_norm import local_response_norm
from ...ops.shape import reshape
from ...ops.statistics import norm, var
from .table import cast, dtype_of, onnx_op, shape_of
from .without_gradient import equal


@onnx_op("BatchNormalization")
def _(
    x: Any,
    scale: Any,
    bias: Any,
    running_mean: Any,
    running_var: Any,
    *,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    training_mode: int = 0,
    outputs: int = 1,
) -> Any:
    dtype = dtype_of(x)
    scale, bias = cast(scale, dtype), cast(bias, dtype)
    if not training_mode:
        return batch_norm_eval(
            x, cast(running_mean, dtype), cast(running_var, dtype), scale, bias, epsilon
        )
    y, batch_mean, batch_var = batch_norm_train(x, scale, bias, epsilon)
    if outputs == 1:
        return y
    kept = dtype_of(running_mean)
    return (
        y,
        running_mean * momentum + cast(batch_mean, kept) * (1 - momentum),
        running_var * momentum + cast(batch_var, kept) * (1 - momentum),
    )


@onnx_op("InstanceNormalization")
def _(x: Any, scale: Any, bias: Any, *, epsilon: float = 1e-5) -> Any:
    shape = shape_of(x)
    if math.prod(shape[2:]) > 1:
        return instance_norm(x, weight=scale, bias=bias, eps=epsilon)
    return group_norm(x, shape[1], scale, bias, epsilon)  # of one value, which is its own mean


@onnx_op("LayerNormalization")
def _(
    x: Any,
    scale: Any,
    bias: Any = None,
    *,
    axis: int = -1,
    epsilon: float = 1e-5,
    stash_type: int = 1,
    outputs: int = 1,
) -> Any:
    ndim = len(shape_of(x))
    first = axis % ndim if ndim else 0
    sizes = shape_of(x)[first:]
    scale_fits = shape_of(scale) == sizes
    if scale_fits and (bias is None or shape_of(bias) == sizes):
        y = layer_norm(x, sizes, scale, bias, epsilon)
    else:  # they broadcast
        y = layer_norm(x, sizes, eps=epsilon) * scale
        y = y if bias is None else y + bias
    if outputs == 1:
        return y
    axes = tuple(range(first, ndim))
    deviation = sqrt(var(x, axes, keepdims=True) + epsilon)
    return (y, mean(x, axes, keepdims=True), 1 / deviation)[:outputs]


@onnx_op("RMSNormalization", since=23)
def _(x: Any, scale: Any, *, axis: int = -1, epsilon: float = 1e-5, stash_type: int = 1) -> Any:
    sizes = shape_of(x)[axis % len(shape_of(x)) :]
    if shape_of(scale) == sizes:
        return rms_norm(x, sizes, scale, epsilon)
    return rms_norm(x, sizes, eps=epsilon) * scale  # it broadcasts


@onnx_op("GroupNormalization", since=18)
def _(
    x: Any, scale: Any, bias: Any, *, num_groups: int, epsilon: float = 1e-5, stash_type: int = 1
) -> Any:
    """With a scale and a bias for each group, as opset 18 had it."""
    n, c, *sizes = shape_of(x)
    if num_groups < 1 or c % num_groups:
        raise ShapeError(f"GroupNormalization: num_groups={num_groups} must divide {c} channels")
    y = reshape(group_norm(x, num_groups, eps=epsilon), (n, num_groups, -1))
    return reshape(y * reshape(scale, (-1, 1)) + reshape(bias, (-1, 1)), (n, c, *sizes))


@onnx_op("GroupNormalization", since=21)
def _(
    x: Any, scale: Any, bias: Any, *, num_groups: int, epsilon: float = 1e-5, stash_type: int = 1
) -> Any:
    return group_norm(x, num_groups, scale, bias, epsilon)


@onnx_op("LRN")
def _(x: Any, *, size: int, alpha: float = 0.0001, beta: float = 0.75, bias: float = 1.0) -> Any:
    """Of an even number of channels ONNX has the odd one behind, our op before."""
    if size % 2:
        return local_response_norm(x, size, alpha, beta, bias)
    return flip(local_response_norm(flip(x, 1), size, alpha, beta, bias), 1)


@onnx_op("MeanVarianceNormalization")
def _(x: Any, *, axes: tuple[int, ...] = (0, 2, 3)) -> Any:
    centred = x - mean(x, tuple(axes), keepdims=True)
    return centred / (sqrt(mean(centred * centred, tuple(axes), keepdims=True)) + 1e-9)


@onnx_op("LpNormalization")
def _(x: Any, *, axis: int = -1, p: int = 2) -> Any:
    length = total(absolute(x), axis, keepdims=True) if p == 1 else norm(x, axis, keepdims=True)
    return x / where(equal(length, 0), np.array(1, dtype_of(x)), length)
