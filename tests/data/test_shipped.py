"""The files that come with the package: small, licensed, and damage to them is named."""

import re

import numpy as np
import pytest

from tinygrad_cnn import data
from tinygrad_cnn.data import shipped
from tinygrad_cnn.errors import DataError, OptionError

READERS = {
    "fashion_mnist_2000.npz": data.fashion_mnist,
    "photographs.npz": data.photographs,
    "sentences.tsv.gz": data.sentences,
    "go_games_9x9.sgf": data.go_games,
}


def test_all_files_are_small_and_have_a_licence():
    files = [path for path in shipped.FOLDER.iterdir() if path.suffix != ".txt"]
    assert {path.name for path in files} == set(READERS)
    assert sum(path.stat().st_size for path in files) < 4e6
    notices = [p.read_text(encoding="utf-8") for p in shipped.FOLDER.glob("*_LICENSE.txt")]
    assert all(any(file in notice for notice in notices) for file in READERS)


@pytest.mark.parametrize("file", READERS)
def test_a_damaged_or_missing_file_is_named(file, tmp_path, monkeypatch):
    whole = (shipped.FOLDER / file).read_bytes()
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    all_sentences = data.sentence_texts.__globals__["_all_sentences"]
    all_sentences.cache_clear()
    with pytest.raises(DataError, match=re.escape(f"{tmp_path / file}: ")):
        READERS[file]()
    for damaged in (whole[: len(whole) // 2], b"", b"nonsense" * 9):
        (tmp_path / file).write_bytes(damaged)
        with pytest.raises(DataError, match=re.escape(f"{tmp_path / file}: ")):
            READERS[file]()
    all_sentences.cache_clear()


def test_photographs_are_photographs():
    colour, grey = data.photographs(), data.photographs(grey=True)
    assert [picture.shape[0] for picture in colour.values()] == [1, 3, 3]
    for name, picture in colour.items():
        assert picture.dtype == grey[name].dtype == np.float32
        assert 0 <= picture.min() < 0.1 < 0.9 < picture.max() <= 1
        assert grey[name].shape == (1, *picture.shape[1:])
        assert 0 <= grey[name].min() <= grey[name].max() <= 1
        steps = np.abs(np.diff(picture, axis=2)).mean()  # neighbours are alike, as in nature
        assert steps < 0.4 * np.abs(np.diff(picture[:, :, ::40], axis=2)).mean()


def test_data_by_name():
    assert data.load("sentences", "test", fold=1).name == "sentences test, fold 1"
    with pytest.raises(OptionError, match="unknown data 'cifar'; there are fashion_mnist, mnist, "):
        data.load("cifar", "train")
    with pytest.raises(OptionError, match=r"data 'sentences': .*'folder'"):
        data.load("sentences", "train", folder="x")
    with pytest.raises(OptionError, match=r"data 'mnist': .*missing .* 'folder'"):
        data.load("mnist", "train")


@pytest.mark.parametrize("name", ["fashion_mnist", "digits", "sentences"])
def test_validation_data_are_no_training_data_and_no_test_data(name):
    if name == "digits":
        pytest.importorskip("sklearn")
    parts = (*data.load_training(name), data.load(name, "test"))
    seen = [{example.tobytes() for example in part.inputs} for part in parts]
    assert not seen[0] & seen[1]
    assert not seen[0] & seen[2]
    assert not seen[1] & seen[2]
    assert parts[1].name.endswith("validation")


def test_a_tenth_of_each_class_is_held_out_where_nothing_else_is():
    training, validation = data.load_training("fashion_mnist")
    assert np.bincount(training.labels).tolist() == [144] * 10
    assert np.bincount(validation.labels).tolist() == [16] * 10
    assert sorted(image.tobytes() for part in (training, validation) for image in part.images) == (
        sorted(image.tobytes() for image in data.fashion_mnist("train").images)
    )
