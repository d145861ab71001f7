"""`Dataset`: inputs stay with their labels, however they are chosen."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_cnn.data import Dataset
from tinygrad_cnn.errors import DataError, OptionError, ShapeError


def numbered(n: int) -> Dataset:
    """`n` inputs (2, 3) filled with their label, 0 … n−1."""
    return Dataset(np.broadcast_to(np.arange(n)[:, None, None], (n, 2, 3)), np.arange(n))


@st.composite
def datasets_and_indices(draw):
    n = draw(st.integers(1, 12))
    index = draw(
        st.one_of(
            st.slices(n),
            st.lists(st.integers(-n, n - 1), max_size=8),
            st.lists(st.integers(-n, n - 1), max_size=8).map(lambda i: np.array(i, int)),
            st.lists(st.booleans(), min_size=n, max_size=n).map(np.array),
        )
    )
    return numbered(n), index


@given(datasets_and_indices())
def test_an_index_chooses_inputs_and_labels_alike(case):
    data, index = case
    chosen = data[index]
    assert isinstance(chosen, Dataset)
    np.testing.assert_array_equal(chosen.labels, data.labels[index])
    assert (chosen.inputs == chosen.labels[:, None, None]).all()
    assert len(chosen) == len(chosen.labels)


def test_one_number_gives_a_pair():
    image, label = numbered(5)[-2]
    assert image.shape == (2, 3)
    assert label == 3
    assert [label for _, label in numbered(4)] == [0, 1, 2, 3]


@pytest.mark.parametrize("index", [(0, 1), np.array([[0, 1]]), "ab", 1.0])
def test_other_indices_are_refused(index):
    with pytest.raises(TypeError, match="an index is one number, a slice, or a 1-D array"):
        numbered(4)[index]


@given(n=st.integers(1, 30), seed=st.integers(0, 2**32), data=st.data())
def test_a_subset_has_distinct_items_and_repeats_with_its_seed(n, seed, data):
    size = data.draw(st.integers(1, n))
    whole = numbered(n)
    subset = whole.subset(size, seed)
    assert len(subset) == len(set(subset.labels.tolist())) == size
    assert set(subset.labels.tolist()) <= set(range(n))
    np.testing.assert_array_equal(subset.labels, whole.subset(size, seed).labels)


def test_seeds_give_different_subsets():
    whole = numbered(100)
    assert whole.subset(20, 0).labels.tolist() != whole.subset(20, 1).labels.tolist()


@pytest.mark.parametrize("n", [0, -1, 6, 2.0])
def test_a_subset_of_an_impossible_size_is_refused(n):
    with pytest.raises(OptionError, match=rf"cannot take {n} of the 5 items .* 1 … 5"):
        numbered(5).subset(n)


def test_classes_and_name_travel_with_a_choice():
    pets = Dataset(np.zeros((3, 4)), np.array([1, 0, 1]), ["cat", "dog"], "pets")
    assert pets[1:].classes == pets.subset(2).classes == ("cat", "dog")
    assert repr(pets[1:]) == "Dataset 'pets': 2 inputs of (4,) float64, 2 classes"


@pytest.mark.parametrize(
    ("inputs", "labels", "error", "message"),
    [
        (np.zeros((3, 2)), np.zeros(2, int), ShapeError, "3 inputs but 2 labels"),
        (np.zeros(()), np.zeros(1, int), ShapeError, "inputs is one number"),
        (np.zeros(3), np.array([0, 2, 1]), DataError, "label 2 at 1 is not one of the 2 classes 0"),
        (np.zeros(2), np.array([0, -1]), DataError, "label -1 at 1 is not one of"),
        (np.zeros(2), np.zeros(2), DataError, "whole numbers, not float64"),
    ],
)
def test_what_does_not_fit_is_refused(inputs, labels, error, message):
    with pytest.raises(error, match=rf"Dataset 'pets': .*{message}"):
        Dataset(inputs, labels, ("cat", "dog"), "pets")


@given(
    n=st.integers(10, 60),
    shares=st.lists(st.floats(0.1, 0.5), min_size=1, max_size=4).filter(lambda s: sum(s) <= 1),
    seed=st.integers(0, 2**32),
)
def test_parts_of_a_split_have_nothing_in_common_and_repeat(n, shares, seed):
    parts = numbered(n).split(*shares, seed=seed)
    labels = [label for part in parts for label in part.labels.tolist()]
    assert len(set(labels)) == len(labels) == round(sum(shares) * n)
    assert all(abs(len(part) - share * n) <= 1 for part, share in zip(parts, shares, strict=True))
    again = numbered(n).split(*shares, seed=seed)
    assert [part.labels.tolist() for part in again] == [part.labels.tolist() for part in parts]


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ((), "must be positive"),
        ((0.5, -0.1), "must be positive"),
        ((0.7, 0.4), "together at most 1"),
        ((0.8, 0.01), "leave a part of the 5 items of 'data' empty"),
    ],
)
def test_impossible_splits_are_refused(shares, message):
    with pytest.raises(OptionError, match=message):
        numbered(5).split(*shares)
