"""Losses as layers. The functions in `ops` say what they compute.

Each is called as ``loss(prediction, target)``. `reduction` is "mean", "sum" or "none".
"""

from __future__ import annotations

from typing import Any

from ..engine.tensor import Tensor
from ..ops import class_losses, loss
from .module import Module


class _Loss(Module):
    """A loss function with its options; they are checked when it is called."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.options = options

    def describe(self) -> str:
        return f"reduction={self.options['reduction']!r}"


class CrossEntropyLoss(_Loss):
    """`cross_entropy` of logits (N, C, …) and integer classes (N, …), or probabilities (N, C, …).

    Example:
        >>> import tinygrad_cnn as tg
        >>> criterion = tg.nn.CrossEntropyLoss(label_smoothing=0.1)
        >>> round(criterion(tg.Tensor([[2.0, 0.0]]), [0]).item(), 4)
        0.2269
    """

    def __init__(
        self,
        weight: Any = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(
            weight=weight,
            ignore_index=ignore_index,
            reduction=reduction,
            label_smoothing=label_smoothing,
        )

    def forward(self, logits: Tensor, target: Any) -> Tensor:
        return class_losses.cross_entropy(logits, target, **self.options)


class NLLLoss(_Loss):
    """`nll_loss` of log-probabilities (N, C, …) and integer classes (N, …)."""

    def __init__(
        self, weight: Any = None, ignore_index: int = -100, reduction: str = "mean"
    ) -> None:
        super().__init__(weight=weight, ignore_index=ignore_index, reduction=reduction)

    def forward(self, log_probabilities: Tensor, target: Any) -> Tensor:
        return class_losses.nll_loss(log_probabilities, target, **self.options)


class MSELoss(_Loss):
    """`mse_loss` of two arrays of one shape."""

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)

    def forward(self, x: Tensor, target: Any) -> Tensor:
        return loss.mse_loss(x, target, **self.options)


class BCEWithLogitsLoss(_Loss):
    """`binary_cross_entropy_with_logits` of logits and probabilities of one shape."""

    def __init__(self, weight: Any = None, reduction: str = "mean", pos_weight: Any = None) -> None:
        super().__init__(weight=weight, reduction=reduction, pos_weight=pos_weight)

    def forward(self, logits: Tensor, target: Any) -> Tensor:
        return loss.binary_cross_entropy_with_logits(logits, target, **self.options)
