"""Connectivity: the three matrices are those of the engine's layers."""

import math
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_cnn as tg
import viz
from tinygrad_cnn.errors import OptionError, ShapeError
from viz.layers.connectivity import NONE


@given(st.data())
def test_the_matrices_are_those_of_the_layers(data):
    size = tuple(data.draw(st.integers(2, 5)) for _ in range(2))
    kernel = tuple(data.draw(st.integers(1, n)) for n in size)
    stride, padding = data.draw(st.integers(1, 2)), data.draw(st.integers(0, 1))
    filters = data.draw(st.integers(1, 2))
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=size), rng.normal(size=(filters, 1, *kernel))
    y = tg.conv2d(x[None, None], w, stride=stride, padding=padding)
    if y.size > 48:
        return
    picture = viz.connectivity(size, kernel, stride, padding, filters)
    dense, local, shared = picture.data.layers
    assert picture.data.outputs == (y.shape[1:] if filters > 1 else y.shape[2:])
    # A convolution: the matrix, with the weights in it, takes x to y.
    matrix = np.where(shared.matrix == NONE, 0, w.ravel()[shared.matrix])
    np.testing.assert_allclose(matrix @ x.ravel(), y.ravel(), atol=1e-12)
    # A locally connected layer: each place of the output has weights of its own.
    own = rng.normal(size=(*w.shape, *y.shape[2:]))
    jacobian = tg.jacobian(
        lambda t: tg.locally_connected2d(t, own, stride=stride, padding=padding)
    )(x[None, None])
    jacobian = jacobian.numpy().reshape(y.size, x.size)
    assert np.array_equal(jacobian != 0, local.matrix != NONE)
    assert sorted(local.matrix[local.matrix != NONE]) == list(range(local.weights))
    assert sorted(dense.matrix.flat) == list(range(x.size * y.size))
    assert (dense.weights, shared.weights) == (x.size * y.size, filters * math.prod(kernel))
    groups = list(ET.fromstring(picture.svg).iter("{http://www.w3.org/2000/svg}g"))
    weights = sum(int((layer.matrix != NONE).sum()) for layer in picture.data.layers)
    for kind in ("wire", "entry"):
        assert sum(group.get("class") == kind for group in groups) == weights


def test_counts_as_on_the_slide():
    """Fully connected → locally connected → convolution → several filters, in one dimension."""
    counts = [layer.weights for layer in viz.connectivity(7, 3).data.layers]
    assert counts == [5 * 7, 5 * 3, 3]
    counts = [layer.weights for layer in viz.connectivity(7, 3, filters=2).data.layers]
    assert counts == [2 * 5 * 7, 2 * 5 * 3, 2 * 3]
    assert viz.connectivity(7, 3, padding=1).data.layers[1].weights == 7 * 3 - 2


@pytest.mark.browser
def test_text_is_inside_the_picture(browser, tmp_path):
    browser.open(viz.connectivity((3, 3), 2, padding=1).save(tmp_path / "page.html"))
    assert browser.texts_outside() == []
    outside = browser.evaluate("""[...document.querySelectorAll(".entry")].filter(e => {
            const box = e.querySelector("rect").getBBox(), t = e.querySelector("text")?.getBBox()
            return t && (t.x < box.x || t.x + t.width > box.x + box.width)
        }).map(e => e.textContent)""")
    assert outside == []


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((40, 3), OptionError, "too many"),
        ((3, 4), ShapeError, "does not fit"),
        (((3, 3, 3), 2), ShapeError, "size must be"),
        ((7, 3, 0), OptionError, "stride"),
        ((7, 3, 1, 0, 0), OptionError, "filters"),
    ],
)
def test_what_cannot_be_drawn_is_refused(arguments, error, words):
    with pytest.raises(error, match=words):
        viz.connectivity(*arguments)
