"""MNIST, and the files that it and Fashion-MNIST come in.

LeCun, Cortes, Burges, "The MNIST database of handwritten digits", 1998: 70,000 grey images of
28×28 pixels.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, OptionError
from .dataset import Dataset
from .idx import read_idx

PREFIXES = {"train": "train", "test": "t10k"}
_SIZE = (28, 28)


def mnist(split: Literal["train", "test"], folder: str | os.PathLike[str]) -> Dataset:
    """MNIST, from a folder that has its files.

    Args:
        split: "train" (60,000 images) or "test" (10,000).
        folder: where the four published IDX files are (`train-images-idx3-ubyte.gz` …), as they
            come or decompressed.

    Returns:
        A `Dataset`: images (n, 1, 28, 28) float32 from 0 (background) to 1, labels (n,) int64.

    Raises:
        OptionError: another split.
        DataError: a file that is missing, damaged or of another kind; the message names it.
    """
    pixels, labels = read_images_and_labels(Path(folder), split, "MNIST")
    return image_dataset(pixels, labels, tuple("0123456789"), f"MNIST {split}")


def image_dataset(
    pixels: NDArray[Any], labels: NDArray[Any], classes: tuple[str, ...], name: str
) -> Dataset:
    """Pixels (n, H, W) from 0 to 255 as images (n, 1, H, W) from 0 to 1, with their labels."""
    images = pixels[:, None] / np.float32(255)
    return Dataset(images, labels.astype(np.int64), classes, name)


def read_images_and_labels(
    folder: Path, split: str, name: str
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Images (n, 28, 28) and labels (n,) from the IDX files of one split.

    Raises:
        OptionError: another split than "train" or "test".
        DataError: a file that is missing, damaged or of another kind.
    """
    if split not in PREFIXES:
        raise OptionError(f"{name}: split={split!r} is neither 'train' nor 'test'")
    images_path = _find(folder, f"{PREFIXES[split]}-images-idx3-ubyte")
    labels_path = _find(folder, f"{PREFIXES[split]}-labels-idx1-ubyte")
    images, labels = read_idx(images_path), read_idx(labels_path)
    if images.shape[1:] != _SIZE or images.dtype != np.uint8:
        raise DataError(
            f"{images_path}: holds {images.shape} {images.dtype}, and {name}'s images are "
            "(n, 28, 28) uint8"
        )
    if labels.ndim != 1 or labels.dtype != np.uint8:
        raise DataError(
            f"{labels_path}: holds {labels.shape} {labels.dtype}, and {name}'s labels are "
            "(n,) uint8"
        )
    if labels.max(initial=0) > 9:
        raise DataError(f"{labels_path}: holds label {labels.max()}, and {name}'s are 0 … 9")
    if len(images) != len(labels):
        raise DataError(
            f"{images_path} has {len(images)} images, but {labels_path} has {len(labels)} labels"
        )
    return images, labels


def _find(folder: Path, name: str) -> Path:
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder")
    for path in (folder / f"{name}.gz", folder / name):
        if path.exists():
            return path
    raise DataError(f"{folder}: has neither {name}.gz nor {name}")
