"""A scalar engine in the style of micrograd: closures and a recursive sort. A yardstick only."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

sys.setrecursionlimit(1_000_000)


class Value:
    """A number with its gradient, its operands, and how to pass its gradient on."""

    def __init__(self, data: float, operands: tuple[Value, ...] = ()) -> None:
        self.data = data
        self.grad = 0.0
        self.operands = set(operands)
        self.pass_on: Callable[[], None] = lambda: None

    def __add__(self, other: Any) -> Value:
        other = other if isinstance(other, Value) else Value(other)
        result = Value(self.data + other.data, (self, other))

        def pass_on() -> None:
            self.grad += result.grad
            other.grad += result.grad

        result.pass_on = pass_on
        return result

    def __mul__(self, other: Any) -> Value:
        other = other if isinstance(other, Value) else Value(other)
        result = Value(self.data * other.data, (self, other))

        def pass_on() -> None:
            self.grad += other.data * result.grad
            other.grad += self.data * result.grad

        result.pass_on = pass_on
        return result

    def relu(self) -> Value:
        result = Value(self.data if self.data > 0 else 0.0, (self,))

        def pass_on() -> None:
            self.grad += (result.data > 0) * result.grad

        result.pass_on = pass_on
        return result

    def backward(self) -> None:
        order: list[Value] = []
        seen: set[Value] = set()

        def visit(value: Value) -> None:
            if value not in seen:
                seen.add(value)
                for operand in value.operands:
                    visit(operand)
                order.append(value)

        visit(self)
        self.grad = 1.0
        for value in reversed(order):
            value.pass_on()
