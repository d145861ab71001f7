"""Normalising layers: batch, layer, group, instance, RMS and local response norm."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from ..engine import defaults
from ..engine.batch import Batch
from ..engine.tensor import Tensor
from ..errors import OptionError, ShapeError
from ..ops import layer_norms, normalization
from ..ops.options import flag, integer, number
from ..ops.response_norm import local_response_norm
from .module import Module, check_positive, need_tensor
from .parameter import Parameter


def _scale_and_shift(
    shape: int | tuple[int, ...], learned: bool
) -> tuple[Parameter | None, Parameter | None]:
    """γ and β before training: ones and zeros; None each if they are not learned."""
    if not learned:
        return None, None
    dtype = defaults.default_dtype()
    return Parameter(np.ones(shape, dtype)), Parameter(np.zeros(shape, dtype))


def _register_statistics(module: Module, features: int) -> None:
    """Running statistics before training: mean 0, variance 1, of no batch."""
    dtype = defaults.default_dtype()
    module.register_buffer("running_mean", Tensor(np.zeros(features, dtype)))
    module.register_buffer("running_var", Tensor(np.ones(features, dtype)))
    module.register_buffer("num_batches_tracked", Tensor(np.array(0)))


class BatchNorm(Module):
    """What BatchNorm1d, BatchNorm2d and BatchNorm3d share."""

    layouts: ClassVar[dict[int, str]]  # by number of axes

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = None,
        affine: bool = True,
        decay: float | None = None,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        check_positive(name, num_features=num_features)
        if momentum is not None and decay is not None:
            raise OptionError(f"{name}: give momentum or decay (= 1 − momentum), not both")
        if decay is not None:
            momentum = 1 - number(name, "decay", decay, least=0, most=1)
        momentum = 0.1 if momentum is None else momentum
        self.momentum = number(name, "momentum", momentum, least=0, most=1)
        self.num_features, self.eps = num_features, number(name, "eps", eps, least=0)
        affine = flag(name, "affine", affine)
        self.weight, self.bias = _scale_and_shift(num_features, affine)
        _register_statistics(self, num_features)

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def forward(self, x: Tensor) -> Tensor:
        name = type(self).__name__
        need_tensor(name, x)
        if x.ndim not in self.layouts or x.shape[1] != self.num_features:
            layouts = " or ".join(self.layouts.values())
            raise ShapeError(
                f"{name}: input must be {layouts} with {self.num_features} channels C, "
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


class BatchNorm1d(BatchNorm):
    """Batch normalisation of (N, C) or (N, C, L): see `BatchNorm2d` for the arguments."""

    layouts: ClassVar = {2: "(N, C)", 3: "(N, C, L)"}


class BatchNorm2d(BatchNorm):
    """Batch normalisation of (N, C, H, W), each channel by itself.

    Args:
        num_features: channels C.
        eps: added to the variance.
        momentum: running ← (1−momentum)·running + momentum·batch, PyTorch's meaning; 0.1 if
            neither it nor decay is given.
        affine: whether to learn γ (weight) and β (bias).
        decay: running ← decay·running + (1−decay)·batch, the course's; give one or the other.

    Attributes:
        weight, bias: γ and β, (C,) each, or None.
        running_mean, running_var: used in evaluation, (C,) each.
        num_batches_tracked: training batches so far.

    Example:
        >>> import numpy as np, tinygrad_cnn as tg
        >>> bn = tg.nn.BatchNorm2d(1, eps=0)
        >>> x = tg.Tensor(np.array([-3.0, 1.0, 1.0, 1.0], np.float32).reshape(1, 1, 2, 2))
        >>> y = bn(x)
        >>> round(y.data.var().item(), 4), round(bn.running_var.item(), 4)  # 0.9·1 + 0.1·4
        (1.0, 1.3)
    """

    layouts: ClassVar = {4: "(N, C, H, W)"}


class BatchNorm3d(BatchNorm):
    """Batch normalisation of (N, C, D, H, W): see `BatchNorm2d` for the arguments."""

    layouts: ClassVar = {5: "(N, C, D, H, W)"}


class LayerNorm(Module):
    """Standardise over the last axes of each example: see `tg.layer_norm`.

    Args:
        normalized_shape: the sizes of those axes; an int for the last one.
        eps: added to the variance.
        elementwise_affine: whether to learn a scale and a shift for each element.

    Attributes:
        weight, bias: of shape normalized_shape, or None.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.nn.LayerNorm(2, eps=0)(tg.Tensor([[1.0, 3.0], [5.0, 4.0]])).numpy().tolist()
        [[-1.0, 1.0], [1.0, -1.0]]
    """

    def __init__(
        self, normalized_shape: Any, eps: float = 1e-5, elementwise_affine: bool = True
    ) -> None:
        super().__init__()
        affine = flag("LayerNorm", "elementwise_affine", elementwise_affine)
        given = (
            normalized_shape if isinstance(normalized_shape, tuple | list) else [normalized_shape]
        )
        for size in given:
            check_positive("LayerNorm", normalized_shape=size)
        self.normalized_shape = tuple(given)
        self.eps = number("LayerNorm", "eps", eps, least=0)
        self.weight, self.bias = _scale_and_shift(self.normalized_shape, affine)

    def forward(self, x: Tensor) -> Tensor:
        return layer_norms.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def describe(self) -> str:
        return f"{self.normalized_shape}"


class GroupNorm(Module):
    """Standardise each group of channels of each example: see `tg.group_norm`.

    Args:
        num_groups: divides num_channels.
        num_channels: channels C.
        eps: added to the variance.
        affine: whether to learn a scale and a shift for each channel.

    Attributes:
        weight, bias: (C,) each, or None.

    Example:
        >>> import tinygrad_cnn as tg
        >>> layer = tg.nn.GroupNorm(num_groups=2, num_channels=4, eps=0)
        >>> layer(tg.Tensor([[1.0, 3.0, 5.0, 4.0]])).numpy().tolist()
        [[-1.0, 1.0, 1.0, -1.0]]
    """

    def __init__(
        self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True
    ) -> None:
        super().__init__()
        check_positive("GroupNorm", num_groups=num_groups, num_channels=num_channels)
        if num_channels % num_groups:
            raise OptionError(
                f"GroupNorm: num_groups={num_groups} must divide num_channels={num_channels}"
            )
        affine = flag("GroupNorm", "affine", affine)
        self.num_groups, self.num_channels = num_groups, num_channels
        self.eps = number("GroupNorm", "eps", eps, least=0)
        self.weight, self.bias = _scale_and_shift(num_channels, affine)

    def forward(self, x: Tensor) -> Tensor:
        return layer_norms.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)

    def describe(self) -> str:
        return f"{self.num_groups}, {self.num_channels}"


class InstanceNorm(Module):
    """What InstanceNorm1d, InstanceNorm2d and InstanceNorm3d share."""

    layout: ClassVar[str]

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        check_positive(name, num_features=num_features)
        self.num_features, self.eps = num_features, number(name, "eps", eps, least=0)
        self.momentum = number(name, "momentum", momentum, least=0, most=1)
        affine = flag(name, "affine", affine)
        self.track_running_stats = flag(name, "track_running_stats", track_running_stats)
        self.weight, self.bias = _scale_and_shift(num_features, affine)
        if self.track_running_stats:
            _register_statistics(self, num_features)

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def forward(self, x: Tensor) -> Tensor:
        name = type(self).__name__
        need_tensor(name, x)
        batch = Batch((0,), self.layout.count(",") + 1)
        if batch.is_lacking([x]):
            return batch.of_one(self.forward, [x], {})
        if x.ndim != batch.axes or x.shape[1] != self.num_features:
            raise ShapeError(
                f"{name}: input must be {self.layout} with {self.num_features} channels C, "
                f"got {x.shape}"
            )
        tracked = self.track_running_stats
        if tracked and self.training:
            self.num_batches_tracked.data = self.num_batches_tracked.data + 1
        return layer_norms.instance_norm(
            x,
            self.running_mean if tracked else None,
            self.running_var if tracked else None,
            self.weight,
            self.bias,
            self.training or not tracked,
            self.momentum,
            self.eps,
        )

    def describe(self) -> str:
        return f"{self.num_features}"


class InstanceNorm1d(InstanceNorm):
    """Instance normalisation of (N, C, L): see `InstanceNorm2d` for the arguments."""

    layout: ClassVar = "(N, C, L)"


class InstanceNorm2d(InstanceNorm):
    """Standardise each channel of each image (N, C, H, W), or of one: see `tg.instance_norm`.

    Args:
        num_features: channels C.
        eps: added to the variance.
        momentum: running ← (1−momentum)·running + momentum·batch, if they are tracked.
        affine: whether to learn γ (weight) and β (bias).
        track_running_stats: whether to keep running statistics, which evaluation then uses.

    Attributes:
        weight, bias: (C,) each, or None.
        running_mean, running_var: (C,) each, if tracked.

    Example:
        >>> import tinygrad_cnn as tg
        >>> layer = tg.nn.InstanceNorm2d(1, eps=0)
        >>> layer(tg.Tensor([[[[1.0, 3.0]]], [[[5.0, 4.0]]]])).numpy().ravel().tolist()
        [-1.0, 1.0, 1.0, -1.0]
    """

    layout: ClassVar = "(N, C, H, W)"


class InstanceNorm3d(InstanceNorm):
    """Instance normalisation of (N, C, D, H, W): see `InstanceNorm2d` for the arguments."""

    layout: ClassVar = "(N, C, D, H, W)"


class RMSNorm(Module):
    """Divide by the root of the mean square over the last axes: see `tg.rms_norm`.

    Args:
        normalized_shape: the sizes of those axes; an int for the last one.
        eps: added to the mean square; the dtype's smallest step from 1 if None.
        elementwise_affine: whether to learn a scale for each element.

    Attributes:
        weight: of shape normalized_shape, or None.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.nn.RMSNorm(2, eps=0)(tg.Tensor([[3.0, -3.0]])).numpy().tolist()
        [[1.0, -1.0]]
    """

    def __init__(
        self, normalized_shape: Any, eps: float | None = None, elementwise_affine: bool = True
    ) -> None:
        super().__init__()
        affine = flag("RMSNorm", "elementwise_affine", elementwise_affine)
        given = (
            normalized_shape if isinstance(normalized_shape, tuple | list) else [normalized_shape]
        )
        for size in given:
            check_positive("RMSNorm", normalized_shape=size)
        self.normalized_shape = tuple(given)
        self.eps = None if eps is None else number("RMSNorm", "eps", eps, least=0)
        dtype = defaults.default_dtype()
        self.weight = Parameter(np.ones(self.normalized_shape, dtype)) if affine else None

    def forward(self, x: Tensor) -> Tensor:
        return layer_norms.rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def describe(self) -> str:
        return f"{self.normalized_shape}"


class LocalResponseNorm(Module):
    """Divide by a power of the mean square of neighbouring channels: see `tg.local_response_norm`.

    Args:
        size: how many channels.
        alpha, beta, k: y = x / (k + alpha·mean x²)^beta.
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size = integer("LocalResponseNorm", "size", size, least=1)
        self.alpha = number("LocalResponseNorm", "alpha", alpha)
        self.beta = number("LocalResponseNorm", "beta", beta)
        self.k = number("LocalResponseNorm", "k", k)

    def forward(self, x: Tensor) -> Tensor:
        return local_response_norm(x, self.size, self.alpha, self.beta, self.k)

    def describe(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"
