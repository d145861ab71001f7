"""One interface to whatever is checked: float64 arrays to perturb, a value, and a backward pass."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...engine.op import Op
from ..numeric import EPS

Array = np.ndarray[Any, Any]
Pull = Callable[[Array], list[Any]]


class Subject:
    """A function to be checked, at a point.

    Attributes:
        names: the names of the differentiated inputs, parameters last.
        arrays: their values in float64, which the check perturbs in place.
        eps: the precision that the function computes in; its values are points of that grid.
        notes: sentences for the report, e.g. about casts.
        restores: functions that undo what preparing changed, called in reverse order.
    """

    def __init__(self, names: list[str], arrays: list[Array]) -> None:
        self.names, self.arrays = names, arrays
        self.eps = EPS
        self.notes: list[str] = []
        self.restores: list[Callable[[], None]] = []

    def value(self) -> Array:
        """The function's value at the current arrays, as a new float array."""
        raise NotImplementedError

    def record(self) -> tuple[Array, Pull]:
        """The value, and the map from a cotangent to a gradient (or None) for each input."""
        raise NotImplementedError

    def gradient_in_float32(self, cotangent: Array) -> list[Any] | None:
        """The gradient as a float32 run computes it; None if that cannot be told."""
        return None

    def gradient(self, cotangent: Array, name: str) -> Subject:
        """The subject whose value is this one's gradient; the cotangent is a further input.

        Raises:
            NotImplementedError: the gradient is not a function that can be differentiated.
        """
        raise NotImplementedError

    def conditions(self) -> list[Array]:
        """The conditions of every `where` in the latest record, as far as it shows them."""
        return []

    def close(self) -> None:
        """Put everything back as it was."""
        while self.restores:
            self.restores.pop()()

    def __enter__(self) -> Subject:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def argument_names(f: Callable[..., Any], count: int) -> list[str]:
    """The names of f's inputs from its signature; `input0` and so on where it has none."""
    known: Sequence[str] = ()
    if isinstance(f, Op):
        known = f.inputs
    else:
        try:
            known = [p.name for p in positional(f)]
        except (TypeError, ValueError):
            known = ()
    return [known[i] if i < len(known) else f"input{i}" for i in range(count)]


def positional(f: Callable[..., Any]) -> list[inspect.Parameter]:
    """The positional parameters of a function, or of the forward of a Module or a Function.

    Raises:
        TypeError, ValueError: it has no signature.
    """
    owner = getattr(f, "__self__", None)
    applied = isinstance(owner, type) and getattr(f, "__name__", "") == "apply"
    forward = getattr(owner if applied else f, "forward", f)
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    found = [p for p in inspect.signature(forward).parameters.values() if p.kind in kinds]
    # the context is no input, unless `setup_context` gets it
    return found[1:] if applied and "setup_context" not in vars(owner) else found


Place = tuple[Any, ...]


def at_leaves(value: Any, change: Callable[[Any, Place], Any], place: Place = ()) -> Any:
    """The same lists, tuples and dicts, with each leaf changed: `change(leaf, place)`."""
    if isinstance(value, dict):
        return {k: at_leaves(v, change, (*place, k)) for k, v in value.items()}
    if isinstance(value, list | tuple):
        made = [at_leaves(v, change, (*place, i)) for i, v in enumerate(value)]
        if isinstance(value, list):
            return made
        return type(value)(*made) if hasattr(value, "_fields") else tuple(made)
    return change(value, place)


def leaves(value: Any) -> list[Any]:
    """All that lists, tuples and dicts hold."""
    found: list[Any] = []
    at_leaves(value, lambda leaf, _: found.append(leaf))
    return found


def label(names: Sequence[str], place: Place) -> str:
    """What a leaf of the inputs is called, such as ``hx[1]``."""
    return names[place[0]] + "".join(f"[{key!r}]" for key in place[1:])


def float32_alone(subject: Subject, dtype: str, error: Exception) -> None:
    """Say that a function refuses float64, and so is judged by what its own precision allows."""
    subject.notes.append(
        f"the function was run in {dtype}, since in float64 it failed ({type(error).__name__}: "
        f"{' '.join(str(error).split())[:120]}); it is judged by the error bar that {dtype} "
        f"allows: an error below {subject.eps**0.5:.0e} of a gradient does not show"
    )


def note_casts(subject: Subject, dtypes: list[Any]) -> None:
    """Note which of the subject's inputs had another dtype than float64."""
    cast = [
        f"{name} ({dtype})"
        for name, dtype in zip(subject.names, dtypes, strict=True)
        if dtype != np.float64
    ]
    if cast:
        listed = ", ".join(cast[:4]) + (f" and {len(cast) - 4} more" if len(cast) > 4 else "")
        subject.notes.append(f"computed in float64; cast from: {listed}")
