"""Dropout (Srivastava et al. 2014): in training, each element is zeroed with probability p."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..engine import defaults
from ..engine.op import Shape, constant, op
from ..errors import ShapeError
from .options import need_floating, number


@op
def dropout_mask(x: Any, mask: Any, *, p: float) -> Any:
    """x where the mask holds, else 0, scaled by 1/(1−p) to keep the mean; all 0 at p = 1."""
    return x * (mask * np.asarray(_scale(p), np.asarray(x).dtype))


def _scale(p: float) -> float:
    return 1 / (1 - p) if p < 1 else 0.0


@dropout_mask.check
def _(x: Any, mask: Any, *, p: float) -> dict[str, Any]:
    if np.shape(mask) != np.shape(x):
        raise ShapeError(
            f"dropout: mask {np.shape(mask)} must have the input's shape {np.shape(x)}"
        )
    need_floating("dropout", x)
    return {"p": probability(p)}


def probability(p: float, name: str = "dropout") -> float:
    """p as a number; refuses what is not in 0 … 1."""
    return number(name, "p", p, least=0, most=1)


dropout_mask.vjp(lambda g, y, x, mask, p: dropout_mask(g, mask, p=p), None)


@dropout_mask.definition
def _(at: Shape, x: Any, mask: Any, *, p: float) -> Any:
    return x[at] * mask[at] * _scale(p)


dropout_mask.multiply_adds(lambda out, x, mask, p: math.prod(out))


def dropout(x: Any, p: float = 0.5, training: bool = True) -> Any:
    """Zero each element with probability p and scale the rest by 1/(1−p); only in training.

    The mask is drawn here, outside the op, so that the recorded computation can be replayed.

    Args:
        x: floating, of any shape.
        p: in 0 … 1; at 1 nothing is left.
        training: whether to drop at all; else the result is x itself.

    Raises:
        OptionError: p not in 0 … 1.
        DtypeError: x is not floating.

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
