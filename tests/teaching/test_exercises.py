"""What the exercises' checks say to right and wrong answers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_cnn as tg
from tinygrad_cnn.errors import OptionError
from tinygrad_cnn.teaching.exercises import check_function, explain

arrays = hnp.arrays(
    np.float64,
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=1, max_side=3),
    elements=st.floats(-100, 100),
)


@given(arrays)
def test_a_right_answer_is_right_in_any_form(right: np.ndarray) -> None:
    for form in (right, right.tolist(), tg.Tensor(right), right.astype(np.float32)):
        assert explain(form, right) is None
        assert explain(right, form) is None


@given(arrays, st.data())
def test_one_wrong_value_is_found_and_sided(right: np.ndarray, data: st.DataObject) -> None:
    at = tuple(data.draw(st.integers(0, n - 1)) for n in right.shape)
    given_ = right.copy()
    given_[at] += 300.0  # so that neither a sign nor a transpose explains it
    words = explain(given_, right)
    assert words is not None
    assert words.endswith("too large.")
    assert not right.shape or f"at {list(at)} you have" in words


@pytest.mark.parametrize(
    ("answer", "right", "words"),
    [
        (..., 1, "not filled in yet"),
        ((2, ...), (2, 3), "not filled in yet"),
        (None, 1, "None is not a number"),
        ([[1], [2, 3]], [1, 2], "is not an array of shape (2,)"),
        (float("nan"), 1, "nan is not finite"),
        (float("inf"), 1, "inf is not finite"),
        ([1, -2], [-1, 2], "the sign is not"),
        ([[1, 2], [3, 4]], [[1, 3], [2, 4]], "transposed"),
        (3, [3], "this is a number, and should be an array of shape (1,)"),
        ([0, 0, 3], [1, 2, 3], "2 of 3 values are wrong: at [0] you have 0, which is too small"),
    ],
)
def test_what_is_wrong_is_said(answer: object, right: object, words: str) -> None:
    assert words.lower() in (explain(answer, right) or "").lower()


def test_tolerance_is_relative_above_one() -> None:
    assert explain(1000.5, 1000.0, tolerance=1e-3) is None
    assert explain(0.0005, 0.0, tolerance=1e-3) is None
    assert explain(0.002, 0.0, tolerance=1e-3) is not None


def test_a_function_is_stopped_at_its_first_failure(capsys: pytest.CaptureFixture[str]) -> None:
    def inverse(n: int) -> float:
        return 1 / n

    check_function(inverse, lambda n: n**-1 if n else 0, [(2,), (0,), (4,)])
    assert "inverse: not yet. inverse(0) raised ZeroDivisionError" in capsys.readouterr().out
    check_function(lambda n: ..., float, [(2,)])
    assert "not filled in yet" in capsys.readouterr().out
    with pytest.raises(OptionError, match="no cases"):
        check_function(inverse, float, [])
