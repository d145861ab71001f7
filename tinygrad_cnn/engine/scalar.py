"""`Scalar`: one number whose computation is recorded, by the same engine as a Tensor's."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..errors import DtypeError
from .backward import backward
from .hooks import Hook, on_gradient
from .node import Handle, Node


class Scalar(Handle):
    """One number, and what it was computed from.

    Every Scalar asks for a gradient and keeps it. Arithmetic (``+ - * / **``), comparisons and
    ``relu exp log tanh sigmoid abs`` work on it, mixed with Python numbers.

    Args:
        value: the number.
        name: shown in pictures and errors.

    Raises:
        DtypeError: the value is not one number.

    Example:
        >>> import tinygrad_cnn as tg
        >>> a = tg.Scalar(2.0, name="a")
        >>> b = a + a
        >>> b.backward()
        >>> a.grad  # two edges lead from a to b, and their gradients add
        2.0
    """

    __slots__ = ()
    __array_ufunc__ = None
    is_single = True

    def __init__(self, value: Any, name: str | None = None) -> None:
        self.node = Node(_number(value, "Scalar"), needs_grad=True, role="input", name=name)

    @property
    def data(self) -> float:
        """The number. Assign to it to change it."""
        return self.node.value

    @data.setter
    def data(self, value: float) -> None:
        self.node.replace_value(_number(value, "data"))

    @property
    def grad(self) -> float | None:
        """The gradient that backward passes have added up here; None if none arrived yet."""
        return self.node.grad

    @grad.setter
    def grad(self, value: float | None) -> None:
        self.node.grad = None if value is None else _number(value, "grad")

    @property
    def name(self) -> str | None:
        return self.node.name

    @name.setter
    def name(self, name: str | None) -> None:
        self.node.name = name

    def backward(self, grad: float = 1.0) -> None:
        """Add this number's gradient, times `grad`, to `.grad` of all it was computed from."""
        backward(self, grad)

    def register_hook(self, function: Callable[[float], float | None]) -> Hook:
        """Call a function with the gradient that arrives here: see `Tensor.register_hook`."""
        return on_gradient(self.node, function, Scalar)

    def item(self) -> float:
        """The number."""
        return self.node.value

    def __float__(self) -> float:
        return self.node.value

    def __format__(self, spec: str) -> str:
        """``f"{loss:.3f}"`` formats the number."""
        return format(self.node.value, spec) if spec else repr(self)

    def __bool__(self) -> bool:
        return bool(self.node.value)

    def __repr__(self) -> str:
        name = f", name={self.name!r}" if self.name else ""
        return f"Scalar({self.node.value:g}{name})"

    if TYPE_CHECKING:  # given to Scalar by ops/operators.py

        def __add__(self, other: Any) -> Scalar: ...
        def __radd__(self, other: Any) -> Scalar: ...
        def __sub__(self, other: Any) -> Scalar: ...
        def __rsub__(self, other: Any) -> Scalar: ...
        def __mul__(self, other: Any) -> Scalar: ...
        def __rmul__(self, other: Any) -> Scalar: ...
        def __truediv__(self, other: Any) -> Scalar: ...
        def __rtruediv__(self, other: Any) -> Scalar: ...
        def __pow__(self, other: Any) -> Scalar: ...
        def __rpow__(self, other: Any) -> Scalar: ...
        def __neg__(self) -> Scalar: ...
        def __abs__(self) -> Scalar: ...
        def __lt__(self, other: Any) -> bool: ...
        def __le__(self, other: Any) -> bool: ...
        def __gt__(self, other: Any) -> bool: ...
        def __ge__(self, other: Any) -> bool: ...
        def __getattr__(self, name: str) -> Callable[..., Scalar]: ...


Scalar.grain = Scalar


def _number(value: Any, what: str) -> float:
    if isinstance(value, Handle):
        value = value.node.value
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise DtypeError(f"{what}: one number is needed, got {value!r}") from error
