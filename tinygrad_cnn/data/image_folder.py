"""Pictures of your own: a folder with a folder of PNG or JPEG files for each class."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import numpy as np

from ..errors import DataError, OptionError
from .dataset import Dataset
from .image import CHANNELS, pixels_of
from .splits import PARTS, stratified, which_part

SUFFIXES = (".png", ".jpg", ".jpeg")
SPLITS = {"train": ("train",), "validation": ("validation", "valid", "val"), "test": ("test",)}
_BY_SYSTEMS = ("thumbs.db", "desktop.ini")  # Windows puts them into folders; others hide theirs


def image_folder(
    path: str | os.PathLike[str],
    split: str = "train",
    *,
    size: int | tuple[int, int] | None = None,
    channels: int = 3,
) -> Dataset:
    """The images of a folder that has a folder for each class, such as ``pets/cat/1.png``.

    The classes are the folders' names, in alphabetical order. Images may lie in folders within
    those. A folder of ``train`` and ``test`` is split as it says; so is its ``validation`` or
    ``val``, without which a tenth of ``train`` validates. Any other is split into seven tenths to
    train, one to validate and two to test. These are the same ones each time, and have their share
    of every class.

    Args:
        path: the folder.
        split: "train", "validation" or "test".
        size: height and width that the images are resized to, one number for both. None: they must
            be of one size as they are.
        channels: 3 for colours, 1 for grey.

    Returns:
        A `Dataset`: images (n, channels, height, width) float32 from 0 to 1, labels (n,) int64, in
        an order that mixes the classes. 1,000 colour images of 224×224 take 600 MB of memory.

    Raises:
        DataError: no such folder; no class, or one with too few images; train and test have
            other classes; a file that is no image, or is damaged; images of several sizes.
        OptionError: another split, size or number of channels.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for i in range(20):
        ...         file = Path(folder) / ("light" if i % 2 else "dark") / f"{i}.png"
        ...         file.parent.mkdir(exist_ok=True)
        ...         Image.new("L", (9, 7), 250 * (i % 2)).save(file)
        ...     image_folder(folder, "train", size=8).classes
        ('dark', 'light')
    """
    root = Path(path)
    resized = None if size is None else _size(size)
    if channels not in CHANNELS:
        raise OptionError(f"image_folder: channels={channels!r} must be 1 (grey) or 3 (colours)")
    parts = which_part("image_folder", split)
    if not root.is_dir():
        what = "is a file, and a folder is needed" if root.exists() else "there is no such folder"
        raise DataError(f"{root}: {what}")
    root, parts = _folder_of(root, split, parts)
    classes, files, labels = _listed(root)
    mine = np.isin(stratified(labels), parts)
    files = [file for file, here in zip(files, mine, strict=True) if here]
    labels = [label for label, here in zip(labels, mine, strict=True) if here]
    if missing := sorted(set(range(len(classes))) - set(labels)):
        raise DataError(
            f"{root}: too few images of {classes[missing[0]]!r} to have some to {split}; "
            "ten of each class are enough"
        )
    images = [pixels_of(file, channels, resized) for file in files]
    sizes = Counter(image.shape[1:] for image in images)
    if len(sizes) > 1:
        shape = images[0].shape[1:]
        other = next(i for i, image in enumerate(images) if image.shape[1:] != shape)
        raise DataError(
            f"{files[other]}: is {_by(images[other].shape[1:])}, and {files[0].name} is "
            f"{_by(shape)}; give the size that all are resized to, such as size={max(shape)}"
        )
    name = f"{Path(path).resolve().name} {split}"
    mixed = np.random.default_rng(0).permutation(len(images))
    return Dataset(np.stack(images), np.array(labels, np.int64), classes, name)[mixed]


def _size(size: int | tuple[int, int]) -> tuple[int, int]:
    pair = (size, size) if isinstance(size, int | np.integer) else size
    if not (
        isinstance(pair, tuple)
        and len(pair) == 2
        and all(isinstance(n, int | np.integer) and n >= 1 for n in pair)
    ):
        raise OptionError(
            f"image_folder: size={size!r} must be a whole number ≥ 1, or (height, width)"
        )
    return pair


def _by(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))


def _folder_of(root: Path, split: str, parts: list[int]) -> tuple[Path, list[int]]:
    """The folder that a split is taken from, and which tenths of it."""
    known = {name: split for split, names in SPLITS.items() for name in names}
    folders = _classes(root)
    given = {known[name]: root / name for name in folders if name in known}
    if "train" not in given or not known.keys() >= set(folders):
        return root, parts
    classes = _classes(given["train"])
    for folder in given.values():
        if odd := sorted(set(classes) ^ set(_classes(folder))):
            raise DataError(f"{folder}: has other classes than train: {', '.join(odd[:5])}")
    everything = list(range(PARTS))
    if split in given:
        apart = "validation" not in given and split == "train"
        return given[split], everything[1:] if apart else everything
    if split == "test":
        raise DataError(f"{root}: has a folder train, and none to test")
    return given["train"], everything[:1]


def _classes(root: Path) -> tuple[str, ...]:
    return tuple(
        sorted(entry.name for entry in root.iterdir() if entry.is_dir() and _is_seen(entry))
    )


def _is_seen(path: Path) -> bool:
    return not path.name.startswith(".") and path.name.lower() not in _BY_SYSTEMS


def _listed(root: Path) -> tuple[tuple[str, ...], list[Path], list[int]]:
    """The classes of a folder, its images in order, and the class of each."""
    classes = _classes(root)
    if not classes:
        raise DataError(f"{root}: has no folders; each class needs one, such as {root / 'cat'}")
    loose = [f for f in sorted(root.iterdir()) if f.suffix.lower() in SUFFIXES and _is_seen(f)]
    if loose:
        raise DataError(f"{loose[0]}: lies beside the classes' folders, so it has no class")
    files: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        found = [f for f in sorted((root / name).rglob("*")) if f.is_file() and _is_seen(f)]
        for file in found:
            if file.suffix.lower() not in SUFFIXES:
                raise DataError(f"{file}: is neither PNG nor JPEG; take it out, or convert it")
        if not found:
            raise DataError(f"{root / name}: has no images; each folder is a class")
        files += found
        labels += [label] * len(found)
    return classes, files, labels
