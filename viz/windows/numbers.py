"""The arrays of a picture: how they are read, which index is meant, and how a number is printed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_cnn import Tensor
from tinygrad_cnn.errors import DtypeError, OptionError, ShapeError
from tinygrad_cnn.ops.windows import Pairs

Array = NDArray[np.float64]
Index = tuple[int, ...]
MAX_PLANES = 8  # channels of a picture
MAX_SIDE = 256  # cells along an axis


def read_array(name: str, what: str, value: Any) -> Array:
    """Numbers as float64, from a Tensor, an array or nested lists.

    Raises:
        DtypeError: they are not real numbers.
        ShapeError: the array is empty.
    """
    array = np.asarray(value.data if isinstance(value, Tensor) else value)
    if array.dtype.kind not in "biuf":
        raise DtypeError(f"{name}: {what} must hold real numbers, got {array.dtype}")
    if not array.size:
        raise ShapeError(f"{name}: {what} is empty, {array.shape}; nothing can be drawn")
    return array.astype(np.float64)


def one_image(name: str, x: Array, d: int) -> Array:
    """An image without its batch axis, with its channel axis: (C, …).

    Raises:
        ShapeError: several images, or another number of axes.
    """
    if x.ndim == d:
        return x[None]
    if x.ndim == d + 2:
        if len(x) != 1:
            raise ShapeError(f"{name}: one image is drawn, x holds {len(x)}, {x.shape}; give x[:1]")
        return x[0]
    if x.ndim != d + 1:
        axes = ("L", "H, W")[d - 1]
        raise ShapeError(
            f"{name}: x must be ({axes}), (C, {axes}) or (1, C, {axes}) here, got {x.shape}"
        )
    return x


def read_operands(
    name: str, x: Any, w: Any, bias: Any, channels: str = "O, C"
) -> tuple[int, Array, Array, Array | None]:
    """The arrays of a convolution of one image, with all their axes but the batch's.

    Args:
        name: of the picture, for errors.
        x, w, bias: as they were given.
        channels: the names of the kernels' first two axes, for errors.

    Returns:
        The number of spatial dimensions, the image (C, …), the kernels, and the bias or None.

    Raises:
        ShapeError: kernels or an image of another number of axes.
    """
    kernels = read_array(name, "w", w)
    d = {1: 1, 2: 2, 3: 1, 4: 2}.get(kernels.ndim)
    if d is None:
        raise ShapeError(
            f"{name}: w must be ({channels}, kh, kw) or (kh, kw), in one dimension "
            f"({channels}, k) or (k,), got {kernels.shape}"
        )
    kernels = kernels[None, None] if kernels.ndim == d else kernels
    image = one_image(name, read_array(name, "x", x), d)
    b = None if bias is None else np.atleast_1d(read_array(name, "bias", bias))
    return d, image, kernels, b


def read_index(name: str, at: Any, shape: Sequence[int], optional: int = 0) -> Index:
    """One element of an array; the first `optional` of its indices are 0 if left out.

    Raises:
        ShapeError: `at` is not the index of one element, or lies outside.
    """
    given = tuple(at) if isinstance(at, tuple | list) else (at,)
    if not all(isinstance(i, int | np.integer) and not isinstance(i, bool) for i in given):
        raise ShapeError(f"{name}: at must be an int or a tuple of ints, got {at!r}")
    missing = len(shape) - len(given)
    index = (*(0,) * missing, *given) if 0 <= missing <= optional else given
    if len(index) != len(shape):
        wanted = f"{len(shape) - optional} or {len(shape)}" if optional else f"{len(shape)}"
        raise ShapeError(f"{name}: at={at!r} must have {wanted} indices of shape {tuple(shape)}")
    if not all(-n <= i < n for i, n in zip(index, shape, strict=True)):
        raise ShapeError(f"{name}: at={at!r} lies outside of shape {tuple(shape)}")
    return tuple(int(i) % n for i, n in zip(index, shape, strict=True))


def refuse_large(name: str, what: str, shape: Sequence[int]) -> None:
    """Refuse an array (C, …) with more channels or longer axes than a picture can show.

    Raises:
        OptionError: the array is too large; the message says what to cut.
    """
    channels, *size = shape
    if len(size) > 1 and channels > MAX_PLANES:
        raise OptionError(
            f"{name}: {what} has {channels} channels, at most {MAX_PLANES} can be drawn; "
            "select some of them"
        )
    if max(size) > MAX_SIDE or channels > MAX_SIDE:
        raise OptionError(
            f"{name}: {what} {tuple(shape)} is too large to draw, at most {MAX_SIDE} along an "
            "axis; cut out a part, such as x[..., :12]"
        )


def refuse_large_input(name: str, x: Array, padding: Pairs) -> None:
    """Refuse an image (C, …) that is too large to be drawn with its padding.

    Raises:
        OptionError: as for `refuse_large`.
    """
    padded = (n + sum(pair) for n, pair in zip(x.shape[1:], padding, strict=True))
    refuse_large(name, "x with its padding", (len(x), *padded))


def number_text(value: float) -> str:
    """A number in few characters: whole numbers in full, others with two or three digits.

    >>> [number_text(v) for v in (-3.0, 0.125, 2 / 3, 12.345, 1e9, 1.5e-7, float("nan"))]
    ['−3', '0.125', '0.67', '12.3', '1e9', '1.5e−7', 'NaN']
    """
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    size = abs(value)
    if value == int(value) and size < 1e5:
        text = str(int(value))
    elif float(f"{value:.3g}") == value and 1e-2 <= size < 1e3:
        text = f"{value:.3g}"
    elif 0.095 <= size < 1e5:
        text = f"{value:.{2 if size < 9.995 else 1 if size < 999.95 else 0}f}"
    elif 0.0095 <= size < 0.095:
        text = f"{value:.2g}"
    else:
        digits, exponent = f"{value:.1e}".split("e")
        text = f"{digits.removesuffix('.0')}e{int(exponent)}"
    return text.replace("-", "−")


def is_rounded(value: float) -> bool:
    """Whether `number_text` leaves digits out."""
    if not math.isfinite(value):
        return False
    return float(number_text(value).replace("−", "-")) != value


def factor_text(value: float) -> str:
    """A number as a factor or summand: negative ones in brackets."""
    text = number_text(value)
    return f"({text})" if text.startswith("−") else text


def index_text(index: Sequence[int]) -> str:
    """An index as Python writes it: [0, 2]."""
    return f"[{', '.join(map(str, index))}]"


def size_text(size: Sequence[int]) -> str:
    """Sizes with a cross: 3 × 3."""
    return " × ".join(map(str, size))


def short(value: Sequence[Any]) -> str:
    """An option that has a value for each axis. Equal values are written once: (2, 2) is 2."""
    parts = [v[0] if isinstance(v, tuple) and v[0] == v[1] else v for v in value]
    return str(parts[0] if all(p == parts[0] for p in parts) else tuple(parts))


def options_text(stride: Index, padding: Pairs, dilation: Index) -> str:
    """The options that differ from their defaults, such as "stride 2, padding 1"."""
    options = (("stride", stride, 1), ("padding", padding, (0, 0)), ("dilation", dilation, 1))
    return ", ".join(
        f"{name} {short(value)}"
        for name, value, default in options
        if any(v != default for v in value)
    )
