"""Unfold and Fold: windows of an image as columns, and back."""

from __future__ import annotations

from typing import Any

from ..engine.tensor import Tensor
from ..ops import unfolding
from .module import Module


class Unfold(Module):
    """All windows, each as a column, (N, C, H, W) → (N, C·kh·kw, L): see `tg.unfold`."""

    def __init__(
        self, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
    ) -> None:
        super().__init__()
        self.kernel_size, self.dilation = kernel_size, dilation
        self.padding, self.stride = padding, stride

    def forward(self, x: Tensor) -> Tensor:
        return unfolding.unfold(x, self.kernel_size, self.dilation, self.padding, self.stride)

    def describe(self) -> str:
        return _describe(self)


class Fold(Module):
    """Columns back in place and added up, (N, C·kh·kw, L) → (N, C, H, W): see `tg.fold`."""

    def __init__(
        self,
        output_size: Any,
        kernel_size: Any,
        dilation: Any = 1,
        padding: Any = 0,
        stride: Any = 1,
    ) -> None:
        super().__init__()
        self.output_size = output_size
        self.kernel_size, self.dilation = kernel_size, dilation
        self.padding, self.stride = padding, stride

    def forward(self, x: Tensor) -> Tensor:
        return unfolding.fold(
            x, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride
        )

    def describe(self) -> str:
        return f"output_size={self.output_size}, {_describe(self)}"


def _describe(layer: Any) -> str:
    names = ("kernel_size", "dilation", "padding", "stride")
    return ", ".join(f"{name}={getattr(layer, name)}" for name in names)
