"""How the vjp of each op takes a stack of cotangents at once: see `engine/stacked.py`.

What stands in no list here takes them one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..engine.op import Op
from ..engine.stacked import ONE_BY_ONE, Examples, in_front
from .axes import with_ones
from .normalization import channels
from .registry import OPS
from .shape import inverse

# --- an axis in front of all others broadcasts ---------------------------------------------------

for _op in OPS.values():
    if _op.elementwise:
        _op.stacked = in_front
for _name in ("residual_add", "broadcast_to", "astype", "masked_fill"):
    OPS[_name].stacked = in_front


def _matmul(
    op: Op, g: Any, y: Any, args: list[Any], options: dict[str, Any], needed: list[bool]
) -> Sequence[Any]:
    if min(a.ndim for a in args) < 2:
        return [ONE_BY_ONE, ONE_BY_ONE]
    return in_front(op, g, y, args, options, needed)


OPS["matmul"].stacked = _matmul

# --- the examples of a batch are independent -----------------------------------------------------

_SIZES_ONLY = Examples(unread=("x", "y"))
_EXAMPLES = Examples()
for _d in (1, 2, 3):
    for _name in ("conv{}d", "conv_transpose{}d", "avg_pool{}d", "adaptive_avg_pool{}d"):
        OPS[_name.format(_d)].stacked = _SIZES_ONLY
    for _name in ("max_pool{}d", "adaptive_max_pool{}d"):
        OPS[_name.format(_d)].stacked = _EXAMPLES
for _name in ("interpolate", "pixel_shuffle", "pixel_unshuffle", "unfold", "fold"):
    OPS[_name].stacked = _SIZES_ONLY
for _name in ("group_norm", "instance_norm", "local_response_norm", "locally_connected2d"):
    OPS[_name].stacked = _EXAMPLES
OPS["linear"].stacked = Examples(unread=("x", "y"), when=lambda x, w, b: x.ndim > 1)
for _name in ("layer_norm", "rms_norm"):
    OPS[_name].stacked = Examples(
        when=lambda x, *_, normalized_shape, eps: x.ndim > len(normalized_shape)
    )
OPS["dropout_mask"].stacked = Examples(("x", "mask"), unread=("x", "y"))
for _name in ("softmax", "log_softmax", "glu", "cumsum"):
    OPS[_name].stacked = Examples(when=lambda x, *, axis: axis is not None and axis % x.ndim)
OPS["scaled_dot_product_attention"].stacked = Examples(
    inputs=("query", "key", "value"),
    when=lambda query, key, value, mask, bias, kept, **options: (
        query.ndim == key.ndim == value.ndim > 2
        and query.shape[0] == key.shape[0] == value.shape[0]
        and kept is None
        and all(a is None or a.ndim < query.ndim or a.shape[0] == 1 for a in (mask, bias))
    ),
)

# --- each in its own way -------------------------------------------------------------------------


def _way(*names: str) -> Callable[[Callable[..., Any]], None]:
    """Declare the way of ops with one input, as a function of g, y, x and the options."""

    def declare(gradient: Callable[..., Any]) -> None:
        def way(
            op: Op, g: Any, y: Any, args: list[Any], options: dict[str, Any], needed: list[bool]
        ) -> Sequence[Any]:
            return [gradient(g, y, *args, **options)]

        for name in names:
            OPS[name].stacked = way

    return declare


@_way("reshape", "expand_dims", "squeeze")
def _(g: Any, y: Any, x: Any, **options: Any) -> Any:
    return g.reshape(len(g), *x.shape)


@_way("transpose")
def _(g: Any, y: Any, x: Any, *, axes: tuple[int, ...]) -> Any:
    return g.transpose(0, *[1 + axis for axis in inverse(axes)])


@_way("sum")
def _(g: Any, y: Any, x: Any, *, axis: tuple[int, ...], keepdims: bool) -> Any:
    return np.broadcast_to(g.reshape(len(g), *with_ones(x.shape, axis)), (len(g), *x.shape))


@_way("mean")
def _(g: Any, y: Any, x: Any, *, axis: tuple[int, ...], keepdims: bool) -> Any:
    wide = g.reshape(len(g), *with_ones(x.shape, axis)) * (y.size / x.size)
    return np.broadcast_to(wide, (len(g), *x.shape))


@_way("getitem")
def _(g: Any, y: Any, x: Any, *, index: Any) -> Any:
    parts = index if isinstance(index, tuple) else (index,)
    if any(isinstance(part, np.ndarray) for part in parts):
        return ONE_BY_ONE
    out = np.zeros((len(g), *x.shape), g.dtype)
    out[(slice(None), *parts)] = g
    return out


@_way("roll")
def _(g: Any, y: Any, x: Any, *, shift: Any, axis: Any) -> Any:
    if axis is None:
        return np.roll(g.reshape(len(g), -1), -shift, 1).reshape(len(g), *x.shape)
    return np.roll(g, [-s for s in shift], [1 + a for a in axis])


@_way("pad")
def _(g: Any, y: Any, x: Any, *, pad_width: Any, mode: str, constant_values: float) -> Any:
    if mode != "constant":
        return ONE_BY_ONE
    inner = [slice(b, b + n) for (b, _), n in zip(pad_width, x.shape, strict=True)]
    return g[(slice(None), *inner)]


def _concatenate(
    op: Op, g: Any, y: Any, args: list[Any], options: dict[str, Any], needed: list[bool]
) -> Sequence[Any]:
    axis = 1 + options["axis"]
    return np.split(g, np.cumsum([a.shape[axis - 1] for a in args])[:-1], axis)


OPS["concatenate"].stacked = _concatenate


def _batch_norm_train(
    op: Op, g: Any, y: Any, args: list[Any], options: dict[str, Any], needed: list[bool]
) -> Sequence[Any]:
    x, weight, _ = args
    g_y, g_mean, g_var = g
    if g_mean is not None or g_var is not None or x.dtype.itemsize < 4:
        return [ONE_BY_ONE] * 3
    _, mean, var = y
    rstd = (var + options["eps"]) ** -0.5
    hat = (x - channels(mean, x.ndim)) * channels(rstd, x.ndim)
    flat, hat = g_y.reshape(*g_y.shape[:3], -1), hat.reshape(*x.shape[:2], -1)
    m = x.size // x.shape[1]
    g_bias = flat.sum(axis=(1, 3))
    g_weight = np.vecdot(flat, hat).sum(axis=1)
    if not needed[0]:
        return [None, g_weight, g_bias]
    gx = flat - hat * (g_weight / m)[:, None, :, None]
    gx -= (g_bias / m)[:, None, :, None]
    gx *= (rstd if weight is None else rstd * weight)[:, None]
    return [gx.reshape(g_y.shape), g_weight, g_bias]


OPS["batch_norm_train"].stacked = _batch_norm_train


def _batch_norm_eval(
    op: Op, g: Any, y: Any, args: list[Any], options: dict[str, Any], needed: list[bool]
) -> Sequence[Any]:
    x, _, var, weight, _ = args
    scale = (var + options["eps"]) ** -0.5
    scale = scale if weight is None else scale * weight
    return [g * channels(scale, x.ndim).astype(g.dtype), *[ONE_BY_ONE] * 4]


OPS["batch_norm_eval"].stacked = _batch_norm_eval
