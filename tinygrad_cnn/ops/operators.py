"""The table that gives Tensor and Scalar their operators and methods."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from ..engine.context import current_mode
from ..engine.node import Handle
from ..engine.op import constant
from ..engine.scalar import Scalar
from ..engine.tensor import Tensor
from ..errors import DtypeError, ShapeError
from . import activation, matmul, moving, reduce, selecting, shape, softmax, statistics
from . import elementwise as e
from .axes import one_axis

_ARITHMETIC = {
    "add": e.add,
    "sub": e.subtract,
    "mul": e.multiply,
    "truediv": e.divide,
    "pow": e.power,
}
_COMPARISONS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
_METHODS: dict[str, Callable[..., Any]] = {
    "__neg__": e.negative,
    "__abs__": e.absolute,
    "abs": e.absolute,
    **{f.name: f for f in (e.exp, e.expm1, e.log, e.log1p, e.sqrt, e.square, e.sin, e.cos, e.tanh)},
    **{f.name: f for f in (e.sigmoid, e.relu, activation.erf)},
}
_TENSOR_METHODS: dict[str, Callable[..., Any]] = {
    "__getitem__": shape.getitem,
    "__matmul__": matmul.matmul,
    "clip": e.clip,
    "softmax": softmax.softmax,
    "log_softmax": softmax.log_softmax,
    "argmax": statistics.argmax,
    "masked_fill": selecting.masked_fill,
    **{f.name: f for f in (reduce.sum, reduce.mean, reduce.max, reduce.min, reduce.prod)},
    **{f.name: f for f in (statistics.var, statistics.std, statistics.cumsum)},
    **{f.name: f for f in (moving.squeeze, moving.repeat, moving.take, shape.astype)},
}


def _method(op: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Any, *args: Any, **options: Any) -> Any:
        return op(self, *args, **options)

    method.__doc__ = op.__doc__
    return method


def _reflected(op: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Any, other: Any) -> Any:
        return op(other, self)

    return method


def _comparison(name: str) -> Callable[..., Any]:
    compare, sign = getattr(operator, name), _COMPARISONS[name]

    def method(self: Any, other: Any) -> Any:
        try:
            return compare(self.node.value, constant(other))
        except ValueError as error:
            raise ShapeError(f"{sign}: {error}") from None
        except TypeError:
            kinds = f"{self.node.dtype} with {type(other).__name__}"
            raise DtypeError(f"{sign}: cannot compare {kinds}") from None

    method.__doc__ = "Element by element; a plain array (a bool for Scalars), with no gradient."
    return method


def _reshape(self: Tensor, *sizes: Any) -> Any:
    """The same elements in another shape: ``x.reshape(2, -1)`` or ``x.reshape((2, -1))``."""
    return shape.reshape(self, sizes[0] if len(sizes) == 1 else sizes)


def _transpose(self: Tensor, *axes: Any) -> Any:
    """Axes in another order, ``x.transpose(1, 0)`` or ``x.transpose((1, 0))``; else reversed."""
    if not axes:
        return shape.transpose(self)
    return shape.transpose(self, axes[0] if isinstance(axes[0], tuple | list) else axes)


def _swapaxes(self: Tensor, a: int, b: int) -> Any:
    """Two axes exchanged."""
    a, b = (one_axis(axis, self.ndim, "swapaxes") for axis in (a, b))
    axes = list(range(self.ndim))
    axes[a], axes[b] = axes[b], axes[a]
    return shape.transpose(self, tuple(axes))


def _install(grain: type[Handle], methods: dict[str, Callable[..., Any]]) -> None:
    for name, op in methods.items():
        setattr(grain, name, _method(op))


def _set_item(self: Tensor, index: Any, value: Any) -> None:
    raise TypeError(
        "a Tensor's elements cannot be assigned, since its graph may need them: build a new one, "
        "e.g. with where(), or set all of .data"
    )


def _in_place(name: str, compute: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """``t -= …``: a new Tensor while recording; a new value of the same one under no_grad()."""

    def method(self: Tensor, other: Any) -> Any:
        if current_mode().recording:
            return compute(self, other)
        self._replace(compute(self.node.value, np.asarray(constant(other))), name)
        return self

    return method


for _grain in (Tensor, Scalar):
    _install(_grain, _METHODS)
    for _name, _op in _ARITHMETIC.items():
        setattr(_grain, f"__{_name}__", _op.as_operator(_grain))
        setattr(_grain, f"__r{_name}__", _reflected(_op))
    for _name in _COMPARISONS:
        setattr(_grain, f"__{_name}__", _comparison(_name))

_install(Tensor, _TENSOR_METHODS)
for _name, _function in {
    "__rmatmul__": _reflected(matmul.matmul),
    "__setitem__": _set_item,
    "reshape": _reshape,
    "transpose": _transpose,
    "T": property(_transpose),
    "flatten": lambda self: shape.reshape(self, -1),
    "swapaxes": _swapaxes,
    **{
        f"__i{name}__": _in_place(f"__i{name}__", getattr(operator, name))
        for name in ("add", "sub", "mul", "truediv")
    },
}.items():
    setattr(Tensor, _name, _function)
