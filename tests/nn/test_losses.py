"""Losses as layers: what they compute is PyTorch's, options and defaults included."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_cnn as tg

RNG = np.random.default_rng(0)
LOGITS, CLASSES = RNG.normal(size=(4, 3)), np.array([0, 2, 1, 2])
TARGET, WEIGHT = RNG.random((4, 3)), np.array([0.5, 1.0, 2.0])


@pytest.mark.parametrize("reduction", [None, "mean", "sum", "none"])
@pytest.mark.parametrize(
    ("name", "target", "options"),
    [
        ("CrossEntropyLoss", CLASSES, {}),
        ("CrossEntropyLoss", CLASSES, {"weight": WEIGHT, "label_smoothing": 0.2}),
        ("CrossEntropyLoss", CLASSES, {"ignore_index": 2}),
        ("CrossEntropyLoss", TARGET, {"weight": WEIGHT, "label_smoothing": 0.2}),
        ("NLLLoss", CLASSES, {"weight": WEIGHT, "ignore_index": 0}),
        ("MSELoss", TARGET, {}),
        ("BCEWithLogitsLoss", TARGET, {"pos_weight": WEIGHT}),
        ("BCEWithLogitsLoss", TARGET, {"weight": WEIGHT, "pos_weight": WEIGHT}),
    ],
)
def test_a_loss_is_pytorch_s(name, target, options, reduction):
    torch = pytest.importorskip("torch")
    if reduction is not None:
        options = {**options, "reduction": reduction}
    arrays = {k: v for k, v in options.items() if isinstance(v, np.ndarray)}
    theirs = getattr(torch.nn, name)(
        **{**options, **{k: torch.tensor(v) for k, v in arrays.items()}}
    )
    x, y = tg.Tensor(LOGITS, requires_grad=True), torch.tensor(LOGITS, requires_grad=True)
    ours, expected = getattr(tg.nn, name)(**options)(x, target), theirs(y, torch.tensor(target))
    np.testing.assert_allclose(ours.numpy(), expected.detach().numpy())
    ours.sum().backward()
    expected.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), y.grad.numpy(), atol=1e-12)


def test_a_loss_has_no_parameters_and_says_how_it_reduces():
    criterion = tg.nn.MSELoss("sum")
    assert list(criterion.parameters()) == []
    assert "reduction='sum'" in repr(criterion)
