"""An array with some elements replaced: what writing into a part of it comes to."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..engine.op import constant
from ..ops import broadcast_to, reshape, where
from ..ops.shape import scatter_add


def positions(x: Any) -> Any:
    """The flat position of each element, in the shape of x."""
    shape = np.shape(constant(x))
    return np.arange(math.prod(shape)).reshape(shape)


def overwritten(x: Any, places: Any, new: Any, *, adding: bool = False) -> Any:
    """x with other elements at some places; gradients flow to what is kept and to what is new.

    Args:
        x: a Tensor or array.
        places: flat positions in x, an integer array of any shape. Of a place that is named twice
            the last element counts.
        new: the elements, broadcast to the shape of `places`.
        adding: add them to what is there, as often as a place is named.
    """
    shape = np.shape(constant(x))
    places = np.asarray(places)
    dtype = np.asarray(constant(x)).dtype
    if np.asarray(constant(new)).dtype != dtype:
        new = new.astype(dtype) if hasattr(new, "astype") else np.asarray(new, dtype)
    flat, at = reshape(broadcast_to(new, places.shape), -1), places.ravel()
    if not adding:
        last = len(at) - 1 - np.unique(at[::-1], return_index=True)[1]
        if len(last) < len(at):
            flat, at = flat[last], at[last]
    spread = reshape(scatter_add(flat, (at,), (math.prod(shape),)), shape)
    if adding:
        return x + spread
    mask = np.zeros(math.prod(shape), bool)
    mask[at] = True
    return spread if mask.all() else where(mask.reshape(shape), spread, x)
