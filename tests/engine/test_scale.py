"""Long chains, long loops, many threads."""

from __future__ import annotations

import gc
import threading
import time
import tracemalloc
import weakref

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn.errors import AnomalyError


def chain(x, length):
    for _ in range(length):
        x = -x
    return x


@pytest.mark.slow
@pytest.mark.parametrize("start", [tg.Scalar(1.0), tg.Tensor([1.0], requires_grad=True)])
def test_a_million_ops(start):
    y = chain(start, 1_000_000)
    y.backward()
    assert float(start.grad) == 1
    assert len(tg.Graph.of(y)) == 1_000_001
    first = weakref.ref(y.node.inputs[0])
    del y
    assert first() is None


def test_a_long_chain_is_exported_and_read():
    y = chain(tg.Scalar(1.0), 5_000)
    graph = tg.Graph.of(y)
    assert tg.Graph.from_json(graph.to_json()).edges == graph.edges
    assert graph.to_networkx().number_of_edges() == 5_000
    assert len(graph.ancestors(1_000)) == 1_001
    assert float(graph.replay({0: 2.0})[y]) == 2


def test_time_is_linear_in_the_length():
    def seconds(length):
        started = time.process_time()
        y = chain(tg.Scalar(1.0), length)
        y.backward()
        tg.Graph.of(y)
        del y
        return time.process_time() - started

    short = min(seconds(2_000) for _ in range(3))
    long = min(seconds(20_000) for _ in range(3))
    assert long < 30 * short  # 10 times as long; were it quadratic, 100


def train(steps, seed, watch=lambda step: None):
    """A small network, trained without free_graph; its weights at the end."""
    rng = np.random.default_rng(seed)
    weights = [tg.nn.Parameter(rng.normal(size=shape) * 0.1) for shape in ((8, 16), (16, 1))]
    optimiser = tg.optim.Adam(weights, 1e-3)
    x = rng.normal(size=(32, 8))
    for step in range(steps):
        optimiser.zero_grad()
        loss = ((tg.tanh(x @ weights[0]) @ weights[1] - x[:, :1]) ** 2).mean()
        loss.backward()
        optimiser.step()
        watch(step)
    return [w.data.copy() for w in weights]


@pytest.mark.slow
def test_a_loop_of_1_000_steps_holds_its_memory_level():
    levels = {}

    def watch(step):
        if step in {99, 999}:
            gc.collect()  # also CPython's lists of freed tuples, up to 2,000 of each length
            levels[step] = tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        train(1_000, 0, watch)
    finally:
        tracemalloc.stop()
    assert levels[999] - levels[99] < 20_000


def test_two_threads_train_what_each_trains_alone():
    alone = [train(200, seed) for seed in (1, 2)]
    found = {}
    threads = [
        threading.Thread(target=lambda s=seed: found.update({s: train(200, s)})) for seed in (1, 2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed, weights in zip((1, 2), alone, strict=True):
        for a, b in zip(weights, found[seed], strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_modes_of_one_thread_do_not_reach_another():
    """Each mode is held open in one thread while the other computes."""
    x = tg.Tensor([-1.0], requires_grad=True)
    heard = {}

    def other():
        y = x.sqrt()
        y.backward()
        heard.update(recorded=y.requires_grad, scope=y.node.scope)

    with tg.trace() as t, tg.detect_anomaly(), tg.no_grad(), tg.scope("here"):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        assert t.events == []
        with pytest.raises(AnomalyError):
            x.sqrt()
    assert heard == {"recorded": True, "scope": ""}
