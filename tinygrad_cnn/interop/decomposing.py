"""Calls that the vocabulary lacks, as the simpler ones that PyTorch puts them together from."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence
from typing import Any

from .aten import ATEN


def simpler(torch: Any, node: Any) -> Any:
    """The graph of the calls that PyTorch decomposes one call into; None if it knows none.

    It is traced for two batch sizes. If the size is written into its calls, or these have to be
    decomposed in their turn, they are traced once more with sizes that stay open.
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
    values = [leaves[i].meta["val"] for i in at]

    def run(*inputs: Any) -> Any:
        filled = list(leaves)
        for i, given in zip(at, inputs, strict=True):
            filled[i] = given
        args, options = pytree.tree_unflatten(filled, spec)
        result = function(*args, **options)
        return list(result) if isinstance(result, tuple | list) else [result]

    def traced(mode: Any, times: int, whole: bool) -> Any:
        examples = _examples(torch, values, times)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of PyTorch's own functions
            return make_fx(run, tracing_mode=mode, pre_dispatch=whole)(*examples).graph

    for whole in (True, False):  # calls of whole layers, if these are not this call again
        try:
            one, two = traced("fake", 1, whole), traced("fake", 2, whole)
            found = one
            if _calls(one) != _calls(two) or not _is_known(one):
                found = traced("symbolic", _apart(torch, values), whole)
        except Exception:  # whatever it was: then there is no decomposition, and the caller says so
            continue
        if all(call.target is not target for call in found.nodes):
            return found
    return None


def _is_known(graph: Any) -> bool:
    """Whether no call has to be decomposed in its turn, for which it needs sizes that are open."""
    calls = [str(node.target) for node in graph.nodes if node.op == "call_function"]
    return all(name.removeprefix("aten.") in ATEN for name in calls if name.startswith("aten."))


def _calls(graph: Any) -> list[Any]:
    return [(node.op, str(node.target), str(node.args), str(node.kwargs)) for node in graph.nodes]


def _size(given: Any, times: int) -> int:
    """A size of the example's, or one that is open: so many times as large."""
    if isinstance(given, int):
        return given
    environment = given.node.shape_env
    newer = getattr(environment, "backed_var_to_val", None)  # its newer name
    hints = environment.var_to_val if newer is None else newer
    return int(given.node.expr.subs({v: times * int(hint) for v, hint in hints.items()}))


def _apart(torch: Any, values: Sequence[Any]) -> int:
    """How many times as large open sizes are like no other one.

    PyTorch takes equal sizes for the same one, and that one for fixed if one of them is.
    """
    sizes = [s for v in values if isinstance(v, torch.Tensor) for s in v.shape]
    fixed = {s for s in sizes if isinstance(s, int)}
    opened = [s for s in sizes if not isinstance(s, int)]
    return next(t for t in itertools.count(3) if fixed.isdisjoint(_size(s, t) for s in opened))


def _examples(torch: Any, values: Sequence[Any], times: int) -> list[Any]:
    """Zeros like the values of nodes, and sizes; those that are open so many times as large."""

    def like(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return torch.zeros([_size(s, times) for s in value.shape], dtype=value.dtype)
        if isinstance(value, list | tuple):
            return [like(part) for part in value]
        return _size(value, times) if isinstance(value, torch.SymInt) else value

    return [like(value) for value in values]
