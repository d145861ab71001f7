"""Checks with mode="random", along directions in large functions; and `gradient_test`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import settings

import tinygrad_cnn as tg
from tests.gradcheck.zoo import LAYERS, Layer
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.gradcheck.testing import gradient_test

EXAMPLES = settings.default.max_examples // 2


def network(activation: Any) -> Any:
    tg.manual_seed(0)
    return tg.nn.Sequential(
        stem=tg.nn.Conv2d(3, 8, 3, padding=1),
        norm=tg.nn.BatchNorm2d(8),
        act=activation,
        block=tg.nn.Residual(
            tg.nn.Sequential(conv=tg.nn.Conv2d(8, 8, 3, padding=1), norm=tg.nn.BatchNorm2d(8))
        ),
        flat=tg.nn.Flatten(),
        head=tg.nn.Linear(8 * 64, 10),
    )


class Forgetful(tg.nn.Module):
    """A layer whose weight gets half of its gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = tg.nn.Parameter(1 + np.random.default_rng(5).random((1, 8, 1, 1)))
        self.op = tg.op("forgetful", lambda x, w: x * w)
        self.op.vjp(lambda g, y, x, w: g * w, lambda g, y, x, w: 0.5 * g * x)

    def forward(self, x: Any) -> Any:
        return self.op(x, self.scale)


@pytest.mark.parametrize("training", [True, False])
def test_a_network(training: bool) -> None:
    model = network(tg.nn.ReLU()).train(training)
    images = np.random.default_rng(0).standard_normal((2, 3, 8, 8))  # no ReLU is near its kink
    report = tg.gradcheck(model, images, mode="random")
    assert report, report
    assert report.evaluations < 60


def test_the_wrong_parameter_of_a_network_is_named() -> None:
    images = np.random.default_rng(6).standard_normal((2, 3, 8, 8))
    report = tg.gradcheck(network(Forgetful()), images, mode="random")
    assert (report.verdict, report.pattern) == ("wrong", "constant factor"), report
    assert report.worst is not None
    assert report.worst.input == "act.scale"
    assert report.worst.analytic == pytest.approx(report.worst.numeric / 2, rel=1e-4)
    assert "mode='random'" in report.snippet()


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_directions_agree_with_the_whole_jacobian(layer: Layer) -> None:
    arrays = layer.draw(np.random.default_rng(2))
    assert tg.gradcheck(layer.f, arrays, mode="random")
    k = len(arrays) - 1

    def wrong(g: Any, *inputs: Any) -> Any:
        found = layer.vjp(g, *inputs)
        return [*found[:k], -found[k]]

    report = tg.gradcheck(layer.f, arrays, vjp=wrong, mode="random")
    assert report.pattern == "sign", report


def test_what_float32_loses_is_noted() -> None:
    steep = tg.gradcheck(lambda x: tg.sin(x * 1e6), np.array([1 / 3, 0.7]))
    assert steep
    assert any("float32" in note for note in steep.notes)
    assert not tg.gradcheck(tg.sin, np.array([0.3, 0.7])).notes


test_convolution_over_shapes = gradient_test(
    lambda n, c, o, h, w: (tg.nn.Conv2d(c, o, 3, padding=1), (n, c, h, w)),
    examples=EXAMPLES,
    n=(1, 2),
)
test_batch_norm_over_shapes = gradient_test(
    lambda n, c, h: (tg.nn.BatchNorm2d(c), (n, c, h, 2)), examples=EXAMPLES, n=(2, 3)
)
test_softmax_over_shapes = gradient_test(
    lambda n, c: (tg.softmax, (n, c)), order=2, examples=EXAMPLES
)


def test_the_helper_fails_for_a_wrong_layer() -> None:
    wrong = tg.op("wrong", lambda x: x * 3, lambda g, y, x: g)
    with pytest.raises(AssertionError, match="constant factor of 1/3"):
        gradient_test(lambda n: (wrong, (n,)))()
    with pytest.raises(OptionError, match="not k"):
        gradient_test(lambda n: (wrong, (n,)), k=(1, 2))


@pytest.mark.parametrize(
    "f",
    [
        lambda x: 1e-7 * np.sin(x) + 1e3,
        lambda x: 5e-4 * np.asarray((x * x).sum()) + 1e9,
        lambda x: np.tanh(x).astype(np.float16).astype(np.float64),
    ],
    ids=["1e-7", "1e9", "float16"],
)
def test_a_slope_that_small_steps_do_not_show_is_not_taken_for_0(f: Any) -> None:
    flat = tg.op("flat", f, lambda g, y, x: 0 * x)
    x = np.random.default_rng(1).standard_normal((2, 3))
    assert tg.gradcheck(flat, x, mode="random").pattern == "zero"
    assert tg.gradcheck(lambda x: 0 * x + 3, x, mode="random")


@pytest.mark.parametrize("seed", range(5))
def test_kinks_along_a_direction_are_not_called_wrong(seed: int) -> None:
    """Some bend upwards, others downwards, so that no subgradient need lie between the sides."""
    report = tg.gradcheck(tg.relu, np.zeros(6), mode="random", seed=seed)
    assert report.verdict == "precision"
    assert "the point lies on a kink" in report.diagnosis
