"""The analytic Jacobian, as the code under test computes it: one row per one-hot cotangent."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..errors import DtypeError, ShapeError
from .subjects.base import Array, Pull, Subject


class Analytic(NamedTuple):
    """The claimed Jacobians, (outputs, inputs) each, and which inputs got no gradient at all."""

    jacobians: list[Array]
    missing: list[bool]  # no gradient came back at all; the Jacobian is then 0


def jacobians(subject: Subject, pull: Pull, size: int) -> Analytic:
    """The claimed Jacobians, from one backward pass for each output element.

    Raises:
        ShapeError, DtypeError: a gradient does not fit its input.
    """
    found = [np.zeros((size, *array.shape)) for array in subject.arrays]
    missing = [True] * len(found)
    for i in range(size):
        one_hot = np.zeros(size)
        one_hot[i] = 1.0
        for k, gradient in enumerate(gradients(subject, pull, one_hot)):
            if gradient is not None:
                found[k][i] = gradient
                missing[k] = False
    flat = [j.reshape(size, a.size) for j, a in zip(found, subject.arrays, strict=True)]
    return Analytic(flat, missing)


def gradients(subject: Subject, pull: Pull, cotangent: Array) -> list[Any]:
    """The gradient for each input, or None. Its shape and dtype must be those of the input.

    Raises:
        ShapeError, DtypeError: a gradient does not fit its input.
    """
    found = pull(cotangent)
    for name, array, gradient in zip(subject.names, subject.arrays, found, strict=True):
        if gradient is None:
            continue
        if gradient.shape != array.shape:
            raise ShapeError(
                f"the gradient for '{name}' has shape {gradient.shape}, the input {array.shape}"
            )
        if gradient.dtype != array.dtype:
            raise DtypeError(
                f"the gradient for '{name}' is {gradient.dtype}, the input {array.dtype}: "
                "gradients are checked in float64, so let the function compute in it, too (in JAX, "
                'jax.config.update("jax_enable_x64", True))'
            )
    return found
