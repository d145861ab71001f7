"""Backward and transposed: the products, stamps and arrows that are shown are the gradient."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import tinygrad_cnn as tg
import viz
from tinygrad_cnn.errors import OptionError, ShapeError
from viz.windows.backward import MOST_ARROWS, meetings, weight_meetings
from viz.windows.convolution import read_convolution

from .window_strategies import W, X, convolutions, poolings


@given(convolutions(), st.sampled_from(["x", "w"]), st.data())
def test_a_convolutions_gradient_is_the_convolution_shown(arguments, wrt, data):
    x, w, _, options = arguments
    op = tg.conv1d if w.ndim == 3 else tg.conv2d
    inputs = {"x": tg.Tensor(x[None], requires_grad=True), "w": tg.Tensor(w, requires_grad=True)}
    y = op(inputs["x"], inputs["w"], **options)
    g = np.random.default_rng(1).normal(size=y.shape)
    gradient = tg.grad(y, inputs[wrt], g).numpy()
    gradient = gradient[0] if wrt == "x" else gradient
    at = tuple(data.draw(st.integers(0, n - 1)) for n in gradient.shape)
    picture = viz.convolution_backward(x, w, g, **options, wrt=wrt, at=at)
    assert picture.data.output == at
    assert picture.data.sum == pytest.approx(gradient[at], abs=1e-12)
    meet, factors = {"x": (meetings, w), "w": (weight_meetings, x)}[wrt]
    met = meet(read_convolution("", x, w, None, **options), at)
    total = sum(factors[place] * g[0][output] for place, output in met)
    assert total == pytest.approx(picture.data.sum)
    values = {*x.flat} if wrt == "w" else {*g.flat}  # and the zeros that are put between
    assert {p.input for p in picture.data.products} <= values | {0.0}
    assert {p.weight for p in picture.data.products} <= {*(g if wrt == "w" else w).flat}


@given(poolings(), st.sampled_from(["max", "mean"]), st.booleans())
def test_the_arrows_of_a_pooling_are_its_gradient(arguments, kind, counted):
    x, options = arguments
    name = {"max": "max_pool", "mean": "avg_pool"}[kind]
    more = {} if kind == "max" else {"count_include_pad": counted}
    tensor = tg.Tensor(x[None], requires_grad=True)
    y = getattr(tg, f"{name}{x.ndim - 1}d")(tensor, **options, **more)
    g = np.random.default_rng(1).normal(size=y.shape)
    gradient = tg.grad(y, tensor, g).numpy()[0]
    assume(kind == "max" or y.size * np.prod(options["kernel_size"]) <= MOST_ARROWS)
    assume(y.size <= MOST_ARROWS)
    picture = viz.pooling_backward(x, **options, kind=kind, gradient=g, count_include_pad=counted)
    shown = np.zeros(x.shape)
    for share in picture.data.shares:
        shown[share.input] += share.value
    np.testing.assert_allclose(shown, gradient, atol=1e-12)
    np.testing.assert_allclose(picture.data.input, gradient, atol=1e-12)
    assert picture.svg.count('class="arrow"') == len(picture.data.shares)
    at = tuple(n // 2 for n in y.shape[1:])
    one = viz.pooling_backward(x, **options, kind=kind, gradient=g, at=at)
    assert {share.output for share in one.data.shares} <= {at}


def test_the_gradient_at_an_input_says_which_weight_meets_which_output():
    picture = viz.convolution_backward(np.eye(3), [[1.0, 2.0], [3.0, 4.0]], at=(0, 1))
    assert "dx[0, 1] = w[0,0]·g[0,1] + w[0,1]·g[0,0]" in picture.svg
    two = np.arange(8.0).reshape(2, 1, 2, 2)
    assert "w[1,0,0,1]·g[1,0,0]" in viz.convolution_backward(np.eye(3), two, at=(0, 1)).svg


def test_the_gradient_at_a_kernel_says_which_input_meets_which_output():
    picture = viz.convolution_backward(np.eye(2), [[1.0, 2.0]], padding=1, wrt="w", at=(0, 1))
    assert "dw[0, 1] = x[0,0]·g[1,0] + x[0,1]·g[1,1] + x[1,0]·g[2,0]" in picture.svg
    two = viz.convolution_backward(np.ones((2, 2, 2)), np.ones((1, 2, 1, 1)), wrt="w", at=(1, 0, 0))
    assert "dw[0, 1, 0, 0] = x[1,0,0]·g[0,0,0]" in two.svg


def test_ties_and_means():
    tie = viz.pooling_backward([[3.0, 3.0], [3.0, 0.0]], 2, gradient=[[5.0]])
    assert [(share.input, share.value) for share in tie.data.shares] == [((0, 0, 0), 5.0)]
    assert "Of equal numbers" in tie.svg
    mean = viz.pooling_backward([[3.0, 3.0], [3.0, 0.0]], 2, kind="mean")
    assert [share.value for share in mean.data.shares] == [0.25] * 4


@given(convolutions(), st.data())
def test_the_stamps_add_up_to_the_transposed_convolution(arguments, data):
    _, w, bias, options = arguments
    d = w.ndim - 2
    rng = np.random.default_rng(2)
    x = rng.normal(size=(len(w), *(data.draw(st.integers(2, 4)) for _ in range(d))))
    bias = None if bias is None else rng.normal(size=w.shape[1])
    op = (tg.conv_transpose1d, tg.conv_transpose2d)[d - 1]
    try:
        y = op(x[None], w, bias, **options)[0]
    except ShapeError:  # the padding cuts everything off
        return
    animation = viz.transposed_convolution(x, w, bias, **options)
    total = np.zeros(y.shape) if bias is None else np.zeros(y.shape) + bias.reshape(-1, *[1] * d)
    for stamp in animation.data:
        for cell, value in stamp.cells().items():
            if all(0 <= q < n for q, n in zip(cell, y.shape[1:], strict=True)):
                total[(stamp.channel, *cell)] += value
    np.testing.assert_allclose(total, y, atol=1e-12)
    assert len(animation) == w.shape[1] * x[0].size


def test_the_output_grows_in_the_animation():
    animation = viz.transposed_convolution(X[:2, :2], W, stride=2)
    assert [stamp.start for stamp in animation.data] == [(0, 0), (0, 2), (2, 0), (2, 2)]
    assert "output so far" in animation.svg
    whole = viz.transposed_convolution(X[:2, :2], W, stride=2, at=(1, 1))
    assert "output so far" not in whole.svg


def test_what_means_nothing_is_refused():
    with pytest.raises(OptionError, match="wrt"):
        viz.convolution_backward(X, W, wrt="b", at=(0, 0))
    with pytest.raises(ShapeError, match="output's shape"):
        viz.convolution_backward(X, W, np.ones((3, 3)), at=(0, 0))
    with pytest.raises(ShapeError, match="outside"):
        viz.convolution_backward(X, W, at=(3, 0))
    with pytest.raises(OptionError, match="arrows"):
        viz.pooling_backward(np.ones((20, 20)), 3, 1, kind="mean")
    with pytest.raises(ShapeError, match="w must be"):
        viz.transposed_convolution(X, np.ones((1, 1, 1, 1, 1)), at=(0, 0))
    with pytest.raises(ShapeError, match="outside"):
        viz.transposed_convolution(X, W, at=(3, 0))


@pytest.mark.browser
@pytest.mark.parametrize(
    "draw",
    [
        lambda: viz.convolution_backward(X, W, stride=2, padding=1, at=(1, 1)),
        lambda: viz.convolution_backward(X / 7, W, wrt="w", at=(0, 1)),
        lambda: viz.pooling_backward(X, 2, 1),
        lambda: viz.transposed_convolution(X, W, [1.0], stride=2, padding=1, at=(1, 1)),
    ],
)
def test_text_is_inside(browser, tmp_path, draw):
    browser.open(draw().save(tmp_path / "page.html"))
    assert browser.texts_outside() == []
    assert browser.complaints == []
