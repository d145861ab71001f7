"""Ops that work on each element by itself, broadcasting as NumPy does.

The vjps are one line each: the cotangent times the derivative. `single` is the same function on
one Python float, which Scalars use.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from ..engine.definition import broadcast_index
from ..engine.op import Op, Shape, constant, op
from ..errors import DtypeError, OptionError

_NEVER_RAISE = {operator.add, operator.sub, operator.mul, operator.neg, abs}


def _one(fast: Callable[..., float], forward: Callable[..., Any]) -> Callable[..., float]:
    """A function of Python floats that follows IEEE (inf, nan) where Python would raise."""

    def single(*numbers: float) -> float:
        try:
            return fast(*numbers)
        except (ArithmeticError, ValueError):
            return float(forward(*map(np.float64, numbers)))

    return single


def _elementwise(
    forward: Callable[..., Any],
    fast: Callable[..., float],
    *vjps: Callable[..., Any] | None,
    symbol: str | None = None,
    doc: str | None = None,
) -> Op:
    name = forward.__name__.strip("_")
    single = fast if fast in _NEVER_RAISE else _one(fast, forward)
    declared: Op = op(name, forward, *vjps, elementwise=True, single=single, symbol=symbol)
    declared.__doc__ = doc or forward.__doc__
    return declared


# --- arithmetic ------------------------------------------------------------------------------

add = _elementwise(
    np.add, operator.add, lambda g, y, a, b: g, lambda g, y, a, b: g, symbol="+", doc="a + b."
)
subtract = _elementwise(
    np.subtract,
    operator.sub,
    lambda g, y, a, b: g,
    lambda g, y, a, b: -g,
    symbol="−",
    doc="a − b.",
)
multiply = _elementwise(
    np.multiply,
    operator.mul,
    lambda g, y, a, b: g * b,
    lambda g, y, a, b: g * a,
    symbol="×",
    doc="a · b, element by element.",
)
divide = _elementwise(
    np.divide,
    operator.truediv,
    lambda g, y, a, b: g / b,
    lambda g, y, a, b: -g * y / b,
    symbol="÷",
    doc="a / b; at b = 0 it is ±∞, or NaN for 0 / 0.",
)
negative = _elementwise(np.negative, operator.neg, lambda g, y, x: -g, symbol="−", doc="−x.")
absolute = _elementwise(
    np.absolute,
    abs,
    lambda g, y, x: g * np.sign(constant(x)),
    symbol="|·|",
    doc="|x|; the gradient at 0 is 0.",
)


def _power_vjp_base(g: Any, y: Any, a: Any, b: Any) -> Any:
    if isinstance(b, int | float):
        return g * (b * a ** (b - 1)) if b else g * 0.0
    zero = constant(b) == 0  # 0 · a⁻¹ is 0, also at a = 0
    return g * where(zero, 0.0, b * a ** where(zero, 1.0, b - 1.0))


def _power_vjp_exponent(g: Any, y: Any, a: Any, b: Any) -> Any:
    zero = (constant(a) == 0) & (constant(b) >= 0)  # 0ᵇ does not change with b
    return g * y * log(where(zero, 1.0, a))


power = _elementwise(
    np.power,
    math.pow,
    _power_vjp_base,
    _power_vjp_exponent,
    symbol="**",
    doc="""a to the power of b. 0⁰ is 1, with a gradient of 0 at both.

    A negative base needs a whole exponent; otherwise the result is NaN. The gradient at the
    exponent is aᵇ·log a: NaN for a negative base, 0 at a = 0 for b ≥ 0.

    Example:
        >>> import tinygrad_cnn as tg
        >>> x = tg.Tensor([0.0, 3.0], requires_grad=True)
        >>> y = x**2 + x**0
        >>> y.sum().backward()
        >>> y.numpy().tolist(), x.grad.numpy().tolist()
        ([1.0, 10.0], [0.0, 6.0])
    """,
)


def _where(condition: Any, a: Any, b: Any) -> Any:
    """`a` where the condition holds, else `b`. No gradient flows to the condition.

    Each element of the gradient goes to the side that was taken, and a plain 0 to the other, even
    if that is infinite or NaN. But a 0 that flows on into log or sqrt at 0 meets a slope of ∞, and
    0 · ∞ is NaN. So make the input safe as well:

    Example:
        >>> import tinygrad_cnn as tg
        >>> x = tg.Tensor([0.0, 4.0], requires_grad=True)
        >>> taken = x.data > 0
        >>> tg.where(taken, tg.sqrt(tg.where(taken, x, 1.0)), 0.0).sum().backward()
        >>> x.grad
        Tensor([0.  , 0.25])
    """
    return np.where(condition, a, b)


where: Op = _elementwise(
    _where,
    lambda condition, a, b: a if condition else b,
    None,
    lambda g, y, condition, a, b: where(constant(condition), g, 0.0),
    lambda g, y, condition, a, b: where(constant(condition), 0.0, g),
)


def _wins(beats: Any, b: Any, a: Any) -> Any:
    """Where b wins over a, which does if they are equal; NaN wins over all but another NaN."""
    a, b = constant(a), constant(b)
    return beats(b, a) | ((b != b) & (a == a))


def _first_wins(beats: Any) -> tuple[Any, Any]:
    """The vjps of maximum or minimum: the one that wins gets the gradient, a if they are equal."""
    return (
        lambda g, y, a, b: where(_wins(beats, b, a), 0.0, g),
        lambda g, y, a, b: where(_wins(beats, b, a), g, 0.0),
    )


maximum = _elementwise(
    np.maximum,
    lambda a, b: b if b > a or b != b else a,
    *_first_wins(operator.gt),
    doc="The larger of a and b, NaN if one is NaN; if they are equal, a gets the gradient.",
)
minimum = _elementwise(
    np.minimum,
    lambda a, b: b if b < a or b != b else a,
    *_first_wins(operator.lt),
    doc="The smaller of a and b, NaN if one is NaN; if they are equal, a gets the gradient.",
)

# --- functions of one number -----------------------------------------------------------------


def _relu(x: Any) -> Any:
    """The larger of x and 0; NaN stays NaN. The gradient at 0 and at NaN is 0."""
    return np.maximum(x, 0)


def floating(x: Any) -> Any:
    """x; integers and booleans as float64, since small integers would overflow silently."""
    x = np.asarray(x)
    return x.astype(np.float64) if x.dtype.kind in "iub" else x


def _sigmoid(x: Any) -> Any:
    """1 / (1 + e⁻ˣ), computed without overflow."""
    x = floating(x)
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


def _sigmoid_of_one(x: float) -> float:
    e = math.exp(-abs(x))
    return (1.0 if x >= 0 else e) / (1.0 + e)


def _rsqrt(x: Any) -> Any:
    return 1.0 / np.sqrt(x)


def _reciprocal(x: Any) -> Any:
    return np.divide(1.0, x)  # np.reciprocal of integers would be one


def _atan(x: Any) -> Any:
    return np.arctan(x)


exp = _elementwise(np.exp, math.exp, lambda g, y, x: g * y, doc="eˣ.")
log: Op = _elementwise(
    np.log, math.log, lambda g, y, x: g / x, doc="The natural logarithm; −∞ at 0, with slope ∞."
)
expm1 = _elementwise(
    np.expm1, math.expm1, lambda g, y, x: g * (y + 1), doc="eˣ − 1, to all digits near 0."
)
log1p = _elementwise(
    np.log1p, math.log1p, lambda g, y, x: g / (1 + x), doc="log(1 + x), to all digits near 0."
)
square = _elementwise(np.square, lambda x: x * x, lambda g, y, x: g * (2 * x), doc="x².")
sqrt = _elementwise(
    np.sqrt, math.sqrt, lambda g, y, x: g / (2 * y), doc="√x; the gradient at 0 is ∞."
)
rsqrt = _elementwise(
    _rsqrt, lambda x: 1.0 / math.sqrt(x), lambda g, y, x: g * (-0.5 * y / x), doc="1/√x; ∞ at 0."
)
reciprocal: Op = _elementwise(
    _reciprocal, lambda x: 1.0 / x, lambda g, y, x: -g * y * y, doc="1/x; ±∞ at 0."
)
log2 = _elementwise(
    np.log2, math.log2, lambda g, y, x: g / (x * math.log(2)), doc="The logarithm to base 2."
)
log10 = _elementwise(
    np.log10, math.log10, lambda g, y, x: g / (x * math.log(10)), doc="The logarithm to base 10."
)
exp2 = _elementwise(
    np.exp2, lambda x: 2.0**x, lambda g, y, x: g * (y * math.log(2)), doc="2 to the power of x."
)
sin: Op = _elementwise(np.sin, math.sin, lambda g, y, x: g * cos(x), doc="sin x, x in radians.")
cos: Op = _elementwise(np.cos, math.cos, lambda g, y, x: -g * sin(x), doc="cos x, x in radians.")
tan = _elementwise(np.tan, math.tan, lambda g, y, x: g * (1 + y * y), doc="tan x, x in radians.")
atan = _elementwise(
    _atan, math.atan, lambda g, y, x: g / (1 + x * x), doc="The angle in −π/2 … π/2 whose tan is x."
)
sinh: Op = _elementwise(np.sinh, math.sinh, lambda g, y, x: g * cosh(x), doc="(eˣ − e⁻ˣ)/2.")
cosh: Op = _elementwise(np.cosh, math.cosh, lambda g, y, x: g * sinh(x), doc="(eˣ + e⁻ˣ)/2.")
tanh = _elementwise(np.tanh, math.tanh, lambda g, y, x: g * (1 - y * y), doc="tanh x.")
sigmoid = _elementwise(_sigmoid, _sigmoid_of_one, lambda g, y, x: g * (y * (1 - y)))
relu = _elementwise(
    _relu, lambda x: x if x > 0 or x != x else 0.0, lambda g, y, x: g * (constant(x) > 0)
)


# --- steps: constant but for jumps -----------------------------------------------------------


def _step(forward: Callable[..., Any], fast: Callable[[float], float], doc: str) -> Op:
    return _elementwise(
        forward, lambda x: float(fast(x)), lambda g, y, x: where(False, g, 0.0), doc=doc
    )


def _round(x: Any) -> Any:
    return np.rint(x)


floor = _step(np.floor, math.floor, "The largest whole number ≤ x; the gradient is 0.")
ceil = _step(np.ceil, math.ceil, "The smallest whole number ≥ x; the gradient is 0.")
trunc = _step(np.trunc, math.trunc, "x without its fraction; the gradient is 0.")
round = _step(
    _round, float.__round__, "The nearest whole number, of two the even one; the gradient is 0."
)
sign = _step(
    np.sign,
    lambda x: (x > 0) - (x < 0) if x == x else x,
    "−1, 0 or 1, and NaN of NaN; the gradient is 0.",
)


def _quotient(a: Any, y: Any, b: Any) -> Any:
    """How often b was taken from a: a whole number, which is constant but for jumps."""
    return np.rint((constant(a) - constant(y)) / constant(b))


def _remainder_of(forward: Callable[..., Any], fast: Callable[..., float], doc: str) -> Op:
    declared = _elementwise(
        forward, fast, lambda g, y, a, b: g, lambda g, y, a, b: -g * _quotient(a, y, b), doc=doc
    )

    @declared.check
    def _(a: Any, b: Any) -> dict[str, Any]:
        if np.result_type(a, b).kind in "iub" and not np.all(b):
            raise DtypeError(
                f"{declared.name}: of integers there is none by 0; of floats it is NaN"
            )
        return {}

    return declared


remainder = _remainder_of(
    np.remainder,
    operator.mod,
    """a − ⌊a/b⌋·b, which has the sign of b; NaN for b = 0. The gradient at b is −⌊a/b⌋.

    Raises:
        DtypeError: integers divided by 0.
    """,
)
fmod = _remainder_of(
    np.fmod,
    math.fmod,
    """What is left of a, without its sign, divided by b; it has the sign of a. NaN for b = 0.

    Raises:
        DtypeError: integers divided by 0.
    """,
)


@op(elementwise=True)
def clip(x: Any, min: Any = None, max: Any = None) -> Any:
    """x, but no less than `min` and no more than `max`; the gradient passes in min ≤ x ≤ max.

    Elsewhere it goes to the bound. This is ``minimum(maximum(x, min), max)``.

    Args:
        min, max: numbers, or arrays that broadcast with x; None for no bound. Where min > max, the
            result is max.

    Raises:
        OptionError: neither bound is given.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.clip(tg.Tensor([-2.0, 0.5, 2.0]), -1, 1)
        Tensor([-1. ,  0.5,  1. ])
    """
    return np.clip(x, min, max)


@clip.check
def _(x: Any, min: Any, max: Any) -> dict[str, Any]:
    if min is None and max is None:
        raise OptionError("clip: give min, max, or both")
    return {}


def _bound_taken(x: Any, min: Any, max: Any) -> tuple[Any, Any]:
    """Where the result is `min`, and where it is `max`."""
    low = np.False_ if min is None else _wins(operator.gt, min, x)
    if max is None:
        return low, np.False_
    raised = constant(x) if min is None else np.maximum(constant(x), constant(min))
    high = _wins(operator.lt, max, raised)
    return low & np.logical_not(high), high


def _clip_vjp(g: Any, y: Any, x: Any, min: Any, max: Any) -> Any:
    low, high = _bound_taken(x, min, max)
    return where(low | high, 0.0, g)


clip.vjp(
    _clip_vjp,
    lambda g, y, x, min, max: where(_bound_taken(x, min, max)[0], g, 0.0),
    lambda g, y, x, min, max: where(_bound_taken(x, min, max)[1], g, 0.0),
)


@clip.definition
def _(at: Shape, x: Any, min: Any, max: Any) -> Any:
    value, low, high = (v if v is None else v[broadcast_index(at, v.shape)] for v in (x, min, max))
    if low is not None and low > value:
        value = low
    return high if high is not None and high < value else value
