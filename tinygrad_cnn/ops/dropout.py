"""Dropout (Srivastava et al. 2014): in training, each element is zeroed with probability p."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import defaults
from ..errors import DtypeError, OptionError, ShapeError
from ..op import Shape, constant, op
from .options import number


@op
def dropout_mask(x: Any, mask: Any, *, p: float) -> Any:
    """x where the mask holds, else 0, scaled by 1/(1−p) to keep the mean."""
    return x * (mask * np.asarray(1 / (1 - p), np.asarray(x).dtype))


@dropout_mask.check
def _(x: Any, mask: Any, *, p: float) -> dict[str, Any]:
    if np.shape(mask) != np.shape(x):
        raise ShapeError(
            f"dropout: mask {np.shape(mask)} must have the input's shape {np.shape(x)}"
        )
    if np.asarray(x).dtype.kind != "f":
        raise DtypeError(f"dropout: a floating input is needed, got {np.asarray(x).dtype}")
    return {"p": probability(p)}


def probability(p: float) -> float:
    """p as a float; refuses what is not in 0 ≤ p < 1."""
    found = number("dropout", "p", p)
    if not 0 <= found < 1:
        raise OptionError(f"dropout: p must be in 0 ≤ p < 1, got {p}")
    return found


dropout_mask.vjp(lambda g, y, x, mask, p: dropout_mask(g, mask, p=p), None)


@dropout_mask.definition
def _(at: Shape, x: Any, mask: Any, *, p: float) -> Any:
    return x[at] * mask[at] / (1 - p)


def dropout(x: Any, p: float = 0.5, training: bool = True) -> Any:
    """Zero each element with probability p and scale the rest by 1/(1−p); only in training.

    The mask is drawn here, outside the op, so that the recorded computation can be replayed.

    Raises:
        OptionError: p not in 0 ≤ p < 1.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.manual_seed(0)
        >>> sorted(set(tg.dropout(tg.Tensor([1.0] * 100), p=0.5).numpy().tolist()))
        [0.0, 2.0]
    """
    p = probability(p)
    if not training or p == 0:
        return x
    return dropout_mask(x, defaults.generator().random(np.shape(constant(x))) >= p, p=p)
