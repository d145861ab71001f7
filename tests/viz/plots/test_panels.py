"""Arrays side by side: what is shown, numbers in small ones, and what is refused."""

import re

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn.errors import OptionError, ShapeError
from viz.plots import panels


def written(picture):
    return re.findall(r"<text[^>]*>([^<]*)</text>", picture.svg)


def test_small_arrays_show_every_number_and_every_name():
    a, b = np.arange(12.0).reshape(3, 4), np.array([[-0.5, 1e6], [np.nan, np.inf]])
    picture = panels({"first": a, "second": tg.Tensor(b[None, None])}, title="two")
    words = written(picture)
    for value in a.ravel():
        assert f"{value:g}" in words
    assert {"first", "second", "two", "−0.5", "1e+06", "nan", "inf"} <= set(words)
    np.testing.assert_equal(picture.data, {"first": a, "second": b})


def test_large_arrays_are_images_without_numbers():
    picture = panels({"grey": np.zeros((20, 30)), "colour": np.full((3, 20, 30), 2.0)})
    assert written(picture) == ["grey", "colour"]
    assert picture.svg.count("<image") == 2


def test_none_leaves_a_place_empty():
    assert written(panels({"a": np.zeros((20, 20)), "b": None})) == ["a"]
    with pytest.raises(OptionError, match="got 0"):
        panels({"a": None})


def test_the_same_arrays_give_the_same_bytes():
    a = np.linspace(-1, 1, 400).reshape(20, 20)
    assert panels({"a": a}, signed=True).svg == panels({"a": a}, signed=True).svg


def test_bad_input_is_refused():
    with pytest.raises(ShapeError, match=r"'x' must be .* got \(2, 4, 4\)"):
        panels({"x": np.zeros((2, 4, 4))})
    with pytest.raises(ShapeError):
        panels({"x": np.zeros((0, 4))})
    with pytest.raises(OptionError, match="got 0"):
        panels({})
    with pytest.raises(OptionError, match="'each' or 'shared'"):
        panels({"x": np.eye(2)}, scale="all")
