"""What autograd and mygrad call our ops: for each a table, op → the same function there.

Both have NumPy's functions by NumPy's names. A function of a table is called
``f(engine, *inputs, **options)``; `assume` keeps away from what an engine cannot do.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import assume

from .oracles_torch import Oracle, pairs_of

# What an engine has by name, but not for gradients.
AUTOGRAD_WITHOUT = {
    **dict.fromkeys(["ceil", "floor", "round", "sign", "trunc"], "a gradient of 0, with a warning"),
    "fmod": "no gradient is defined there",
    "astype": "no gradient is defined there",
    "flip": "no gradient is defined there",
    "take": "no gradient is defined there",
}
MYGRAD_WITHOUT = dict.fromkeys(
    ["ceil", "floor", "fmod", "remainder", "sign", "trunc"], "no gradient is defined there"
)


def _by_keyword(name: str) -> Oracle:
    return lambda engine, *xs, **o: getattr(engine, name)(*xs, **o)


def _in_order(name: str) -> Oracle:
    return lambda engine, *xs, **o: getattr(engine, name)(*xs, *o.values())


def _norm(engine: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    assume(x.ndim and axis != () and (axis is None or isinstance(axis, int) or len(axis) == 1))
    axis = axis[0] if isinstance(axis, tuple) else axis
    return engine.linalg.norm(x, axis=axis, keepdims=keepdims)


def _clip(engine: Any, x: Any, low: Any, high: Any) -> Any:
    x = x if low is None else engine.maximum(x, low)
    return x if high is None else engine.minimum(x, high)


def _softplus(engine: Any, x: Any, beta: float, threshold: float) -> Any:
    return engine.where(x * beta > threshold, x, engine.logaddexp(x * beta, 0.0) / beta)


NUMPY: dict[str, Oracle] = {
    "clip": _clip,
    "concatenate": lambda engine, *xs, axis: engine.concatenate(xs, axis),
    "einsum": lambda engine, *xs, inputs, output: engine.einsum(
        f"{','.join(inputs)}->{output}", *xs
    ),
    "getitem": lambda engine, x, index: x[index],
    "norm": _norm,
    "residual_add": lambda engine, skip, branch: skip + branch,
    "softplus": _softplus,
    "stack": lambda engine, *xs, axis: engine.stack(xs, axis),
}
for _name in [
    "absolute", "add", "cos", "cosh", "divide", "exp", "exp2", "expm1", "log", "log10", "log1p",
    "log2", "matmul", "max", "maximum", "mean", "min", "minimum", "multiply", "negative", "power",
    "prod", "reciprocal", "sin", "sinh", "sqrt", "square", "std", "subtract", "sum", "tan", "tanh",
    "var", "where",
]:  # fmt: skip
    NUMPY[_name] = _by_keyword(_name)
for _name in [
    "broadcast_to", "cumsum", "expand_dims", "moveaxis", "repeat", "reshape", "roll",
    "squeeze", "transpose",
]:  # fmt: skip
    NUMPY[_name] = _in_order(_name)


def _from_scipy(name: str) -> Oracle:
    def call(engine: Any, x: Any, **options: Any) -> Any:
        special = pytest.importorskip("autograd.scipy.special", exc_type=ImportError)
        return getattr(special, name)(x, **options)

    return call


def _log_sum_exp(engine: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    assume(x.ndim)
    return _from_scipy("logsumexp")(engine, x, axis=axis, keepdims=keepdims)


def _if(able: Callable[..., bool], name: str) -> Oracle:
    """NumPy's function, where its gradient in autograd is right."""

    def call(engine: Any, *xs: Any, **options: Any) -> Any:
        assume(able(*xs, **options))
        return (NUMPY.get(name) or _by_keyword(name))(engine, *xs, **options)

    return call


AUTOGRAD: dict[str, Oracle] = {
    **{name: oracle for name, oracle in NUMPY.items() if name not in AUTOGRAD_WITHOUT},
    "atan": _by_keyword("arctan"),
    "broadcast_to": _if(lambda x, shape: len(shape) == x.ndim, "broadcast_to"),
    "einsum": _if(
        lambda *xs, inputs, output: all(len({*term}) == len(term) for term in inputs), "einsum"
    ),
    "erf": _from_scipy("erf"),
    "logsumexp": _log_sum_exp,
    "norm": _if(lambda x, axis, keepdims: not keepdims, "norm"),
    "outer": _if(lambda a, b: a.ndim == b.ndim == 1, "outer"),
    "pad": _if(lambda x, mode, **o: mode == "constant" and x.ndim > 0, "pad"),
    "remainder": _by_keyword("remainder"),
    "repeat": _if(
        lambda x, repeats, axis: isinstance(repeats, int) and (axis is None or axis >= 0), "repeat"
    ),
    "roll": _if(lambda x, shift, axis: isinstance(shift, int), "roll"),
    "sigmoid": _from_scipy("expit"),
    "split": lambda engine, x, sections, axis: engine.split(x, sections, axis),
    "transpose": _if(lambda x, axes: axes is None or min(axes, default=0) >= 0, "transpose"),
    "where": _if(lambda condition, a, b: condition.shape == a.shape == b.shape, "where"),
}


def _nnet() -> Any:
    return importlib.import_module("mygrad.nnet")


def _net(name: str) -> Oracle:
    return lambda engine, *xs, **options: getattr(_nnet(), name)(*xs, **options)


def _net_convolution(
    engine: Any, x: Any, w: Any, b: Any, stride: Any, padding: Any, dilation: Any, groups: int
) -> Any:
    """The windows must fit exactly, and both sides have the same padding."""
    kernel = w.shape[2:]
    pairs = pairs_of(padding, kernel, dilation)
    strides = (stride,) * len(kernel) if isinstance(stride, int) else stride
    assume(groups == 1 and all(before == after for before, after in pairs))
    for n, k, s, (p, _), e in zip(x.shape[2:], kernel, strides, pairs, dilation, strict=True):
        assume((n + 2 * p - (k - 1) * e - 1) % s == 0 and n + 2 * p >= k * e)
    sides = tuple(before for before, _ in pairs)
    y = _nnet().conv_nd(x, w, stride=strides, padding=sides, dilation=dilation)
    return y if b is None else y + b.reshape(-1, *(1,) * len(kernel))


def _net_max_pool(engine: Any, x: Any, kernel_size: Any, stride: Any, **options: Any) -> Any:
    strides = (stride,) * len(kernel_size) if isinstance(stride, int) else stride or kernel_size
    assume(not np.any(options["padding"]) and set(options["dilation"]) == {1})
    for n, k, s in zip(x.shape[2:], kernel_size, strides, strict=True):
        assume(n >= k and (n - k) % s == 0)
    return _nnet().max_pool(x, kernel_size, strides)


def _net_batch_norm(engine: Any, x: Any, weight: Any, bias: Any, eps: float) -> Any:
    axes = tuple(a for a in range(x.ndim) if a != 1)
    y = _nnet().batchnorm(x, gamma=weight, beta=bias, eps=eps)
    return y, engine.mean(x, axes), engine.var(x, axes)


def _net_cross_entropy(engine: Any, x: Any, target: Any, reduction: str, **options: Any) -> Any:
    assume(not options and x.ndim == 2 and target.ndim == 1 and reduction == "mean")
    return _nnet().softmax_crossentropy(x, target)


def _net_likelihood(engine: Any, x: Any, target: Any, reduction: str, **options: Any) -> Any:
    assume(not options and x.ndim == 2 and target.ndim == 1 and reduction == "mean")
    return _nnet().negative_log_likelihood(x, target)


MYGRAD: dict[str, Oracle] = {
    **NUMPY,
    "batch_norm_train": _net_batch_norm,
    "cross_entropy": _net_cross_entropy,
    "elu": _net("elu"),
    "leaky_relu": lambda engine, x, negative_slope: _nnet().leaky_relu(x, negative_slope),
    "log_softmax": _net("logsoftmax"),
    "nll_loss": _net_likelihood,
    "relu": _net("relu"),
    "sigmoid": _net("sigmoid"),
    "softmax": _net("softmax"),
}
for _d in (1, 2, 3):
    MYGRAD |= {f"conv{_d}d": _net_convolution, f"max_pool{_d}d": _net_max_pool}
