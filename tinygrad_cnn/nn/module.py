"""`Module`: parameters, buffers and submodules under dotted names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np

from ..engine.context import current_mode, mode
from ..engine.hooks import Hook
from ..engine.scope import Scope
from ..engine.tensor import Tensor
from ..errors import DtypeError, OptionError, ShapeError
from . import hooks
from .parameter import Parameter
from .summary import summary

MOST_NAMED = 10  # in one error


class Module:
    """Base of all layers and models: define ``forward``, and assign parameters as attributes.

    Attributes that are Parameters, Modules, or registered buffers are found by name, in the order
    of assignment, under the names that PyTorch would give them.

    Example:
        >>> import tinygrad_cnn as tg
        >>> class Scale(tg.nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.factor = tg.nn.Parameter([2.0])
        ...     def forward(self, x):
        ...         return x * self.factor
        >>> layer = Scale()
        >>> layer(tg.Tensor([1.0, 2.0])).numpy()
        array([2., 4.], dtype=float32)
        >>> dict(layer.named_parameters())
        {'factor': Tensor([2.], name='factor', requires_grad=True)}
    """

    training: bool
    _pre_hooks: tuple[Hook, ...] = ()
    _forward_hooks: tuple[Hook, ...] = ()
    _backward_hooks: tuple[Hook, ...] = ()
    has_fans = False  # does its weight map inputs to outputs, (out, in, …)? See `init`
    position_axes = 0  # how many of its weight's last axes are positions, each with a kernel

    def __init__(self) -> None:
        self.training = True
        self._buffers: dict[str, bool] = {}  # is it part of the state dict?

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Parameter | Module) and "_buffers" not in self.__dict__:
            raise OptionError(
                f"{type(self).__name__}: call super().__init__() before assigning {name!r}"
            )
        if isinstance(value, Parameter) and value.name is None:
            value.name = name
        object.__setattr__(self, name, value)

    def register_buffer(self, name: str, value: Tensor, persistent: bool = True) -> None:
        """State that is not learned, such as running statistics; saved if it is `persistent`."""
        value.node.role = "buffer"
        value.name = value.name or name
        self._buffers[name] = persistent
        setattr(self, name, value)

    # --- running -------------------------------------------------------------------------------

    def forward(self, *args: Any, **options: Any) -> Any:
        """What the module computes; called through ``module(x)``."""
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Run `forward`; the nodes that it records carry this module's dotted name."""
        now = current_mode()
        if self in now.scopes:
            with mode(scope=Scope.of(now.scopes[self], now.scope, self)):
                return self._run(args, options)
        prefix = f"{now.scope}." if now.scope else ""  # the outermost module names all inside it
        scopes = {module: prefix + name for name, module in self.named_modules() if name}
        with mode(scopes=scopes, scope=Scope.of(now.scope, now.scope, self)):
            return self._run(args, options)

    def _run(self, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        if self._pre_hooks or self._forward_hooks or self._backward_hooks:
            return hooks.call(self, args, options)
        return self.forward(*args, **options)

    # --- watching ------------------------------------------------------------------------------

    def register_forward_pre_hook(self, function: Callable[[Module, tuple[Any, ...]], Any]) -> Hook:
        """Call ``function(module, inputs)`` before each forward.

        Args:
            function: gets the positional arguments as a tuple. What it returns takes their place;
                None changes nothing.

        Returns:
            A `Hook`; its ``remove()`` ends it.
        """
        return Hook(self, "_pre_hooks", function)

    def register_forward_hook(
        self, function: Callable[[Module, tuple[Any, ...], Any], Any]
    ) -> Hook:
        """Call ``function(module, inputs, output)`` after each forward.

        Args:
            function: what it returns takes the output's place; None changes nothing.

        Returns:
            A `Hook`; its ``remove()`` ends it.

        Example:
            >>> import tinygrad_cnn as tg
            >>> model = tg.nn.Sequential(tg.nn.Linear(4, 3), tg.nn.ReLU())
            >>> shapes = []
            >>> hook = model[0].register_forward_hook(lambda m, x, y: shapes.append(y.shape))
            >>> y = model(tg.Tensor([[1.0, 2.0, 3.0, 4.0]]))
            >>> shapes
            [(1, 3)]
            >>> hook.remove()
        """
        return Hook(self, "_forward_hooks", function)

    def register_backward_hook(
        self, function: Callable[[Module, tuple[Any, ...], tuple[Any, ...]], Any]
    ) -> Hook:
        """Call ``function(module, grad_inputs, grad_outputs)`` when a backward pass leaves it.

        It holds for forward passes from now on. In them, what enters and leaves the module passes
        through nodes of an op `boundary`. So the hook sees the gradients of this module alone, even
        if its input is used elsewhere as well.

        Args:
            function: gets the gradients that the module sends to those of its inputs that need
                one, in order, and the gradients at its outputs. What it returns takes the place of
                the gradients for the inputs; None changes nothing.

        Returns:
            A `Hook`; its ``remove()`` ends it.
        """
        return Hook(self, "_backward_hooks", function)

    # --- finding -------------------------------------------------------------------------------

    def children(self) -> Iterator[tuple[str, Module]]:
        """The direct submodules, by name."""
        for name, value in vars(self).items():
            if isinstance(value, Module):
                yield name, value

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """This module (named ``prefix``) and all inside it, depth first."""
        yield prefix, self
        for name, child in self.children():
            yield from child.named_modules(f"{prefix}.{name}" if prefix else name)

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Every Parameter once, with its dotted name."""
        seen: set[Parameter] = set()
        for prefix, module in self.named_modules():
            for name, value in vars(module).items():
                if isinstance(value, Parameter) and value not in seen:
                    seen.add(value)
                    yield f"{prefix}.{name}" if prefix else name, value

    def parameters(self) -> Iterator[Parameter]:
        """Every Parameter once."""
        for _, parameter in self.named_parameters():
            yield parameter

    def named_buffers(self) -> Iterator[tuple[str, Tensor]]:
        """Every buffer, with its dotted name."""
        for prefix, module in self.named_modules():
            for name in module._buffers:
                yield f"{prefix}.{name}" if prefix else name, getattr(module, name)

    def buffers(self) -> Iterator[Tensor]:
        """Every buffer."""
        for _, buffer in self.named_buffers():
            yield buffer

    # --- state ---------------------------------------------------------------------------------

    def train(self, mode: bool = True) -> Self:
        """Training mode (dropout drops, batch norm uses the batch), for all modules inside."""
        for _, module in self.named_modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Evaluation mode, for all modules inside."""
        return self.train(False)

    def apply(self, function: Callable[[Module], Any]) -> Self:
        """Call a function on each module inside, and on this one last."""
        for _, module in reversed(list(self.named_modules())):
            function(module)
        return self

    def astype(self, dtype: Any) -> Self:
        """Cast all floating parameters and buffers, in place; counters stay integers.

        Raises:
            DtypeError: not a floating dtype.
        """
        wanted = np.dtype(dtype)
        if wanted.kind != "f":
            raise DtypeError(f"astype: a module needs a floating dtype, got {wanted}")
        for _, tensor in [*self.named_parameters(), *self.named_buffers()]:
            if tensor.dtype.kind == "f":
                tensor.node.replace_value(tensor.data.astype(wanted))
                tensor.grad = None
        return self

    def state_dict(self) -> dict[str, np.ndarray[Any, Any]]:
        """Copies of all parameters and buffers, by dotted name; names and shapes as PyTorch's.

        A parameter that several modules share stands under each of its names.
        """
        return {name: tensor.data.copy() for name, tensor in self._state().items()}

    def _state(self) -> dict[str, Tensor]:
        """The Tensors of the state dict by all their names: parameters first, then buffers."""
        parameters: dict[str, Tensor] = {}
        buffers: dict[str, Tensor] = {}
        for prefix, module in self.named_modules():
            dotted = f"{prefix}." if prefix else ""
            for name, value in vars(module).items():
                if isinstance(value, Parameter):
                    parameters[dotted + name] = value
            for name, persistent in module._buffers.items():
                if persistent:
                    buffers[dotted + name] = getattr(module, name)
        return parameters | buffers

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Set all parameters and buffers; nothing is set if anything does not fit.

        A state without ``num_batches_tracked`` is taken, as PyTorch takes it: batch norm did not
        always count its batches. The count then stays as it is.

        Raises:
            ShapeError: lists what is missing, unexpected, or of another shape.
        """
        own = self._state()
        counts = {name for name in own if name.rpartition(".")[2] == "num_batches_tracked"}
        problems = {
            "missing": [name for name in own if name not in state and name not in counts],
            "unexpected": [name for name in state if name not in own],
            "of another shape": [
                f"{name} {np.shape(value)}, the model has {own[name].shape}"
                for name, value in state.items()
                if name in own and np.shape(value) != own[name].shape
            ],
        }
        if any(problems.values()):
            raise ShapeError(
                f"load_state_dict: this state is not {type(self).__name__}'s: "
                + "; ".join(f"{what}: {_listed(n)}" for what, n in problems.items() if n)
            )
        for name, tensor in own.items():
            if name in state:
                tensor.data = np.asarray(state[name])

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for parameter in self.parameters():
            parameter.grad = None

    def count_parameters(self) -> int:
        """How many numbers this module learns."""
        return sum(parameter.size for parameter in self.parameters())

    # --- showing -------------------------------------------------------------------------------

    def summary(self, input_shape: Sequence[int]) -> str:
        """A table of what computes: module, output shape, parameters, multiply-adds.

        The module runs once on zeros, in evaluation mode; so dropout does nothing, and has no row.

        Args:
            input_shape: of the input, the batch size included.

        Raises:
            ShapeError: input_shape is no shape, or does not fit the first layer.

        Example:
            >>> import tinygrad_cnn as tg
            >>> model = tg.nn.Sequential(tg.nn.Linear(784, 10), tg.nn.ReLU())
            >>> print(model.summary((1, 784)))
            Sequential on an input of 1 × 784
            ───────────────────────────────────────────────────────────
            module  layer             output  parameters  multiply-adds
            ───────────────────────────────────────────────────────────
            0       Linear(784 → 10)  1 × 10       7,850          7,840
            1       ReLU()            1 × 10           0             10
            ───────────────────────────────────────────────────────────
            total                                  7,850          7,850
        """
        return summary(self, input_shape)

    def describe(self) -> str:
        """The options that the module's line in `repr` shows."""
        return ""

    def __repr__(self) -> str:
        inside = [
            f"  ({name}): " + repr(child).replace("\n", "\n  ") for name, child in self.children()
        ]
        head = f"{type(self).__name__}({self.describe()}"
        return "\n".join([head, *inside, ")"]) if inside else head + ")"


def unusual(layer: Module, **usual: Any) -> str:
    """The options of a layer that differ from their usual values, for the end of `describe`."""
    values = {name: getattr(layer, name, default) for name, default in usual.items()}
    differ = {name: value for name, value in values.items() if value != usual[name]}
    return "".join(f", {name}={value!r}" for name, value in differ.items())


def _listed(names: Sequence[str]) -> str:
    """The names, or the first of them and how many there are."""
    shown = ", ".join(names[:MOST_NAMED])
    return shown if len(names) <= MOST_NAMED else f"{shown} … ({len(names)} in all)"


def check_positive(layer: str, **sizes: Any) -> None:
    """Refuse layer sizes that are not positive ints.

    Raises:
        OptionError: names the layer and the size.
    """
    for name, size in sizes.items():
        if not isinstance(size, int | np.integer) or isinstance(size, bool) or size < 1:
            raise OptionError(f"{layer}: {name} must be an int ≥ 1, got {size!r}")
        if size >= 2**31:
            raise OptionError(f"{layer}: {name} {size} is larger than any array")


def need_tensor(layer: str, x: Any) -> None:
    """Refuse an input that is no Tensor, saying how to make it one.

    Raises:
        DtypeError: names the layer and the type.
    """
    if not isinstance(x, Tensor):
        raise DtypeError(
            f"{layer}: the input must be a Tensor, got {type(x).__name__}: use tg.Tensor(x)"
        )
