"""A locally connected network: LeNet's windows, without LeNet's shared weights."""

from __future__ import annotations

from ..engine.tensor import Tensor
from ..nn import Flatten, Linear, LocallyConnected2d, Module, Sequential
from .options import activation_layer, pooling_layer


class LocallyConnectedNet(Module):
    """LeNet with other weights at every position of its two convolutions.

        1×28² → 6×28² → 6×14² → 16×10² → 16×5² → 120 → 84 → 10;   423,038 parameters

    It stands between `MLP` (everything connected) and `LeNet` (local, and the same everywhere). The
    comparison with `LeNet` shows what sharing weights saves, and what it costs. After LeCun,
    "Generalization and network design strategies", 1989, which makes the same comparison.

    Args:
        classes: outputs.
        activation: "sigmoid", "relu" or "tanh".
        pooling: "average" or "max".

    Raises:
        OptionError: an unknown activation or pooling.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.models.LocallyConnectedNet().features.local1.weight.shape
        (6, 1, 5, 5, 28, 28)
    """

    input_shape = (1, 28, 28)

    def __init__(
        self, classes: int = 10, activation: str = "sigmoid", pooling: str = "average"
    ) -> None:
        super().__init__()
        name = type(self).__name__
        act, pool = activation_layer(name, activation), pooling_layer(name, pooling)
        self.features = Sequential(
            local1=LocallyConnected2d(1, 6, input_size=28, kernel_size=5, padding=2),
            act1=act(), pool1=pool(2),
            local2=LocallyConnected2d(6, 16, input_size=14, kernel_size=5),
            act2=act(), pool2=pool(2),
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
