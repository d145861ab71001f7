"""Gradient clipping."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from ..engine.tensor import Tensor
from ..errors import OptionError


def clip_grad_norm(params: Iterable[Tensor], max_norm: float) -> float:
    """Scale all gradients by one factor, so that their common norm is at most `max_norm`.

    Call it between backward and the optimiser's step.

    Args:
        params: Tensors; those without a gradient are left out.
        max_norm: the largest Euclidean norm that all gradients together may have.

    Returns:
        The norm before. If it is NaN or infinite, so are the gradients after.

    Raises:
        OptionError: a max_norm that is not above 0.

    Example:
        >>> import tinygrad_cnn as tg
        >>> w = tg.nn.Parameter([3.0, 4.0])
        >>> (w * w).sum().backward()
        >>> tg.optim.clip_grad_norm([w], max_norm=1.0)
        10.0
        >>> w.grad
        Tensor([0.6, 0.8])
    """
    if not max_norm > 0:
        raise OptionError(f"clip_grad_norm: max_norm must be > 0, got {max_norm}")
    nodes = [p.node for p in params if p.node.grad is not None]
    total = math.sqrt(sum(float(np.sum(np.square(n.grad, dtype=np.float64))) for n in nodes))
    if not total <= max_norm:
        for node in nodes:
            node.grad = node.grad * (max_norm / total)
    return total
