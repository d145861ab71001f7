"""Layers, and what they are made of."""

from .containers import Residual, Sequential
from .layers import (
    AvgPool2d,
    Dropout,
    Flatten,
    GlobalAvgPool2d,
    Identity,
    MaxPool2d,
    ReLU,
    Sigmoid,
    Tanh,
)
from .learned import BatchNorm2d, Conv2d, Linear
from .module import Module, Parameter

__all__ = [
    "AvgPool2d",
    "BatchNorm2d",
    "Conv2d",
    "Dropout",
    "Flatten",
    "GlobalAvgPool2d",
    "Identity",
    "Linear",
    "MaxPool2d",
    "Module",
    "Parameter",
    "ReLU",
    "Residual",
    "Sequential",
    "Sigmoid",
    "Tanh",
]
