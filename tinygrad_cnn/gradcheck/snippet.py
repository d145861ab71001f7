"""The code that a report shows to reproduce its check."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..engine.op import Op
from ..engine.tensor import Tensor
from ..nn.module import Module

FEW = 64  # how many numbers are written out

Array = np.ndarray[Any, Any]


@dataclass
class Given:
    """The inputs as the caller gave them, before anything moved them.

    Attributes:
        values: an array for each Tensor, array or number; other inputs as they are.
        asking: the positions of Tensors with ``requires_grad``; if there are any, only these
            are checked.
    """

    values: list[Any] = field(default_factory=list)
    asking: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, inputs: Any) -> Given:
        """A copy of what `gradcheck` was given."""
        listed = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
        plain = [x.node.value if isinstance(x, Tensor) else x for x in listed]
        numeric = (np.ndarray, np.generic, float, int)
        values = [np.array(x) if isinstance(x, numeric) else x for x in plain]
        asking = [i for i, x in enumerate(listed) if isinstance(x, Tensor) and x.requires_grad]
        return cls(values, asking)

    @property
    def arrays(self) -> list[Array]:
        """The values that are arrays."""
        return [x for x in self.values if isinstance(x, np.ndarray)]

    def code(self) -> list[str]:
        """The lines of code that create `inputs`."""
        if sum(array.size for array in self.arrays) <= FEW:
            listed = [_literal(x) if isinstance(x, np.ndarray) else repr(x) for x in self.values]
            lines = [f"inputs = [{', '.join(listed)}]"]
        else:
            lines = ['inputs = list(np.load("inputs.npz").values())  # report.save("inputs.npz")']
            others = [i for i, x in enumerate(self.values) if not isinstance(x, np.ndarray)]
            lines += [f"inputs.insert({i}, {self.values[i]!r})" for i in others]
        if len(self.asking) < len(self.values):
            lines += [
                f"inputs[{i}] = tg.Tensor(inputs[{i}], requires_grad=True)" for i in self.asking
            ]
        return lines


def _literal(array: Array) -> str:
    if array.size == 0:
        return f"np.zeros({array.shape}, np.{array.dtype})"
    text = np.array2string(
        array, separator=", ", threshold=FEW + 1, floatmode="unique", max_line_width=10**6
    )
    text = " ".join(text.split()).replace("nan", "np.nan").replace("inf", "np.inf")
    dtype = "" if array.dtype in (np.float64, np.int64, bool) else f", np.{array.dtype}"
    return f"np.array({text}{dtype})"


def name_of(f: Any) -> str:
    """The name of a function, op or Module."""
    if isinstance(f, Module):
        return type(f).__name__
    return getattr(f, "__name__", None) or getattr(f, "name", None) or type(f).__name__


def call(f: Any, vjp: Callable[..., Any] | None, **options: Any) -> str:
    """The line of code that checks f, with the options that differ from the defaults."""
    public = sys.modules["tinygrad_cnn"]  # not imported here: it imports this file
    shown, comment = name_of(f), ""
    if shown == "<lambda>":
        code = inspect.unwrap(f).__code__
        shown = "f"
        file = code.co_filename.rsplit("/", 1)[-1]
        comment = f"  # f is the lambda at {file}:{code.co_firstlineno}"
    elif isinstance(f, Module):
        shown, comment = "module", f"  # module is your {shown}, with the same parameters"
    elif isinstance(f, Op) and getattr(public, shown, None) is f:
        shown = f"tg.{shown}"
    elif not hasattr(f, "__name__"):
        shown, comment = "f", f"  # f is your {shown}"
    usual = {"order": 1, "mode": "full", "rtol": None, "atol": None}
    extra = f", vjp={name_of(vjp).replace('<lambda>', 'vjp')}" if vjp is not None else ""
    for name, value in options.items():
        if name not in usual or usual[name] != value:
            extra += f", {name}={value!r}"
    return f"print(tg.gradcheck({shown}, inputs{extra})){comment}"
