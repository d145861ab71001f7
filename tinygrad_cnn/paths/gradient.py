"""`gradient_paths()`: a gradient, split over the paths of a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..engine.node import Handle, Node, ancestors
from ..errors import DtypeError, OptionError
from .result import GradientPaths
from .selecting import Selector
from .walk import Asked, Walk


def gradient_paths(
    loss: Handle,
    wrt: Handle | str | Sequence[Handle | str],
    max_length: int | Mapping[str, int] | None = None,
    *,
    through: Any = None,
    branch: Any = None,
    ignore: Any = None,
    cotangent: Any = None,
) -> Any:
    """Split the gradient of `loss` with respect to `wrt` over the paths through a network.

    Without `through`, a path is told by what it does where the network chooses: at residual adds,
    at additions ``h + f(h)``, and at concatenations of that kind. Its length is the number of
    branches that it takes. `choices` says how each place was read; `branch` and `ignore` correct
    it. With `through`, a path's length is how often it crosses the parts that are marked: a module
    each time that it leaves it, a node each time that it passes.

    Args:
        loss: one number; or any result, with a `cotangent`, or to ask for `of(index)`.
        wrt: an input, an activation or a parameter; or a module's dotted name, for its output.
            Several, in a list, take one walk.
        max_length: up to which length paths are kept apart, for very deep networks. All longer ones
            are then one part, and `left_out` is its share. None keeps all lengths apart. With
            several kinds, of each, or by name.
        through: what is marked: modules, globs of their dotted names (``"layers.*.attention"``;
            ``*`` is one name, ``**`` any), functions of a node, or a list of these. A dictionary
            marks several kinds, and the gradient is split by how many of each are crossed.
        branch: operands of additions and concatenations that are branches: Tensors, names of
            modules that computed them, or a function of a node.
        ignore: additions and concatenations that are no choice, likewise.
        cotangent: at `loss`, if that is not one number.

    Returns:
        A `GradientPaths`; a tuple of them for several `wrt`.

    Raises:
        GraphError: the loss does not depend on `wrt`, or `wrt` asks for no gradient.
        ShapeError: the cotangent has not the loss's shape; later, if the loss is not one number and
            has none.
        DtypeError: loss or wrt is no Tensor or Scalar.
        OptionError: max_length is not a whole number ≥ 0; a name that names nothing.

    Example:
        >>> import tinygrad_cnn as tg
        >>> x = tg.Tensor(1.0, requires_grad=True)
        >>> y = tg.residual_add(x, 3 * x)  # a block with F(x) = 3x
        >>> paths = tg.gradient_paths(tg.residual_add(y, 5 * y), wrt=x)
        >>> [g.item() for g in paths.by_length]  # 1, then 3 + 5, then 3·5
        [1.0, 8.0, 15.0]
        >>> paths.count
        [1, 2, 1]
        >>> relus = tg.gradient_paths(tg.relu(tg.relu(x)), x, through=lambda n: n.op is tg.relu)
        >>> relus.count
        [0, 0, 1]
    """
    several = isinstance(wrt, Sequence) and not isinstance(wrt, str)
    named: list[Any] = list(wrt) if isinstance(wrt, Sequence) and several else [wrt]
    if not named:
        raise DtypeError(
            "gradient_paths: wrt must be one Tensor or Scalar, got list that is empty; one of "
            "several is split in one walk"
        )
    for what, value in (("loss", loss), *(("wrt", w) for w in named if not isinstance(w, str))):
        if not isinstance(value, Handle):
            raise DtypeError(
                f"gradient_paths: {what} must be one Tensor or Scalar, got {type(value).__name__}"
            )
    given = [_output_of(w, loss) if isinstance(w, str) else w for w in named]
    walk = Walk(Asked(loss, given, through, branch, ignore), max_length, cotangent)
    found = tuple(GradientPaths(walk, w) for w in given)
    return found if several else found[0]


def _output_of(name: str, loss: Handle) -> Handle:
    """What a module gives to what is outside of it.

    Raises:
        OptionError: there is no such module, or it gives several values.
    """
    selector = Selector("wrt", name)
    order = ancestors([loss.node], needing_grad=True)
    leaving: dict[Node, None] = {}
    for node in order:
        for parent in node.inputs:
            if parent is not None and parent.needs_grad and selector.calls(parent):
                inside = {call for call, _ in selector.calls(node)}
                if not inside & {call for call, _ in selector.calls(parent)}:
                    leaving[parent] = None
    if selector.calls(loss.node):
        leaving[loss.node] = None
    selector.must_be_found(order)
    if len(leaving) != 1:
        raise OptionError(
            f"gradient_paths: wrt: {name!r} gives {len(leaving)} values that the loss depends on; "
            "give the one that is meant, as a Tensor"
        )
    return loss.grain.of(next(iter(leaving)))
