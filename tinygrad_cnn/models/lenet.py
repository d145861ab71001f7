"""LeNet (LeCun et al. 1998), in the form that d2l.ai and the course's slides give it."""

from __future__ import annotations

from ..engine.tensor import Tensor
from ..nn import Conv2d, Flatten, Linear, Module, Sequential
from .options import activation_layer, pooling_layer


class LeNet(Module):
    """Two convolutions, each with pooling, then three dense layers.

        1×28² → 6×28² → 6×14² → 16×10² → 16×5² → 120 → 84 → 10;   61,706 parameters

    LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition",
    Proceedings of the IEEE 86 (1998). The paper's sparse connections in the second convolution,
    learned coefficients in its pooling and Gaussian output layer are left out, as they usually are.

    Args:
        classes: outputs.
        activation: "sigmoid", "relu" or "tanh".
        pooling: "average" (1998) or "max".

    Raises:
        OptionError: an unknown activation or pooling.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.models.LeNet().count_parameters()
        61706
    """

    input_shape = (1, 28, 28)

    def __init__(
        self, classes: int = 10, activation: str = "sigmoid", pooling: str = "average"
    ) -> None:
        super().__init__()
        act, pool = activation_layer("LeNet", activation), pooling_layer("LeNet", pooling)
        self.features = Sequential(
            conv1=Conv2d(1, 6, kernel_size=5, padding=2), act1=act(), pool1=pool(2),
            conv2=Conv2d(6, 16, kernel_size=5), act2=act(), pool2=pool(2),
        )  # fmt: skip
        self.classifier = Sequential(
            flatten=Flatten(),
            dense1=Linear(400, 120), act1=act(),
            dense2=Linear(120, 84), act2=act(),
            dense3=Linear(84, classes),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """Images (N, 1, 28, 28) → logits (N, classes)."""
        return self.classifier(self.features(x))
