"""Makes tinygrad_cnn/data/files/fashion_mnist_2000.npz from the published Fashion-MNIST files.

    python scripts/make_fashion_mnist_subset.py FOLDER [OUTPUT]

FOLDER holds the four IDX files. The choice is drawn with a fixed seed, so the same FOLDER always
gives the same images in the same order: 160 of each class from the training set, 40 of each class
from the test set.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinygrad_cnn.data import read_idx

SEED = 2017
PER_CLASS = {"train": 160, "test": 40}
PREFIX = {"train": "train", "test": "t10k"}
OUTPUT = Path(__file__).parents[1] / "tinygrad_cnn" / "data" / "files" / "fashion_mnist_2000.npz"


def choose(labels: NDArray[np.uint8], per_class: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Indices of `per_class` items of each of the ten classes, shuffled."""
    chosen = [rng.choice(np.flatnonzero(labels == k), per_class, replace=False) for k in range(10)]
    return rng.permutation(np.concatenate(chosen))


def main(folder: Path, output: Path = OUTPUT) -> None:
    """Reads the files in `folder` and writes `output`."""
    rng = np.random.default_rng(SEED)
    arrays = {}
    for split, per_class in PER_CLASS.items():
        images = read_idx(folder / f"{PREFIX[split]}-images-idx3-ubyte.gz")
        labels = read_idx(folder / f"{PREFIX[split]}-labels-idx1-ubyte.gz")
        chosen = choose(labels, per_class, rng)
        arrays[f"{split}_images"], arrays[f"{split}_labels"] = images[chosen], labels[chosen]
    np.savez_compressed(output, **arrays)
    print(f"{output}: {output.stat().st_size:,} bytes")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make the subset of Fashion-MNIST.")
    parser.add_argument("folder", type=Path, help="where the four idx.gz files are")
    parser.add_argument("output", type=Path, nargs="?", default=OUTPUT)
    arguments = parser.parse_args()
    main(arguments.folder, arguments.output)
