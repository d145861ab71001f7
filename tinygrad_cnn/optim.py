"""Optimisers: from gradients to new parameters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .errors import DtypeError, OptionError
from .tensor import Tensor


class SGD:
    """Stochastic gradient descent, with momentum and weight decay as PyTorch means them.

        g ← ∇ + weight_decay·p;   v ← momentum·v + g;   p ← p − lr·v

    Args:
        params: Tensors that ask for gradients.
        lr: step size.
        momentum: how much of the last step's velocity stays.
        weight_decay: strength of the pull towards 0 (L2).
        nesterov: step along g + momentum·v instead of v.

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

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        if isinstance(params, Tensor):
            raise DtypeError("SGD: params must be several Tensors, got one; give [tensor]")
        self.params = list(params)
        if not self.params:
            raise OptionError("SGD: there are no parameters to optimise")
        for p in self.params:
            if not isinstance(p, Tensor) or not p.requires_grad:
                raise DtypeError(f"SGD: parameters must be Tensors with requires_grad, got {p!r}")
        for name, value in (("lr", lr), ("momentum", momentum), ("weight_decay", weight_decay)):
            if not value >= 0:
                raise OptionError(f"SGD: {name} must be ≥ 0, got {value}")
        if nesterov and not momentum:
            raise OptionError("SGD: nesterov needs momentum > 0")
        self.lr, self.momentum, self.weight_decay = lr, momentum, weight_decay
        self.nesterov = nesterov
        self._velocity: list[np.ndarray[Any, Any] | None] = [None] * len(self.params)

    def zero_grad(self) -> None:
        """Forget all gradients; call it before each backward, since gradients add up."""
        for p in self.params:
            p.node.grad = None

    def step(self) -> None:
        """Move every parameter that has a gradient."""
        for i, p in enumerate(self.params):
            g = p.node.grad
            if g is None:
                continue
            value = p.node.value
            if self.weight_decay:
                g = g + self.weight_decay * value
            if self.momentum:
                before = self._velocity[i]
                v = g if before is None else self.momentum * before + g
                self._velocity[i] = v
                g = g + self.momentum * v if self.nesterov else v
            p.node.replace_value(value - self.lr * g)

    def state_dict(self) -> dict[str, Any]:
        """Options and velocities, enough to go on as if never stopped."""
        options = ("lr", "momentum", "weight_decay", "nesterov")
        velocity = {str(i): v.copy() for i, v in enumerate(self._velocity) if v is not None}
        return {**{name: getattr(self, name) for name in options}, "velocity": velocity}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        for name in ("lr", "momentum", "weight_decay", "nesterov"):
            setattr(self, name, state[name])
        self._velocity = [
            np.array(state["velocity"][str(i)]) if str(i) in state["velocity"] else None
            for i in range(len(self.params))
        ]
