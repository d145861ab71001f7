"""`Optimizer`: what all optimisers share. Parameters, options, and a memory for each parameter."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np

from ..engine.tensor import Tensor
from ..errors import DtypeError, OptionError, ShapeError

Array = np.ndarray[Any, Any]
Memory = dict[str, Any]
"""What an optimiser remembers of one parameter: arrays like it, and numbers."""


class Optimizer:
    """Base of the optimisers. Your own subclass names its `options` and defines `update`.

    Args:
        params: Tensors that ask for gradients.

    Attributes:
        params: the Tensors that `step` moves.
        lr: step size; a schedule, or you, may change it between steps.

    Raises:
        OptionError: no parameters, or one of them twice.
        DtypeError: a parameter that is no Tensor with requires_grad, or params that is one Tensor.

    Example:
        >>> import numpy as np
        >>> import tinygrad_cnn as tg
        >>> class SignDescent(tg.optim.Optimizer):
        ...     options = ("lr",)
        ...     def __init__(self, params, lr):
        ...         super().__init__(params)
        ...         self.lr = lr
        ...     def update(self, value, gradient, memory):
        ...         return value - self.lr * np.sign(gradient)
        >>> w = tg.nn.Parameter([4.0, -4.0])
        >>> (w * w).sum().backward()
        >>> SignDescent([w], lr=0.5).step()
        >>> w.data
        array([ 3.5, -3.5], dtype=float32)
    """

    options: ClassVar[tuple[str, ...]] = ("lr",)
    """The attributes that `state_dict` carries."""
    lr: float

    def __init__(self, params: Iterable[Tensor]) -> None:
        name = type(self).__name__
        if isinstance(params, Tensor):  # which could be iterated over, too
            raise DtypeError(f"{name}: params must be several Tensors, got one; give [tensor]")
        if not isinstance(params, Iterable):
            raise DtypeError(
                f"{name}: params must be Tensors, got {type(params).__name__}; "
                "give model.parameters()"
            )
        self.params = list(params)
        if not self.params:
            raise OptionError(f"{name}: there are no parameters to optimise")
        for p in self.params:
            if not isinstance(p, Tensor) or not p.requires_grad:
                raise DtypeError(
                    f"{name}: parameters must be Tensors with requires_grad, got {p!r}"
                )
        if len({p.node for p in self.params}) < len(self.params):
            raise OptionError(f"{name}: a parameter is given twice, and would be moved twice")
        self._memory: list[Memory] = [{} for _ in self.params]

    def update(self, value: Array, gradient: Array, memory: Memory) -> Array:
        """The new value of one parameter; `memory` is its own, empty before its first step."""
        raise NotImplementedError(f"{type(self).__name__} has no update")

    def step(self) -> None:
        """Move every parameter that has a gradient."""
        for p, memory in zip(self.params, self._memory, strict=True):
            gradient = p.node.grad
            if gradient is not None:
                new = self.update(p.node.value, gradient, memory)
                p.node.replace_value(np.asarray(new, p.dtype))

    def zero_grad(self) -> None:
        """Forget all gradients; call it before each backward, since gradients add up."""
        for p in self.params:
            p.node.grad = None

    def state_dict(self) -> dict[str, Any]:
        """Options and memory: enough to go on as if never stopped."""
        return {
            "kind": type(self).__name__,
            "options": {name: getattr(self, name) for name in self.options},
            "memory": {str(i): _copied(memory) for i, memory in enumerate(self._memory)},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave; nothing is taken over if anything does not fit.

        Raises:
            OptionError: the state of another optimiser, or of another number of parameters.
            ShapeError: memory of another shape than its parameter's.
        """
        name = type(self).__name__
        memory = state["memory"]
        if state["kind"] != name or set(state["options"]) != set(self.options):
            raise OptionError(f"{name}: this is the state of {state['kind']}")
        if len(memory) != len(self.params):
            raise OptionError(
                f"{name}: this state is of {len(memory)} parameters, there are {len(self.params)}"
            )
        for i, p in enumerate(self.params):
            for key, value in memory[str(i)].items():
                if isinstance(value, np.ndarray) and value.shape != p.shape:
                    raise ShapeError(
                        f"{name}: {key} of parameter {i} has shape {value.shape}, "
                        f"the parameter {p.shape}"
                    )
        for option, value in state["options"].items():
            setattr(self, option, value)
        self._memory = [_copied(memory[str(i)]) for i in range(len(self.params))]

    def _check(self, **limits: tuple[float, float]) -> None:
        """Refuse options outside of low ≤ value < high; turn the others into Python numbers."""
        for option, (low, high) in limits.items():
            value = getattr(self, option)
            is_number = isinstance(value, int | float | np.integer | np.floating)
            if not (is_number and low <= value < high):
                wanted = f"≥ {low:g}" if high == math.inf else f"in {low:g} ≤ {option} < {high:g}"
                raise OptionError(
                    f"{type(self).__name__}: {option} must be {wanted}, got {value!r}"
                )
            setattr(self, option, float(value))  # NumPy's would make float32 arrays float64

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={getattr(self, name)}" for name in self.options)
        return f"{type(self).__name__}({len(self.params)} parameters, {options})"


def _copied(memory: Memory) -> Memory:
    """The memory of one parameter, with arrays of its own."""
    return {k: v.copy() if isinstance(v, np.ndarray) else v for k, v in memory.items()}
