"""Calls of losses of classes; those of numbers are decomposed into arithmetic."""

from __future__ import annotations

from typing import Any

from ... import ops
from .table import aten, plain

_REDUCTIONS = ("none", "mean", "sum")
"""By PyTorch's numbers."""


def _target(target: Any) -> Any:
    """Classes have no gradient; probabilities may."""
    return target if plain(target).dtype.kind == "f" else plain(target)


@aten("cross_entropy_loss")
def _(
    logits: Any,
    target: Any,
    weight: Any = None,
    reduction: int = 1,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
) -> Any:
    return ops.cross_entropy(
        logits, _target(target), weight, ignore_index, _REDUCTIONS[reduction], label_smoothing
    )


@aten("nll_loss", "nll_loss_nd", "nll_loss2d")
def _(x: Any, target: Any, weight: Any = None, reduction: int = 1, ignore_index: int = -100) -> Any:
    return ops.nll_loss(x, plain(target), weight, ignore_index, _REDUCTIONS[reduction])
