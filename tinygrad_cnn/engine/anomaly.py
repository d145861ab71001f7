"""`detect_anomaly()`: which op was the first to make NaN or infinity, forward or backward?"""

from __future__ import annotations

import linecache
from typing import Any

import numpy as np

from ..errors import AnomalyError
from .context import Block, StepBack, Watcher
from .node import Handle, Node
from .op import OUTPUT
from .source import user_line


def detect_anomaly() -> Block:
    """Raise at the first op inside whose result, or whose gradient, holds NaN or infinity.

    The error names the op, its module, the line of your program, and the range of what the op
    computed from; its ``node`` is the op, and ``viz.draw(tg.Graph.of(error.node))`` marks the
    first NaN. A program that uses infinity on purpose, as in a mask of −inf, is stopped as well.

    Raises:
        AnomalyError: inside, from the op or from the backward pass.

    Example:
        >>> import tinygrad_cnn as tg
        >>> x = tg.Tensor([0.0, 4.0], requires_grad=True, name="x")
        >>> with tg.detect_anomaly():  # doctest: +IGNORE_EXCEPTION_DETAIL
        ...     x.sqrt().sum().backward()
        Traceback (most recent call last):
        tinygrad_cnn.errors.AnomalyError: backward of sqrt of shape (2,): the gradient that it
        sends to input 'x' of shape (2,) holds inf ...
    """
    return Block(lambda mode: mode.watched_by(_Search()))


class _Search(Watcher):
    """Looks at every value that is computed, and at every gradient."""

    def on_forward(self, node: Node, seconds: float) -> None:
        node.source = node.source or user_line()
        if node.op is not OUTPUT and (found := _broken(node.value)):
            said = f"{_where(node)}: the result holds {found}; {_computed_from(node)}"
            raise AnomalyError(said, node)

    def on_backward(self, step: StepBack) -> None:
        node, cotangent, gradients, sums, _ = step
        if node.op is OUTPUT:
            return
        if found := _broken(cotangent):
            _keep(node, cotangent)
            raise AnomalyError(
                f"backward of {_where(node)}: the gradient that arrives holds {found} already",
                node,
            )
        for parent, gradient, total in zip(node.inputs, gradients, sums, strict=True):
            if parent is None:
                continue
            if found := _broken(gradient):
                _keep(parent, gradient)
                raise AnomalyError(
                    f"backward of {_where(node)}: the gradient that it sends to "
                    f"{parent.describe()} holds {found}; {_computed_from(node)}; the gradient "
                    f"that arrived is {_range(cotangent)}",
                    node,
                )
            if found := _broken(total):
                _keep(parent, total)
                raise AnomalyError(
                    f"backward of {_where(node)}: the sum of the gradients at "
                    f"{parent.describe()} becomes {found}; the last of them is {_range(gradient)}",
                    node,
                )


def _keep(node: Node, gradient: Any) -> None:
    """Keep a gradient with NaN or infinity where it was found, so that pictures can show it."""
    if type(node.value) is not tuple:
        plain = _plain(gradient)
        node.grad = plain if type(plain) is float else np.array(plain)


def _broken(value: Any) -> str:
    """What is not finite in a value, in words; "" if nothing is."""
    for part in value if type(value) is tuple else (value,):
        array = np.asarray(_plain(part))
        if part is None or array.dtype.kind != "f" or np.isfinite(array).all():
            continue
        kinds = []
        if np.isnan(array).any():
            kinds.append("NaN")
        if np.isinf(array).any():
            kinds.append("inf")
        words = " and ".join(kinds)
        if array.ndim == 0:
            return words
        bad = ~np.isfinite(array)
        first = tuple(int(i) for i in np.argwhere(bad)[0])
        return f"{words} ({int(bad.sum())} of {array.size} elements, first at {first})"
    return ""


def _where(node: Node) -> str:
    """The op, its module, and the user's line."""
    said = node.describe()
    if node.source is not None:
        file, line = node.source
        code = linecache.getline(file, line).strip()
        said += f" ({file}:{line}" + (f": {code})" if code else ")")
    return said


def _computed_from(node: Node) -> str:
    inputs = [f"{p.describe()} is {_range(p.value)}" for p in node.inputs if p is not None]
    return "its input " + "; ".join(inputs)


def _range(value: Any) -> str:
    """The smallest and the largest element, and whether some are not finite."""
    parts = [p for p in (value if type(value) is tuple else (value,)) if p is not None]
    arrays = [np.asarray(_plain(part)) for part in parts]
    said = []
    for array in arrays:
        values = array[np.isfinite(array)] if array.dtype.kind == "f" else array
        if array.size == 1 and values.size == 1:
            said.append(f"{float(values.item()):.4g}")
            continue
        text = f"{values.min():.4g} … {values.max():.4g}" if values.size else "nowhere finite"
        left = array.size - values.size
        said.append(text + (f" (and {left} not finite)" if left and values.size else ""))
    return ", ".join(said) or "nothing"


def _plain(value: Any) -> Any:
    return value.node.value if isinstance(value, Handle) else value
