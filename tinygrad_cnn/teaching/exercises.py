"""Exercises: answers that a student fills in, and checks that say what is wrong with them.

An exercise leaves ``...`` where the answer goes:

    gradient = ...
    check("gradient", gradient, 12.0)

Run as it stands, that prints "not filled in yet"; it never raises, so the rest still runs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..engine.op import constant
from ..errors import OptionError
from ..gradcheck import gradcheck

_UNFINISHED = "not filled in yet. Put your answer in place of the dots."


def check(
    name: str,
    answer: Any,
    expected: Any,
    *,
    kernel: tuple[tuple[int, ...], Callable[[np.ndarray[Any, Any]], Any]] | None = None,
    tolerance: float = 1e-6,
) -> None:
    """Print whether an answer is right, and if not, what is wrong.

    Args:
        name: what the answer is called.
        answer, expected, tolerance: as for `explain`.
        kernel: for questions with many right answers: the shape that an answer must have, and a
            function of it. Then the function's result is compared with `expected`.

    Example:
        >>> check("sum", 6, 6.0)
        sum: right.
        >>> check("row", [1, 2, 5], [1, 2, 3])
        row: not yet. 1 of 3 values is wrong: at [2] you have 5, which is too large.
        >>> check("weights", [1, 4], 6, kernel=((2,), lambda w: w @ [2, 1]))
        weights: right.
        >>> check("weights", [1, 4, 0], 6, kernel=((2,), lambda w: w @ [2, 1]))
        weights: not yet. The shape is (3,), and should be (2,).
    """
    if kernel is not None and not _unfinished(answer):
        shape, use = kernel
        try:
            given = np.asarray(answer, dtype=float)
        except (ValueError, TypeError):  # rows of different lengths, dots inside, words
            print(f"{name}: not yet. {answer!r} is not an array of shape {shape}.")
            return
        if given.shape != shape:
            print(f"{name}: not yet. The shape is {given.shape}, and should be {shape}.")
            return
        answer = use(given)
    print(f"{name}: {explain(answer, expected, tolerance=tolerance) or 'right.'}")


def explain(answer: Any, expected: Any, *, tolerance: float = 1e-6) -> str | None:
    """What is wrong with an answer, without giving the right one away; None if it is right.

    Args:
        answer: a number, nested lists, an array, a Scalar or a Tensor; ``...`` if not given yet.
        expected: the right answer, in any of these forms.
        tolerance: how far off a value may be: this times the right value's size, at least 1.

    Example:
        >>> explain(2.0, -2.0)
        'not yet. The size is right, the sign is not.'
        >>> explain([1, 2, 3, 4], [[1, 2], [3, 4]])
        'not yet. The shape is (4,), and should be (2, 2).'
    """
    if _unfinished(answer):
        return _UNFINISHED
    right = np.asarray(constant(expected), dtype=float)
    try:
        given = np.asarray(constant(answer))
    except ValueError:  # rows of different lengths
        return f"not yet. {answer!r} is not {_kind(right)}."
    if given.dtype.kind not in "biuf":
        return f"not yet. {answer!r} is not {_kind(right)}."
    given = given.astype(float)
    if given.shape != right.shape:
        if not (given.shape and right.shape):
            return f"not yet. This is {_kind(given)}, and should be {_kind(right)}."
        return f"not yet. The shape is {given.shape}, and should be {right.shape}."

    def fits(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return np.abs(values - right) <= tolerance * np.maximum(1.0, np.abs(right))

    wrong = ~fits(given)  # so that a NaN is wrong
    if not wrong.any():
        return None
    if fits(-given).all():
        return "not yet. The size is right, the sign is not."
    if right.ndim > 1 and given.T.shape == right.shape and fits(given.T).all():
        return "not yet. The values are right, but transposed."
    at = tuple(int(i) for i in np.argwhere(wrong)[0])
    side = "too small" if given[at] < right[at] else "too large"
    side = side if np.isfinite(given[at]) else "not finite"
    if not right.shape:
        return f"not yet. {given[at]:.6g} is {side}."
    count, verb = int(wrong.sum()), "is" if wrong.sum() == 1 else "are"
    return (
        f"not yet. {count} of {wrong.size} values {verb} wrong: "
        f"at {list(at)} you have {given[at]:.6g}, which is {side}."
    )


def check_function(
    answer: Callable[..., Any],
    expected: Callable[..., Any],
    cases: Iterable[tuple[Any, ...]],
    *,
    tolerance: float = 1e-6,
) -> None:
    """Print whether a function gives what it should in every case, and if not, the first failure.

    Args:
        answer: the student's function.
        expected: a function that gives the right results: the engine, or finite differences.
        cases: argument tuples for both.
        tolerance: as for `explain`.

    Raises:
        OptionError: there are no cases.

    Example:
        >>> def half(n):
        ...     return n / 2
        >>> check_function(half, lambda n: n // 2, [(4,), (6,), (7,)])
        half: not yet. half(7) gives 3.5, and should give 3.
        >>> check_function(half, lambda n: n // 2, [(4,), (6,)])
        half: right in all 2 cases.
    """
    cases = list(cases)
    if not cases:
        raise OptionError("check_function: there are no cases to check")
    problem = next(
        filter(None, (_failure(answer, expected, case, tolerance) for case in cases)), None
    )
    print(f"{answer.__name__}: {problem or f'right in all {len(cases)} cases.'}")


def check_gradient(vjp: Callable[..., Any], f: Callable[..., Any], inputs: Any) -> None:
    """Print whether a function gives the gradient of f, and if not, what a gradient check finds.

    Args:
        vjp: the student's: ``vjp(g, *arrays)``, with g the gradient at f's output.
        f: a function of plain arrays.
        inputs: an array or a list of arrays for both.

    Example:
        >>> def cube_vjp(g, x):
        ...     return g * 2 * x**2
        >>> check_gradient(cube_vjp, lambda x: x**3, np.array([1.0, 2.0, 3.0]))
        cube_vjp: not yet. The gradient for 'x' is off by a constant factor of 2/3.
    """
    arrays = list(inputs) if isinstance(inputs, tuple | list) else [inputs]
    with contextlib.suppress(Exception):  # the check runs it again, and says what was raised
        if _unfinished(vjp(np.ones_like(f(*arrays)), *arrays)):
            print(f"{vjp.__name__}: {_UNFINISHED}")
            return
    report = gradcheck(f, arrays, vjp=vjp)
    wrong = report.diagnosis[0].upper() + report.diagnosis[1:]
    print(f"{vjp.__name__}: {'right.' if report else f'not yet. {wrong}.'}")


def _failure(
    answer: Callable[..., Any],
    expected: Callable[..., Any],
    case: tuple[Any, ...],
    tolerance: float,
) -> str | None:
    call = f"{answer.__name__}({', '.join(map(str, case))})"
    right = expected(*case)
    try:
        given = answer(*case)
    except Exception as error:  # a student's code may raise anything: report it, and go on
        return f"not yet. {call} raised {type(error).__name__}: {error}"
    if _unfinished(given):
        return _UNFINISHED
    if explain(given, right, tolerance=tolerance) is None:
        return None
    return f"not yet. {call} gives {_said(given)}, and should give {_said(right)}."


def _unfinished(answer: Any) -> bool:
    if isinstance(answer, tuple | list):
        return any(map(_unfinished, answer))
    return answer is ...


def _said(value: Any) -> str:
    value = constant(value)
    return f"{value:.6g}" if isinstance(value, int | float | np.number) else str(value)


def _kind(array: np.ndarray[Any, Any]) -> str:
    return f"an array of shape {array.shape}" if array.shape else "a number"
