"""Random changes to training images that leave their labels right.

Each is called with a batch (N, C, H, W) and a generator, and returns another batch of that shape;
so is any function of your own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import OptionError, ShapeError

Augment = Callable[[NDArray[Any], np.random.Generator], NDArray[Any]]


@dataclass(frozen=True)
class RandomFlip:
    """Mirrors each image left to right, with probability p.

    Raises:
        OptionError: p is not in 0 … 1.

    Example:
        >>> images = np.arange(3.0).reshape(1, 1, 1, 3)
        >>> RandomFlip(p=1)(images, np.random.default_rng(0)).ravel().tolist()
        [2.0, 1.0, 0.0]
    """

    p: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.p <= 1:
            raise OptionError(f"RandomFlip: p must be in 0 … 1, got {self.p}")

    def __call__(self, images: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
        _need_images("RandomFlip", images)
        flipped = rng.random(len(images)) < self.p
        return np.where(flipped[:, None, None, None], images[..., ::-1], images)


@dataclass(frozen=True)
class RandomCrop:
    """Moves each image by up to `padding` pixels along each axis; zeros come in at the border.

    The image is padded with zeros, then cropped to its size at a random place (He et al. 2015,
    section 4).

    Raises:
        OptionError: padding is not a whole number ≥ 1.
    """

    padding: int = 4

    def __post_init__(self) -> None:
        if not (isinstance(self.padding, int) and self.padding >= 1):
            raise OptionError(f"RandomCrop: padding must be an int ≥ 1, got {self.padding!r}")

    def __call__(self, images: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
        _need_images("RandomCrop", images)
        p = self.padding
        n, _, height, width = images.shape
        padded = np.pad(images, ((0, 0), (0, 0), (p, p), (p, p)))
        corners = rng.integers(0, 2 * p + 1, (n, 2))
        crops = [
            image[:, i : i + height, j : j + width]
            for image, (i, j) in zip(padded, corners, strict=True)
        ]
        return np.stack(crops)


def _need_images(name: str, images: NDArray[Any]) -> None:
    if images.ndim != 4:
        raise ShapeError(f"{name}: images must be (N, C, H, W), got {images.shape}")
