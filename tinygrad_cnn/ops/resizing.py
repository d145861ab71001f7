"""Images of other sizes: interpolate, and pixels shuffled between channels and space.

Interpolation is linear in the image, and separable: along each axis an output cell is a weighted
sum of a few input cells, its taps (one for nearest, 2 for linear, 4 for cubic). They are a sparse
matrix for each axis; backward the transposed ones are applied.
"""

from __future__ import annotations

import itertools
import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from ..engine.definition import add_up
from ..engine.op import Shape, op
from ..errors import DtypeError, OptionError, ShapeError
from .options import choice, flag, integer, number
from .windows import layout, per_axis

# --- interpolation ---------------------------------------------------------------------------

MODES = {
    "nearest": (1, 2, 3),
    "nearest-exact": (1, 2, 3),
    "linear": (1,),
    "bilinear": (2,),
    "trilinear": (3,),
    "bicubic": (2,),
}
"""The modes, and the numbers of spatial axes for which each is."""

_A = -0.75  # the cubic's slope at its outer taps, as PyTorch's and OpenCV's


class _Taps(NamedTuple):
    """Along one axis, which cells each output cell reads, (o, taps), and their weights."""

    index: Any
    weight: Any


@lru_cache(maxsize=256)
def _taps(n: int, o: int, mode: str, align_corners: bool, scale: float | None) -> _Taps:
    """The taps from n cells to o.

    Cells lie at the centres of their pixels, so that the images' edges coincide; with
    `align_corners` the centres of the first and of the last ones do.
    """
    cell = np.arange(o)
    step = 1 / scale if scale else n / o
    if mode.startswith("nearest"):
        # in float32, as PyTorch: on the border between two cells rounding decides
        place = (cell + 0.5 * (mode == "nearest-exact")).astype(np.float32) * np.float32(step)
        return _Taps(np.minimum(place.astype(np.intp), n - 1)[:, None], np.ones((o, 1)))
    if n == o and mode != "bicubic":
        at = cell.astype(float)
    elif align_corners:
        at = cell * ((n - 1) / (o - 1) if o > 1 else 0.0)
    else:
        at = (cell + 0.5) * step - 0.5
    if mode != "bicubic":
        first = np.clip(np.floor(np.maximum(at, 0)).astype(np.intp), 0, n - 1)
        rest = np.clip(at - first, 0, 1)
        second = first if n == o else np.minimum(first + 1, n - 1)
        return _Taps(np.stack([first, second], 1), np.stack([1 - rest, rest], 1))
    first = np.floor(at).astype(np.intp)
    t = (at - first)[:, None]
    distance = np.abs(t - np.array([-1, 0, 1, 2]))
    inner = ((_A + 2) * distance - (_A + 3)) * distance**2 + 1
    outer = ((_A * distance - 5 * _A) * distance + 8 * _A) * distance - 4 * _A
    index = np.clip(first[:, None] + np.array([-1, 0, 1, 2]), 0, n - 1)
    return _Taps(index, np.where([[False, True, True, False]], inner, outer))


def _all_taps(
    size: Shape, out: Shape, mode: str, align_corners: bool, scale_factor: Any
) -> list[_Taps]:
    scales = scale_factor or (None,) * len(size)
    return [
        _taps(n, o, mode, align_corners, scale)
        for n, o, scale in zip(size, out, scales, strict=True)
    ]


def _along(axis: int, weight: Any, x: Any) -> Any:
    """Weights, shaped to be multiplied with x along an axis."""
    return weight.astype(x.dtype).reshape(-1, *(1,) * (x.ndim - axis - 1))


@op
def interpolate(
    x: Any,
    *,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Any:
    """An image in another size: each cell a weighted mean of those near its place.

    Args:
        x: (N, C, …) with 1 to 3 spatial axes.
        size: of the result; an int or one for each axis. Give it or `scale_factor`.
        scale_factor: how many times larger, rounded down; a number or one for each axis. Cells are
            then this far apart, not as far as the rounded size would have it.
        mode: "nearest" (the cell before), "nearest-exact"; "linear" of 1 axis, "bilinear" of 2,
            "trilinear" of 3; "bicubic" of 2 (Keys 1981, with a = −3/4).
        align_corners: whether the centres of the corner cells stay, or else the edges of the
            image; not for nearest.

    Raises:
        ShapeError, DtypeError, OptionError: naming the sizes that do not fit.

    Example:
        >>> import tinygrad_cnn as tg
        >>> x = tg.Tensor([[[1.0, 2.0]]])
        >>> tg.interpolate(x, scale_factor=2)
        Tensor([[[1., 1., 2., 2.]]])
        >>> tg.interpolate(x, 4, mode="linear")
        Tensor([[[1.  , 1.25, 1.75, 2.  ]]])
        >>> tg.interpolate(x, 3, mode="linear", align_corners=True)
        Tensor([[[1. , 1.5, 2. ]]])
    """
    taps = _all_taps(x.shape[2:], size, mode, bool(align_corners), scale_factor)
    for axis, (index, weight) in enumerate(taps, start=2):
        parts = [np.take(x, column, axis) for column in index.T]
        if len(parts) > 1:
            for part, w in zip(parts, weight.T, strict=True):
                part *= _along(axis, w, x)
        x = parts[0]
        for part in parts[1:]:
            x += part
    return x


def _options(
    name: str, x: Any, size: Any, scale_factor: Any, mode: str, align_corners: Any
) -> dict[str, Any]:
    """The options in canonical form, of an input x that is as large as the image."""
    shape, dtype = np.shape(x), np.asarray(x).dtype
    choice(name, "mode", mode, tuple(MODES))
    d = len(shape) - 2
    if d not in MODES[mode] or 0 in shape[2:]:
        wanted = " or ".join(f"({layout(axes)})" for axes in MODES[mode])
        raise ShapeError(f"{name}: for mode {mode!r} input must be {wanted}, got {shape}")
    if dtype.kind != "f":
        raise DtypeError(f"{name}: a floating input is needed, got {dtype}")
    if size is None and scale_factor is None:
        raise OptionError(f"{name}: give size or scale_factor")
    factors = None if scale_factor is None else _factors(name, scale_factor, shape)
    out = tuple([math.floor(n * s) for n, s in zip(shape[2:], factors or (), strict=False)])
    if 0 in out:
        raise OptionError(f"{name}: scale_factor {factors} leaves nothing of input {shape}")
    if size is not None:
        given = _one_each(name, "size", size, shape)
        if factors and given != out:
            raise OptionError(
                f"{name}: size {size} is not what scale_factor {scale_factor} makes of input "
                f"{shape}, which is {out}; give one of them"
            )
        out = given
    if factors and mode == "nearest" and d == 2:
        # as PyTorch, of images: what 2.1 makes twice as large is every cell twice
        factors = tuple(
            [
                o / n if o in (n, 2 * n) else s
                for n, o, s in zip(shape[2:], out, factors, strict=True)
            ]
        )
    aligned = align_corners is not None and flag(name, "align_corners", align_corners)
    if aligned and mode.startswith("nearest"):
        raise OptionError(f"{name}: align_corners=True is not for mode {mode!r}")
    return {"size": out, "scale_factor": factors, "mode": mode, "align_corners": aligned}


def _one_each(name: str, option: str, value: Any, shape: Shape) -> Shape:
    """An int ≥ 1 for each spatial axis."""
    _check_count(name, option, value, shape)
    return per_axis(value, len(shape) - 2, name, option, 1)


def _check_count(name: str, option: str, value: Any, shape: Shape) -> None:
    if isinstance(value, tuple | list) and len(value) != len(shape) - 2:
        raise OptionError(
            f"{name}: {option} {value!r} must have one number for each of the {len(shape) - 2} "
            f"spatial axes of {shape}"
        )


def _factors(name: str, value: Any, shape: Shape) -> tuple[float, ...]:
    _check_count(name, "scale_factor", value, shape)
    d = len(shape) - 2
    several = tuple(value) if isinstance(value, tuple | list) else (value,) * d
    factors = tuple([float(number(name, "scale_factor", s, least=0, most=2**31)) for s in several])
    if 0 in factors:
        raise OptionError(
            f"{name}: scale_factor must be a number > 0{f', or {d} of them' if d > 1 else ''}, "
            f"got {value!r}"
        )
    return factors


@interpolate.check_shapes
def _(x: Any, **options: Any) -> dict[str, Any]:
    return _options("interpolate", x, **options)


@op
def interpolate_input_grad(
    g: Any, *, input_size: Shape, scale_factor: Any, mode: str, align_corners: bool
) -> Any:
    """g taken back to the cells that were read, by their weights: the gradient of interpolate."""
    taps = _all_taps(input_size, g.shape[2:], mode, align_corners, scale_factor)
    for axis, (n, (index, weight)) in enumerate(zip(input_size, taps, strict=True), start=2):
        # all readings in the order of the cells that they read, each cell's then summed
        order = np.argsort(index, axis=None, kind="stable")
        cells, starts = np.unique(index.ravel()[order], return_index=True)
        readings = np.take(g, order // index.shape[1], axis)
        if index.shape[1] > 1:
            readings *= _along(axis, weight.ravel()[order], g)
        sums = np.add.reduceat(readings, starts, axis)
        if len(cells) == n:
            g = sums
        else:
            g = np.zeros((*g.shape[:axis], n, *g.shape[axis + 1 :]), g.dtype)
            g[(slice(None),) * axis + (cells,)] = sums
    return g


@interpolate_input_grad.check_shapes
def _(g: Any, *, input_size: Any, **options: Any) -> dict[str, Any]:
    name, shape = "interpolate_input_grad", np.shape(g)
    if len(shape) < 3:
        raise ShapeError(f"{name}: the gradient must be (N, C, …), got {shape}")
    size = _one_each(name, "input_size", input_size, shape)
    like = np.broadcast_to(np.zeros((), np.asarray(g).dtype), (*shape[:2], *size))
    found = _options(name, like, size=shape[2:], **options)
    del found["size"]
    return {"input_size": size, **found}


interpolate.vjp(
    lambda g, y, x, *, size, **o: interpolate_input_grad.checked(g, input_size=x.shape[2:], **o)
)
interpolate_input_grad.vjp(
    lambda g, y, x, *, input_size, **o: interpolate.checked(g, size=x.shape[2:], **o)
)


def _weighted(x: Any, lead: Shape, readings: list[list[tuple[int, float]]]) -> Any:
    """The sum over all combinations of what is read along each axis, times the weights."""
    return add_up(
        math.prod(weight for _, weight in taps) * x[(*lead, *[cell for cell, _ in taps])]
        for taps in itertools.product(*readings)
    )


@interpolate.definition
def _(at: Shape, x: Any, *, size: Shape, mode: str, align_corners: bool, scale_factor: Any) -> Any:
    n, c, *place = at
    taps = _all_taps(x.shape[2:], size, mode, align_corners, scale_factor)
    if mode.startswith("nearest"):
        return x[(n, c, *[int(index[i, 0]) for i, (index, _) in zip(place, taps, strict=True)])]
    return _weighted(
        x,
        (n, c),
        [
            list(zip(index[i].tolist(), weight[i].tolist(), strict=True))
            for i, (index, weight) in zip(place, taps, strict=True)
        ],
    )


@interpolate_input_grad.definition
def _(
    at: Shape, g: Any, *, input_size: Shape, mode: str, align_corners: bool, scale_factor: Any
) -> Any:
    n, c, *place = at
    taps = _all_taps(input_size, g.shape[2:], mode, align_corners, scale_factor)
    return _weighted(
        g,
        (n, c),
        [
            [(int(i), float(weight[i, t])) for i, t in np.argwhere(index == cell)]
            for cell, (index, weight) in zip(place, taps, strict=True)
        ],
    )


def _work(large: Shape, small: Shape, mode: str) -> int:
    """A multiply-add for each reading, axis after axis."""
    taps = {"nearest": 0, "nearest-exact": 0, "bicubic": 4}.get(mode, 2)
    sizes = (math.prod(large[:k]) * math.prod(small[k:]) for k in range(3, len(large) + 1))
    return taps * sum(sizes)


interpolate.multiply_adds(lambda out, x, *, mode, **o: _work(out, x, mode))
interpolate_input_grad.multiply_adds(lambda out, g, *, mode, **o: _work(g, out, mode))


# --- pixels and channels -----------------------------------------------------------------------


@op
def pixel_shuffle(x: Any, *, upscale_factor: int) -> Any:
    """Channels laid out in space: (…, C·r², H, W) → (…, C, H·r, W·r) (Shi et al. 2016).

    The r² channels c·r², c·r² + 1, … are an r × r square of each cell, row by row.

    Raises:
        ShapeError: a number of channels that r² does not divide, or too few axes.
        OptionError: upscale_factor is no int ≥ 1.

    Example:
        >>> import numpy as np, tinygrad_cnn as tg
        >>> tg.pixel_shuffle(np.arange(4.0).reshape(4, 1, 1), 2).tolist()
        [[[0.0, 1.0], [2.0, 3.0]]]
    """
    *lead, c, h, w = x.shape
    r, n = upscale_factor, len(lead)
    squares = np.reshape(x, (*lead, c // r**2, r, r, h, w))
    axes = (*range(n), n, n + 3, n + 1, n + 4, n + 2)
    return squares.transpose(axes).reshape(*lead, c // r**2, h * r, w * r)


@op
def pixel_unshuffle(x: Any, *, downscale_factor: int) -> Any:
    """Squares of cells laid out in channels: (…, C, H·r, W·r) → (…, C·r², H, W).

    It undoes `pixel_shuffle`.

    Raises:
        ShapeError: sizes that r does not divide, or too few axes.
        OptionError: downscale_factor is no int ≥ 1.

    Example:
        >>> import numpy as np, tinygrad_cnn as tg
        >>> tg.pixel_unshuffle(np.arange(4.0).reshape(1, 2, 2), 2).tolist()
        [[[0.0]], [[1.0]], [[2.0]], [[3.0]]]
    """
    *lead, c, h, w = x.shape
    r, n = downscale_factor, len(lead)
    squares = np.reshape(x, (*lead, c, h // r, r, w // r, r))
    axes = (*range(n), n, n + 2, n + 4, n + 1, n + 3)
    return squares.transpose(axes).reshape(*lead, c * r**2, h // r, w // r)


@pixel_shuffle.check
def _(x: Any, *, upscale_factor: int) -> dict[str, Any]:
    shape = np.shape(x)
    r = integer("pixel_shuffle", "upscale_factor", upscale_factor, least=1)
    if len(shape) < 3 or shape[-3] % r**2:
        raise ShapeError(
            f"pixel_shuffle: input must be (…, C·{r}², H, W), its channels a multiple of {r**2}, "
            f"got {shape}"
        )
    return {"upscale_factor": r}


@pixel_unshuffle.check
def _(x: Any, *, downscale_factor: int) -> dict[str, Any]:
    shape = np.shape(x)
    r = integer("pixel_unshuffle", "downscale_factor", downscale_factor, least=1)
    if len(shape) < 3 or shape[-2] % r or shape[-1] % r:
        raise ShapeError(
            f"pixel_unshuffle: input must be (…, C, H·{r}, W·{r}), H and W multiples of {r}, "
            f"got {shape}"
        )
    return {"downscale_factor": r}


pixel_shuffle.vjp(lambda g, y, x, upscale_factor: pixel_unshuffle(g, upscale_factor))
pixel_unshuffle.vjp(lambda g, y, x, downscale_factor: pixel_shuffle(g, downscale_factor))


@pixel_shuffle.definition
def _(at: Shape, x: Any, *, upscale_factor: int) -> Any:
    *lead, c, i, j = at
    r = upscale_factor
    return x[(*lead, (c * r + i % r) * r + j % r, i // r, j // r)]


@pixel_unshuffle.definition
def _(at: Shape, x: Any, *, downscale_factor: int) -> Any:
    *lead, c, i, j = at
    r = downscale_factor
    return x[(*lead, c // r**2, i * r + c // r % r, j * r + c % r)]
