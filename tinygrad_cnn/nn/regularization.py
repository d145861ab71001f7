"""Dropout."""

from __future__ import annotations

from ..ops import dropout
from ..tensor import Tensor
from .module import Module


class Dropout(Module):
    """In training, zero each element with probability p and scale the rest by 1/(1−p)."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = dropout.probability(p, "Dropout")

    def forward(self, x: Tensor) -> Tensor:
        return dropout.dropout(x, self.p, self.training)

    def describe(self) -> str:
        return f"p={self.p}"
