"""The windows of an image as the columns of a matrix, and back: unfold (im2col) and fold (col2im).

A convolution is a product with this matrix. `unfold2d` reads windows as well, but keeps the axes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..engine.definition import add_up, places
from ..engine.op import Shape, op
from ..errors import ShapeError
from ..kernels.windows import output_sizes
from .windows import Pairs, layouts, padding_pairs, per_axis, read


def _grids(out: Shape, kernel: Shape, dilation: Shape, stride: Shape) -> Iterator[Any]:
    """For each element of the kernel its index, and where in the padded image it is read."""
    for element in places(kernel):
        read_at = tuple(
            slice(a * e, a * e + (o - 1) * s + 1, s)
            for a, o, e, s in zip(element, out, dilation, stride, strict=True)
        )
        yield (..., *element, slice(None), slice(None)), (..., *read_at)


def _padded(size: Shape, padding: Pairs) -> Shape:
    return tuple(n + sum(pair) for n, pair in zip(size, padding, strict=True))


def _inside(size: Shape, padding: Pairs) -> Any:
    """An index of the image in the padded one."""
    return (..., *(slice(before, before + n) for n, (before, _) in zip(size, padding, strict=True)))


@op
def unfold(
    x: Any, *, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Any:
    """All windows of an image, each as a column: (N, C, H, W) → (N, C·kh·kw, L), also "im2col".

    Args:
        x: (N, C, H, W), or one example, (C, H, W).
        kernel_size: of the windows; an int or two of them.
        dilation, padding, stride: as for `conv2d`; the padding is of zeros.

    Returns:
        L columns, one for each of the OH·OW windows, row by row. In a column come the cells of the
        first channel, then those of the next.

    Raises:
        ShapeError, OptionError: naming the sizes that do not fit.

    Example:
        >>> import numpy as np, tinygrad_cnn as tg
        >>> x = np.arange(9.0).reshape(1, 1, 3, 3)
        >>> tg.unfold(x, 2)[0].T.tolist()[0]  # the first window
        [0.0, 1.0, 3.0, 4.0]
        >>> w = np.ones((5, 1, 2, 2))
        >>> np.array_equal(w.reshape(5, 4) @ tg.unfold(x, 2)[0], tg.conv2d(x, w).reshape(5, 4))
        True
    """
    size = x.shape[2:]
    out = output_sizes(size, kernel_size, stride, padding, dilation)
    padded = np.zeros((*x.shape[:2], *_padded(size, padding)), x.dtype)
    padded[_inside(size, padding)] = x
    columns = np.empty((*x.shape[:2], *kernel_size, *out), x.dtype)
    for at, read_at in _grids(out, kernel_size, dilation, stride):
        columns[at] = padded[read_at]
    return columns.reshape(x.shape[0], x.shape[1] * math.prod(kernel_size), math.prod(out))


@op
def fold(
    x: Any,
    *,
    output_size: Any,
    kernel_size: Any,
    dilation: Any = 1,
    padding: Any = 0,
    stride: Any = 1,
) -> Any:
    """Columns put back as the windows of an image, where they overlap added up: also "col2im".

    It is the gradient of `unfold`, not its inverse: a cell of several windows is added up.

    Args:
        x: (N, C·kh·kw, L), or one example, (C·kh·kw, L), as `unfold` makes them of an image of
            `output_size`.
        output_size: (H, W), or an int for both.
        kernel_size, dilation, padding, stride: as for `unfold`.

    Returns:
        (N, C, H, W).

    Raises:
        ShapeError, OptionError: naming the sizes that do not fit.

    Example:
        >>> import numpy as np, tinygrad_cnn as tg
        >>> tg.fold(tg.unfold(np.ones((1, 1, 3, 3)), 2), 3, 2)[0, 0].tolist()
        [[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]]
    """
    n, c = x.shape[0], x.shape[1] // math.prod(kernel_size)
    out = output_sizes(output_size, kernel_size, stride, padding, dilation)
    columns = np.reshape(x, (n, c, *kernel_size, *out))
    padded = np.zeros((n, c, *_padded(output_size, padding)), x.dtype)
    for at, read_at in _grids(out, kernel_size, dilation, stride):
        padded[read_at] += columns[at]
    return np.ascontiguousarray(padded[_inside(output_size, padding)])


def _options(
    name: str, of: Shape, size: Shape, kernel_size: Any, dilation: Any, padding: Any, stride: Any
) -> tuple[dict[str, Any], Shape]:
    """The options in canonical form, and how many windows there are along each axis."""
    kernel = per_axis(kernel_size, 2, name, "kernel_size", 1)
    dilation = per_axis(dilation, 2, name, "dilation", 1)
    pairs = padding_pairs(padding, 2, kernel, dilation, name)
    strides = per_axis(stride, 2, name, "stride", 1)
    out = output_sizes(size, kernel, strides, pairs, dilation)
    if min(out) < 1:
        raise ShapeError(
            f"{name}: kernel {kernel} with dilation {dilation} does not fit into image {size} with "
            f"padding {pairs}, for input {of}"
        )
    options = {"kernel_size": kernel, "dilation": dilation, "padding": pairs, "stride": strides}
    return options, out


@unfold.check_shapes
def _(x: Any, **options: Any) -> dict[str, Any]:
    shape = np.shape(x)
    if len(shape) != 4:
        raise ShapeError(f"unfold: input must be {layouts(2)}; got {shape}")
    return _options("unfold", shape, shape[2:], **options)[0]


@fold.check_shapes
def _(x: Any, *, output_size: Any, **options: Any) -> dict[str, Any]:
    shape = np.shape(x)
    if len(shape) != 3:
        raise ShapeError(
            f"fold: input must be (N, C·kh·kw, L), or (C·kh·kw, L) for one example; got {shape}"
        )
    size = per_axis(output_size, 2, "fold", "output_size", 0)
    found, out = _options("fold", shape, size, **options)
    cells = math.prod(found["kernel_size"])
    if shape[1] % cells or shape[2] != math.prod(out):
        raise ShapeError(
            f"fold: an image of {size} has {math.prod(out)} windows {out} of {cells} cells a "
            f"channel, so the input must be (N, C·{cells}, {math.prod(out)}), got {shape}"
        )
    return {"output_size": size, **found}


unfold.batched("x", axes=4)
fold.batched("x", axes=3)
unfold.vjp(lambda g, y, x, **o: fold(g, output_size=x.shape[2:], **o))
fold.vjp(lambda g, y, x, output_size, **o: unfold(g, **o))


@unfold.definition
def _(
    at: Shape, x: Any, *, kernel_size: Shape, dilation: Shape, padding: Pairs, stride: Shape
) -> Any:
    n, row, column = at
    size = x.shape[2:]
    out = output_sizes(size, kernel_size, stride, padding, dilation)
    c, cell = divmod(row, math.prod(kernel_size))
    window, element = divmod(column, out[1]), divmod(cell, kernel_size[1])
    place = read(window, element, stride, padding, dilation, size)
    return 0.0 if place is None else x[(n, c, *place)]


@fold.definition
def _(
    at: Shape,
    x: Any,
    *,
    output_size: Shape,
    kernel_size: Shape,
    dilation: Shape,
    padding: Pairs,
    stride: Shape,
) -> Any:
    n, c, *place = at
    out = output_sizes(output_size, kernel_size, stride, padding, dilation)
    return add_up(
        x[(n, c * math.prod(kernel_size) + cell, column)]
        for column, window in enumerate(places(out))
        for cell, element in enumerate(places(kernel_size))
        if read(window, element, stride, padding, dilation, output_size) == tuple(place)
    )
