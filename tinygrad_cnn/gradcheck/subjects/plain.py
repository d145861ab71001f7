"""A function of plain arrays, and its gradient as a second function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...engine.tensor import Tensor
from ...errors import DtypeError, ShapeError
from .base import Array, Pull, Subject, argument_names, note_casts


class PlainSubject(Subject):
    """A function of plain arrays and its separate gradient, `vjp(cotangent, *arrays)`."""

    def __init__(self, f: Callable[..., Any], inputs: list[Any], vjp: Callable[..., Any]) -> None:
        values = [np.asarray(x.node.value if isinstance(x, Tensor) else x) for x in inputs]
        self.f, self.vjp = f, vjp
        self.places = [i for i, value in enumerate(values) if value.dtype.kind == "f"]
        names = argument_names(f, len(values))
        super().__init__(
            [names[i] for i in self.places],
            [np.array(values[i], np.float64, order="C") for i in self.places],
        )
        self.arguments = values
        for i, array in zip(self.places, self.arrays, strict=True):
            self.arguments[i] = array
        note_casts(self, [np.asarray(inputs[i]).dtype for i in self.places])

    def value(self) -> Array:
        return _as_output(self.f(*self.arguments))

    def record(self) -> tuple[Array, Pull]:
        value = self.value()

        def pull(cotangent: Array) -> list[Any]:
            found = self.vjp(cotangent.reshape(value.shape), *self.arguments)
            gradients = list(found) if isinstance(found, tuple | list) else [found]
            if len(gradients) == len(self.arguments):
                gradients = [gradients[i] for i in self.places]
            if len(gradients) != len(self.places):
                raise ShapeError(
                    f"vjp returned {len(gradients)} gradients for {len(self.places)} inputs "
                    f"({', '.join(self.names)}): return a tuple of arrays, one for each input"
                )
            return [None if g is None else np.asarray(g) for g in gradients]

        return value, pull


def _as_output(y: Any) -> Array:
    if isinstance(y, tuple | list):
        return np.concatenate([np.ravel(_as_output(part)) for part in y])
    if y is None:
        raise DtypeError("f returned None: it must return an array")
    y = np.array(y, copy=True)
    return y if y.dtype.kind == "f" else y.astype(np.float64)
