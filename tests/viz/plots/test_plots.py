"""Plots by matplotlib: what they say, and that the same data give the same bytes."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import tinygrad_cnn as tg
from tinygrad_cnn.errors import DtypeError, OptionError, ShapeError
from tinygrad_cnn.train import Epoch, History
from viz.picture.dark import _GROUND, _PLOTTED
from viz.picture.picture import Picture
from viz.plots.curves import training
from viz.plots.images import images

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


def test_several_runs_have_a_line_each_and_seeds_a_band():
    short, long, none = history(2), history(3), history(3, held_out=False)
    picture = training({"deep": [short, long], "wide": none})
    deep, wide = picture.data["deep"], picture.data["wide"]
    held_out = [[e.held_out_accuracy for e in run.epochs] for run in (short, long)]
    np.testing.assert_array_equal(deep["accuracy"][0], [*held_out[0], np.nan])
    np.testing.assert_array_equal(deep["accuracy"][1], held_out[1])
    np.testing.assert_array_equal(deep["loss"][1], [e.loss for e in long.epochs])
    np.testing.assert_array_equal(wide["accuracy"], [[e.accuracy for e in none.epochs]])
    ends = [held_out[0][-1], held_out[1][-1]]
    said = texts(picture)
    assert f"deep, in the end {np.mean(ends):.1%} ({min(ends):.1%} … {max(ends):.1%})" in said
    assert f"wide, in training, in the end {none.epochs[-1].accuracy:.1%}" in said
    assert "deep, 2 runs" in said
    band = re.compile('id="(FillBetween)?PolyCollection')  # matplotlib 3.10 renamed it
    bands = [len(band.findall(svg)) for svg in (picture.svg, training(long).svg)]
    assert bands == [2, 0]  # in both panels, for "deep" alone


@pytest.mark.parametrize("name", ["$\\frac{", "a$b$c", "\x00\x1b", "<script>", "卷积 & 😀"])
def test_any_name_is_shown_as_it_is(name):
    shown = name.replace("\x00\x1b", "\ufffd\ufffd")
    assert f"{shown}, 2 runs" in texts(training({name: [history(2), history(2)]}))
    assert shown in texts(images(batch(1), [0], classes=[name]))


def test_a_run_that_diverges_says_so():
    broken = History([2.0, np.nan], [Epoch(1, np.nan, 0.1, None, 1.0)])
    assert "Loss: NaN or infinite in 1 batches" in texts(training(broken))
    picture = training({"broken": broken, "whole": history(2)})
    assert "Loss: NaN or infinite in 1 epochs" in texts(picture)
    assert picture.data["broken"]["diverged"] == 1


@pytest.mark.parametrize(
    ("runs", "error", "said"),
    [
        ({}, OptionError, "1 … 8"),
        ({"a": []}, OptionError, "of 'a' is empty"),
        ({"a": [History()]}, OptionError, "of 'a' is empty"),
        ({"a": [1.0, 2.0]}, DtypeError, "a must hold histories"),
        (None, DtypeError, "NoneType"),
        ({str(i): history(1) for i in range(9)}, OptionError, "got 9"),
    ],
)
def test_runs_that_cannot_be_compared_are_refused(runs, error, said):
    with pytest.raises(error, match=said):
        training(runs)


def test_images_in_colour_and_with_what_is_broken():
    rng = np.random.default_rng(0)
    batch = rng.random((2, 3, 4, 5))
    batch[1, 0, 2, 3] = np.nan
    picture = images(batch, [0, 1])
    assert any(text.endswith("1 values are NaN or infinite") for text in texts(picture))
    from viz.plots.images import _pixels

    pixels = _pixels(batch)
    assert pixels.shape == (2, 4, 5, 3)
    assert tuple(pixels[1, 2, 3]) == (209, 0, 75)
    low, high = np.nanmin(batch), np.nanmax(batch)
    wanted = 255 * (batch[0].transpose(1, 2, 0) - low) / (high - low)
    assert np.abs(pixels[0] - wanted).max() <= 0.5 + 1e-9


def test_wrong_predictions_have_a_cross_and_a_frame():
    picture = images(batch(3), [0, 1, 2], [0, 2, 2], CLASSES)
    assert picture.title == "3 images, 2 right"
    assert picture.data["right"] == [True, False, True]
    shown = texts(picture)
    assert {"✓ cat", "dog", "✗ a bird …prey"} <= set(shown)
    assert sum(text.startswith("✗") for text in shown) == 1
    assert picture.svg.count('stroke="#b30000"') == 4  # the frame's sides


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
        ((np.zeros((2, 2, 4, 4)), [0, 1]), ShapeError, r"\(2, 2, 4, 4\)"),
        ((np.zeros((2, 4, 0)), [0, 1]), ShapeError, "empty"),
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
        "import sys, viz.plots.curves as plots; from tinygrad_cnn.train import Epoch, History\n"
        "assert 'matplotlib' not in sys.modules\n"
        "plots.training(History([1.0], [Epoch(1, 1.0, 0.5, None, 1.0)]))\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


# --- dark pages ----------------------------------------------------------------------------------


def test_no_colour_of_a_plot_is_out_of_the_dark_sheets_reach():
    named = {f"run {i}": [history(3), history(4)] for i in range(8)}
    seen = set()
    for picture in (training(history(2)), training(named), images(batch(3), [0, 1, 2], [0, 2, 2])):
        root = ET.fromstring(picture.svg)
        assert root.get("class") == "adapts"
        assert len(list(root.iterfind(f".//{NS}path[@class='ground']"))) == 1
        for e in root.iter():
            assert "#" not in e.get("style", "")
            seen |= {e.get("fill"), e.get("stroke")}
        assert all(e.get("fill") for e in root.iter(NS + "text"))
    for color in seen - {None, "none", "#ffffff"}:
        assert contrast(_PLOTTED.get(color, color), _GROUND) >= (1.3 if color == "#e5e7eb" else 3)


def contrast(one: str, other: str) -> float:
    """As WCAG defines it."""

    def luminance(color: str) -> float:
        parts = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ (0.2126, 0.7152, 0.0722)) + 0.05

    first, second = luminance(one), luminance(other)
    return max(first, second) / min(first, second)


def test_a_name_that_looks_like_a_style_stays_as_it_is():
    name = '<path style="fill: #222222"'
    picture = images(batch(1), [0], None, [name[:12]])
    assert name[:12] in texts(picture)
    assert f"{name}, in the end 50.0%" in texts(training({name: one_run(0.5)}))


def one_run(accuracy: float) -> History:
    return History([1.0], [Epoch(1, 1.0, accuracy, accuracy, 1.0)])
