"""A stack of cotangents goes through a vjp as each of them does by itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_cnn as tg
from tinygrad_cnn.engine import stacked
from tinygrad_cnn.engine.backward import pull
from tinygrad_cnn.engine.stacked import pull_stack

from .test_every_op import Recorded, every_op, like


def rows(g, which):
    """One cotangent of a stack, or several."""
    if type(g) is tuple:
        return tuple(None if part is None else part[which] for part in g)
    return g[which]


def one_by_one(node, g, count, leading):
    """The definition: a pull for each cotangent, and its gradients in a stack."""
    pulled = [pull(node, rows(g, k), leading=leading) for k in range(count)]
    for i, parent in enumerate(node.inputs):
        parts = [gradients[i] for gradients in pulled]
        if parent not in leading or all(part is None for part in parts):
            yield None
        else:
            yield np.stack([np.zeros_like(parent.value) if p is None else p for p in parts])


@pytest.fixture(params=[1 << 21, 7], ids=["whole", "in chunks"])
def chunks(request, monkeypatch):
    monkeypatch.setattr(stacked, "MOST", request.param)


@every_op
@pytest.mark.usefixtures("chunks")
@given(data=st.data())
def test_a_stack_goes_through_as_each_of_it(name, data):
    run = Recorded(name, data)
    node, count = run.node, data.draw(st.integers(1, 4))
    several = type(node.value) is tuple
    values = node.value if several else (node.value,)
    g = tuple(
        np.stack(like(run.rng, [value] * count)) if np.asarray(value).dtype.kind == "f" else None
        for value in values
    )
    if several and name == "batch_norm_train" and data.draw(st.booleans()):
        g = (g[0], None, None)
    g = g if several else g[0]
    floats = [p for p in node.inputs if p is not None and p.needs_grad]
    leading = set(data.draw(st.lists(st.sampled_from(floats), min_size=1, unique=True)))
    found = pull_stack(node, g, leading)
    expected = list(one_by_one(node, g, count, leading))
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        assert (a is None) == (b is None)
        if b is not None:
            assert a.dtype == b.dtype
            largest = np.abs(b).max(initial=1.0)
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12 * largest)


def test_a_changed_value_is_refused():
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    y = x * x
    x.data = np.array([3.0, 4.0], np.float32)
    with pytest.raises(tg.errors.GraphError, match="changed afterwards"):
        pull_stack(y.node, np.ones((2, 2), np.float32), {x.node})


def test_an_op_of_ones_own_takes_them_one_by_one():
    called = []

    def vjp(g, y, x):
        called.append(g.shape)
        return 2 * g

    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    y = tg.op("twice", lambda x: 2 * x, vjp)(x)
    (found,) = pull_stack(y.node, np.arange(6, dtype=np.float32).reshape(3, 2), {x.node})
    assert called == [(2,)] * 3
    assert found.tolist() == [[0, 2], [4, 6], [8, 10]]
