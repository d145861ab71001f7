"""Stochastic gradient descent, with momentum."""

from __future__ import annotations

import math
from collections.abc import Iterable

from ..engine.tensor import Tensor
from ..errors import OptionError
from .optimizer import Array, Memory, Optimizer


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum and weight decay as in PyTorch.

        g ← ∇ + weight_decay·p;   v ← momentum·v + g;   p ← p − lr·v

    The first step has v = g.

    Args:
        params: Tensors that ask for gradients.
        lr: step size.
        momentum: how much of the last step's velocity stays.
        weight_decay: strength of the pull towards 0 (L2).
        nesterov: step along g + momentum·v instead of v (Sutskever et al. 2013).

    Raises:
        OptionError: no parameters, a negative option, or nesterov without momentum.

    Example:
        >>> import tinygrad_cnn as tg
        >>> w = tg.nn.Parameter([4.0])
        >>> optimizer = tg.optim.SGD([w], lr=0.25)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> w.data
        array([2.], dtype=float32)
    """

    options = ("lr", "momentum", "weight_decay", "nesterov")

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        super().__init__(params)
        self.lr, self.momentum, self.weight_decay = lr, momentum, weight_decay
        self.nesterov = nesterov
        self._check(lr=(0, math.inf), momentum=(0, math.inf), weight_decay=(0, math.inf))
        if nesterov and not momentum:
            raise OptionError("SGD: nesterov needs momentum > 0")

    def update(self, value: Array, gradient: Array, memory: Memory) -> Array:
        g = gradient
        if self.weight_decay:
            g = g + self.weight_decay * value
        if self.momentum:
            v = self.momentum * memory["velocity"] + g if memory else g.copy()
            memory["velocity"] = v
            g = g + self.momentum * v if self.nesterov else v
        return value - self.lr * g
