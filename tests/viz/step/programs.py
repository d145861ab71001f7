"""Programs to step through: random ones of Scalars and of Tensors, and networks on real images."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from hypothesis import strategies as st

import tinygrad_cnn as tg
from tinygrad_cnn.data import fashion_mnist

UNARY = ("relu", "tanh", "sigmoid", "sin", "exp", "square", "softplus", "abs")
BINARY = ("add", "subtract", "multiply", "maximum", "minimum")


@st.composite
def scalar_programs(draw: st.DrawFn, most: int = 14) -> tuple[list[tg.Scalar], tg.Scalar]:
    """The inputs of a random graph of Scalars, and its result; values are used again and again."""
    numbers = st.floats(-2, 2, width=16)
    given = [tg.Scalar(v, name=n) for v, n in zip(draw(st.lists(numbers, min_size=1, max_size=3)),
                                                  "abc", strict=False)]  # fmt: skip
    values: list[Any] = list(given)
    for _ in range(draw(st.integers(1, most))):
        name = draw(st.sampled_from(UNARY + BINARY))
        take = st.sampled_from(values)
        with tg.scope(draw(st.sampled_from(["", "one", "one.two"]))):
            if name in UNARY:
                x = draw(take)
                values.append(abs(x) if name == "abs" else getattr(tg, name)(x * 0.5))
            else:
                other = draw(st.one_of(take, numbers))
                values.append(getattr(tg, name)(draw(take), other))
    total = values[-1]
    for x in given:
        total = total + x
    return given, total


@st.composite
def tensor_programs(draw: st.DrawFn, most: int = 8) -> tuple[list[tg.Tensor], tg.Tensor]:
    """The same of Tensors, of shape (2, 3) or what broadcasts to it; the result is one number."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shapes = draw(st.lists(st.sampled_from([(2, 3), (1, 3), (3,), (2, 1), ()]), min_size=1,
                           max_size=3))  # fmt: skip
    given = [tg.Tensor(rng.normal(size=s), requires_grad=True, name=f"x{k}")
             for k, s in enumerate(shapes)]  # fmt: skip
    values: list[Any] = [tg.broadcast_to(given[0], (2, 3)), *given]
    for _ in range(draw(st.integers(1, most))):
        name = draw(st.sampled_from((*BINARY, "relu", "tanh", "matmul", "max", "split")))
        a, b = (draw(st.sampled_from(values)) for _ in "ab")
        if name == "matmul":
            values.append(tg.matmul(tg.broadcast_to(a, (2, 3)).T, tg.broadcast_to(b, (2, 3)))[:2])
        elif name == "max":
            values.append(tg.max(tg.broadcast_to(a, (2, 3)), axis=1, keepdims=True))
        elif name == "split":
            one, other = tg.split(tg.broadcast_to(a, (2, 3)), 2, axis=0)
            values.append(one * other)
        else:
            values.append(getattr(tg, name)(a, b) if name in BINARY else getattr(tg, name)(a))
    total = tg.sum(values[-1])
    for x in given:
        total = total + tg.sum(x)
    return given, total


@cache
def network(name: str, activation: str | None = None) -> tg.Trace:
    """A network's forward and backward pass on one image."""
    tg.manual_seed(0)
    options = {"activation": activation} if activation else {}
    model, data = tg.models.build(name, **options), fashion_mnist("test")
    x = tg.Tensor(data.inputs[:1], requires_grad=True, name="image")
    with tg.trace() as t:
        tg.cross_entropy(model(x), data.labels[:1]).backward()
    return t
