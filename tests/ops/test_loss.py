"""From logits to losses: stable at any size, and clear about classes that are not there."""

import math

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn.errors import DtypeError, OptionError, ShapeError


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_huge_logits_neither_overflow_nor_lose_their_gradient(dtype):
    x = tg.Tensor(np.array([[1e4, -1e4, 0.0]], dtype), requires_grad=True)
    with np.errstate(all="raise", under="ignore"):
        assert tg.log_softmax(x).numpy().tolist() == [[0, -2e4, -1e4]]
        assert tg.softmax(x).numpy().tolist() == [[1, 0, 0]]
        loss = tg.cross_entropy(x, [1])
        loss.backward()
    assert loss.item() == 2e4
    assert x.grad.numpy().tolist() == [[1, -1, 0]]


def test_the_definition_is_as_stable():
    x = tg.Tensor(np.array([[1e4, -1e4]]), requires_grad=True)
    assert float(tg.zoom(tg.cross_entropy(x, [1])).output) == 2e4


def test_a_class_that_is_impossible_costs_nothing_if_it_is_not_asked_for():
    x = tg.Tensor(np.array([[0.0, -np.inf]]), requires_grad=True)
    tg.cross_entropy(x, [0]).backward()
    assert x.grad.numpy().tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize("options", [{"ignore_index": 1}, {"weight": [1.0, 0.0]}])
@pytest.mark.parametrize("loss", [tg.cross_entropy, tg.nll_loss])
def test_where_nothing_counts_the_mean_is_nan_and_its_gradient_0(loss, options):
    x = tg.Tensor([[0.5, -0.5]], requires_grad=True)
    with np.errstate(invalid="ignore"):
        y = loss(x, [1], **options)
    y.backward()
    assert np.isnan(y.item())
    assert x.grad.numpy().tolist() == [[0, 0]]


@pytest.mark.parametrize("loss", [tg.mse_loss, tg.binary_cross_entropy_with_logits])
def test_a_plain_number_has_a_loss_too(loss):
    target = tg.Tensor(0.25, requires_grad=True)
    assert tg.gradcheck(lambda t: loss(1.5, t), target)
    loss(1.5, target).backward()
    assert target.grad.shape == ()


def test_ignorance_costs_log_c():
    loss = tg.cross_entropy(tg.Tensor(np.zeros((3, 10))), [0, 4, 9])
    assert loss.item() == pytest.approx(math.log(10))


def test_reductions_and_positions():
    rng = np.random.default_rng(0)
    logits, target = rng.normal(size=(2, 3, 4)), rng.integers(0, 3, (2, 4))
    each = tg.cross_entropy(logits, target, reduction="none")
    assert each.shape == (2, 4)
    assert tg.cross_entropy(logits, target, reduction="sum") == pytest.approx(each.sum())
    assert tg.cross_entropy(logits, target) == pytest.approx(each.mean())


@pytest.mark.parametrize(
    ("target", "error", "message"),
    [
        ([0, 3], OptionError, r"class 3 in target, but the logits have 3 classes \(0 … 2\)"),
        ([0, -1], OptionError, r"class -1 in target"),
        ([0], ShapeError, r"logits \(2, 3\) need a target of shape \(2,\), got \(1,\)"),
        ([[1, 0, 0], [0, 1, 0]], ShapeError, r"shape \(2,\), got .*; probabilities .*floating"),
        ([0.0, 1.0], DtypeError, r"integers are needed, got float64; or .* of shape \(2, 3\)"),
        ([[1.0, 0.0], [0.0, 1.0]], ShapeError, r"target of shape \(2,\), got \(2, 2\)"),
    ],
)
def test_targets_that_do_not_fit(target, error, message):
    with pytest.raises(error, match="cross_entropy: .*" + message):
        tg.cross_entropy(tg.Tensor(np.zeros((2, 3))), target)


def test_probabilities_of_a_class_alone_are_that_class():
    rng = np.random.default_rng(0)
    logits, classes = rng.normal(size=(4, 3)), np.array([0, 2, 1, 2])
    certain = np.eye(3)[classes]
    for options in ({"label_smoothing": 0.1}, {"weight": [0.5, 1.0, 2.0], "reduction": "sum"}):
        assert tg.cross_entropy(logits, certain, **options) == pytest.approx(
            tg.cross_entropy(logits, classes, **options)
        )


def test_what_is_refused_beside_probabilities_and_weights():
    logits = tg.Tensor(np.zeros((2, 3)))
    with pytest.raises(OptionError, match=r"cross_entropy: .*so there is no class 1"):
        tg.cross_entropy(logits, np.full((2, 3), 1 / 3), ignore_index=1)
    with pytest.raises(ShapeError, match=r"weight \(2,\) does not broadcast to \(2, 3\)"):
        tg.binary_cross_entropy_with_logits(logits, np.zeros((2, 3)), weight=np.ones(2))


def test_an_unknown_reduction():
    with pytest.raises(OptionError, match="reduction 'avg' is not mean, sum or none"):
        tg.cross_entropy(tg.Tensor(np.zeros((2, 3))), [0, 1], reduction="avg")


def test_integer_logits_are_refused():
    with pytest.raises(DtypeError, match="log_softmax: floating logits are needed, got int64"):
        tg.log_softmax(np.zeros((2, 3), np.int64))
