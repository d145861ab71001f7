"""Functions, autograd Functions and Modules of PyTorch, checked as they are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_cnn as tg

torch = pytest.importorskip("torch")
F = torch.nn.functional


class Square(torch.autograd.Function):
    """w·x², in any dtype or in float32 alone, and with a factor in the gradient."""

    factor = 1.0
    float32_alone = False
    detached = False

    @staticmethod
    def forward(ctx: Any, x: Any, w: Any) -> Any:
        if Square.float32_alone and x.dtype != torch.float32:
            raise RuntimeError("expected scalar type Float but found Double")
        ctx.save_for_backward(x, w)
        return w * x**2

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        x, w = ctx.saved_tensors
        made = 2 * Square.factor * g * w * x
        return made.detach() if Square.detached else made, g * x**2


@pytest.fixture
def square(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`Square`; what a test sets of it is put back."""
    for name in ("factor", "float32_alone", "detached"):
        monkeypatch.setattr(Square, name, getattr(Square, name))
    return Square


def normal(*shape: int, seed: int = 0, dtype: Any = torch.float32) -> Any:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape)).to(dtype)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_an_autograd_function(square: Any, dtype: Any) -> None:
    inputs = normal(3, 4, dtype=dtype), normal(4, seed=1, dtype=dtype)
    report = tg.gradcheck(square.apply, inputs)
    assert report.verdict == "ok", report
    assert report.names == ["x", "w"]
    assert ("cast from: x" in str(report)) == (dtype != torch.float64)
    square.factor = 1 + 1e-5
    report = tg.gradcheck(square.apply, inputs)
    assert (report.pattern, report.worst and report.worst.input) == ("constant factor", "x")
    assert report.function == "Square.apply"
    assert all(x.dtype == dtype and x.grad is None for x in inputs)


@pytest.mark.parametrize("training", [True, False])
def test_a_module_its_parameters_and_what_it_is_left_as(training: bool) -> None:
    module = torch.nn.Sequential(
        torch.nn.Conv2d(2, 3, 3, padding=1), torch.nn.BatchNorm2d(3), torch.nn.Tanh()
    ).train(training)
    module[0].bias.requires_grad_(False)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    report = tg.gradcheck(module, normal(2, 2, 3, 3))
    assert report.verdict == "ok", report
    assert report.names == ["input", "0.weight", "1.weight", "1.bias"]
    for name, value in module.state_dict().items():
        assert value.dtype == before[name].dtype
        assert torch.equal(value, before[name])
    assert all(p.grad is None for p in module.parameters())
    assert torch.get_default_dtype() == torch.float32


def test_a_module_with_a_wrong_parameter(square: Any) -> None:
    class Scaled(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.factor = torch.nn.Parameter(torch.tensor([1.0, 2.0, 3.0]))

        def forward(self, x: Any) -> Any:
            return square.apply(self.factor, x)

    square.factor = -1.0
    report = tg.gradcheck(Scaled(), normal(2, 3))
    assert "wrong" in report.verdict
    assert "'factor'" in report.diagnosis, report


@pytest.mark.parametrize("order", [1, 2, 3])
def test_orders(square: Any, order: int) -> None:
    inputs = normal(3, seed=2), normal(3, seed=3)
    assert tg.gradcheck(square.apply, inputs, order=order)
    square.detached = True
    report = tg.gradcheck(square.apply, inputs, order=order)
    assert bool(report) == (order == 1)
    assert order == 1 or report.diagnosis.startswith("second order")


def test_third_order_mistakes_are_found() -> None:
    """PyTorch 2.13's training-mode batch_norm is right in two orders; ours in three."""
    x = normal(4, 1, dtype=torch.float64)
    f = lambda x: F.batch_norm(x, None, None, training=True)  # noqa: E731
    assert tg.gradcheck(f, x, order=2)
    report = tg.gradcheck(f, x, order=3)
    assert report.verdict == "wrong"
    assert report.diagnosis.startswith("third order")
    assert tg.gradcheck(lambda x: tg.batch_norm_train(x)[0], x.numpy(), order=3)


FLOAT32 = {
    "elementwise": lambda x: x * torch.sin(x),
    "reduced": lambda x: (x * torch.sin(x)).sum(1),
    "norm": lambda x: F.layer_norm(x, x.shape[1:]),
    "relu": lambda x: torch.relu(x) * 3,
    "softmax": lambda x: torch.softmax(x, 1),
    "convolution": lambda x: F.conv1d(
        x[None], torch.linspace(-1, 1, x.shape[0] * 2).view(1, -1, 2)
    ),
    "product": lambda x: x @ x.T,
}


@given(st.sampled_from(sorted(FLOAT32)), st.integers(0, 10**6), st.sampled_from(["full", "random"]))
def test_what_takes_float32_alone(name: str, seed: int, mode: str) -> None:
    def f(x: Any) -> Any:
        assert x.dtype == torch.float32
        return FLOAT32[name](x)

    x = normal(3, 4, seed=seed)
    report = tg.gradcheck(f, x, mode=mode)
    assert report.verdict in ("ok", "precision"), report
    assert mode == "random" or report, report
    assert "error bar that float32 allows" in str(report)


@pytest.mark.parametrize("mode", ["full", "random"])
def test_a_mistake_in_float32_alone(square: Any, mode: str) -> None:
    square.float32_alone, square.factor = True, 1.01
    report = tg.gradcheck(square.apply, (normal(3, 4), normal(3, 4, seed=1)), mode=mode)
    assert (report.verdict, report.pattern) == ("wrong", "constant factor"), report
    square.factor = 1.0
    assert tg.gradcheck(square.apply, (normal(3, 4), normal(3, 4, seed=1)), mode=mode)


def test_complex_nested_and_several() -> None:
    z = normal(3, dtype=torch.complex64) * (1 + 2j)
    report = tg.gradcheck(lambda z: z * z.conj() * (1 + 2j), z, order=2)
    assert report, report
    assert "real and imaginary" in str(report)
    lstm = torch.nn.LSTM(3, 2)
    report = tg.gradcheck(lstm, (normal(2, 1, 3), (normal(1, 1, 2), normal(1, 1, 2, seed=1))))
    assert report, report
    assert {"hx[0]", "hx[1]", "weight_hh_l0"} < set(report.names)
    assert tg.gradcheck(lambda x: x.max(1), normal(2, 3))  # values, and indices without a gradient


def test_only_tensors_that_ask_are_checked() -> None:
    x, w = normal(3).requires_grad_(), normal(3, seed=1)
    assert tg.gradcheck(lambda x, w: x * w, (x, w)).names == ["x"]
    assert x.grad is None


def test_a_gradient_that_is_written_into() -> None:
    class Careless(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return 2 * x

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g.mul_(2)

    report = tg.gradcheck(Careless.apply, normal(3))
    assert report.verdict == "error"
    assert "writes into the gradient" in report.diagnosis


@pytest.mark.parametrize(
    ("f", "words"),
    [
        (lambda x: x.detach() * 2, "missing"),
        (lambda x: x.reshape(7), "the function failed: RuntimeError"),
        (lambda x: F.dropout(x.repeat(9), 0.5), "two runs"),
        (lambda x: x.numpy(), "function failed"),
        (lambda x: "y", "must return a torch.Tensor"),
    ],
)
def test_what_cannot_be_checked(f: Any, words: str) -> None:
    report = tg.gradcheck(f, normal(3))
    assert not report
    assert words in report.diagnosis, report


@pytest.mark.parametrize("shape", [(2, 3), (30, 4)])
def test_a_failing_report_can_be_reproduced(
    square: Any, shape: Any, capsys: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    square.factor = 3.0
    inputs = normal(*shape).requires_grad_(), normal(*shape, dtype=torch.bfloat16)
    report = tg.gradcheck(square.apply, inputs, mode="random")
    monkeypatch.chdir(tmp_path)
    report.save("inputs.npz")
    exec(report.snippet(), {"Square": square})
    assert capsys.readouterr().out.strip() == str(report).strip()


def test_nobody_gets_torch_who_did_not_ask() -> None:
    code = (
        "import sys, numpy as np, tinygrad_cnn as tg\n"
        "import tinygrad_cnn.gradcheck.torch, tinygrad_cnn.gradcheck.testing\n"
        "assert tg.gradcheck(tg.tanh, np.ones(3))\n"
        "print([name for name in ('torch', 'jax') if name in sys.modules])"
    )
    root = Path(__file__).parents[2]
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"


# --- the drop-in for PyTorch's own check ----------------------------------------------------------


def test_a_drop_in_for_gradcheck(square: Any) -> None:
    from torch.autograd.gradcheck import GradcheckError

    from tinygrad_cnn.gradcheck.torch import gradcheck, gradgradcheck

    inputs = normal(3).requires_grad_(), normal(3, seed=1).requires_grad_()
    for check in (gradcheck, gradgradcheck):
        assert check(square.apply, inputs) is True
        assert check(square.apply, inputs, fast_mode=True) is True
        assert check(torch.tanh, inputs[0], check_batched_grad=True) is True
        with pytest.raises(ValueError, match="at least one input tensor to require gradient"):
            check(torch.tanh, normal(3))
    assert gradgradcheck(square.apply, inputs, normal(3, seed=2).requires_grad_())
    square.detached = True
    assert gradcheck(square.apply, inputs)
    for cotangent in ((), (normal(3, seed=2).requires_grad_(),)):
        with pytest.raises(GradcheckError, match=": wrong"):
            gradgradcheck(square.apply, inputs, *cotangent)
    square.factor = -1.0
    with pytest.raises(GradcheckError, match="sign flipped"):
        gradcheck(square.apply, inputs)
    assert gradcheck(square.apply, inputs, raise_exception=False) is False
    assert gradcheck(square.apply, inputs, rtol=10.0) is True


def test_what_the_drop_in_leaves_to_pytorch() -> None:
    from torch.autograd.gradcheck import GradcheckError

    from tinygrad_cnn.gradcheck.torch import gradcheck, gradgradcheck

    class Two(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.set_materialize_grads(False)
            return x * 2, x * 3

        @staticmethod
        def backward(ctx: Any, a: Any, b: Any) -> Any:
            parts = [c * g for c, g in ((2, a), (3, b)) if g is not None]
            return sum(parts) if parts else torch.ones(3)  # though no cotangent arrived

    x = normal(3, dtype=torch.float64).requires_grad_()
    with pytest.raises(GradcheckError, match="undefined or zero"):
        gradcheck(Two.apply, x)
    assert gradcheck(Two.apply, x, check_undefined_grad=False)
    assert gradcheck(torch.tanh, x, check_forward_ad=True, check_batched_forward_grad=True)
    assert gradcheck(torch.tanh, x, check_forward_ad=True, check_backward_ad=False)
    assert gradgradcheck(torch.tanh, x, check_fwd_over_rev=True)
    sparse = torch.eye(2, dtype=torch.float64).to_sparse().requires_grad_()
    assert gradcheck(lambda s: torch.sparse.sum(s), sparse, masked=True)
