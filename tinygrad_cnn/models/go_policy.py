"""A policy network for Go, in the shape of AlphaGo's (Silver et al. 2016)."""

from __future__ import annotations

import numpy as np

from ..engine import defaults
from ..engine.tensor import Tensor
from ..errors import OptionError
from ..nn import Conv2d, Flatten, Module, Parameter, ReLU, Sequential


class PositionBias(Module):
    """A bias for each position: (N, positions) + (positions,).

    Args:
        positions: how many.
    """

    def __init__(self, positions: int) -> None:
        super().__init__()
        self.bias = Parameter(np.zeros(positions, defaults.default_dtype()))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.bias


class GoPolicy(Module):
    """Where to play: planes that describe the position → a logit for each point of the board.

        48×19² → 5×5: 192×19² → eleven times 3×3: 192×19² → 1×1: 1×19² → 361 logits
        3,882,793 parameters; every point sees the 27×27 around it

    Zero padding keeps the board's size all along, and there is no pooling: a move is one point.
    Silver et al., "Mastering the game of Go with deep neural networks and tree search", Nature 529
    (2016).

    Args:
        board_size: points along an edge.
        planes: of the input.
        width: channels of the hidden layers.
        layers: convolutions, with the first and without the last 1×1.

    Raises:
        OptionError: fewer than one layer.

    Example:
        >>> import numpy as np, tinygrad_cnn as tg
        >>> model = tg.models.GoPolicy(board_size=9, planes=12, width=16, layers=3)
        >>> model(tg.Tensor(np.zeros((2, 12, 9, 9), np.float32))).shape
        (2, 81)
    """

    input_shape: tuple[int, int, int] = (48, 19, 19)

    def __init__(
        self, board_size: int = 19, planes: int = 48, width: int = 192, layers: int = 12
    ) -> None:
        super().__init__()
        if layers < 1:
            raise OptionError(f"GoPolicy: layers must be ≥ 1, got {layers}")
        self.input_shape = (planes, board_size, board_size)
        hidden: dict[str, Module] = {
            "conv1": Conv2d(planes, width, kernel_size=5, padding=2),
            "act1": ReLU(),
        }
        for i in range(2, layers + 1):
            hidden[f"conv{i}"] = Conv2d(width, width, kernel_size=3, padding=1)
            hidden[f"act{i}"] = ReLU()
        self.features = Sequential(**hidden)
        self.head = Sequential(
            conv=Conv2d(width, 1, kernel_size=1, bias=False),
            flatten=Flatten(),
            position=PositionBias(board_size**2),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Positions (N, planes, board_size, board_size) → logits (N, board_size²), row by row."""
        return self.head(self.features(x))


def go_policy_9x9() -> GoPolicy:
    """A small one, for `tg.data.go_games`: 9×9 points, 12 planes, 32 channels, 5 layers."""
    return GoPolicy(board_size=9, planes=12, width=32, layers=5)
