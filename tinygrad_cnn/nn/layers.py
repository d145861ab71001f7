"""Layers without a state of their own: activations, pooling, dropout, flatten."""

from __future__ import annotations

from typing import Any

from ..ops import dropout as _dropout
from ..ops import elementwise, pooling, reduce, shape
from ..tensor import Tensor
from .module import Module, need_tensor


class ReLU(Module):
    """max(x, 0), element by element."""

    def forward(self, x: Tensor) -> Tensor:
        return elementwise.relu(x)


class Sigmoid(Module):
    """1 / (1 + e⁻ˣ), element by element."""

    def forward(self, x: Tensor) -> Tensor:
        return elementwise.sigmoid(x)


class Tanh(Module):
    """tanh x, element by element."""

    def forward(self, x: Tensor) -> Tensor:
        return elementwise.tanh(x)


class Identity(Module):
    """x itself."""

    def forward(self, x: Tensor) -> Tensor:
        return x


class Flatten(Module):
    """(N, …) → (N, product of the rest)."""

    def forward(self, x: Tensor) -> Tensor:
        need_tensor("Flatten", x)
        return shape.reshape(x, (x.shape[0], -1))


class Dropout(Module):
    """In training, zero each element with probability p and scale the rest by 1/(1−p)."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = _dropout._probability(p)

    def forward(self, x: Tensor) -> Tensor:
        return _dropout.dropout(x, self.p, self.training)

    def describe(self) -> str:
        return f"p={self.p}"


class _Pool2d(Module):
    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding

    def describe(self) -> str:
        stride = self.kernel_size if self.stride is None else self.stride
        return f"kernel_size={self.kernel_size}, stride={stride}, padding={self.padding}"


class MaxPool2d(_Pool2d):
    """The largest element of each window; `stride` defaults to the kernel's size."""

    def forward(self, x: Tensor) -> Tensor:
        return pooling.max_pool2d(x, self.kernel_size, self.stride, self.padding)


class AvgPool2d(_Pool2d):
    """The mean of each window; `stride` defaults to the kernel's size."""

    def forward(self, x: Tensor) -> Tensor:
        return pooling.avg_pool2d(x, self.kernel_size, self.stride, self.padding)


class GlobalAvgPool2d(Module):
    """The mean of each channel: (N, C, H, W) → (N, C)."""

    def forward(self, x: Tensor) -> Tensor:
        return reduce.mean(x, (2, 3))
