"""The labelled sentences: five fixed ways to split them, each without overlap."""

import collections

import numpy as np
import pytest

from tinygrad_cnn.data import sentence_texts, sentence_vocabulary, sentences
from tinygrad_cnn.errors import OptionError

SPLITS = ("train", "validation", "test")


def texts(split: str, fold: int = 0) -> list[str]:
    return sentence_texts(split, fold).inputs.tolist()


@pytest.mark.parametrize("fold", range(5))
def test_splits_are_balanced_complete_and_share_no_sentence(fold):
    parts = {split: sentence_texts(split, fold) for split in SPLITS}
    for part, size in zip(parts.values(), (2100, 300, 600), strict=True):
        assert abs(len(part) - size) <= 0.02 * size
        assert abs(part.labels.mean() - 0.5) < 0.02
    found = [{text.lower() for text in part.inputs.tolist()} for part in parts.values()]
    assert sum(map(len, parts.values())) == 3000
    assert len(set.union(*found)) == sum(map(len, found))


def test_every_sentence_is_tested_on_once():
    tested = collections.Counter(text for fold in range(5) for text in texts("test", fold))
    everything = collections.Counter(text for split in SPLITS for text in texts(split))
    assert tested == everything


def test_rows_are_the_sentences():
    vocabulary = sentence_vocabulary()
    data = sentences("validation", length=100)
    assert data.inputs.dtype == np.int64
    assert data.inputs.shape == (len(data), 100)
    np.testing.assert_array_equal(data.inputs, vocabulary.encode(texts("validation"), 100))
    assert len(vocabulary) == 2048
    assert {"the", "great", "not", "don't", "!"} <= set(vocabulary.words)


def test_words_of_the_test_set_alone_have_no_number():
    def words(split):
        return {word for row in sentences(split, length=100).inputs for word in row.tolist()}

    assert sentence_vocabulary().UNKNOWN in words("test")
    assert words("train") >= words("test")


def test_labels_fit_the_sentences():
    """Which of two words a sentence has tells its label far above chance."""
    whole = [sentence_texts(split) for split in SPLITS]
    pairs = [
        (t.lower(), y) for part in whole for t, y in zip(part.inputs, part.labels, strict=True)
    ]
    for word, label in (("great", 1), ("bad", 0), ("love", 1), ("worst", 0)):
        labels = [y for text, y in pairs if f" {word} " in f" {text} "]
        assert len(labels) > 20
        assert np.mean(np.array(labels) == label) > 0.8


def test_other_splits_and_folds_are_refused():
    with pytest.raises(OptionError, match="split='dev' is not one of 'train', 'validation', 'tes"):
        sentences("dev")
    with pytest.raises(OptionError, match="fold=5 must be a whole number, 0 … 4"):
        sentences("train", fold=5)
