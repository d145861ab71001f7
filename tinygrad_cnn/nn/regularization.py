"""Dropout."""

from __future__ import annotations

from ..engine.tensor import Tensor
from ..ops.dropout import dropout, probability
from .module import Module


class Dropout(Module):
    """In training, zero each element with probability p and scale the rest by 1/(1−p)."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = probability(p, "Dropout")

    def forward(self, x: Tensor) -> Tensor:
        return dropout(x, self.p, self.training)

    def describe(self) -> str:
        return f"p={self.p}"
