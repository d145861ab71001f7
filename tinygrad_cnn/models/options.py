"""Options that several models take, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from ..errors import OptionError
from ..nn import AvgPool2d, MaxPool2d, Module, ReLU, Sigmoid, Tanh

T = TypeVar("T")

ACTIVATIONS: dict[str, Callable[[], Module]] = {"relu": ReLU, "sigmoid": Sigmoid, "tanh": Tanh}
POOLING: dict[str, Callable[[int], Module]] = {"average": AvgPool2d, "max": MaxPool2d}


def choose(model: str, option: str, value: str, known: Mapping[str, T]) -> T:
    """What a model's option means.

    Raises:
        OptionError: names the model and the option, and lists the values that it takes.
    """
    if value not in known:
        raise OptionError(f"{model}: {option} {value!r} is not one of {', '.join(known)}")
    return known[value]


def activation_layer(model: str, name: str) -> Callable[[], Module]:
    """The class of layers for an activation, by its name."""
    return choose(model, "activation", name, ACTIVATIONS)


def pooling_layer(model: str, name: str) -> Callable[[int], Module]:
    """The class of layers for a kind of pooling, by its name."""
    return choose(model, "pooling", name, POOLING)


def scaled(channels: int, width: float) -> int:
    """A number of channels times a network's width, rounded; at least one."""
    return max(1, round(channels * width))
