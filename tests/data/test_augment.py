"""Augmentation: an image is mirrored, or moved with zeros coming in; nothing else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_cnn.data import RandomCrop, RandomFlip
from tinygrad_cnn.errors import OptionError, ShapeError


def pictures(n: int, height: int, width: int) -> np.ndarray:
    """Images of distinct numbers from 1."""
    return np.arange(1.0, 1 + n * 2 * height * width).reshape(n, 2, height, width)


seeds = st.integers(0, 2**32).map(np.random.default_rng)


@given(n=st.integers(1, 12), width=st.integers(2, 6), rng=seeds)
def test_a_flip_mirrors_whole_images_or_leaves_them(n, width, rng):
    images = pictures(n, 3, width)
    for before, after in zip(images, RandomFlip()(images, rng), strict=True):
        assert any(np.array_equal(after, one) for one in (before, before[..., ::-1]))


@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_a_flip_happens_with_its_probability(p):
    images = pictures(2000, 1, 2)
    flipped = (RandomFlip(p)(images, np.random.default_rng(0)) != images).any(axis=(1, 2, 3))
    assert abs(flipped.mean() - p) < 0.04


@given(n=st.integers(1, 6), size=st.integers(1, 6), padding=st.integers(1, 4), rng=seeds)
def test_a_crop_moves_each_image_by_at_most_the_padding(n, size, padding, rng):
    images = pictures(n, size, size + 1)
    for before, after in zip(images, RandomCrop(padding)(images, rng), strict=True):
        candidates = [
            moved(before, i, j)
            for i in range(-padding, padding + 1)
            for j in range(-padding, padding + 1)
        ]
        assert any(np.array_equal(after, candidate) for candidate in candidates)


def moved(image: np.ndarray, down: int, right: int) -> np.ndarray:
    """The image moved, zeros where nothing came from."""
    result = np.zeros_like(image)
    for i, j in np.ndindex(image.shape[1:]):
        if 0 <= i - down < image.shape[1] and 0 <= j - right < image.shape[2]:
            result[:, i, j] = image[:, i - down, j - right]
    return result


def test_a_crop_takes_every_place():
    images = np.tile(pictures(1, 3, 3), (400, 1, 1, 1))
    crops = RandomCrop(1)(images, np.random.default_rng(0))
    assert len({crop.tobytes() for crop in crops}) == 9


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RandomFlip(1.5), "RandomFlip: p must be in 0 … 1, got 1.5"),
        (lambda: RandomCrop(0), "RandomCrop: padding must be an int ≥ 1, got 0"),
        (lambda: RandomCrop(2.0), "RandomCrop: padding must be an int ≥ 1, got 2.0"),
    ],
)
def test_options_that_mean_nothing_are_refused(make, message):
    with pytest.raises(OptionError, match=message):
        make()


@pytest.mark.parametrize("change", [RandomFlip(), RandomCrop()])
def test_what_is_no_image_is_refused(change):
    with pytest.raises(ShapeError, match=r"images must be \(N, C, H, W\), got \(5, 64\)"):
        change(np.zeros((5, 64)), np.random.default_rng(0))
