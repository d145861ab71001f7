"""Which inputs `gradcheck` accepts, what it leaves unchanged, and what its report says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn.errors import OptionError


def normal(*shape: int) -> Any:
    return np.random.default_rng(3).standard_normal(shape)


def network() -> Any:
    return tg.nn.Sequential(
        tg.nn.Conv2d(2, 3, 3, padding=1), tg.nn.BatchNorm2d(3), tg.nn.Tanh(), tg.nn.MaxPool2d(2)
    )


@pytest.mark.parametrize("training", [True, False])
def test_a_module_and_its_parameters(training: bool) -> None:
    module = network().train(training)
    x = normal(2, 2, 4, 4).astype(np.float32)
    module(tg.Tensor(x))
    before = {name: value.copy() for name, value in module.state_dict().items()}
    report = tg.gradcheck(module, x)
    assert report, report
    assert {"0.weight", "0.bias", "1.weight", "1.bias"} < set(report.names)
    for name, value in module.state_dict().items():
        assert value.dtype == before[name].dtype
        np.testing.assert_array_equal(value, before[name])
    assert all(p.grad is None for p in module.parameters())
    assert tg.Tensor([1.0]).dtype == np.float32
    assert "float64" in str(report)


def test_a_wrong_parameter_is_named() -> None:
    class Scale(tg.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.factor = tg.nn.Parameter(np.array([2.0, 3.0]))

        def forward(self, x: Any) -> Any:
            return scale(x, self.factor)

    scale = tg.op("scale", lambda x, w: x * w)
    scale.vjp(lambda g, y, x, w: g * w, lambda g, y, x, w: -g * x)
    report = tg.gradcheck(Scale(), normal(3, 2))
    assert (report.pattern, report.worst and report.worst.input) == ("sign", "factor")
    assert not report.wrong["x"].any()


def test_captured_float32_weights() -> None:
    w = tg.Tensor(normal(2, 2, 3, 3), dtype=np.float32)
    report = tg.gradcheck(lambda x: tg.conv2d(x, w), normal(1, 2, 4, 4))
    assert report, report
    assert w.dtype == np.float32


def test_plain_array_functions() -> None:
    x, w = normal(3, 4), normal(4, 2)
    assert tg.gradcheck(np.matmul, [x, w], vjp=lambda g, x, w: (g @ w.T, x.T @ g))
    report = tg.gradcheck(np.matmul, [x, w], vjp=lambda g, x, w: (g @ w.T, -x.T @ g))
    assert report.pattern == "sign"


def test_integer_inputs_are_passed_on() -> None:
    labels = np.array([0, 2, 1])
    assert tg.gradcheck(tg.cross_entropy, [normal(3, 4), labels])


def test_only_tensors_that_ask_are_checked() -> None:
    x = tg.Tensor(normal(3), requires_grad=True)
    mask = tg.Tensor(np.array([1.0, 0.0, 1.0]))
    assert tg.gradcheck(lambda x, m: x * m, [x, mask]).names == ["x"]


def _slope(x: Any) -> Any:
    """2x; but 0 where nothing is recorded."""
    y = x * x
    return tg.grad(y.sum(), x, create_graph=True) if y.requires_grad else 0 * x


def _hooked(x: Any) -> Any:
    h = 2 * x
    h.register_hook(lambda g: g)
    return tg.sin(h)


def _asks(x: Any) -> Any:
    h = 2 * x
    return h * h if h.requires_grad else h


def _penalised(x: Any) -> Any:
    """x³ + max(0, 3x² − 3); but x³ where nothing is recorded."""
    y = x**3
    if y.requires_grad:
        y = y + tg.relu(tg.grad(y.sum(), x, create_graph=True) - 3)
    return y


def _sinc(x: Any) -> Any:
    """sin(x) / x; at 0 its value is computed by the engine as a derivative."""
    zero = x.numpy() == 0
    if not zero.any():
        return tg.sin(x) / x
    slope = tg.grad(tg.sin(x).sum(), x, create_graph=True)
    return tg.where(zero, slope, tg.sin(x) / tg.where(zero, 0 * x + 1, x))


@pytest.mark.parametrize("f", [_slope, _hooked, _asks, _penalised, _sinc], ids=lambda f: f.__name__)
@pytest.mark.parametrize("mode", ["full", "random"])
def test_functions_that_do_otherwise_if_nothing_is_recorded(f: Any, mode: str) -> None:
    """What is checked is the function as it is where gradients are recorded."""
    assert tg.gradcheck(f, np.array([0.0, 0.7, 1.0001]), mode=mode)
    assert tg.gradcheck(f, np.zeros(2), mode=mode)


@pytest.mark.parametrize("mode", ["full", "random"])
def test_a_function_that_fails_close_by_or_an_input_that_is_infinite(mode: str) -> None:
    def probability(x: Any) -> Any:
        if (x.numpy() > 1).any():
            raise ValueError("a probability is at most 1")
        return x * x

    x = np.array([0.5, 1.0])
    report = tg.gradcheck(probability, x, mode=mode)
    assert report.verdict == "error"
    assert "close by: ValueError: a probability is at most 1" in report.diagnosis
    report = tg.gradcheck(tg.tanh, np.array([[1.0, np.inf]]), mode=mode)
    assert (report.verdict, report.diagnosis) == ("error", "the input 'x' is inf at [0, 1]")


def test_several_outputs() -> None:
    report = tg.gradcheck(lambda x: (tg.tanh(x), x.sum()), normal(3))
    assert report
    assert report.analytic["x"].shape == (4, 3)


def spoil(x: Any) -> Any:
    x *= 2
    return x + 1


x3 = np.array([1.0, 2.0, 3.0])
UNCHECKABLE = {
    "random": (lambda x: tg.dropout(tg.concatenate([x] * 9), 0.5), "nondeterministic", "two runs"),
    "not a tensor": (lambda x: x.numpy(), "error", "must return a Tensor"),
    "raises": (lambda x: x.reshape(5), "error", "reshape"),
    "nan": (lambda x: tg.log(x * 0), "error", "value is -inf"),
    "shape": (tg.op("f", lambda x: x, lambda g, y, x: g[:2]), "error", "shape (2,)"),
    "modified": (tg.op("f", spoil, lambda g, y, x: 2 * g), "error", "modified its input 'x'"),
    "nan gradient": (tg.op("f", lambda x: x, lambda g, y, x: g * np.nan), "error", "nan"),
    "missing": (lambda x: tg.Tensor(x.numpy() * 2), "error", "'x' is missing"),
    "raises backward": (tg.op("f", lambda x: x, lambda g, y, x: 1 / None), "error", "backward"),
}


@pytest.mark.parametrize("case", UNCHECKABLE)
def test_what_cannot_be_checked(case: str) -> None:
    f, verdict, words = UNCHECKABLE[case]
    report = tg.gradcheck(f, x3.copy())
    assert (report.verdict, bool(report)) == (verdict, False), report
    assert words in report.diagnosis


def test_a_plain_gradient_must_fit() -> None:
    f = np.tanh
    report = tg.gradcheck(f, x3, vjp=lambda g, x: g.astype("f"))
    assert "is float32" in report.diagnosis
    assert "compute in it" in report.diagnosis
    assert "vjp=vjp" in report.snippet()
    assert "2 gradients" in tg.gradcheck(f, x3, vjp=lambda g, x: (g, g)).diagnosis


def test_too_uncertain_to_judge() -> None:
    coarse = tg.op("coarse", lambda x: np.float64(np.float16(300 + 5 * np.sin(x))))
    coarse.vjp(lambda g, y, x: g * 5 * tg.cos(x))
    report = tg.gradcheck(coarse, np.array([1.0]))
    assert report.verdict == "precision"
    assert "±" in report.diagnosis


def _scaled(x: Any, w: Any, n: int = 1, rows: Any = None) -> Any:
    return _cube(x if rows is None else x[rows]) * w * n


class _Cubes(tg.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w = tg.nn.Parameter(np.array([0.5, 2.0]))

    def forward(self, x: Any) -> Any:
        return _cube(x) * self.w


_cube = tg.op("cube", lambda x: x**3, lambda g, y, x: g * x**2)
_x = np.array([[0.1, 2.0], [1 / 3, -5e-8]])


@pytest.mark.parametrize(
    ("f", "inputs", "options"),
    [
        (_cube, _x, {}),
        (_cube, _x.astype(np.float32), {"mode": "random", "seed": 3}),
        (_cube, np.linspace(-1, 1, 100), {"rtol": 1e-4, "atol": 1e-9}),
        (_Cubes(), _x, {}),
        (_scaled, [_x, tg.Tensor(_x[0], requires_grad=True), 2, np.array([1, 0])], {}),
        (_scaled, [np.arange(70.0).reshape(35, 2), _x[0], 2], {}),
        (tg.log, np.array([1.0, np.nan, np.inf]), {}),
    ],
    ids=["array", "float32", "large", "Module", "one Tensor asks", "large and a number", "nan"],
)
def test_a_failing_report_can_be_reproduced(
    f: Any,
    inputs: Any,
    options: Any,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    report = tg.gradcheck(f, inputs, **options)
    assert not report or f is _scaled
    monkeypatch.chdir(tmp_path)
    report.save("inputs.npz")
    exec(report.snippet(), {"_cube": _cube, "cube": _cube, "module": f, "_scaled": _scaled})
    assert capsys.readouterr().out.strip() == str(report).strip()
    assert report or str(report).endswith(report.snippet().splitlines()[-1])


def test_functions_of_one_number() -> None:
    square = lambda x: x**2  # noqa: E731
    assert tg.gradcheck(square, 0.3, vjp=lambda g, x: 2 * g * x)
    report = tg.gradcheck(square, 0.3, vjp=lambda g, x: g * x)
    assert report.diagnosis == "the gradient for 'x' is off by a constant factor of 1/2"
    assert "a constant factor of 1/3" in tg.gradcheck(_cube, 0.3).diagnosis


@pytest.mark.parametrize(
    "clip", [lambda g: np.clip(g, -10, 10), lambda g: np.where(np.abs(g) < 0.01, 0, g)]
)
def test_a_gradient_that_is_clipped_inside(clip: Any) -> None:
    report = tg.gradcheck(lambda x: x**2, np.linspace(1, 2, 7), vjp=lambda g, x: 2 * x * clip(g))
    assert (report.verdict, report.pattern) == ("wrong", "not linear")


@pytest.mark.parametrize("spoilt", [0, 1], ids=["cotangent", "output"])
def test_a_vjp_that_writes_into_what_it_is_given(spoilt: int) -> None:
    def vjp(*given: Any) -> Any:
        given[spoilt][...] *= 2
        return given[0] * given[2]

    report = tg.gradcheck(tg.op("half", lambda x: x * x, vjp), _x)
    assert report.verdict == "error"
    assert "read-only" in report.diagnosis


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"order": 0}, "order must be 1, 2, 3"),
        ({"order": 1.5}, "order must be"),
        ({"order": 2, "vjp": lambda g, x: g}, "leave vjp out"),
        ({"vjp": "g"}, "vjp must be a function"),
        ({"mode": "some"}, "'full' or 'random', got 'some'"),
        ({"seed": -1}, "seed must be a whole number of at least 0, got -1"),
        ({"seed": "a"}, "seed must be"),
        ({"rtol": "a"}, "rtol must be a number of at least 0, got 'a'"),
        ({"atol": -1e-6}, "atol must be"),
        ({"rtol": float("nan")}, "rtol must be"),
        ({"inputs": [1.0, 2.0]}, "2 numbers"),
        ({"inputs": [[1.0, 2.0]]}, "nothing to differentiate.*input 0 is a list"),
        ({"inputs": {"x": x3}}, "got dict"),
        ({"inputs": np.array([1, 2])}, "nothing to differentiate"),
    ],
)
def test_bad_arguments_raise(arguments: Any, words: str) -> None:
    with pytest.raises(OptionError, match=words):
        tg.gradcheck(tg.tanh, **{"inputs": x3, **arguments})


def test_a_list_of_numbers_that_are_inputs() -> None:
    assert tg.gradcheck(lambda a, b: a * b, [1.0, 2.0])
    assert tg.gradcheck(lambda *x: x[0] * x[1], [1.0, 2.0])
