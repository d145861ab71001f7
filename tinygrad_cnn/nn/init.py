"""How weights are initialised: PyTorch's default, and Xavier, He and normal by name.

A weight has shape (out, in, kernel …). Its *fan in* is how many inputs one output sums over, its
*fan out* how many outputs one input reaches. All functions draw from the process's generator
(`tg.manual_seed`), in the default dtype.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine import defaults
from ..errors import OptionError

if TYPE_CHECKING:
    from .module import Module

Array = np.ndarray[Any, Any]


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """(fan in, fan out) of a weight (out, in, kernel …)."""
    kernel = math.prod(shape[2:])
    return math.prod(shape[1:]), shape[0] * kernel


def uniform(shape: tuple[int, ...], bound: float) -> Array:
    """Uniform in −bound … bound."""
    return defaults.generator().uniform(-bound, bound, shape).astype(defaults.default_dtype())


def normal(shape: tuple[int, ...], std: float = 0.01) -> Array:
    """Normal with mean 0."""
    return (std * defaults.generator().standard_normal(shape)).astype(defaults.default_dtype())


def pytorch_default(shape: tuple[int, ...], fan_in: int | None = None) -> Array:
    """What PyTorch's linear and convolutional layers begin with: U(±1/√fan in)."""
    return uniform(shape, 1 / math.sqrt(max(fan_in or fans(shape)[0], 1)))


def xavier_uniform(shape: tuple[int, ...]) -> Array:
    """U(±√(6/(fan in + fan out))), for tanh-like layers (Glorot & Bengio 2010)."""
    return uniform(shape, math.sqrt(6 / sum(fans(shape))))


def xavier_normal(shape: tuple[int, ...]) -> Array:
    """N(0, 2/(fan in + fan out)) (Glorot & Bengio 2010)."""
    return normal(shape, math.sqrt(2 / sum(fans(shape))))


def he_uniform(shape: tuple[int, ...]) -> Array:
    """U(±√(6/fan in)): keeps the variance of ReLU layers (He et al. 2015)."""
    return uniform(shape, math.sqrt(6 / fans(shape)[0]))


def he_normal(shape: tuple[int, ...]) -> Array:
    """N(0, 2/fan in) (He et al. 2015)."""
    return normal(shape, math.sqrt(2 / fans(shape)[0]))


BY_NAME: dict[str, Callable[[tuple[int, ...]], Array]] = {
    "pytorch": pytorch_default,
    "xavier_uniform": xavier_uniform,
    "xavier_normal": xavier_normal,
    "he_uniform": he_uniform,
    "he_normal": he_normal,
    "normal": normal,
}


def initialize(module: Module, name: str) -> Module:
    """Draw all weights of linear, convolutional and locally connected layers; biases become 0.

    Args:
        module: changed in place, with all modules inside it.
        name: "xavier_uniform", "xavier_normal", "he_uniform", "he_normal", "normal" (standard
            deviation 0.01), or "pytorch" (which also draws the biases).

    Raises:
        OptionError: an unknown name, or no module.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.manual_seed(0)
        >>> model = tg.nn.init.initialize(tg.models.LeNet(), "xavier_uniform")
        >>> float(model.features.conv1.bias.data.max())
        0.0
    """
    if not isinstance(name, str) or name not in BY_NAME:
        raise OptionError(f"initialize: {name!r} is not one of {', '.join(BY_NAME)}")
    if not hasattr(module, "named_modules"):
        raise OptionError(f"initialize: a Module is needed, got {type(module).__name__}")
    for _, inner in module.named_modules():
        weight, bias = getattr(inner, "weight", None), getattr(inner, "bias", None)
        if weight is None or weight.ndim < 2 or not inner.has_fans:
            continue
        kernel = weight.shape[: weight.ndim - inner.position_axes]  # the same at each position
        positions = weight.size // math.prod(kernel)
        drawn = np.stack([BY_NAME[name](kernel) for _ in range(positions)], axis=-1)
        weight.data = drawn.reshape(weight.shape).astype(weight.dtype)
        if bias is not None:
            fan_in = fans(kernel)[0]
            fresh = pytorch_default(bias.shape, fan_in) if name == "pytorch" else 0.0 * bias.data
            bias.data = fresh.astype(bias.dtype)
    return module
