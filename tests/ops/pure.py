"""Runs an op's definition on numbers that know Scalar arithmetic and nothing else.

Anything else (a NumPy function, an op, the array behind the cells) fails. So a definition that
passes is a textbook formula, all of whose operations `zoom` can draw.
"""

from __future__ import annotations

import math
import operator
from typing import Any
from unittest import mock

import numpy as np

from tinygrad_cnn.engine.op import Op


class NotScalarArithmetic(Exception):
    """A definition did something that Scalars cannot."""


def refuse(*_: Any, **__: Any) -> Any:
    raise NotScalarArithmetic("a definition may use Scalar arithmetic only")


class Number:
    """A float with the operators and methods of a Scalar, which NumPy and ops refuse."""

    __array_ufunc__ = None
    __array__ = refuse

    def __init__(self, value: float) -> None:
        self.value = value

    def __float__(self) -> float:
        return self.value

    def __getattr__(self, name: str) -> Any:
        return refuse()


def value_of(x: Any) -> float:
    if isinstance(x, Number):
        return x.value
    return float(x) if type(x) in (int, float, bool) else refuse()


def _binary(name: str) -> None:
    compute = getattr(operator, name)
    comparison = name in {"lt", "le", "gt", "ge", "eq", "ne"}

    def method(self: Number, other: Any) -> Any:
        result = compute(self.value, value_of(other))
        return result if comparison else Number(result)

    def reflected(self: Number, other: Any) -> Any:
        return Number(compute(value_of(other), self.value))

    setattr(Number, f"__{name}__", method)
    if not comparison:
        setattr(Number, f"__r{name}__", reflected)


def _unary(name: str, compute: Any) -> None:
    setattr(Number, name, lambda self: Number(compute(self.value)))


for _name in ("add", "sub", "mul", "truediv", "pow", "lt", "le", "gt", "ge", "eq", "ne"):
    _binary(_name)
for _name in ("exp", "expm1", "log", "log1p", "sqrt", "sin", "cos", "tanh", "erf"):
    _unary(_name, getattr(math, _name))
_unary("__neg__", operator.neg)
_unary("__abs__", abs)
_unary("relu", lambda x: max(x, 0.0))
_unary("sigmoid", lambda x: 1 / (1 + math.exp(-x)))


class Numbers:
    """An input of a definition: a shape, and a Number at each index."""

    def __init__(self, array: Any) -> None:
        self._array = np.asarray(array)
        self.shape = self._array.shape

    def __getitem__(self, index: tuple[int, ...]) -> Number:
        return Number(float(self._array[index]))

    def __getattr__(self, name: str) -> Any:
        return refuse()

    __array_ufunc__ = None
    __array__ = __add__ = __radd__ = __mul__ = __rmul__ = refuse


def only_scalar_arithmetic(
    op: Op, at: tuple[int, ...], inputs: Any, options: dict[str, Any]
) -> float:
    """The definition's value at one output index.

    An elementwise op without a definition is itself one operation of Scalars, so it passes.

    Raises:
        NotScalarArithmetic: the definition is more than that.
    """
    if op.elementwise and op._definition is None:
        cells = [np.asarray(x)[_read(at, np.shape(x))] for x in inputs]
        return float(op(*map(float, cells)))
    numbers = [None if x is None else Numbers(x) for x in inputs]
    try:
        with mock.patch.object(Op, "__call__", refuse):
            return value_of(op.define(at, numbers, options))
    except (TypeError, AttributeError) as error:  # how Python and NumPy refuse a Number
        raise NotScalarArithmetic(str(error)) from error


def _read(at: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    tail = at[len(at) - len(shape) :]
    return tuple(0 if n == 1 else i for i, n in zip(tail, shape, strict=True))
