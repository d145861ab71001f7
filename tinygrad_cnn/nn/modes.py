"""A module in training or evaluation mode for a while, and then as it was."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .module import Module


@contextlib.contextmanager
def in_mode(model: Module, training: bool) -> Iterator[None]:
    """Training or evaluation mode for a `with` block, for all modules inside `model`.

    Afterwards each module is in its own mode again, also where they differ.
    """
    before = [(module, module.training) for _, module in model.named_modules()]
    model.train(training)
    try:
        yield
    finally:
        for module, was in before:
            module.training = was
