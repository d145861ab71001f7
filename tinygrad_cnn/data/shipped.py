"""The data files that come with this package."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError

FOLDER = Path(__file__).parent / "files"


def damaged(path: Path, error: object) -> DataError:
    """The error to raise if a shipped file cannot be read."""
    return DataError(f"{path}: missing or damaged ({error}); install tinygrad_cnn again")


def read_arrays(file: str, *names: str) -> list[NDArray[Any]]:
    """Arrays of a shipped .npz file, by name.

    Raises:
        DataError: names the file, and says what is wrong with it.
    """
    path = FOLDER / file
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return [arrays[name] for name in names]
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise damaged(path, error) from error
