"""MNIST from its files, scikit-learn's digits, and the fixed splits."""

import builtins

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_cnn.data import digits, mnist, write_idx
from tinygrad_cnn.data.splits import stratified, which_part
from tinygrad_cnn.errors import DataError, OptionError


def test_mnist_is_read_from_its_folder(tmp_path):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (30, 28, 28), dtype=np.uint8)
    write_idx(tmp_path / "t10k-images-idx3-ubyte", pixels)
    write_idx(tmp_path / "t10k-labels-idx1-ubyte.gz", np.arange(30, dtype=np.uint8) % 10)
    data = mnist("test", tmp_path)
    np.testing.assert_allclose(data.images[:, 0] * 255, pixels, atol=1e-4)
    assert data.labels.tolist() == [*range(10)] * 3
    assert repr(data) == "Dataset 'MNIST test': 30 inputs of (1, 28, 28) float32, 10 classes"
    with pytest.raises(DataError, match=r"has neither train-images-idx3-ubyte\.gz nor train-im"):
        mnist("train", tmp_path)
    with pytest.raises(OptionError, match="MNIST: split='dev' is neither 'train' nor 'test'"):
        mnist("dev", tmp_path)


def test_digits_are_split_in_three():
    pytest.importorskip("sklearn")
    parts = [digits(split) for split in ("train", "validation", "test")]
    assert sum(map(len, parts)) == 1797
    assert all(part.images.shape[1:] == (1, 8, 8) and part.images.max() == 1 for part in parts)
    for part, share in zip(parts, (0.7, 0.1, 0.2), strict=True):
        assert abs(len(part) - share * 1797) < 10
        assert np.bincount(part.labels).min() > 0.08 * len(part)


def test_without_scikit_learn_digits_says_so(monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name.startswith("sklearn"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(DataError, match="not installed: pip install scikit-learn"):
        digits()
    with pytest.raises(OptionError, match="digits: split='dev' is not one of"):
        digits("dev")


@pytest.mark.parametrize("fold", range(5))
def test_splits_take_every_tenth_once(fold):
    parts = [which_part("data", split, fold) for split in ("train", "validation", "test")]
    assert sorted(tenth for part in parts for tenth in part) == list(range(10))


@given(
    groups=st.lists(st.integers(0, 2), max_size=80),
    data=st.data(),
)
def test_tenths_are_even_in_every_group_and_keep_equal_items_together(groups, data):
    tenths = stratified(groups)
    for group in set(groups):
        counts = np.bincount(tenths[np.array(groups) == group], minlength=10)
        assert counts.max() - counts.min() <= 1
    items = data.draw(st.lists(st.integers(0, 9), min_size=len(groups), max_size=len(groups)))
    together = stratified([0] * len(groups), items)
    for item in set(items):
        assert len(set(together[np.array(items) == item].tolist())) == 1
