"""The textbook drawing of networks: its boxes and arcs are those of the network."""

import itertools
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_cnn as tg
import viz
from tinygrad_cnn import nn
from tinygrad_cnn.errors import DtypeError, OptionError
from viz.layers.textbook import Scales
from viz.layers.volumes import Volume
from viz.picture.svg import text_width

NS = "{http://www.w3.org/2000/svg}"


def one(model, input_shape=None) -> dict:
    (network,) = viz.architecture(model, input_shape).data
    return network


def shortcuts(network) -> list[tuple[int, int]]:
    return [(link["source"], link["target"]) for link in network["links"] if link["shortcut"]]


def assert_well_drawn(picture: viz.Picture) -> None:
    """Well-formed, one box for each volume, and every text inside the picture."""
    root = ET.fromstring(picture.svg)
    boxes = [g for g in root.iter(NS + "g") if g.get("class", "").startswith("volume ")]
    assert len(boxes) == sum(len(network["volumes"]) for network in picture.data)
    width, height = picture.size
    for text in root.iter(NS + "text"):
        x, y, size = (float(text.get(name)) for name in ("x", "y", "font-size"))
        wide = text_width(text.text, size, text.get("font-weight") == "bold")
        left = x - wide / 2 if text.get("text-anchor") == "middle" else x
        assert left >= 0
        assert left + wide <= width + 1
        assert size <= y <= height


def test_lenet_and_alexnet_have_the_sizes_of_the_course():
    picture = viz.architecture([tg.models.LeNet(), tg.models.AlexNet()])
    lenet, alexnet = picture.data
    assert [v["shape"] for v in lenet["volumes"]] == [
        (1, 28, 28), (6, 28, 28), (6, 14, 14), (16, 10, 10), (16, 5, 5), (120,), (84,), (10,),
    ]  # fmt: skip
    learned = [v["parameters"] for v in lenet["volumes"] if v["parameters"]]
    assert learned == [156, 2416, 48120, 10164, 850]
    assert lenet["volumes"][1]["words"] == ("conv 5×5", "pad 2", "sigmoid")
    assert [v["shape"] for v in alexnet["volumes"]][1:6] == [
        (96, 54, 54), (96, 26, 26), (256, 26, 26), (256, 12, 12), (384, 12, 12),
    ]  # fmt: skip
    assert (lenet["parameters"], alexnet["parameters"]) == (61_706, 46_764_746)
    assert alexnet["volumes"][2]["words"] == ("max pool 3×3", "stride 2")
    assert_well_drawn(picture)


@pytest.mark.parametrize("name", [n for n in tg.models.MODELS if not n.startswith("plain1")])
def test_the_parameters_below_the_boxes_add_up(name):
    model = tg.models.build(name)
    shape = tg.models.MODELS[name].input_shape
    shape = tuple(min(n, 64) if n == 224 and "resnet" in name else n for n in shape)
    picture = viz.architecture({name: model}, (1, *shape))
    (network,) = picture.data
    total = sum(volume["parameters"] for volume in network["volumes"])
    assert total == network["parameters"] == model.count_parameters()
    assert len(network["volumes"]) <= 24
    assert_well_drawn(picture)


def test_each_residual_addition_is_an_arc_and_says_what_it_does_on_its_way():
    network = one(tg.models.build("resnet8"))
    assert shortcuts(network) == [(1, 3), (3, 5), (5, 7)]
    words = [link["words"] for link in network["links"] if link["shortcut"]]
    assert words == [(), ("conv 1×1", "stride 2", "BN"), ("conv 1×1", "stride 2", "BN")]
    assert "identity" in viz.architecture(tg.models.build("resnet8")).svg
    assert shortcuts(one(tg.models.build("plain8"))) == []


class Mine(nn.Module):
    """A shortcut written by hand, with its branch on the left of the plus."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        x = self.conv(x)
        return (self.conv(x) + 1.0).relu() + x


def test_an_addition_by_hand_is_a_shortcut_too_and_shared_weights_count_where_they_are():
    network = one(Mine(), (1, 3, 6, 5))
    assert [v["shape"] for v in network["volumes"]] == [(3, 6, 5)] * 3
    assert shortcuts(network) == [(1, 2)]
    assert network["volumes"][2]["words"] == ("conv 3×3", "pad 1", "+", "ReLU", "+")


def test_a_deep_network_folds_and_keeps_count():
    network = one(tg.models.build("resnet110"))
    repeats = [v["repeats"] for v in network["volumes"]]
    assert sum(r for r in repeats if r > 1) + repeats.count(1) - 4 == 54  # 4 are no blocks
    long = nn.Sequential(*[nn.Linear(4, 4 + i % 2) for i in [0] * 30])
    (folded,) = [v for v in one(long, (1, 4))["volumes"] if v["repeats"] > 1]
    assert folded["repeats"] == 30
    assert folded["parameters"] == 30 * 20


def test_branches_that_are_no_shortcuts_are_arcs_without_a_plus():
    network = one(tg.models.build("textcnn"))
    joined = next(i for i, v in enumerate(network["volumes"]) if v["words"] == ("concatenate",))
    into = [link for link in network["links"] if link["target"] == joined]
    assert len(into) == 3
    assert not shortcuts(network)


@given(st.lists(st.tuples(*[st.integers(1, 300)] * 3), min_size=1, max_size=9))
def test_boxes_are_to_scale(shapes):
    scales = Scales.of([Volume(shape, (), "convolution") for shape in shapes])
    boxes = [scales.box(shape) for shape in shapes]
    for axis in range(3):  # channels are the width, then come height and depth
        sizes = [(shape[axis], box[axis]) for shape, box in zip(shapes, boxes, strict=True)]
        for (a, wide), (b, narrow) in itertools.pairwise(sizes):
            if min(wide, narrow) > 2.0:
                assert wide * b == pytest.approx(narrow * a)
            else:  # too small to be seen: drawn as large as needed
                assert wide == 2.0 or narrow == 2.0
    assert max(max(box[1:]) for box in boxes) <= 150 + 1e-9


def test_the_model_stays_as_it_was():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(0.5))
    before = {name: np.array(value) for name, value in model.state_dict().items()}
    network = one(model, (2, 1, 5, 5))
    assert model.training
    assert all(np.array_equal(before[name], v) for name, v in model.state_dict().items())
    assert network["volumes"][1]["words"][:2] == ("conv 3×3", "BN")


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda: viz.architecture(nn.Conv2d(1, 1, 3)), OptionError, "needs input_shape"),
        (lambda: viz.architecture([]), OptionError, "got 0"),
        (lambda: viz.architecture([nn.Linear(1, 1)] * 7, (1, 1)), OptionError, "got 7"),
        (lambda: viz.architecture(np.ones(3)), DtypeError, "ndarray"),
        (lambda: viz.architecture({"a": 3}), DtypeError, "int"),
    ],
)
def test_bad_input_is_refused_in_words(call, error, said):
    with pytest.raises(error, match=said):
        call()


def test_the_same_model_gives_the_same_bytes():
    first, second = (viz.architecture(tg.models.build("resnet8")).svg for _ in range(2))
    assert first == second
