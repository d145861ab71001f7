"""Lesions: what a network does without one of its blocks (Veit, Wilber & Belongie 2016)."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..engine.backward import grad
from ..engine.context import mode, no_grad
from ..engine.node import Handle, Node
from ..engine.tensor import Tensor
from ..errors import OptionError, ShapeError
from ..nn import Module
from ..nn.modes import in_mode
from ..recording.graph import Graph
from .gates import Part

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class BlockLesion:
    """The loss and the gradient before and after a block's branch was deleted.

    Attributes:
        block: the residual add whose branch now gives zeros.
        loss_before, loss: the loss with the branch, and without it.
        gradient_before, gradient: the gradient at `wrt` with the branch, and without it.
    """

    block: Node
    loss_before: float
    loss: float
    gradient_before: Array
    gradient: Array

    @property
    def loss_change(self) -> float:
        """Loss without the branch, minus loss with it."""
        return self.loss - self.loss_before

    @property
    def gradient_change(self) -> float:
        """‖g without − g with‖ / ‖g with‖; NaN if there was no gradient."""
        before = np.asarray(self.gradient_before, np.float64)
        size = float(np.linalg.norm(before))
        change = float(np.linalg.norm(self.gradient - before))
        return change / size if size else float("nan")

    def __repr__(self) -> str:
        where = self.block.scope or "a residual block"
        return (
            f"<Without the branch of {where}: loss {self.loss_before:.4g} → {self.loss:.4g}, "
            f"gradient changed by {self.gradient_change:.1%}>"
        )


def without_part(loss: Handle, wrt: Handle, part: Part, cotangent: Any) -> BlockLesion:
    """Run again what depends on a part, with zeros in the place of what it gives.

    Of a loss that is not one number, ⟨loss, cotangent⟩ takes its place.
    """
    after = Graph.of(loss).replay(_without(loss.grain, part))[loss]
    zero = np.zeros_like(wrt.node.value)
    flows = after.node.needs_grad
    gradient = grad(after, wrt, cotangent, allow_unused=True) if flows else None
    return BlockLesion(
        part.place,
        float(np.vdot(loss.node.value, cotangent)),
        float(np.vdot(after.node.value, cotangent)),
        np.asarray(grad(loss, wrt, cotangent).data),
        zero if gradient is None else np.asarray(gradient.data),
    )


def _without(grain: type[Handle], part: Part) -> dict[Node, Any]:
    """What takes the place of nodes, so that the part gives zeros."""
    choice = part.choice
    if choice is None:
        return {node: np.zeros_like(node.value) for node in part.exits}
    place, skip = choice.place, choice.skip_node
    if len(choice.branches) == 1 and skip is not None and skip.value.shape == place.value.shape:
        return {place: grain.of(skip)}
    assert place.op is not None
    operands = [
        np.zeros_like(p.value) if i == part.argument else grain.of(p)
        for i, p in enumerate(place.inputs)
        if p is not None
    ]
    given = [operands] if place.op.variadic else operands
    return {place: place.op(*given, **(place.options or {}))}


@contextlib.contextmanager
def lesion(model: Module, name: str) -> Iterator[Module]:
    """Skip one module of a model: inside the `with` block its output is its input.

    Any module whose output has its input's shape can be skipped, in a plain network as well as in a
    residual one. To find that shape, each call runs the module once, in evaluation mode and without
    recording; nothing in it changes.

    Args:
        model: any module.
        name: dotted name of the module to skip, as `named_modules` gives it, e.g. "layer2.1".

    Raises:
        OptionError: no such module, or the model itself.
        ShapeError: when called: the module's output has another shape, or it has several inputs.

    Example:
        >>> import tinygrad_cnn as tg
        >>> model = tg.nn.Sequential(tg.nn.Tanh(), tg.nn.Sigmoid())
        >>> x = tg.Tensor([0.0, 1.0])
        >>> with tg.lesion(model, "1"):
        ...     y = model(x)
        >>> bool((y.numpy() == tg.tanh(x).numpy()).all())
        True
    """
    modules = {found: module for found, module in model.named_modules() if found}
    if name not in modules:
        near = difflib.get_close_matches(name, modules, n=3) or list(modules)[:8]
        raise OptionError(
            f"lesion: {type(model).__name__} has no module {name!r} inside; there are, e.g., "
            f"{', '.join(near) or 'none'}"
        )
    module = modules[name]
    original = module.forward

    def skipped(*args: Any, **options: Any) -> Any:
        if len(args) != 1 or options or not isinstance(args[0], Tensor):
            raise ShapeError(f"lesion: {name} must be called with one Tensor to be skipped")
        (x,) = args
        shape = getattr(_probe(module, original, x), "shape", None)
        if shape != x.shape:
            raise ShapeError(
                f"lesion: {name} cannot be skipped: it makes {shape} of {x.shape}, and what comes "
                "after it needs that shape; choose a module that keeps its input's"
            )
        return x

    had = "forward" in vars(module)
    object.__setattr__(module, "forward", skipped)
    try:
        yield model
    finally:
        if had:
            object.__setattr__(module, "forward", original)
        else:
            object.__delattr__(module, "forward")


def _probe(module: Module, forward: Any, x: Tensor) -> Any:
    """What a module makes of x, in evaluation mode, leaving no trace."""
    with in_mode(module, training=False), no_grad(), mode(watchers=()):
        return forward(x)
