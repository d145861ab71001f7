"""The reverse walk: from a result's cotangent to the gradients of what it was computed from.

Nodes are visited youngest first. Because inputs are older than what uses them, every contribution
to a node's cotangent has arrived by the time the node is visited; its op's vjp then passes it on.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np

from ..errors import DtypeError, GraphError, ShapeError
from .context import StepBack, current_mode, mode
from .hooks import run_hooks
from .node import FREED, Handle, Node, ancestors
from .op import OUTPUT


def backward(y: Handle, grad: Any = None, *, free_graph: bool = False) -> None:
    """Add dy/dx · grad to the ``.grad`` of every leaf x with ``requires_grad`` that y depends on.

    Args:
        y: the result, a Tensor or a Scalar.
        grad: the cotangent at y, of y's shape; may be left out if y holds one number (then 1).
        free_graph: free the recorded graph while walking it, for training loops.

    Raises:
        GraphError: y needs no gradient, its graph was freed, or a value was changed after use.
        ShapeError: grad does not have y's shape, or is missing for a y of several numbers.
    """
    node = _differentiable(y)
    walk({node: seed(y, grad)}, free_graph=free_graph)


def grad(
    y: Handle,
    x: Handle | Sequence[Handle],
    grad_outputs: Any = None,
    *,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> Any:
    """Return the gradient of y with respect to x; ``.grad`` is left unchanged.

    Args:
        y: the result.
        x: one Tensor or Scalar, or a sequence of them. They need not be leaves.
        grad_outputs: the cotangent at y; may be left out if y holds one number.
        create_graph: record the gradient's own computation, so that it can be differentiated.
        allow_unused: give None for an x that y does not depend on, instead of raising.

    Returns:
        The gradient, of x's class and shape; a tuple of gradients if x is a sequence.

    Raises:
        GraphError: y does not depend on some x (and not allow_unused), or as for `backward`.

    Example:
        >>> import tinygrad_cnn as tg
        >>> x = tg.Tensor(3.0, requires_grad=True)
        >>> first = tg.grad(x**3, x, create_graph=True)
        >>> tg.grad(first, x).item()  # the second derivative, 6x
        18.0
    """
    if not isinstance(x, Handle | Sequence):
        raise DtypeError(f"grad: x must be a Tensor, a Scalar or a sequence, got {type(x)}")
    targets = [x] if isinstance(x, Handle) else list(x)
    for i, target in enumerate(targets):
        if not isinstance(target, Handle):
            raise DtypeError(f"grad: x[{i}] must be a Tensor or Scalar, got {type(target)}")
    root = _differentiable(y)
    if create_graph and isinstance(grad_outputs, Handle) and grad_outputs.grain is not y.grain:
        raise DtypeError(
            f"grad: grad_outputs is a {type(grad_outputs).__name__}, y a {type(y).__name__}"
        )
    start = seed(y, grad_outputs)
    grain = None
    if create_graph:
        grain = y.grain
        start = grad_outputs if isinstance(grad_outputs, Handle) else _leaf(grain, start)
    wanted = [target.node for target in targets]
    found = walk({root: start}, wanted=wanted, grain=grain)
    results: list[Any] = []
    taken = {*wanted, start.node} if isinstance(start, Handle) else set(wanted)
    for i, target in enumerate(targets):
        gradient: Any = found.get(target.node)
        if gradient is None and not allow_unused:
            raise GraphError(
                f"grad: y does not depend on x[{i}] ({target.node.describe()}); "
                "allow_unused=True gives None for it"
            )
        if isinstance(gradient, Handle):
            if gradient.node in taken:  # e.g. a + b: both get the same gradient
                gradient = _own(gradient)
            taken.add(gradient.node)
        elif gradient is not None:
            own = gradient if type(gradient) is float else np.array(gradient)
            gradient = _leaf(target.grain, own)
        results.append(gradient)
    return results[0] if isinstance(x, Handle) else tuple(results)


def walk(
    cotangents: dict[Node, Any],
    *,
    wanted: Collection[Node] | None = None,
    grain: type[Handle] | None = None,
    free_graph: bool = False,
    order: list[Node] | None = None,
) -> dict[Node, Any]:
    """Carry cotangents back through the graph.

    If `wanted` is given, the gradients of those nodes are returned. Otherwise gradients are added
    to the ``grad`` of leaves and of nodes that keep theirs. If `grain` is given, the walk itself is
    recorded: cotangents and gradients are then handles of that class, otherwise plain arrays. If
    one graph is walked many times, `to_visit` can be called once and its result given as `order`.
    """
    if order is None:
        order = to_visit(cotangents, wanted)
    leading = None
    if wanted is not None:
        wanted, leading = set(wanted), set(order)
    watchers, hooked = current_mode().watchers, Node.hooked
    keep_all = any(watcher.records for watcher in watchers)
    arrived = dict(cotangents)
    found: dict[Node, Any] = {}
    with mode(recording=grain is not None), quiet():
        if wanted is None and grain is None and not (watchers or hooked or free_graph):
            _short_walk(order, arrived)
            return found
        for node in reversed(order):
            g = arrived.pop(node, None)
            if g is None:
                continue
            if hooked and node.hooks:
                g = run_hooks(node, g, grain)
            if wanted is None:
                if not node.inputs or node.keeps_grad or keep_all or type(g) is float:
                    _keep(node, g)
            elif node in wanted:
                found[node] = g
            if not node.inputs:
                continue
            started = time.perf_counter() if watchers else 0.0
            try:
                gradients = pull(node, g, grain, leading)
            except Exception as error:
                for watcher in watchers:
                    watcher.on_backward_error(error, node, g)
                raise
            seconds = time.perf_counter() - started if watchers else 0.0
            _send(node, gradients, arrived)
            if watchers:
                sums = tuple(
                    None if gradient is None else arrived[parent]  # type: ignore[index]
                    for parent, gradient in zip(node.inputs, gradients, strict=True)
                )
                step = StepBack(node, g, tuple(gradients), sums, seconds)
                for watcher in watchers:
                    watcher.on_backward(step)
            if free_graph:
                node.inputs = FREED
    return found


def to_visit(roots: Iterable[Node], wanted: Collection[Node] | None = None) -> list[Node]:
    """The nodes between the roots and the wanted ones (by default all leaves), inputs first."""
    order = ancestors(roots, needing_grad=True)
    return order if wanted is None else leading_to(set(wanted), order)


# Without it, chains and networks of Scalars take 2.5 to 3 times as long, a chain of small Tensors
# 1.8 times, a recurrent net of width 8 takes 1.2 times. With a similar shortcut inside `pull`,
# which the full walk could use as well, the Scalars still take 1.5 times as long.
def _short_walk(order: list[Node], arrived: dict[Node, Any]) -> None:
    """A faster `walk` for the common case: no watchers, no hooks, and only `.grad` is asked for.

    Most nodes have one or two inputs with a vjp each, no options, and unchanged inputs. Their vjps
    are called here directly. The other nodes go through `pull`, as in `walk`.
    """
    for node in reversed(order):
        g = arrived.pop(node, None)
        if g is None:
            continue
        y, inputs = node.value, node.inputs
        of_arrays = type(y) is not float
        if not of_arrays:  # Scalars keep all their gradients
            kept = node.grad
            node.grad = g if kept is None else kept + g
        elif not inputs or node.keeps_grad:
            _keep(node, g)
        if not inputs:
            continue
        vjps: Any = node.op.vjps  # type: ignore[union-attr]
        a: Any = None
        b: Any = None
        to_a = to_b = None
        short = not node.options and node.serial > Node.latest_change and len(vjps) == len(inputs)
        if short:
            try:
                if len(inputs) == 2:
                    a, b = inputs
                    p, q = a.value, b.value
                    vjp_a, vjp_b = vjps
                    if a.needs_grad and vjp_a is not None:
                        to_a = vjp_a(g, y, p, q)
                    if b.needs_grad and vjp_b is not None:
                        to_b = vjp_b(g, y, p, q)
                elif len(inputs) == 1:
                    (a,) = inputs
                    to_a = vjps[0](g, y, a.value)
                    short = type(to_a) is not tuple
                else:
                    short = False
            except (ArithmeticError, AttributeError):  # floats raise it, and inputs left out
                short = False
        if not short:
            _send(node, pull(node, g), arrived)
            continue
        if to_a is not None:
            if of_arrays or type(to_a) is not float:
                to_a = _fit(to_a, a.value, node, 0, None)
            arrived[a] = arrived[a] + to_a if a in arrived else to_a
        if to_b is not None:
            if of_arrays or type(to_b) is not float:
                to_b = _fit(to_b, b.value, node, 1, None)
            arrived[b] = arrived[b] + to_b if b in arrived else to_b


def _send(node: Node, gradients: Sequence[Any], arrived: dict[Node, Any]) -> None:
    """Add what a node sends to its inputs to what has arrived there."""
    for parent, gradient in zip(node.inputs, gradients, strict=True):
        if parent is None or gradient is None:
            continue
        if node.op is OUTPUT:
            _add_output(arrived, parent, gradient, node.options["index"])  # type: ignore[index]
        else:
            before = arrived.get(parent)
            arrived[parent] = gradient if before is None else before + gradient


def quiet() -> contextlib.AbstractContextManager[None]:
    """A block in which NumPy does not warn: gradients of ∞ and NaN at poles are documented.

    A warning from inside a vjp would not name the op; `detect_anomaly` does. If the user has set
    NumPy to raise errors, it still raises them here.
    """
    warned: dict[str, Any] = {k: "ignore" for k, how in np.geterr().items() if how == "warn"}
    return np.errstate(**warned) if warned else contextlib.nullcontext()


def pull(
    node: Node, g: Any, grain: type[Handle] | None = None, leading: set[Node] | None = None
) -> Sequence[Any]:
    """The cotangents that `node` sends to its inputs, each with the shape and dtype of its input.

    An input gets None if it needs no gradient, or if `leading` is given and does not contain it.
    """
    op = node.op
    if op is OUTPUT:
        return (g,)
    assert op is not None
    check_fresh(node)
    args: list[Any] = []
    needed: list[bool] = []
    for parent in node.inputs:
        if parent is None:
            args.append(None)
            needed.append(False)
            continue
        flows = parent.needs_grad
        args.append(parent.value if grain is None or not flows else grain.of(parent))
        needed.append(flows and (leading is None or parent in leading))
    y = node.value
    if grain is not None:
        y = _recorded_outputs(node, grain) if type(y) is tuple else grain.of(node)
    try:
        gradients = op.pull(g, y, args, node.options or {}, needed)
    except ArithmeticError:  # Python floats raise an error where arrays give inf or nan
        if grain is not None or type(y) is not float:
            raise
        numbers = [a if a is None else np.float64(a) for a in args]
        gradients = op.pull(np.float64(g), np.float64(y), numbers, node.options or {}, needed)
    return [
        gradient
        if gradient is None or (type(gradient) is float and grain is None and type(y) is float)
        else _fit(gradient, parent.value, node, i, grain)  # type: ignore[union-attr]
        if needed[i]
        else None
        for i, (gradient, parent) in enumerate(zip(gradients, node.inputs, strict=True))
    ]


def check_fresh(node: Node) -> None:
    """Refuse a node of which a value was changed after its op had used it.

    Raises:
        GraphError: names the op and the value.
    """
    if node.serial < Node.latest_change:
        for used in (*node.inputs, node):
            if used is not None and used.modified > node.serial:
                raise GraphError(
                    f"backward: {node.describe()} used {used.describe()}, whose value was changed "
                    "afterwards; run the forward pass again before backward"
                )


def _fit(gradient: Any, value: Any, node: Node, i: int, grain: type[Handle] | None) -> Any:
    """Sum a gradient over the axes along which its input was broadcast; cast to its dtype."""
    if (
        grain is None
        and type(gradient) is type(value) is np.ndarray
        and gradient.shape == value.shape
        and gradient.dtype == value.dtype
    ):
        return gradient
    if grain is not None and not isinstance(gradient, Handle):
        raise GraphError(
            f"vjp of {node.describe()}: returned a plain array for input {i} while gradients are "
            "being recorded, which would count as a constant; write it with ops of tinygrad_cnn"
        )
    if type(value) is float:
        if grain is not None:
            return gradient
        return math.nan if type(gradient) is complex else float(gradient)  # (−8.0) ** 0.5
    shape, dtype = np.shape(value), np.asarray(value).dtype
    given = gradient.shape if hasattr(gradient, "shape") else np.shape(gradient)
    if given != shape:
        extra = len(given) - len(shape)
        axes = tuple(range(extra)) if extra > 0 else ()
        aligned = given[max(extra, 0) :]
        axes += tuple(
            max(extra, 0) + k
            for k, (size, got) in enumerate(zip(shape, aligned, strict=False))
            if size == 1 and got != 1
        )
        if extra < 0 or any(s not in (1, a) for s, a in zip(shape, aligned, strict=True)):
            raise ShapeError(
                f"vjp of {node.describe()}: returned a gradient of shape {given} for input {i}, "
                f"which has shape {shape}"
            )
        gradient = gradient.sum(axis=axes).reshape(shape)
    if not hasattr(gradient, "dtype"):
        gradient = np.asarray(gradient, dtype)
    return gradient if gradient.dtype == dtype else gradient.astype(dtype)


def _recorded_outputs(node: Node, grain: type[Handle]) -> tuple[Any, ...]:
    """The outputs of an op that has several, as handles through which gradients can flow."""
    return tuple(
        grain.of(Node(value, OUTPUT, (node,), {"index": i}, True, node.scope))
        for i, value in enumerate(node.value)
    )


def _add_output(arrived: dict[Node, Any], whole: Node, gradient: Any, index: int) -> None:
    """Put the cotangent of one output in its place in the tuple that the op's vjp will get."""
    parts = list(arrived.get(whole, (None,) * len(whole.value)))
    parts[index] = gradient if parts[index] is None else parts[index] + gradient
    arrived[whole] = tuple(parts)


def _keep(node: Node, g: Any) -> None:
    """Add g to a node's gradient: not in place, and without sharing an array with anyone."""
    if type(node.value) is tuple:
        return
    if node.grad is None:
        node.grad = g if type(g) is float else np.array(g)
    else:
        node.grad = node.grad + g


def leading_to(wanted: set[Node], order: list[Node]) -> list[Node]:
    """The nodes of `order` (inputs first) that are wanted or depend on a wanted one."""
    leading: set[Node] = set()
    for node in order:
        if node in wanted or any(parent in leading for parent in node.inputs):
            leading.add(node)
    return [node for node in order if node in leading]


def _differentiable(y: Handle) -> Node:
    if not isinstance(y, Handle):
        raise DtypeError(f"backward: a Tensor or Scalar is needed, got {type(y).__name__}")
    if not y.node.needs_grad:
        raise GraphError(
            f"backward: {y.node.describe()} needs no gradient: nothing it was computed from has "
            "requires_grad=True, or it was computed under no_grad()"
        )
    return y.node


def seed(y: Handle, grad: Any) -> Any:
    """The cotangent at y as a plain array (or a float), checked against y."""
    value = y.node.value
    shape = np.shape(value)
    if grad is None:
        if np.size(value) != 1:
            raise ShapeError(
                f"backward: y has shape {shape}, so a gradient of that shape is needed: "
                "y.backward(grad); or reduce y to one number first, e.g. y.sum()"
            )
        return 1.0 if type(value) is float else np.ones(shape, value.dtype)
    if isinstance(grad, Handle):
        grad = grad.node.value
    try:
        kind = np.asarray(grad).dtype.kind
    except ValueError as error:
        raise ShapeError(f"backward: the gradient is no array: {error}") from error
    if kind not in "fiub":
        raise DtypeError(f"backward: the gradient must be numbers, got {grad!r}")
    if type(value) is float:
        if np.ndim(grad):
            raise ShapeError(f"backward: y is one number, the gradient has shape {np.shape(grad)}")
        return float(grad)
    if isinstance(grad, np.ndarray) and grad.dtype != value.dtype:
        raise DtypeError(
            f"backward: the gradient is {grad.dtype}, y is {value.dtype}: "
            f"use grad.astype(np.{value.dtype})"
        )
    array = np.array(grad, value.dtype)  # a copy: the gradients may share its memory
    if array.shape != shape:
        raise ShapeError(f"backward: y has shape {shape}, but the gradient {array.shape}")
    return array


def _own(gradient: Any) -> Any:
    """The same recorded gradient, as a new node."""
    return gradient * 1.0


def _leaf(grain: type[Handle], value: Any) -> Any:
    return grain.of(Node(value, role="constant"))
