"""Adam (Kingma, Ba 2014), and AdamW (Loshchilov, Hutter 2017), whose weight decay is separate."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..engine.tensor import Tensor
from ..errors import OptionError
from .optimizer import Array, Memory, Optimizer


class Adam(Optimizer):
    """The step of each number is scaled by the recent size of its gradient; as in PyTorch.

        g ← ∇ + weight_decay·p
        m ← β₁·m + (1−β₁)·g;   v ← β₂·v + (1−β₂)·g²
        p ← p − lr · m/(1−β₁ᵗ) / (√(v/(1−β₂ᵗ)) + eps)     at the t-th step

    Args:
        params: Tensors that ask for gradients.
        lr: step size; about how far each number moves at first.
        betas: β₁, β₂: how much of the running means of g and g² stays.
        eps: keeps the quotient finite where gradients are 0.
        weight_decay: strength of the pull towards 0 (L2).

    Raises:
        OptionError: no parameters, a negative option, or a β not in 0 ≤ β < 1.

    Example:
        >>> import tinygrad_cnn as tg
        >>> w = tg.nn.Parameter([4.0, -0.01])
        >>> optimizer = tg.optim.Adam([w], lr=0.5)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> w.data.round(3)  # the first step is lr long, whatever the gradient's size
        array([3.5 , 0.49], dtype=float32)
    """

    options = ("lr", "beta1", "beta2", "eps", "weight_decay")

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params)
        if not isinstance(betas, tuple | list) or len(betas) != 2:
            raise OptionError(f"{type(self).__name__}: betas must be two numbers, got {betas!r}")
        self.lr, self.eps, self.weight_decay = lr, eps, weight_decay
        self.beta1, self.beta2 = betas
        positive = (0.0, math.inf)
        self._check(lr=positive, beta1=(0, 1), beta2=(0, 1), eps=positive, weight_decay=positive)

    def update(self, value: Array, gradient: Array, memory: Memory) -> Array:
        if self.weight_decay:
            gradient = gradient + self.weight_decay * value
        return value - self._step(gradient, memory)

    def _step(self, g: Array, memory: Memory) -> Any:
        if not memory:
            memory.update(steps=0, mean=np.zeros_like(g), square=np.zeros_like(g))
        memory["steps"] = t = memory["steps"] + 1
        memory["mean"] = m = self.beta1 * memory["mean"] + (1 - self.beta1) * g
        memory["square"] = v = self.beta2 * memory["square"] + (1 - self.beta2) * (g * g)
        root = np.sqrt(v) / math.sqrt(1 - self.beta2**t)
        return self.lr / (1 - self.beta1**t) * m / (root + self.eps)


class AdamW(Adam):
    """Adam with weight decay apart from the gradient: first p ← (1 − lr·weight_decay)·p.

    Args:
        params, lr, betas, eps: as for `Adam`.
        weight_decay: the share of each weight that a step takes away, per unit of lr.

    Raises:
        OptionError: as for `Adam`.
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)

    def update(self, value: Array, gradient: Array, memory: Memory) -> Array:
        return value * (1 - self.lr * self.weight_decay) - self._step(gradient, memory)
