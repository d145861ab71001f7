"""Attention: masks, fully masked rows, dropout, and what it refuses."""

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn.errors import DtypeError, OptionError, ShapeError

NAME = "scaled_dot_product_attention"
attention = tg.scaled_dot_product_attention


def qkv(*shape, dtype=np.float64):
    rng = np.random.default_rng(0)
    return [tg.Tensor(rng.normal(size=shape), dtype, requires_grad=True) for _ in range(3)]


def test_causal_is_a_mask_of_what_came_before():
    q, k, v = qkv(2, 3, 4)
    seen = np.tri(3, dtype=bool)
    expected = attention(q, k, v, seen).numpy()
    np.testing.assert_allclose(attention(q, k, v, is_causal=True).numpy(), expected)
    added = np.where(seen, 0.0, -np.inf)
    np.testing.assert_allclose(attention(q, k, v, added).numpy(), expected)
    np.testing.assert_array_equal(expected[:, 0], v.numpy()[:, 0])


@pytest.mark.parametrize("of", [bool, float])
def test_a_query_that_sees_nothing_gets_zeros_and_sends_none_back(of):
    torch = pytest.importorskip("torch")
    inputs = qkv(2, 3, 4)
    mask = np.array([[True, False, True], [False] * 3, [True] * 3])
    mask = mask if of is bool else np.where(mask, 0.5, -np.inf)
    theirs = [torch.tensor(x.numpy(), requires_grad=True) for x in inputs]
    with np.errstate(all="raise"):
        y = attention(*inputs, mask)
        (y * y).sum().backward()
    z = torch.nn.functional.scaled_dot_product_attention(*theirs, torch.tensor(mask))
    (z * z).sum().backward()
    assert not y.numpy()[:, 1].any()
    np.testing.assert_allclose(y.numpy(), z.detach().numpy(), atol=1e-12)
    for a, b in zip(inputs, theirs, strict=True):
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), atol=1e-12)
    assert not inputs[0].grad.numpy()[:, 1].any()


def test_large_scores_do_not_overflow():
    q, k, v = (tg.Tensor(1e3 * x.numpy(), np.float32) for x in qkv(3, 4))
    with np.errstate(over="raise", invalid="raise"):
        assert np.isfinite(attention(q, k, v).numpy()).all()


def test_dropout_keeps_the_mean_and_is_drawn_outside():
    tg.manual_seed(0)
    q, k, v = qkv(4, 200, 2)
    ones = tg.Tensor(np.ones(v.shape))
    y = attention(q * 0.1, k, ones, dropout_p=0.5)
    assert y.numpy().mean() == pytest.approx(1, abs=0.02)
    assert y.numpy().std() > 0.01
    assert y.node.inputs[5].value.mean() == pytest.approx(0.5, abs=0.02)
    assert not attention(q, k, v, dropout_p=1.0).numpy().any()


X = np.ones((2, 3, 4))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            (X, X[..., :3], X),
            ShapeError,
            r"query \(2, 3, 4\) and key \(2, 3, 3\) must have vectors",
        ),
        ((X, X, X[:, :2]), ShapeError, r"each of the 3 keys \(2, 3, 4\), got \(2, 2, 4\)"),
        ((X[0, 0], X, X), ShapeError, r"query must be \(…, L, E\) .*, got \(4,\)"),
        ((np.ones((3, 3, 4)), X, X), ShapeError, r"leading axes \(3,\) of .* do not broadcast"),
        ((X, X, X, np.ones((5, 3), bool)), ShapeError, r"attn_mask \(5, 3\) .* \(2, 3, 3\)"),
        ((X, X, X, np.ones((3, 3), int)), DtypeError, "a mask must be of booleans .* got int64"),
        ((X, X, X, np.ones((3, 3), "f4")), DtypeError, "one floating dtype, got float32, float64"),
        ((X, X, X, np.ones((3, 3), bool), 0.0, True), OptionError, "not both"),
        ((X, X, X, None, 2.0), OptionError, "p must be a number in 0 … 1, got 2.0"),
    ],
)
def test_what_does_not_fit_is_named(arguments, error, message):
    with pytest.raises(error, match=f"^{NAME}: .*{message}"):
        attention(*arguments)
