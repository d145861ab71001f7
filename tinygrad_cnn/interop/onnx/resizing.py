"""Resize: images of another size, by the nearest cell or by weighted sums of neighbours.

It is `interpolate` where that computes the same. Else each axis is resized by itself: output cell i
stands at a place x of the input, and there the cells ⌈x⌉ − 1 + k are weighted by a kernel.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from ...errors import OptionError, ShapeError
from ...ops.elementwise import where
from ...ops.matmul import matmul
from ...ops.moving import moveaxis, take
from ...ops.resizing import interpolate
from .table import dtype_of, ints, onnx_op, plain, shape_of, sized

_NEAREST: dict[str, Any] = {
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}


def _places(
    out: int, n: int, scale: float, mode: str, roi: tuple[float, float]
) -> np.ndarray[Any, Any]:
    """Where in the input, of n cells, the `out` cells of the output stand.

    Raises:
        OptionError: another mode.
    """
    i, wide = np.arange(out, dtype=np.float64), scale * n
    if mode == "asymmetric":
        return i / scale
    if mode == "align_corners":
        return i * 0 if wide == 1 else i * (n - 1) / (wide - 1)
    if mode == "tf_crop_and_resize":
        begin, end = roi
        if wide == 1:
            return i * 0 + (begin + end) * (n - 1) / 2
        return begin * (n - 1) + i * (end - begin) * (n - 1) / (wide - 1)
    if mode == "pytorch_half_pixel" and wide == 1:
        return i * 0 - 0.5
    if mode == "half_pixel_symmetric":
        return n / 2 * (1 - out / wide) + (i + 0.5) / scale - 0.5
    if mode not in {"half_pixel", "pytorch_half_pixel"}:
        raise OptionError(f"Resize: unknown coordinate_transformation_mode {mode!r}")
    return (i + 0.5) / scale - 0.5


def _triangle(x: Any) -> Any:
    return np.clip(1 - np.abs(x), 0, None)


def _cubic(a: float) -> Any:
    """The cubic kernel; a is its slope at 1."""

    def kernel(x: Any) -> Any:
        x = np.abs(x)
        near = ((a + 2) * x - (a + 3)) * x * x + 1
        far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
        return np.where(x <= 1, near, np.where(x < 2, far, 0))

    return kernel


def _weights(
    places: Any, n: int, scale: float, kernel: Any, radius: int, antialias: bool, outside: bool
) -> Any:
    """The matrix (out, n) of one axis; with `antialias` a kernel as wide as what it shrinks."""
    shrink = min(scale, 1.0) if antialias else 1.0
    first = math.floor(-radius / shrink) + 1
    base = np.ceil(places)[:, None] - 1
    cells = base + np.arange(first, 2 - first)
    weights = kernel((cells - places[:, None]) * shrink)
    if not outside:
        weights = np.where((cells >= 0) & (cells < n), weights, 0)
    if antialias or not outside:
        weights = weights / weights.sum(axis=1, keepdims=True)
    matrix = np.zeros((len(places), n))
    rows = np.broadcast_to(np.arange(len(places))[:, None], cells.shape)
    np.add.at(matrix, (rows, np.clip(cells, 0, n - 1).astype(int)), weights)
    return matrix


@onnx_op("Resize")
def resize(
    x: Any,
    roi: Any = None,
    scales: Any = None,
    sizes: Any = None,
    *,
    antialias: int = 0,
    axes: Sequence[int] | None = None,
    coordinate_transformation_mode: str = "half_pixel",
    cubic_coeff_a: float = -0.75,
    exclude_outside: int = 0,
    extrapolation_value: float = 0.0,
    keep_aspect_ratio_policy: str = "stretch",
    mode: str = "nearest",
    nearest_mode: str = "round_prefer_floor",
) -> Any:
    """x with other sizes, by factors (`scales`) or as they are to be (`sizes`)."""
    shape = shape_of(x)
    chosen = list(range(len(shape))) if axes is None else [a % len(shape) for a in axes]
    factors, targets = _targets(shape, chosen, scales, sizes, keep_aspect_ratio_policy)
    sized(*[dict(zip(chosen, targets, strict=True)).get(a, n) for a, n in enumerate(shape)])
    crops = _crops(coordinate_transformation_mode, roi, len(chosen))
    how = _How(
        mode,
        coordinate_transformation_mode,
        nearest_mode,
        cubic_coeff_a,
        bool(antialias),
        bool(exclude_outside),
    )
    plan = tuple(map(_Axis, chosen, factors, targets, crops))
    options = _as_interpolate(shape[2:], plan, how) if dtype_of(x).kind == "f" else None
    if options is not None:
        return interpolate(x, **options)
    return _axis_by_axis(x, plan, how, extrapolation_value)


class _How(NamedTuple):
    """What Resize is told of all axes."""

    mode: str
    coordinates: str
    nearest: str
    a: float
    antialias: bool
    exclude_outside: bool


class _Axis(NamedTuple):
    """What Resize is told of one."""

    axis: int
    scale: float
    out: int
    crop: tuple[float, float]


def _axis_by_axis(x: Any, plan: Sequence[_Axis], how: _How, extrapolation_value: float) -> Any:
    shape = shape_of(x)
    crops = how.coordinates == "tf_crop_and_resize"
    beyond: dict[int, Any] = {}
    for axis, scale, out, crop in plan:
        n = shape[axis]
        if out == n and scale == 1 and not crops:
            continue
        places = _places(out, n, scale, how.coordinates, crop)
        if crops:
            beyond[axis] = (places < 0) | (places > n - 1)
        if how.mode == "nearest":
            if how.nearest not in _NEAREST:
                raise OptionError(f"Resize: unknown nearest_mode {how.nearest!r}")
            cells = np.clip(_NEAREST[how.nearest](places), 0, n - 1).astype(int)
            x = take(x, cells, axis)
            continue
        if how.mode not in {"linear", "cubic"}:
            raise OptionError(f"Resize: mode must be nearest, linear or cubic, got {how.mode!r}")
        kernel, radius = (_triangle, 1) if how.mode == "linear" else (_cubic(how.a), 2)
        outside = not how.exclude_outside
        matrix = _weights(places, n, scale, kernel, radius, how.antialias, outside)
        matrix = matrix.astype(dtype_of(x)).T
        x = moveaxis(matmul(moveaxis(x, axis, -1), matrix), -1, axis)
    for axis, outside in beyond.items():
        at = outside.reshape([-1 if a == axis else 1 for a in range(len(shape))])
        x = where(at, np.array(extrapolation_value, dtype_of(x)), x)
    return x


@lru_cache(maxsize=64)
def _as_interpolate(
    size: tuple[int, ...], plan: tuple[_Axis, ...], how: _How
) -> dict[str, Any] | None:
    """The options with which `interpolate` does the same to images of a size, if any.

    Both are linear, so that one image of no regularity tells whether they are the same.
    """
    spatial = {axis.axis: axis for axis in plan if axis.axis > 1}
    outs = [spatial[a].out if a in spatial else n for a, n in enumerate(size, start=2)]
    fits = all(axis.scale == 1 for axis in plan if axis.axis < 2) and 0 not in (*size, *outs)
    if how.coordinates == "tf_crop_and_resize" or not 1 <= len(size) <= 3 or not fits:
        return None
    image = np.sin(np.arange(math.prod(size), dtype=float)).reshape(1, 1, *size)
    wanted = _axis_by_axis(image, list(spatial.values()), how, 0.0)
    scales = [spatial[a].scale if a in spatial else 1.0 for a in range(2, len(size) + 2)]
    kinds = {
        "nearest": ["nearest", "nearest-exact"],
        "linear": [("linear", "bilinear", "trilinear")[len(size) - 1]],
        "cubic": ["bicubic"] if len(size) == 2 else [],
    }
    for mode, corners in itertools.product(kinds[how.mode], (False, True)):
        if corners and how.mode == "nearest":
            continue
        for sizes in ({"size": outs}, {"scale_factor": scales}):
            options = {"mode": mode, "align_corners": corners, **sizes}
            got = interpolate(image, **options)
            if got.shape == wanted.shape and np.allclose(got, wanted, 1e-9, 1e-9):
                return options
    return None


def _crops(mode: str, roi: Any, axes: int) -> list[tuple[float, float]]:
    """The part of each axis that is resized, as (begin, end) in 0 … 1."""
    if mode != "tf_crop_and_resize":
        return [(0.0, 1.0)] * axes
    if roi is None or np.size(plain(roi)) != 2 * axes:
        raise ShapeError(f"Resize: tf_crop_and_resize needs a roi of {2 * axes} numbers")
    begins, ends = plain(roi).astype(float).reshape(2, axes).tolist()
    return list(zip(begins, ends, strict=True))


def _targets(
    shape: tuple[int, ...], axes: list[int], scales: Any, sizes: Any, policy: str
) -> tuple[list[float], list[int]]:
    """Factor and new size of each axis.

    Raises:
        ShapeError: neither scales nor sizes, or not one for each axis.
    """
    given = [x for x in (scales, sizes) if x is not None and np.size(plain(x))]
    if len(given) != 1 or np.size(plain(given[0])) != len(axes):
        raise ShapeError(f"Resize: {len(axes)} scales or as many sizes are needed for {shape}")
    old = [shape[a] for a in axes]
    if given[0] is scales:
        factors = [float(f) for f in plain(scales)]
        if not all(math.isfinite(f) and f > 0 for f in factors):
            raise ShapeError(f"Resize: scales must be > 0, got {factors}")
        return factors, [math.floor(n * f) for n, f in zip(old, factors, strict=True)]
    wanted = list(ints(sizes))
    factors = [w / n for w, n in zip(wanted, old, strict=True)]
    if policy == "stretch":
        return factors, wanted
    if policy not in {"not_larger", "not_smaller"}:
        raise OptionError(f"Resize: unknown keep_aspect_ratio_policy {policy!r}")
    factor = min(factors) if policy == "not_larger" else max(factors)
    return [factor] * len(axes), [math.floor(n * factor + 0.5) for n in old]


@onnx_op("Upsample")
def _(x: Any, scales: Any, *, mode: str = "nearest") -> Any:
    """What Resize was called before opset 10; some converters still write it."""
    return resize(
        x,
        scales=scales,
        mode=mode,
        nearest_mode="floor",
        coordinate_transformation_mode="asymmetric",
    )
