"""Convolutional layers in one, two and three dimensions, and the locally connected one."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine import defaults
from ..engine.tensor import Tensor
from ..errors import OptionError
from ..kernels.windows import output_sizes
from ..ops import convolution as ops
from ..ops.locally_connected import locally_connected2d
from ..ops.options import flag
from ..ops.windows import padding_pairs, per_axis
from . import init
from .module import Module, check_positive, unusual
from .parameter import Parameter


class _Convolution(Module):
    """What Conv1d, Conv2d and Conv3d share."""

    has_fans = True
    axes: int
    op: Any

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        bias = flag(name, "bias", bias)
        check_positive(name, in_channels=in_channels, out_channels=out_channels, groups=groups)
        if in_channels % groups or out_channels % groups:
            raise OptionError(
                f"{name}: groups={groups} must divide in_channels={in_channels} and "
                f"out_channels={out_channels}"
            )
        kernel = per_axis(kernel_size, self.axes, name, "kernel_size", 1)
        self.in_channels, self.out_channels, self.kernel_size = in_channels, out_channels, kernel
        self.stride, self.padding, self.dilation, self.groups = stride, padding, dilation, groups
        shape = self.weight_shape()
        self.weight = Parameter(init.pytorch_default(shape))
        fan_in = init.fans(shape)[0]
        self.bias = Parameter(init.pytorch_default((out_channels,), fan_in)) if bias else None

    def weight_shape(self) -> tuple[int, ...]:
        """(out_channels, in_channels/groups, *kernel_size)."""
        return (self.out_channels, self.in_channels // self.groups, *self.kernel_size)

    def forward(self, x: Tensor) -> Tensor:
        return type(self).op(
            x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups
        )

    def describe(self) -> str:
        rest = unusual(self, stride=1, padding=0, output_padding=0, dilation=1, groups=1)
        bias = "" if self.bias is not None else ", bias=False"
        return (
            f"{self.in_channels} → {self.out_channels}, kernel_size={self.kernel_size}{rest}{bias}"
        )


class Conv1d(_Convolution):
    """A convolution of (N, C, L): see `tg.conv1d`, and `Conv2d` for the arguments."""

    axes, op = 1, ops.conv1d


class Conv2d(_Convolution):
    """A convolution of (N, C, H, W): see `tg.conv2d`.

    Args:
        in_channels, out_channels: channels of input and output.
        kernel_size: height and width of the kernels; an int or two.
        stride, padding, dilation, groups: as for `tg.conv2d`.
        bias: whether each output channel gets a bias.

    Attributes:
        weight: (out_channels, in_channels/groups, *kernel_size).
        bias: (out_channels,), or None.

    Example:
        >>> import numpy as np, tinygrad_cnn as tg
        >>> layer = tg.nn.Conv2d(1, 6, kernel_size=5, padding=2)
        >>> layer(tg.Tensor(np.zeros((2, 1, 28, 28), np.float32))).shape
        (2, 6, 28, 28)
    """

    axes, op = 2, ops.conv2d


class Conv3d(_Convolution):
    """A convolution of (N, C, D, H, W): see `tg.conv3d`, and `Conv2d` for the arguments."""

    axes, op = 3, ops.conv3d


class _Transposed(_Convolution):
    """What ConvTranspose1d, 2d and 3d share."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias
        )
        self.output_padding = output_padding

    def weight_shape(self) -> tuple[int, ...]:
        """(in_channels, out_channels/groups, *kernel_size)."""
        return (self.in_channels, self.out_channels // self.groups, *self.kernel_size)

    def forward(self, x: Tensor) -> Tensor:
        return type(self).op(
            x,
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            self.output_padding,
            self.groups,
            self.dilation,
        )


class ConvTranspose1d(_Transposed):
    """A transposed convolution of (N, C, L): see `ConvTranspose2d` for the arguments."""

    axes, op = 1, ops.conv_transpose1d


class ConvTranspose2d(_Transposed):
    """A transposed convolution of (N, C, H, W): see `tg.conv_transpose2d`.

    Args:
        in_channels, out_channels: channels of input and output.
        kernel_size: height and width of the kernels; an int or two.
        stride, padding, output_padding, groups, dilation: as for `tg.conv_transpose2d`.
        bias: whether each output channel gets a bias.

    Attributes:
        weight: (in_channels, out_channels/groups, *kernel_size).
        bias: (out_channels,), or None.

    Example:
        >>> import numpy as np, tinygrad_cnn as tg
        >>> layer = tg.nn.ConvTranspose2d(3, 1, kernel_size=2, stride=2)
        >>> layer(tg.Tensor(np.zeros((1, 3, 4, 4), np.float32))).shape
        (1, 1, 8, 8)
    """

    axes, op = 2, ops.conv_transpose2d


class ConvTranspose3d(_Transposed):
    """A transposed convolution of (N, C, D, H, W): see `ConvTranspose2d` for the arguments."""

    axes, op = 3, ops.conv_transpose3d


class LocallyConnected2d(Module):
    """A convolution with another kernel at every position: see `tg.locally_connected2d`.

    Args:
        in_channels, out_channels: channels of input and output.
        input_size: height and width of the input, since they decide how many kernels there are.
        kernel_size, stride, padding: as for Conv2d.
        bias: whether each output position of each channel gets a bias.

    Attributes:
        weight: (out_channels, in_channels, kh, kw, OH, OW).
        bias: (out_channels, OH, OW), or None.

    Example:
        >>> import numpy as np, tinygrad_cnn as tg
        >>> layer = tg.nn.LocallyConnected2d(1, 2, input_size=8, kernel_size=3)
        >>> layer(tg.Tensor(np.zeros((1, 1, 8, 8), np.float32))).shape, layer.weight.shape
        ((1, 2, 6, 6), (2, 1, 3, 3, 6, 6))
    """

    has_fans = True
    position_axes = 2

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        input_size: Any,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        bias: bool = True,
    ) -> None:
        super().__init__()
        name = "LocallyConnected2d"
        bias = flag(name, "bias", bias)
        check_positive(name, in_channels=in_channels, out_channels=out_channels)
        size = per_axis(input_size, 2, name, "input_size", 1)
        kernel = per_axis(kernel_size, 2, name, "kernel_size", 1)
        self.stride = per_axis(stride, 2, name, "stride", 1)
        self.padding = padding_pairs(padding, 2, kernel, (1, 1), name)
        out = output_sizes(size, kernel, self.stride, self.padding, (1, 1))
        if min(out) < 1:
            raise OptionError(f"{name}: kernel {kernel} does not fit into input {size}")
        self.in_channels, self.out_channels = in_channels, out_channels
        self.input_size, self.kernel_size, self.output_size = size, kernel, out
        fan_in = in_channels * kernel[0] * kernel[1]
        shape = (out_channels, in_channels, *kernel, *out)
        self.weight = Parameter(init.pytorch_default(shape, fan_in))
        self.bias = (
            Parameter(np.zeros((out_channels, *out), defaults.default_dtype())) if bias else None
        )

    def forward(self, x: Tensor) -> Tensor:
        return locally_connected2d(x, self.weight, self.bias, self.stride, self.padding)

    def describe(self) -> str:
        return (
            f"{self.in_channels} → {self.out_channels}, {self.input_size} → {self.output_size}, "
            f"kernel_size={self.kernel_size}"
        )
