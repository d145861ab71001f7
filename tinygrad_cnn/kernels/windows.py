"""Which cells a sliding window reads. Along one axis, tap a of window i reads the cell

    i · stride + a · dilation − before

    n = 6, kernel 3, stride 2, padding (1, 0)        cell    −1  0  1  2  3  4  5
                                                  window 0    a  a  a
                                                  window 1          a  a  a
                                                  window 2                a  a  a

(Cell −1 is padding.) A window that does not fit is left out.
"""

from __future__ import annotations

import functools

import numpy as np

Shape = tuple[int, ...]
Pairs = tuple[tuple[int, int], ...]


def span(kernel: int, dilation: int) -> int:
    """The length of a dilated window: kernel 3, dilation 2 spans 5 cells."""
    return (kernel - 1) * dilation + 1


def output_size(n: int, kernel: int, stride: int, padding: tuple[int, int], dilation: int) -> int:
    """How many windows fit along one axis of n cells, padded by (before, after).

    >>> output_size(224, 11, 4, (0, 0), 1)
    54
    """
    return (n + sum(padding) - span(kernel, dilation)) // stride + 1


# The results are cached, like those of `_padding_to_gather` in convolution.py. Without both caches,
# forward and backward of a convolution of two images of 4×4 take 1.15 times as long.
@functools.lru_cache(maxsize=1024)
def output_sizes(
    size: Shape, kernel: Shape, stride: Shape, padding: Pairs, dilation: Shape
) -> Shape:
    """`output_size` along every axis."""
    return tuple(map(output_size, size, kernel, stride, padding, dilation))


def inside(n: int, windows: int, stride: int, offset: int) -> tuple[slice, slice]:
    """The windows i for which cell i · stride + offset is one of the n cells, and those cells.

    The other windows read padding there.
    """
    first = max(0, -(offset // stride))  # ⌈−offset / stride⌉
    stop = max(first, min(windows, (n - 1 - offset) // stride + 1))
    cells = slice(first * stride + offset, max(0, (stop - 1) * stride + offset + 1), stride)
    return slice(first, stop), cells


def arithmetic(dtype: np.dtype) -> np.dtype:
    """The dtype to sum in: float32 for float16, whose sums lose digits and which BLAS lacks."""
    return np.result_type(dtype, np.float32)
