"""LeNet with batch normalisation, as d2l.ai gives it."""

from __future__ import annotations

from ..engine.tensor import Tensor
from ..nn import AvgPool2d, BatchNorm1d, BatchNorm2d, Conv2d, Flatten, Linear, Module, Sequential
from .options import activation_layer


class BNLeNet(Module):
    """LeNet with batch norm before each activation, and without padding.

        1×28² → 6×24² → 6×12² → 16×8² → 16×4² → 120 → 84 → 10;   44,878 parameters

    Zhang, Lipton, Li, Smola, "Dive into Deep Learning" (2023), section 8.5. Ioffe, Szegedy, "Batch
    normalization", 2015, arXiv:1502.03167.

    Args:
        classes: outputs.
        activation: "sigmoid", "relu" or "tanh".

    Raises:
        OptionError: an unknown activation.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.models.BNLeNet().count_parameters()
        44878
    """

    input_shape = (1, 28, 28)

    def __init__(self, classes: int = 10, activation: str = "sigmoid") -> None:
        super().__init__()
        act = activation_layer("BNLeNet", activation)
        self.features = Sequential(
            conv1=Conv2d(1, 6, kernel_size=5), bn1=BatchNorm2d(6), act1=act(), pool1=AvgPool2d(2),
            conv2=Conv2d(6, 16, kernel_size=5), bn2=BatchNorm2d(16), act2=act(), pool2=AvgPool2d(2),
        )  # fmt: skip
        self.classifier = Sequential(
            flatten=Flatten(),
            dense1=Linear(256, 120), bn1=BatchNorm1d(120), act1=act(),
            dense2=Linear(120, 84), bn2=BatchNorm1d(84), act2=act(),
            dense3=Linear(84, classes),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """Images (N, 1, 28, 28) → logits (N, classes)."""
        return self.classifier(self.features(x))
