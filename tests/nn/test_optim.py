"""Optimisers: their formulae, PyTorch's steps, saving in the middle, refusals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_cnn as tg
from tinygrad_cnn.errors import DtypeError, OptionError

options = st.fixed_dictionaries(
    {
        "lr": st.floats(0.01, 1),
        "momentum": st.sampled_from([0.0, 0.5, 0.9]),
        "weight_decay": st.sampled_from([0.0, 0.1]),
        "nesterov": st.booleans(),
    }
).filter(lambda o: o["momentum"] or not o["nesterov"])


def run(optimizer_class, make, options, gradients, wrap=lambda g: g):
    """The parameter after a step for each gradient."""
    p = make([1.0, -2.0])
    optimizer = optimizer_class([p], **options)
    for g in gradients:
        p.grad = wrap(g)
        optimizer.step()
    return p


def parameter(values):
    return tg.nn.Parameter(np.array(values))


def draw_gradients(seed, steps=4):
    return np.random.default_rng(seed).normal(size=(steps, 2))


@given(options, st.integers(0, 1000))
def test_sgd_follows_its_formula(options, seed):
    lr, momentum, decay, nesterov = (
        options[name] for name in ("lr", "momentum", "weight_decay", "nesterov")
    )
    gradients = draw_gradients(seed)
    p, v = np.array([1.0, -2.0]), 0.0
    for g in gradients:
        g = g + decay * p
        v = momentum * v + g
        p = p - lr * (g + momentum * v if nesterov else v)
    found = run(tg.optim.SGD, parameter, options, gradients)
    np.testing.assert_allclose(found.numpy(), p)


@given(options, st.integers(0, 1000))
def test_sgd_does_what_pytorch_s_does(options, seed):
    torch = pytest.importorskip("torch")
    gradients = draw_gradients(seed)
    theirs = run(
        torch.optim.SGD,
        lambda values: torch.tensor(values, dtype=torch.float64, requires_grad=True),
        options, gradients, torch.tensor,
    )  # fmt: skip
    found = run(tg.optim.SGD, parameter, options, gradients)
    np.testing.assert_allclose(found.numpy(), theirs.detach().numpy())


@given(options)
def test_a_saved_state_goes_on_as_if_never_stopped(options):
    gradients = draw_gradients(0)
    straight = run(tg.optim.SGD, parameter, options, gradients)
    p = parameter([1.0, -2.0])
    first = tg.optim.SGD([p], **options)
    for g in gradients[:2]:
        p.grad = g
        first.step()
    second = tg.optim.SGD([p], lr=123.0)
    second.load_state_dict(first.state_dict())
    for g in gradients[2:]:
        p.grad = g
        second.step()
    np.testing.assert_array_equal(p.numpy(), straight.numpy())


def test_a_parameter_without_a_gradient_stays():
    p, q = parameter([1.0]), parameter([2.0])
    optimizer = tg.optim.SGD([p, q], lr=0.5, weight_decay=0.1)
    p.grad = [1.0]
    optimizer.step()
    assert (p.item(), q.item()) == (pytest.approx(0.45), 2.0)
    optimizer.zero_grad()
    assert p.grad is None


def test_a_model_learns():
    tg.manual_seed(0)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 2)).astype(np.float32)
    labels = (x[:, 0] * x[:, 1] > 0).astype(int)
    net = tg.nn.Sequential(tg.nn.Linear(2, 16), tg.nn.Tanh(), tg.nn.Linear(16, 2))
    optimizer = tg.optim.SGD(net.parameters(), lr=0.5, momentum=0.9)
    for _ in range(100):
        optimizer.zero_grad()
        loss = tg.cross_entropy(net(tg.Tensor(x)), labels)
        loss.backward(free_graph=True)
        optimizer.step()
    assert loss.item() < 0.1
    assert {p.dtype for p in net.parameters()} == {np.dtype(np.float32)}


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([], 0.1), OptionError, "SGD: there are no parameters"),
        (
            ([tg.Tensor([1.0])], 0.1),
            DtypeError,
            "SGD: parameters must be Tensors with requires_grad",
        ),
        (([parameter([1.0])], -0.1), OptionError, "SGD: lr must be ≥ 0, got -0.1"),
        (([parameter([1.0])], float("nan")), OptionError, "SGD: lr must be ≥ 0, got nan"),
        (([parameter([1.0])], 0.1, 0.0, 0.0, True), OptionError, "nesterov needs momentum > 0"),
    ],
)
def test_what_sgd_refuses(arguments, error, message):
    with pytest.raises(error, match=message):
        tg.optim.SGD(*arguments)
