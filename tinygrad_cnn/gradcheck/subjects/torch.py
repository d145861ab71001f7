"""A PyTorch function, autograd Function or Module as it is, with its parameters.

PyTorch is not imported by this file: whoever gives Tensors of it has done so.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import DtypeError, GraphError, OptionError
from ..numeric import EPS
from .base import (
    Array,
    Pull,
    Subject,
    argument_names,
    at_leaves,
    float32_alone,
    label,
    leaves,
    note_casts,
)

Run = Callable[[Sequence[Any], Any], Any]  # (tensors, dtype) -> a tensor


def is_torch(f: Any, inputs: Any) -> bool:
    """Whether a function is given Tensors of PyTorch, or is a Module of it."""
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "Tensor"):
        return False
    return isinstance(f, torch.nn.Module) or any(
        isinstance(x, torch.Tensor) for x in leaves(inputs)
    )


@dataclass
class Variable:
    """A tensor that is differentiated: its dtype and device as the caller has them."""

    dtype: Any
    device: Any
    is_complex: bool = False


class TorchSubject(Subject):
    """A function of PyTorch Tensors, whose gradient autograd computes.

    Args:
        names, arrays: what is differentiated. A complex tensor has a last axis of size 2.
        variables: what each array is a tensor of.
        run: the function of tensors, and of the dtype that it should compute in (None: each
            tensor's own).
        dtype: the dtype to check in; None for each tensor's own.
    """

    def __init__(
        self,
        names: list[str],
        arrays: list[Array],
        variables: list[Variable],
        run: Run,
        dtype: Any = None,
    ) -> None:
        super().__init__(names, arrays)
        self.variables, self.run, self.dtype = variables, run, dtype
        self.torch = sys.modules["torch"]
        self.latest: Any = None  # what was recorded last

    def leaves(self, dtype: Any) -> list[Any]:
        """New tensors of the current arrays, on their devices; they require a gradient."""
        return [
            self.torch.from_numpy(array)
            .to(device=variable.device, dtype=dtype or _real(self.torch, variable.dtype))
            .requires_grad_()
            for array, variable in zip(self.arrays, self.variables, strict=True)
        ]

    def compute(self, leaves: Sequence[Any], dtype: Any) -> Any:
        """The function's value as one tensor."""
        arguments = [
            self.torch.view_as_complex(leaf) if variable.is_complex else leaf
            for leaf, variable in zip(leaves, self.variables, strict=True)
        ]
        return self.run(arguments, dtype)

    def value(self) -> Array:
        return _array(self.compute(self.leaves(self.dtype), self.dtype))

    def record(self) -> tuple[Array, Pull]:
        return self._record(self.dtype)

    def _record(self, dtype: Any) -> tuple[Array, Pull]:
        torch, leaves = self.torch, self.leaves(dtype)
        y = self.latest = self.compute(leaves, dtype)

        def pull(cotangent: Array) -> list[Any]:
            if not y.requires_grad:
                return [None] * len(leaves)
            seed = torch.from_numpy(cotangent.reshape(y.shape)).to(y.device, y.dtype)
            kept = seed.clone()
            found = torch.autograd.grad(y, leaves, seed, retain_graph=True, allow_unused=True)
            if not torch.equal(seed, kept):
                raise GraphError("it writes into the gradient that it is given")
            return [None if g is None else _array(g.to_dense()) for g in found]

        return _array(y), pull

    def conditions(self) -> list[Array]:
        found, known = [], set()
        waiting = [getattr(self.latest, "grad_fn", None)]
        while waiting:
            function = waiting.pop()
            if function is None or function in known:
                continue
            known.add(function)
            if function.name() == "WhereBackward0":
                found.append(np.array(function._saved_condition.cpu().numpy()))
            waiting += [following for following, _ in function.next_functions]
        return found

    def gradient_in_float32(self, cotangent: Array) -> list[Any] | None:
        before = self.torch.get_default_dtype()
        try:
            self.torch.set_default_dtype(self.torch.float32)
            return self._record(self.torch.float32)[1](cotangent)
        except RuntimeError:  # a float64 tensor inside
            return None
        finally:
            self.torch.set_default_dtype(before)

    def gradient(self, cotangent: Array, name: str) -> TorchSubject:
        torch, count = self.torch, len(self.arrays)

        def run(tensors: Sequence[Any], dtype: Any) -> Any:
            leaves = [
                torch.view_as_real(t) if variable.is_complex else t
                for t, variable in zip(tensors[:count], self.variables, strict=True)
            ]
            y = self.compute(leaves, dtype)
            found: Sequence[Any] = [None] * count
            if y.requires_grad:
                found = torch.autograd.grad(
                    y,
                    leaves,
                    tensors[-1].reshape(y.shape).to(y.dtype),
                    create_graph=True,
                    allow_unused=True,
                )
            parts = [
                (torch.zeros_like(x) if g is None else g.to_dense()).reshape(-1)
                for g, x in zip(found, leaves, strict=True)
            ]
            return torch.cat([part.to(parts[0]) for part in parts])

        array = np.array(cotangent, np.float64, order="C")
        first = self.variables[0]
        variable = Variable(_real(torch, first.dtype), first.device)
        made = TorchSubject(
            [*self.names, name],
            [*self.arrays, array],
            [*self.variables, variable],
            run,
            self.dtype,
        )
        made.eps = self.eps
        return made


def torch_subject(f: Callable[..., Any], inputs: Sequence[Any]) -> TorchSubject:
    """The subject for a function of Tensors, checked in float64 if it runs in that."""
    torch = sys.modules["torch"]
    module = f if isinstance(f, torch.nn.Module) else None
    whole = [torch.as_tensor(x) if isinstance(x, np.ndarray) else x for x in inputs]
    asked = any(isinstance(x, torch.Tensor) and x.requires_grad for x in leaves(whole))
    labels = argument_names(f, len(whole))
    names: list[str] = []
    sources: list[Any] = []
    chosen: dict[tuple[Any, ...], int] = {}

    def choose(x: Any, place: tuple[Any, ...]) -> None:
        if isinstance(x, torch.Tensor) and _moves(x) and (x.requires_grad or not asked):
            if x.layout != torch.strided:
                raise OptionError(
                    f"gradcheck: '{label(labels, place)}' is {x.layout}: give a dense tensor, and "
                    "make it sparse inside the function"
                )
            chosen[place] = len(names)
            names.append(label(labels, place))
            sources.append(x)

    at_leaves(whole, choose)
    given = len(names)
    parameters, fixed, buffers = _state(module)
    names += parameters
    sources += parameters.values()

    def run(tensors: Sequence[Any], dtype: Any) -> Any:
        def argument(x: Any, place: tuple[Any, ...]) -> Any:
            if place in chosen:
                return tensors[chosen[place]]
            return _in(x.detach(), dtype) if isinstance(x, torch.Tensor) else x

        arguments = at_leaves(whole, argument)
        if module is None:
            return _one_tensor(f(*arguments))
        # running statistics are written into copies
        state = {name: _in(b, dtype).clone() for name, b in buffers.items()}
        state |= {name: _in(p.detach(), dtype) for name, p in fixed.items()}
        state |= dict(zip(parameters, tensors[given:], strict=True))
        return _one_tensor(torch.func.functional_call(module, state, tuple(arguments)))

    def array(x: Any) -> Array:
        return np.array(_array(x), np.float64, order="C")

    variables = [Variable(x.dtype, x.device, x.is_complex()) for x in sources]
    subject = TorchSubject(names, [array(x) for x in sources], variables, run, torch.float64)
    _choose_dtype(subject)
    complex_names = [n for n, v in zip(names, variables, strict=True) if v.is_complex]
    if complex_names:
        subject.notes.append(
            f"complex: {', '.join(complex_names)}; a last axis of 2 is real and imaginary part"
        )
    return subject


def _state(module: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """A Module's parameters that are differentiated, those that are not, and its buffers."""
    if module is None:
        return {}, {}, {}
    parameters = {n: p for n, p in module.named_parameters() if p.requires_grad and _moves(p)}
    fixed = {n: p for n, p in module.named_parameters() if n not in parameters}
    return parameters, fixed, dict(module.named_buffers())


def _choose_dtype(subject: TorchSubject) -> None:
    """Check in float64; in the tensors' own dtype if the function refuses float64."""
    torch, before = subject.torch, subject.torch.get_default_dtype()
    own = [_real(torch, variable.dtype) for variable in subject.variables]
    random, cuda = torch.get_rng_state(), torch.cuda.is_available()
    on_gpu = torch.cuda.get_rng_state_all() if cuda else []
    torch.set_default_dtype(torch.float64)
    subject.restores.append(lambda: torch.set_default_dtype(before))
    try:
        y = subject.compute(subject.leaves(torch.float64), torch.float64)
        subject.eps = max(EPS, torch.finfo(y.dtype).eps)
        if subject.eps > EPS:
            subject.notes.append(
                f"the function returned {y.dtype} for float64: it is judged by the error bar that "
                "this allows"
            )
    except Exception as error:
        torch.set_default_dtype(before)
        try:
            if any(dtype != torch.float64 for dtype in own):
                subject.compute(subject.leaves(None), None)
                subject.dtype = None
        except Exception:  # it fails in either: the check says how
            pass
        finally:
            torch.set_default_dtype(before if subject.dtype is None else torch.float64)
        if subject.dtype is None:
            narrow = max(own, key=lambda dtype: torch.finfo(dtype).eps)
            subject.eps = torch.finfo(narrow).eps
            float32_alone(subject, str(narrow).removeprefix("torch."), error)
            return
    finally:
        torch.set_rng_state(random)
        if cuda:
            torch.cuda.set_rng_state_all(on_gpu)
    note_casts(subject, [np.float64 if d == torch.float64 else d for d in own])


def _moves(x: Any) -> bool:
    return bool(x.is_floating_point() or x.is_complex())


def _real(torch: Any, dtype: Any) -> Any:
    return dtype.to_real() if dtype.is_complex else dtype


def _in(x: Any, dtype: Any) -> Any:
    """A tensor in another precision; integers, and all if the dtype is None, as they are."""
    if dtype is None or not _moves(x):
        return x
    return x.to(dtype.to_complex() if x.is_complex() else dtype)


def _array(x: Any) -> Array:
    """A tensor's values as a new float64 array."""
    x = x.detach()
    if x.is_complex():
        x = sys.modules["torch"].view_as_real(x.resolve_conj())
    return np.array(x.cpu().double().numpy(), np.float64, copy=True)


def _one_tensor(y: Any) -> Any:
    """The result as one real tensor: several are flattened and joined; whole numbers are left out.

    Of several, those that take no gradient (detached, or marked as not differentiable) are left
    out, too, if others do.
    """
    torch = sys.modules["torch"]
    parts = leaves(y)
    for part in parts:
        if part is not None and not isinstance(part, torch.Tensor):
            raise DtypeError(
                f"f must return a torch.Tensor (or a tuple of them), got {type(part).__name__}"
            )
    parts = [p for p in parts if p is not None and _moves(p)]
    if not parts:
        raise DtypeError("f returned no floating torch.Tensor")
    if any(p.requires_grad for p in parts):
        parts = [p for p in parts if p.requires_grad]
    parts = [torch.view_as_real(p) if p.is_complex() else p for p in parts]
    if len(parts) == 1:
        return parts[0]
    wide = max((p.dtype for p in parts), key=lambda dtype: -torch.finfo(dtype).eps)
    return torch.cat([p.reshape(-1).to(parts[0].device, wide) for p in parts])
