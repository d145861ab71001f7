"""Functions of functions: vjp, jvp, jacobian, hessian, hvp, value_and_grad, as in JAX.

Each differentiates a function of Tensors by its arguments. Arrays and numbers are taken too; a
Scalar stays a Scalar. Results are recorded, and can themselves be differentiated, wherever they
depend on something that asks for a gradient: an argument, or a weight that the function uses.
So they nest: ``jacobian(jacobian(f))`` is a second derivative.

A derivative along a direction, jvp, is computed by reverse mode alone: v ↦ ⟨u, J v⟩ is
differentiated by u ("double backward").
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .engine.backward import grad
from .engine.context import current_mode, mode
from .engine.node import Handle, Node, ancestors
from .engine.op import Op, op
from .engine.scalar import Scalar
from .engine.tensor import Tensor
from .errors import DtypeError, OptionError, ShapeError
from .ops.elementwise import multiply
from .ops.moving import stack
from .ops.reduce import sum as sum_of
from .ops.shape import reshape

Function = Callable[..., Any]

argument: Op = op("argument", lambda x: x, lambda g, y, x: g, elementwise=True)
"""x itself, as a node of its own, so that other uses of x inside f are not differentiated."""


def value_and_grad(f: Function, argnums: int | Sequence[int] = 0) -> Function:
    """A function that gives f's value, one number, and its gradient.

    Args:
        f: a function of Tensors that gives one number.
        argnums: by which of its positional arguments; several give a tuple of gradients.

    Raises:
        ShapeError: f gives several numbers.
        DtypeError: f gives no Tensor, or the argument is not floating.
        OptionError: there is no such argument.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.value_and_grad(lambda x: (x * x).sum())([3.0, 4.0])
        (Tensor(25.), Tensor([6., 8.]))
    """

    def value_and_gradient(*args: Any, **options: Any) -> Any:
        run = _Run("value_and_grad", f, args, argnums, options)
        run.must_be_single()
        return run.value(), run.like_argnums(run.pull(None))

    return value_and_gradient


def vjp(f: Function, *primals: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """f's value, and the function that takes a cotangent back to its arguments.

    Raises:
        DtypeError: f gives no Tensor, or an argument is not floating.

    Example:
        >>> import tinygrad_cnn as tg
        >>> y, back = tg.vjp(lambda x: x * x, [3.0, 4.0])
        >>> back([1.0, 10.0])
        (Tensor([ 6., 80.]),)
    """
    run = _Run("vjp", f, primals, range(len(primals)), {})
    return run.value(), run.pull


def jvp(f: Function, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """f's value, and its derivative along the tangents, one for each argument.

    Raises:
        ShapeError: tangents that do not fit the primals.
        DtypeError: f gives no Tensor, or an argument is not floating.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.jvp(lambda x: x * x, [[3.0, 4.0]], [[1.0, 10.0]])
        (Tensor([ 9., 16.]), Tensor([ 6., 80.]))
    """
    primals, tangents = _sequences("jvp", primals, tangents)
    run = _Run("jvp", f, primals, range(len(primals)), {})
    return run.value(), run.push(run.fitting(tangents))


def jacobian(f: Function, argnums: int | Sequence[int] = 0) -> Function:
    """A function that gives all partial derivatives of f, of shape (f's shape, argument's shape).

    Row by row, so it takes a backward pass for each number that f gives.

    Args:
        f: a function of Tensors.
        argnums: by which of its positional arguments; several give a tuple.

    Raises:
        DtypeError: f gives no Tensor, or the argument is not floating.
        OptionError: there is no such argument.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.jacobian(lambda x: x * x)([3.0, 4.0])
        Tensor([[6., 0.],
                [0., 8.]])
    """

    def jacobian_of(*args: Any, **options: Any) -> Any:
        run = _Run("jacobian", f, args, argnums, options)
        if run.y.is_single:
            return run.like_argnums(run.pull(None))
        rows = [run.pull(unit) for unit in _units(run.y)]
        found = []
        for x, column in zip(run.inputs, zip(*rows, strict=True), strict=True):
            found.append(reshape(stack(list(column)), (*run.y.shape, *x.shape)))
        if not rows:  # f gives an array without elements
            found = [Tensor(np.zeros((*run.y.shape, *x.shape), x.dtype)) for x in run.inputs]
        return run.like_argnums(tuple(found))

    return jacobian_of


def hessian(f: Function, argnums: int = 0) -> Function:
    """A function that gives all second partial derivatives of f, of shape (x.shape, x.shape).

    Args:
        f: a function of Tensors that gives one number.
        argnums: by which of its positional arguments.

    Raises:
        As for `value_and_grad`.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.hessian(lambda x: x[0] * x[0] * x[1])([3.0, 4.0])
        Tensor([[8., 6.],
                [6., 0.]])
    """
    if not isinstance(argnums, int):
        raise OptionError(f"hessian: argnums must be one int, got {argnums!r}")

    def gradient(*args: Any, **options: Any) -> Any:
        return value_and_grad(f, argnums)(*args, **options)[1]

    return jacobian(gradient, argnums)


def hvp(f: Function, primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
    """The Hessian of f times the tangents, without the Hessian: two backward passes.

    Returns:
        One product for each argument; itself, not a tuple, if there is one argument.

    Raises:
        ShapeError: f gives several numbers, or tangents do not fit the primals.
        DtypeError: f gives no Tensor, or an argument is not floating.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.hvp(lambda x: x[0] * x[0] * x[1], [[3.0, 4.0]], [[1.0, 10.0]])
        Tensor([68.,  6.])
    """
    primals, tangents = _sequences("hvp", primals, tangents)

    def slope(*args: Any) -> Any:
        run = _Run("hvp", f, args, range(len(args)), {})
        run.must_be_single()
        return _inner(run.pull(None), run.fitting(tangents))

    found = vjp(slope, *primals)[1](None)
    return found[0] if len(primals) == 1 else found


# --- one run of f ------------------------------------------------------------------------------


class _Run:
    """f, run once on arguments that are nodes of their own, ready to be differentiated."""

    def __init__(
        self,
        name: str,
        f: Function,
        args: Sequence[Any],
        argnums: int | Sequence[int],
        options: dict[str, Any],
    ) -> None:
        self.name = name
        self.single_argnum = isinstance(argnums, int)
        chosen = [argnums] if isinstance(argnums, int) else list(argnums)
        for i in chosen:
            if not isinstance(i, int) or not -len(args) <= i < len(args):
                raise OptionError(f"{name}: argnums has {i!r}, but there are {len(args)} arguments")
        if not chosen:
            raise OptionError(f"{name}: there is no argument to differentiate by")
        recording = current_mode().recording
        arguments = list(args)
        self.inputs: list[Any] = []
        with mode(recording=True):
            for i in chosen:
                arguments[i] = self._argument(args[i], i, linked=recording)
                self.inputs.append(arguments[i])
            self.y: Any = f(*arguments, **options)
        if not isinstance(self.y, Handle):
            raise DtypeError(
                f"{name}: the function must give a Tensor or Scalar, got {type(self.y).__name__}"
            )
        self.recorded = recording and self._depends_on_more()

    def _argument(self, x: Any, i: int, linked: bool) -> Any:
        """The i-th argument as a node of its own; computed from x if x asks for gradients."""
        x = x if isinstance(x, Handle) else Tensor(x)
        if linked and x.node.needs_grad:
            return argument(x)
        if isinstance(x, Scalar):
            return Scalar(x.data, name=x.name)
        if x.dtype.kind != "f":
            raise DtypeError(f"{self.name}: argument {i} must be floating, it is {x.dtype}")
        return Tensor.of(Node(x.node.value, needs_grad=True, role="input", name=x.node.name))

    def _depends_on_more(self) -> bool:
        """Whether f's value depends on anything else that asks for gradients than its arguments."""
        new = {x.node for x in self.inputs}
        return any(
            not node.inputs and node not in new
            for node in ancestors([self.y.node], needing_grad=True)
        )

    def must_be_single(self) -> None:
        """Refuse a value of several numbers."""
        if np.size(self.y.node.value) != 1:
            raise ShapeError(
                f"{self.name}: the function must give one number, got shape {self.y.node.shape}; "
                "reduce it, e.g. by .sum()"
            )

    def value(self) -> Any:
        """What f gave."""
        if self.recorded:
            return self.y
        return self.y.grain.of(Node(self.y.node.value, role="input", name=self.y.node.name))

    def pull(self, cotangent: Any) -> tuple[Any, ...]:
        """Take a cotangent back to each argument; zeros where f does not depend on it."""
        if not self.y.node.needs_grad:
            return tuple(map(_zeros, self.inputs))
        recorded = self.recorded or _asks([cotangent])
        found = grad(self.y, self.inputs, cotangent, create_graph=recorded, allow_unused=True)
        return tuple(_zeros(x) if g is None else g for g, x in zip(found, self.inputs, strict=True))

    def push(self, tangents: Sequence[Any]) -> Any:
        """The derivative along the tangents: ⟨vjp(u), v⟩ is linear in u; its slope is J v."""
        y = self.y
        if not y.node.needs_grad:
            return _zeros(y)
        u = Scalar(0.0) if y.is_single else Tensor(np.zeros_like(y.node.value), requires_grad=True)
        pulled = grad(y, self.inputs, u, create_graph=True, allow_unused=True)
        reached = [(g, v) for g, v in zip(pulled, tangents, strict=True) if g is not None]
        if not reached:
            return _zeros(y)
        recorded = self.recorded or _asks(tangents)
        with mode(recording=True):
            slope = _inner(*zip(*reached, strict=True))
        if not slope.node.needs_grad:
            return _zeros(y)
        found = grad(slope, u, create_graph=recorded, allow_unused=True)
        return _zeros(y) if found is None else found

    def fitting(self, tangents: Sequence[Any]) -> list[Any]:
        """Tangents as Tensors or Scalars, each of its argument's shape and dtype."""
        found: list[Any] = []
        for i, (x, v) in enumerate(zip(self.inputs, tangents, strict=True)):
            if x.is_single:
                found.append(v if isinstance(v, Scalar) else float(v))
                continue
            v = v if isinstance(v, Tensor) else Tensor(v, x.dtype)
            if v.shape != x.shape or v.dtype != x.dtype:
                raise ShapeError(
                    f"{self.name}: tangent {i} is {v.dtype} of shape {v.shape}, "
                    f"its primal {x.dtype} of shape {x.shape}"
                )
            found.append(v)
        return found

    def like_argnums(self, found: tuple[Any, ...]) -> Any:
        """The one result if argnums was one number, else the tuple."""
        return found[0] if self.single_argnum else found


def _asks(values: Sequence[Any]) -> bool:
    """Whether one of the values asks for gradients, and the current mode records."""
    asking = any(isinstance(v, Handle) and v.node.needs_grad for v in values)
    return asking and current_mode().recording


def _zeros(x: Any) -> Any:
    value = 0.0 if x.is_single else np.zeros_like(x.node.value)
    return x.grain.of(Node(value, role="constant"))


def _units(y: Tensor) -> Any:
    """Cotangents with a single 1, one for each element of y."""
    for i in range(math.prod(y.shape)):
        unit = np.zeros(y.size, y.dtype)
        unit[i] = 1
        yield unit.reshape(y.shape)


def _inner(xs: Sequence[Any], vs: Sequence[Any]) -> Any:
    """Σ ⟨x, v⟩."""
    total = None
    for x, v in zip(xs, vs, strict=True):
        product = multiply(x, v)
        product = product if product.is_single else sum_of(product)
        total = product if total is None else total + product
    return total


def _sequences(name: str, primals: Any, tangents: Any) -> tuple[list[Any], list[Any]]:
    for what, given in (("primals", primals), ("tangents", tangents)):
        if not isinstance(given, tuple | list):
            raise DtypeError(f"{name}: {what} must be a tuple, one for each argument of f")
    if len(primals) != len(tangents):
        raise ShapeError(f"{name}: {len(primals)} primals, but {len(tangents)} tangents")
    return list(primals), list(tangents)


__all__ = ["hessian", "hvp", "jacobian", "jvp", "value_and_grad", "vjp"]
