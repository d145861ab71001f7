"""Handwritten digits of 8×8 pixels, as scikit-learn ships them."""

from __future__ import annotations

from typing import Literal

import numpy as np

from ..errors import DataError
from .dataset import Dataset
from .splits import stratified, which_part


def digits(split: Literal["train", "validation", "test"] = "train") -> Dataset:
    """1,797 digits by 13 writers: 70 % to train on, 10 % to validate, 20 % to test.

    The test part of UCI's "Optical Recognition of Handwritten Digits" (Alpaydin, Kaynak 1998).
    Needs scikit-learn.

    Args:
        split: "train", "validation" or "test"; always the same images, alike in classes.

    Returns:
        A `Dataset`: images (n, 1, 8, 8) float32 from 0 (background) to 1, labels (n,) int64.

    Raises:
        OptionError: another split.
        DataError: scikit-learn is not installed.
    """
    parts = which_part("digits", split)
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise DataError(
            "digits: scikit-learn has this data, and is not installed: pip install scikit-learn"
        ) from error
    pixels, labels = load_digits(return_X_y=True)
    chosen = np.isin(stratified(labels.tolist()), parts)
    images = (pixels.reshape(-1, 1, 8, 8) / 16).astype(np.float32)
    whole = Dataset(images, labels.astype(np.int64), tuple("0123456789"), f"digits {split}")
    return whole[chosen]
