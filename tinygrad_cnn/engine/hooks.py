"""Hooks: your functions that see, or replace, gradients, and what enters and leaves a module.

`Tensor.register_hook` and `nn.Module.register_…_hook` make them; each gives back a `Hook`, whose
``remove()`` ends it.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import DtypeError, GraphError, ShapeError
from .node import Handle, Node


class Hook:
    """A registered function, which is called until it is removed.

    Args:
        owner: a node or a module.
        kind: the attribute of the owner that holds its hooks.
        function: what is called.
        grain: for the hook of a node: Tensor or Scalar, the class in which it sees gradients.
    """

    def __init__(
        self,
        owner: Any,
        kind: str,
        function: Callable[..., Any],
        grain: type[Handle] | None = None,
    ) -> None:
        if not callable(function):
            raise DtypeError(f"a hook must be a function, got {type(function).__name__}")
        self._owner = weakref.ref(owner)  # a plain reference would be a cycle
        self._kind = kind
        self.function, self.grain = function, grain
        setattr(owner, kind, (*getattr(owner, kind), self))

    def __call__(self, *args: Any) -> Any:
        return self.function(*args)

    def remove(self) -> None:
        """Stop calling the function. Doing so twice is harmless."""
        owner = self._owner()
        if owner is not None:
            left = tuple(hook for hook in getattr(owner, self._kind) if hook is not self)
            setattr(owner, self._kind, left)


def on_gradient(node: Node, function: Callable[[Any], Any], grain: type[Handle]) -> Hook:
    """Call a function with the gradient of a node, when a backward pass has summed it up.

    Raises:
        GraphError: the node needs no gradient, so none would ever arrive.
    """
    if not node.needs_grad:
        raise GraphError(
            f"register_hook: {node.describe()} needs no gradient, so none will arrive at it"
        )
    hook = Hook(node, "hooks", function, grain)
    Node.hooked = True
    return hook


def run_hooks(node: Node, g: Any, grain: type[Handle] | None) -> Any:
    """The gradient at a node after its hooks, as the walk carries it.

    Hooks see what ``.grad`` would show: a Tensor, or for a Scalar a float. In a recorded walk (one
    with a `grain`) they see the recorded gradient.
    """
    for hook in node.hooks:
        parts = [_shown(part, hook.grain) for part in (g if type(g) is tuple else (g,))]
        answer = hook(tuple(parts) if type(g) is tuple else parts[0])
        if answer is None:
            continue
        if type(g) is not tuple:
            g = _accepted(answer, g, node, grain)
        elif not isinstance(answer, tuple) or len(answer) != len(g):
            raise ShapeError(f"hook at {node.describe()}: expected a tuple of {len(g)} gradients")
        else:
            g = tuple(
                part if new is None or part is None else _accepted(new, part, node, grain)
                for new, part in zip(answer, g, strict=True)
            )
    return g


def _shown(g: Any, grain: type[Handle] | None) -> Any:
    if g is None or grain is None or isinstance(g, Handle | float):
        return g
    return grain.of(Node(g, role="constant"))


def _accepted(answer: Any, g: Any, node: Node, grain: type[Handle] | None) -> Any:
    """A hook's answer, which takes the place of g; refused if it has another shape."""
    where = f"hook at {node.describe()}"
    if grain is not None:
        if not isinstance(answer, Handle):
            raise GraphError(
                f"{where}: returned a plain {type(answer).__name__} while gradients are being "
                "recorded, which would count as a constant; compute it with ops of tinygrad_cnn"
            )
        value, old = answer.node.value, g.node.value
    else:
        value = answer.node.value if isinstance(answer, Handle) else answer
        old = g
    if not isinstance(value, np.ndarray | np.generic | float | int):
        raise DtypeError(f"{where}: expected a gradient or None, got {type(answer).__name__}")
    if np.shape(value) != np.shape(old):
        raise ShapeError(f"{where}: got shape {np.shape(value)} for a gradient of {np.shape(old)}")
    if grain is not None:
        return answer
    return float(value) if type(g) is float else np.array(value, g.dtype)
