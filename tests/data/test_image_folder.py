"""Pictures of one's own: every image is in one split, has its folder's class, or is refused."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tinygrad_cnn.data import image_folder, load, load_training
from tinygrad_cnn.errors import DataError, OptionError

SPLITS = ("train", "validation", "test")


def draw(path: Path, value: int = 0, size: tuple[int, int] = (6, 5)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (value, 0, 0)).save(path)


def red(images):
    """The number that an image of `draw` was painted with."""
    return np.round(255 * images[:, 0, 0, 0]).astype(int)


@settings(max_examples=5)
@given(counts=st.lists(st.integers(10, 25), min_size=1, max_size=3))
def test_every_image_is_in_one_split_with_its_class(counts, tmp_path_factory):
    root = tmp_path_factory.mktemp("images")
    painted = {}
    for label, count in enumerate(counts):
        for i in range(count):
            painted[len(painted) + 1] = label
            draw(root / f"class {label}" / f"{i % 2}" / f"{i}.PNG", len(painted))
    parts = [image_folder(root, split) for split in SPLITS]
    numbers = [int(number) for part in parts for number in red(part.inputs)]
    assert sorted(numbers) == sorted(painted)
    assert [painted[n] for n in numbers] == [int(k) for part in parts for k in part.labels]
    assert parts[0].classes == tuple(f"class {label}" for label in range(len(counts)))
    assert parts[0].inputs.shape[1:] == (3, 5, 6)
    np.testing.assert_array_equal(image_folder(root).inputs, parts[0].inputs)


def test_folders_of_splits_are_taken_as_they_are(tmp_path):
    for split, count in (("train", 20), ("test", 3)):
        for name in ("cat", "dog"):
            for i in range(count):
                draw(tmp_path / split / name / f"{i}.png", i)
    training, validation = load_training(f"folder:{tmp_path}")
    assert (len(training), len(validation), len(load(f"folder:{tmp_path}", "test"))) == (36, 4, 6)
    for name in ("cat", "dog"):
        draw(tmp_path / "val" / name / "0.png")
    training, validation = load_training(f"folder:{tmp_path}", size=(4, 8), channels=1)
    assert (len(training), validation.inputs.shape) == (40, (2, 1, 4, 8))
    draw(tmp_path / "val" / "owl" / "0.png")
    with pytest.raises(DataError, match="val: has other classes than train: owl"):
        image_folder(tmp_path)


def test_a_class_may_be_called_train(tmp_path):
    for name in ("car", "train"):
        for i in range(10):
            draw(tmp_path / name / f"{i}.jpeg")
    assert image_folder(tmp_path).classes == ("car", "train")


def test_what_systems_put_into_folders_is_no_image(tmp_path):
    for i in range(10):
        draw(tmp_path / "a" / f"{i}.png")
    for name in (".DS_Store", "a/.hidden.txt", "a/Thumbs.db"):
        (tmp_path / name).write_bytes(b"")
    assert len(image_folder(tmp_path, "train")) == 7


def test_what_is_wrong_names_the_file(tmp_path):
    def refused(message, *args, **options):
        with pytest.raises((DataError, OptionError), match=message):
            image_folder(*(args or (tmp_path,)), **options)

    refused("none: there is no such folder", tmp_path / "none")
    refused("has no folders; each class needs one")
    (tmp_path / "a").mkdir()
    refused("a: has no images")
    draw(tmp_path / "a" / "0.png")
    refused("too few images of 'a' to have some to train")
    for i in range(10):
        draw(tmp_path / "a" / f"{i}.png")
    refused("split='middle' is not one of", tmp_path, "middle")
    refused("size=0 must be", size=0)
    refused("channels=4 must be 1", channels=4)
    draw(tmp_path / "loose.jpg")
    refused(r"loose.jpg: lies beside")
    (tmp_path / "loose.jpg").unlink()
    (tmp_path / "a" / "notes.txt").write_text("cats")
    refused(r"notes.txt: is neither PNG nor JPEG")
    (tmp_path / "a" / "notes.txt").unlink()
    for i in range(10, 20):
        draw(tmp_path / "a" / f"{i}.png", size=(7, 7))
    refused(r"\.png: is 7×7, and .* is 5×6; give the size|\.png: is 5×6, and .* is 7×7; give the")
    for i in range(20):
        (tmp_path / "a" / f"{i}.png").write_bytes(b"no image")
    refused("cannot be read as an image")
