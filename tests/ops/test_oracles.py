"""Ops against other engines, with random cotangents; each test is skipped without its engine.

`oracles_torch` and `oracles_numpy` have a table for each engine; PyTorch's must hold every op.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import tinygrad_cnn as tg

from . import strategies as s
from .oracles_numpy import AUTOGRAD, AUTOGRAD_WITHOUT, MYGRAD, MYGRAD_WITHOUT
from .oracles_torch import TORCH

few = settings(
    max_examples=settings.default.max_examples * 3 // 4,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
Answer = tuple[list[Any], list[Any]]


def agree(case: s.Case, ours: Callable[..., Any], theirs: Callable[..., Answer]) -> None:
    """Compare outputs and gradients; `theirs(cotangents, inputs)` gives lists of both.

    `cotangents` are drawn once the shapes of the outputs are known; only floating inputs have
    gradients, and a zero one may be None.
    """
    inputs = [
        x if x is None else tg.Tensor(x, requires_grad=x.dtype.kind == "f") for x in case.inputs
    ]
    result = ours(*inputs)
    outputs = result if isinstance(result, tuple) else (result,)
    rng = np.random.default_rng(case.seed)
    cotangents = [np.asarray(rng.normal(size=y.shape)) for y in outputs]
    values, gradients = theirs(cotangents, case.inputs)
    for y, value in zip(outputs, values, strict=True):
        np.testing.assert_allclose(y.numpy(), value, rtol=1e-9, atol=1e-9)
    for y, g in zip(outputs, cotangents, strict=True):
        y.backward(g)
    leaves = [x for x in inputs if x is not None and x.requires_grad]
    for leaf, expected in zip(leaves, gradients, strict=True):
        found = np.zeros(leaf.shape) if leaf.grad is None else leaf.grad.numpy()
        expected = np.zeros(leaf.shape) if expected is None else expected
        np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8)


def called(name: str, options: dict[str, Any]) -> Callable[..., Any]:
    op = tg.OPS[name]
    return lambda *xs: op(list(xs), **options) if op.variadic else op(*xs, **options)


def is_differentiated(x: Any) -> bool:
    return x is not None and x.dtype.kind == "f"


# --- PyTorch -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


def in_torch(torch: Any, f: Callable[..., Any]) -> Callable[..., Answer]:
    def theirs(cotangents: Any, inputs: Any) -> Answer:
        tensors = [
            None if x is None else torch.tensor(np.array(x), requires_grad=is_differentiated(x))
            for x in inputs
        ]
        result = f(*tensors)
        outputs = result if isinstance(result, tuple | list) else (result,)
        leaves = [x for x in tensors if x is not None and x.requires_grad]
        seeds = [torch.tensor(g) for g in cotangents]
        torch.autograd.backward(outputs, seeds)
        gradients = [None if x.grad is None else x.grad.numpy() for x in leaves]
        return [y.detach().numpy() for y in outputs], gradients

    return theirs


def test_every_op_has_its_oracle_in_torch():
    s.has_every_op(TORCH, "TORCH in tests/ops/oracles_torch.py")


@pytest.mark.parametrize("name", sorted(TORCH))
@few
@given(data=st.data())
def test_torch(torch, name, data):
    case = data.draw(s.CASES[name])

    def theirs(*xs: Any) -> Any:
        return TORCH[name](torch, *xs, **case.options)

    agree(case, called(name, case.options), in_torch(torch, theirs))


@few
@given(data=st.data())
def test_torch_same_padding(torch, data):
    """At stride 1, where PyTorch has it: the odd row goes to the bottom and the right."""
    case = data.draw(s.convolutions(2))
    options = {"dilation": case.options["dilation"], "groups": case.options["groups"]}
    agree(
        case,
        lambda *xs: tg.conv2d(*xs, padding="same", **options),
        in_torch(torch, lambda *xs: torch.conv2d(*xs, padding="same", **options)),
    )


def test_torch_ties_in_max_pooling(torch):
    x = np.random.default_rng(0).integers(0, 2, (2, 3, 6, 6)).astype(np.float64)
    agree(
        s.Case((x,), {}, 0),
        lambda x: tg.max_pool2d(x, 3, 2, 1),
        in_torch(torch, lambda x: torch.nn.functional.max_pool2d(x, 3, 2, 1)),
    )


@pytest.mark.parametrize("training", [True, False])
@few
@given(data=st.data())
def test_torch_batch_norm(torch, training, data):
    """Output, all gradients, and the running statistics afterwards."""
    case = data.draw(s.batch_norms(training=True))
    assume(all(x is not None for x in case.inputs))
    c = case.inputs[0].shape[1]
    rng = np.random.default_rng(case.seed)
    mean, var = rng.normal(size=c), rng.uniform(0.5, 2, c)
    ours = tg.Tensor(mean), tg.Tensor(var)
    theirs = torch.tensor(mean), torch.tensor(var)
    options = {"training": training, "momentum": 0.3, "eps": case.options["eps"]}
    agree(
        case,
        lambda x, w, b: tg.batch_norm(x, *ours, w, b, **options),
        in_torch(
            torch, lambda x, w, b: torch.nn.functional.batch_norm(x, *theirs, w, b, **options)
        ),
    )
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy())


# --- autograd and mygrad -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("engine", "table", "without"),
    [("autograd.numpy", AUTOGRAD, AUTOGRAD_WITHOUT), ("mygrad", MYGRAD, MYGRAD_WITHOUT)],
)
def test_no_shared_function_is_forgotten(engine, table, without):
    """What has one of our names there is in the table, or listed with a reason."""
    module = pytest.importorskip(engine)
    shared = {name for name in tg.OPS if hasattr(module, name)}
    assert shared <= {*table, *without}
    assert not set(table) & set(without)


@pytest.mark.parametrize("name", sorted(AUTOGRAD))
@few
@given(data=st.data())
def test_autograd(name, data):
    autograd = pytest.importorskip("autograd")
    numpy = pytest.importorskip("autograd.numpy")
    case = data.draw(s.CASES[name])

    def outputs(*xs: Any) -> list[Any]:
        result = AUTOGRAD[name](numpy, *xs, **case.options)
        return [result[i] for i in range(len(result))] if name == "split" else [result]

    def theirs(cotangents: Any, inputs: Any) -> Answer:
        def total(*xs: Any) -> Any:
            pairs = zip(outputs(*xs), cotangents, strict=True)
            return sum(numpy.sum(y * g) for y, g in pairs)

        wanted = [i for i, x in enumerate(inputs) if is_differentiated(x)]
        return outputs(*inputs), list(autograd.grad(total, wanted)(*inputs))

    agree(case, called(name, case.options), theirs)


@pytest.mark.parametrize("name", sorted(MYGRAD))
@few
@given(data=st.data())
def test_mygrad(name, data):
    mygrad = pytest.importorskip("mygrad")
    case = data.draw(s.CASES[name])

    def theirs(cotangents: Any, inputs: Any) -> Answer:
        tensors = [mygrad.tensor(np.array(x)) if is_differentiated(x) else x for x in inputs]
        result = MYGRAD[name](mygrad, *tensors, **case.options)
        outputs = result if isinstance(result, tuple) else (result,)
        values = [y.data for y in outputs]
        sum(mygrad.sum(y * g) for y, g in zip(outputs, cotangents, strict=True)).backward()
        gradients = [x.grad for x in tensors if isinstance(x, mygrad.Tensor)]
        return values, gradients

    agree(case, called(name, case.options), theirs)
