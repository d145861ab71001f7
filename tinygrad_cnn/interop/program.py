"""A network that was written elsewhere: its calls in order, and the Module that runs them.

What every importer makes is a `Program`: numbered values, and calls of our functions that compute
one from others. `Imported` is the Module around it. Its submodules have the names, parameters and
buffers of the original; nodes that a call records carry the name of the submodule that made the
call there, and the line of the original's source.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from ..engine.context import current_mode, mode
from ..engine.scope import Scope
from ..engine.source import running_line
from ..engine.tensor import Tensor
from ..errors import DtypeError, OptionError, ShapeError
from ..nn.module import Module
from ..nn.parameter import Parameter

Source = tuple[str, int]
Inside = tuple[tuple[str, str], ...]


class Value(NamedTuple):
    """Stands for a computed value in the arguments of a call."""

    number: int


TRAINING = Value(-1)
"""Stands for the mode of the submodule that makes the call: training, or evaluation."""


@dataclass
class Call:
    """One call of the original network.

    Attributes:
        name: what is called there, as ``aten.conv2d.default``.
        function: what computes it here.
        args, options: what it is called with; `Value` stands for a computed value, also inside
            lists, tuples and dictionaries.
        result: the number of the value that it computes.
        module: dotted name of the submodule that made the call.
        source: file and line of the original's program, or None.
        stateful: whether `function` gets the `Imported` network and that submodule first, for
            what depends on training mode or updates buffers.
        inside: the submodules that were entered, outermost first: what tells two calls of a shared
            one apart, and its dotted name. () if only names are known.
    """

    name: str
    function: Callable[..., Any]
    args: tuple[Any, ...]
    options: dict[str, Any]
    result: int
    module: str = ""
    source: Source | None = None
    stateful: bool = False
    inside: Inside = ()

    def __post_init__(self) -> None:
        if not self.inside and self.module:
            steps = self.module.split(".")
            names = [".".join(steps[: i + 1]) for i in range(len(steps))]
            self.inside = tuple(zip(names, names, strict=True))


class InputType(NamedTuple):
    """What an input of a network is: its sizes, None where any will do, and its dtype."""

    shape: tuple[int | None, ...]
    dtype: np.dtype[Any]


@dataclass
class Program:
    """The calls of a network, and where their values come from.

    Attributes:
        inputs: the numbers of the values that the caller gives, in order.
        input_types: of these; None for one of which nothing is known.
        options: the names of the last arguments, which are given by keyword.
        state: dotted names of the parameters and buffers, by the number of their value.
        constants: arrays that are neither, by number.
        calls: in order.
        output: what the network gives; `Value` stands for a computed value in it.
    """

    inputs: list[int] = field(default_factory=list)
    input_types: list[InputType | None] = field(default_factory=list)
    options: tuple[str, ...] = ()
    state: dict[int, str] = field(default_factory=dict)
    constants: dict[int, Any] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    output: Any = None

    def without_unused(self) -> Program:
        """The same without calls whose values nothing uses; stateful ones stay."""
        needed = set(numbers(self.output))
        kept = []
        for call in reversed(self.calls):
            if call.result in needed or call.stateful:
                kept.append(call)
                needed.update(numbers((call.args, call.options)))
        constants = {n: a for n, a in self.constants.items() if n in needed}
        return replace(self, constants=constants, calls=kept[::-1])


def numbers(arguments: Any) -> Iterator[int]:
    """The numbers of all values in some arguments."""
    if type(arguments) is Value:
        yield arguments.number
    elif isinstance(arguments, Mapping):
        for part in arguments.values():
            yield from numbers(part)
    elif isinstance(arguments, list | tuple):
        for part in arguments:
            yield from numbers(part)


def replaced(arguments: Any, values: Callable[[int], Any]) -> Any:
    """Some arguments with each `Value` replaced by what `values` gives for its number."""
    if type(arguments) is Value:
        return values(arguments.number)
    if type(arguments) is dict:
        return {name: replaced(part, values) for name, part in arguments.items()}
    if isinstance(arguments, list | tuple):
        parts = [replaced(part, values) for part in arguments]
        named = hasattr(arguments, "_fields")
        return type(arguments)(*parts) if named else type(arguments)(parts)
    return arguments


class Part(Module):
    """A submodule of a network that was written elsewhere. It runs as a part of the whole only.

    Its attributes are the original's submodules, parameters and buffers, which may have any name;
    what it has beside these begins with an underscore.

    Args:
        kind: the original's class, as ``Conv2d``.
        text: the original's options, as ``3, 64, kernel_size=(7, 7)``.
    """

    def __init__(self, kind: str = "Module", text: str = "") -> None:
        super().__init__()
        self._kind, self._text = kind, text

    def describe(self) -> str:
        return self._text

    def forward(self, *args: Any, **options: Any) -> Any:
        raise OptionError(
            f"{self._kind}: a part of an imported network cannot run by itself; import it alone"
        )

    def __repr__(self) -> str:
        return super().__repr__().replace(type(self).__name__, self._kind, 1)


class Imported(Part):
    """A network that was written elsewhere, as a Module.

    With one input, of which all sizes but the batch's are known, it has `input_shape` (without the
    batch axis) and `input_dtype`, as the models of this project have.

    Args:
        program: its calls.
        parts: class and options of each submodule, by dotted name; "" is the network's own.
        state: parameters (Parameter) and buffers (Tensor), by dotted name. One object may stand
            under several names.
        passing: names of the buffers that are not part of a state dict.
        note: a sentence on what the import does not cover, shown with the network; "" if nothing.
    """

    def __init__(
        self,
        program: Program,
        parts: Mapping[str, tuple[str, str]],
        state: Mapping[str, Tensor],
        passing: Iterable[str] = (),
        note: str = "",
    ) -> None:
        super().__init__(*parts.get("", ("Imported", "")))
        self._program, self._note = program, note
        for name in parts:
            self._part(name, parts)
        left = set(passing)
        for name, tensor in state.items():
            path, _, own = name.rpartition(".")
            part = self._part(path, parts)
            if isinstance(tensor, Parameter):
                tensor.name = tensor.name or own
                setattr(part, own, tensor)
            else:
                part.register_buffer(own, tensor, persistent=name not in left)
        self._last_used = _last_uses(program)
        match program.input_types:
            case [InputType((_, *sizes), dtype)] if None not in sizes:
                for attribute, value in (("input_shape", tuple(sizes)), ("input_dtype", dtype)):
                    vars(self).setdefault(attribute, value)  # a part may have that name

    def _part(self, path: str, parts: Mapping[str, tuple[str, str]]) -> Module:
        """The submodule of a dotted name, made if it is not there."""
        module: Module = self
        done = ""
        for name in path.split(".") if path else ():
            done = f"{done}.{name}" if done else name
            if name not in vars(module):
                setattr(module, name, Part(*parts.get(done, ("Module", ""))))
            module = getattr(module, name)
        return module

    def _at(self, name: str) -> Module:
        """The submodule of a dotted name; the network itself for ""."""
        module: Module = self
        for step in name.split(".") if name else ():
            module = getattr(module, step)
        return module

    def _set_buffer(self, name: str, value: Any) -> None:
        """Another value for a buffer, by dotted name."""
        path, _, own = name.rpartition(".")
        getattr(self._at(path), own).data = value

    def _arguments(self, args: tuple[Any, ...], options: dict[str, Any]) -> list[Any]:
        """The inputs of one call, in the program's order."""
        wanted = self._program.options
        if set(options) != set(wanted):
            raise ShapeError(
                f"{self._kind}: the arguments {', '.join(wanted) or 'without names'} are needed, "
                f"got {', '.join(options) or 'no names'}"
            )
        leaves = list(_leaves([*args, *(options[name] for name in wanted)]))
        if len(leaves) != len(self._program.inputs):
            raise ShapeError(
                f"{self._kind}: {len(self._program.inputs)} inputs are needed, got {len(leaves)}"
            )
        return leaves

    def describe(self) -> str:
        return "; ".join(filter(None, (self._text, self._note)))

    def forward(self, *args: Any, **options: Any) -> Any:
        program = self._program
        values: dict[int, Any] = dict(program.constants)
        for number, given in zip(program.inputs, self._arguments(args, options), strict=True):
            if not isinstance(given, Tensor | np.ndarray | np.generic | int | float | bool | None):
                raise DtypeError(
                    f"{self._kind}: inputs must be Tensors or arrays, got {type(given).__name__}"
                )
            values[number] = given
        for number, name in program.state.items():
            path, _, own = name.rpartition(".")
            values[number] = getattr(self._at(path), own)
        entered: dict[str, tuple[Module, str]] = {}
        for call in program.calls:
            module, scope = self._enter(call.inside, entered)
            values[TRAINING.number] = module.training
            used = replaced(call.args, values.__getitem__)
            chosen = replaced(call.options, values.__getitem__)
            if call.stateful:
                used = (self, module, *used)
            with mode(scope=scope), running_line(call.source):
                try:
                    values[call.result] = call.function(*used, **chosen)
                except Exception as error:
                    error.add_note(_where(call))
                    raise
            for number in self._last_used.get(call.result, ()):
                values.pop(number, None)
        return self._result(replaced(program.output, values.__getitem__))

    def _enter(self, inside: Inside, entered: dict[str, tuple[Module, str]]) -> tuple[Module, str]:
        """The innermost submodule, and the scope of this call of it; `entered` has all so far."""
        now = current_mode()
        module: Module = self
        scope = now.scope
        for key, name in inside:
            if name and key not in entered:
                part = self._at(name)
                entered[key] = part, Scope.of(now.scopes.get(part, now.scope), scope, part)
            if name:
                module, scope = entered[key]
        return module, scope

    def _result(self, output: Any) -> Any:
        """What the network gives its caller: computed arrays become Tensors."""
        if isinstance(output, np.ndarray | np.generic):
            return Tensor(np.asarray(output))
        if isinstance(output, list | tuple):
            parts = [self._result(part) for part in output]
            return type(output)(*parts) if hasattr(output, "_fields") else type(output)(parts)
        if isinstance(output, dict):
            return {name: self._result(part) for name, part in output.items()}
        return output


def input_types(network: Imported) -> list[InputType | None]:
    """What each input of a network is, in the order of a call; None where it is not known."""
    return list(network._program.input_types)


def _leaves(arguments: Any) -> Iterator[Any]:
    """What stands in nested lists, tuples and dictionaries, in order."""
    if isinstance(arguments, Mapping):
        arguments = list(arguments.values())
    if not isinstance(arguments, list | tuple):
        yield arguments
        return
    for part in arguments:
        yield from _leaves(part)


def _where(call: Call) -> str:
    said = f"in {call.name}"
    if call.module:
        said += f" of {call.module}"
    return said + (f" ({call.source[0]}:{call.source[1]})" if call.source else "")


def _last_uses(program: Program) -> dict[int, list[int]]:
    """Values that no later call needs, by the result of the last call that does."""
    kept = {*numbers(program.output)}
    found: dict[int, list[int]] = {}
    for call in reversed(program.calls):
        for number in {call.result, *numbers((call.args, call.options))} - kept:
            kept.add(number)
            found.setdefault(call.result, []).append(number)
    return found
