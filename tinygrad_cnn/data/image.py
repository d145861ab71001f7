"""A picture from a file, as a model takes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, OptionError


def read_image(path: Path, shape: tuple[int, ...], model: str) -> np.ndarray[Any, Any]:
    """The image as a model of that input shape takes it: (1 or 3, H, W), float32, 0 … 1."""
    from PIL import Image, ImageOps

    if len(shape) != 3 or shape[0] not in (1, 3):
        raise OptionError(f"{model} takes inputs of shape {shape}, which no image has")
    if not path.is_file():
        what = "is a folder, and an image is needed" if path.is_dir() else "there is no such file"
        raise DataError(f"{path}: {what}")
    channels, height, width = shape
    try:
        with Image.open(path) as file:
            picture: Any = ImageOps.exif_transpose(file)
            picture.load()
    except (OSError, ValueError, SyntaxError) as error:
        raise DataError(f"{path}: cannot be read as an image ({error})") from error
    if picture.mode.startswith("I;16"):  # convert would cut 16 bits off at 255
        picture = Image.fromarray((np.asarray(picture) / 257).round().astype(np.uint8))
    elif picture.mode in ("I", "F"):
        raise DataError(f"{path}: has pixels of 32 bits; save it with 8 or 16")
    if picture.has_transparency_data:
        ground = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(ground, picture.convert("RGBA"))
    picture = picture.convert("L" if channels == 1 else "RGB").resize((width, height))
    pixels = np.asarray(picture, np.float32) / np.float32(255)
    return pixels.reshape(height, width, channels).transpose(2, 0, 1)
