"""Pooling layers: max, average, adaptive, global. They learn nothing, and keep the channels."""

from __future__ import annotations

from typing import Any

from ..engine.tensor import Tensor
from ..errors import ShapeError
from ..ops import adaptive, pooling
from ..ops.windows import layout
from .module import Module, need_tensor, unusual


class _WindowPool(Module):
    """What max and average pooling share."""

    op: Any
    kernel_size: Any
    stride: Any

    def describe(self) -> str:
        stride = self.kernel_size if self.stride is None else self.stride
        rest = unusual(
            self,
            padding=0,
            dilation=1,
            ceil_mode=False,
            count_include_pad=True,
            divisor_override=None,
        )
        return f"kernel_size={self.kernel_size}, stride={stride}{rest}"


class _MaxPool(_WindowPool):
    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        self.dilation, self.ceil_mode = dilation, ceil_mode

    def forward(self, x: Tensor) -> Tensor:
        return type(self).op(
            x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode
        )


class _AvgPool(_WindowPool):
    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad
        self.divisor_override = divisor_override

    def forward(self, x: Tensor) -> Tensor:
        return type(self).op(
            x,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )


class MaxPool1d(_MaxPool):
    """The largest of each window of (N, C, L): see `tg.max_pool1d`."""

    op = pooling.max_pool1d


class MaxPool2d(_MaxPool):
    """The largest of each window of (N, C, H, W): see `tg.max_pool2d`.

    Args:
        kernel_size: of the window; an int or one for each axis.
        stride: how far it moves; the kernel's size if None.
        padding, dilation, ceil_mode: as for the op.
    """

    op = pooling.max_pool2d


class MaxPool3d(_MaxPool):
    """The largest of each window of (N, C, D, H, W): see `tg.max_pool3d`."""

    op = pooling.max_pool3d


class AvgPool1d(_AvgPool):
    """The mean of each window of (N, C, L): see `tg.avg_pool1d`."""

    op = pooling.avg_pool1d


class AvgPool2d(_AvgPool):
    """The mean of each window of (N, C, H, W): see `tg.avg_pool2d`.

    Args:
        kernel_size: of the window; an int or one for each axis.
        stride: how far it moves; the kernel's size if None.
        padding, ceil_mode, count_include_pad, divisor_override: as for the op.
    """

    op = pooling.avg_pool2d


class AvgPool3d(_AvgPool):
    """The mean of each window of (N, C, D, H, W): see `tg.avg_pool3d`."""

    op = pooling.avg_pool3d


class _AdaptivePool(Module):
    op: Any

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, x: Tensor) -> Tensor:
        return type(self).op(x, self.output_size)

    def describe(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(_AdaptivePool):
    """Means of windows chosen to give (N, C, output_size): see `tg.adaptive_avg_pool1d`."""

    op = adaptive.adaptive_avg_pool1d


class AdaptiveAvgPool2d(_AdaptivePool):
    """Means of windows chosen to give (N, C, *output_size): see `tg.adaptive_avg_pool2d`."""

    op = adaptive.adaptive_avg_pool2d


class AdaptiveAvgPool3d(_AdaptivePool):
    """Means of windows chosen to give (N, C, *output_size): see `tg.adaptive_avg_pool3d`."""

    op = adaptive.adaptive_avg_pool3d


class AdaptiveMaxPool1d(_AdaptivePool):
    """Maxima of windows chosen to give (N, C, output_size): see `tg.adaptive_max_pool1d`."""

    op = adaptive.adaptive_max_pool1d


class AdaptiveMaxPool2d(_AdaptivePool):
    """Maxima of windows chosen to give (N, C, *output_size): see `tg.adaptive_max_pool2d`."""

    op = adaptive.adaptive_max_pool2d


class AdaptiveMaxPool3d(_AdaptivePool):
    """Maxima of windows chosen to give (N, C, *output_size): see `tg.adaptive_max_pool3d`."""

    op = adaptive.adaptive_max_pool3d


class _GlobalPool(Module):
    axes: int
    op: Any

    def forward(self, x: Tensor) -> Tensor:
        name = type(self).__name__
        need_tensor(name, x)
        if x.ndim != self.axes + 2:
            raise ShapeError(f"{name}: input must be ({layout(self.axes)}), got {x.shape}")
        return type(self).op(x)


class GlobalAvgPool1d(_GlobalPool):
    """The mean of each channel: (N, C, L) → (N, C)."""

    axes, op = 1, pooling.global_avg_pool


class GlobalAvgPool2d(_GlobalPool):
    """The mean of each channel: (N, C, H, W) → (N, C)."""

    axes, op = 2, pooling.global_avg_pool


class GlobalAvgPool3d(_GlobalPool):
    """The mean of each channel: (N, C, D, H, W) → (N, C)."""

    axes, op = 3, pooling.global_avg_pool


class GlobalMaxPool1d(_GlobalPool):
    """The largest element of each channel: (N, C, L) → (N, C)."""

    axes, op = 1, pooling.global_max_pool


class GlobalMaxPool2d(_GlobalPool):
    """The largest element of each channel: (N, C, H, W) → (N, C)."""

    axes, op = 2, pooling.global_max_pool


class GlobalMaxPool3d(_GlobalPool):
    """The largest element of each channel: (N, C, D, H, W) → (N, C)."""

    axes, op = 3, pooling.global_max_pool
