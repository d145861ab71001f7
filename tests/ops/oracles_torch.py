"""What PyTorch calls our ops: a table, op → the same function there.

A function of the table is called ``f(torch, *inputs, **options)`` with tensors (None for an input
that is left out). What PyTorch has no function for is written with its indexing or arithmetic;
`assume` keeps away from what it cannot do.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import assume

import tinygrad_cnn as tg

Oracle = Callable[..., Any]
TORCH: dict[str, Oracle] = {}

# --- elementwise --------------------------------------------------------------------

for _name in [
    "absolute", "add", "atan", "ceil", "cos", "cosh", "divide", "erf", "exp", "exp2", "expm1",
    "floor", "fmod", "log", "log10", "log1p", "log2", "matmul", "maximum", "minimum", "multiply",
    "negative", "prelu", "reciprocal", "relu", "remainder", "round", "rsqrt", "sigmoid", "sign",
    "sin", "sinh", "sqrt", "square", "subtract", "tan", "tanh", "trunc", "where",
]:  # fmt: skip
    TORCH[_name] = lambda t, *xs, name=_name: getattr(t, name)(*xs)

for _name in [
    "elu", "gelu", "hardswish", "hardtanh", "leaky_relu", "linear", "mish", "silu", "softplus",
]:  # fmt: skip
    TORCH[_name] = lambda t, *xs, name=_name, **o: getattr(t.nn.functional, name)(*xs, **o)


def _all_of_one_shape(t: Any, xs: Any) -> list[Any]:
    """Broadcast, but for None: clamp gives its result the shape of its first input."""
    shape = t.broadcast_shapes(*[x.shape for x in xs if x is not None])
    return [x if x is None else x.expand(shape) for x in xs]


TORCH |= {
    "astype": lambda t, x, dtype: x.to(getattr(t, np.dtype(dtype).name)),
    "clip": lambda t, *xs: t.clamp(*_all_of_one_shape(t, xs)),
    "dropout_mask": lambda t, x, mask, p: t.where(mask, x / (1 - p), 0.0),
    "glu": lambda t, x, axis: t.nn.functional.glu(x, axis),
    # its own gradient multiplies by 1/6 in float32
    "hardsigmoid": lambda t, x: t.nn.functional.relu6(x + 3) / 6,
    "log_sigmoid": lambda t, x: t.nn.functional.logsigmoid(x),
    "masked_fill": lambda t, x, mask, value: t.masked_fill(x, mask, value),
    "power": lambda t, a, b: t.pow(a, b),
    "residual_add": lambda t, skip, branch: skip + branch,
}

# --- reductions ---------------------------------------------------------------------


def _all_if_none(x: Any, axis: Any) -> tuple[int, ...]:
    """The axes as PyTorch wants them. It takes () for all axes."""
    assume(axis != () and x.ndim)
    axes = range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    return tuple(a % x.ndim for a in axes)


def _reduction(reduce: Oracle) -> Oracle:
    return lambda t, x, axis, keepdims, **o: reduce(t, x, _all_if_none(x, axis), keepdims, **o)


def _product(t: Any, x: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    for axis in sorted(axes, reverse=True):
        x = t.prod(x, axis, keepdim=keepdims)
    return x


TORCH |= {
    "cumsum": lambda t, x, axis: t.cumsum(x.flatten() if axis is None else x, axis or 0),
    "logsumexp": _reduction(lambda t, x, axes, keep: t.logsumexp(x, axes, keep)),
    "max": _reduction(lambda t, x, axes, keep: t.amax(x, axes, keep)),
    "mean": _reduction(lambda t, x, axes, keep: t.mean(x, axes, keep)),
    "min": _reduction(lambda t, x, axes, keep: t.amin(x, axes, keep)),
    "norm": _reduction(lambda t, x, axes, keep: t.linalg.vector_norm(x, 2, axes, keep)),
    "prod": _reduction(_product),
    "std": _reduction(lambda t, x, axes, keep, ddof: t.std(x, axes, correction=ddof, keepdim=keep)),
    "sum": _reduction(lambda t, x, axes, keep: t.sum(x, axes, keep)),
    "var": _reduction(lambda t, x, axes, keep, ddof: t.var(x, axes, correction=ddof, keepdim=keep)),
}

# --- shapes, indexing ---------------------------------------------------------------


def _places(shape: Any) -> Any:
    """Each element's place in the flat array; NumPy moves places as it would move elements."""
    return np.arange(math.prod(shape)).reshape(shape)


def _picked(t: Any, x: Any, places: Any) -> Any:
    return x.flatten()[t.as_tensor(np.array(places))]


def _put(t: Any, g: Any, places: Any, shape: Any) -> Any:
    zeros = t.zeros(math.prod(shape), dtype=g.dtype)
    return zeros.index_add(0, t.as_tensor(np.array(places).ravel()), g.flatten()).reshape(shape)


def _tuple(axis: Any) -> tuple[int, ...]:
    return axis if isinstance(axis, tuple) else (axis,)


def _unsqueezed(t: Any, x: Any, axis: Any) -> Any:
    axes = _tuple(axis)
    for a in sorted(a % (x.ndim + len(axes)) for a in axes):
        x = x.unsqueeze(a)
    return x


def _flipped(t: Any, x: Any, axis: Any) -> Any:
    return t.flip(x, tuple(range(x.ndim)) if axis is None else _tuple(axis))


def _repeated(t: Any, x: Any, repeats: Any, axis: Any) -> Any:
    return t.repeat_interleave(x, t.as_tensor(repeats), axis)


def _padded(t: Any, x: Any, pad_width: Any, mode: str, constant_values: float = 0.0) -> Any:
    if not x.ndim:
        return x * 1
    if mode != "constant":
        return _picked(t, x, np.pad(_places(x.shape), pad_width, mode))
    pairs = [(pad_width, pad_width)] * x.ndim if isinstance(pad_width, int) else pad_width
    flat = [p for pair in reversed(pairs) for p in pair]
    return t.nn.functional.pad(x, flat, value=constant_values)


TORCH |= {
    "broadcast_to": lambda t, x, shape: t.broadcast_to(x, shape),
    "concatenate": lambda t, *xs, axis: t.cat(xs, axis),
    "embedding": lambda t, indices, weight: t.nn.functional.embedding(indices, weight),
    "expand_dims": _unsqueezed,
    "flip": _flipped,
    "getitem": lambda t, x, index: _picked(t, x, _places(x.shape)[index]),
    "moveaxis": lambda t, x, source, destination: t.movedim(x, source, destination),
    "pad": _padded,
    "repeat": _repeated,
    "reshape": lambda t, x, shape: t.reshape(x, shape),
    "roll": lambda t, x, shift, axis: t.roll(x, shift, axis),
    "scatter_add": lambda t, g, index, shape: _put(t, g, _places(shape)[index], shape),
    "split": lambda t, x, sections, axis: t.tensor_split(x, sections, axis),
    "squeeze": lambda t, x, axis: t.squeeze(x) if axis is None else t.squeeze(x, axis),
    "stack": lambda t, *xs, axis: t.stack(xs, axis),
    "take": lambda t, x, indices, axis: _picked(t, x, np.take(_places(x.shape), indices, axis)),
    "transpose": lambda t, x, axes: x.permute(tuple(range(x.ndim))[::-1] if axes is None else axes),
}

# --- products, losses, normalisation ------------------------------------------------


def _loss(name: str) -> Oracle:
    def loss(t: Any, x: Any, target: Any, **options: Any) -> Any:
        if not target.dtype.is_floating_point:
            target = target.long()
        weights = {
            k: t.tensor(np.array(v)) for k, v in options.items() if isinstance(v, np.ndarray)
        }
        return getattr(t.nn.functional, name)(x, target, **{**options, **weights})

    return loss


def _affine(y: Any, weight: Any, bias: Any) -> Any:
    """γ·y + β along axis 1."""
    shape = (1, -1, *(1,) * (y.ndim - 2))
    y = y if weight is None else y * weight.reshape(shape)
    return y if bias is None else y + bias.reshape(shape)


def _normalised(t: Any, x: Any, mean: Any, var: Any, weight: Any, bias: Any, eps: float) -> Any:
    shape = (1, -1, *(1,) * (x.ndim - 2))
    scale = t.rsqrt(var.reshape(shape) + eps)
    return _affine((x - mean.reshape(shape)) * scale, weight, bias)


def _batch_norm_train(t: Any, x: Any, weight: Any, bias: Any, eps: float) -> Any:
    var, mean = t.var_mean(x, [a for a in range(x.ndim) if a != 1], correction=0)
    y = t.nn.functional.batch_norm(x, None, None, weight, bias, training=True, eps=eps)
    return y, mean, var


def _group_norm(t: Any, x: Any, weight: Any, bias: Any, num_groups: int, eps: float) -> Any:
    assume(x.numel() > num_groups)  # PyTorch takes no groups of one value
    return _affine(t.nn.functional.group_norm(x, num_groups, eps=eps), weight, bias)


def _attention(
    t: Any, q: Any, k: Any, v: Any, mask: Any, bias: Any, kept: Any, dropout_p: float, **o: Any
) -> Any:
    """PyTorch takes one mask, and draws its dropout itself: that is written with its arithmetic."""
    if kept is None and (mask is None or bias is None):
        attend = t.nn.functional.scaled_dot_product_attention
        kinds = t.nn.attention
        with kinds.sdpa_kernel(kinds.SDPBackend.MATH):  # the others have no second derivative
            return attend(q, k, v, mask if bias is None else bias, **o)
    scores = q @ k.mT * (o["scale"] or q.shape[-1] ** -0.5)
    scores = scores if bias is None else scores + bias
    seen = t.ones(scores.shape[-2:], dtype=t.bool)
    seen = seen.tril() if o["is_causal"] else seen if mask is None else mask
    scores = scores.masked_fill(~seen, -math.inf)
    weights = scores.softmax(-1).masked_fill(~seen.any(-1, keepdim=True), 0.0)
    return (weights if kept is None else weights * kept / (1 - dropout_p)) @ v


TORCH |= {
    "batch_norm_eval": _normalised,
    "batch_norm_train": _batch_norm_train,
    "binary_cross_entropy_with_logits": _loss("binary_cross_entropy_with_logits"),
    "cross_entropy": _loss("cross_entropy"),
    "einsum": lambda t, *xs, inputs, output: t.einsum(",".join(inputs) + "->" + output, *xs),
    "group_norm": _group_norm,
    "instance_norm": lambda t, x, w, b, eps: _affine(
        t.nn.functional.instance_norm(x, eps=eps), w, b
    ),
    "layer_norm": lambda t, x, w, b, normalized_shape, eps: t.nn.functional.layer_norm(
        x, normalized_shape, w, b, eps
    ),
    "local_response_norm": lambda t, x, **o: t.nn.functional.local_response_norm(x, **o),
    "log_softmax": lambda t, x, axis: t.log_softmax(x, axis),
    "mse_loss": _loss("mse_loss"),
    "nll_loss": _loss("nll_loss"),
    "outer": lambda t, a, b: t.outer(a.flatten(), b.flatten()),
    "rms_norm": lambda t, x, w, normalized_shape, eps: t.nn.functional.rms_norm(
        x, normalized_shape, w, eps
    ),
    "scaled_dot_product_attention": _attention,
    "softmax": lambda t, x, axis: t.softmax(x, axis),
}

# --- windows ------------------------------------------------------------------------


def pairs_of(padding: Any, kernel: Any, dilation: Any) -> Any:
    return tg.ops.windows.padding_pairs(padding, len(kernel), tuple(kernel), dilation, "oracle")


def _with_border(t: Any, x: Any, pairs: Any) -> Any:
    return t.nn.functional.pad(x, [p for pair in reversed(pairs) for p in pair])


def _convolution(d: int) -> Oracle:
    def convolve(
        t: Any, x: Any, w: Any, b: Any, stride: Any, padding: Any, dilation: Any, groups: int
    ) -> Any:
        padded = _with_border(t, x, pairs_of(padding, w.shape[2:], dilation))
        return getattr(t.nn.functional, f"conv{d}d")(padded, w, b, stride, 0, dilation, groups)

    return convolve


def _weight_gradient(d: int) -> Oracle:
    def gradient(
        t: Any, x: Any, g: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, groups: int
    ) -> Any:
        shape = (g.shape[1], x.shape[1] // groups, *kernel)
        of = getattr(t.nn.grad, f"conv{d}d_weight")
        return of(_with_border(t, x, padding), shape, g, stride, 0, dilation, groups)

    return gradient


def _transposed(d: int) -> Oracle:
    """Computed without padding, which is cut off afterwards: the two sides may differ."""

    def convolve(
        t: Any,
        x: Any,
        w: Any,
        b: Any,
        stride: Any,
        padding: Any,
        output_padding: Any,
        groups: int,
        dilation: Any,
    ) -> Any:
        y = getattr(t.nn.functional, f"conv_transpose{d}d")(
            x, w, b, stride, 0, output_padding, groups, dilation
        )
        for axis, (before, after) in enumerate(padding, start=2):
            y = y.narrow(axis, before, y.shape[axis] - before - after)
        return y

    return convolve


def _max_pool(d: int) -> Oracle:
    def pool(t: Any, x: Any, padding: Any, **options: Any) -> Any:
        assume(all(before == after for before, after in padding))
        sides = [before for before, _ in padding]
        return getattr(t.nn.functional, f"max_pool{d}d")(x, padding=sides, **options)

    return pool


def _average_pool(d: int) -> Oracle:
    def pool(t: Any, x: Any, kernel_size: Any, padding: Any, **options: Any) -> Any:
        pairs = padding or ((0, 0),) * d
        assume(all(before == after for before, after in pairs))
        sizes = zip(x.shape[2:], kernel_size, strict=True)
        assume(all(n >= k for n, k in sizes))  # avg_pool3d insists, padded or not
        sides = [before for before, _ in pairs]
        if d == 1:  # which takes no divisor: as an image of one row
            return _average_pool(2)(
                t, x[:, :, None], (1, *kernel_size), ((0, 0), *pairs),
                **{**options, "stride": (1, *(options["stride"] or kernel_size))},
            )[:, :, 0]  # fmt: skip
        return getattr(t.nn.functional, f"avg_pool{d}d")(x, kernel_size, padding=sides, **options)

    return pool


def _average_pool_gradient(d: int) -> Oracle:
    def gradient(t: Any, g: Any, size: Any, **options: Any) -> Any:
        x = t.zeros((*g.shape[:2], *size), dtype=g.dtype, requires_grad=True)
        y = _average_pool(d)(t, x, **options)
        assume(y.shape == g.shape)
        return t.autograd.grad(y, x, g, create_graph=True)[0]

    return gradient


def _adaptive_pool(name: str) -> Oracle:
    def pool(t: Any, x: Any, output_size: Any) -> Any:
        assume(output_size != (None,))  # which the 1-D pools do not take
        return getattr(t.nn.functional, name)(x, output_size)

    return pool


for _d in (1, 2, 3):
    TORCH |= {
        f"adaptive_avg_pool{_d}d": _adaptive_pool(f"adaptive_avg_pool{_d}d"),
        f"adaptive_max_pool{_d}d": _adaptive_pool(f"adaptive_max_pool{_d}d"),
        f"avg_pool{_d}d": _average_pool(_d),
        f"avg_pool{_d}d_input_grad": _average_pool_gradient(_d),
        f"conv{_d}d": _convolution(_d),
        f"conv{_d}d_weight_grad": _weight_gradient(_d),
        f"conv_transpose{_d}d": _transposed(_d),
        f"max_pool{_d}d": _max_pool(_d),
    }


def _interpolated(t: Any, x: Any, mode: str, align_corners: bool, **where: Any) -> Any:
    """PyTorch takes the size or the factors, and align_corners not for nearest."""
    factors, size = where["scale_factor"], where.get("size")
    if mode == "nearest" and factors and x.ndim != 4:
        # of a factor like 2.1 that makes twice as many, its gradient reads other cells than it does
        sizes = zip(x.shape[2:], factors, strict=True)
        assume(all(s in (1, 2) or math.floor(n * s) not in (n, 2 * n) for n, s in sizes))
    return t.nn.functional.interpolate(
        x, size=None if factors else size, scale_factor=factors, mode=mode,
        align_corners=None if mode.startswith("nearest") else align_corners,
    )  # fmt: skip


def _interpolation_gradient(t: Any, g: Any, input_size: Any, **options: Any) -> Any:
    x = t.zeros((*g.shape[:2], *input_size), dtype=g.dtype, requires_grad=True)
    y = _interpolated(t, x, size=tuple(g.shape[2:]), **options)
    return t.autograd.grad(y, x, g, create_graph=True)[0]


def _flat_index(t: Any, index: Any) -> tuple[Any, Any]:
    flat = index.reshape(*index.shape[:2], -1).long()
    return flat.clamp(min=0), flat >= 0


def _take_winners(t: Any, x: Any, index: Any) -> Any:
    flat, won = _flat_index(t, index)
    found = x.reshape(*x.shape[:2], -1).gather(2, flat)
    return t.where(won, found, 0.0).reshape(index.shape)


def _unpool(t: Any, g: Any, index: Any, size: Any) -> Any:
    flat, won = _flat_index(t, index)
    zeros = t.zeros((*g.shape[:2], math.prod(size)), dtype=g.dtype)
    given = t.where(won, g.reshape(flat.shape), 0.0)
    return zeros.scatter_add(2, flat, given).reshape(*g.shape[:2], *size)


def _unfold(t: Any, x: Any, kernel: Any, stride: Any) -> Any:
    out = [(n - k) // s + 1 for n, k, s in zip(x.shape[2:], kernel, stride, strict=True)]
    columns = t.nn.functional.unfold(x, kernel, stride=stride)
    return columns.reshape(*x.shape[:2], *kernel, *out)


def _im2col(t: Any, x: Any, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> Any:
    padded = _with_border(t, x, pairs_of(padding, kernel_size, dilation))
    return t.nn.functional.unfold(padded, kernel_size, dilation, 0, stride)


def _col2im(
    t: Any, x: Any, output_size: Any, kernel_size: Any, dilation: Any, padding: Any, stride: Any
) -> Any:
    pairs = pairs_of(padding, kernel_size, dilation)
    padded = [n + sum(pair) for n, pair in zip(output_size, pairs, strict=True)]
    y = t.nn.functional.fold(x, padded, kernel_size, dilation, 0, stride)
    for axis, ((before, _), n) in enumerate(zip(pairs, output_size, strict=True), start=2):
        y = y.narrow(axis, before, n)
    return y


def _locally_connected(t: Any, x: Any, w: Any, b: Any, stride: Any, padding: Any) -> Any:
    windows = _unfold(t, _with_border(t, x, padding), w.shape[2:4], stride)
    y = t.einsum("ncabij,ocabij->noij", windows, w)
    return y if b is None else y + b


TORCH |= {
    "fold": _col2im,
    "interpolate": _interpolated,
    "interpolate_input_grad": _interpolation_gradient,
    "locally_connected2d": _locally_connected,
    "pixel_shuffle": lambda t, x, upscale_factor: t.nn.functional.pixel_shuffle(x, upscale_factor),
    "pixel_unshuffle": lambda t, x, downscale_factor: t.nn.functional.pixel_unshuffle(
        x, downscale_factor
    ),
    "take_winners": _take_winners,
    "unfold": _im2col,
    "unfold2d": _unfold,
    "unpool": _unpool,
}
