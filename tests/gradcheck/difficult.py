"""Functions whose gradient is right but hard to check: name, function, inputs."""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_cnn as tg

random = np.random.default_rng(7)
normal = random.standard_normal


def array(*numbers: float) -> Any:
    return np.array(numbers)


def conv_then_norm(x: Any, w: Any, b: Any) -> Any:
    """The bias before a batch norm has no effect: its gradient is 0 by cancellation."""
    return tg.batch_norm_train(tg.conv2d(x, w, b))[0]


def in_float32(x: Any) -> Any:
    return (x.astype(np.float32) * x.astype(np.float32)).astype(np.float64)


square_at_float32 = tg.op(
    "square_at_float32",
    lambda x: (x.astype(np.float32) ** 2).astype(x.dtype),
    lambda g, y, x: g * 2 * x,
)
round_off = tg.op("round_off", lambda x: (1e8 + x) - 1e8, lambda g, y, x: g)
floor = tg.op("floor", np.floor, lambda g, y, x: g * 0.0)
softplus = tg.op("softplus", lambda x: np.logaddexp(0, x), lambda g, y, x: g * tg.sigmoid(x))
swish = tg.op("swish", lambda x: x / (1 + np.exp(-x)))
SLOPE, CUBIC = np.sqrt(2 / np.pi), 0.044715
gelu = tg.op("gelu", lambda x: 0.5 * x * (1 + np.tanh(SLOPE * (x + CUBIC * x**3))))


@gelu.vjp
def _(g: Any, y: Any, x: Any) -> Any:
    t = tg.tanh(SLOPE * (x + CUBIC * x**3))
    return g * 0.5 * (1 + t + x * (1 - t * t) * SLOPE * (1 + 3 * CUBIC * x * x))


swish.vjp(lambda g, y, x: g * (tg.sigmoid(x) + y * (1 - tg.sigmoid(x))))


def small_variance(x: Any) -> Any:
    """The variance as E[x²] − E[x]², a formula that cancels."""
    return (x * x).mean() - x.mean() ** 2


expm1_in_float32 = tg.op(
    "expm1_in_float32",
    lambda x: (np.exp(x.astype(np.float32)) - np.float32(1)).astype(x.dtype),
    lambda g, y, x: g * tg.exp(x),
)
offset = tg.op("offset", lambda x: (1e12 + np.sin(x)) - 1e12, lambda g, y, x: g * tg.cos(x))
from_float32 = tg.op(
    "from_float32",
    lambda x: np.sin(x.astype(np.float32).astype(x.dtype)),
    lambda g, y, x: g * tg.cos(x),
)

# smooth and right, but so noisy at small steps that the two sides may seem to differ
ROUGH: list[tuple[str, Any, float, float]] = [  # name, function, offset and spread of its input
    ("variance by cancellation", small_variance, 20.0, 1e-3),
    ("exp(x) - 1 in float32", expm1_in_float32, 0.0, 1e-5),
    ("1e12 + sin(x) - 1e12", offset, 1.0, 1.0),
    ("input rounded to float32", from_float32, -60.0, 1.0),
    ("1 - cos(x)", lambda x: 1 - tg.cos(x), 0.0, 1e-5),
    ("1 + tanh(x)", lambda x: 1 + tg.tanh(x), -12.0, 1.0),
]  # fmt: skip

DIFFICULT: list[tuple[str, Any, Any]] = [
    ("relu at 0", tg.relu, array(0.0, -1.0, 2.0)),
    ("relu near 0", tg.relu, array(1e-7, -1e-9, 1e-12, 1.0)),
    ("relu at −0", tg.relu, array(-0.0, 1.0)),
    ("relu of zeros only", tg.relu, np.zeros((2, 3))),
    ("abs at 0", tg.absolute, array(0.0, 1.0)),
    ("kink in the middle of a sum", lambda x: tg.relu(x).sum(), array(0.0, 1.0, -1.0)),
    ("kink, scaled down", lambda x: tg.relu(x) * 1e-9, array(0.0, 1.0)),
    ("kink, scaled up", lambda x: tg.relu(x) * 1e9, array(0.0, 1.0)),
    ("sqrt at 1e-6", tg.sqrt, array(1e-6, 1.0)),
    ("sqrt at 1e-12 alone", tg.sqrt, array(1e-12)),
    ("sqrt at 0", tg.sqrt, array(0.0)),
    ("log at 1e-300", tg.log, array(1e-300, 1.0)),
    ("log at 1e-8", tg.log, array(1e-8)),
    ("x^1.5 at 0", lambda x: x**1.5, array(0.0, 1.0)),
    ("x² at 0", lambda x: x**2, array(0.0)),
    ("x³ at 0", lambda x: x**3, array(0.0, 0.0)),
    ("times 1e-7", lambda x: x * 1e-7, array(1.0, 2.0)),
    ("times 1e8", lambda x: x * 1e8, array(1.0, 2.0)),
    ("times 1e-8", lambda x: x.tanh() * 1e-8, array(1.0, 2.0)),
    ("times 1e300", lambda x: x * 1e300, array(1.0, 2.0)),
    ("times 1e-300", lambda x: x * 1e-300, array(1.0, 2.0)),
    ("sin(1e6 x) 1e-9", lambda x: tg.sin(x * 1e6) * 1e-9, array(0.7, -1.3)),
    ("sin of large x", tg.sin, array(1e6, 12345.678)),
    ("exp, steep", lambda x: tg.exp(x * 50), array(1.0, -1.0)),
    ("1/x near 0", lambda x: 1 / x, array(1e-5, 1.0)),
    ("tiny x", lambda x: x * 2, array(1e-300, 1e-305)),
    ("subnormal x", lambda x: x * 2, array(1e-310)),
    ("huge x", lambda x: x * 2, array(1e300, 1e290)),
    ("huge x squared", lambda x: x * x, array(1e150)),
    ("x of many sizes", tg.sin, array(1e-8, 1e-3, 1.0, 1e3, 1e6)),
    ("many sizes, multiplied", lambda x: x * array(1e8, 1.0, 1e-8), array(1e-8, 1.0, 1e8)),
    ("tanh saturated", tg.tanh, array(20.0, -40.0, 0.5)),
    ("tanh saturated only", tg.tanh, array(30.0)),
    ("sigmoid saturated", tg.sigmoid, array(35.0, 1.0)),
    ("sigmoid saturated below", tg.sigmoid, array(-300.0)),
    ("softmax saturated", tg.softmax, np.array([[100.0, 0.0, -100.0], [1.0, 2.0, 3.0]])),
    ("log_softmax saturated", tg.log_softmax, np.array([[1000.0, 0.0, -1000.0]])),
    ("softplus", softplus, array(-50.0, 0.0, 50.0)),
    ("swish", swish, array(-30.0, 0.0, 3.0)),
    ("gelu far below 0", gelu, array(-5.379601580051453, -6.345, 1.0)),
    ("elu by exp(x) − 1", lambda x: tg.where(x.data > 0, x, tg.exp(x) - 1), array(-1e-6, -3e-5)),
    ("log of 1 + exp", lambda x: tg.log(1 + tg.exp(x)), array(-25.0, -15.3, 3.0)),
    ("square root of 1 + x, minus 1", lambda x: tg.sqrt(1 + x) - 1, array(1.72e-8, 1.5e-6, 5e-4)),
    ("a distance by cancellation", lambda x, y: (x * x).sum() + (y * y).sum() - 2 * (x * y).sum(),
     [array(1.0, -0.3), array(1.0001, -0.30002)]),
    ("float32 input", tg.tanh, normal((2, 3)).astype(np.float32)),
    ("float32 conv", tg.conv2d, [normal(s).astype("f") for s in ((1, 2, 4, 4), (2, 2, 3, 3))]),
    ("float32 inside", square_at_float32, normal((2, 3))),
    ("float32 by astype", in_float32, normal((3,))),
    ("cancellation", round_off, array(0.3, 2.0)),
    ("far from 0", lambda x: x - x.mean(), normal(5) + 1e6),
    ("zero size", lambda x: x * 2, np.zeros((0, 3))),
    ("zero size, summed", lambda x: x.sum(), np.zeros((0, 3))),
    ("no axes", lambda x: x * x, np.array(3.0)),
    ("a constant", lambda x: x * 0.0 + 3.0, array(1.0, 2.0)),
    ("an unused input", lambda x, y: x * 2, [array(1.0), array(2.0)]),
    ("ties in max", lambda x: tg.max(x), array(1.0, 1.0, 0.0)),
    ("ties in max pooling", lambda x: tg.max_pool2d(x, kernel_size=2), np.ones((1, 1, 4, 4))),
    ("near ties", lambda x: tg.max(x), array(1.0, 1.0 + 1e-9, 0.0)),
    ("max pooling", lambda x: tg.max_pool2d(x, kernel_size=2), normal((2, 2, 4, 4))),
    ("batch norm, no variance", lambda x: tg.batch_norm_train(x)[0], np.ones((3, 2))),
    ("batch norm, offset", lambda x: tg.batch_norm_train(x)[0], normal((6, 2)) + 1e4),
    ("batch norm, tiny", lambda x: tg.batch_norm_train(x)[0], normal((6, 2)) * 1e-6),
    ("bias before batch norm", conv_then_norm,
     [normal((2, 2, 4, 4)), normal((2, 2, 3, 3)), normal(2)]),
    ("floor between its jumps", floor, array(0.5, 1.7)),
    ("floor at a jump", floor, array(1.0, 1.7)),
    ("division of close numbers", lambda x: (x - 1) / (x - 1.001), array(1.0 + 1e-6)),
    ("sum of large and small", lambda x, y: x * 1e10 + y, [array(1.0), array(1.0)]),
    ("product of 60 factors", lambda x: tg.exp(tg.log(x).sum()), 1 + random.random(60)),
    ("two kinks at once", lambda x: tg.relu(x) + tg.absolute(x - 1), array(0.0, 1.0, 0.3)),
]  # fmt: skip
