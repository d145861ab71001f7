"""The confusion matrix: its counts, recall and precision are right."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_cnn as tg
import viz
from tinygrad_cnn.errors import DtypeError, OptionError, ShapeError


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60))
def test_it_counts_pairs(pairs):
    labels, predictions = map(list, zip(*pairs, strict=True))
    picture = viz.confusion(labels, tg.Tensor(predictions, dtype="int64"), list("abcde"))
    counts, recall, precision = (picture.data[k] for k in ("counts", "recall", "precision"))
    for i in range(5):
        for j in range(5):
            assert counts[i, j] == pairs.count((i, j))
        found = [p == i for label, p in pairs if label == i]
        right = [label == i for label, p in pairs if p == i]
        np.testing.assert_equal(recall[i], np.mean(found) if found else np.nan)
        np.testing.assert_equal(precision[i], np.mean(right) if right else np.nan)
    assert picture.data["accuracy"] == np.mean([a == b for a, b in pairs])
    root = ET.fromstring(picture.svg)
    cells = [g for g in root.iter("{http://www.w3.org/2000/svg}g") if g.get("class") == "cell"]
    assert len(cells) == 25


def test_it_agrees_with_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    labels, predictions = rng.integers(0, 7, (2, 200))
    data = viz.confusion(labels, predictions).data
    np.testing.assert_array_equal(data["counts"], metrics.confusion_matrix(labels, predictions))
    wanted = metrics.precision_recall_fscore_support(labels, predictions)
    np.testing.assert_allclose([data["precision"], data["recall"]], wanted[:2])


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        (([], []), ShapeError, "at least one"),
        (([0, 1], [0]), ShapeError, r"\(2,\) labels and \(1,\)"),
        (([0], [[0.1, 0.9]]), ShapeError, "argmax"),
        (([0.5], [1]), DtypeError, "whole numbers"),
        (([0, 3], [0, 1], ["a", "b"]), OptionError, "from 0 to 3, for 2 classes"),
        (([-1], [0]), OptionError, "from -1"),
        (([0], [999]), OptionError, "more than 40"),
    ],
)
def test_bad_input_is_refused_in_words(arguments, error, said):
    with pytest.raises(error, match=said):
        viz.confusion(*arguments)
