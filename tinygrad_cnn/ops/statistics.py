"""Reductions with a formula: variance, standard deviation, norm, log-sum-exp; and running sums."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from ..engine.definition import add_up, places
from ..engine.op import Shape, constant, op
from ..errors import OptionError
from .axes import Axis, axes_checked, elements, need_elements, one_axis, reduced_axes, with_ones
from .elementwise import exp, floating, where
from .moving import flip
from .options import flag, number
from .softmax import log_sum_exp


@op
def var(x: Any, *, axis: Axis = None, ddof: float = 0, keepdims: bool = False) -> Any:
    """The variance over `axis`: squared distances from the mean, summed, ÷ (n − ddof).

    ddof ("degrees of freedom") is a number, whole or not, from 0 to less than n.

    Raises:
        ShapeError, DtypeError: an axis out of range, given twice, or no int.
        OptionError: ddof that leaves nothing to divide by.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.var(tg.Tensor([1.0, 3.0])).item(), tg.var(tg.Tensor([1.0, 3.0]), ddof=1).item()
        (1.0, 2.0)
    """
    return _spread(np.var, x, axis=axis, ddof=ddof, keepdims=keepdims)


@op
def std(x: Any, *, axis: Axis = None, ddof: float = 0, keepdims: bool = False) -> Any:
    """The standard deviation over `axis`, √var. Where it is 0 its gradient is taken as 0.

    Raises:
        ShapeError, DtypeError: an axis out of range, given twice, or no int.
        OptionError: ddof that leaves nothing to divide by.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.std(tg.Tensor([[1.0, 3.0], [2.0, 2.0]]), axis=1)
        Tensor([1., 0.])
    """
    return _spread(np.std, x, axis=axis, ddof=ddof, keepdims=keepdims)


def _spread(measure: Any, x: Any, axis: Any, **options: Any) -> Any:
    """var or std. The first element is subtracted first, so that equal elements give exactly 0."""
    x = floating(x)
    wide = x.astype(np.result_type(x.dtype, np.float32), copy=False)  # float16 would overflow
    first = wide[tuple(slice(1) if a in axis else slice(None) for a in range(x.ndim))]
    return measure(wide - first, axis=axis, **options).astype(x.dtype)


for _op in (var, std):

    @_op.check
    def _(
        x: Any, *, axis: Axis, ddof: float, keepdims: bool, name: str = _op.name
    ) -> dict[str, Any]:
        axes = reduced_axes(axis, np.ndim(x), name)
        count = math.prod(np.shape(x)[a] for a in axes)
        ddof = number(name, "ddof", ddof, least=0)
        if ddof >= max(count, 1):
            raise OptionError(
                f"{name}: ddof must be less than the number of elements, {count} of "
                f"{np.shape(x)}, got {ddof!r}"
            )
        return {"axis": axes, "ddof": ddof, "keepdims": flag(name, "keepdims", keepdims)}

    _op.multiply_adds(lambda out, x, **o: 2 * math.prod(x))


def _centred(x: Any, axis: tuple[int, ...]) -> Any:
    return x - x.mean(axis=axis, keepdims=True)


def _divisor(x: Any, axis: tuple[int, ...], ddof: float) -> float:
    """n − ddof; 1 if there are no elements, since then there is no gradient to divide."""
    return math.prod(x.shape[a] for a in axis) - ddof or 1


@var.vjp
def _(g: Any, y: Any, x: Any, *, axis: tuple[int, ...], ddof: float, keepdims: bool) -> Any:
    scale = g.reshape(with_ones(x.shape, axis)) * (2 / _divisor(x, axis, ddof))
    return scale * _centred(x, axis)


@std.vjp
def _(g: Any, y: Any, x: Any, *, axis: tuple[int, ...], ddof: float, keepdims: bool) -> Any:
    shape = with_ones(x.shape, axis)
    zero = np.reshape(constant(y) == 0, shape)
    scale = g.reshape(shape) / where(zero, 1.0, y.reshape(shape))
    return where(zero, 0.0, scale * _centred(x, axis) / _divisor(x, axis, ddof))


def _variance_of(at: Shape, x: Any, axis: tuple[int, ...], ddof: float, keepdims: bool) -> Any:
    values = [x[i] for i in elements(at, x.shape, axis, keepdims)]
    mean = add_up(values) / len(values)
    return add_up((value - mean) ** 2 for value in values) / (len(values) - ddof)


@var.definition
def _(at: Shape, x: Any, *, axis: tuple[int, ...], ddof: float, keepdims: bool) -> Any:
    return _variance_of(at, x, axis, ddof, keepdims)


@std.definition
def _(at: Shape, x: Any, *, axis: tuple[int, ...], ddof: float, keepdims: bool) -> Any:
    return _variance_of(at, x, axis, ddof, keepdims) ** 0.5


def _reduced(y: Any, axis: Any, keepdims: bool) -> Any:
    """A result with its reduced axes of size 1: as it is, or without them."""
    return y if keepdims else y.reshape([n for a, n in enumerate(y.shape) if a not in axis])


@axes_checked
@op
def norm(x: Any, *, axis: Axis = None, keepdims: bool = False) -> Any:
    """The Euclidean norm over `axis`, √Σx². Where it is 0 its gradient is taken as 0.

    Raises:
        ShapeError, DtypeError: an axis out of range, given twice, or no int.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.norm(tg.Tensor([[3.0, 4.0], [0.0, 0.0]]), axis=1)
        Tensor([5., 0.])
    """
    x = floating(x)
    largest = np.max(np.abs(x), axis=axis, keepdims=True, initial=0)
    scale = np.where((largest == 0) | ~np.isfinite(largest), 1, largest).astype(x.dtype)
    y = np.sqrt(np.sum((x / scale) ** 2, axis=axis, keepdims=True)) * scale  # no overflow
    return _reduced(y, axis, keepdims)


@norm.vjp
def _(g: Any, y: Any, x: Any, *, axis: tuple[int, ...], keepdims: bool) -> Any:
    shape = with_ones(x.shape, axis)
    zero = np.reshape(constant(y) == 0, shape)
    return where(zero, 0.0, g.reshape(shape) * (x / where(zero, 1.0, y.reshape(shape))))


@norm.definition
def _(at: Shape, x: Any, *, axis: tuple[int, ...], keepdims: bool) -> Any:
    return add_up(x[i] ** 2 for i in elements(at, x.shape, axis, keepdims)) ** 0.5


@axes_checked
@op
def logsumexp(x: Any, *, axis: Axis = None, keepdims: bool = False) -> Any:
    """log Σ eˣ over `axis`; stable for x of any size.

    If all elements are −∞, it is −∞, and its gradient is taken as 0.

    Raises:
        ShapeError, DtypeError: an axis out of range, given twice, or no int.

    Example:
        >>> import numpy as np, tinygrad_cnn as tg
        >>> round(tg.logsumexp(np.array([1000.0, 1000.0])).item() - 1000, 4)  # log 2
        0.6931
    """
    x = floating(x)
    largest = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    shift = np.where(np.isfinite(largest), largest, 0).astype(x.dtype)
    with np.errstate(divide="ignore"):
        y = np.log(np.sum(np.exp(x - shift), axis=axis, keepdims=True)) + shift
    return _reduced(y, axis, keepdims)


@logsumexp.vjp
def _(g: Any, y: Any, x: Any, *, axis: tuple[int, ...], keepdims: bool) -> Any:
    shape = with_ones(x.shape, axis)
    empty = np.reshape(constant(y) == -np.inf, shape)  # −∞ − (−∞) would be NaN
    return g.reshape(shape) * exp(x - where(empty, 0.0, y.reshape(shape)))


@logsumexp.definition
def _(at: Shape, x: Any, *, axis: tuple[int, ...], keepdims: bool) -> Any:
    return log_sum_exp([x[i] for i in elements(at, x.shape, axis, keepdims)])


@op
def cumsum(x: Any, *, axis: int | None = None) -> Any:
    """The running sum along an axis; of the flattened input if `axis` is None.

    Raises:
        ShapeError, DtypeError: an axis out of range, or no int.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.cumsum(tg.Tensor([1.0, 2.0, 3.0]))
        Tensor([1., 3., 6.])
    """
    return np.cumsum(x, axis=axis)


@cumsum.check
def _(x: Any, *, axis: int | None) -> dict[str, Any]:
    return {"axis": None if axis is None else one_axis(axis, np.ndim(x), "cumsum")}


@cumsum.vjp
def _(g: Any, y: Any, x: Any, *, axis: int | None) -> Any:
    along = 0 if axis is None else axis
    return flip(cumsum(flip(g, along), along), along).reshape(x.shape)


@cumsum.definition
def _(at: Shape, x: Any, *, axis: int | None) -> Any:
    if axis is None:
        return add_up(x[i] for i in itertools.islice(places(x.shape), at[0] + 1))
    return add_up(x[(*at[:axis], i, *at[axis + 1 :])] for i in range(at[axis] + 1))


def argmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """Where the largest element is, the first of equal ones: plain integers, with no gradient.

    With ``axis=None`` the flattened input is searched.

    Raises:
        ShapeError: an axis out of range, or nothing to search.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.argmax(tg.Tensor([[1.0, 5.0, 5.0], [3.0, 2.0, 1.0]]), axis=1).tolist()
        [1, 0]
    """
    values = np.asarray(constant(x))
    along = None if axis is None else one_axis(axis, values.ndim, "argmax")
    need_elements("argmax", values.shape, reduced_axes(along, values.ndim, "argmax"))
    return np.argmax(values, axis=along, keepdims=flag("argmax", "keepdims", keepdims))
