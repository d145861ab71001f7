"""`DataLoader`: every item once an epoch, in an order that seed and epoch decide."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_cnn.data import DataLoader, Dataset, RandomCrop, RandomFlip
from tinygrad_cnn.errors import OptionError


def numbered(n: int) -> Dataset:
    """`n` inputs that are minus their label, 0 … n−1."""
    return Dataset(-np.arange(n, dtype=np.float32)[:, None], np.arange(n))


def epoch(loader: DataLoader) -> list[int]:
    """The labels that one epoch meets, in order."""
    return [label for _, labels in loader for label in labels.tolist()]


@st.composite
def loaders(draw, **fixed):
    n = draw(st.integers(1, 40))
    options = {"shuffle": draw(st.booleans()), "drop_last": draw(st.booleans())} | fixed
    return DataLoader(
        numbered(n), draw(st.integers(1, n)), seed=draw(st.integers(0, 2**64)), **options
    )


@given(loaders(drop_last=False))
def test_an_epoch_meets_every_item_once(loader):
    assert sorted(epoch(loader)) == list(range(len(loader.dataset)))


@given(loaders())
def test_batches_are_full_and_as_many_as_len_says(loader):
    batches = list(loader)
    n, size = len(loader.dataset), loader.batch_size
    last = size if loader.drop_last or n % size == 0 else n % size
    assert len(batches) == len(loader)
    assert [len(labels) for _, labels in batches] == [size] * (len(loader) - 1) + [last]
    assert all((inputs[:, 0] == -labels).all() for inputs, labels in batches)


@given(loaders())
def test_seed_and_epoch_decide_the_order(loader):
    epochs = [epoch(loader) for _ in range(3)]
    options = (loader.batch_size, loader.shuffle, loader.seed, loader.drop_last)
    resumed = DataLoader(loader.dataset, *options)
    resumed.epoch = 2
    assert epoch(resumed) == epochs[2]
    assert loader.epoch == resumed.epoch == 3


def test_epochs_and_seeds_differ():
    orders = [
        tuple(epoch(loader))
        for loader in (DataLoader(numbered(50), 8, seed=seed) for seed in (0, 1))
        for _ in range(3)
    ]
    assert len(set(orders)) == 6


@given(loaders(shuffle=False, drop_last=False))
def test_without_shuffling_the_order_is_the_data_sets(loader):
    assert epoch(loader) == epoch(loader) == list(range(len(loader.dataset)))


def test_epochs_may_overlap():
    loader = DataLoader(numbered(20), 3)
    first, second = iter(loader), iter(loader)
    assert next(first)[1].tolist() != next(second)[1].tolist()
    rest = [label for batches in (first, second) for _, labels in batches for label in labels]
    assert len(rest) == 2 * 17


@pytest.mark.parametrize("shuffle", [True, False])
def test_a_batch_is_a_copy(shuffle):
    data = numbered(4)
    for inputs, _ in DataLoader(data, 2, shuffle):
        inputs += 100
    np.testing.assert_array_equal(data.inputs, numbered(4).inputs)


@pytest.mark.parametrize("batch_size", [0, -3, 11, 2.0])
def test_a_batch_size_that_does_not_fit_is_refused(batch_size):
    with pytest.raises(OptionError, match=f"batch_size={batch_size} does not fit the 10 items"):
        DataLoader(numbered(10), batch_size)


def test_arrays_are_no_data_set():
    with pytest.raises(
        OptionError, match=r"a Dataset is needed, got ndarray; use tg\.data\.Datase"
    ):
        DataLoader(np.zeros((4, 1)), 2)


def test_a_negative_seed_is_refused():
    with pytest.raises(OptionError, match="seed=-1 must be a whole number, 0 or more"):
        DataLoader(numbered(10), 2, seed=-1)


def pictures(n: int) -> Dataset:
    rng = np.random.default_rng(0)
    return Dataset(rng.random((n, 2, 5, 6), np.float32), np.arange(n))


@given(seed=st.integers(0, 2**32), shuffle=st.booleans())
def test_augmentation_depends_on_seed_epoch_and_batch_alone(seed, shuffle):
    def make():
        augment = [RandomCrop(2), RandomFlip()]
        return DataLoader(pictures(10), 4, shuffle, seed, augment=augment)

    first, second = make(), make()
    list(first)
    second.epoch = 1
    for (a, labels), (b, _) in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.shape == (len(labels), 2, 5, 6)
        assert a.dtype == np.float32


def test_augmentation_is_new_in_every_batch_and_epoch_and_leaves_the_data_alone():
    data = pictures(1)[[0] * 8]
    loader = DataLoader(data, 4, augment=RandomCrop(3))
    batches = [inputs for _ in range(2) for inputs, _ in loader]
    assert len({batch.tobytes() for batch in batches}) == 4
    np.testing.assert_array_equal(data.inputs, pictures(1)[[0] * 8].inputs)


@pytest.mark.parametrize("epochs", [1, 2])
def test_augmentation_leaves_the_order_as_it_is(epochs):
    plain, changed = (DataLoader(pictures(9), 4, augment=a) for a in ((), [RandomFlip()]))
    for _ in range(epochs):
        assert epoch(plain) == epoch(changed)
