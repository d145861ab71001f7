"""Calls that layers make: convolution, pooling, normalisation, dropout, attention, resizing."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import ops
from ...nn.module import Module
from ...ops.windows import per_axis
from ..program import Imported
from .table import ATEN, aten, cast, dtype_of, numbers_of, plain

# --- convolution -------------------------------------------------------------------------------

_CONVOLUTIONS = {1: ops.conv1d, 2: ops.conv2d, 3: ops.conv3d}
_TRANSPOSED = {1: ops.conv_transpose1d, 2: ops.conv_transpose2d, 3: ops.conv_transpose3d}


for _axes in (1, 2, 3):

    @aten(f"conv{_axes}d", f"conv{_axes}d.padding")
    def _(
        x: Any,
        weight: Any,
        bias: Any = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        *,
        axes: int = _axes,
    ) -> Any:
        if isinstance(padding, bytes):
            padding = padding.decode()
        around = padding if isinstance(padding, str) else _each(padding, axes)
        return _CONVOLUTIONS[axes](
            x, weight, bias, _each(stride, axes), around, _each(dilation, axes), groups
        )

    @aten(f"conv_transpose{_axes}d", f"conv_transpose{_axes}d.input")
    def _(
        x: Any,
        weight: Any,
        bias: Any = None,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        dilation: Any = 1,
        *,
        axes: int = _axes,
    ) -> Any:
        sizes = [_each(s, axes) for s in (stride, padding, output_padding)]
        return _TRANSPOSED[axes](x, weight, bias, *sizes, groups, _each(dilation, axes))


def _each(sizes: Any, axes: int) -> tuple[int, ...]:
    found = numbers_of(sizes)
    return found * axes if len(found) == 1 else found


@aten("convolution", "_convolution")
def _(
    x: Any,
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    output_padding: Any,
    groups: int,
    *_: Any,
) -> Any:
    axes = weight.ndim - 2
    if transposed:
        options = stride, padding, output_padding, groups, dilation
        return ATEN[f"conv_transpose{axes}d.default"](x, weight, bias, *options)
    return ATEN[f"conv{axes}d.default"](x, weight, bias, stride, padding, dilation, groups)


# --- pooling -----------------------------------------------------------------------------------

_MAX = {1: ops.max_pool1d, 2: ops.max_pool2d, 3: ops.max_pool3d}
_AVERAGE = {1: ops.avg_pool1d, 2: ops.avg_pool2d, 3: ops.avg_pool3d}
_ADAPTIVE_MAX = {1: ops.adaptive_max_pool1d, 2: ops.adaptive_max_pool2d, 3: ops.adaptive_max_pool3d}
_ADAPTIVE_AVERAGE = {
    1: ops.adaptive_avg_pool1d,
    2: ops.adaptive_avg_pool2d,
    3: ops.adaptive_avg_pool3d,
}

for _axes in (1, 2, 3):

    @aten(f"max_pool{_axes}d")
    def _(
        x: Any,
        kernel_size: Any,
        stride: Any = (),
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        *,
        axes: int = _axes,
    ) -> Any:
        sizes = [_each(s, axes) for s in (stride or kernel_size, padding, dilation)]
        return _MAX[axes](x, _each(kernel_size, axes), *sizes, ceil_mode)

    @aten(f"max_pool{_axes}d_with_indices")
    def _(x: Any, *args: Any, name: str = f"max_pool{_axes}d.default") -> Any:
        return ATEN[name](x, *args), None

    @aten(f"avg_pool{_axes}d")
    def _(
        x: Any,
        kernel_size: Any,
        stride: Any = (),
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
        *,
        axes: int = _axes,
    ) -> Any:
        sizes = [_each(s, axes) for s in (kernel_size, stride or kernel_size, padding)]
        return _AVERAGE[axes](x, *sizes, ceil_mode, count_include_pad, divisor_override)

    @aten(f"adaptive_avg_pool{_axes}d", f"_adaptive_avg_pool{_axes}d")
    def _(x: Any, output_size: Any, *, axes: int = _axes) -> Any:
        return _ADAPTIVE_AVERAGE[axes](x, _output(axes, output_size))

    @aten(f"adaptive_max_pool{_axes}d")
    def _(x: Any, output_size: Any, *, axes: int = _axes) -> Any:
        return _ADAPTIVE_MAX[axes](x, _output(axes, output_size)), None


def _output(axes: int, output_size: Any) -> Any:
    sizes = _each(output_size, axes)
    return sizes[0] if len(sizes) == 1 else sizes


# --- normalisation -----------------------------------------------------------------------------


@aten("batch_norm", stateful=True)
def _(
    network: Imported,
    module: Module,
    x: Any,
    weight: Any,
    bias: Any,
    running_mean: Any,
    running_var: Any,
    training: Any,
    momentum: float,
    eps: float,
    *_: Any,
) -> Any:
    if training and running_mean is not None:
        counted = getattr(module, "num_batches_tracked", None)
        if counted is not None:
            counted.data = counted.data + 1
    return ops.batch_norm(x, running_mean, running_var, weight, bias, training, momentum, eps)


@aten("instance_norm")
def _(
    x: Any,
    weight: Any,
    bias: Any,
    running_mean: Any,
    running_var: Any,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    *_: Any,
) -> Any:
    return ops.instance_norm(
        x, running_mean, running_var, weight, bias, use_input_stats, momentum, eps
    )


@aten("layer_norm")
def _(
    x: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5, *_: Any
) -> Any:
    return ops.layer_norm(x, numbers_of(normalized_shape), weight, bias, eps)


@aten("native_layer_norm")
def _(x: Any, normalized_shape: Any, weight: Any, bias: Any, eps: float) -> Any:
    return ops.layer_norm(x, numbers_of(normalized_shape), weight, bias, eps), None, None


@aten("rms_norm")
def _(x: Any, normalized_shape: Any, weight: Any = None, eps: float | None = None) -> Any:
    least = float(np.finfo(dtype_of(x)).eps) if eps is None else eps
    return ops.rms_norm(x, numbers_of(normalized_shape), weight, least)


@aten("group_norm")
def _(
    x: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5, *_: Any
) -> Any:
    return ops.group_norm(x, num_groups, weight, bias, eps)


@aten("softmax.int", "_softmax", "special_softmax")
def _(x: Any, dim: int, dtype: Any = None) -> Any:
    return ops.softmax(x if dtype in (None, False, True) else cast(x, dtype), dim)


@aten("log_softmax.int", "_log_softmax", "special_log_softmax")
def _(x: Any, dim: int, dtype: Any = None) -> Any:
    return ops.log_softmax(x if dtype in (None, False, True) else cast(x, dtype), dim)


# --- dropout, embedding, attention -------------------------------------------------------------


@aten("dropout", "feature_dropout", "alpha_dropout")
def _(x: Any, p: float, train: Any) -> Any:
    return ops.dropout(x, p, bool(train))


@aten("embedding")
def _(weight: Any, indices: Any, *_: Any) -> Any:
    return ops.embedding(plain(indices), weight)


@aten("scaled_dot_product_attention")
def _(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    if enable_gqa:
        times = query.shape[-3] // key.shape[-3]
        key, value = (ops.repeat(x, times, x.ndim - 3) for x in (key, value))
    if attn_mask is not None and dtype_of(attn_mask).kind == "b":
        attn_mask = plain(attn_mask)
    return ops.scaled_dot_product_attention(
        query, key, value, attn_mask, dropout_p, is_causal, scale
    )


# --- resizing ----------------------------------------------------------------------------------

_MODES = {
    "nearest1d": "nearest",
    "nearest2d": "nearest",
    "nearest3d": "nearest",
    "linear1d": "linear",
    "bilinear2d": "bilinear",
    "trilinear3d": "trilinear",
    "bicubic2d": "bicubic",
}
for _call, _mode in _MODES.items():

    @aten(f"upsample_{_call}.vec", f"upsample_{_call}")
    def _(x: Any, output_size: Any, *args: Any, mode: str = _mode) -> Any:
        corners = None
        if mode != "nearest":
            corners, args = bool(args[0]), args[1:]
        factors = next((a for a in args if a is not None), None)
        if isinstance(factors, list | tuple):
            factors = tuple(float(f) for f in factors)
        elif factors is not None:
            factors = tuple(float(a) for a in args if a is not None)
        if output_size is not None:
            return ops.interpolate(
                x, size=numbers_of(output_size), mode=mode, align_corners=corners
            )
        return ops.interpolate(x, scale_factor=factors, mode=mode, align_corners=corners)


@aten("pixel_shuffle")
def _(x: Any, upscale_factor: int) -> Any:
    return ops.pixel_shuffle(x, upscale_factor)


@aten("pixel_unshuffle")
def _(x: Any, downscale_factor: int) -> Any:
    return ops.pixel_unshuffle(x, downscale_factor)


@aten("channel_shuffle")
def _(x: Any, groups: int) -> Any:
    n, c, *size = x.shape
    split = ops.reshape(x, (n, groups, c // groups, *size))
    return ops.reshape(ops.moveaxis(split, 1, 2), x.shape)


@aten("im2col")
def _(x: Any, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> Any:
    return ops.unfold(
        x, *[per_axis(s, 2, "im2col", "size", 0) for s in (kernel_size, dilation, padding, stride)]
    )


@aten("col2im")
def _(x: Any, output_size: Any, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> Any:
    sizes = (output_size, kernel_size, dilation, padding, stride)
    return ops.fold(x, *[per_axis(s, 2, "col2im", "size", 0) for s in sizes])


@aten("unfold")
def _(x: Any, dimension: int, size: int, step: int) -> Any:
    axis = dimension % x.ndim
    count = (x.shape[axis] - size) // step + 1
    index = np.arange(count)[:, None] * step + np.arange(size)
    return ops.moveaxis(ops.take(x, index, axis), axis + 1, -1)
