"""A layer of another library is checked by two plain-array functions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg

x = np.random.default_rng(0).standard_normal((3, 4))


@pytest.mark.parametrize(("factor", "right"), [(1.0, True), (2.0, False)])
def test_a_torch_autograd_function(factor: float, right: bool) -> None:
    torch = pytest.importorskip("torch")

    class Square(torch.autograd.Function):  # type: ignore[misc,name-defined]
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x**2

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            (x,) = ctx.saved_tensors
            return factor * 2 * x * g

    def vjp(cotangent: Any, x: Any) -> Any:
        leaf = torch.tensor(x, requires_grad=True)
        Square.apply(leaf).backward(torch.tensor(cotangent))
        return leaf.grad.numpy()

    report = tg.gradcheck(lambda x: Square.apply(torch.tensor(x)).numpy(), x, vjp=vjp)
    assert bool(report) == right, report


def test_an_autograd_function() -> None:
    autograd = pytest.importorskip("autograd")
    from autograd import numpy as anp

    def f(x: Any) -> Any:
        return anp.tanh(x) @ anp.ones(4)

    assert tg.gradcheck(f, x, vjp=lambda g, x: autograd.make_vjp(f)(x)[0](g))


def test_a_jax_function() -> None:
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)

    def vjp(cotangent: Any, x: Any) -> Any:
        return np.asarray(jax.vjp(jax.numpy.tanh, x)[1](cotangent)[0])

    assert tg.gradcheck(lambda x: np.asarray(jax.numpy.tanh(x)), x, vjp=vjp)


@pytest.mark.parametrize("pattern", ["", "transposed"])
def test_a_layer_written_by_hand(pattern: str) -> None:
    def linear(x: Any, w: Any) -> Any:
        return x @ w

    def vjp(g: Any, x: Any, w: Any) -> Any:
        by_w = x.T @ g
        return g @ w.T, by_w.T if pattern else by_w

    report = tg.gradcheck(linear, [x, np.eye(4) + x[:1]], vjp=vjp)
    assert report.pattern == pattern, report
