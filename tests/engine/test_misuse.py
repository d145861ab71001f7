"""Random programs, misused at random: the gradient is right, or an error of ours says why not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_cnn as tg
from tinygrad_cnn.errors import TinygradError

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
STEPS = [
    lambda t, a: t * a,
    lambda t, a: t + t,
    lambda t, a: t * t,
    lambda t, a: tg.tanh(t),
    lambda t, a: t[np.array([1, 0])],
    lambda t, a: t.reshape(3, 2).transpose(1, 0).reshape(2, 3),
    lambda t, a: tg.where(a > 1, t, -t),
    lambda t, a: t - t.mean(axis=1, keepdims=True),
    lambda t, a: t @ a[:, :1] + t,
]


def set_data(handles, arrays, choice):
    handles[choice % len(handles)].data = np.full((2, 3), 0.3)


def in_place(handles, arrays, choice):
    with tg.no_grad():
        t = handles[choice % len(handles)]
        t -= 0.1


def change_operand(handles, arrays, choice):
    arrays[choice % len(arrays)][...] += 1


def write_view(handles, arrays, choice):
    with pytest.raises(ValueError, match="read-only"):
        handles[choice % len(handles)].numpy()[0] += 1


def step_of_optimiser(handles, arrays, choice):
    handles[0].grad = np.ones((2, 3))
    tg.optim.SGD([handles[0]], 0.1).step()


def free(handles, arrays, choice):
    t = handles[choice % len(handles)]
    t.backward(np.ones((2, 3)), free_graph=True)


def wrong_cotangent(handles, arrays, choice):
    bad: list[Any] = [
        "a",
        np.ones(7),
        np.ones((2, 3), np.float32),
        None,
        [[1], [1, 2]],
        1j,
        object(),
    ]
    with pytest.raises(TinygradError):
        handles[-1].backward(bad[choice % len(bad)])


def wrong_operand(handles, arrays, choice):
    bad: list[Any] = [None, "a", np.ones(7), tg.Scalar(1.0), 1j, np.array([None]), {}]
    with pytest.raises(TinygradError):
        handles[-1] * bad[choice % len(bad)]


def forget(handles, arrays, choice):
    if len(handles) > 2:
        del handles[1 + choice % (len(handles) - 2)]


ABUSES = [
    set_data, in_place, change_operand, write_view, step_of_optimiser, free, wrong_cotangent,
    wrong_operand, forget,
]  # fmt: skip


def computed(x, steps):
    """What the program gives at x: handles of all steps, and the arrays that they used."""
    handles, arrays = [x], []
    for step in steps:
        arrays.append(np.arange(9.0).reshape(3, 3)[: 3 if step is STEPS[-1] else 2] / 4)
        handles.append(step(handles[-1], arrays[-1]))
    return handles, arrays


@settings(max_examples=settings.default.max_examples * 15)
@given(
    steps=st.lists(st.sampled_from(STEPS), min_size=1, max_size=5),
    abuses=st.lists(st.tuples(st.sampled_from(ABUSES), st.integers(0, 9)), min_size=1, max_size=3),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_gradient_is_right_or_refused(steps, abuses, seed):
    rng = np.random.default_rng(seed)
    values, cotangent = rng.normal(size=(2, 2, 3))
    clean = tg.Tensor(values, requires_grad=True)
    expected = tg.grad(computed(clean, steps)[0][-1], clean, cotangent).numpy()
    x = tg.Tensor(values, requires_grad=True)
    handles, arrays = computed(x, steps)
    try:
        for abuse, choice in abuses:
            abuse(handles, arrays, choice)
        found = tg.grad(handles[-1], x, cotangent).numpy()
    except TinygradError:
        return
    np.testing.assert_allclose(found, expected, 1e-12, 1e-12)
