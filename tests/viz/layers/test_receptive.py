"""Pictures of receptive fields: their data is the engine's, and all text is inside."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest

import tinygrad_cnn as tg
import viz
from tinygrad_cnn.errors import OptionError, ShapeError
from viz.layers.receptive import MAX_STAGES

IMAGE = np.random.default_rng(0).normal(size=(1, 28, 28)).astype(np.float32)


def lenet() -> viz.Picture:
    tg.manual_seed(0)
    return viz.receptive_field(tg.models.LeNet(), index=(1, 2), layer="features", image=IMAGE)


def test_the_cone_goes_back_through_every_layer():
    cone = lenet().data
    names = ["image", "conv1", "pool1", "conv2", "pool2"]
    assert [stage.name.removeprefix("features.") for stage in cone.stages] == names
    assert [stage.size[0] for stage in cone.stages] == [1, 5, 6, 14, 16]
    assert [len(stage.cells[0]) for stage in cone.stages] == [16, 12, 6, 2, 1]
    assert cone.stages[-1].cells == ((1,), (2,))
    field = tg.receptive_field(tg.models.LeNet(), (1, 1, 28, 28), (1, 2), "features")
    assert cone.stages[0].cells == tuple(tuple(sorted(c)) for c in field.cells)
    outside = np.ones((28, 28), bool)
    outside[np.ix_(*cone.stages[0].cells)] = False
    assert cone.effective[outside].max() == 0 < cone.effective.max()
    assert max(cone.half) < 16


def test_half_of_the_gradient():
    even = viz.receptive_field(lambda x: tg.avg_pool2d(x, 9), (1, 1, 9, 9)).data
    assert even.half == (7, 7)  # 49 of 81; 5 × 5 would be 25


def test_a_gradient_that_is_0_everywhere_is_said_to_be():
    layer = tg.nn.Conv2d(1, 1, 3)
    layer.weight.data = -np.ones(layer.weight.shape)
    layer.bias.data = -np.ones(1)
    picture = viz.receptive_field(tg.nn.Sequential(layer, tg.nn.ReLU()), image=np.ones((5, 5)))
    assert not picture.data.effective.any()
    assert picture.data.half == (3, 3)
    assert "The gradient is 0 everywhere" in picture.svg


@pytest.mark.parametrize(
    "draw",
    [
        lenet,
        lambda: viz.receptive_field(tg.models.build("resnet20"), (1, 1, 28, 28), layer="layer3"),
        lambda: viz.receptive_field(tg.nn.Conv1d(1, 1, 3, dilation=2), (1, 1, 20)),
        lambda: viz.receptive_field(tg.models.LeNet(), (1, 1, 28, 28)),
    ],
)
def test_pictures_are_well_formed_and_hold_few_maps(draw):
    picture = draw()
    groups = ET.fromstring(picture.svg).iter("{http://www.w3.org/2000/svg}g")
    maps = [group for group in groups if group.get("class") == "map"]
    assert len(maps) == len(picture.data.stages) <= MAX_STAGES
    assert (picture.data.left_out > 0) == ("are not drawn" in picture.svg)
    picture.png()


@pytest.mark.browser
def test_text_is_inside_the_picture(browser, tmp_path):
    browser.open(lenet().save(tmp_path / "page.html"))
    assert browser.texts_outside() == []
    assert browser.complaints == []


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(OptionError, match="input_shape"):
        viz.receptive_field(tg.models.LeNet())
    with pytest.raises(ShapeError, match="one or two spatial axes"):
        viz.receptive_field(tg.nn.Conv3d(1, 1, 2), (1, 1, 4, 4, 4))
    with pytest.raises(ShapeError, match="image must be"):
        viz.receptive_field(tg.models.LeNet(), image=np.zeros(5))
    with pytest.raises(ShapeError, match="the image must be"):
        viz.receptive_field(tg.models.LeNet(), (1, 1, 28, 28), image=np.zeros((1, 9, 9)))
