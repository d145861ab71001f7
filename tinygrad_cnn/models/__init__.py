"""The course's networks."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import OptionError
from .lenet import LeNet
from .resnet import ResNet, resnet8

MODELS: dict[str, Callable[[], LeNet | ResNet]] = {"lenet": LeNet, "resnet8": resnet8}


def build(name: str) -> LeNet | ResNet:
    """The model of that name, as the command line builds it.

    Raises:
        OptionError: no such model; lists those there are.
    """
    if name not in MODELS:
        raise OptionError(f"unknown model {name!r}; there are {', '.join(MODELS)}")
    return MODELS[name]()


__all__ = ["MODELS", "LeNet", "ResNet", "build", "resnet8"]
