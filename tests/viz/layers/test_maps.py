"""Feature maps and filters: what stands on the sheet is what the engine computed."""

import base64
import io
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

import tinygrad_cnn as tg
import viz
from tinygrad_cnn import nn
from tinygrad_cnn.errors import DtypeError, OptionError, ShapeError
from viz.picture.raster import colors
from viz.picture.sheet import WIDTH
from viz.picture.svg import text_width

NS = "{http://www.w3.org/2000/svg}"


def network() -> nn.Module:
    tg.manual_seed(0)
    return nn.Sequential(
        conv=nn.Conv2d(1, 3, 3),
        bn=nn.BatchNorm2d(3),
        act=nn.ReLU(),
        flat=nn.Flatten(),
        dense=nn.Linear(3 * 4 * 5, 200),
    )


def pixels(picture: viz.Picture) -> list[np.ndarray]:
    """The images inside tiles, in order."""
    found = []
    for tile in ET.fromstring(picture.svg).iter(NS + "g"):
        if tile.get("class") == "tile":
            address = tile.find(NS + "image").get("href")
            found.append(
                np.asarray(Image.open(io.BytesIO(base64.b64decode(address.split(",")[1]))))
            )
    return found


def assert_inside(picture: viz.Picture) -> None:
    """Every text is inside the sheet."""
    for text in ET.fromstring(picture.svg).iter(NS + "text"):
        if text.get("text-anchor") is None:
            bold = text.get("font-weight") == "bold"
            width = text_width(text.text, float(text.get("font-size")), bold)
            assert float(text.get("x")) + width <= WIDTH, text.text


def test_each_layer_shows_what_the_engine_computed_and_the_model_stays_as_it_was():
    model, x = network(), np.random.default_rng(0).normal(size=(1, 1, 6, 7)).astype(np.float32)
    model.bn.running_mean.data = np.array([0.5, -0.5, 0.0], np.float32)
    before = {name: np.array(value) for name, value in model.state_dict().items()}
    picture = viz.feature_maps(model, x[0])
    assert model.training
    assert all(np.array_equal(before[name], v) for name, v in model.state_dict().items())
    model.eval()
    conv = model.conv(tg.Tensor(x))
    wanted = [x, conv, model.bn(conv), model.bn(conv).relu(), model(tg.Tensor(x))]
    assert [row["layer"] for row in picture.data] == ["input", "conv", "bn", "act", "dense"]
    for row, values in zip(picture.data, wanted, strict=True):
        np.testing.assert_allclose(row["values"], np.asarray(getattr(values, "data", values))[0])
        assert row["scale"] == pytest.approx(np.abs(row["values"]).max())
    shown = pixels(picture)
    assert len(shown) == 1 + 3 + 3 + 3 + 1
    for channel in range(3):
        expected = colors(conv.numpy()[0, channel], picture.data[1]["scale"], signed=True)
        np.testing.assert_array_equal(shown[1 + channel], expected)
    assert_inside(picture)


def test_a_shared_scale_is_that_of_the_largest_and_layers_can_be_chosen():
    picture = viz.feature_maps(network(), np.ones((6, 7)), scale="shared", layers=["conv", "act"])
    assert [row["layer"] for row in picture.data] == ["conv", "act"]
    assert {row["scale"] for row in picture.data} == {np.abs(picture.data[0]["values"]).max()}


def test_channels_left_out_are_told_and_vectors_fill_lines():
    picture = viz.feature_maps(network(), np.ones((6, 7)), most=2)
    assert "the first 2 of 3 channels" in picture.svg
    assert [row["shown"] for row in picture.data] == [1, 2, 2, 2, 200]
    assert pixels(picture)[-1].shape == (2, 128, 3)


def test_what_is_not_finite_is_crimson_and_counted():
    x = np.zeros((6, 7))
    x[2, 3] = np.nan
    picture = viz.feature_maps(network(), x, layers="conv")
    assert "27 not finite" in picture.svg
    assert "NaN or infinite" in picture.svg
    assert (pixels(picture)[0].reshape(-1, 3) == (209, 0, 75)).all(axis=1).sum() == 9


@pytest.mark.parametrize("name", ["lenet", "resnet8", "textcnn", "mlp", "go_policy_9x9"])
def test_it_draws_the_courses_networks(name):
    model = tg.models.build(name)
    shape = tg.models.MODELS[name].input_shape
    image = np.zeros(shape, np.int64 if name == "textcnn" else np.float32)
    assert_inside(viz.feature_maps(model, image))


@given(
    arrays(
        np.float64,
        st.tuples(*[st.integers(1, 5)] * 4),
        elements=st.floats(-9, 9) | st.just(np.nan) | st.just(np.inf),
    )
)
def test_each_kernel_is_drawn_once_in_its_colours(weights):
    picture = viz.filters(weights)
    (row,) = picture.data
    finite = np.abs(weights[np.isfinite(weights)])
    assert row["scale"] == finite.max(initial=0.0)
    shown = pixels(picture)
    kernels = weights.reshape(-1, *weights.shape[2:])
    assert len(shown) == len(kernels)
    for drawn, kernel in zip(shown, kernels, strict=True):
        np.testing.assert_array_equal(drawn, colors(kernel, row["scale"] or 1.0, signed=True))
    assert_inside(picture)


def test_all_convolutions_of_a_model_and_how_many_are_shown():
    picture = viz.filters(tg.models.LeNet(), most=4)
    assert [row["shown"] for row in picture.data] == [(4, 1), (4, 4)]
    assert "the first 4 of 16 filters, 4 of 6 channels" in picture.svg
    assert viz.filters(nn.Conv1d(2, 3, 5)).data[0]["values"].shape == (3, 2, 5)


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda: viz.feature_maps(np.ones(3), np.ones((6, 7))), DtypeError, "Module"),
        (lambda: viz.feature_maps(network(), np.ones((0, 7))), ShapeError, "empty"),
        (lambda: viz.feature_maps(network(), np.ones((2, 1, 6, 7))), ShapeError, "one example"),
        (lambda: viz.feature_maps(network(), np.ones((6, 7)), layers="c"), OptionError, "conv"),
        (lambda: viz.feature_maps(network(), np.ones((6, 7)), scale="x"), OptionError, "shared"),
        (lambda: viz.feature_maps(network(), np.ones((6, 7)), most=0), OptionError, "most"),
        (
            lambda: viz.feature_maps(tg.models.build("resnet56"), np.ones((28, 28))),
            OptionError,
            "layers=",
        ),
        (lambda: viz.feature_maps(nn.ReLU(), np.ones((40, 400, 400))), OptionError, "smaller"),
        (lambda: viz.filters(tg.models.build("resnet50")), OptionError, "smaller `most`"),
        (lambda: viz.filters(nn.Linear(2, 2)), OptionError, "no weights of a convolution"),
        (lambda: viz.filters(np.ones((2, 2))), ShapeError, r"\(2, 2\)"),
        (lambda: viz.filters(np.ones((0, 1, 3, 3))), ShapeError, r"\(0, 1, 3, 3\)"),
    ],
)
def test_bad_input_is_refused_in_words(call, error, said):
    with pytest.raises(error, match=said):
        call()
