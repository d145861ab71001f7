"""One vjp for a stack of cotangents: they stand beside each other along a new first axis.

Many cotangents that have arrived at one node go through its vjp together: a stack of small batches
fills the machine, one by one they do not. An op says how its vjp takes a stack (`Op.stacked`):

- `in_front`: the formula holds as it is, since an axis in front of all others broadcasts.
- `Examples`: the op treats every example of a batch by itself. So the stack is one larger batch,
  in which the inputs' examples are repeated.
- or a function of its own, called as these two are.

Of an op that says nothing, and where a gradient sums over the examples (that of a convolution's
kernel), the cotangents go through the vjp one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .backward import check_fresh, pull, quiet
from .node import Node
from .op import OUTPUT, Op

Stack = Any  # an array with the stack's axis in front; of several outputs, a tuple of them or None
ONE_BY_ONE = object()
"""In the place of a gradient: the vjp takes the cotangents of this input one after the other."""

MOST = 1 << 24  # elements of a stack that go through a vjp at once; more would only take memory


def pull_stack(node: Node, g: Stack, leading: set[Node]) -> list[Stack | None]:
    """The stacks of cotangents that a node sends to its inputs when the stack `g` arrives.

    As `backward.pull`, for each cotangent of the stack.

    Args:
        node: what an op computed.
        g: the cotangents at it, with an axis in front.
        leading: the nodes that cotangents are wanted at.
    """
    op = node.op
    assert op is not None
    if op is OUTPUT:
        return [g]
    count = len(g) if type(g) is not tuple else len(next(part for part in g if part is not None))
    needed = [p is not None and p.needs_grad and p in leading for p in node.inputs]
    sent: list[Any] = [ONE_BY_ONE if wanted else None for wanted in needed]
    if op.stacked is not None and count > 1 and type(node.value) is not float:
        check_fresh(node)
        args = [None if p is None else p.value for p in node.inputs]
        with quiet():
            sent = _in_chunks(node, g, count, args, needed)
    left = [want and s is ONE_BY_ONE for want, s in zip(needed, sent, strict=True)]
    if any(left):
        wanted = {p for p, want in zip(node.inputs, left, strict=True) if want and p is not None}
        for i, stack in enumerate(_one_by_one(node, g, count, wanted)):
            if left[i]:
                sent[i] = stack
    return [s if want else None for s, want in zip(sent, needed, strict=True)]


def _in_chunks(node: Node, g: Stack, count: int, args: list[Any], needed: list[bool]) -> list[Any]:
    """The gradients as the op's own way gives them, each of its input's shape, a stack in front."""
    op = node.op
    assert op is not None
    assert op.stacked is not None
    size = max(part.size for part in (g if type(g) is tuple else (g,)) if part is not None)
    at_once = max(1, MOST * count // max(size, 1))
    sent: list[list[Any]] = []
    for start in range(0, count, at_once):
        part = _rows(g, slice(start, start + at_once))
        answers = op.stacked(op, part, node.value, args, node.options or {}, needed)
        sent.append([_fit(a, x) if _is_stack(a) else a for a, x in zip(answers, args, strict=True)])
    return [
        np.concatenate(parts) if len(parts) > 1 and _is_stack(parts[0]) else parts[0]
        for parts in zip(*sent, strict=True)
    ]


def _is_stack(answer: Any) -> bool:
    return answer is not None and answer is not ONE_BY_ONE


def _one_by_one(node: Node, g: Stack, count: int, wanted: set[Node]) -> list[Stack | None]:
    rows = []
    with quiet():
        for k in range(count):
            one = _rows(g, k)
            one = float(one) if type(node.value) is float else one
            rows.append(pull(node, one, leading=wanted))
    return [_joined([row[i] for row in rows]) for i in range(len(node.inputs))]


def _joined(parts: Sequence[Any]) -> Stack | None:
    """Gradients as a stack; None, where a vjp gives no gradient, is zeros beside others."""
    given = next((part for part in parts if part is not None), None)
    if given is None:
        return None
    return np.stack([np.zeros_like(given) if part is None else part for part in parts])


def _rows(g: Stack, which: Any) -> Any:
    if type(g) is tuple:
        return tuple([None if part is None else part[which] for part in g])
    return g[which]


def _fit(gradient: Any, value: Any) -> Any:
    """Summed over the axes along which the input was broadcast, and of its dtype."""
    shape, dtype = np.shape(value), np.asarray(value).dtype
    given = gradient.shape[1:]
    if given != shape:
        extra = len(given) - len(shape)
        axes = [*range(1, extra + 1)]
        axes += [
            1 + extra + k
            for k, (size, got) in enumerate(zip(shape, given[extra:], strict=True))
            if size == 1 and got != 1
        ]
        gradient = gradient.sum(axis=tuple(axes)).reshape(len(gradient), *shape)
    return gradient if gradient.dtype == dtype else gradient.astype(dtype)


# --- the ways -----------------------------------------------------------------------------------


def in_front(
    op: Op, g: Stack, y: Any, args: list[Any], options: dict[str, Any], needed: list[bool]
) -> Sequence[Any]:
    """The vjp as it is: an axis in front of all others broadcasts."""
    return op.pull(g, y, args, options, needed)


@dataclass(frozen=True)
class Examples:
    """The op treats every example by itself, that is every slice along the first axis.

    Attributes:
        inputs: names of the inputs that have the examples. A gradient at any other input sums over
            them: it is taken one by one.
        unread: those of them, and "y" for the output, whose shape alone the vjp reads.
        when: whether this holds for some inputs and options; None: it always does.
    """

    inputs: Sequence[str] = ("x",)
    unread: Sequence[str] = ()
    when: Callable[..., bool] | None = None

    def __call__(
        self,
        op: Op,
        g: Stack,
        y: Any,
        args: list[Any],
        options: dict[str, Any],
        needed: list[bool],
    ) -> Sequence[Any]:
        """The gradients at the inputs, with a stack in front."""
        has = [name in self.inputs for name in op.inputs]
        asked = [want and here for want, here in zip(needed, has, strict=True)]
        holds = y.ndim and (self.when is None or self.when(*args, **options))
        if not (holds and any(asked)):
            return [ONE_BY_ONE] * len(args)
        count = len(g)
        repeated = [
            self._repeated(name, a, count) if here and a is not None else a
            for name, a, here in zip(op.inputs, args, has, strict=True)
        ]
        flat = g.reshape(-1, *y.shape[1:])
        answers = op.pull(flat, self._repeated("y", y, count), repeated, options, asked)
        return [
            a.reshape(count, -1, *a.shape[1:]) if here and a is not None else ONE_BY_ONE
            for a, here in zip(answers, asked, strict=True)
        ]

    def _repeated(self, name: str, a: Any, count: int) -> Any:
        if name in self.unread:
            return np.broadcast_to(np.zeros((), a.dtype), (count * len(a), *a.shape[1:]))
        return np.concatenate([a] * count)
