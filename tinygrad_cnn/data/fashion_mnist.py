"""Fashion-MNIST: 28×28 grey images of clothes, in ten classes.

Xiao, Rasul, Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning
Algorithms", 2017, arXiv:1708.07747. MIT License, © 2017 Zalando SE.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from ..errors import DataError, OptionError
from .dataset import Dataset
from .download import cache_folder, fetch
from .mnist import PREFIXES, image_dataset, read_images_and_labels
from .shipped import read_arrays

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
SUBSET = "fashion_mnist_2000.npz"
DEBIAN = Path("/usr/share/datasets/fashion-mnist")  # of the package dataset-fashion-mnist
SOURCE = "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/"
CHECKSUMS = {  # MD5, as the data set's own page states them
    "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
    "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
    "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
}


def fashion_mnist(
    split: Literal["train", "test"] = "train",
    folder: str | os.PathLike[str] | None = None,
    full: bool = False,
) -> Dataset:
    """Fashion-MNIST: the 2,000 images that come with this package, or all 70,000.

    Args:
        split: "train" (1,600 images, 160 a class; all: 60,000) or
            "test" (400 images, 40 a class; all: 10,000).
        folder: where the four published IDX files are (`train-images-idx3-ubyte.gz` …), as they
            come or decompressed; implies `full`.
        full: all images. Without a folder they are those of Debian's package
            `dataset-fashion-mnist` if it is installed, or else downloaded (31 MB, once) to the
            folder that `cache_folder()` names. The training images take 188 MB in memory.

    Returns:
        A `Dataset`: images (n, 1, 28, 28) float32 from 0 (background) to 1, labels (n,) int64.

    Raises:
        OptionError: another split.
        DataError: a file that is missing, damaged, of another kind, or cannot be downloaded; the
            message names it.

    Example:
        >>> data = fashion_mnist("test")
        >>> data
        Dataset 'Fashion-MNIST test': 400 inputs of (1, 28, 28) float32, 10 classes
        >>> image, label = data[0]
        >>> data.classes[label] in CLASSES
        True
    """
    if split not in PREFIXES:
        raise OptionError(f"fashion_mnist: split={split!r} is neither 'train' nor 'test'")
    if folder is None and not full:
        pixels, labels = read_arrays(SUBSET, f"{split}_images", f"{split}_labels")
    else:
        where = _all_files(split) if folder is None else Path(folder)
        pixels, labels = read_images_and_labels(where, split, "Fashion-MNIST")
    return image_dataset(pixels, labels, CLASSES, f"Fashion-MNIST {split}")


def _all_files(split: str) -> Path:
    """The folder that has all images of the split, downloaded if need be."""
    if DEBIAN.is_dir():
        return DEBIAN
    folder = cache_folder() / "fashion-mnist"
    for name, md5 in CHECKSUMS.items():
        if name.startswith(PREFIXES[split]):
            try:
                fetch(SOURCE + name, folder / name, md5)
            except DataError as error:
                raise DataError(
                    f"{error}; Debian's package dataset-fashion-mnist has the files too, and "
                    "folder takes them from anywhere"
                ) from error
    return folder
