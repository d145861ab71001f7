"""Pictures of convolution and pooling: the arithmetic that they show is the engine's."""

import math
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_cnn as tg
import viz
from tinygrad_cnn.errors import DtypeError, OptionError, ShapeError
from viz.windows.numbers import number_text
from viz.windows.window import Window

from .window_strategies import W, X, convolutions, poolings

NAN = float("nan")


def cells(picture: viz.Picture, kind: str) -> list[str]:
    """The numbers in the cells of a kind, in the order in which they are drawn."""
    groups = ET.fromstring(picture.svg).iter("{http://www.w3.org/2000/svg}g")
    return [
        g.find("{*}text").text for g in groups if {"cell", kind} <= set(g.get("class", "").split())
    ]


@given(convolutions(), st.data())
def test_the_products_shown_add_up_to_the_output(arguments, data):
    x, w, bias, options = arguments
    op = tg.conv1d if w.ndim == 3 else tg.conv2d
    y = op(x[None], w, bias, **options)[0]
    at = tuple(data.draw(st.integers(0, n - 1)) for n in y.shape)
    picture = viz.convolution(x, w, bias, **options, at=at)
    window = picture.data
    assert window.output == at
    assert len(window.products) == math.prod(w.shape[1:])
    total = sum(p.value for p in window.products) + (0.0 if bias is None else bias[at[0]])
    assert total == pytest.approx(y[at], abs=1e-12)
    assert window.sum == pytest.approx(y[at], abs=1e-12)
    for product in window.products:
        assert product.weight == w[(at[0], *product.tap)]
        outside = any(not 0 <= q < n for q, n in zip(product.cell, x.shape, strict=True))
        assert product.padding == outside
        assert product.input == (0.0 if outside else x[product.cell])
    assert cells(picture, "output")[-1] == number_text(y[at])
    if "<image" not in picture.svg:  # all numbers are printed
        assert len(cells(picture, "window")) == len(window.products)


def read(window: Window) -> str:
    terms = [f"{p.input:g}·{p.weight:g}" for p in window.products]
    return f"{' + '.join(terms)} = {window.sum:g}"


@pytest.mark.parametrize(
    ("x", "w", "options", "at", "arithmetic"),
    [
        (X, W, {}, (0, 0), "0·0 + 1·1 + 3·2 + 4·3 = 19"),
        (X, W, {"padding": 1}, (0, 1), "0·0 + 0·1 + 0·2 + 1·3 = 3"),
        # The slide on strides writes 0·1 for the second term, and 3; it is 6·1, and 6.
        (X, W, {"padding": 1, "stride": (3, 2)}, (1, 0), "0·0 + 6·1 + 0·2 + 0·3 = 6"),
        (np.arange(7.0), [1.0, 2.0], {}, 2, "2·1 + 3·2 = 8"),
    ],
)
def test_the_slides_examples(x, w, options, at, arithmetic):
    picture = viz.convolution(x, w, **options, at=at)
    assert read(picture.data) == arithmetic
    assert arithmetic in picture.svg


def test_the_slides_whole_outputs():
    picture = viz.convolution(X, W, padding=1, at=(0, 0))
    shown = cells(picture, "cell")[-16:]
    assert list(map(int, shown)) == [0, 3, 8, 4, 9, 19, 25, 10, 21, 37, 43, 16, 6, 7, 8, 0]
    x, k = np.stack([X, X + 1]), np.stack([W, W + 1])
    picture = viz.convolution(x, np.stack([k, k + 1, k + 2]), at=(0, 0, 0))
    assert picture.data.channel_sums == (19.0, 37.0)
    assert "19 + 37 = 56" in picture.svg
    shown = list(map(int, cells(picture, "cell")[-12:]))
    assert shown == [56, 72, 104, 120, 76, 100, 148, 172, 96, 128, 192, 224]


@given(poolings(), st.sampled_from(["max", "mean"]), st.booleans(), st.data())
def test_a_pooled_cell_is_the_maximum_or_mean_of_its_window(arguments, kind, counted, data):
    x, options = arguments
    names = {"max": "max_pool", "mean": "avg_pool"}
    op = getattr(tg, f"{names[kind]}{x.ndim - 1}d")
    more = {} if kind == "max" else {"count_include_pad": counted}
    tensor = tg.Tensor(x[None], requires_grad=True)
    y = op(tensor, **options, **more)
    at = tuple(data.draw(st.integers(0, n - 1)) for n in y.shape[1:])
    window = viz.pooling(x, **options, kind=kind, count_include_pad=counted, at=at).data
    assert window.value == y.data[(0, *at)]
    gradient = tg.grad(y[(0, *at)], tensor).data[0]
    if kind == "max":
        assert window.value == max(window.values)
        assert window.winner == window.values.index(window.value)  # the first of equal ones
        assert gradient[window.cells[window.winner]] == 1
        assert gradient.sum() == 1
    else:
        assert sum(window.values) / window.divisor == pytest.approx(window.value)
        for cell, outside in zip(window.cells, window.padding, strict=True):
            assert outside or gradient[cell] == pytest.approx(1 / window.divisor)


def test_the_slides_poolings():
    outputs = {"max": "4 5 7 8", "mean": "2 3 5 6"}
    for kind, output in outputs.items():
        picture = viz.pooling(X, 2, 1, kind=kind, at=(0, 0))
        assert " ".join(cells(picture, "cell")[-4:]) == output


def test_nan_is_drawn_as_such():
    x = np.where(X == 4, NAN, X)
    for picture in (viz.convolution(x, W, at=(0, 0)), viz.pooling(x, 2, 1, at=(0, 0))):
        assert "NaN" in cells(picture, "broken")
        assert "What reads a NaN is NaN" in picture.svg
    assert not cells(viz.pooling(X, 2, 2, 1, at=(0, 0)), "broken")  # −∞ in the padding is allowed


def test_large_arrays_are_heat_maps():
    x = np.random.default_rng(0).normal(size=(40, 50))
    picture = viz.convolution(x, np.ones((3, 3)), at=(5, 7))
    assert picture.svg.count("<image ") == 2
    assert len(cells(picture, "product")) == 9
    assert picture.data.sum == pytest.approx(x[5:8, 7:10].sum())
    picture.png()


@pytest.mark.parametrize(
    ("x", "w", "options", "at", "error", "words"),
    [
        (X, np.ones((4, 4)), {}, (0, 0), ShapeError, "does not fit"),
        (X, W, {}, (2, 0), ShapeError, "outside"),
        (X, W, {}, (0,), ShapeError, "2 or 3 indices"),
        (X, W, {}, (0.5, 0), ShapeError, "int"),
        (np.zeros((0, 3)), W, {}, (0, 0), ShapeError, "empty"),
        (X, np.ones((1, 2, 2, 2)), {}, (0, 0), ShapeError, "channels"),
        (np.ones((2, 1, 3, 3)), W[None, None], {}, (0, 0), ShapeError, r"x\[:1\]"),
        (np.ones((3, 3, 3, 3, 3)), W, {}, (0, 0), ShapeError, "must be"),
        (X, np.ones((1, 1, 1, 1, 1)), {}, (0, 0), ShapeError, "w must be"),
        (X, W, {"stride": 0}, (0, 0), OptionError, "stride"),
        (X.astype(complex), W, {}, (0, 0), DtypeError, "real"),
        (np.ones((300, 3)), W, {}, (0, 0), OptionError, "cut out"),
        (np.ones((9, 3, 3)), np.ones((1, 9, 2, 2)), {}, (0, 0), OptionError, "select"),
    ],
)
def test_what_does_not_fit_is_refused(x, w, options, at, error, words):
    with pytest.raises(error, match=words):
        viz.convolution(x, w, **options, at=at)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((X, 4), ShapeError, "does not fit"),
        ((X, 2, 1, 2), OptionError, "half"),
        ((X, 2, 1, 0, "median"), OptionError, "median"),
        ((X, (2, 2, 2)), OptionError, "kernel_size"),
        (([], 2), ShapeError, "empty"),
    ],
)
def test_poolings_that_mean_nothing_are_refused(arguments, error, words):
    with pytest.raises(error, match=words):
        viz.pooling(*arguments, at=(0, 0))


@given(st.floats(-1e300, 1e300) | st.integers(-(10**7), 10**7).map(float))
def test_numbers_are_short_and_near(value):
    text = number_text(value)
    assert len(text) <= 9
    if math.isfinite(value):
        assert float(text.replace("−", "-")) == pytest.approx(value, rel=0.06)


PICTURES = {
    "padding": lambda: viz.convolution(X, W, [-0.125], padding=1, at=(0, 1)),
    "channels": lambda: viz.convolution(
        -1e6 / 3 * np.stack([X, X]), np.stack([W, W])[None], at=(0, 1)
    ),
    "one dimension": lambda: viz.convolution(np.arange(7.0) / 7, [1.0, 2.0], at=2),
    "pooling": lambda: viz.pooling(X / -7, 3, 2, 1, at=(1, 1)),
}


@pytest.mark.browser
@pytest.mark.parametrize("name", PICTURES)
def test_numbers_stay_inside_their_cells_and_all_inside_the_picture(browser, tmp_path, name):
    browser.open(PICTURES[name]().save(tmp_path / "page.html"))
    browser.evaluate("document.querySelectorAll('svg').forEach(s => s.style.maxWidth = 'none')")
    outside = browser.evaluate("""
        [...document.querySelectorAll(".cell")].flatMap(cell => {
            const box = cell.querySelector("rect").getBBox()
            const t = cell.querySelector("text").getBBox()
            return t.x < box.x || t.x + t.width > box.x + box.width
                || t.y < box.y || t.y + t.height > box.y + box.height ? [cell.textContent] : []
        })""")
    assert outside == []
    assert browser.evaluate("document.querySelectorAll('.cell').length") > 5
    assert browser.texts_outside() == []
    assert browser.complaints == []
