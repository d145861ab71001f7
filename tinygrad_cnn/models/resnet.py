"""Residual networks (He et al. 2015), in the paper's layout for small images."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import OptionError
from ..nn import BatchNorm2d, Conv2d, GlobalAvgPool2d, Linear, Module, ReLU, Residual, Sequential
from ..tensor import Tensor


def basic_block(in_channels: int, out_channels: int, stride: int = 1) -> Residual:
    """Two 3×3 convolutions with batch norm, stepped over; ReLU after the addition.

    Where size or channels change, the shortcut is a 1×1 convolution with batch norm.
    """
    branch = Sequential(
        conv1=Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False),
        bn1=BatchNorm2d(out_channels),
        act1=ReLU(),
        conv2=Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
        bn2=BatchNorm2d(out_channels),
    )
    shortcut = None
    if stride != 1 or in_channels != out_channels:
        shortcut = Sequential(
            conv=Conv2d(in_channels, out_channels, 1, stride=stride, bias=False),
            bn=BatchNorm2d(out_channels),
        )
    return Residual(branch, shortcut, activation=ReLU())


class ResNet(Module):
    """A 3×3 convolution, stages of residual blocks, global average pooling, one dense layer.

    Args:
        blocks: how many blocks each stage has.
        channels: how many channels each stage has; all stages but the first halve the image.
        in_channels: of the images.
        classes: outputs.

    Raises:
        OptionError: blocks and channels of different lengths.

    Example:
        >>> import tinygrad_cnn as tg
        >>> model = tg.models.ResNet(blocks=(1, 1, 1), channels=(8, 16, 32))
        >>> model(tg.Tensor([[[[0.0] * 28] * 28] * 1] * 2)).shape
        (2, 10)
    """

    input_shape = (1, 28, 28)

    def __init__(
        self,
        blocks: Sequence[int] = (1, 1, 1),
        channels: Sequence[int] = (16, 32, 64),
        in_channels: int = 1,
        classes: int = 10,
    ) -> None:
        super().__init__()
        if len(blocks) != len(channels):
            raise OptionError(
                f"ResNet: {len(blocks)} stages in blocks={tuple(blocks)}, but {len(channels)} in "
                f"channels={tuple(channels)}"
            )
        self.stem = Sequential(
            conv=Conv2d(in_channels, channels[0], 3, padding=1, bias=False),
            bn=BatchNorm2d(channels[0]),
            act=ReLU(),
        )
        stages: list[Module] = []
        before = channels[0]
        for i, (count, width) in enumerate(zip(blocks, channels, strict=True)):
            first = basic_block(before, width, stride=1 if i == 0 else 2)
            stages.append(Sequential(first, *(basic_block(width, width) for _ in range(count - 1))))
            before = width
        self.stages = Sequential(*stages)
        self.head = Sequential(pool=GlobalAvgPool2d(), dense=Linear(before, classes))

    def forward(self, x: Tensor) -> Tensor:
        """Images (N, in_channels, H, W) → logits (N, classes)."""
        return self.head(self.stages(self.stem(x)))


def resnet8() -> ResNet:
    """Three residual blocks, one a stage: 16, 32 and 64 channels."""
    return ResNet()
