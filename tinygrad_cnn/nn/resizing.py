"""Layers that make an image larger or smaller: Upsample, PixelShuffle, PixelUnshuffle."""

from __future__ import annotations

from typing import Any

from ..engine.tensor import Tensor
from ..ops import resizing
from .module import Module


class Upsample(Module):
    """An image in another size: see `tg.interpolate`.

    Args:
        size: of the result; an int or one for each axis. Give it or `scale_factor`.
        scale_factor: how many times larger.
        mode, align_corners: as for the op.
    """

    def __init__(
        self,
        size: Any = None,
        scale_factor: Any = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
    ) -> None:
        super().__init__()
        self.size, self.scale_factor = size, scale_factor
        self.mode, self.align_corners = mode, align_corners

    def forward(self, x: Tensor) -> Tensor:
        return resizing.interpolate(x, self.size, self.scale_factor, self.mode, self.align_corners)

    def describe(self) -> str:
        given = "scale_factor" if self.size is None else "size"
        text = f"{given}={getattr(self, given)}, mode={self.mode!r}"
        return text + (f", align_corners={self.align_corners}" if self.align_corners else "")


class PixelShuffle(Module):
    """Channels laid out in space, (N, C·r², H, W) → (N, C, H·r, W·r): see `tg.pixel_shuffle`."""

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, x: Tensor) -> Tensor:
        return resizing.pixel_shuffle(x, self.upscale_factor)

    def describe(self) -> str:
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """Space laid out in channels, (N, C, H·r, W·r) → (N, C·r², H, W): see `tg.pixel_unshuffle`."""

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        self.downscale_factor = downscale_factor

    def forward(self, x: Tensor) -> Tensor:
        return resizing.pixel_unshuffle(x, self.downscale_factor)

    def describe(self) -> str:
        return f"downscale_factor={self.downscale_factor}"
