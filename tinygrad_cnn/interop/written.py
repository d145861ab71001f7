"""How PyTorch writes a network down: by ``torch.export``, or by watching one call of it."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import DataError

ONE_WAY = (
    "computes what it did for the example: which way it takes depends on values, and the other "
    "ways were not written down"
)


@dataclass
class Written:
    """A network as a graph of calls, with what its ends stand for.

    Attributes:
        graph: a ``torch.fx.Graph``.
        inputs: for each of its placeholders, what it stands for: ("state", its dotted name),
            ("input", "") for an argument of the call, or ("constant", its key).
        outputs: for each of its results: ("result", ""), or ("buffer", the name of the buffer
            whose new value it is).
        spec: how the results are nested.
        options: names of the arguments that are given by keyword.
        state: parameters and buffers of the state dict, by all their names.
        constants: other tensors, by key; buffers that the state dict leaves out, by name.
        parts: class and options of each submodule, by dotted name; empty if not known.
        note: what the graph does not cover; "" if nothing.
    """

    graph: Any
    inputs: list[tuple[str, str]]
    outputs: list[tuple[str, str]]
    spec: Any
    options: tuple[str, ...] = ()
    state: Mapping[str, Any] = field(default_factory=dict)
    constants: Mapping[str, Any] = field(default_factory=dict)
    parts: dict[str, tuple[str, str]] = field(default_factory=dict)
    note: str = ""


def write_down(torch: Any, module: Any, example: tuple[Any, ...] | dict[str, Any]) -> Written:
    """A Module's calls, for any batch size if it allows that.

    Raises:
        DataError: PyTorch can write it down in no way.
    """
    problem: Exception | None = None
    for given, shapes in _examples(torch, example):
        args, options = _arguments(given)
        try:
            with contextlib.redirect_stderr(io.StringIO()):  # it prints what it cannot export
                exported = torch.export.export(module, args, options, dynamic_shapes=shapes)
        except Exception as error:
            problem = problem or error
        else:
            return written_by_export(torch, exported, module)
    try:
        return _watched(torch, module, *_arguments(example))
    except Exception as error:
        raise DataError(
            f"from_torch: PyTorch cannot write {type(module).__name__} down: {problem}; and as one "
            f"call: {error}"
        ) from error


def _arguments(example: tuple[Any, ...] | dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Those without and those with names."""
    return ((), example) if isinstance(example, dict) else (example, {})


def _examples(torch: Any, given: Any) -> Iterator[tuple[Any, Any]]:
    """The example with an open batch size, and as it is.

    A batch of one is doubled for the former: PyTorch takes a size of 1 for fixed.
    """
    pytree = torch.utils._pytree
    leaves, spec = pytree.tree_flatten(given)
    arrays = [isinstance(x, torch.Tensor) and x.ndim > 0 for x in leaves]
    sizes = {x.shape[0] for x, array in zip(leaves, arrays, strict=True) if array}
    if len(sizes) == 1:
        wider = [
            torch.cat([x, x]) if array and sizes == {1} else x
            for x, array in zip(leaves, arrays, strict=True)
        ]
        opened = [{0: torch.export.Dim.AUTO} if array else None for array in arrays]
        yield pytree.tree_unflatten(wider, spec), pytree.tree_unflatten(opened, spec)
    yield given, None


def written_by_export(torch: Any, exported: Any, module: Any = None) -> Written:
    """What ``torch.export`` made of a network; the Module, if there is one, names its parts."""
    signature = exported.graph_signature
    kinds = torch.export.graph_signature
    inputs, outputs = [], []
    for spec in signature.input_specs:
        if spec.kind in (kinds.InputKind.PARAMETER, kinds.InputKind.BUFFER):
            inputs.append(("state", spec.target))
        elif spec.kind == kinds.InputKind.USER_INPUT:
            inputs.append(("input", ""))
        else:
            inputs.append(("constant", spec.target))
    for spec in signature.output_specs:
        changed = spec.kind == kinds.OutputKind.BUFFER_MUTATION
        if not changed and spec.kind != kinds.OutputKind.USER_OUTPUT:
            raise DataError(f"from_torch: the program changes {spec.target}, which is no buffer")
        outputs.append(("buffer", spec.target) if changed else ("result", ""))
    state = exported.state_dict if module is None else module.state_dict(keep_vars=True)
    return Written(
        exported.graph,
        inputs,
        outputs,
        exported.call_spec.out_spec,
        tuple(exported.call_spec.in_spec.child(1).context or ()),
        _tensors(torch, state),
        exported.constants,
        {} if module is None else _parts(module),
    )


def _tensors(torch: Any, state: Mapping[str, Any]) -> dict[str, Any]:
    return {name: x for name, x in state.items() if isinstance(x, torch.Tensor)}


def _parts(module: Any) -> dict[str, tuple[str, str]]:
    return {
        name: (type(part).__name__, " ".join(part.extra_repr().split()))
        for name, part in module.named_modules(remove_duplicate=False)
    }


# --- by watching -------------------------------------------------------------------------------


def _watched(torch: Any, module: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Written:
    """The calls of one run: the way that the network takes for the example."""
    from torch.fx import traceback
    from torch.fx.experimental.proxy_tensor import make_fx

    pytree = torch.utils._pytree
    state = dict(module.named_parameters()) | dict(module.named_buffers())
    spec: Any = None

    def run(tensors: dict[str, Any], args: Any, options: Any) -> Any:
        nonlocal spec
        result = torch.func.functional_call(module, tensors, args, options)
        leaves, spec = pytree.tree_flatten(result)
        return leaves

    copies = {name: x.detach().clone() for name, x in state.items()}
    with traceback.preserve_node_meta(), _noting_modules(module, traceback):
        made = make_fx(
            run,
            pre_dispatch=True,
            record_stack_traces=True,
            _error_on_data_dependent_ops=False,
        )(copies, args, options)
    count = len(pytree.tree_leaves((args, options)))
    kept = module.state_dict(keep_vars=True)
    return Written(
        made.graph,
        [("state", name) for name in state] + [("input", "")] * count,
        [("result", "")] * spec.num_leaves,
        spec,
        tuple(options),
        _tensors(torch, kept),
        {name: x for name, x in state.items() if name not in kept},
        _parts(module),
        f"it {ONE_WAY}",
    )


@contextlib.contextmanager
def _noting_modules(module: Any, traceback: Any) -> Iterator[None]:
    """Each call is noted with the submodule that makes it."""
    before: list[Any] = []
    hooks = []

    def entering(name: str) -> Any:
        def note(part: Any, *_: Any) -> None:
            before.append(traceback.current_meta.get("nn_module_stack"))
            traceback.current_meta["nn_module_stack"] = {name: (name, type(part))}

        return note

    def leaving(*_: Any) -> None:
        traceback.current_meta["nn_module_stack"] = before.pop()

    for name, part in module.named_modules():
        hooks.append(part.register_forward_pre_hook(entering(name)))
        hooks.append(part.register_forward_hook(leaving))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
        traceback.current_meta.pop("nn_module_stack", None)
