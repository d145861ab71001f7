"""`from_torch`: a PyTorch network as a Module of ours, by way of ``torch.export``.

PyTorch writes the network down as calls of its ATen library. Each becomes one call of ours if the
vocabulary has it (`aten/`); any other is decomposed by PyTorch into simpler ones first. Where the
network writes into a value, another value is computed, and the views of the old one anew.
"""

from __future__ import annotations

import builtins
import operator
import os
import re
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ..engine.context import no_grad
from ..engine.op import constant
from ..engine.tensor import Tensor
from ..errors import DataError, DtypeError, OptionError
from ..nn.parameter import Parameter
from .aten import ATEN, STATEFUL
from .aten.table import cast, dtype_of
from .overwriting import overwritten, positions
from .program import TRAINING, Call, Imported, InputType, Program, Source, Value
from .residuals import with_residuals
from .written import Written, write_down, written_by_export

_SYMBOLIC: dict[str, Callable[..., Any]] = {
    "sym_max": max,
    "sym_min": min,
    "sym_int": int,
    "sym_float": float,
    "sym_not": operator.not_,
    "sym_sum": lambda terms: sum(terms),
    "sym_ite": lambda condition, a, b: a if condition else b,
}
"""Arithmetic of sizes that PyTorch has functions of its own for."""
_SIZES = [ATEN[name] for name in ("sym_size.int", "sym_numel.default", "size.int")]
_CHECKS = ("_assert", "sym_constrain_range", "_check", "_functional_assert", "_functional_sym")
_WITH_MODE = {"batch_norm.default": 5, "dropout.default": 2, "feature_dropout.default": 2}
"""Calls one of whose arguments says whether this is training, and which."""


def from_torch(module: Any, example_inputs: Any = None, *, training: bool = False) -> Imported:
    """A network of PyTorch's as a Module that computes the same with this project's ops.

    Parameters and buffers have their names and values; ``train()`` and ``eval()`` do to dropout and
    batch norm what they do there. Recorded nodes carry the names of the modules, and the lines of
    the network's own source. The batch size may be another one than the example's.

    Args:
        module: a ``torch.nn.Module``; or what ``torch.export.export`` made of one; or the path of
            a .pt2 file that ``torch.export.save`` wrote.
        example_inputs: of a Module: the arguments of one call, a tuple (or one tensor).
        training: the mode that the network is exported in. A network that computes something else
            in training, beyond dropout and batch norm, does so only if it is imported so.

    Raises:
        OptionError: PyTorch is not installed; no example_inputs.
        DataError: the network makes calls that nothing here computes: lists each, how often, and
            in which modules. `tinygrad_cnn.interop.register` adds one.
        DtypeError: a parameter of a dtype that NumPy does not have, such as bfloat16.

    Example:
        >>> import tinygrad_cnn as tg
        >>> import torch  # doctest: +SKIP
        >>> net = tg.from_torch(torch.nn.Linear(3, 2), torch.randn(4, 3))  # doctest: +SKIP
        >>> net(tg.Tensor([[1.0, 2.0, 3.0]])).shape  # doctest: +SKIP
        (1, 2)
    """
    torch = _torch()
    if isinstance(module, str | os.PathLike):
        module = _load(torch, Path(module))
    if isinstance(module, torch.export.ExportedProgram):
        return _Translation(torch, written_by_export(torch, module), training).network()
    if not isinstance(module, torch.nn.Module):
        raise OptionError(
            "from_torch: a torch.nn.Module, an ExportedProgram or the path of a .pt2 file is "
            f"needed, got {type(module).__name__}"
        )
    if example_inputs is None:
        raise OptionError(
            "from_torch: example_inputs are needed: the arguments of one call, as (images,)"
        )
    if not isinstance(example_inputs, tuple | dict):
        example_inputs = (example_inputs,)
    modes = {part: part.training for part in module.modules()}
    module.train(training)
    try:
        written = write_down(torch, module, example_inputs)
        network = _Translation(torch, written, training).network()
        if written.note and not training:
            _must_agree(torch, network, module, example_inputs)
        return network
    finally:
        for part, mode in modes.items():
            part.training = mode


def _must_agree(torch: Any, network: Imported, module: Any, example: Any) -> None:
    """Refuse a network whose one call, as it was watched, computes something else.

    Watching does not see what is written into a part of a value, if only the whole is used later.
    """
    args, options = ((), example) if isinstance(example, dict) else (example, {})
    flatten = torch.utils._pytree.tree_leaves
    arrays = torch.utils._pytree.tree_map_only(torch.Tensor, _plain, (args, options))
    with torch.no_grad(), no_grad():
        theirs = flatten(module(*args, **options))
        ours = [constant(leaf) for leaf in flatten(network(*arrays[0], **arrays[1]))]
    for a, b in zip(ours, theirs, strict=True):
        if isinstance(b, torch.Tensor) and not np.allclose(_plain(b), a, rtol=1e-3, equal_nan=True):
            raise DataError(
                f"from_torch: {type(module).__name__} decides by values, and writes into parts of "
                "them: what it computes could not be written down. Write x = torch.cat(…) or "
                "torch.where(…) instead of x[…] = …"
            )


def _plain(tensor: Any) -> Any:
    return tensor.detach().cpu().numpy()


def _torch() -> ModuleType:
    try:
        import torch
        import torch.export
    except ImportError as error:
        raise OptionError(
            "from_torch needs PyTorch, which is not installed: pip install 'tinygrad_cnn[torch]'"
        ) from error
    return torch


def _load(torch: Any, path: Path) -> Any:
    if path.suffix in (".pt", ".pth"):
        raise DataError(
            f"{path}: a pickle runs code when it is read, so it is refused. In PyTorch, save the "
            "network by torch.export.save(torch.export.export(module, example), 'net.pt2'), or its "
            "weights by safetensors.torch.save_file(module.state_dict(), 'net.safetensors')"
        )
    try:
        return torch.export.load(path)
    except Exception as error:
        raise DataError(f"{path}: this is no exported program: {error}") from error


class _Translation:
    """From PyTorch's calls to a Program of ours."""

    def __init__(self, torch: Any, written: Written, training: bool) -> None:
        self.torch, self.written, self.training = torch, written, training
        self.pytree = torch.utils._pytree
        self.program = Program()
        self.count = 0
        self.values: dict[Any, Any] = {}  # of the graph's nodes: a Value, or a plain Python value
        self.unknown: Counter[tuple[str, str]] = Counter()
        self.classes: dict[str, str] = {}  # of modules, by dotted name
        self.views: dict[Any, Any] = {}  # the node that a view is a part of
        self.view_calls: dict[Any, Call] = {}  # how a view takes its part
        self.made_at: dict[Any, int] = {}  # the version of its root that a view shows
        self.versions: Counter[Any] = Counter()  # of roots: how often they were written into
        self.buffers: dict[Any, str] = {}  # names of parameters and buffers, by their node
        self.inside: list[tuple[str, Source | None]] = []  # where a decomposed call was made

    # --- the whole -----------------------------------------------------------------------------

    def network(self) -> Imported:
        places = [node for node in self.written.graph.nodes if node.op == "placeholder"]
        for node, (kind, name) in zip(places, self.written.inputs, strict=True):
            value = self._fresh()
            self.values[node] = value
            if kind == "state":
                self.program.state[value.number] = self.buffers[node] = name
            elif kind == "input":
                self.program.inputs.append(value.number)
                self.program.input_types.append(self._type_of(node))
            else:
                self.program.constants[value.number] = _array(self.written.constants[name], name)
        outputs = self._walk(self.written.graph)
        if self.unknown:
            raise DataError(self._refusal())
        results = []
        for (kind, name), value in zip(self.written.outputs, outputs, strict=True):
            if kind == "buffer":
                self._store(name, value)
            else:
                results.append(value)
        self.program.output = self.pytree.tree_unflatten(results, self.written.spec)
        self.program.options = self.written.options
        program = with_residuals(self.program.without_unused(), [ATEN["add.Tensor"]], _SIZES)
        network = Imported(program, self._parts(), *self._state(), note=self.written.note)
        return network.train(self.training)

    def _type_of(self, node: Any) -> InputType | None:
        value = node.meta.get("val")
        if not isinstance(value, self.torch.Tensor) or value.dtype == self.torch.bfloat16:
            return None
        sizes = tuple(size if isinstance(size, int) else None for size in value.shape)
        return InputType(sizes, _dtype(self.torch, value.dtype))

    def _parts(self) -> dict[str, tuple[str, str]]:
        return self.written.parts or {name: (kind, "") for name, kind in self.classes.items()}

    def _state(self) -> tuple[dict[str, Tensor], set[str]]:
        """Parameters and buffers by name, and the names of those that a state dict leaves out."""
        torch = self.torch
        found = dict(self.written.state)
        passing = set(self.program.state.values()) - found.keys()
        found |= {name: self.written.constants[name] for name in passing}
        made: dict[int, Tensor] = {}
        state: dict[str, Tensor] = {}
        for name, tensor in found.items():
            if not isinstance(tensor, torch.Tensor):
                continue
            key = id(tensor)
            if key not in made:
                array = _array(tensor, name)
                learned = isinstance(tensor, torch.nn.Parameter) and array.dtype.kind == "f"
                made[key] = Parameter(array) if learned else Tensor(array)
                if learned and not tensor.requires_grad:
                    made[key].requires_grad = False
            state[name] = made[key]
        return state, passing

    def _refusal(self) -> str:
        calls: dict[str, list[str]] = {}
        for (name, where), times in sorted(self.unknown.items()):
            calls.setdefault(name, []).append(f"{where or 'the network itself'} ({times})")
        lines = [f"  {name}: in {', '.join(places)}" for name, places in calls.items()]
        return (
            "from_torch: nothing here computes these calls; "
            "tinygrad_cnn.interop.register adds one:\n" + "\n".join(lines)
        )

    # --- one graph -----------------------------------------------------------------------------

    def _walk(self, graph: Any) -> Sequence[Any]:
        """Translate all calls of a graph; what it gives back."""
        for node in graph.nodes:
            if node.op == "call_function":
                self._call(node)
            elif node.op == "get_attr":
                self.values[node] = self._attribute(node)
            elif node.op == "output":
                return self._arguments(node.args[0])
        return ()

    def _attribute(self, node: Any) -> Any:
        found = node.graph.owning_module
        for step in node.target.split("."):
            found = getattr(found, step)
        if isinstance(found, self.torch.Tensor):
            value = self._fresh()
            self.program.constants[value.number] = _array(found, node.target)
            return value
        return found

    def _call(self, node: Any) -> None:
        target = node.target
        name = str(target)
        if isinstance(target, self.torch._ops.OpOverload):
            if target.namespace == "aten":
                self._aten(node, name.removeprefix("aten."))
            elif any(target.__name__.startswith(check) for check in _CHECKS):
                self.values[node] = None
            else:
                self._decompose(node, name)
        elif isinstance(target, self.torch._ops.HigherOrderOperator):
            self._region(node, target.name())
        elif any(getattr(target, "__name__", "").startswith(check) for check in _CHECKS):
            self.values[node] = None
        else:
            self._plain(node, target)

    def _aten(self, node: Any, name: str) -> None:
        schema = node.target._schema
        if any(schema.name.removeprefix("aten::").startswith(check) for check in _CHECKS):
            self.values[node] = None
            return
        written = [
            i for i, a in enumerate(schema.arguments) if a.alias_info and a.alias_info.is_write
        ]
        plain = re.sub(r"_(?=\.)", "", name, count=1) if written else name
        known = name if name in ATEN else plain
        if known not in ATEN:
            self._decompose(node, f"aten.{name}")
        else:
            self._emit(
                node, f"aten.{known}", ATEN[known], self._bound(node, known), known in STATEFUL
            )
        if written and node in self.values:
            self._write(node.args[written[0]], node)
        elif known in ATEN and any(r.alias_info for r in schema.returns) and node.args:
            self._is_view(node, node.args[0])

    def _bound(self, node: Any, name: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
        args, options = self._arguments(tuple(node.args)), self._arguments(dict(node.kwargs))
        at = _WITH_MODE.get(name)
        if at is not None and len(args) > at and args[at] is self.training:
            without = (
                name == "batch_norm.default" and args[3] is None
            )  # has no statistics but these
            if not without:
                args = (*args[:at], TRAINING, *args[at + 1 :])
        return args, options

    def _plain(self, node: Any, target: Any) -> None:
        """Python's own arithmetic, on sizes; and taking one of several outputs."""
        name = getattr(target, "__name__", str(target))
        known = _SYMBOLIC.get(name)
        if known is None and getattr(target, "__module__", "") in ("_operator", "operator", "math"):
            known = target
        if known is None and getattr(builtins, name, None) is target:
            known = target
        if known is None:
            self._miss(node, name)
            return
        bound = self._arguments(tuple(node.args)), self._arguments(dict(node.kwargs))
        self._emit(node, name, known, bound, False)
        if name == "getitem":
            self._is_view(node, node.args[0])

    def _region(self, node: Any, name: str) -> None:
        """A region with another gradient mode or precision: its graph, in place."""
        bodies = [
            self.values[a]
            for a in node.args
            if isinstance(a, self.torch.fx.Node)
            and isinstance(self.values.get(a), self.torch.fx.GraphModule)
        ]
        if not name.startswith("wrap_with_") or len(bodies) != 1:
            self._miss(node, name)
            return
        at = next(i for i, a in enumerate(node.args) if self.values.get(a) is bodies[0])
        self.values[node] = self._inlined(bodies[0].graph, node.args[at + 1 :])

    def _inlined(self, graph: Any, args: Sequence[Any]) -> Sequence[Any]:
        places = [n for n in graph.nodes if n.op == "placeholder"]
        for place, arg in zip(places, args, strict=True):
            self.values[place] = self._arguments(arg)
        return self._walk(graph)

    # --- calls that are not in the vocabulary --------------------------------------------------

    def _decompose(self, node: Any, name: str) -> None:
        """Put PyTorch's own decomposition of a call in its place, or note that there is none."""
        graph = _simpler(self.torch, node)
        if graph is None:
            self._miss(node, name)
            return
        leaves = self.pytree.tree_leaves((node.args, node.kwargs))
        nodes = [leaf for leaf in leaves if isinstance(leaf, self.torch.fx.Node)]
        self.inside.append(self._place(node))
        results = self._inlined(graph, nodes)
        self.inside.pop()
        several = isinstance(node.meta["val"], list | tuple)
        self.values[node] = list(results) if several else results[0]

    def _miss(self, node: Any, name: str) -> None:
        self.unknown[name, self._place(node)[0]] += 1
        self.values[node] = self._fresh()

    # --- values --------------------------------------------------------------------------------

    def _fresh(self) -> Value:
        self.count += 1
        return Value(self.count - 1)

    def _emit(
        self,
        node: Any,
        name: str,
        function: Callable[..., Any],
        bound: tuple[tuple[Any, ...], dict[str, Any]],
        stateful: bool,
    ) -> None:
        self.values[node] = self._computed(node, name, function, *bound, stateful=stateful)

    def _computed(
        self,
        node: Any,
        name: str,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        options: dict[str, Any] | None = None,
        stateful: bool = False,
    ) -> Value:
        value = self._fresh()
        module, source = self._place(node)
        call = Call(name, function, args, options or {}, value.number, module, source, stateful)
        self.program.calls.append(call)
        return value

    def _store(self, name: str, value: Any) -> None:
        call = Call("store", _store, (value, name), {}, self._fresh().number, stateful=True)
        self.program.calls.append(call)

    def _arguments(self, given: Any) -> Any:
        """What a call gets: values for nodes, and no device, layout or memory format."""
        torch = self.torch
        if isinstance(given, torch.fx.Node):
            return self._current(given)
        if isinstance(given, torch.dtype):
            return _dtype(torch, given)
        if isinstance(given, torch.device | torch.layout | torch.memory_format):
            return None
        if isinstance(given, Mapping):
            return {name: self._arguments(part) for name, part in given.items()}
        if isinstance(given, list | tuple):
            return (
                type(given)([self._arguments(part) for part in given])
                if type(given)
                in (
                    list,
                    tuple,
                )
                else [self._arguments(part) for part in given]
            )
        if isinstance(given, torch.SymInt | torch.SymFloat):
            return int(given) if isinstance(given, torch.SymInt) else float(given)
        return given

    def _place(self, node: Any) -> tuple[str, Source | None]:
        """The module that made a call, and the line of the program."""
        if self.inside:
            return self.inside[0]
        stack = list((node.meta.get("nn_module_stack") or {}).values())
        path = ""
        for given, kind in stack:
            name = re.sub(r"@\d+", "", given.removeprefix("L['self']").lstrip("."))
            if not name.startswith("_empty_nn"):
                path = name
                self.classes[path] = str(getattr(kind, "__name__", kind)).rpartition(".")[2]
        return path, _line(node.meta.get("stack_trace") or "")

    # --- writing into values -------------------------------------------------------------------

    def _is_view(self, node: Any, base: Any) -> None:
        """Note that a value is part of another, if it is: what is written into one is in both.

        A call such as reshape or contiguous gives a view or a copy; the memory tells which.
        """
        if not isinstance(base, self.torch.fx.Node) or not _share_memory(node, base):
            return
        call = self.program.calls[-1]
        same = call.name.startswith(("aten.to.", "aten._to_copy", "aten.type_as"))  # of its dtype
        self.views[node] = base
        self.view_calls[node] = replace(call, function=_same, args=call.args[:1]) if same else call
        self.made_at[node] = self.versions[self._root(node)]

    def _root(self, node: Any) -> Any:
        while node in self.views:
            node = self.views[node]
        return node

    def _current(self, node: Any) -> Any:
        """A node's value: computed anew if it is part of what was written into since."""
        if node in self.views and self.made_at[node] != self.versions[self._root(node)]:
            self._again(node, self._current(self.views[node]))
        return self.values[node]

    def _again(self, node: Any, base: Any) -> None:
        self.values[node] = self._part(node, base)
        self.made_at[node] = self.versions[self._root(node)]

    def _part(self, node: Any, base: Any) -> Value:
        """The part of another base that a view takes of its own."""
        call = self.view_calls[node]
        return self._computed(node, call.name, call.function, (base, *call.args[1:]), call.options)

    def _write(self, base: Any, node: Any) -> None:
        """`node` computed what is written into `base`: give that to all that share its memory."""
        new = self._computed(node, "in place", _like, (self._current(base), self.values[node]))
        chain = [base]
        while chain[-1] in self.views:
            chain.append(self.views[chain[-1]])
        root = chain.pop()
        whole = new
        if chain:
            before = self._current(root)
            places: Any = self._computed(node, "positions", positions, (before,))
            for view in reversed(chain):
                places = self._part(view, places)
            whole = self._computed(node, "in place", overwritten, (before, places, new))
        self.versions[root] += 1
        self.values[root] = whole
        self.values[base] = self.values[node] = new
        self.made_at[base] = self.versions[root]
        self.views[node] = base
        self.view_calls[node] = Call("same", _same, (base,), {}, 0)
        self.made_at[node] = self.versions[root]
        name = self.buffers.get(root)
        if name is not None and not name.endswith("num_batches_tracked"):
            self._store(name, whole)


def _share_memory(node: Any, base: Any) -> bool:
    """Whether two values do, or parts of them; taken for true where the graph does not say."""
    parts = []
    if "val" not in node.meta or "val" not in base.meta:
        return True
    for value in (node.meta.get("val"), base.meta.get("val")):
        tensors = value if isinstance(value, list | tuple) else [value]
        parts.append({t.untyped_storage()._cdata for t in tensors if hasattr(t, "untyped_storage")})
    return not parts[0].isdisjoint(parts[1])


def _same(x: Any, **_: Any) -> Any:
    return x


def _like(x: Any, new: Any) -> Any:
    """What is written into x, in its dtype."""
    return cast(new, dtype_of(x))


def _store(network: Imported, module: Any, value: Any, name: str) -> None:
    value = value.data if isinstance(value, Tensor) else np.asarray(value)
    network._set_buffer(name, value)


def _line(trace: str) -> Source | None:
    """The innermost line of a stack trace that is not PyTorch's own."""
    found = re.findall(r'File "([^"]+)", line (\d+)', trace)
    inner = [(file, int(line)) for file, line in found if f"{os.sep}torch{os.sep}" not in file]
    if inner:
        return inner[-1]
    return (found[-1][0], int(found[-1][1])) if found else None


def _dtype(torch: Any, dtype: Any) -> np.dtype[Any]:
    try:
        return torch.zeros((), dtype=dtype).numpy().dtype
    except TypeError as error:
        raise DtypeError(f"from_torch: NumPy has no dtype like {dtype}; use float32") from error


def _array(tensor: Any, name: str) -> np.ndarray[Any, Any]:
    try:
        return tensor.detach().cpu().numpy().copy()
    except TypeError as error:
        raise DtypeError(
            f"from_torch: {name} is {tensor.dtype}, which NumPy does not have; call "
            "module.float() first"
        ) from error


def _simpler(torch: Any, node: Any) -> Any:
    """The graph of simpler calls that PyTorch decomposes one call into; None if it knows none.

    It is traced for two batch sizes. If the size is written into its calls, they are traced once
    more with sizes that stay open.
    """
    from torch._decomp import core_aten_decompositions, decomposition_table
    from torch.fx.experimental.proxy_tensor import make_fx

    target = node.target
    function = {**decomposition_table, **core_aten_decompositions()}.get(target)
    implicit = torch._C.DispatchKey.CompositeImplicitAutograd
    if function is None and target.has_kernel_for_dispatch_key(implicit):
        function = target.decompose
    if function is None:
        return None
    pytree = torch.utils._pytree
    leaves, spec = pytree.tree_flatten((node.args, node.kwargs))
    at = [i for i, leaf in enumerate(leaves) if isinstance(leaf, torch.fx.Node)]

    def run(*inputs: Any) -> Any:
        filled = list(leaves)
        for i, given in zip(at, inputs, strict=True):
            filled[i] = given
        args, options = pytree.tree_unflatten(filled, spec)
        result = function(*args, **options)
        return list(result) if isinstance(result, tuple | list) else [result]

    def traced(mode: Any, times: int) -> Any:
        examples = _examples(torch, leaves, at, times)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of PyTorch's own functions
            return make_fx(run, tracing_mode=mode, pre_dispatch=True)(*examples).graph

    try:
        one, two = traced("fake", 1), traced("fake", 2)
        found = one if _calls(one) == _calls(two) else traced("symbolic", 1)
    except Exception:  # whatever it was: then there is no decomposition, and the caller says so
        return None
    simpler = all(call.target is not target for call in found.nodes)
    return found if simpler else None


def _calls(graph: Any) -> list[Any]:
    return [(node.op, str(node.target), str(node.args), str(node.kwargs)) for node in graph.nodes]


def _examples(torch: Any, leaves: Sequence[Any], at: Sequence[int], times: int) -> list[Any]:
    """Zeros like the values of nodes, and sizes; those that are open so many times as large."""

    def size(given: Any) -> int:
        if isinstance(given, int):
            return given
        environment = given.node.shape_env
        newer = getattr(environment, "backed_var_to_val", None)  # its newer name
        hints = environment.var_to_val if newer is None else newer
        return int(given.node.expr.subs({v: times * int(hint) for v, hint in hints.items()}))

    def like(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return torch.zeros([size(s) for s in value.shape], dtype=value.dtype)
        if isinstance(value, list | tuple):
            return [like(part) for part in value]
        return size(value) if isinstance(value, torch.SymInt) else value

    return [like(leaves[i].meta["val"]) for i in at]
