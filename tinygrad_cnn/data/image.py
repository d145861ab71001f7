"""A picture from a file, as a model takes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, OptionError

CHANNELS = {1: "L", 3: "RGB"}  # Pillow's names


def read_image(path: Path, shape: tuple[int, ...], model: str) -> np.ndarray[Any, Any]:
    """The image as a model of that input shape takes it: (1 or 3, H, W), float32, 0 … 1."""
    if len(shape) != 3 or shape[0] not in CHANNELS:
        raise OptionError(f"{model} takes inputs of shape {shape}, which no image has")
    return pixels_of(path, shape[0], shape[1:])


def pixels_of(
    path: Path, channels: int = 3, size: tuple[int, ...] | None = None
) -> np.ndarray[Any, Any]:
    """The pixels of an image file: (channels, height, width), float32 from 0 to 1.

    It is turned as its EXIF data says; what is transparent in it is white.

    Args:
        path: of a PNG, a JPEG, or whatever else Pillow reads.
        channels: 1 makes it grey, 3 gives it colours.
        size: height and width that it is resized to; its own if None.

    Raises:
        DataError: no such file, one that cannot be read, or pixels of 32 bits.
    """
    from PIL import Image, ImageOps

    if not path.is_file():
        what = "is a folder, and an image is needed" if path.is_dir() else "there is no such file"
        raise DataError(f"{path}: {what}")
    try:
        with Image.open(path) as file:
            picture: Any = ImageOps.exif_transpose(file)
            picture.load()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: cannot be read as an image ({error})") from error
    if picture.mode.startswith("I;16"):  # convert would cut 16 bits off at 255
        picture = Image.fromarray((np.asarray(picture) / 257).round().astype(np.uint8))
    elif picture.mode in ("I", "F"):
        raise DataError(f"{path}: has pixels of 32 bits; save it with 8 or 16")
    if picture.has_transparency_data:
        ground = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(ground, picture.convert("RGBA"))
    picture = picture.convert(CHANNELS[channels])
    if size is not None:
        height, width = size
        picture = picture.resize((width, height))
    pixels = np.asarray(picture, np.float32) / np.float32(255)
    return pixels.reshape(*pixels.shape[:2], channels).transpose(2, 0, 1)
