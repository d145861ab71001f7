"""Fashion-MNIST: 28×28 grey images of clothes, in ten classes.

Xiao, Rasul, Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning
Algorithms", 2017, arXiv:1708.07747. MIT License, © 2017 Zalando SE.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tinygrad_cnn.data.dataset import Dataset
from tinygrad_cnn.data.idx import read_idx
from tinygrad_cnn.errors import DataError, OptionError

CLASSES = (
    "T-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)
_SIZE = (28, 28)
_SUBSET = Path(__file__).parent / "files" / "fashion_mnist_2000.npz"
_PREFIXES = {"train": "train", "test": "t10k"}


def fashion_mnist(
    split: Literal["train", "test"] = "train", folder: str | os.PathLike[str] | None = None
) -> Dataset:
    """Fashion-MNIST: the 2,000 images that come with this package, or all from `folder`.

    Args:
        split: "train" (1,600 images, 160 a class; all: 60,000) or
            "test" (400 images, 40 a class; all: 10,000).
        folder: where the four published IDX files are (`train-images-idx3-ubyte.gz` …), as they
            come or decompressed. All training images take 188 MB in memory.

    Returns:
        A `Dataset`: images (n, 1, 28, 28) float32 from 0 (background) to 1, labels (n,) int64.

    Raises:
        OptionError: another split.
        DataError: a file that is missing, damaged or of another kind; the message names it.

    Example:
        >>> data = fashion_mnist("test")
        >>> data
        Dataset 'Fashion-MNIST test': 400 inputs of (1, 28, 28) float32, 10 classes
        >>> image, label = data[0]
        >>> data.classes[label] in CLASSES
        True
    """
    if split not in _PREFIXES:
        raise OptionError(f"fashion_mnist: split={split!r} is neither 'train' nor 'test'")
    pixels, labels = _shipped(split) if folder is None else _published(split, Path(folder))
    images = pixels[:, None] / np.float32(255)
    return Dataset(images, labels.astype(np.int64), CLASSES, f"Fashion-MNIST {split}")


def _shipped(split: str) -> tuple[NDArray[Any], NDArray[Any]]:
    try:
        with np.load(_SUBSET, allow_pickle=False) as arrays:
            return arrays[f"{split}_images"], arrays[f"{split}_labels"]
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(
            f"{_SUBSET}: missing or damaged ({error}); install tinygrad_cnn again"
        ) from error


def _published(split: str, folder: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    images_path = _find(folder, f"{_PREFIXES[split]}-images-idx3-ubyte")
    labels_path = _find(folder, f"{_PREFIXES[split]}-labels-idx1-ubyte")
    images, labels = read_idx(images_path), read_idx(labels_path)
    if images.shape[1:] != _SIZE or images.dtype != np.uint8:
        raise DataError(
            f"{images_path}: holds {images.shape} {images.dtype}, and Fashion-MNIST's images are "
            "(n, 28, 28) uint8"
        )
    if labels.ndim != 1 or labels.dtype != np.uint8:
        raise DataError(
            f"{labels_path}: holds {labels.shape} {labels.dtype}, and Fashion-MNIST's labels are "
            "(n,) uint8"
        )
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
