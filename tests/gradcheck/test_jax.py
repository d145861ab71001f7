"""Functions of JAX, checked as they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg

jax = pytest.importorskip("jax")
jnp = jax.numpy


def square(factor: float) -> Any:
    @jax.custom_vjp
    def f(x: Any, w: Any) -> Any:
        return w * x**2

    def backward(saved: Any, g: Any) -> Any:
        x, w = saved
        return 2 * factor * g * w * x, g * x**2

    f.defvjp(lambda x, w: (f(x, w), (x, w)), backward)
    return f


def normal(*shape: int, seed: int = 0) -> Any:
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape), jnp.float32)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_a_function(order: int) -> None:
    x64 = jax.config.jax_enable_x64
    inputs = normal(3), normal(3, seed=1)
    report = tg.gradcheck(square(1.0), inputs, order=order)
    assert report.verdict == "ok", report
    assert report.names[:2] == ["x", "w"]
    assert "cast from: x (float32)" in str(report)
    report = tg.gradcheck(square(1 + 1e-5), inputs)
    assert (report.pattern, report.worst and report.worst.input) == ("constant factor", "x")
    assert jax.config.jax_enable_x64 == x64


def test_jitted_and_trees() -> None:
    def loss(parameters: Any, x: Any) -> Any:
        return jnp.tanh(x @ parameters["w"] + parameters["b"]), x.sum()

    parameters = {"w": normal(3, 2), "b": normal(2, seed=1)}
    report = tg.gradcheck(jax.jit(loss), (parameters, normal(2, 3, seed=2)), order=2)
    assert report.verdict == "ok", report
    assert report.names[:3] == ["parameters['w']", "parameters['b']", "x"]


@pytest.mark.parametrize("factor", [1.0, 1.01])
def test_what_takes_float32_alone(factor: float) -> None:
    f = square(factor)

    def narrow(x: Any, w: Any) -> Any:
        if x.dtype != jnp.float32:
            raise TypeError("float32 is needed")
        return f(x, w)

    report = tg.gradcheck(narrow, (normal(3, 4), normal(3, 4, seed=1)))
    assert bool(report) == (factor == 1), report
    assert "error bar that float32 allows" in str(report)
