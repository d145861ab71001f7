"""Arguments of `gradcheck` that mean nothing: one clear error for each."""

from __future__ import annotations

import inspect
import numbers
from collections.abc import Callable
from typing import Any

from ..engine.op import Op
from ..errors import OptionError


def check_options(
    f: Any,
    inputs: Any,
    vjp: Callable[..., Any] | None,
    order: Any,
    mode: Any,
    seed: Any,
    rtol: Any,
    atol: Any,
    nondet_tol: Any,
) -> None:
    """Refuse what `gradcheck` cannot use.

    Raises:
        OptionError: says which argument, its value, and what was expected.
    """
    if not _whole(order) or order < 1:
        raise OptionError(f"gradcheck: order must be 1, 2, 3 …, got {order!r}")
    if mode not in ("full", "random"):
        raise OptionError(f"gradcheck: mode must be 'full' or 'random', got {mode!r}")
    if order > 1 and vjp is not None:
        raise OptionError(
            f"gradcheck: order={order} needs a function of Tensors (of this project, PyTorch or "
            "JAX); leave vjp out"
        )
    if vjp is not None and not callable(vjp):
        raise OptionError(f"gradcheck: vjp must be a function, got {type(vjp).__name__}")
    if not _whole(seed) or seed < 0:
        raise OptionError(f"gradcheck: seed must be a whole number of at least 0, got {seed!r}")
    for name, value in (("rtol", rtol), ("atol", atol), ("nondet_tol", nondet_tol)):
        if value is None and name != "nondet_tol":
            continue
        real = isinstance(value, numbers.Real) and not isinstance(value, bool)
        if not real or not value >= 0:
            raise OptionError(f"gradcheck: {name} must be a number of at least 0, got {value!r}")
    _check_inputs(f, inputs)


def _whole(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _check_inputs(f: Any, inputs: Any) -> None:
    """A list of numbers is one input to its writer, and as many inputs to `gradcheck`."""
    if isinstance(inputs, dict | str | set) or inputs is None:
        raise OptionError(
            "gradcheck: inputs must be an array or a Tensor, or a sequence of them, got "
            f"{type(inputs).__name__}"
        )
    if not isinstance(inputs, list | tuple) or not inputs:
        return
    if all(isinstance(x, numbers.Real) for x in inputs) and not _takes(f, len(inputs)):
        raise OptionError(
            f"gradcheck: inputs is a list of {len(inputs)} numbers, which are so many inputs, and "
            "f does not take that many: if they are one input, write np.array([…])"
        )


def _takes(f: Any, count: int) -> bool:
    if isinstance(f, Op):
        return f.variadic or len(f.inputs) >= count
    try:
        inspect.signature(getattr(f, "forward", f)).bind(*range(count))
    except TypeError:
        return False
    except ValueError:  # it has no signature
        return True
    return True
