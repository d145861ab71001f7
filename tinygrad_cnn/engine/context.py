"""The modes around a computation: whether it is recorded, in which module it runs, who watches.

These modes belong to a thread (and to an `asyncio` task): a new thread starts with the defaults.
The process-wide settings, default dtype and random seed, are in `defaults.py`.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import OptionError
from .scope import Scope

if TYPE_CHECKING:
    from .node import Node
    from .op import Op


class StepBack(NamedTuple):
    """One op's step backward, as watchers hear of it.

    Attributes:
        node: what the op computed.
        cotangent: the gradient that arrived at it.
        gradients: what its vjp sent to each of its inputs, None where none is needed.
        sums: all that has arrived so far at each of those inputs, this gradient included.
        seconds: how long the vjp took.
    """

    node: Node
    cotangent: Any
    gradients: tuple[Any, ...]
    sums: tuple[Any, ...]
    seconds: float


class Watcher:
    """Is told of every op that runs in a block, as a trace is. This base class does nothing.

    Attributes:
        records: whether it needs all results recorded, and all gradients kept.
    """

    records = False

    def on_forward(self, node: Node, seconds: float) -> None:
        """`node` was just computed, in `seconds`. Its inputs are known even without recording."""

    def on_backward(self, step: StepBack) -> None:
        """The vjp of one node's op was just computed."""

    def on_error(self, error: Exception, op: Op, inputs: Sequence[Any]) -> None:
        """An op raised, called with these inputs. If it ran inside another op, both are told."""

    def on_backward_error(self, error: Exception, node: Node, cotangent: Any) -> None:
        """The vjp of one node's op raised."""


class Mode(NamedTuple):
    """The modes that hold in a thread."""

    recording: bool = True  # do results remember what they were computed from?
    scope: str = ""  # dotted name of the module that is running
    scopes: Mapping[Any, str] = {}  # names of all modules inside the outermost one that runs
    watchers: tuple[Watcher, ...] = ()
    outer: Mode | None = None  # what a `Block` goes back to

    def watched_by(self, watcher: Watcher) -> Mode:
        """The same, with one watcher more."""
        return self._replace(watchers=(*self.watchers, watcher))


_MODE: ContextVar[Mode] = ContextVar("tinygrad_cnn_mode", default=Mode())
current_mode = _MODE.get


class Block(contextlib.ContextDecorator):
    """A change of mode, for a `with` block or a decorated function.

    It holds no state, so one Block may be entered twice, inside itself, and by several threads.
    """

    def __init__(self, change: Callable[[Mode], Mode]) -> None:
        self._change = change

    def __enter__(self) -> None:
        before = _MODE.get()
        _MODE.set(self._change(before)._replace(outer=before))

    def __exit__(self, *error: Any) -> None:
        before = _MODE.get().outer
        assert before is not None
        _MODE.set(before)

    def __call__(self, function: Any) -> Any:
        if inspect.isgeneratorfunction(function) or inspect.iscoroutinefunction(function):
            raise OptionError(
                f"{function.__name__} yields, and a decorator would end before its first line "
                "runs: use a with block inside it"
            )
        return super().__call__(function)


def mode(**changes: Any) -> Block:
    """Other values for some fields of the current mode."""
    return Block(lambda mode: mode._replace(**changes))


def no_grad() -> Block:
    """Compute without recording: results need no gradient. For a `with` block, or a decorator.

    Raises:
        OptionError: as a decorator of a generator or coroutine.

    Example:
        >>> import tinygrad_cnn as tg
        >>> w = tg.Tensor([1.0, 2.0], requires_grad=True)
        >>> with tg.no_grad():
        ...     y = w * 2
        >>> y.requires_grad
        False
    """
    return mode(recording=False)


def scope(name: str) -> Block:
    """Nodes made inside carry `name`, dotted onto the scope around it.

    Example:
        >>> import tinygrad_cnn as tg
        >>> with tg.scope("stem"):
        ...     y = tg.Tensor([1.0], requires_grad=True) * 2
        >>> y.node.scope
        'stem'
    """

    def inside(mode: Mode) -> Mode:
        whole = f"{mode.scope}.{name}" if mode.scope else name
        return mode._replace(scope=Scope.of(whole, mode.scope))

    return Block(inside)
