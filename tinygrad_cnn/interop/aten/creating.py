"""Calls that make arrays: of one value, of numbers in order, of random numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...engine.defaults import generator
from .table import aten, dtype_of, numbers_of, plain


def _new(shape: Any, value: Any, dtype: Any) -> Any:
    if dtype is None:
        kinds = {bool: np.bool_, int: np.int64, float: np.float32}
        dtype = kinds.get(type(value), np.float32)
    return np.full(numbers_of(shape), plain(value), dtype)


@aten("full")
def _(size: Any, fill_value: Any, dtype: Any = None, **_: Any) -> Any:
    return _new(size, fill_value, dtype)


@aten("full_like")
def _(x: Any, fill_value: Any, dtype: Any = None, **_: Any) -> Any:
    return _new(np.shape(plain(x)), fill_value, dtype or dtype_of(x))


@aten("zeros", "empty.memory_format")
def _(size: Any, dtype: Any = None, **_: Any) -> Any:
    return _new(size, 0.0, dtype)


@aten("ones")
def _(size: Any, dtype: Any = None, **_: Any) -> Any:
    return _new(size, 1.0, dtype)


@aten("zeros_like", "empty_like")
def _(x: Any, dtype: Any = None, **_: Any) -> Any:
    return _new(np.shape(plain(x)), 0.0, dtype or dtype_of(x))


@aten("ones_like")
def _(x: Any, dtype: Any = None, **_: Any) -> Any:
    return _new(np.shape(plain(x)), 1.0, dtype or dtype_of(x))


@aten("new_zeros", "new_empty")
def _(x: Any, size: Any, dtype: Any = None, **_: Any) -> Any:
    return _new(size, 0.0, dtype or dtype_of(x))


@aten("new_ones")
def _(x: Any, size: Any, dtype: Any = None, **_: Any) -> Any:
    return _new(size, 1.0, dtype or dtype_of(x))


@aten("new_full")
def _(x: Any, size: Any, fill_value: Any, dtype: Any = None, **_: Any) -> Any:
    return _new(size, fill_value, dtype or dtype_of(x))


@aten("scalar_tensor")
def _(value: Any, dtype: Any = None, **_: Any) -> Any:
    return _new((), value, dtype or np.float32)


@aten("arange", "arange.start", "arange.start_step")
def _(*ends: Any, dtype: Any = None, **_: Any) -> Any:
    whole = all(isinstance(end, int | np.integer) for end in ends)
    return np.arange(*ends, dtype=dtype or (np.int64 if whole else np.float32))


@aten("linspace")
def _(start: Any, end: Any, steps: int, dtype: Any = None, **_: Any) -> Any:
    return np.linspace(start, end, steps, dtype=dtype or np.float32)


@aten("eye", "eye.m")
def _(n: int, m: int | None = None, dtype: Any = None, **_: Any) -> Any:
    return np.eye(n, m, dtype=dtype or np.float32)


@aten("meshgrid", "meshgrid.indexing")
def _(tensors: Any, indexing: str = "ij") -> Any:
    arrays: Any = [plain(x) for x in tensors]
    kind: Any = indexing
    return list(np.meshgrid(*arrays, indexing=kind))


@aten("one_hot")
def _(x: Any, num_classes: int = -1) -> Any:
    labels = np.asarray(plain(x))
    count = int(labels.max()) + 1 if num_classes == -1 else num_classes
    return (labels[..., None] == np.arange(count)).astype(np.int64)


# --- random numbers ----------------------------------------------------------------------------


def _drawn(draw: Callable[..., Any], name: str) -> None:
    """Declare what draws an array of a size, and one like another."""

    @aten(name)
    def _(size: Any, *, dtype: Any = None, **_: Any) -> Any:
        return draw(generator(), numbers_of(size)).astype(dtype or np.float32)

    @aten(f"{name}_like")
    def _(x: Any, *, dtype: Any = None, **_: Any) -> Any:
        return draw(generator(), np.shape(plain(x))).astype(dtype or dtype_of(x))


_drawn(lambda random, size: random.random(size), "rand")
_drawn(lambda random, size: random.normal(size=size), "randn")


@aten("bernoulli")
def _(p: Any, **_: Any) -> Any:
    return (generator().random(np.shape(plain(p))) < plain(p)).astype(dtype_of(p))


@aten("bernoulli.p")
def _(x: Any, p: float = 0.5, **_: Any) -> Any:
    return (generator().random(np.shape(plain(x))) < p).astype(dtype_of(x))
