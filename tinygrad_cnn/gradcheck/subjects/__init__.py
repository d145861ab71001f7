"""What can be checked, each as a `Subject`: of plain arrays, the engine, PyTorch, JAX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...errors import OptionError
from .base import Subject
from .engine import engine_subject
from .jax import is_jax, jax_subject
from .plain import PlainSubject
from .torch import is_torch, torch_subject


def prepare(f: Callable[..., Any], inputs: Any, vjp: Callable[..., Any] | None) -> Subject:
    """The subject for f at the inputs, computing in float64. Close it after use.

    Raises:
        OptionError: f cannot be called, or no input is floating.
    """
    if not callable(f):
        raise OptionError(f"gradcheck: f must be a function or a Module, got {type(f).__name__}")
    given = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
    arguments = [np.asarray(x) if isinstance(x, float) else x for x in given]
    subject: Subject
    if vjp is not None:
        subject = PlainSubject(f, arguments, vjp)
    elif is_torch(f, given):
        subject = torch_subject(f, given)
    elif is_jax(given):
        subject = jax_subject(f, given)
    else:
        subject = engine_subject(f, arguments)
    if not subject.arrays:
        subject.close()
        listed = [i for i, x in enumerate(given) if isinstance(x, list | tuple)]
        hint = f"; input {listed[0]} is a list: write np.array(…)" if listed else ""
        raise OptionError(
            "gradcheck: nothing to differentiate: no input is floating, and f has no parameters"
            + hint
        )
    return subject
