"""A JAX function as it is; its inputs may be trees of arrays.

JAX is not imported by this file: whoever gives arrays of it has done so.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..numeric import EPS
from .base import (
    Array,
    Pull,
    Subject,
    argument_names,
    at_leaves,
    float32_alone,
    label,
    leaves,
    note_casts,
)

Run = Callable[..., Any]  # of arrays, to an array


def is_jax(inputs: Any) -> bool:
    """Whether an array of JAX is among the inputs."""
    jax = sys.modules.get("jax")
    return hasattr(jax, "Array") and any(isinstance(x, jax.Array) for x in leaves(inputs))  # type: ignore[union-attr]


class JaxSubject(Subject):
    """A function of JAX arrays, whose gradient `jax.vjp` computes.

    Args:
        names, arrays: what is differentiated.
        dtypes: the dtype to compute in, for each array.
        run: the function of these arrays; returns one array.
    """

    def __init__(
        self, names: list[str], arrays: list[Array], dtypes: Sequence[Any], run: Run
    ) -> None:
        super().__init__(names, arrays)
        self.dtypes, self.run = list(dtypes), run
        self.jax = sys.modules["jax"]

    def variables(self) -> list[Any]:
        """The current arrays as arrays of JAX."""
        # a copy, since JAX may share the memory that the check writes into
        return [
            self.jax.numpy.array(array, dtype=dtype, copy=True)
            for array, dtype in zip(self.arrays, self.dtypes, strict=True)
        ]

    def value(self) -> Array:
        return np.array(self.run(*self.variables()), np.float64)

    def record(self) -> tuple[Array, Pull]:
        y, pullback = self.jax.vjp(self.run, *self.variables())

        def pull(cotangent: Array) -> list[Any]:
            seed = self.jax.numpy.asarray(cotangent.reshape(y.shape), dtype=y.dtype)
            return [np.array(g, np.float64) for g in pullback(seed)]

        return np.array(y, np.float64), pull

    def gradient_in_float32(self, cotangent: Array) -> list[Any] | None:
        dtypes, self.dtypes = self.dtypes, [np.float32] * len(self.dtypes)
        try:
            return self.record()[1](cotangent)
        except TypeError:  # a float64 array inside
            return None
        finally:
            self.dtypes = dtypes

    def gradient(self, cotangent: Array, name: str) -> JaxSubject:
        jax = self.jax

        def run(*arrays: Any) -> Any:
            y, pullback = jax.vjp(self.run, *arrays[:-1])
            found = pullback(arrays[-1].reshape(y.shape).astype(y.dtype))
            return jax.numpy.concatenate([jax.numpy.ravel(g) for g in found])

        array = np.array(cotangent, np.float64, order="C")
        made = JaxSubject(
            [*self.names, name], [*self.arrays, array], [*self.dtypes, self.dtypes[0]], run
        )
        made.eps = self.eps
        return made


def jax_subject(f: Callable[..., Any], inputs: Sequence[Any]) -> JaxSubject:
    """The subject for a function of arrays, checked in float64 if it runs in that."""
    jax = sys.modules["jax"]
    labels = argument_names(f, len(inputs))
    names: list[str] = []
    sources: list[Any] = []
    chosen: dict[tuple[Any, ...], int] = {}

    def choose(x: Any, place: tuple[Any, ...]) -> None:
        if isinstance(x, jax.Array | np.ndarray) and jax.numpy.issubdtype(
            x.dtype, jax.numpy.floating
        ):
            chosen[place] = len(names)
            names.append(label(labels, place))
            sources.append(x)

    at_leaves(list(inputs), choose)

    def run(*arrays: Any) -> Any:
        def argument(x: Any, place: tuple[Any, ...]) -> Any:
            return arrays[chosen[place]] if place in chosen else x

        return _one_array(jax, f(*at_leaves(list(inputs), argument)))

    wide = [np.dtype(np.float64)] * len(names)
    subject = JaxSubject(names, [np.array(x, np.float64, order="C") for x in sources], wide, run)
    own = [x.dtype for x in sources]
    in_float64 = _x64(jax)
    in_float64.__enter__()
    subject.restores.append(lambda: in_float64.__exit__(None, None, None))
    try:
        y = run(*subject.variables())
    except Exception as error:
        subject.dtypes = own
        try:
            run(*subject.variables())
            refused = any(dtype != np.float64 for dtype in own)
        except Exception:  # it fails in either: the check says how
            refused = False
        if refused:
            subject.eps = float(max(jax.numpy.finfo(dtype).eps for dtype in own))
            float32_alone(subject, str(min(own, key=lambda d: np.dtype(d).itemsize)), error)
            return subject
        subject.dtypes = wide
    else:
        subject.eps = max(EPS, float(jax.numpy.finfo(y.dtype).eps))
        if subject.eps > EPS:
            subject.notes.append(
                f"the function returned {y.dtype} for float64: it is judged by the error bar that "
                "this allows"
            )
    note_casts(subject, own)
    return subject


def _x64(jax: Any) -> Any:
    """A context in which JAX computes in float64."""
    if hasattr(jax, "enable_x64"):
        return jax.enable_x64(True)
    return importlib.import_module("jax.experimental").enable_x64()


def _one_array(jax: Any, y: Any) -> Any:
    """The result as one array: several are flattened and joined; whole numbers are left out."""
    numbers = [jax.numpy.asarray(part) for part in jax.tree_util.tree_leaves(y)]
    parts = [p for p in numbers if jax.numpy.issubdtype(p.dtype, jax.numpy.floating)]
    if not parts:
        raise TypeError("f returned no floating array")
    if len(parts) == 1:
        return parts[0]
    return jax.numpy.concatenate([p.reshape(-1) for p in parts])
