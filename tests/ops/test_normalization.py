"""Batch norm as a function: statistics, running averages, refusals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_cnn as tg
from tinygrad_cnn.errors import DtypeError, OptionError, ShapeError


def normal(*shape):
    return np.random.default_rng(0).normal(size=shape)


@pytest.mark.parametrize("shape", [(8, 3), (4, 3, 5), (4, 3, 2, 5), (2, 3, 2, 2, 2)])
def test_in_training_each_channel_gets_mean_0_and_variance_1(shape):
    x = 5 + 3 * normal(*shape)
    y = tg.batch_norm(tg.Tensor(x), training=True, eps=0.0).numpy()
    axes = (0, *range(2, len(shape)))
    np.testing.assert_allclose(y.mean(axes), 0, atol=1e-12)
    np.testing.assert_allclose(y.var(axes), 1)


@given(m=st.floats(0, 1), n=st.integers(2, 5), seed=st.integers(0, 1000))
def test_running_statistics(m, n, seed):
    """They move towards the batch's by `momentum`, or stay by `decay`; the variance unbiased."""
    x = np.random.default_rng(seed).normal(2, 3, (n, 2, 3))
    options = [{"momentum": m}, {"decay": 1 - m}]
    for option in options:
        mean, var = np.array([1.0, -1.0]), np.array([2.0, 3.0])
        tg.batch_norm(tg.Tensor(x), mean, var, training=True, **option)
        np.testing.assert_allclose(mean, (1 - m) * np.array([1, -1]) + m * x.mean((0, 2)))
        np.testing.assert_allclose(var, (1 - m) * np.array([2, 3]) + m * x.var((0, 2), ddof=1))


def test_evaluation_uses_the_running_statistics_and_leaves_them():
    x = normal(4, 2, 3)
    mean, var = tg.Tensor([1.0, 2.0], np.float64), tg.Tensor([4.0, 9.0], np.float64)
    y = tg.batch_norm(tg.Tensor(x), mean, var, eps=0.0).numpy()
    np.testing.assert_allclose(y, (x - [[1], [2]]) / [[2], [3]])
    assert (mean.numpy().tolist(), var.numpy().tolist()) == ([1, 2], [4, 9])


def test_a_training_pass_is_recorded_without_the_running_statistics():
    """So that updating them does not make the recorded graph stale."""
    x = tg.Tensor(normal(4, 2), requires_grad=True)
    mean, var = tg.Tensor([0.0, 0.0], np.float64), tg.Tensor([1.0, 1.0], np.float64)
    first = tg.batch_norm(x, mean, var, training=True)
    second = tg.batch_norm(x, mean, var, training=True)
    ((first + second) ** 2).sum().backward()
    assert x.grad is not None


@pytest.mark.parametrize(
    ("shape", "arguments", "error", "message"),
    [
        ((4,), {"training": True}, ShapeError, r"must be \(N, C\) or \(N, C, …\), got \(4,\)"),
        ((1, 3), {"training": True}, ShapeError, r"more than one value per channel, .*\(1, 3\)"),
        ((4, 3), {}, OptionError, "evaluation needs running_mean and running_var"),
        ((4, 3), {"training": True, "momentum": 2}, OptionError, "momentum must .* in 0 … 1"),
        ((4, 3), {"training": True, "eps": -1}, OptionError, "eps must be a number ≥ 0, got -1"),
        (
            (4, 3), {"training": True, "weight": np.ones(4)}, ShapeError,
            r"weight must have shape \(3,\), .*got \(4,\)",
        ),
        (
            (4, 3), {"training": True, "bias": np.ones(3, np.float32)}, DtypeError,
            "input is float64, bias float32",
        ),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(shape, arguments, error, message):
    with pytest.raises(error, match="batch_norm: .*" + message):
        tg.batch_norm(tg.Tensor(np.ones(shape)), **arguments)


def test_integers_are_refused():
    with pytest.raises(DtypeError, match="batch_norm: a floating input is needed, got int64"):
        tg.batch_norm(np.ones((4, 3), np.int64), training=True)


@pytest.mark.parametrize("p", [-0.1, 1.1, 2, np.nan])
def test_dropout_needs_a_probability(p):
    with pytest.raises(OptionError, match=f"dropout: p must be a number in 0 … 1, got {p}"):
        tg.dropout(tg.Tensor([1.0]), p)


def test_dropout_of_all_leaves_zeros():
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    y = tg.dropout(x, 1)
    y.sum().backward()
    assert y.numpy().tolist() == x.grad.numpy().tolist() == [0, 0]
    assert float(tg.zoom(y, 1).output) == 0


def test_dropout_keeps_the_mean_and_sends_gradients_only_through_what_it_kept():
    tg.manual_seed(0)
    x = tg.Tensor(np.ones(20_000), requires_grad=True)
    y = tg.dropout(x, 0.25)
    assert y.numpy().mean() == pytest.approx(1, abs=0.02)
    y.backward(y.numpy())
    np.testing.assert_allclose(x.grad.numpy(), np.where(y.numpy() > 0, (1 / 0.75) ** 2, 0))
    assert tg.dropout(x, 0.25, training=False) is x


def test_layer_norm_and_group_norm_take_pytorch_s_arguments():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x, w, b = rng.normal(size=(3, 4)), rng.normal(size=4), rng.normal(size=4)
    theirs = list(map(torch.tensor, (x, w, b)))
    for ours, name, option in [
        (tg.layer_norm, "layer_norm", (4,)),
        (tg.group_norm, "group_norm", 2),
    ]:
        expected = getattr(torch.nn.functional, name)(theirs[0], option, *theirs[1:], 0.1)
        np.testing.assert_allclose(ours(x, option, w, b, 0.1), expected.numpy())


@given(m=st.floats(0, 1), seed=st.integers(0, 1000))
def test_instance_norm_s_running_statistics_are_pytorch_s(m, seed):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(seed).normal(2, 3, (4, 2, 3, 2))
    ours = [tg.Tensor([1.0, -1.0], np.float64), np.array([2.0, 3.0])]
    theirs = [torch.tensor(np.array(tg.constant(r))) for r in ours]
    for from_input in (True, False):
        y = tg.instance_norm(x, *ours, None, None, from_input, m)
        z = torch.nn.functional.instance_norm(torch.tensor(x), *theirs, None, None, from_input, m)
        np.testing.assert_allclose(y, z.numpy())
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(tg.constant(a), b.numpy())


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda x: tg.instance_norm(x[..., :1]), ShapeError,
            r"instance_norm: .* more than one value per channel .* got \(4, 2, 1\)",
        ),
        (
            lambda x: tg.instance_norm(x, use_input_stats=False), OptionError,
            "instance_norm: use_input_stats=False needs running_mean",
        ),
        (
            lambda x: tg.instance_norm(x, np.zeros(3)), ShapeError,
            r"instance_norm: running_mean must have shape \(2,\)",
        ),
        (
            lambda x: tg.rms_norm(x, 4), ShapeError,
            r"rms_norm: input \(4, 2, 3\) must end in normalized_shape \(4,\)",
        ),
        (
            lambda x: tg.local_response_norm(x[0], 3), ShapeError,
            r"local_response_norm: input must be \(N, C, …\) with 3 axes or more, got \(2, 3\)",
        ),
        (lambda x: tg.local_response_norm(x, 0), OptionError, "size must be an int ≥ 1, got 0"),
    ],
)  # fmt: skip
def test_what_does_not_fit_other_norms_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call(tg.Tensor(normal(4, 2, 3)))
