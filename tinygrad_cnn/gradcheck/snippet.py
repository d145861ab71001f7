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
        made: by position, how an array becomes what was given: code with ``{}`` for the array.
        library: the line that imports what this code needs.
    """

    values: list[Any] = field(default_factory=list)
    asking: list[int] = field(default_factory=list)
    made: dict[int, str] = field(default_factory=dict)
    library: str = ""

    @classmethod
    def of(cls, inputs: Any) -> Given:
        """A copy of what `gradcheck` was given."""
        listed = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
        torch, jax = sys.modules.get("torch"), sys.modules.get("jax")
        made, library = {}, ""
        for i, x in enumerate(listed):
            if hasattr(torch, "Tensor") and isinstance(x, torch.Tensor):  # type: ignore[union-attr]
                library = "import torch"
                listed[i], made[i] = _of_torch(x)
            elif hasattr(jax, "Array") and isinstance(x, jax.Array):  # type: ignore[union-attr]
                library = "import jax.numpy as jnp"
                exact = np.dtype(x.dtype).isbuiltin
                listed[i] = np.asarray(x if exact else x.astype(np.float32))
                made[i] = f"jnp.asarray({{}}, {str(x.dtype)!r})"
        plain = [x.node.value if isinstance(x, Tensor) else x for x in listed]
        numeric = (np.ndarray, np.generic, float, int)
        values = [np.array(x) if isinstance(x, numeric) else x for x in plain]
        asking = [i for i, x in enumerate(listed) if isinstance(x, Tensor) and x.requires_grad]
        return cls(values, asking, made, library)

    @property
    def arrays(self) -> list[Array]:
        """The values that are arrays."""
        return [x for x in self.values if isinstance(x, np.ndarray)]

    def code(self) -> list[str]:
        """The lines of code that create `inputs`, and before them what they import."""
        if sum(array.size for array in self.arrays) <= FEW:
            listed = [_literal(x) if isinstance(x, np.ndarray) else repr(x) for x in self.values]
            listed = [self.made.get(i, "{}").format(x) for i, x in enumerate(listed)]
            lines = [f"inputs = [{', '.join(listed)}]"]
        else:
            lines = ['inputs = list(np.load("inputs.npz").values())  # report.save("inputs.npz")']
            others = [i for i, x in enumerate(self.values) if not isinstance(x, np.ndarray)]
            lines += [f"inputs.insert({i}, {self.values[i]!r})" for i in others]
            lines += [f"inputs[{i}] = {m.format(f'inputs[{i}]')}" for i, m in self.made.items()]
        if len(self.asking) < len(self.values):
            lines += [
                f"inputs[{i}] = tg.Tensor(inputs[{i}], requires_grad=True)" for i in self.asking
            ]
        return [self.library, *lines] if self.library else lines


def _of_torch(x: Any) -> tuple[Array, str]:
    """A Tensor of PyTorch as an array, and the code that makes it again."""
    asks = ".requires_grad_()" if x.requires_grad else ""
    made = f"torch.from_numpy({{}}).to({str(x.device)!r}, {x.dtype})" + asks
    plain = x.detach().to_dense().resolve_conj().cpu()
    if str(x.dtype) == "torch.bfloat16":  # which NumPy does not have
        plain = plain.float()
    elif x.device.type == "cpu":
        made = "torch.from_numpy({})" + asks
    return np.array(plain.numpy()), made


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
    if isinstance(f, Module) or (hasattr(f, "forward") and not isinstance(f, Op)):
        return type(f).__name__
    if inspect.ismethod(f) and isinstance(f.__self__, type):  # Square.apply
        return f"{f.__self__.__name__}.{f.__name__}"
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
    elif isinstance(f, Module) or (hasattr(f, "forward") and not isinstance(f, Op)):
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
