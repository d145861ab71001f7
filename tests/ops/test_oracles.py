"""Ops against other engines, with random cotangents; each test is skipped without its engine.

PyTorch knows all of these; autograd and mygrad are compared where their functions are the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import tinygrad_cnn as tg

from . import strategies as s

few = settings(max_examples=15)


def agree(
    case: s.Case, ours: Callable[..., Any], theirs: Callable[..., tuple[Any, list[Any]]]
) -> None:
    """Compare outputs and gradients; `theirs(cotangent_of_shape, *arrays)` returns both."""
    arrays = [x for x in case.inputs if x is not None]
    leaves = [tg.Tensor(x, requires_grad=True) for x in arrays]
    y = ours(*leaves)
    g = np.random.default_rng(case.seed).normal(size=y.shape)
    y.backward(g)
    value, gradients = theirs(g, *arrays)
    np.testing.assert_allclose(y.numpy(), value, rtol=1e-9, atol=1e-9)
    for leaf, expected in zip(leaves, gradients, strict=True):
        found = np.zeros(leaf.shape) if leaf.grad is None else leaf.grad.numpy()
        np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8)


# --- PyTorch -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


def in_torch(torch: Any, f: Callable[..., Any]) -> Callable[..., tuple[Any, list[Any]]]:
    def theirs(g: Any, *arrays: Any) -> tuple[Any, list[Any]]:
        leaves = [torch.tensor(np.array(a), requires_grad=True) for a in arrays]
        y = f(*leaves)
        y.backward(torch.tensor(g))
        gradients = [np.zeros(x.shape) if x.grad is None else x.grad.numpy() for x in leaves]
        return y.detach().numpy(), gradients

    return theirs


@pytest.mark.parametrize("d", [1, 2, 3])
@few
@given(data=st.data())
def test_torch_convolution(torch, d, data):
    case = data.draw(s.convolutions(d))
    options = case.options
    pairs = tg.ops.windows.padding_pairs(
        options["padding"], d, case.inputs[1].shape[2:], options["dilation"], "conv"
    )
    flat = [p for pair in reversed(pairs) for p in pair]
    theirs = getattr(torch.nn.functional, f"conv{d}d")

    def convolve(x: Any, w: Any, b: Any = None) -> Any:
        padded = torch.nn.functional.pad(x, flat)
        return theirs(padded, w, b, options["stride"], 0, options["dilation"], options["groups"])

    ours = tg.OPS[f"conv{d}d"]
    agree(case, lambda *xs: ours(*xs, **options), in_torch(torch, convolve))


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


@pytest.mark.parametrize("d", [1, 2, 3])
@few
@given(data=st.data())
def test_torch_max_pooling(torch, d, data):
    case = data.draw(s.max_pools(d))
    options = case.options
    assume(all(before == after for before, after in options["padding"]))
    theirs = {**options, "padding": [before for before, _ in options["padding"]]}
    agree(
        case,
        lambda x: tg.OPS[f"max_pool{d}d"](x, **options),
        in_torch(torch, lambda x: getattr(torch.nn.functional, f"max_pool{d}d")(x, **theirs)),
    )


@pytest.mark.parametrize("d", [1, 2, 3])
@few
@given(data=st.data())
def test_torch_average_pooling(torch, d, data):
    case = data.draw(s.average_pools(d))
    options = case.options
    pairs = options["padding"] or ((0, 0),) * d
    assume(all(before == after for before, after in pairs))
    sizes = zip(case.inputs[0].shape[2:], options["kernel_size"], strict=True)
    assume(all(n >= k for n, k in sizes))  # avg_pool3d of PyTorch insists, padded or not
    theirs = {**options, "padding": [before for before, _ in pairs]}
    agree(
        case,
        lambda x: tg.OPS[f"avg_pool{d}d"](x, **options),
        in_torch(torch, lambda x: getattr(torch.nn.functional, f"avg_pool{d}d")(x, **theirs)),
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


@few
@given(data=st.data())
def test_torch_losses(torch, data):
    case = data.draw(s.cross_entropies(smoothing=True))
    logits, target = case.inputs
    labels = torch.tensor(target.astype(np.int64))
    theirs = dict(case.options)
    if theirs.get("weight") is not None:
        theirs["weight"] = torch.tensor(theirs["weight"], dtype=torch.float64)
    agree(
        s.Case((logits,), {}, case.seed),
        lambda x: tg.cross_entropy(x, target, **case.options),
        in_torch(torch, lambda x: torch.nn.functional.cross_entropy(x, labels, **theirs)),
    )
    agree(
        s.Case((logits,), {}, case.seed),
        lambda x: tg.log_softmax(x, 1),
        in_torch(torch, lambda x: torch.log_softmax(x, 1)),
    )


# Functions of one name and one meaning, options included.
SAME = [
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d",
    "adaptive_max_pool2d", "adaptive_max_pool3d", "elu", "gelu", "group_norm", "layer_norm",
    "leaky_relu", "linear", "relu", "sigmoid", "silu", "softplus", "tanh",
]  # fmt: skip


@pytest.mark.parametrize("name", SAME)
@few
@given(data=st.data())
def test_torch_same_functions(torch, name, data):
    case = data.draw(s.CASES[name])
    present = [x is not None for x in case.inputs]
    assume(present == sorted(present, reverse=True))  # a bias only beside a weight
    assume(case.options.get("output_size") != (None,))  # which PyTorch's 1-D pools do not take
    assume(case.inputs[0].size > case.options.get("num_groups", 0))  # nor groups of one value
    function = getattr(torch.nn.functional, name)

    def theirs(x: Any, *learned: Any) -> Any:
        named = dict(zip(("weight", "bias"), learned, strict=False))
        return function(x, **named, **case.options)

    agree(case, lambda *xs: tg.OPS[name](*xs, **case.options), in_torch(torch, theirs))


def test_torch_transposed_convolution(torch):
    rng = np.random.default_rng(0)
    arrays = tuple(rng.normal(size=n) for n in [(2, 4, 3, 5), (4, 3, 2, 3), (6,)])
    options = {"stride": (2, 3), "padding": (1, 0), "output_padding": (1, 2), "groups": 2}
    agree(
        s.Case(arrays, {}, 0),
        lambda *xs: tg.conv_transpose2d(*xs, **options),
        in_torch(torch, lambda *xs: torch.nn.functional.conv_transpose2d(*xs, **options)),
    )


@pytest.mark.parametrize("name", ["amax", "sum", "mean"])
@few
@given(data=st.data())
def test_torch_reductions(torch, name, data):
    case = data.draw(s.reductions(s.distinct))
    options = case.options
    assume(options["axis"] != ())  # which means all axes to PyTorch, and none to NumPy
    theirs = {"dim": options["axis"], "keepdim": options["keepdims"]}
    if theirs["dim"] is None:
        theirs["dim"] = tuple(range(case.inputs[0].ndim))
        assume(theirs["dim"])
    agree(
        case,
        lambda x: tg.OPS[name.removeprefix("a")](x, **options),
        in_torch(torch, lambda x: getattr(torch, name)(x, **theirs)),
    )


# --- autograd and mygrad, on the functions that share NumPy's names ------------------------------

NUMPY_NAMES = [
    "absolute", "add", "cos", "divide", "exp", "log", "matmul", "max", "mean", "multiply",
    "negative", "power", "sin", "sqrt", "subtract", "sum", "tanh",
]  # fmt: skip
numpy_names = pytest.mark.parametrize("name", NUMPY_NAMES)


@numpy_names
@few
@given(data=st.data())
def test_autograd(name, data):
    autograd = pytest.importorskip("autograd")
    function = getattr(pytest.importorskip("autograd.numpy"), name)
    case = data.draw(s.CASES[name])

    def theirs(g: Any, *arrays: Any) -> tuple[Any, list[Any]]:
        value = function(*arrays, **case.options)
        gradients = [
            autograd.make_vjp(lambda *xs: function(*xs, **case.options), i)(*arrays)[0](g)
            for i in range(len(arrays))
        ]
        return value, gradients

    agree(case, lambda *xs: tg.OPS[name](*xs, **case.options), theirs)


@numpy_names
@few
@given(data=st.data())
def test_mygrad(name, data):
    mygrad = pytest.importorskip("mygrad")
    case = data.draw(s.CASES[name])

    def theirs(g: Any, *arrays: Any) -> tuple[Any, list[Any]]:
        leaves = [mygrad.tensor(np.array(a)) for a in arrays]
        y = getattr(mygrad, name)(*leaves, **case.options)
        y.backward(g)
        return y.data, [x.grad for x in leaves]

    agree(case, lambda *xs: tg.OPS[name](*xs, **case.options), theirs)
