"""Convolution (cross-correlation, as in every framework) in one, two and three dimensions.

    Y[n, o, i] = b[o] + Σ_{c, a} W[o, c, a] · X[n, c, i·stride + a·dilation − before]

with i and a standing for as many indices as there are spatial axes. It is linear in X and in W.
The gradient at X is the *transposed convolution* of Y's gradient; the gradient at W is the
correlation of X with Y's gradient. Each of the three is linear in two arguments, and the other two
are its gradients. So the three ops ``convNd``, ``conv_transposeNd`` and ``convNd_weight_grad`` are
closed under differentiation.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..engine.definition import add_up, places
from ..engine.op import Op, Shape, op
from ..errors import DtypeError, OptionError, ShapeError
from ..kernels.convolution import convolve, convolve_input_grad, convolve_weight_grad, output_sizes
from .options import integer, is_integer
from .windows import Pairs, layout, layouts, per_axis, read, window_options


class _Family:
    """The three ops of d spatial axes."""

    def __init__(self, d: int) -> None:
        self.d = d
        self.conv: Op = op(f"conv{d}d", self._forward())
        self.transpose: Op = op(f"conv_transpose{d}d", self._forward_transpose())
        self.weight_grad: Op = op(f"conv{d}d_weight_grad", _weight_grad)
        self.conv.check_shapes(self._check)
        self.transpose.check_shapes(self._check_transpose)
        self.weight_grad.check_shapes(self._check_weight_grad)
        self._declare_gradients()
        self.conv.batched("x", axes=d + 2)
        self.transpose.batched("x", axes=d + 2)
        self.conv.definition(_define_convolution).multiply_adds(
            lambda out, x, w, b, **o: math.prod(out) * math.prod(w[1:])
        )
        self.transpose.definition(_define_transpose).multiply_adds(
            lambda out, x, w, b, **o: math.prod(x) * math.prod(w[1:])
        )
        self.weight_grad.definition(_define_weight_grad).multiply_adds(
            lambda out, x, g, **o: math.prod(g) * math.prod(out[1:])
        )

    # --- forward -----------------------------------------------------------------------------

    def _forward(self) -> Any:
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
            return self._with_bias(convolve(x, w, stride, padding, dilation, groups), b)

        forward.__doc__ = _CONV.format(d=self.d, sizes=layout(self.d)[6:])
        return forward

    def _forward_transpose(self) -> Any:
        def forward(
            x: Any,
            w: Any,
            b: Any = None,
            *,
            stride: Any = 1,
            padding: Any = 0,
            output_padding: Any = 0,
            groups: int = 1,
            dilation: Any = 1,
        ) -> Any:
            size = _transposed_size(
                x.shape[2:], w.shape[2:], stride, padding, output_padding, dilation
            )
            y = convolve_input_grad(x, w, stride, padding, dilation, groups, size)
            return self._with_bias(y, b)

        forward.__doc__ = _TRANSPOSE.format(d=self.d, sizes=layout(self.d)[6:])
        return forward

    def _with_bias(self, y: Any, b: Any) -> Any:
        if b is not None:
            y += np.reshape(b, (-1, *(1,) * self.d))
        return y

    # --- gradients ---------------------------------------------------------------------------

    def _declare_gradients(self) -> None:
        conv, transpose, weight_grad = self.conv, self.transpose, self.weight_grad
        others = (0, *range(2, self.d + 2))

        def back(g: Any, w: Any, size: Shape, kernel: Shape, **o: Any) -> Any:
            """The transposed convolution with an output of the given size."""
            if type(g) is type(w) is np.ndarray:
                return convolve_input_grad(g, w, input_size=size, **o)
            none = (0,) * self.d
            least = _transposed_size(
                g.shape[2:], kernel, o["stride"], o["padding"], none, o["dilation"]
            )
            rest = tuple([n - m for n, m in zip(size, least, strict=True)])
            return transpose.checked(g, w, None, output_padding=rest, **o)

        conv.vjp(
            lambda g, y, x, w, b, **o: back(g, w, x.shape[2:], w.shape[2:], **o),
            lambda g, y, x, w, b, **o: weight_grad.checked(x, g, kernel=w.shape[2:], **o),
            lambda g, y, x, w, b, **o: g.sum(axis=others),
        )
        transpose.vjp(
            lambda g, y, x, w, b, output_padding, **o: conv.checked(g, w, None, **o),
            lambda g, y, x, w, b, output_padding, **o: weight_grad.checked(
                g, x, kernel=w.shape[2:], **o
            ),
            lambda g, y, x, w, b, **o: g.sum(axis=others),
        )
        weight_grad.vjp(
            lambda g, y, x, h, kernel, **o: back(h, g, x.shape[2:], kernel, **o),
            lambda g, y, x, h, kernel, **o: conv.checked(x, g, None, **o),
        )

    # --- checks ------------------------------------------------------------------------------

    def _check_arrays(self, name: str, x: Any, w: Any, b: Any, groups: Any) -> tuple[Shape, Shape]:
        """The shapes of input and weight; refused if they do not fit a convolution."""
        X, W = np.shape(x), np.shape(w)
        if len(X) != self.d + 2 or 0 in X[2:]:
            empty = ", which has no cells" if 0 in X[2:] else ""
            raise ShapeError(f"{name}: input must be {layouts(self.d)}; got {X}{empty}")
        if len(W) != self.d + 2 or 0 in W:
            order = "in, out/groups" if name.startswith("conv_transpose") else "out, in/groups"
            raise ShapeError(
                f"{name}: weight must have {self.d + 2} axes ({order}, kernel), none of size 0, "
                f"got {W}"
            )
        _share_one_dtype(name, input=x, weight=w, bias=b)
        if not is_integer(groups) or groups < 1 or W[0] % groups:
            raise OptionError(
                f"{name}: groups={groups!r} must be a positive int that divides the first size "
                f"{W[0]} of weight {W}"
            )
        return X, W

    def _check_bias(self, name: str, b: Any, channels: int, W: Shape) -> None:
        if b is not None and np.shape(b) != (channels,):
            raise ShapeError(
                f"{name}: bias must have shape ({channels},), one for each output channel of "
                f"weight {W}, got {np.shape(b)}"
            )

    def _check(
        self, x: Any, w: Any, b: Any, *, stride: Any, padding: Any, dilation: Any, groups: Any
    ) -> dict[str, Any]:
        name, d = self.conv.name, self.d
        X, W = self._check_arrays(name, x, w, b, groups)
        if X[1] != W[1] * groups:
            raise ShapeError(
                f"{name}: input has {X[1]} channels {X}, weight expects {W[1] * groups} {W} "
                f"with groups={groups}"
            )
        self._check_bias(name, b, W[0], W)
        kernel = W[2:]
        stride, pairs, dilation = window_options(name, d, kernel, stride, padding, dilation)
        if min(output_sizes(X[2:], kernel, stride, pairs, dilation)) < 1:
            raise ShapeError(
                f"{name}: kernel {kernel} with dilation {dilation} does not fit into input "
                f"{X[2:]} with padding {pairs}"
            )
        return {"stride": stride, "padding": pairs, "dilation": dilation, "groups": int(groups)}

    def _check_transpose(
        self,
        x: Any,
        w: Any,
        b: Any,
        *,
        stride: Any,
        padding: Any,
        output_padding: Any,
        groups: Any,
        dilation: Any,
    ) -> dict[str, Any]:
        name, d = self.transpose.name, self.d
        X, W = self._check_arrays(name, x, w, b, groups)
        if X[1] != W[0]:
            raise ShapeError(f"{name}: input has {X[1]} channels {X}, weight expects {W[0]} {W}")
        self._check_bias(name, b, W[1] * groups, W)
        if isinstance(padding, str) and padding != "valid":
            raise OptionError(f"{name}: padding must be a number here, got {padding!r}")
        stride, pairs, dilation = window_options(name, d, W[2:], stride, padding, dilation)
        rest = per_axis(output_padding, d, name, "output_padding", 0)
        if any(r >= s for r, s in zip(rest, stride, strict=True)):
            raise OptionError(f"{name}: output_padding {rest} must be smaller than stride {stride}")
        size = _transposed_size(X[2:], W[2:], stride, pairs, rest, dilation)
        if min(size) < 1:
            raise ShapeError(
                f"{name}: input {X[2:]}, kernel {W[2:]}, padding {pairs} would give size {size}"
            )
        return {
            "stride": stride,
            "padding": pairs,
            "output_padding": rest,
            "groups": int(groups),
            "dilation": dilation,
        }

    def _check_weight_grad(
        self, x: Any, g: Any, *, kernel: Any, stride: Any, padding: Any, dilation: Any, groups: Any
    ) -> dict[str, Any]:
        name, d = self.weight_grad.name, self.d
        X, G = np.shape(x), np.shape(g)
        if len(X) != d + 2 or len(G) != d + 2 or X[0] != G[0] or 0 in (*X[1:], *G[1:]):
            raise ShapeError(f"{name}: two ({layout(d)}) of one batch are needed, got {X}, {G}")
        _share_one_dtype(name, input=x, gradient=g)
        kernel = per_axis(kernel, d, name, "kernel", 1)
        stride, pairs, dilation = window_options(name, d, kernel, stride, padding, dilation)
        groups = integer(name, "groups", groups, least=1)
        out = output_sizes(X[2:], kernel, stride, pairs, dilation)
        if out != G[2:] or X[1] % groups or G[1] % groups:
            raise ShapeError(
                f"{name}: input {X} has {out} windows, the gradient at the output is {G}, with "
                f"groups={groups}"
            )
        return {
            "kernel": kernel,
            "stride": stride,
            "padding": pairs,
            "dilation": dilation,
            "groups": groups,
        }


def _share_one_dtype(name: str, **arrays: Any) -> None:
    dtypes = {which: np.asarray(a).dtype for which, a in arrays.items() if a is not None}
    distinct = set(dtypes.values())
    if len(distinct) > 1 or distinct.pop().kind != "f":
        listed = ", ".join(f"{which} {dtype}" for which, dtype in dtypes.items())
        raise DtypeError(
            f"{name}: inputs must share one floating dtype, got {listed}; cast with .astype"
        )


@functools.lru_cache(maxsize=1024)
def _transposed_size(
    size: Shape,
    kernel: Shape,
    stride: Shape,
    padding: Pairs,
    output_padding: Shape,
    dilation: Shape,
) -> Shape:
    """The smallest input whose convolution has this size, plus output_padding."""
    return tuple(
        (n - 1) * s - sum(p) + e * (k - 1) + rest + 1
        for n, k, s, p, rest, e in zip(
            size, kernel, stride, padding, output_padding, dilation, strict=True
        )
    )


def _weight_grad(
    x: Any, g: Any, *, kernel: Shape, stride: Any, padding: Any, dilation: Any, groups: int
) -> Any:
    """The gradient of a convolution at its weight: the input correlated with g."""
    return convolve_weight_grad(x, g, stride, padding, dilation, groups, kernel)


# --- definitions -----------------------------------------------------------------------------


def _define_convolution(
    at: Shape,
    x: Any,
    w: Any,
    b: Any,
    *,
    stride: Shape,
    padding: Pairs,
    dilation: Shape,
    groups: int,
) -> Any:
    n, o, *i = at
    first = o // (w.shape[0] // groups) * w.shape[1]  # the group's first input channel

    def products() -> Iterator[Any]:
        for c in range(w.shape[1]):
            for a in places(w.shape[2:]):
                place = read(tuple(i), a, stride, padding, dilation, x.shape[2:])
                if place is not None:
                    yield x[(n, first + c, *place)] * w[(o, c, *a)]

    total = add_up(products())
    return total if b is None else total + b[(o,)]


def _define_transpose(
    at: Shape,
    x: Any,
    w: Any,
    b: Any,
    *,
    stride: Shape,
    padding: Pairs,
    output_padding: Shape,
    groups: int,
    dilation: Shape,
) -> Any:
    n, channel, *place = at
    group, c = divmod(channel, w.shape[1])
    inputs = w.shape[0] // groups
    size = tuple(p + 1 for p in place)  # far enough to read `place`

    def products() -> Iterator[Any]:
        for o in range(group * inputs, (group + 1) * inputs):
            for i in places(x.shape[2:]):
                for a in places(w.shape[2:]):
                    if read(i, a, stride, padding, dilation, size) == tuple(place):
                        yield x[(n, o, *i)] * w[(o, c, *a)]

    total = add_up(products())
    return total if b is None else total + b[(channel,)]


def _define_weight_grad(
    at: Shape,
    x: Any,
    g: Any,
    *,
    kernel: Shape,
    stride: Shape,
    padding: Pairs,
    dilation: Shape,
    groups: int,
) -> Any:
    o, c, *a = at
    first = o // (g.shape[1] // groups) * (x.shape[1] // groups)

    def products() -> Iterator[Any]:
        for n in range(x.shape[0]):
            for i in places(g.shape[2:]):
                place = read(i, tuple(a), stride, padding, dilation, x.shape[2:])
                if place is not None:
                    yield x[(n, first + c, *place)] * g[(n, o, *i)]

    return add_up(products())


_CONV = """Convolution over {d} spatial axes.

    Args:
        x: the input, (N, C, {sizes}), or one example, (C, {sizes}).
        w: the kernels, (O, C/groups, …): one for each of O output channels.
        b: a bias for each output channel, (O,), or None.
        stride: how far the window moves; an int or {d} of them.
        padding: zeros around the input: an int, {d} ints, {d} (before, after) pairs, "valid",
            "same" = "same_upper" (odd padding goes after) or "same_lower" (before, the course's).
        dilation: the distance between kernel elements.
        groups: into how many groups input and output channels are split, each convolved by itself.

    Returns:
        (N, O, …), or (O, …), with ⌊(n + before + after − dilation·(k−1) − 1)/stride⌋ + 1 along
        each axis.

    Raises:
        ShapeError, DtypeError, OptionError: naming the sizes that do not fit.

    Example:
        >>> import numpy as np, tinygrad_cnn as tg
        >>> x, w = np.ones((1, 1, *[5] * {d})), np.ones((1, 1, *[3] * {d}))
        >>> tg.conv{d}d(x, w, padding=1).shape == x.shape
        True
    """
_TRANSPOSE = """Transposed convolution over {d} spatial axes: each input spreads out a kernel.

    It is the gradient of `conv{d}d` at its input; with a stride it makes images larger.

    Args:
        x: the input, (N, C, {sizes}), or one example, (C, {sizes}).
        w: the kernels, (C, O/groups, …): as for the convolution that it is the gradient of.
        b: a bias for each output channel, (O,), or None.
        stride: how far apart the kernels are laid down; an int or {d} of them.
        padding: how much is cut off at the border: an int, {d} ints or {d} (before, after) pairs.
        output_padding: how much is added at the end, to choose among the sizes whose convolution
            has x's size; smaller than the stride.
        groups: into how many groups input and output channels are split.
        dilation: the distance between kernel elements.

    Returns:
        (N, O, …), or (O, …), with (n−1)·stride − before − after + dilation·(k−1) + output_padding
        + 1 along each axis.

    Raises:
        ShapeError, DtypeError, OptionError: naming the sizes that do not fit.

    Example:
        >>> import numpy as np, tinygrad_cnn as tg
        >>> x, w = np.ones((1, 1, *[3] * {d})), np.ones((1, 1, *[2] * {d}))
        >>> tg.conv_transpose{d}d(x, w, stride=2).shape[2:] == (6,) * {d}
        True
    """

_one, _two, _three = _Family(1), _Family(2), _Family(3)
conv1d, conv_transpose1d, conv1d_weight_grad = _one.conv, _one.transpose, _one.weight_grad
conv2d, conv_transpose2d, conv2d_weight_grad = _two.conv, _two.transpose, _two.weight_grad
conv3d, conv_transpose3d, conv3d_weight_grad = _three.conv, _three.transpose, _three.weight_grad
