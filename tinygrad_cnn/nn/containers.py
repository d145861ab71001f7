"""How modules are put together: Sequential, the residual block, Flatten, Identity."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ..engine.tensor import Tensor
from ..errors import DtypeError, ShapeError
from ..ops.residual import residual_add
from ..ops.shape import reshape
from .module import Module, need_tensor


class Sequential(Module):
    """Modules that run one after another, named "0", "1", … or by keyword.

    Example:
        >>> import tinygrad_cnn as tg
        >>> model = tg.nn.Sequential(tg.nn.Linear(4, 8), tg.nn.ReLU(), tg.nn.Linear(8, 2))
        >>> model(tg.Tensor([[1.0, 2.0, 3.0, 4.0]])).shape
        (1, 2)
        >>> [name for name, _ in model.named_parameters()]
        ['0.weight', '0.bias', '2.weight', '2.bias']
    """

    def __init__(self, *modules: Module, **named: Module) -> None:
        super().__init__()
        for name, module in [*((str(i), m) for i, m in enumerate(modules)), *named.items()]:
            if not isinstance(module, Module):
                raise DtypeError(
                    f"Sequential: {name} must be a Module, got {type(module).__name__}"
                )
            setattr(self, name, module)

    def forward(self, x: Tensor) -> Tensor:
        for module in self:
            x = module(x)
        return x

    def __iter__(self) -> Iterator[Module]:
        return (module for _, module in self.children())

    def __len__(self) -> int:
        return len(list(self.children()))

    def __getitem__(self, index: int) -> Module:
        return list(self)[index]


class Residual(Module):
    """A residual block: y = activation(shortcut(x) + branch(x)) (He et al. 2015).

    Args:
        branch: F, the layers that are stepped over.
        shortcut: how x gets to the addition; None for the identity. Where the branch changes the
            shape, it must be a projection, such as a 1×1 convolution.
        activation: applied after the addition; None for none.

    Raises:
        DtypeError: one of them is no Module.

    Example:
        >>> import tinygrad_cnn as tg
        >>> block = tg.nn.Residual(tg.nn.ReLU())
        >>> block(tg.Tensor([-1.0, 1.0]))
        Tensor([-1.,  2.])
    """

    def __init__(
        self, branch: Module, shortcut: Module | None = None, activation: Module | None = None
    ) -> None:
        super().__init__()
        for name, part in (("branch", branch), ("shortcut", shortcut), ("activation", activation)):
            if not isinstance(part, Module) and (part is not None or name == "branch"):
                raise DtypeError(f"Residual: {name} must be a Module, got {type(part).__name__}")
        self.branch = branch
        self.shortcut = shortcut
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        skip = x if self.shortcut is None else self.shortcut(x)
        y = residual_add(skip, self.branch(x))
        return y if self.activation is None else self.activation(y)


class Flatten(Module):
    """(N, …) → (N, product of the rest).

    Example:
        >>> import numpy as np, tinygrad_cnn as tg
        >>> tg.nn.Flatten()(tg.Tensor(np.zeros((2, 3, 4, 4)))).shape
        (2, 48)
    """

    def forward(self, x: Tensor) -> Tensor:
        need_tensor("Flatten", x)
        if not x.ndim:
            raise ShapeError("Flatten: input must be (N, …), got ()")
        return reshape(x, (x.shape[0], math.prod(x.shape[1:])))


class Identity(Module):
    """x itself."""

    def forward(self, x: Tensor) -> Tensor:
        return x
