"""Writers of images of other sizes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....engine.node import Node
from ....errors import OptionError
from ....ops.resizing import interpolate
from ..recorded import Moving
from .table import Writing, only, writes

_MODES: dict[
    str, dict[str, Any]
] = {  # of interpolate, with and without align_corners, as attributes of Resize
    "nearest": {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
    "nearest-exact": {
        "coordinate_transformation_mode": "half_pixel",
        "nearest_mode": "round_prefer_ceil",
    },
    "linear": {"mode": "linear"},
    "bilinear": {"mode": "linear"},
    "trilinear": {"mode": "linear"},
    "bicubic": {"mode": "cubic"},
}


@writes("interpolate")
def _(w: Writing, node: Node) -> Any:
    """As Resize, or by the weights of the cells where that might read other ones."""
    x, o = only(node), node.options or {}
    factors = None if o["align_corners"] else o["scale_factor"]  # corners decide places alone
    if not _is_resize(x.shape[2:], o["size"], factors, o["mode"]):
        return _by_weights(w, x, o)
    if o["mode"].startswith("nearest"):
        attributes = dict(_MODES[o["mode"]])
    else:
        corners = "align_corners" if o["align_corners"] else "half_pixel"
        attributes = {**_MODES[o["mode"]], "coordinate_transformation_mode": corners}
    if factors:
        scales = w.constant([1, 1, *factors], np.float32)
        return w.put("Resize", w.of(x), "", scales, **attributes)
    sizes = w.put("Shape", w.of(x), start=0, end=2)
    sizes = w.put("Concat", sizes, w.ints(o["size"]), axis=0)
    return w.put("Resize", w.of(x), "", "", sizes, **attributes)


def _is_resize(shape: tuple[int, ...], size: tuple[int, ...], scale_factor: Any, mode: str) -> bool:
    """Whether rounding cannot make Resize give other sizes, or read other cells.

    A file has its factors in float32, and programs compute places in float32 or in float64: at a
    border between two cells these differ.
    """
    factors = scale_factor or (None,) * len(shape)
    for n, o, scale in zip(shape, size, factors, strict=True):
        if scale and int(np.floor(n * np.float32(scale))) != o:
            return False
        if mode.startswith("nearest"):
            read = _matrix(n, o, scale, mode, False, axes=1).argmax(axis=0)
            for dtype in map(np.dtype, ("float32", "float64")):
                half = dtype.type(0.5 if mode == "nearest-exact" else 0)
                factor = dtype.type(np.float32(scale) if scale else o / n)
                places = (np.arange(o, dtype=dtype) + half) / factor
                if (np.clip(np.floor(places), 0, n - 1) != read).any():
                    return False
    return True


def _matrix(n: int, o: int, scale: Any, mode: str, align_corners: bool, axes: int) -> Any:
    """How much of each of n cells is in each of o cells, (n, o): what the op makes of single cells.

    Args:
        axes: how many the op has; beyond the first they are of size 1.
    """
    rest = (1,) * (axes - 1)
    cells = interpolate.forward(
        np.eye(n).reshape(1, n, n, *rest),
        size=(o, *rest),
        scale_factor=scale and (scale, *rest),
        mode=mode,
        align_corners=align_corners,
    )
    return np.reshape(cells, (n, o))


def _by_weights(w: Writing, x: Node, options: dict[str, Any]) -> Any:
    size, axes = options["size"], len(x.shape) - 2
    factors = options["scale_factor"] or (None,) * axes
    matrices = [
        _matrix(n, o, scale, options["mode"], options["align_corners"], axes)
        for n, o, scale in zip(x.shape[2:], size, factors, strict=True)
    ]
    old, new = "xyz"[:axes], "hvw"[:axes]
    products = ",".join(map("".join, zip(old, new, strict=True)))
    weights = [w.constant(matrix, x.value.dtype) for matrix in matrices]
    return w.put("Einsum", w.of(x), *weights, equation=f"nc{old},{products}->nc{new}")


# --- pixels and channels -----------------------------------------------------------------------


def _square(w: Writing, node: Node) -> tuple[int, ...]:
    """The last three sizes of a node's input, which the writers below split or join."""
    shape = w.shape(only(node))[-3:]
    if any(isinstance(n, Moving) for n in shape):
        raise OptionError("the batch is among the axes that it rearranges")
    return shape


@writes("pixel_shuffle")
def _(w: Writing, node: Node) -> Any:
    shape, x = _square(w, node), w.of(only(node))
    if len(node.shape) != 4:
        x = w.put("Reshape", x, w.ints([-1, *shape]))
    factor = (node.options or {})["upscale_factor"]
    y = w.put("DepthToSpace", x, blocksize=factor, mode="CRD")
    return y if len(node.shape) == 4 else w.put("Reshape", y, w.ints(w.shape(node)))


@writes("pixel_unshuffle")
def _(w: Writing, node: Node) -> Any:
    """SpaceToDepth has the channels of a cell together, pixel_unshuffle the cells of a channel."""
    (c, height, width), r = _square(w, node), (node.options or {})["downscale_factor"]
    squares = w.ints([-1, c, height // r, r, width // r, r])
    y = w.put("Reshape", w.of(only(node)), squares)
    y = w.put("Transpose", y, perm=[0, 1, 3, 5, 2, 4])
    return w.put("Reshape", y, w.ints(w.shape(node)))
