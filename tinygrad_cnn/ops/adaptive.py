"""Adaptive pooling: the output's size is given, and the windows follow from it.

Along an axis of n cells, window i of o spans cells ⌊i·n/o⌋ … ⌈(i+1)·n/o⌉ − 1. Where o divides n
these are ordinary windows. Otherwise their sizes differ by one, and they may overlap.
"""

from __future__ import annotations

import itertools
import math
import operator
from typing import Any

import numpy as np

from ..engine.definition import add_up, first_to_beat
from ..engine.op import Op, Shape, constant, op
from ..errors import OptionError, ShapeError
from .elementwise import where
from .moving import take
from .options import is_integer, need_floating
from .pooling import unpool
from .windows import layouts


def windows(n: int, o: int) -> list[range]:
    """The cells of each of o windows over n cells."""
    return [range(i * n // o, -(-(i + 1) * n // o)) for i in range(o)]


def _check_output_size(d: int, name: str) -> Any:
    def check(x: Any, *, output_size: Any) -> dict[str, Any]:
        shape = np.shape(x)
        if len(shape) != d + 2 or 0 in shape[2:]:
            raise ShapeError(f"{name}: input must be {layouts(d)}, with cells to pool; got {shape}")
        need_floating(name, x)
        sizes = tuple(output_size) if isinstance(output_size, tuple | list) else (output_size,) * d
        if len(sizes) != d or not all(s is None or (is_integer(s) and s > 0) for s in sizes):
            raise OptionError(
                f"{name}: output_size must be an int ≥ 1{f', or {d} of them' if d > 1 else ''} "
                f"(None keeps an axis), got {output_size!r}"
            )
        return {"output_size": tuple(int(s or n) for s, n in zip(sizes, shape[2:], strict=True))}

    return check


def _cells(at: Shape, x: Any, output_size: Shape) -> list[Shape]:
    """The input indices that one output cell is pooled from, in row-major order."""
    runs = [windows(n, o)[i] for i, n, o in zip(at[2:], x.shape[2:], output_size, strict=True)]
    return [(*at[:2], *cell) for cell in itertools.product(*runs)]


def _table(runs: list[range]) -> Any:
    """The cells of each run in a row, (runs, longest); shorter ones repeat their last cell."""
    longest = max(map(len, runs))
    return np.array([[*run, *[run[-1]] * (longest - len(run))] for run in runs])


def _declare(name: str, d: int, forward: Any, about: str) -> Op:
    """An adaptive pooling over d axes: its name, documentation, check and cost."""
    forward.__doc__ = _DOC.format(name=name, d=d, about=about)
    pool: Op = op(f"{name}{d}d", forward)
    pool.batched("x", axes=d + 2).check(_check_output_size(d, pool.name))
    pool.multiply_adds(lambda out, x, **o: math.prod(x))
    return pool


_DOC = """{about}

    Args:
        x: (N, C, …) with {d} spatial axes, or one example, (C, …).
        output_size: an int, or {d} of them; None keeps an axis as it is.

    Raises:
        ShapeError, DtypeError, OptionError: naming the sizes that do not fit.

    Example:
        >>> import numpy as np, tinygrad_cnn as tg
        >>> x = np.ones((1, 1, *[5] * {d}))
        >>> tg.{name}{d}d(x, 2).shape[2:] == (2,) * {d}
        True
    """
_AVERAGE = "The mean of each window, the windows chosen to give the output its size."
_MAX = """The largest of each window, the windows chosen to give the output a size.

    Of equal elements the first in the window gets the gradient."""


# --- average ---------------------------------------------------------------------------------


def _sum_runs(x: Any, axis: int, runs: list[range]) -> Any:
    """Sum an axis over runs of its cells, with one output for each run; on arrays and on Tensors.

    A product with a matrix of zeros and ones would do the same, but spread a NaN over all outputs.
    """
    table = _table(runs)
    longest = table.shape[1]
    if longest == 1:
        return take(x, table[:, 0], axis)
    behind = (1,) * (x.ndim - axis - 1)
    inside = np.arange(longest) < np.array([[len(run)] for run in runs])
    cells = take(x, table, axis)  # (…, runs, longest, …)
    if not inside.all():
        cells = where(inside.reshape(*inside.shape, *behind), cells, 0.0)
    return cells.sum(axis=axis + 1)


def _lengths(x: Any, axis: int, runs: list[range]) -> Any:
    """How many cells each run has, to divide x by along an axis."""
    return np.array([len(run) for run in runs], x.dtype).reshape(-1, *(1,) * (x.ndim - axis - 1))


def _adaptive_avg_pool(d: int) -> Op:
    def forward(x: Any, *, output_size: Any) -> Any:
        for axis, o in enumerate(output_size, start=2):
            runs = windows(x.shape[axis], o)
            x = _sum_runs(x, axis, runs) / _lengths(x, axis, runs)
        return x

    pool = _declare("adaptive_avg_pool", d, forward, _AVERAGE)

    @pool.vjp
    def _(g: Any, y: Any, x: Any, *, output_size: Shape) -> Any:
        for axis, (n, o) in enumerate(zip(x.shape[2:], output_size, strict=True), start=2):
            # the windows that hold cell j are consecutive: window j of n over o cells
            g = _sum_runs(g / _lengths(g, axis, windows(n, o)), axis, windows(o, n))
        return g

    @pool.definition
    def _(at: Shape, x: Any, *, output_size: Shape) -> Any:
        cells = _cells(at, x, output_size)
        return add_up(x[cell] for cell in cells) / len(cells)

    return pool


# --- max -------------------------------------------------------------------------------------


def _winners(x: Any, output_size: Shape) -> Any:
    """The flat spatial index of each window's largest cell; of equal ones the first."""
    lead, size, d = x.shape[:2], x.shape[2:], len(output_size)
    # That a shorter window repeats its last cell changes neither the maximum nor which cell is
    # the first to reach it.
    tables = []
    for axis, (n, o) in enumerate(zip(size, output_size, strict=True)):
        table = _table(windows(n, o))
        tables.append(table.reshape([1] * axis + [o] + [1] * (d - 1) + [-1] + [1] * (d - axis - 1)))
    flat = np.ravel_multi_index(np.broadcast_arrays(*tables), size)
    flat = flat.reshape(*output_size, -1)
    gathered = x.reshape(*lead, math.prod(size))[..., flat]
    first = gathered.argmax(axis=-1)
    return np.take_along_axis(np.broadcast_to(flat, gathered.shape), first[..., None], axis=-1)[
        ..., 0
    ]


def _adaptive_max_pool(d: int) -> Op:
    def forward(x: Any, *, output_size: Any) -> Any:
        flat = x.reshape(*x.shape[:2], math.prod(x.shape[2:]))
        index = _winners(x, output_size).reshape(*x.shape[:2], math.prod(output_size))
        return np.take_along_axis(flat, index, axis=-1).reshape(*x.shape[:2], *output_size)

    pool = _declare("adaptive_max_pool", d, forward, _MAX)

    @pool.vjp
    def _(g: Any, y: Any, x: Any, *, output_size: Shape) -> Any:
        return unpool(g, _winners(constant(x), output_size), x.shape[2:])

    @pool.definition
    def _(at: Shape, x: Any, *, output_size: Shape) -> Any:
        cells = _cells(at, x, output_size)
        return first_to_beat((x[cell] for cell in cells), operator.gt)

    return pool


adaptive_avg_pool1d = _adaptive_avg_pool(1)
adaptive_avg_pool2d = _adaptive_avg_pool(2)
adaptive_avg_pool3d = _adaptive_avg_pool(3)
adaptive_max_pool1d = _adaptive_max_pool(1)
adaptive_max_pool2d = _adaptive_max_pool(2)
adaptive_max_pool3d = _adaptive_max_pool(3)
