"""Plots by matplotlib: what they say, and that the same data give the same bytes."""

import subprocess
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn.errors import OptionError, ShapeError
from tinygrad_cnn.train import Epoch, History
from viz.picture import Picture
from viz.plots import images, training

NS = "{http://www.w3.org/2000/svg}"
CLASSES = ("cat", "dog", "a bird of prey")


def history(epochs: int, held_out: bool = True) -> History:
    rng = np.random.default_rng(epochs)
    records = [
        Epoch(i, rng.random(), rng.random(), rng.random() if held_out else None, 1.0)
        for i in range(1, epochs + 1)
    ]
    return History(list(rng.random(4 * epochs)), records)


def texts(picture: Picture) -> list[str]:
    return ["".join(e.itertext()).strip() for e in ET.fromstring(picture.svg).iter(NS + "text")]


def batch(count: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(count, 1, 5, 5)).astype(np.float32)


def test_training_names_its_curves_and_ends_with_the_held_out_accuracy():
    shown = history(3)
    picture = training(shown)
    assert picture.title == "training: 3 epochs"
    assert picture.data["steps"] == shown.steps
    assert picture.data["epochs"][2]["held_out_accuracy"] == shown.epochs[2].held_out_accuracy
    assert {"Loss", "each batch", "epoch"} <= set(texts(picture))
    assert f"held out, in the end {shown.epochs[-1].held_out_accuracy:.1%}" in texts(picture)


def test_without_held_out_data_there_is_no_such_curve():
    assert not any("held out" in text for text in texts(training(history(2, held_out=False))))


def test_an_empty_history_is_refused():
    with pytest.raises(OptionError, match="empty"):
        training(History())


def test_wrong_predictions_have_a_cross_and_a_frame():
    picture = images(batch(3), [0, 1, 2], [0, 2, 2], CLASSES)
    assert picture.title == "3 images, 2 right"
    assert picture.data["right"] == [True, False, True]
    shown = texts(picture)
    assert {"✓ cat", "dog", "✗ a bird …prey"} <= set(shown)
    assert sum(text.startswith("✗") for text in shown) == 1
    assert picture.svg.count("stroke: #b30000") == 4  # the frame's sides


def test_without_predictions_nothing_is_right_or_wrong():
    picture = images(tg.Tensor(batch(2)), tg.Tensor([1, 0], dtype="int64"))
    assert picture.data["right"] is None
    assert {"0", "1"} <= set(texts(picture))
    assert "✓" not in picture.svg


@pytest.mark.parametrize("count", [1, 10, 11, 23])
def test_each_image_is_drawn_once(count):
    picture = images(batch(count)[:, 0], [0] * count)
    assert len(list(ET.fromstring(picture.svg).iter(NS + "image"))) == count


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ((np.zeros((2, 3, 4, 4)), [0, 1]), ShapeError, r"\(2, 3, 4, 4\)"),
        ((np.zeros((0, 4, 4)), []), OptionError, "1 … 100"),
        ((np.zeros((101, 4, 4)), [0] * 101), OptionError, "1 … 100"),
        ((np.zeros((2, 4, 4)), [0]), ShapeError, "labels must be"),
        ((np.zeros((2, 4, 4)), [0, 1], np.zeros((2, 3))), ShapeError, "argmax"),
        ((np.zeros((1, 4, 4)), [3], None, CLASSES), OptionError, "3 classes"),
    ],
)
def test_what_does_not_fit_together_is_refused_in_words(arguments, error, said):
    with pytest.raises(error, match=said):
        images(*arguments)


@pytest.mark.parametrize(
    "make", [lambda: training(history(3)), lambda: images(batch(2), [0, 1], [1, 1], CLASSES)]
)
def test_the_same_data_give_the_same_plain_svg(make):
    first, second = make(), make()
    assert first.svg == second.svg
    tags = {element.tag for element in ET.fromstring(first.svg).iter()}
    assert not tags & {NS + "script", NS + "style", NS + "metadata"}
    assert first.svg.startswith("<svg")


def test_plots_leave_matplotlib_alone_until_they_are_drawn_and_never_load_pyplot():
    program = (
        "import sys, viz.plots as plots; from tinygrad_cnn.train import Epoch, History\n"
        "assert 'matplotlib' not in sys.modules\n"
        "plots.training(History([1.0], [Epoch(1, 1.0, 0.5, None, 1.0)]))\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
