"""Convolution (cross-correlation, as in every framework) in one, two and three dimensions.

    Y[n, o, i] = b[o] + Σ_{c, a} W[o, c, a] · X[n, c, i·stride + a·dilation − before]

with i and a standing for as many indices as there are spatial axes. It is linear in X and in W,
so its two gradients are linear ops too, and each is the others' gradient: the three ops
``convNd``, ``convNd_input_grad`` and ``convNd_weight_grad`` are closed under differentiation.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import DtypeError, OptionError, ShapeError
from ..kernels.convolution import (
    convolve,
    convolve_input_grad,
    convolve_weight_grad,
    output_size,
)
from ..op import Op, Shape, op

Pairs = tuple[tuple[int, int], ...]


def per_axis(value: Any, d: int, name: str, option: str, least: int) -> tuple[int, ...]:
    """An option given as an int, or as one int for each of d axes.

    Raises:
        OptionError: neither, or smaller than `least`.
    """
    values = tuple(value) if isinstance(value, tuple | list) else (value,) * d
    if len(values) != d or not all(
        isinstance(v, int | np.integer) and not isinstance(v, bool) and v >= least for v in values
    ):
        raise OptionError(
            f"{name}: {option} must be an int ≥ {least}, or {d} of them, got {value!r}"
        )
    return tuple(int(v) for v in values)


def padding_pairs(
    padding: Any, d: int, kernel: Shape, dilation: tuple[int, ...], name: str
) -> Pairs:
    """Padding as (before, after) pairs.

    Args:
        padding: an int; one int an axis; one (before, after) pair an axis; "valid" (none); "same"
            or "same_upper" (the larger half after: PyTorch, ONNX) or "same_lower" (before: the
            course's ⌈p/2⌉ on top). "same" pads dilation·(kernel−1) in all, so that with stride 1
            the output has the input's size.

    Raises:
        OptionError: anything else, or a negative size.
    """
    if isinstance(padding, str):
        total = [b * (k - 1) for k, b in zip(kernel, dilation, strict=True)]
        if padding == "valid":
            return ((0, 0),) * d
        if padding in {"same", "same_upper"}:
            return tuple((p // 2, p - p // 2) for p in total)
        if padding == "same_lower":
            return tuple((p - p // 2, p // 2) for p in total)
        raise OptionError(
            f"{name}: padding {padding!r} is not valid, same, same_upper or same_lower"
        )
    values = tuple(padding) if isinstance(padding, tuple | list) else (padding,) * d
    pairs = [tuple(v) if isinstance(v, tuple | list) else (v, v) for v in values]
    if len(pairs) != d or not all(
        len(pair) == 2
        and all(
            isinstance(v, int | np.integer) and not isinstance(v, bool) and v >= 0 for v in pair
        )
        for pair in pairs
    ):
        raise OptionError(
            f"{name}: padding must be an int ≥ 0, {d} of them, {d} (before, after) pairs, or a "
            f"name, got {padding!r}"
        )
    return tuple((int(p), int(q)) for p, q in pairs)


def _check_dtypes(name: str, **arrays: Any) -> None:
    dtypes = {which: np.asarray(a).dtype for which, a in arrays.items() if a is not None}
    if len(set(dtypes.values())) > 1 or any(dtype.kind != "f" for dtype in dtypes.values()):
        listed = ", ".join(f"{which} {dtype}" for which, dtype in dtypes.items())
        raise DtypeError(
            f"{name}: inputs must share one floating dtype, got {listed}; cast with .astype"
        )


def _check_convolution(d: int, name: str) -> Callable[..., dict[str, Any]]:
    def check(
        x: Any, w: Any, b: Any, *, stride: Any, padding: Any, dilation: Any, groups: Any
    ) -> dict[str, Any]:
        X, W = np.shape(x), np.shape(w)
        layout = "N, C, " + ", ".join("DHW"[3 - d :])
        if len(X) != d + 2:
            raise ShapeError(f"{name}: input must be ({layout}), got {X}")
        if len(W) != d + 2:
            raise ShapeError(
                f"{name}: weight must have {d + 2} axes (out, in/groups, kernel), got {W}"
            )
        _check_dtypes(name, input=x, weight=w, bias=b)
        if not isinstance(groups, int | np.integer) or groups < 1 or W[0] % groups:
            raise OptionError(
                f"{name}: groups={groups!r} must be a positive int that divides the weight's "
                f"{W[0]} output channels {W}"
            )
        if X[1] != W[1] * groups:
            raise ShapeError(
                f"{name}: input has {X[1]} channels {X}, weight expects {W[1] * groups} {W} "
                f"with groups={groups}"
            )
        if b is not None and np.shape(b) != (W[0],):
            raise ShapeError(
                f"{name}: bias must have shape ({W[0]},), one for each output channel of weight "
                f"{W}, got {np.shape(b)}"
            )
        kernel = W[2:]
        stride = per_axis(stride, d, name, "stride", 1)
        dilation = per_axis(dilation, d, name, "dilation", 1)
        pairs = padding_pairs(padding, d, kernel, dilation, name)
        for n, k, s, p, b_ in zip(X[2:], kernel, stride, pairs, dilation, strict=True):
            if k < 1 or output_size(n, k, s, p, b_) < 1:
                raise ShapeError(
                    f"{name}: kernel {kernel} with dilation {dilation} does not fit into input "
                    f"{X[2:]} with padding {pairs}"
                )
        return {"stride": stride, "padding": pairs, "dilation": dilation, "groups": int(groups)}

    return check


def _taps(kernel: Shape) -> itertools.product[tuple[int, ...]]:
    return itertools.product(*map(range, kernel))


def _read(
    i: Shape, a: Shape, stride: Shape, padding: Pairs, dilation: Shape, size: Shape
) -> Shape | None:
    """The input index that output index i reads through kernel index a; None in the padding."""
    place = tuple(
        i_ * s + a_ * e - p
        for i_, a_, s, (p, _), e in zip(i, a, stride, padding, dilation, strict=True)
    )
    return place if all(0 <= q < n for q, n in zip(place, size, strict=True)) else None


def _convolution(d: int) -> tuple[Op, Op, Op]:
    """The convolution of d spatial axes, and its two gradients."""

    def forward(
        x: Any,
        w: Any,
        b: Any = None,
        *,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Any:
        y = convolve(x, w, stride, padding, dilation, groups)
        if b is not None:
            y += np.reshape(b, (-1, *(1,) * d))
        return y

    forward.__doc__ = _DOC.format(d=d, sizes=", ".join("DHW"[3 - d :]))
    conv: Op = op(f"conv{d}d", forward).check(_check_convolution(d, f"conv{d}d"))

    @op(f"conv{d}d_input_grad")
    def input_grad(
        g: Any, w: Any, *, size: Shape, stride: Any, padding: Any, dilation: Any, groups: int
    ) -> Any:
        """The gradient of a convolution at its input: g spread out again through the kernel."""
        return convolve_input_grad(g, w, stride, padding, dilation, groups, size)

    @op(f"conv{d}d_weight_grad")
    def weight_grad(
        x: Any, g: Any, *, kernel: Shape, stride: Any, padding: Any, dilation: Any, groups: int
    ) -> Any:
        """The gradient of a convolution at its weight: the input correlated with g."""
        return convolve_weight_grad(x, g, stride, padding, dilation, groups, kernel)

    conv.vjp(
        lambda g, y, x, w, b, **o: input_grad(g, w, size=x.shape[2:], **o),
        lambda g, y, x, w, b, **o: weight_grad(x, g, kernel=w.shape[2:], **o),
        lambda g, y, x, w, b, **o: g.sum(axis=(0, *range(2, d + 2))),
    )
    input_grad.vjp(
        lambda g, y, x, w, size, **o: conv(g, w, None, **o),
        lambda g, y, x, w, size, **o: weight_grad(g, x, kernel=w.shape[2:], **o),
    )
    weight_grad.vjp(
        lambda g, y, x, h, kernel, **o: input_grad(h, g, size=x.shape[2:], **o),
        lambda g, y, x, h, kernel, **o: conv(x, g, None, **o),
    )

    @conv.definition
    def _(
        at: Shape, x: Any, w: Any, b: Any, *, stride: Any, padding: Any, dilation: Any, groups: int
    ) -> Any:
        n, o, *i = at
        first = o // (w.shape[0] // groups) * w.shape[1]  # the group's first input channel
        total = 0.0
        for c in range(w.shape[1]):
            for a in _taps(w.shape[2:]):
                place = _read(tuple(i), a, stride, padding, dilation, x.shape[2:])
                if place is not None:
                    total = total + x[(n, first + c, *place)] * w[(o, c, *a)]
        return total if b is None else total + b[(o,)]

    @input_grad.definition
    def _(
        at: Shape,
        g: Any,
        w: Any,
        *,
        size: Shape,
        stride: Any,
        padding: Any,
        dilation: Any,
        groups: int,
    ) -> Any:
        n, channel, *place = at
        group, c = divmod(channel, w.shape[1])
        outputs = w.shape[0] // groups
        total = 0.0
        for o in range(group * outputs, (group + 1) * outputs):
            for i in _taps(g.shape[2:]):
                for a in _taps(w.shape[2:]):
                    if _read(i, a, stride, padding, dilation, size) == tuple(place):
                        total = total + g[(n, o, *i)] * w[(o, c, *a)]
        return total

    @weight_grad.definition
    def _(
        at: Shape,
        x: Any,
        g: Any,
        *,
        kernel: Shape,
        stride: Any,
        padding: Any,
        dilation: Any,
        groups: int,
    ) -> Any:
        o, c, *a = at
        first = o // (g.shape[1] // groups) * (x.shape[1] // groups)
        total = 0.0
        for n in range(x.shape[0]):
            for i in _taps(g.shape[2:]):
                place = _read(i, tuple(a), stride, padding, dilation, x.shape[2:])
                if place is not None:
                    total = total + x[(n, first + c, *place)] * g[(n, o, *i)]
        return total

    conv.multiply_adds(lambda out, x, w, b, **o: math.prod(out) * math.prod(w[1:]))
    input_grad.multiply_adds(lambda out, g, w, **o: math.prod(g) * math.prod(w[1:]))
    weight_grad.multiply_adds(lambda out, x, g, **o: math.prod(g) * math.prod(out[1:]))
    return conv, input_grad, weight_grad


_DOC = """Convolution over {d} spatial axes.

    Args:
        x: the input, (N, C, {sizes}).
        w: the kernels, (O, C/groups, …): one for each of O output channels.
        b: a bias for each output channel, (O,), or None.
        stride: how far the window moves; an int or {d} of them.
        padding: zeros around the input: an int, {d} ints, {d} (before, after) pairs, "valid",
            "same" = "same_upper" (odd padding goes after) or "same_lower" (before, the course's).
        dilation: the distance between kernel elements.
        groups: input and output channels are split into so many groups, convolved apart.

    Returns:
        (N, O, …) with ⌊(n + before + after − dilation·(k−1) − 1)/stride⌋ + 1 along each axis.

    Raises:
        ShapeError, DtypeError, OptionError: naming the sizes that do not fit.

    Example:
        >>> import numpy as np, tinygrad_cnn as tg
        >>> x, w = np.arange(27.0).reshape(1, 1, 3, 3, 3), np.ones((1, 1, 3, 3, 3))
        >>> while x.ndim > {d} + 2:
        ...     x, w = x[:, :, 0], w[:, :, 0]
        >>> bool(tg.conv{d}d(x, w).item() == x.sum())
        True
    """

conv1d, conv1d_input_grad, conv1d_weight_grad = _convolution(1)
conv2d, conv2d_input_grad, conv2d_weight_grad = _convolution(2)
conv3d, conv3d_input_grad, conv3d_weight_grad = _convolution(3)
