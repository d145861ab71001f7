"""The multilayer perceptron, which knows nothing of neighbouring pixels."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from ..engine.tensor import Tensor
from ..errors import OptionError
from ..nn import Flatten, Linear, Module, Sequential
from .options import activation_layer


class MLP(Module):
    """Dense layers with an activation between them.

        784 → 512 → 10;   407,050 parameters, of which 784·512 = 401,408 are the first matrix

    Args:
        sizes: of the input, flattened, of each hidden layer, and of the output.
        activation: between the layers: "relu", "sigmoid" or "tanh".

    Raises:
        OptionError: fewer than two sizes, or an unknown activation.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.models.MLP((784, 256, 10)).count_parameters()
        203530
    """

    input_shape: tuple[int, ...] = (1, 28, 28)

    def __init__(self, sizes: Sequence[int] = (784, 512, 10), activation: str = "relu") -> None:
        super().__init__()
        if len(sizes) < 2:
            raise OptionError(f"MLP: sizes must name input and output, got {tuple(sizes)}")
        act = activation_layer("MLP", activation)
        if sizes[0] != 784:
            self.input_shape = (sizes[0],)
        layers: dict[str, Module] = {"flatten": Flatten()}
        for i, (before, after) in enumerate(itertools.pairwise(sizes), start=1):
            layers[f"dense{i}"] = Linear(before, after)
            if i < len(sizes) - 1:
                layers[f"act{i}"] = act()
        self.layers = Sequential(**layers)

    def forward(self, x: Tensor) -> Tensor:
        """(N, …) with sizes[0] numbers an example → logits (N, sizes[-1])."""
        return self.layers(x)
