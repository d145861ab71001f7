"""Three photographs to try filters on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .shipped import read_arrays

FILE = "photographs.npz"
NAMES = ("camera", "coffee", "astronaut")
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # what red, green, blue add to brightness


def photographs(grey: bool = False) -> dict[str, NDArray[Any]]:
    """Photographs by name, as arrays (channels, height, width), float32 from 0 to 1.

    "camera" (1, 240, 240), a man with a camera, by Lav Varshney; "coffee" (3, 160, 240), a cup, by
    Rachel Michetti; "astronaut" (3, 240, 240), Eileen Collins, by NASA. All three may be used
    freely; see files/PHOTOGRAPHS_LICENSE.txt.

    Args:
        grey: one channel for all: the brightness (Rec. 601).

    Raises:
        DataError: the file is missing or damaged.

    Example:
        >>> {name: picture.shape for name, picture in photographs().items()}
        {'camera': (1, 240, 240), 'coffee': (3, 160, 240), 'astronaut': (3, 240, 240)}
    """
    found = {}
    for name, pixels in zip(NAMES, read_arrays(FILE, *NAMES), strict=True):
        picture = pixels.reshape(*pixels.shape[:2], -1) / np.float32(255)
        if grey and picture.shape[2] == 3:
            picture = picture @ LUMA[:, None]
        found[name] = np.ascontiguousarray(picture.transpose(2, 0, 1))
    return found
