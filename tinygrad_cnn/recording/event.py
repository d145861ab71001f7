"""`Event`: one op that ran while a trace listened; `Failure`: what made the program stop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ..engine.node import Node
from ..engine.op import Cost


@dataclass(frozen=True)
class Event:
    """One op that ran forward, or whose vjp ran backward.

    Arrays are what they were at the time; `Statistics` of them if the trace keeps no more.

    Attributes:
        kind: "forward" or "backward".
        node: what was computed.
        source: file and line of the user's program, or None.
        seconds: how long the op (or its vjp) took.
        cost: multiply-adds and bytes, from shapes. Backward they are an estimate: each of the
            first two inputs that get a gradient takes as many multiply-adds as forward.
        inputs: what the op computed from, None where an optional input was left out.
        output: what it computed; a tuple for an op with several outputs.
        cotangent: backward: the gradient at the node, the sum over all its consumers.
        gradients: backward: what was sent to each input, None where none is needed.
        sums: backward: the running sum at each of these inputs, this gradient included.
    """

    kind: Literal["forward", "backward"]
    node: Node
    source: tuple[str, int] | None
    seconds: float
    cost: Cost
    inputs: tuple[Any, ...]
    output: Any
    cotangent: Any = None
    gradients: tuple[Any, ...] = ()
    sums: tuple[Any, ...] = ()

    @property
    def op(self) -> str:
        """The op's name."""
        return self.node.op.name if self.node.op else ""

    @property
    def scope(self) -> str:
        """The dotted name of the module that ran it."""
        return self.node.scope

    @property
    def multiply_adds(self) -> int:
        return self.cost.multiply_adds

    @property
    def bytes(self) -> int:
        return self.cost.bytes


@dataclass(frozen=True)
class Failure:
    """The exception that ended a traced program.

    Attributes:
        kind: "forward" if an op raised, "backward" if a vjp did, "program" for anything else.
        error: the exception's class, by name.
        message: what it said.
        source: file and line of the user's program, or None.
        node: forward: the op that raised, as a node that holds an empty array, with its inputs;
            backward: the node whose vjp raised; else None.
        cotangent: backward: the gradient that had arrived at the node.
    """

    kind: Literal["forward", "backward", "program"]
    error: str
    message: str
    source: tuple[str, int] | None
    node: Node | None = None
    cotangent: Any = None

    def __str__(self) -> str:
        return f"{self.error}: {self.message}"
