"""Local response normalization (Krizhevsky et al. 2012), of AlexNet and GoogLeNet."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..engine.definition import add_up
from ..engine.op import Shape, op
from ..errors import DtypeError, ShapeError
from .moving import pad
from .options import integer, number


@op
def local_response_norm(
    x: Any, *, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Any:
    """x / (k + alpha/size · Σ x²)^beta, the sum over `size` neighbouring channels.

    Beyond the first and the last channel there are zeros. As in PyTorch the squares are averaged:
    the α of the paper, 1e-4 for a sum over 5 channels, is alpha=5e-4 here (with k=2).

    Args:
        x: floating, (N, C, …) with at least one axis after the channels.
        size: how many channels, size//2 of them before.

    Raises:
        ShapeError, DtypeError, OptionError: too few axes; integers; size is no int ≥ 1.

    Example:
        >>> import numpy as np, tinygrad_cnn as tg
        >>> x = np.array([[[1.0], [2.0], [3.0]]])
        >>> tg.local_response_norm(x, 2, alpha=2.0, beta=1.0).round(4).ravel().tolist()
        [0.5, 0.3333, 0.2143]
    """
    wide = _wide(x)
    y = wide * _divisor(wide, size, alpha, k) ** -beta
    return y.astype(x.dtype, copy=False)


def _wide(x: Any) -> Any:
    """x, of float16 as float32: its squares would overflow from 256 on."""
    return x.astype(np.float32) if x.dtype == np.float16 else x


def _divisor(x: Any, size: int, alpha: float, k: float) -> Any:
    """k + alpha/size · Σ x², on arrays and on Tensors."""
    return _neighbours(x * x, size // 2, (size - 1) // 2) * (alpha / size) + k


def _neighbours(x: Any, before: int, after: int) -> Any:
    """Along the channels, the sum of each element and of so many before and after it."""
    channels = x.shape[1]
    before, after = min(before, channels), min(after, channels)
    padded = pad(x, ((0, 0), (before, after), *[(0, 0)] * (x.ndim - 2)))
    return add_up(padded[:, i : i + channels] for i in range(before + after + 1))


@local_response_norm.check
def _(x: Any, *, size: int, alpha: float, beta: float, k: float) -> dict[str, Any]:
    name, shape, dtype = "local_response_norm", np.shape(x), np.asarray(x).dtype
    if len(shape) < 3:
        raise ShapeError(f"{name}: input must be (N, C, …) with 3 axes or more, got {shape}")
    if dtype.kind != "f":
        raise DtypeError(f"{name}: a floating input is needed, got {dtype}")
    return {
        "size": integer(name, "size", size, least=1),
        "alpha": number(name, "alpha", alpha),
        "beta": number(name, "beta", beta),
        "k": number(name, "k", k),
    }


@local_response_norm.vjp
def _(g: Any, y: Any, x: Any, *, size: int, alpha: float, beta: float, k: float) -> Any:
    x = _wide(x)
    divisor = _divisor(x, size, alpha, k)
    direct = g * divisor**-beta
    # through the squares: each channel hears from those whose window it is in
    through = _neighbours(direct * x / divisor, (size - 1) // 2, size // 2)
    return direct - x * through * (2 * alpha * beta / size)


@local_response_norm.definition
def _(at: Shape, x: Any, *, size: int, alpha: float, beta: float, k: float) -> Any:
    n, c, *place = at
    window = range(max(c - size // 2, 0), min(c + (size - 1) // 2 + 1, x.shape[1]))
    squares = add_up(x[(n, i, *place)] ** 2 for i in window)
    return x[at] / (k + alpha / size * squares) ** beta


local_response_norm.multiply_adds(lambda out, x, *, size, **o: math.prod(x) * (size + 2))
