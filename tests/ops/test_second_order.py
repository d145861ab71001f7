"""Second derivatives against PyTorch: gradients are differentiated again, with random cotangents.

PyTorch's own batch_norm and layer_norm cannot be differentiated twice with a bias and no weight, so
they are written with its arithmetic here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tinygrad_cnn as tg

from . import strategies as s
from .oracles_torch import TORCH, _normalised

torch = pytest.importorskip("torch")

FAMILIES = (
    "conv",
    "pool",
    "norm",
    "entropy",
    "loss",
    "softmax",
    "linear",
    "locally",
    "fold",
    "attention",
    "prelu",
    "glu",
    "mish",
    "interpolate",
    "pixel",
)
NAMES = sorted(name for name in TORCH if any(family in name for family in FAMILIES))


def batch_norm_train(t: Any, x: Any, weight: Any, bias: Any, eps: float) -> Any:
    var, mean = t.var_mean(x, [a for a in range(x.ndim) if a != 1], correction=0)
    return _normalised(t, x, mean, var, weight, bias, eps), mean, var


def layer_norm(t: Any, x: Any, weight: Any, bias: Any, normalized_shape: Any, eps: float) -> Any:
    axes = tuple(range(-len(normalized_shape), 0))
    var, mean = t.var_mean(x, axes, correction=0, keepdim=True)
    y = (x - mean) / t.sqrt(var + eps)
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


COMPOSED = {"batch_norm_train": batch_norm_train, "layer_norm": layer_norm}


def second(case: s.Case, f: Callable[..., Any], wrap: Any, constant: Any, grad: Any) -> list[Any]:
    """The gradients of ⟨first gradients, w⟩, by an engine's `wrap`, `constant` and `grad`.

    An output or a gradient that depends on nothing counts as zeros.
    """
    rng = np.random.default_rng(case.seed)
    inputs = [None if x is None else wrap(np.array(x), x.dtype.kind == "f") for x in case.inputs]
    leaves = [x for x in inputs if x is not None and x.requires_grad]

    def paired(values: Any) -> Any:
        drawn = [(y, rng.normal(size=y.shape)) for y in values]
        return sum((y * constant(w)).sum() for y, w in drawn)

    y = f(*inputs)
    first = grad(paired(y if isinstance(y, tuple | list) else (y,)), leaves)
    return grad(paired(first), leaves)


def by_us(total: Any, leaves: Any) -> Any:
    zeros = [tg.Tensor(np.zeros(x.shape)) for x in leaves]
    if not total.requires_grad:
        return zeros
    found = tg.grad(total, leaves, create_graph=True, allow_unused=True)
    return [zero if g is None else g for g, zero in zip(found, zeros, strict=True)]


def by_torch(total: Any, leaves: Any) -> Any:
    if not total.requires_grad:
        return [torch.zeros_like(x) for x in leaves]
    return torch.autograd.grad(
        total, leaves, create_graph=True, allow_unused=True, materialize_grads=True
    )


@pytest.mark.parametrize("name", NAMES)
@settings(
    max_examples=settings.default.max_examples // 4,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(data=st.data())
def test_second_derivatives_are_torchs(name, data):
    case = data.draw(s.CASES[name])
    op, oracle = tg.OPS[name], COMPOSED.get(name, TORCH[name])

    def ours(*xs: Any) -> Any:
        return op(list(xs), **case.options) if op.variadic else op(*xs, **case.options)

    found = second(case, ours, lambda x, r: tg.Tensor(x, requires_grad=r), tg.Tensor, by_us)
    expected = second(
        case,
        lambda *xs: oracle(torch, *xs, **case.options),
        lambda x, r: torch.tensor(x, requires_grad=r),
        torch.tensor,
        by_torch,
    )
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a.numpy(), b.detach().numpy(), rtol=1e-7, atol=1e-8)
