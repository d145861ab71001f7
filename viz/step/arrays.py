"""The arrays that a page shows, as plain data: numbers if there are few, else pixels.

Each array is a dict with `shape` and `dtype`, and

- `numbers`: all of them, row by row, if there are at most 64; else
- `pixels`: base64 of one byte a cell, `tiles` × `rows` × `columns`. A tile is the last two axes of
  the array; there are `of` tiles in all, of which the first are shown. Each cell is the mean of
  `block` × `block` numbers. Bytes 0 … 254 lie evenly from `low` to `high`; 255 is NaN or infinite.
- `statistics`: min, max, mean, std, norm, and how many are zero or not finite; and `histogram`,
  the counts in bins of equal width from min to max. Of an array that was not kept, that is all.

NaN and infinities are the strings "nan", "inf" and "-inf".
"""

from __future__ import annotations

import base64
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_cnn import Statistics
from tinygrad_cnn.recording.description import Description

NUMBERS = 64  # an array of at most so many elements is shown as numbers
ROW = 32  # numbers of a vector that stand in a row
MOST_CELLS, FEWEST_CELLS = 4800, 256  # of a heat map
ALL_CELLS = 1_400_000  # of all heat maps of a page together
TILES = 16  # of an array that has more, so many at least are shown before they lose detail
BINS = 24


class Arrays:
    """The arrays of a page; each gets a number when it is first met."""

    def __init__(self) -> None:
        self._numbers: dict[Any, int] = {}
        self._values: list[Any] = []  # kept alive, so that their ids stay theirs

    def __call__(self, value: Any) -> int | None:
        """The number of an array, float or description; None for None."""
        if value is None:
            return None
        key = repr(value) if type(value) is float else id(value)
        if key not in self._numbers:
            self._numbers[key] = len(self._values)
            self._values.append(value)
        return self._numbers[key]

    def value(self, number: int) -> Any:
        """The array of that number."""
        return self._values[number]

    def plain(self) -> list[dict[str, Any]]:
        """All of them as plain data."""
        large = sum(np.size(v) > NUMBERS for v in self._values if isinstance(v, np.ndarray))
        cells = min(MOST_CELLS, max(FEWEST_CELLS, ALL_CELLS // max(large, 1)))
        return [plain_array(value, cells) for value in self._values]


def plain_array(value: Any, cells: int = MOST_CELLS) -> dict[str, Any]:
    """One array as plain data: see above.

    Example:
        >>> plain_array(np.array([[1.0, -2.0]]))
        {'shape': [1, 2], 'dtype': 'float64', 'numbers': [1.0, -2.0]}
    """
    if isinstance(value, Description):
        known = value if isinstance(value, Statistics) else None
        return {
            "shape": list(value.shape),
            "dtype": value.dtype,
            "statistics": None if known is None else _statistics(known, None),
        }
    array = np.asarray(value)
    head = {"shape": list(array.shape), "dtype": str(array.dtype)}
    if array.size <= NUMBERS:
        return {**head, "numbers": [_number(x) for x in array.ravel()]}
    return {
        **head,
        **_pixels(array, cells),
        "statistics": _statistics(Statistics.of(array), int((array == 0).sum())),
        "histogram": _histogram(array),
    }


def json_number(x: float) -> float | str:
    """A float as strict JSON can hold it."""
    return x if math.isfinite(x) else str(x)


def _short(x: float) -> float | str:
    return json_number(float(f"{x:.7g}"))


def _number(x: Any) -> float | int | str:
    if x.dtype.kind in "iub":
        return int(x)
    return json_number(float(str(x)) if x.dtype.itemsize < 8 else float(x))


def _statistics(s: Statistics, zeros: int | None) -> dict[str, Any]:
    found = {name: _short(getattr(s, name)) for name in ("min", "max", "mean", "std", "norm")}
    return {**found, "zeros": zeros, "not_finite": s.not_finite, "size": s.size}


def _histogram(array: NDArray[Any]) -> list[int]:
    finite = array[np.isfinite(array)].astype(np.float64) / 2  # so that no difference overflows
    low, high = finite.min(initial=np.inf), finite.max(initial=-np.inf)
    share = (finite - low) / (high - low) if high > low else np.zeros(finite.size)
    places = np.minimum(share * BINS, BINS - 1).astype(np.int64)
    return [int(n) for n in np.bincount(places, minlength=BINS)]


def layout(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """How an array of this shape is laid out: how many tiles, their rows and their columns.

    Example:
        >>> layout((2, 6, 28, 28)), layout((1, 120)), layout((8, 3, 1, 1))
        ((12, 28, 28), (1, 4, 32), (1, 8, 3))
    """
    while shape and shape[0] == 1 and len(shape) < 3:  # a single row is a vector
        shape = shape[1:]
    while len(shape) > 2 and shape[-1] == shape[-2] == 1:
        shape = shape[:-2]
    if len(shape) < 2:
        size = math.prod(shape)
        return 1, -(-size // ROW), min(size, ROW)
    return math.prod(shape[:-2]), shape[-2], shape[-1]


def _pixels(array: NDArray[Any], cells: int) -> dict[str, Any]:
    tiles, rows, columns = layout(array.shape)
    flat = array.ravel().astype(np.float64)
    missing = tiles * rows * columns - flat.size  # at the end of a vector's last row
    whole = np.concatenate([flat, np.zeros(missing)]).reshape(tiles, rows, columns)
    block = 1
    while min(tiles, TILES) * -(-rows // block) * -(-columns // block) > cells:
        block += 1
    high, wide = -(-rows // block), -(-columns // block)
    shown = max(1, min(tiles, cells // (high * wide)))
    finite = np.isfinite(flat)
    low, top = (float(flat[finite].min()), float(flat[finite].max())) if finite.any() else (0, 0)
    if low < 0:  # about 0, as far on either side
        top = max(-low, top)
        low = -top
    coarse = _means(whole[:shown], block)
    known = np.isfinite(coarse)
    span = (top - low) or 1.0
    with np.errstate(invalid="ignore"):
        levels = np.where(known, np.rint(254 * ((coarse - low) / span)), 255).clip(0, 255)
    return {
        "tiles": shown,
        "of": tiles,
        "rows": high,
        "columns": wide,
        "block": block,
        "missing": missing,
        "low": _short(low),
        "high": _short(top),
        "pixels": base64.b64encode(levels.astype(np.uint8).tobytes()).decode(),
    }


def _means(tiles: NDArray[Any], block: int) -> NDArray[Any]:
    """Means of squares of cells; those at the lower and right border may be smaller."""
    if block == 1:
        return tiles
    rows = np.arange(0, tiles.shape[1], block)
    columns = np.arange(0, tiles.shape[2], block)
    with np.errstate(invalid="ignore"):
        sums = np.add.reduceat(np.add.reduceat(tiles, rows, axis=1), columns, axis=2)
    high = np.minimum(block, tiles.shape[1] - rows)
    wide = np.minimum(block, tiles.shape[2] - columns)
    return sums / (high[:, None] * wide)
