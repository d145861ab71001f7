"""Calls that reduce axes, sort, or multiply matrices."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ... import ops
from .table import ATEN, aten, cast, dtype_of, numbers_of, plain


def _axes(dim: Any) -> tuple[int, ...] | None:
    """Axes as ours; PyTorch's empty list is all of them."""
    return None if dim is None else numbers_of(dim) or None


def _floating(x: Any, dtype: Any) -> Any:
    return x if dtype is None else cast(x, dtype)


@aten("sum", "sum.dim_IntList")
def _(x: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    if dtype is None and dtype_of(x).kind in "biu":
        dtype = np.dtype(np.int64)
    return ops.sum(_floating(x, dtype), _axes(dim), keepdim)


@aten("mean", "mean.dim")
def _(x: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    return ops.mean(_floating(x, dtype), _axes(dim), keepdim)


@aten("prod", "prod.dim_int")
def _(x: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    return ops.prod(_floating(x, dtype), _axes(dim), keepdim)


@aten("amax")
def _(x: Any, dim: Any = (), keepdim: bool = False) -> Any:
    return _shared_extreme(x, _axes(dim), keepdim, ops.max)


@aten("amin")
def _(x: Any, dim: Any = (), keepdim: bool = False) -> Any:
    return _shared_extreme(x, _axes(dim), keepdim, ops.min)


def _shared_extreme(x: Any, axis: Any, keepdim: bool, extreme: Any) -> Any:
    """amax and amin: equal elements share the gradient evenly, unlike max."""
    top = extreme(plain(x), axis, True)
    ties = plain(x) == top
    if dtype_of(x).kind != "f" or ties.sum() == np.size(top):
        return extreme(x, axis, keepdim)
    weights = ties / ties.sum(axis=axis, keepdims=True)
    finite = np.where(ties, plain(x), 0)
    return ops.sum(ops.where(ties, x, finite) * weights.astype(dtype_of(x)), axis, keepdim)


@aten("max")
def _(x: Any) -> Any:
    return _shared_extreme(x, None, False, ops.max)


@aten("min")
def _(x: Any) -> Any:
    return _shared_extreme(x, None, False, ops.min)


@aten("max.dim")
def _(x: Any, dim: int, keepdim: bool = False) -> Any:
    return ops.max(x, dim, keepdim), _arg(np.argmax, x, dim, keepdim)


@aten("min.dim")
def _(x: Any, dim: int, keepdim: bool = False) -> Any:
    return ops.min(x, dim, keepdim), _arg(np.argmin, x, dim, keepdim)


@aten("argmax")
def _(x: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    return _arg(np.argmax, x, dim, keepdim)


@aten("argmin")
def _(x: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    return _arg(np.argmin, x, dim, keepdim)


def _arg(function: Any, x: Any, dim: int | None, keepdim: bool) -> Any:
    return np.asarray(function(plain(x), axis=dim, keepdims=keepdim))


@aten("var.correction", "var.dim", "var")
def _(
    x: Any, dim: Any = None, unbiased: bool = True, keepdim: bool = False, *, correction: Any = None
) -> Any:
    return ops.var(x, _axes(dim), _ddof(unbiased, correction), keepdim)


@aten("std.correction", "std.dim", "std")
def _(
    x: Any, dim: Any = None, unbiased: bool = True, keepdim: bool = False, *, correction: Any = None
) -> Any:
    return ops.std(x, _axes(dim), _ddof(unbiased, correction), keepdim)


@aten("var_mean.correction", "var_mean.dim")
def _(
    x: Any, dim: Any = None, unbiased: bool = True, keepdim: bool = False, *, correction: Any = None
) -> Any:
    axes = _axes(dim)
    return ops.var(x, axes, _ddof(unbiased, correction), keepdim), ops.mean(x, axes, keepdim)


@aten("std_mean.correction", "std_mean.dim")
def _(
    x: Any, dim: Any = None, unbiased: bool = True, keepdim: bool = False, *, correction: Any = None
) -> Any:
    axes = _axes(dim)
    return ops.std(x, axes, _ddof(unbiased, correction), keepdim), ops.mean(x, axes, keepdim)


def _ddof(unbiased: bool, correction: Any) -> Any:
    return int(unbiased) if correction is None else correction


@aten("logsumexp")
def _(x: Any, dim: Any, keepdim: bool = False) -> Any:
    return ops.logsumexp(x, _axes(dim), keepdim)


@aten("linalg_vector_norm", "norm.ScalarOpt_dim", "norm.Scalar")
def _(x: Any, ord: Any = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    x, axes = _floating(x, dtype), _axes(dim)
    if ord is None or ord == 2:
        return ops.norm(x, axes, keepdim)
    size = ops.absolute(x)
    if ord == math.inf:
        return _shared_extreme(size, axes, keepdim, ops.max)
    if ord == -math.inf:
        return _shared_extreme(size, axes, keepdim, ops.min)
    if ord == 0:
        return np.sum(plain(x) != 0, axis=axes, keepdims=keepdim).astype(dtype_of(x))
    if ord == 1:
        return ops.sum(size, axes, keepdim)
    total = ops.sum(_power(size, float(ord)), axes, keepdim)
    return _power(total, 1 / float(ord))


def _power(x: Any, exponent: float) -> Any:
    """x to a power, for x ≥ 0; at 0 the gradient is 0, also where the slope is infinite."""
    if exponent >= 1:
        return ops.power(x, exponent)
    zero = plain(x) == 0
    return ops.where(zero, 0.0, ops.power(ops.where(zero, 1.0, x), exponent))


@aten("cdist", "_cdist_forward")
def _(a: Any, b: Any, p: float = 2.0, compute_mode: int | None = None) -> Any:
    """(…, P, M) and (…, R, M) → (…, P, R): the length of each difference."""
    apart = ops.subtract(ops.expand_dims(a, -2), ops.expand_dims(b, -3))
    return ATEN["linalg_vector_norm.default"](apart, p, [-1])


@aten("pdist", "_pdist_forward")
def _(x: Any, p: float = 2.0) -> Any:
    rows, columns = np.triu_indices(x.shape[0], 1)
    apart = ops.subtract(ops.take(x, rows, 0), ops.take(x, columns, 0))
    return ATEN["linalg_vector_norm.default"](apart, p, [-1])


@aten("cumsum")
def _(x: Any, dim: int, *, dtype: Any = None) -> Any:
    if dtype is None and dtype_of(x).kind in "biu":
        dtype = np.dtype(np.int64)
    if np.ndim(plain(x)) == 0:
        return _floating(x, dtype)
    return ops.cumsum(_floating(x, dtype), dim)


@aten("cumprod")
def _(x: Any, dim: int, *, dtype: Any = None) -> Any:
    x = _floating(x, dtype)
    return _running(x, dim, ops.multiply)


@aten("logcumsumexp")
def _(x: Any, dim: int) -> Any:
    return _running(x, dim, ATEN["logaddexp.default"])


def _running(x: Any, dim: int, joined: Any) -> Any:
    """Along an axis, each element joined with what those before it came to."""
    if np.ndim(plain(x)) == 0:
        return x
    steps = [ops.getitem(x, (*(slice(None),) * (dim % x.ndim), i)) for i in range(x.shape[dim])]
    for i in range(1, len(steps)):
        steps[i] = joined(steps[i - 1], steps[i])
    return ops.stack(steps, dim)


@aten("any", "any.dim", "any.dims")
def _(x: Any, dim: Any = None, keepdim: bool = False) -> Any:
    return np.any(plain(x), axis=_axes(dim), keepdims=keepdim)


@aten("all", "all.dim", "all.dims")
def _(x: Any, dim: Any = None, keepdim: bool = False) -> Any:
    return np.all(plain(x), axis=_axes(dim), keepdims=keepdim)


# --- order -------------------------------------------------------------------------------------


def _chosen(x: Any, order: Any, dim: int) -> tuple[Any, Any]:
    """The elements that an order along one axis names, and the order."""
    index: list[Any] = list(np.ogrid[tuple(slice(n) for n in order.shape)])
    index[dim % x.ndim] = order
    return ops.getitem(x, tuple(np.broadcast_to(i, order.shape) for i in index)), order


@aten("sort", "sort.stable")
def _(x: Any, *args: Any, dim: int = -1, descending: bool = False, **_: Any) -> Any:
    plainly = [a for a in args if a is not None]
    if plainly:
        dim, descending = (*plainly, descending)[:2]
    return _chosen(x, _order(x, dim, descending), dim)


@aten("argsort", "argsort.stable")
def _(x: Any, dim: int = -1, descending: bool = False, **_: Any) -> Any:
    return _order(x, dim, descending)


def _order(x: Any, dim: int, descending: bool) -> Any:
    values = np.asarray(plain(x))
    if not descending:
        return np.argsort(values, axis=dim, kind="stable")
    flipped = np.argsort(np.flip(values, dim), axis=dim, kind="stable")
    return values.shape[dim] - 1 - np.flip(flipped, dim)


@aten("topk")
def _(x: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    order = np.take(_order(x, dim, largest), range(k), axis=dim)
    return _chosen(x, order, dim)


# --- matrices ----------------------------------------------------------------------------------


@aten("matmul", "mm", "bmm", "mv", "dot")
def _(a: Any, b: Any) -> Any:
    return ops.matmul(a, b)


@aten("linear")
def _(x: Any, weight: Any, bias: Any = None) -> Any:
    return ops.linear(x, weight, bias)


@aten("addmm", "baddbmm")
def _(x: Any, a: Any, b: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
    product = ops.matmul(a, b)
    product = product if alpha == 1 else ops.multiply(product, alpha)
    return product if beta == 0 else ops.add(x if beta == 1 else ops.multiply(x, beta), product)


@aten("einsum")
def _(equation: str, operands: Any, **_: Any) -> Any:
    return ops.einsum(equation, *operands)


@aten("bilinear")
def _(a: Any, b: Any, weight: Any, bias: Any = None) -> Any:
    y = ops.einsum("...i,oij,...j->...o", a, weight, b)
    return y if bias is None else ops.add(y, bias)


@aten("outer", "ger")
def _(a: Any, b: Any) -> Any:
    return ops.outer(a, b)


@aten("trace")
def _(x: Any) -> Any:
    return ops.sum(ops.multiply(x, np.eye(*x.shape, dtype=dtype_of(x))))
