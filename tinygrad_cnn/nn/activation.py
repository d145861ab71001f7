"""Activation functions as layers; element by element, but for softmax."""

from __future__ import annotations

import numpy as np

from ..engine import defaults
from ..engine.tensor import Tensor
from ..ops import activation, elementwise, gates, piecewise
from ..ops.options import number
from ..ops.softmax import log_softmax, softmax
from .module import Module, check_positive
from .parameter import Parameter


class ReLU(Module):
    """max(x, 0)."""

    def forward(self, x: Tensor) -> Tensor:
        return elementwise.relu(x)


class LeakyReLU(Module):
    """x for x > 0, else negative_slope·x."""

    def __init__(self, negative_slope: float = 0.01) -> None:
        super().__init__()
        self.negative_slope = negative_slope

    def forward(self, x: Tensor) -> Tensor:
        return activation.leaky_relu(x, self.negative_slope)

    def describe(self) -> str:
        return f"negative_slope={self.negative_slope}"


class ELU(Module):
    """x for x > 0, else alpha·(eˣ − 1)."""

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__()
        self.alpha = alpha

    def forward(self, x: Tensor) -> Tensor:
        return activation.elu(x, self.alpha)

    def describe(self) -> str:
        return f"alpha={self.alpha}"


class GELU(Module):
    """x·Φ(x); `approximate` is "none" or "tanh"."""

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, x: Tensor) -> Tensor:
        return activation.gelu(x, self.approximate)

    def describe(self) -> str:
        return f"approximate={self.approximate!r}"


class SiLU(Module):
    """x·sigmoid(x)."""

    def forward(self, x: Tensor) -> Tensor:
        return activation.silu(x)


class Softplus(Module):
    """log(1 + e^(beta·x))/beta, and x where beta·x > threshold."""

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta, self.threshold = beta, threshold

    def forward(self, x: Tensor) -> Tensor:
        return activation.softplus(x, self.beta, self.threshold)

    def describe(self) -> str:
        return f"beta={self.beta}, threshold={self.threshold}"


class Sigmoid(Module):
    """1 / (1 + e⁻ˣ)."""

    def forward(self, x: Tensor) -> Tensor:
        return elementwise.sigmoid(x)


class Tanh(Module):
    """tanh x."""

    def forward(self, x: Tensor) -> Tensor:
        return elementwise.tanh(x)


class Softmax(Module):
    """Positive, and sums to 1 along `axis`."""

    def __init__(self, axis: int = -1) -> None:
        super().__init__()
        self.axis = axis

    def forward(self, x: Tensor) -> Tensor:
        return softmax(x, self.axis)

    def describe(self) -> str:
        return f"axis={self.axis}"


class LogSoftmax(Softmax):
    """The logarithm of softmax along `axis`."""

    def forward(self, x: Tensor) -> Tensor:
        return log_softmax(x, self.axis)


class Hardtanh(Module):
    """x, but no less than `min_val` and no more than `max_val`."""

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0) -> None:
        super().__init__()
        self.min_val, self.max_val = min_val, max_val

    def forward(self, x: Tensor) -> Tensor:
        return piecewise.hardtanh(x, self.min_val, self.max_val)

    def describe(self) -> str:
        return f"min_val={self.min_val}, max_val={self.max_val}"


class ReLU6(Module):
    """x between 0 and 6."""

    def forward(self, x: Tensor) -> Tensor:
        return piecewise.relu6(x)


class Hardsigmoid(Module):
    """x/6 + 1/2 between 0 and 1."""

    def forward(self, x: Tensor) -> Tensor:
        return piecewise.hardsigmoid(x)


class Hardswish(Module):
    """x·hardsigmoid(x)."""

    def forward(self, x: Tensor) -> Tensor:
        return piecewise.hardswish(x)


class PReLU(Module):
    """x for x > 0, else weight·x, with a slope that is learned.

    Args:
        num_parameters: 1, or as many as there are channels.
        init: with what the slopes begin.

    Attributes:
        weight: (num_parameters,).
    """

    def __init__(self, num_parameters: int = 1, init: float = 0.25) -> None:
        super().__init__()
        check_positive("PReLU", num_parameters=num_parameters)
        self.num_parameters = num_parameters
        slope = number("PReLU", "init", init)
        self.weight = Parameter(np.full(num_parameters, slope, defaults.default_dtype()))

    def forward(self, x: Tensor) -> Tensor:
        return piecewise.prelu(x, self.weight)

    def describe(self) -> str:
        return f"{self.num_parameters}"


class GLU(Module):
    """a·sigmoid(b), with a and b the two halves of x along `axis`."""

    def __init__(self, axis: int = -1) -> None:
        super().__init__()
        self.axis = axis

    def forward(self, x: Tensor) -> Tensor:
        return gates.glu(x, self.axis)

    def describe(self) -> str:
        return f"axis={self.axis}"


class Mish(Module):
    """x·tanh(log(1 + eˣ))."""

    def forward(self, x: Tensor) -> Tensor:
        return gates.mish(x)


class LogSigmoid(Module):
    """log(1/(1 + e⁻ˣ))."""

    def forward(self, x: Tensor) -> Tensor:
        return gates.log_sigmoid(x)
