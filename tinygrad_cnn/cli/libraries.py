"""Whose values a file defines: this project's, PyTorch's or JAX's."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np

from ..nn import Module

OTHERS = ("torch", "jax")


def is_module(value: Any) -> bool:
    """Whether it is a Module or a class of them, of ours or of PyTorch's, if that is in use."""
    torch = sys.modules.get("torch")
    kinds = (Module, torch.nn.Module) if torch is not None else (Module,)
    return issubclass(value, kinds) if isinstance(value, type) else isinstance(value, kinds)


def is_function(value: Any) -> bool:
    """Whether it is a class of PyTorch's autograd Functions."""
    torch = sys.modules.get("torch")
    return (
        torch is not None
        and isinstance(value, type)
        and issubclass(value, torch.autograd.Function)
        and value is not torch.autograd.Function
    )


def library_of(layer: Any, file: ModuleType) -> str:
    """The name of the library whose arrays a layer takes; empty for this project's."""
    if is_module(layer):
        return "" if isinstance(layer, Module) else "torch"
    if is_function(getattr(layer, "__self__", None)):
        return "torch"
    if type(layer).__module__.startswith("tinygrad_cnn."):
        return ""
    homes = {
        (value.__name__ if isinstance(value, ModuleType) else str(value.__module__)).split(".")[0]
        for value in vars(file).values()
        if isinstance(value, ModuleType) or (callable(value) and hasattr(value, "__module__"))
    }
    used = [name for name in OTHERS if name in homes]
    return used[0] if used and "tinygrad_cnn" not in homes else ""


def as_library(library: str, arrays: Sequence[np.ndarray[Any, Any]]) -> list[Any]:
    """Arrays as those of a library that is in use."""
    if library == "torch":
        return [sys.modules["torch"].from_numpy(array) for array in arrays]
    if library == "jax":
        return [sys.modules["jax"].numpy.asarray(array) for array in arrays]
    return list(arrays)
