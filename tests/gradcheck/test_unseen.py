"""What a check could not see at the inputs that it was given, it says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_cnn as tg
from tests.gradcheck.zoo import LAYERS, Layer

a, b = np.full((2, 3), 3.0), np.ones((2, 3))
x = np.array([0.3, -0.5, 1.0])


def maximum(a: Any, b: Any) -> Any:
    return np.maximum(a, b)


def lazy_maximum(g: Any, a: Any, b: Any) -> Any:
    return g * (a > b), None


def leaky(x: Any) -> Any:
    return np.where(x > 0, x, x / 10)


def branches(x: Any) -> Any:
    return tg.where(x.numpy() > -50, tg.tanh(x), x * x)


UNSEEN: dict[str, tuple[Any, Any, Any, str, str]] = {
    "maximum": (maximum, (a, b), lazy_maximum, "'b' has no influence", "'b' is missing"),
    "right maximum": (tg.maximum, (a, b), None, "'b' has no influence", "'b' counts"),
    "relu": (tg.relu, -np.abs(x), None, "'x' has no influence", "'x' counts"),
    "mask": (lambda x: x * 0, x, None, "'x' has no influence", "random ones did not help"),
    "clip": (lambda x: np.clip(x, -9, 9), x, lambda g, x: g, "slope in 'x' is 1", "mask is miss"),
    "leaky": (leaky, abs(x), lambda g, x: g, "slope in 'x' is 1", "passed on"),
    "where": (branches, x, None, "the second branch of a `where`", "both are taken"),
}  # fmt: skip


@pytest.mark.parametrize("case", UNSEEN)
@pytest.mark.parametrize("mode", ["full", "random"])
def test_what_the_inputs_do_not_show(case: str, mode: str) -> None:
    f, inputs, vjp, told, to_try = UNSEEN[case]
    if mode == "random" and told.startswith("slope"):
        pytest.skip("along one direction a straight line is not seen")
    before = np.copy(inputs)
    report = tg.gradcheck(f, inputs, vjp=vjp, mode=mode)
    assert report.verdict == "ok", report
    assert report.diagnosis.startswith("right as far as it goes: "), report
    assert told in report.unseen[0], report
    if mode == "full" or to_try != "'b' is missing":
        assert to_try in report.what_to_try, report
    assert f"what to try: {report.what_to_try}" in str(report)
    np.testing.assert_array_equal(inputs, before)


def test_what_is_told_can_be_drawn() -> None:
    report = tg.gradcheck(maximum, (a, b), vjp=lazy_maximum)
    code = report.what_to_try.split("draw 'b' as ")[1]
    made, random = code.split(", with ")
    names: dict[str, Any] = {"np": np, "shape": b.shape}
    exec(random.split(":")[0], names)
    assert not tg.gradcheck(maximum, (a, eval(made, names)), vjp=lazy_maximum)


def test_what_stays_unseen_in_a_higher_order() -> None:
    report = tg.gradcheck(tg.relu, -np.abs(x), order=2)
    assert "'x' has no influence" in report.diagnosis
    assert not tg.gradcheck(tg.matmul, (a, b.T), order=2).unseen  # though its slopes are constant


@given(st.sampled_from(LAYERS), st.integers(0, 10**6))
def test_nothing_is_missed_where_everything_counts(layer: Layer, seed: int) -> None:
    arrays = layer.draw(np.random.default_rng(seed))
    report = tg.gradcheck(layer.f, arrays)
    bent = {"relu", "maximum"}  # all may be on one side by chance
    assert not report.unseen or layer.name in bent or not all(layer.not_zero(arrays)), report


def test_branches_of_pytorch() -> None:
    torch = pytest.importorskip("torch")
    z = torch.from_numpy(x)
    report = tg.gradcheck(lambda x: torch.where(x > -50, torch.tanh(x), x * x), z)
    assert "the second branch of a `where`" in report.diagnosis
    assert "both are taken" in report.what_to_try
