"""Residual networks (He et al. 2015), with basic and bottleneck blocks, and their plain twins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..engine.tensor import Tensor
from ..errors import OptionError
from ..nn import BatchNorm2d, Conv2d, GlobalAvgPool2d, Linear, MaxPool2d, Module, ReLU, Sequential
from ..ops.moving import pad
from ..ops.residual import residual_add
from .options import choose

# --- shortcuts: how x gets to the addition where the branch changes its shape -------------------


def projection(in_channels: int, out_channels: int, stride: int) -> Module:
    """A 1×1 convolution with batch norm: the paper's option B, and torchvision's."""
    return Sequential(
        Conv2d(in_channels, out_channels, 1, stride=stride, bias=False), BatchNorm2d(out_channels)
    )


def convolution(in_channels: int, out_channels: int, stride: int) -> Module:
    """A 1×1 convolution with a bias: d2l.ai's."""
    return Sequential(Conv2d(in_channels, out_channels, 1, stride=stride))


class ZeroPadding(Module):
    """Takes every stride-th pixel, and fills the new channels with zeros: the paper's option A.

    Args:
        in_channels, out_channels: channels before and after.
        stride: along height and width.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.new_channels, self.stride = out_channels - in_channels, stride

    def forward(self, x: Tensor) -> Tensor:
        seen = x[:, :, :: self.stride, :: self.stride]
        return pad(seen, ((0, 0), (0, self.new_channels), (0, 0), (0, 0)))

    def describe(self) -> str:
        return f"{self.new_channels} new channels, stride={self.stride}"


SHORTCUTS: dict[str, Callable[[int, int, int], Module]] = {
    "projection": projection,
    "convolution": convolution,
    "padding": ZeroPadding,
}

# --- blocks ------------------------------------------------------------------------------------


class _Block(Module):
    """y = relu(shortcut(x) + branch(x)); of a plain network, relu(branch(x)).

    Args:
        in_channels: of the input.
        width: channels of the 3×3 convolutions; the output has `expansion` times as many.
        stride: of the block.
        shortcut: where the shape changes: a key of `SHORTCUTS`.
        bias: whether the convolutions have one.
        residual: whether there is a shortcut at all.
    """

    expansion: int
    downsample: Module | None

    def __init__(
        self,
        in_channels: int,
        width: int,
        stride: int = 1,
        *,
        shortcut: str = "projection",
        bias: bool = False,
        residual: bool = True,
    ) -> None:
        super().__init__()
        self.residual = residual
        self.layers(in_channels, width, stride, bias)
        out_channels = self.expansion * width
        changes = stride != 1 or in_channels != out_channels
        self.downsample = (
            SHORTCUTS[shortcut](in_channels, out_channels, stride) if changes and residual else None
        )
        self.relu = ReLU()

    def layers(self, in_channels: int, width: int, stride: int, bias: bool) -> None:
        """Make the layers of the branch."""
        raise NotImplementedError

    def branch(self, x: Tensor) -> Tensor:
        """F(x): what the shortcut steps over."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        if not self.residual:
            return self.relu(self.branch(x))
        skip = x if self.downsample is None else self.downsample(x)
        return self.relu(residual_add(skip, self.branch(x)))

    def describe(self) -> str:
        return "" if self.residual else "residual=False"


class BasicBlock(_Block):
    """Two 3×3 convolutions with batch norm, stepped over; ReLU after the addition."""

    expansion = 1

    def layers(self, in_channels: int, width: int, stride: int, bias: bool) -> None:
        self.conv1 = Conv2d(in_channels, width, 3, stride=stride, padding=1, bias=bias)
        self.bn1 = BatchNorm2d(width)
        self.relu1 = ReLU()
        self.conv2 = Conv2d(width, width, 3, padding=1, bias=bias)
        self.bn2 = BatchNorm2d(width)

    def branch(self, x: Tensor) -> Tensor:
        x = self.relu1(self.bn1(self.conv1(x)))
        return self.bn2(self.conv2(x))


class Bottleneck(_Block):
    """1×1, 3×3 and 1×1 convolutions with batch norm; the last has four times the channels.

    The stride is the 3×3 convolution's, as in torchvision; in the paper, the first 1×1's.
    """

    expansion = 4

    def layers(self, in_channels: int, width: int, stride: int, bias: bool) -> None:
        self.conv1 = Conv2d(in_channels, width, 1, bias=bias)
        self.bn1 = BatchNorm2d(width)
        self.relu1 = ReLU()
        self.conv2 = Conv2d(width, width, 3, stride=stride, padding=1, bias=bias)
        self.bn2 = BatchNorm2d(width)
        self.relu2 = ReLU()
        self.conv3 = Conv2d(width, self.expansion * width, 1, bias=bias)
        self.bn3 = BatchNorm2d(self.expansion * width)

    def branch(self, x: Tensor) -> Tensor:
        x = self.relu1(self.bn1(self.conv1(x)))
        x = self.relu2(self.bn2(self.conv2(x)))
        return self.bn3(self.conv3(x))


BLOCKS: dict[str, type[_Block]] = {"basic": BasicBlock, "bottleneck": Bottleneck}

# --- networks ----------------------------------------------------------------------------------

IMAGE_SIZES = {"small": 28, "large": 224}


class ResNet(Module):
    """A first convolution, stages of residual blocks, global average pooling, one dense layer.

    He, Zhang, Ren, Sun, "Deep residual learning for image recognition", arXiv:1512.03385.
    Parameters are named as in torchvision: conv1, bn1, layer1.0.conv1, layer2.0.downsample.0, fc.

    Args:
        blocks: how many blocks each stage has.
        channels: how many channels each stage's 3×3 convolutions have; all stages but the first
            halve the image.
        in_channels: of the images.
        classes: outputs.
        block: "basic" or "bottleneck".
        stem: what comes first. "small": a 3×3 convolution, as the paper's for CIFAR-10. "large": a
            7×7 convolution with stride 2 and max pooling with stride 2, as the paper's for
            ImageNet.
        shortcut: where a block changes the shape: "projection" (1×1 convolution with batch norm),
            "convolution" (1×1 convolution with bias) or "padding" (zeros; nothing to learn).
        bias: whether the convolutions have one.
        residual: False gives the plain twin: the same layers without shortcuts.

    Raises:
        OptionError: blocks and channels of different lengths, or an unknown option.

    Example:
        >>> import numpy as np, tinygrad_cnn as tg
        >>> model = tg.models.ResNet(blocks=(1, 1, 1), channels=(8, 16, 32))
        >>> model(tg.Tensor(np.zeros((2, 1, 28, 28), np.float32))).shape
        (2, 10)
    """

    input_shape: tuple[int, int, int] = (1, 28, 28)

    def __init__(
        self,
        blocks: Sequence[int] = (1, 1, 1),
        channels: Sequence[int] = (16, 32, 64),
        in_channels: int = 1,
        classes: int = 10,
        *,
        block: str = "basic",
        stem: str = "small",
        shortcut: str = "projection",
        bias: bool = False,
        residual: bool = True,
    ) -> None:
        super().__init__()
        if len(blocks) != len(channels) or not blocks or min(blocks) < 1:
            raise OptionError(
                f"ResNet: blocks={tuple(blocks)} and channels={tuple(channels)} must have one "
                "number ≥ 1 for each stage"
            )
        kind = choose("ResNet", "block", block, BLOCKS)
        choose("ResNet", "shortcut", shortcut, SHORTCUTS)
        size = choose("ResNet", "stem", stem, IMAGE_SIZES)
        self.input_shape = (in_channels, size, size)
        options: dict[str, Any] = {"shortcut": shortcut, "bias": bias, "residual": residual}

        before = channels[0]
        if stem == "large":
            self.conv1 = Conv2d(in_channels, before, 7, stride=2, padding=3, bias=bias)
        else:
            self.conv1 = Conv2d(in_channels, before, 3, padding=1, bias=bias)
        self.bn1 = BatchNorm2d(before)
        self.relu = ReLU()
        self.maxpool = MaxPool2d(3, stride=2, padding=1) if stem == "large" else None
        self.stages = [f"layer{i}" for i in range(1, len(blocks) + 1)]
        for i, (name, count, width) in enumerate(zip(self.stages, blocks, channels, strict=True)):
            stage = [kind(before, width, stride=1 if i == 0 else 2, **options)]
            before = kind.expansion * width
            stage += [kind(before, width, **options) for _ in range(count - 1)]
            setattr(self, name, Sequential(*stage))
        self.avgpool = GlobalAvgPool2d()
        self.fc = Linear(before, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Images (N, in_channels, H, W) → logits (N, classes)."""
        x = self.relu(self.bn1(self.conv1(x)))
        if self.maxpool is not None:
            x = self.maxpool(x)
        for name in self.stages:
            x = getattr(self, name)(x)
        return self.fc(self.avgpool(x))


def resnet8(in_channels: int = 1, classes: int = 10, **options: Any) -> ResNet:
    """Three residual blocks, one a stage: 16, 32 and 64 channels. 77,754 parameters."""
    return ResNet((1, 1, 1), (16, 32, 64), in_channels, classes, **options)


# The paper's for CIFAR-10 (its section 4.2): n blocks in each of three stages, 6n + 2 layers.


def _cifar(n: int, in_channels: int, classes: int, options: dict[str, Any]) -> ResNet:
    return ResNet(
        (n, n, n), (16, 32, 64), in_channels, classes, **{"shortcut": "padding", **options}
    )


def resnet20(in_channels: int = 1, classes: int = 10, **options: Any) -> ResNet:
    """Nine blocks, for small images. 269,722 parameters with 3 channels."""
    return _cifar(3, in_channels, classes, options)


def resnet56(in_channels: int = 1, classes: int = 10, **options: Any) -> ResNet:
    """27 blocks, for small images. 853,018 parameters with 3 channels."""
    return _cifar(9, in_channels, classes, options)


def resnet110(in_channels: int = 1, classes: int = 10, **options: Any) -> ResNet:
    """54 blocks, for small images. 1,727,962 parameters with 3 channels."""
    return _cifar(18, in_channels, classes, options)


# The paper's for ImageNet (its table 1): four stages of 64, 128, 256 and 512 channels.


def _imagenet(
    blocks: Sequence[int], in_channels: int, classes: int, options: dict[str, Any]
) -> ResNet:
    return ResNet(blocks, (64, 128, 256, 512), in_channels, classes, **{"stem": "large", **options})


_D2L = {"shortcut": "convolution", "bias": True}


def resnet18(in_channels: int = 1, classes: int = 10, **options: Any) -> ResNet:
    """Eight blocks, in d2l.ai's form: biases in the convolutions, shortcuts without batch norm.

        1×96² → 64×48² → 64×24² → 64×24² → 128×12² → 256×6² → 512×3² → 512 → 10
        11,178,378 parameters

    `shortcut="projection", bias=False` gives the paper's and torchvision's: 11,689,512 parameters
    with 3 channels and 1000 classes.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.models.resnet18().count_parameters()
        11178378
    """
    model = _imagenet((2, 2, 2, 2), in_channels, classes, {**_D2L, **options})
    model.input_shape = (in_channels, 96, 96)
    return model


def resnet34(in_channels: int = 1, classes: int = 10, **options: Any) -> ResNet:
    """Sixteen blocks, in the form of `resnet18`. 21,290,250 parameters."""
    model = _imagenet((3, 4, 6, 3), in_channels, classes, {**_D2L, **options})
    model.input_shape = (in_channels, 96, 96)
    return model


def resnet50(in_channels: int = 1, classes: int = 10, **options: Any) -> ResNet:
    """16 bottleneck blocks, as in torchvision. 25,557,032 parameters with 3 channels, 1000 classes.

    On 224×224 images: 64×112² → 64×56² → 256×56² → 512×28² → 1024×14² → 2048×7² → 2048 → classes.
    """
    return _imagenet((3, 4, 6, 3), in_channels, classes, {"block": "bottleneck", **options})


def resnet152(in_channels: int = 1, classes: int = 10, **options: Any) -> ResNet:
    """50 bottleneck blocks, as in torchvision. 60,192,808 parameters with 3 channels, 1000 classes.

    Shapes as `resnet50`'s.
    """
    return _imagenet((3, 8, 36, 3), in_channels, classes, {"block": "bottleneck", **options})
