"""Network in Network (Lin, Chen, Yan 2013)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..engine.tensor import Tensor
from ..nn import AvgPool2d, Conv2d, Dropout, GlobalAvgPool2d, MaxPool2d, Module, ReLU, Sequential
from .options import choose, scaled


def nin_block(
    in_channels: int, channels: Sequence[int], kernel_size: int, **options: Any
) -> Module:
    """A convolution and two 1×1 convolutions, which are a small MLP at each pixel; all with ReLU.

    Args:
        in_channels: of the input.
        channels: of the three convolutions' outputs.
        kernel_size, options: of the first of them.
    """
    a, b, c = channels
    return Sequential(
        conv1=Conv2d(in_channels, a, kernel_size, **options), act1=ReLU(),
        conv2=Conv2d(a, b, 1), act2=ReLU(),
        conv3=Conv2d(b, c, 1), act3=ReLU(),
    )  # fmt: skip


class NiN(Module):
    """Blocks of a convolution and two 1×1 convolutions; global average pooling, no dense layer.

        1×224² → 96×54² → 96×26² → 256×26² → 256×12² → 384×12² → 384×5² → 10×5² → 10
        1,992,166 parameters

    "Network in Network", arXiv:1312.4400; by default in d2l.ai's form, which takes AlexNet's
    kernels.

    Args:
        in_channels: of the images.
        classes: outputs.
        layout: "large", for images from 67×67; or "small", the paper's own for CIFAR-10's 32×32
            (966,986 parameters with 3 channels, its pooling padded by 1 so that sizes halve).
        width: factor on the numbers of channels.

    Raises:
        OptionError: an unknown layout.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.models.NiN(in_channels=3, layout="small").count_parameters()
        966986
    """

    input_shape: tuple[int, int, int] = (1, 224, 224)

    def __init__(
        self, in_channels: int = 1, classes: int = 10, *, layout: str = "large", width: float = 1.0
    ) -> None:
        super().__init__()
        sizes = {"large": 224, "small": 32}
        size = choose("NiN", "layout", layout, sizes)
        self.input_shape = (in_channels, size, size)

        def wide(*channels: int) -> list[int]:
            return [scaled(channel, width) for channel in channels]

        if layout == "large":
            (a, b, c) = wide(96, 256, 384)
            self.features = Sequential(
                block1=nin_block(in_channels, [a] * 3, 11, stride=4),
                pool1=MaxPool2d(3, stride=2),
                block2=nin_block(a, [b] * 3, 5, padding=2),
                pool2=MaxPool2d(3, stride=2),
                block3=nin_block(b, [c] * 3, 3, padding=1),
                pool3=MaxPool2d(3, stride=2), drop3=Dropout(0.5),
                block4=nin_block(c, [classes] * 3, 3, padding=1),
            )  # fmt: skip
        else:
            (a, b, c) = wide(192, 160, 96)
            self.features = Sequential(
                block1=nin_block(in_channels, [a, b, c], 5, padding=2),
                pool1=MaxPool2d(3, stride=2, padding=1), drop1=Dropout(0.5),
                block2=nin_block(c, [a, a, a], 5, padding=2),
                pool2=AvgPool2d(3, stride=2, padding=1), drop2=Dropout(0.5),
                block3=nin_block(a, [a, a, classes], 3, padding=1),
            )  # fmt: skip
        self.pool = GlobalAvgPool2d()

    def forward(self, x: Tensor) -> Tensor:
        """Images (N, in_channels, H, W) → logits (N, classes)."""
        return self.pool(self.features(x))
