"""From a graph of PyTorch's calls to a Program of ours.

Each call becomes one of ours if the vocabulary has it (`aten/`); any other is decomposed by PyTorch
into simpler ones first.
"""

from __future__ import annotations

import builtins
import functools
import operator
import os
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..engine.context import no_grad
from ..engine.tensor import Tensor
from ..errors import DataError, DtypeError
from ..nn.parameter import Parameter
from .aten import ATEN, STATEFUL
from .decomposing import simpler
from .program import TRAINING, Call, Imported, InputType, Inside, Program, Source, Value
from .residuals import with_residuals
from .views import Views
from .written import Written

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
_WITH_MODE = {
    "batch_norm.default": 5,
    "dropout.default": 2,
    "feature_dropout.default": 2,
    "rrelu.default": 3,
}
"""Calls one of whose arguments says whether this is training, and which."""


class Translation:
    """From PyTorch's calls to a Program of ours."""

    def __init__(self, torch: Any, written: Written, training: bool) -> None:
        self.torch, self.written, self.training = torch, written, training
        self.pytree = torch.utils._pytree
        self.program = Program()
        self.count = 0
        self.values: dict[Any, Any] = {}  # of the graph's nodes: a Value, or a plain Python value
        self.unknown: Counter[tuple[str, str]] = Counter()
        self.classes: dict[str, str] = {}  # of modules, by dotted name
        self.views = Views(self.values, self._computed)
        self.buffers: dict[Any, str] = {}  # names of parameters and buffers, by their node
        self.recording = True  # the gradient mode
        self.inside: list[tuple[str, Any]] = []  # decomposed calls: names, and where they are

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
        elif target is self.torch._C._set_grad_enabled:
            self.recording, self.values[node] = bool(node.args[0]), None
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
        known = name if name in ATEN or not written else _without_writing(node.target)
        if known not in ATEN:
            self._decompose(node, f"aten.{name}")
        else:
            args, options = self._bound(node, known)
            function, stateful = ATEN[known], known in STATEFUL
            self.values[node] = self._computed(
                node, f"aten.{known}", function, args, options, stateful
            )
        if written and node in self.values:
            at = written[0]  # an argument without a name, or with one, such as out
            name = schema.arguments[at].name
            self._write(node.args[at] if at < len(node.args) else node.kwargs[name], node)
        elif known in ATEN and any(r.alias_info for r in schema.returns) and node.args:
            self._is_view(node, node.args[0])

    def _bound(self, node: Any, name: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
        args, options = self._arguments(tuple(node.args)), self._arguments(dict(node.kwargs))
        options = {k: v for k, v in options.items() if k not in _outs(node.target)}
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
        args, options = self._arguments(tuple(node.args)), self._arguments(dict(node.kwargs))
        self.values[node] = self._computed(node, name, known, args, options)
        if name == "getitem" and isinstance(node.args[0], self.torch.fx.Node):
            self.views.element(node, node.args[0], node.args[1], self.program.calls[-1])

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
        before = self.recording
        if name == "wrap_with_set_grad_enabled":
            self.recording = bool(node.args[0])
        self.values[node] = self._inlined(bodies[0].graph, node.args[at + 1 :])
        self.recording = before

    def _inlined(self, graph: Any, args: Sequence[Any]) -> Sequence[Any]:
        places = [n for n in graph.nodes if n.op == "placeholder"]
        for place, arg in zip(places, args, strict=True):
            self.values[place] = self._arguments(arg)
            if isinstance(arg, self.torch.fx.Node):
                self.views.same(place, arg)
        return self._walk(graph)

    # --- calls that are not in the vocabulary --------------------------------------------------

    def _decompose(self, node: Any, name: str) -> None:
        """Put PyTorch's own decomposition of a call in its place, or note that there is none."""
        graph = simpler(self.torch, node)
        if graph is None:
            self._miss(node, name)
            return
        leaves = self.pytree.tree_leaves((node.args, node.kwargs))
        nodes = [leaf for leaf in leaves if isinstance(leaf, self.torch.fx.Node)]
        self.inside.append((name, self._place(node)))
        results = self._inlined(graph, nodes)
        self.inside.pop()
        several = isinstance(node.meta["val"], list | tuple)
        self.values[node] = list(results) if several else results[0]

    def _miss(self, node: Any, name: str) -> None:
        if self.inside:
            name = f"{self.inside[0][0]}, by way of {name}"
        self.unknown[name, self._place(node)[0]] += 1
        self.values[node] = self._fresh()

    # --- values --------------------------------------------------------------------------------

    def _fresh(self) -> Value:
        self.count += 1
        return Value(self.count - 1)

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
        module, source, inside = self._place(node)
        if not self.recording:
            function = functools.partial(_without_gradient, function)
        call = Call(
            name, function, args, options or {}, value.number, module, source, stateful, inside
        )
        self.program.calls.append(call)
        return value

    def _is_view(self, node: Any, base: Any) -> None:
        if isinstance(base, self.torch.fx.Node):
            self.views.note(node, base, self.program.calls[-1])

    def _write(self, base: Any, node: Any) -> None:
        """`node` computed what is written into `base`, which may be a buffer, or a part of one."""
        root, whole = self.views.write(base, node)
        name = self.buffers.get(root)
        if name is not None and not name.endswith("num_batches_tracked"):
            self._store(name, whole)

    def _store(self, name: str, value: Any) -> None:
        call = Call("store", _store, (value, name), {}, self._fresh().number, stateful=True)
        self.program.calls.append(call)

    def _arguments(self, given: Any) -> Any:
        """What a call gets: values for nodes, and no device, layout or memory format."""
        torch = self.torch
        if isinstance(given, torch.fx.Node):
            return self.views.current(given)
        if isinstance(given, torch.dtype):
            return _dtype(torch, given)
        if isinstance(given, torch.device | torch.layout | torch.memory_format):
            return None
        if isinstance(given, Mapping):
            return {name: self._arguments(part) for name, part in given.items()}
        if isinstance(given, list | tuple):
            parts = [self._arguments(part) for part in given]
            return tuple(parts) if type(given) is tuple else parts
        if isinstance(given, torch.SymInt | torch.SymFloat):
            return int(given) if isinstance(given, torch.SymInt) else float(given)
        return given

    def _place(self, node: Any) -> tuple[str, Source | None, Inside]:
        """The module that made a call, the line of the program, and which modules were entered."""
        if self.inside:
            return self.inside[0][1]
        path, inside = "", []
        for key, (given, kind) in (node.meta.get("nn_module_stack") or {}).items():
            name = re.sub(r"@\d+", "", given.removeprefix("L['self']").lstrip("."))
            if not name.startswith("_empty_nn"):
                path = name
                inside.append((key, path))
                self.classes[path] = str(getattr(kind, "__name__", kind)).rpartition(".")[2]
        return path, _line(node.meta.get("stack_trace") or ""), tuple(inside)


def _without_gradient(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    with no_grad():
        return function(*args, **options)


def _outs(target: Any) -> set[str]:
    """The arguments of a call that it only writes its result into."""
    return {a.name for a in target._schema.arguments if a.kwarg_only and a.alias_info is not None}


def _without_writing(target: Any) -> str:
    """The call that computes what this one writes: ``add.Tensor`` of ``add_.Tensor``, say."""
    name, outs = str(target).removeprefix("aten."), _outs(target)
    if not outs:
        return re.sub(r"_(?=\.)", "", name, count=1)
    wanted = [(a.name, str(a.type)) for a in target._schema.arguments if a.name not in outs]
    packet = target.overloadpacket
    for other in (getattr(packet, overload) for overload in packet.overloads()):
        if [(a.name, str(a.type)) for a in other._schema.arguments] == wanted:
            return str(other).removeprefix("aten.")
    return name


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
