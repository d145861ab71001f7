"""Arrays that a program goes on to write to, after an op used them: gradients stay right."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn.errors import GraphError


def leaf(*shape: int) -> tg.Tensor:
    return tg.Tensor(np.random.default_rng(1).normal(size=shape), requires_grad=True)


weights = tg.Tensor(np.arange(8.0).reshape(2, 4))

USES = {
    "operand": (lambda x, a: x * a, (3,), np.arange(3.0)),
    "operand on the left": (lambda x, a: a * x, (3,), np.arange(3.0)),
    "view": (lambda x, a: x * a[::2], (3,), np.arange(6.0)),
    "locked by its owner": (lambda x, a: x * _locked(a), (3,), np.arange(3.0)),
    "matrix": (lambda x, a: x @ a, (3, 3), np.arange(9.0).reshape(3, 3)),
    "filter": (lambda x, a: tg.conv2d(x, a) ** 2, (1, 1, 4, 4), np.ones((1, 1, 2, 2))),
    "index": (lambda x, a: x[a] * weights, (3, 4), np.array([0, 1])),
    "index of two axes": (lambda x, a: x[a, a] ** 2, (4, 4), np.array([0, 1])),
    "index in a tuple": (lambda x, a: x[(slice(None), a)] ** 2, (4, 4), np.array([0, 1])),
    "index in a list": (lambda x, a: x[list(a)] ** 2, (4, 4), np.array([0, 1])),
    "mask": (lambda x, a: x[a] ** 2, (4,), np.array([True, False, True, True])),
    "condition": (lambda x, a: tg.where(a, x, x * 2), (4,), np.array([True, False, True, True])),
    "labels": (tg.cross_entropy, (4, 3), np.array([0, 1, 1, 0])),
    "class weights": (
        lambda x, a: tg.cross_entropy(x, [0, 1, 2, 0], weight=a), (4, 3), np.array([1.0, 2, 3]),
    ),
    "words": (lambda x, a: tg.embedding(a, x) ** 2, (5, 4), np.array([0, 1])),
    "taken": (lambda x, a: x.take(a, 0) * weights, (3, 4), np.array([0, 1])),
    "statistics": (
        lambda x, a: tg.batch_norm(x, np.zeros(2), a, training=False) ** 2, (4, 2), np.ones(2),
    ),
    "given to Tensor": (lambda x, a: x * tg.Tensor(a), (3,), np.arange(3.0)),
    "shared with Tensor": (lambda x, a: x * tg.Tensor(a, copy=False), (3,), np.arange(3.0)),
}  # fmt: skip


def _locked(array):
    array.flags.writeable = False
    return array


@pytest.mark.parametrize("use", USES)
def test_an_array_may_be_changed_after_its_use(use):
    function, shape, array = USES[use]
    gradients = []
    for change in (False, True):
        x, given = leaf(*shape), array.copy()
        older = given[:]  # a view from before whatever becomes of the array
        y = function(x, given).sum()
        if change:
            older[...] = ~older if older.dtype == bool else older + 1
        y.backward()
        assert x.grad is not None
        gradients.append(x.grad.numpy())
    np.testing.assert_array_equal(*gradients)


def test_read_only_memory_is_shared():
    data = np.arange(3.0).tobytes()
    array = np.frombuffer(data)
    x = tg.Tensor(array, copy=False)
    assert np.shares_memory(x.data, array)
    assert np.shares_memory(tg.Tensor(x.data, copy=False).data, array)
    assert not np.shares_memory(tg.Tensor(x.data).data, array)
    y = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True) * array
    assert np.shares_memory(y.node.inputs[1].value, array)


@pytest.mark.parametrize("optimiser", [tg.optim.SGD, tg.optim.Adam, tg.optim.AdamW])
def test_a_step_between_forward_and_backward_is_caught(optimiser):
    w = tg.nn.Parameter(np.ones(3))
    w.grad = np.ones(3)
    loss = (w * w).sum()
    optimiser([w], 0.1).step()
    with pytest.raises(GraphError, match=r"backward: multiply .* used parameter .* changed"):
        loss.backward()


def test_running_statistics_that_moved_on_are_caught():
    norm = tg.nn.BatchNorm2d(2)
    x = tg.Tensor(np.ones((2, 2, 3, 3), np.float32), requires_grad=True)
    norm.eval()
    loss = norm(x).sum()
    norm.train()(x)
    with pytest.raises(GraphError, match=r"batch_norm_eval .* 'running_mean' .* changed"):
        loss.backward()


def test_views_of_an_output_cannot_be_written_to():
    y = leaf(3).exp()
    for view in (y.data, y.numpy()[:1], y.data.reshape(3, 1), np.asarray(y.detach())):
        with pytest.raises(ValueError, match="read-only"):
            view += 1
        with pytest.raises(ValueError, match="WRITEABLE"):
            view.setflags(write=True)
