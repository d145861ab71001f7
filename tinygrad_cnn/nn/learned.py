"""Layers that learn: Linear, Conv2d, BatchNorm2d. Initialised as PyTorch's are."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import defaults
from ..errors import OptionError, ShapeError
from ..ops import convolution, normalization
from ..ops.linear import linear
from ..tensor import Tensor
from . import init
from .module import Module, Parameter, check_positive, need_tensor


class Linear(Module):
    """y = x Wᵀ + b on the last axis.

    Args:
        in_features, out_features: sizes of the last axis before and after.
        bias: whether to add b.

    Attributes:
        weight: (out_features, in_features).
        bias: (out_features,), or None.
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__()
        check_positive("Linear", in_features=in_features, out_features=out_features)
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(init.pytorch_default((out_features, in_features)))
        self.bias = Parameter(init.pytorch_default((out_features,), in_features)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.weight, self.bias)

    def describe(self) -> str:
        bias = "" if self.bias is not None else ", bias=False"
        return f"{self.in_features} → {self.out_features}{bias}"


class Conv2d(Module):
    """A 2-D convolution: see `tg.conv2d`.

    Args:
        in_channels, out_channels: channels of input and output.
        kernel_size: height and width of the kernels; an int or two.
        stride, padding, dilation, groups: as for `tg.conv2d`.
        bias: whether each output channel gets a bias.

    Attributes:
        weight: (out_channels, in_channels/groups, *kernel_size).
        bias: (out_channels,), or None.

    Example:
        >>> import tinygrad_cnn as tg
        >>> layer = tg.nn.Conv2d(1, 6, kernel_size=5, padding=2)
        >>> layer(tg.Tensor([[[[0.0] * 28] * 28]])).shape
        (1, 6, 28, 28)
    """

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
        check_positive("Conv2d", in_channels=in_channels, out_channels=out_channels, groups=groups)
        if in_channels % groups or out_channels % groups:
            raise OptionError(
                f"Conv2d: groups={groups} must divide in_channels={in_channels} and "
                f"out_channels={out_channels}"
            )
        kernel = convolution.per_axis(kernel_size, 2, "Conv2d", "kernel_size", 1)
        self.in_channels, self.out_channels, self.kernel_size = in_channels, out_channels, kernel
        self.stride, self.padding, self.dilation, self.groups = stride, padding, dilation, groups
        shape = (out_channels, in_channels // groups, *kernel)
        self.weight = Parameter(init.pytorch_default(shape))
        fan = init.fan_in(shape)
        self.bias = Parameter(init.pytorch_default((out_channels,), fan)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        return convolution.conv2d(
            x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups
        )

    def describe(self) -> str:
        text = f"{self.in_channels} → {self.out_channels}, kernel_size={self.kernel_size}"
        for name, usual in (("stride", 1), ("padding", 0), ("dilation", 1), ("groups", 1)):
            if getattr(self, name) != usual:
                text += f", {name}={getattr(self, name)!r}"
        return text + ("" if self.bias is not None else ", bias=False")


class BatchNorm2d(Module):
    """Batch normalisation of (N, C, H, W), each channel by itself.

    Args:
        num_features: channels C.
        eps: added to the variance.
        momentum: running ← (1−momentum)·running + momentum·batch, PyTorch's meaning.
        decay: running ← decay·running + (1−decay)·batch, the course's; give one or the other.
        affine: whether to learn γ (weight) and β (bias).

    Attributes:
        weight, bias: γ and β, (C,) each, or None.
        running_mean, running_var: used in evaluation, (C,) each.
        num_batches_tracked: training batches so far.
    """

    axes = 4

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = None,
        decay: float | None = None,
        affine: bool = True,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        check_positive(name, num_features=num_features)
        if momentum is not None and decay is not None:
            raise OptionError(f"{name}: give momentum or decay (= 1 − momentum), not both")
        if decay is not None:
            momentum = 1 - decay
        self.momentum = 0.1 if momentum is None else momentum
        if not 0 <= self.momentum <= 1:
            raise OptionError(f"{name}: momentum must be in 0 … 1, got {self.momentum}")
        self.num_features, self.eps = num_features, eps
        dtype = defaults.default_dtype()
        self.weight = Parameter(np.ones(num_features, dtype)) if affine else None
        self.bias = Parameter(np.zeros(num_features, dtype)) if affine else None
        self.register_buffer("running_mean", Tensor(np.zeros(num_features, dtype)))
        self.register_buffer("running_var", Tensor(np.ones(num_features, dtype)))
        self.register_buffer("num_batches_tracked", Tensor(np.array(0)))

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def forward(self, x: Tensor) -> Tensor:
        name = type(self).__name__
        need_tensor(name, x)
        if x.ndim != self.axes or x.shape[1] != self.num_features:
            raise ShapeError(
                f"{name}: input must have {self.axes} axes and {self.num_features} channels, "
                f"got {x.shape}"
            )
        if self.training:
            self.num_batches_tracked.data = self.num_batches_tracked.data + 1
        return normalization.batch_norm(
            x,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training,
            self.momentum,
            self.eps,
        )

    def describe(self) -> str:
        return f"{self.num_features}"
