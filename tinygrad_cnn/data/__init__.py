"""Data to train on: data sets by name, mini-batches, and random changes to images.

Each data set has a file of its own; `idx.py`, `download.py` and `shipped.py` get at the files that
the data comes in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from ..errors import OptionError
from .augment import RandomCrop, RandomFlip
from .dataset import Dataset
from .digits import digits
from .fashion_mnist import fashion_mnist
from .go_board import GoBoard
from .go_games import GoGame, go_games, go_positions, read_go_games
from .idx import read_idx, write_idx
from .image_folder import image_folder
from .loader import DataLoader
from .mnist import mnist
from .photographs import photographs
from .sentences import sentence_texts, sentence_vocabulary, sentences
from .splits import stratified
from .vocabulary import Vocabulary, tokenise

DATASETS: dict[str, Callable[..., Dataset]] = {
    "fashion_mnist": fashion_mnist,
    "mnist": mnist,
    "digits": digits,
    "sentences": sentences,
    "go_games": go_games,
}


OF_FOLDER = "folder:"  # begins the name of data that is a folder of images


def load(name: str, split: str, **options: object) -> Dataset:
    """One split of the data set of that name; `options` are its own, such as ``full=True``.

    ``folder:PATH`` is `image_folder` of that path.

    Raises:
        OptionError: no such data set (lists those there are), split or option.
        DataError: a file that is missing, damaged or of another kind.

    Example:
        >>> load("fashion_mnist", "test")
        Dataset 'Fashion-MNIST test': 400 inputs of (1, 28, 28) float32, 10 classes
    """
    make = DATASETS.get(name)
    if name.startswith(OF_FOLDER):
        make = partial(image_folder, name.removeprefix(OF_FOLDER))
    if make is None:
        raise OptionError(
            f"unknown data {name!r}; there are {', '.join(DATASETS)}, and {OF_FOLDER}PATH"
        )
    try:
        return make(split, **options)
    except TypeError as error:
        if "argument" not in str(error):
            raise
        raise OptionError(f"data {name!r}: {error}") from error


_WITHOUT_VALIDATION = ("fashion_mnist", "mnist")


def load_training(name: str, **options: object) -> tuple[Dataset, Dataset]:
    """What to train on, and what to validate on meanwhile; the test split is for the end.

    Data that is published without a validation split holds out a tenth of its training split,
    always the same one, with a tenth of each class. Arguments and errors as for `load`.

    Returns:
        The training and the validation data, which have nothing in common.

    Example:
        >>> training, validation = load_training("fashion_mnist")
        >>> len(training), len(validation)
        (1440, 160)
    """
    training = load(name, "train", **options)
    if name not in _WITHOUT_VALIDATION:
        return training, load(name, "validation", **options)
    held_out = stratified(training.labels.tolist()) == 0
    validation = replace(training[held_out], name=training.name.replace("train", "validation"))
    return training[~held_out], validation


__all__ = [
    "DATASETS",
    "OF_FOLDER",
    "DataLoader",
    "Dataset",
    "GoBoard",
    "GoGame",
    "RandomCrop",
    "RandomFlip",
    "Vocabulary",
    "digits",
    "fashion_mnist",
    "go_games",
    "go_positions",
    "image_folder",
    "load",
    "load_training",
    "mnist",
    "photographs",
    "read_go_games",
    "read_idx",
    "sentence_texts",
    "sentence_vocabulary",
    "sentences",
    "tokenise",
    "write_idx",
]
