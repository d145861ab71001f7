"""AlexNet (Krizhevsky, Sutskever, Hinton 2012)."""

from __future__ import annotations

from ..engine.tensor import Tensor
from ..errors import OptionError
from ..nn import Conv2d, Dropout, Flatten, Linear, MaxPool2d, Module, ReLU, Sequential
from .options import scaled


class AlexNet(Module):
    """Five convolutions, three of them with overlapping max pooling, then three dense layers.

        1×224² → 96×54² → 96×26² → 256×26² → 256×12² → 384×12² → 384×12² → 256×12² → 256×5²
        = 6400 → 4096 → 4096 → 10;   46,764,746 parameters

    By default in d2l.ai's form. "ImageNet classification with deep convolutional neural networks",
    NIPS 2012.

    Args:
        in_channels: of the images.
        classes: outputs.
        paper: as published: padding 2 in the first convolution (96×55² … 256×6²), and the second,
            fourth and fifth split in two groups, one for each of the paper's two GPUs. 60,965,224
            parameters with 3 channels and 1000 classes. Its local response normalisation, which
            learns nothing, is left out.
        image_size: height and width of the images; 65 is the smallest (63 with `paper`).
        width: factor on the numbers of channels and hidden units; ¼ can be trained on a laptop.

    Raises:
        OptionError: images too small for the layers.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.models.AlexNet(image_size=96, width=0.25).count_parameters()
        1361594
    """

    input_shape: tuple[int, int, int] = (1, 224, 224)

    def __init__(
        self,
        in_channels: int = 1,
        classes: int = 10,
        *,
        paper: bool = False,
        image_size: int = 224,
        width: float = 1.0,
    ) -> None:
        super().__init__()
        self.input_shape = (in_channels, image_size, image_size)
        padding, groups = (2, 2) if paper else (1, 1)
        size = (image_size + 2 * padding - 11) // 4 + 1
        for _ in range(3):
            size = (size - 3) // 2 + 1
        if size < 1:
            raise OptionError(f"AlexNet: images of {image_size}×{image_size} are too small")
        c96, c256, c384, c4096 = (groups * scaled(c // groups, width) for c in (96, 256, 384, 4096))
        self.features = Sequential(
            conv1=Conv2d(in_channels, c96, 11, stride=4, padding=padding), act1=ReLU(),
            pool1=MaxPool2d(3, stride=2),
            conv2=Conv2d(c96, c256, 5, padding=2, groups=groups), act2=ReLU(),
            pool2=MaxPool2d(3, stride=2),
            conv3=Conv2d(c256, c384, 3, padding=1), act3=ReLU(),
            conv4=Conv2d(c384, c384, 3, padding=1, groups=groups), act4=ReLU(),
            conv5=Conv2d(c384, c256, 3, padding=1, groups=groups), act5=ReLU(),
            pool5=MaxPool2d(3, stride=2),
        )  # fmt: skip
        self.classifier = Sequential(
            flatten=Flatten(),
            dense1=Linear(c256 * size**2, c4096), act1=ReLU(), drop1=Dropout(0.5),
            dense2=Linear(c4096, c4096), act2=ReLU(), drop2=Dropout(0.5),
            dense3=Linear(c4096, classes),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """Images (N, in_channels, image_size, image_size) → logits (N, classes)."""
        return self.classifier(self.features(x))
