"""The gradient of a residual network, split exactly over its 2ⁿ paths.

At a residual add, y = skip + branch, a cotangent goes on along both inputs. A *path* is the
sequence of choices, skip or branch, met on the way from the loss to `wrt`; its length is how often
it took the branch. Backward is linear in the cotangent, so the walk can carry the parts of a
gradient apart instead of their sum: by length (G_k, at most n+1 parts), or by path (2ⁿ parts).

    at an add:   G_k → skip,  G_k → branch as G_{k+1};     elsewhere: each part through the vjp

The split by length is Theorem 1 of Fagnou et al. 2025, "Highway backpropagation"; that few short
paths carry most of the gradient was seen by Veit, Wilber & Belongie 2016.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable, Iterator
from functools import cached_property
from typing import Any

import numpy as np

from .backward import leading_to, pull, seed
from .errors import GraphError, OptionError
from .graph import Handle, Node, ancestors
from .op import OUTPUT
from .ops.residual import residual_add

Choice = tuple[Node, bool]  # a residual add, and whether its branch was taken
Array = np.ndarray[Any, Any]


def gradient_paths(loss: Handle, wrt: Handle) -> GradientPaths:
    """Split the gradient of `loss` with respect to `wrt` over the paths of a residual network.

    Args:
        loss: one number, recorded through residual adds (`residual_add`, `nn.Residual`).
        wrt: an input, an activation or a parameter.

    Raises:
        GraphError: the loss does not depend on `wrt`.

    Example:
        >>> import tinygrad_cnn as tg
        >>> x = tg.Tensor(1.0, requires_grad=True)
        >>> y = tg.residual_add(x, 3 * x)  # a block with F(x) = 3x
        >>> paths = tg.gradient_paths(tg.residual_add(y, 5 * y), wrt=x)
        >>> [g.item() for g in paths.by_length]  # 1, then 3 + 5, then 3·5
        [1.0, 8.0, 15.0]
        >>> paths.count
        [1, 2, 1]
    """
    return GradientPaths(loss, wrt)


class GradientPaths:
    """The paths from a loss to one of the values that it depends on. See `gradient_paths`.

    Attributes:
        loss, wrt: the nodes that the paths lead from and to.
        blocks: the residual adds that some path meets, in order of creation.
        n_blocks: how many those are.
    """

    def __init__(self, loss: Handle, wrt: Handle) -> None:
        self.loss, self.wrt = loss.node, wrt.node
        self._cotangent = seed(loss, None)
        order = ancestors([self.loss], needing_grad=True)
        self._order = leading_to({self.wrt}, order)
        if self.loss not in self._order:
            raise GraphError(
                f"gradient_paths: the loss does not depend on wrt ({self.wrt.describe()})"
            )
        self._leading = set(self._order)
        self.blocks = sorted(self._successors_of_all, key=lambda node: node.serial)
        self.n_blocks = len(self.blocks)

    # --- by length -----------------------------------------------------------------------------

    @cached_property
    def by_length(self) -> list[Array]:
        """``by_length[k]``: the sum of the gradients of all paths that cross k branches."""
        parts = self._split(0, lambda k, add, branch: k + branch)
        zero = np.zeros_like(self.wrt.value)
        return [np.asarray(parts.get(k, zero)) for k in range(len(self.count))]

    @property
    def total(self) -> Array:
        """The sum over all lengths: the ordinary gradient."""
        return np.sum(self.by_length, axis=0)

    @property
    def norms(self) -> list[float]:
        """‖G_k‖ for each length k."""
        return [float(np.linalg.norm(part)) for part in self.by_length]

    @property
    def shares(self) -> list[float]:
        """⟨G_k, g⟩ / ‖g‖² for each length k: the signed part in the gradient g; they sum to 1."""
        parts = [part.astype(np.float64) for part in self.by_length]
        total = np.sum(parts, axis=0)
        square = float(np.vdot(total, total))
        if square == 0:
            warnings.warn("gradient_paths: the gradient is zero, so shares are NaN", stacklevel=2)
            return [float("nan")] * len(parts)
        return [float(np.vdot(part, total)) / square for part in parts]

    # --- counting ------------------------------------------------------------------------------

    @cached_property
    def count(self) -> list[int]:
        """``count[k]``: how many paths cross k branches; C(n, k) for a chain of n blocks."""
        counts: dict[Choice, list[int]] = {}

        def onward(adds: set[Node], arrives: bool) -> list[int]:
            total = [int(arrives)]
            for add in adds:
                total = _plus(total, counts[add, False])
                total = _plus(total, [0, *counts[add, True]])
            return total

        for add in self.blocks:  # inputs first, so what an add leads to is counted already
            for branch in (False, True):
                counts[add, branch] = onward(*self._successors_of_all[add][branch])
        found = onward(*self._reach(self.loss))
        return found + [0] * (self.n_blocks + 1 - len(found))

    @cached_property
    def _successors_of_all(self) -> dict[Node, list[tuple[set[Node], bool]]]:
        """For each add that some path meets: what [its skip, its branch] leads to."""
        found: dict[Node, list[tuple[set[Node], bool]]] = {}
        waiting = list(self._reach(self.loss)[0])
        while waiting:
            add = waiting.pop()
            if add not in found:
                found[add] = [self._reach(parent) for parent in add.inputs]
                waiting += [b for adds, _ in found[add] for b in adds]
        return found

    def _reach(self, start: Node | None) -> tuple[set[Node], bool]:
        """The next adds on the way to `wrt`, and whether it is reached without meeting one."""
        adds: set[Node] = set()
        arrives = False
        seen: set[Node] = set()
        stack = [start]
        while stack:
            node = stack.pop()
            if node is None or node in seen or node not in self._leading:
                continue
            seen.add(node)
            if node is self.wrt:
                arrives = True
            elif node.op is residual_add:
                adds.add(node)
            else:
                stack.extend(node.inputs)
        return adds, arrives

    # --- one by one ----------------------------------------------------------------------------

    def paths(self, limit: int = 20) -> Iterator[tuple[tuple[bool, ...], Array]]:
        """Every path, as a boolean for each block (was its branch taken?), with its gradient.

        Shortest first. A block that is not met counts as not taken.

        Raises:
            OptionError: more than `limit` blocks, since there are 2ⁿ paths.
        """
        if self.n_blocks > limit:
            raise OptionError(
                f"paths: {self.n_blocks} blocks have up to 2^{self.n_blocks} paths; use by_length, "
                f"or paths(limit={self.n_blocks})"
            )
        start: tuple[Choice, ...] = ()
        parts = self._split(start, lambda path, add, branch: (*path, (add, branch)))
        place = {add: i for i, add in enumerate(self.blocks)}

        def taken(path: tuple[Choice, ...]) -> tuple[bool, ...]:
            crossed = {place[add] for add, branch in path if branch}
            return tuple(i in crossed for i in range(self.n_blocks))

        listed = [(taken(path), np.asarray(g)) for path, g in parts.items()]
        yield from sorted(listed, key=lambda entry: (sum(entry[0]), [not b for b in entry[0]]))

    # --- the walk ------------------------------------------------------------------------------

    def _split(self, start: Hashable, choose: Callable[[Any, Node, bool], Any]) -> dict[Any, Any]:
        """Carry the parts of the gradient, each under a key, from the loss to `wrt`.

        `choose(key, add, branch)` is a part's key after an add.
        """
        arrived: dict[Node, dict[Any, Any]] = {self.loss: {start: self._cotangent}}
        for node in reversed(self._order):
            parts = arrived.pop(node, {})
            if node is self.wrt:
                return parts
            for key, g in parts.items():
                gradients = pull(node, g, leading=self._leading)
                for argument, (parent, gradient) in enumerate(
                    zip(node.inputs, gradients, strict=True)
                ):
                    if parent is None or gradient is None or parent not in self._leading:
                        continue
                    after = choose(key, node, argument == 1) if node.op is residual_add else key
                    _add_part(arrived.setdefault(parent, {}), after, gradient, node)
        return {}

    def __repr__(self) -> str:
        return f"<GradientPaths: {sum(self.count)} paths over {self.n_blocks} residual blocks>"


def _add_part(parts: dict[Any, Any], key: Any, gradient: Any, consumer: Node) -> None:
    if consumer.op is OUTPUT:  # its producer's cotangent is a tuple with a place for each output
        whole = consumer.inputs[0]
        assert whole is not None
        assert consumer.options is not None
        slots = list(parts.get(key, (None,) * len(whole.value)))
        i = consumer.options["index"]
        slots[i] = gradient if slots[i] is None else slots[i] + gradient
        parts[key] = tuple(slots)
    else:
        parts[key] = parts[key] + gradient if key in parts else gradient


def _plus(a: list[int], b: list[int]) -> list[int]:
    """The sum of two polynomials, given by their coefficients."""
    longer, shorter = (a, b) if len(a) >= len(b) else (b, a)
    return [x + (shorter[i] if i < len(shorter) else 0) for i, x in enumerate(longer)]
