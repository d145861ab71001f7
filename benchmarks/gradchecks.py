"""Checks of a gradient beside `torch.autograd.gradcheck`: each checks its own engine's layer.

PyTorch checks one Jacobian as we do (its slow mode, the default), for inputs and parameters alike.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from timing import Step

import tinygrad_cnn as tg


def _steps(ours: Any, theirs: Any, shapes: list[tuple[int, ...]]) -> dict[str, Step]:
    random = np.random.default_rng(0)
    arrays = [random.standard_normal(shape) for shape in shapes]

    def check() -> None:
        assert tg.gradcheck(ours, arrays)

    engines: dict[str, Step] = {"ours": check}
    try:
        torch = importlib.import_module("torch")
    except ImportError:
        return engines
    torch.set_num_threads(1)  # the fastest for arrays as small as these
    tensors = [torch.tensor(a, requires_grad=True) for a in arrays]
    engines["PyTorch"] = lambda: torch.autograd.gradcheck(theirs(torch), tensors)
    return engines


def convolution() -> dict[str, Step]:
    """3×3, two channels to three, on two images of 6×6."""
    return _steps(
        lambda x, w, b: tg.conv2d(x, w, b, padding=1),
        lambda torch: lambda x, w, b: torch.nn.functional.conv2d(x, w, b, padding=1),
        [(2, 2, 6, 6), (3, 2, 3, 3), (3,)],
    )


def batch_norm() -> dict[str, Step]:
    """Training mode, three channels, on four images of 4×4."""
    return _steps(
        lambda x, w, b: tg.batch_norm(x, weight=w, bias=b, training=True),
        lambda torch: (
            lambda x, w, b: torch.nn.functional.batch_norm(x, None, None, w, b, training=True)
        ),
        [(4, 3, 4, 4), (3,), (3,)],
    )


def residual_block(channels: int = 2, size: int = 4) -> dict[str, Step]:
    """x + conv(tanh(norm(conv(x)))), on two images."""

    def ours(x: Any, v: Any, w: Any, b: Any, u: Any) -> Any:
        h = tg.batch_norm(tg.conv2d(x, v, padding=1), weight=w, bias=b, training=True)
        return tg.residual_add(x, tg.conv2d(tg.tanh(h), u, padding=1))

    def theirs(torch: Any) -> Any:
        f = torch.nn.functional

        def block(x: Any, v: Any, w: Any, b: Any, u: Any) -> Any:
            h = f.batch_norm(f.conv2d(x, v, padding=1), None, None, w, b, training=True)
            return x + f.conv2d(torch.tanh(h), u, padding=1)

        return block

    kernel = (channels, channels, 3, 3)
    images = (2, channels, size, size)
    return _steps(ours, theirs, [images, kernel, (channels,), (channels,), kernel])


def larger_block() -> dict[str, Step]:
    """Eight channels, 6×6: 576 outputs, 1,744 inputs."""
    return residual_block(8, 6)
