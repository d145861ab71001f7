"""A module's call, with the hooks that are registered on it. See `Module.register_forward_hook`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..engine.hooks import on_gradient
from ..engine.node import Handle, Node
from ..engine.op import op
from ..engine.tensor import Tensor
from ..errors import ShapeError

if TYPE_CHECKING:
    from .module import Module


@op
def boundary(*arrays: Any) -> Any:
    """The arrays themselves, through one node: hooks see there what enters or leaves a module."""
    return arrays


boundary.vjp(lambda g, y, *arrays: g)
boundary.definition(lambda at, first, *others: first[at])


def call(module: Module, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """Run the module's forward between its hooks."""
    for hook in module._pre_hooks:
        answer = hook(module, args)
        if answer is not None:
            args = answer if isinstance(answer, tuple) else (answer,)
    entry = None
    if module._backward_hooks:
        args, entry = _marked(args)
    output = module.forward(*args, **options)
    for hook in module._forward_hooks:
        answer = hook(module, args, output)
        output = output if answer is None else answer
    if module._backward_hooks:
        output = _watched(module, entry, output)
    return output


def _marked(values: tuple[Any, ...]) -> tuple[tuple[Any, ...], Node | None]:
    """The values, with those that need gradients led through one `boundary`; and its node."""
    asking = [i for i, v in enumerate(values) if isinstance(v, Handle) and v.node.needs_grad]
    if not asking:
        return values, None
    passed = boundary([values[i] for i in asking])
    marked = list(values)
    for i, value in zip(asking, passed, strict=True):
        marked[i] = value
    node = passed[0].node.inputs
    return tuple(marked), node[0] if node else None  # None if nothing is recorded


def _watched(module: Module, entry: Node | None, output: Any) -> Any:
    """Call the backward hooks when gradients have come to the entry (or, without one, the exit)."""
    single = not isinstance(output, tuple)
    outputs, exit_ = _marked((output,) if single else output)
    if exit_ is None:
        return output
    arrived: list[tuple[Any, ...]] = []  # at the exit, in the pass that runs

    def at_exit(grad_outputs: tuple[Any, ...]) -> None:
        if entry is None:
            _run(module, (), grad_outputs)
        else:
            arrived[:] = [grad_outputs]

    def at_entry(grad_inputs: tuple[Any, ...]) -> Any:
        return _run(module, grad_inputs, arrived[0] if arrived else ())

    on_gradient(exit_, at_exit, Tensor)
    if entry is not None:
        on_gradient(entry, at_entry, Tensor)
    return outputs[0] if single else outputs


def _run(module: Module, grad_inputs: tuple[Any, ...], grad_outputs: tuple[Any, ...]) -> Any:
    for hook in module._backward_hooks:
        answer = hook(module, grad_inputs, grad_outputs)
        if answer is None:
            continue
        answer = answer if isinstance(answer, tuple) else (answer,)
        if len(answer) != len(grad_inputs):
            raise ShapeError(
                f"backward hook of {type(module).__name__}: expected {len(grad_inputs)} "
                f"gradients, one for each of the module's inputs, got {len(answer)}"
            )
        grad_inputs = answer
    return grad_inputs
