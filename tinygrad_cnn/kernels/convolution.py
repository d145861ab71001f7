"""Convolution (cross-correlation) and its two gradients, as matrix products.

    y[n, o, i] = Σ_{c, a} w[o, c, a] · x[n, c, i·stride + a·dilation − before]

Column i of a matrix holds the cells that window i reads. Then y = W · columns (im2col):

    x  0 1 2 3 4      kernel 3 →  columns   0 1 2      y = W · columns
                                            1 2 3      gW = gy · columnsᵀ
                                            2 3 4      gx = Wᵀ · gy, added up in the cells

The columns of a whole batch do not fit into the cache. Those of one small sample make a matrix too
small to multiply efficiently. So the batch is processed in chunks, and the samples of a chunk lie
side by side in one long image, a `Strip`. One convolution of the strip convolves them all:

    strip            0 a b c d 0 0 e f g h 0     two samples of width 4, padding 1
    windows of 3     0 1 2 3 ✗ ✗ 0 1 2 3 ✗ ✗     each under its first cell

(✗ is a window that straddles two samples or the end. Its result is computed but not used.)
A tap is one position in the kernel. With stride 1, the cells that a tap reads along a row of the
strip are contiguous in memory, which makes them fast to copy.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from .parallel import over_batch
from .windows import Pairs, Shape, arithmetic, output_size, output_sizes, span

__all__ = ["convolve", "convolve_input_grad", "convolve_weight_grad", "output_size"]

Array = np.ndarray[Any, Any]

# Bytes of columns in a chunk. For a matrix product they should fit into a part of the L2 cache.
# Scattering makes one array addition for each tap, which is efficient only on larger chunks.
GATHERED = 1 << 19
SCATTERED = 1 << 21

Windows = tuple[Shape, Shape, Pairs, Shape, int]
"""What a kernel reads: (kernel, stride, padding, dilation, groups)."""


def convolve(
    x: Array, w: Array, stride: Shape, padding: Pairs, dilation: Shape, groups: int
) -> Array:
    """x (N, C, *size) and w (O, C/groups, *kernel) → y (N, O, *out)."""
    kernel = w.shape[2:]
    if math.prod(kernel) == math.prod(stride) == 1 and not np.any(padding):
        return _pointwise(x, w, groups)
    out = output_sizes(x.shape[2:], kernel, stride, padding, dilation)
    y = np.empty((len(x), len(w), *out), x.dtype)
    windows = (kernel, stride, padding, dilation, groups)

    def convolve_part(part: slice) -> None:
        samples, results = x[part], y[part]
        strip = take_strip("y", samples.shape, len(w), windows, x.dtype, GATHERED)
        matrix = w.reshape(groups, -1, strip.rows).astype(strip.dtype, copy=False)
        for chunk in strip.chunks():
            strip.gather(samples[chunk])
            np.matmul(matrix, strip.columns, out=strip.product)
            results[chunk] = strip.outputs[: len(results[chunk])]
        give_back(strip)

    over_batch(convolve_part, len(x), y.size * math.prod(w.shape[1:]))
    return y


# Without it, forward and backward of 16 images of 64×16×16 take 1.2 times as long.
def _pointwise(x: Array, w: Array, groups: int) -> Array:
    """A 1×1 kernel: each sample is already its matrix of columns."""
    batch, channels, *size = x.shape
    c_in, c_out = channels // groups, len(w) // groups
    dtype = arithmetic(x.dtype)
    columns = x.reshape(batch, groups, c_in, math.prod(size)).astype(dtype, copy=False)
    matrix = w.reshape(groups, c_out, c_in).astype(dtype, copy=False)
    y = np.empty((batch, groups, c_out, math.prod(size)), dtype)

    def multiply_part(part: slice) -> None:
        np.matmul(matrix, columns[part], out=y[part])

    over_batch(multiply_part, batch, y.size * c_in)
    return y.reshape(batch, len(w), *size).astype(x.dtype, copy=False)


def convolve_weight_grad(
    x: Array,
    g: Array,
    stride: Shape,
    padding: Pairs,
    dilation: Shape,
    groups: int,
    kernel_size: Shape,
) -> Array:
    """x (N, C, *size) and g (N, O, *out) → gw (O, C/groups, *kernel)."""
    c_in, c_out = x.shape[1] // groups, g.shape[1] // groups
    windows = (kernel_size, stride, padding, dilation, groups)

    def correlate_part(part: slice) -> Array:
        """The weight gradient of a part, of shape (groups, C/groups · taps, O/groups)."""
        samples, cotangents = x[part], g[part]
        strip = take_strip("gw", samples.shape, g.shape[1], windows, x.dtype, GATHERED)
        gw, of_chunk = np.zeros((2, groups, strip.rows, c_out), strip.dtype)
        for spotless in (False, True):
            for i, chunk in enumerate(strip.chunks()):
                strip.gather(samples[chunk])
                if spotless:
                    strip.columns[..., ~strip.is_output()] = 0
                _fill(strip.outputs, cotangents[chunk])
                # (gy · columnsᵀ)ᵀ: BLAS takes half the time if the long matrix is on the left.
                out = of_chunk if i else gw
                np.matmul(strip.columns, strip.product.swapaxes(1, 2), out=out)
                if i:
                    gw += of_chunk
            if math.isfinite(np.add.reduce(gw, axis=None)):
                break  # if not, a straddling window may hold NaN or ∞: clear it, as 0 · NaN is NaN
        give_back(strip)
        return gw

    work = g.size * c_in * math.prod(kernel_size)
    gw, *others = over_batch(correlate_part, len(x), work)
    for other in others:
        gw += other
    gw = gw.swapaxes(1, 2).reshape(groups * c_out, c_in, *kernel_size)
    return gw.astype(x.dtype, copy=False)


def convolve_input_grad(
    g: Array,
    w: Array,
    stride: Shape,
    padding: Pairs,
    dilation: Shape,
    groups: int,
    input_size: Shape,
) -> Array:
    """g (N, O, *out) and w (O, C/groups, *kernel) → gx (N, C, *input_size).

    This is also the transposed convolution of g.
    """
    windows = (w.shape[2:], stride, padding, dilation, groups)
    around = _padding_to_gather(input_size, g.shape[1:], w.shape[1] * groups, windows)
    if around is not None:
        return convolve(g, _flipped(w, groups), stride, around, dilation, groups)
    return _scattered(g, w, stride, padding, dilation, groups, input_size)


# If gradients are always scattered, a training step of ResNet-20 takes 1.1 times as long.
@functools.lru_cache(maxsize=1024)
def _padding_to_gather(input_size: Shape, g: Shape, c_in: int, windows: Windows) -> Pairs | None:
    """The padding of g for which its flipped convolution has input_size; None means: scatter."""
    kernel, stride, padding, dilation, _ = windows
    c_out, *out = g
    # Scattering a column costs about twice as much as gathering it. But the flipped convolution
    # gathers c_out channels for each input cell, scattering adds c_in for each output cell.
    gathered, scattered = c_out * math.prod(input_size), 2 * c_in * math.prod(out)
    around = _flipped_padding(input_size, tuple(out), kernel, padding, dilation)
    possible = set(stride) == {1} and min(map(min, around)) >= 0
    return around if possible and gathered <= scattered else None


def _flipped(w: Array, groups: int) -> Array:
    """w (O, C/groups, *kernel) → (C, O/groups, *kernel), with each kernel flipped.

    With stride 1, tap a of window j + before − a·dilation reads cell j. So gx is a convolution of g
    with the taps in reverse order.
    """
    c_out, c_in, kernel = len(w) // groups, w.shape[1], w.shape[2:]
    swapped = w.reshape(groups, c_out, c_in, *kernel).swapaxes(1, 2)
    turned = swapped[:, :, :, *[slice(None, None, -1)] * len(kernel)]
    return turned.reshape(groups * c_in, c_out, *kernel)


def _flipped_padding(
    input_size: Shape, out: Shape, kernel: Shape, padding: Pairs, dilation: Shape
) -> Pairs:
    """The padding of g for which its flipped convolution has input_size."""
    reach = [span(k, e) - 1 for k, e in zip(kernel, dilation, strict=True)]
    return tuple(
        (r - before, n - m + before)
        for n, m, r, (before, _) in zip(input_size, out, reach, padding, strict=True)
    )


def _scattered(
    g: Array,
    w: Array,
    stride: Shape,
    padding: Pairs,
    dilation: Shape,
    groups: int,
    input_size: Shape,
) -> Array:
    """gx by col2im: compute Wᵀ · gy, then add each row to the cells that its tap reads."""
    kernel = w.shape[2:]
    gx = np.empty((len(g), w.shape[1] * groups, *input_size), g.dtype)
    windows = (kernel, stride, padding, dilation, groups)

    def scatter_part(part: slice) -> None:
        cotangents, results = g[part], gx[part]
        strip = take_strip("gx", results.shape, len(w), windows, g.dtype, SCATTERED)
        matrix = w.reshape(groups, -1, strip.rows).astype(strip.dtype, copy=False).swapaxes(1, 2)
        for chunk in strip.chunks():
            _fill(strip.outputs, cotangents[chunk])
            np.matmul(matrix, strip.product, out=strip.columns)
            strip.scatter()
            results[chunk] = strip.samples[: len(results[chunk])]
        give_back(strip)

    over_batch(scatter_part, len(g), g.size * math.prod(w.shape[1:]))
    return gx


class Strip:
    """A chunk of n padded samples, side by side along the last axis, and their windows.

    Args:
        shape: of the whole batch, (N, C, *size).
        channels: how many output channels there are.
        windows: which cells each output is computed from.
        dtype: the dtype of the samples; float16 is computed in float32.
        column_bytes: the most bytes that `columns` should take; one sample always fits.

    Attributes:
        samples: (n, C, *size), a view of the strip's cells. The cells between samples are zero.
        windows: (groups, C/groups, *kernel, *positions), another view: the cell that each tap
            reads in each window. Along the last axis the windows of the n samples follow each
            other, `pitch` windows for each sample.
        columns: (groups, rows, windows), memory for a copy of `windows` as a matrix;
            rows = C/groups · taps.
        product: (groups, channels/groups, windows), one result for each window and channel; zeros
            at first.
        outputs: (n, channels, *out), a view of `product` without the windows that straddle.
    """

    def __init__(
        self,
        shape: Shape,
        channels: int,
        windows: Windows,
        dtype: np.dtype[Any],
        column_bytes: int,
    ) -> None:
        self.batch, channels_in, *size = shape
        self.kernel, stride, padding, dilation, self.groups = windows
        self.dtype = arithmetic(dtype)
        self.rows = channels_in // self.groups * math.prod(self.kernel)
        self.out = output_sizes(tuple(size), self.kernel, stride, padding, dilation)

        *lead, width = (m + sum(pair) for m, pair in zip(size, padding, strict=True))
        self.pitch = math.ceil(width / stride[-1])
        per_sample = self.groups * self.rows * math.prod(self.out[:-1]) * self.pitch
        fit = column_bytes // (per_sample * self.dtype.itemsize)
        self.n = max(1, min(fit, self.batch))
        self.positions = (*self.out[:-1], self.n * self.pitch)

        # The very last windows reach past the end: they read these spare cells.
        strip = (channels_in, *lead, self.n * self.pitch * stride[-1])
        spare = span(self.kernel[-1], dilation[-1])
        self.cells = np.zeros(math.prod(strip) + spare, self.dtype)

        plane, *steps = (self.dtype.itemsize * math.prod(strip[k:]) for k in range(1, len(shape)))
        first = sum(before * step for (before, _), step in zip(padding, steps, strict=True))
        sample = self.pitch * stride[-1] * steps[-1]
        self.samples = np.ndarray(
            (self.n, channels_in, *size), self.dtype, self.cells, first, (sample, plane, *steps)
        )
        group = channels_in // self.groups
        of_windows = (self.groups, group, *self.kernel, *self.positions)
        tap_steps = (e * step for e, step in zip(dilation, steps, strict=True))
        window_steps = (s * step for s, step in zip(stride, steps, strict=True))
        window_strides = (group * plane, plane, *tap_steps, *window_steps)
        self.windows = np.ndarray(of_windows, self.dtype, self.cells, 0, window_strides)
        self._copy = np.empty(of_windows, self.dtype)
        self.columns = self._copy.reshape(self.groups, self.rows, -1)
        self.product, self.outputs = self._results(channels)
        self.nbytes = self.cells.nbytes + self.columns.nbytes + self.product.nbytes
        self.key: Any = None

    def chunks(self) -> Iterator[slice]:
        """The batch, n samples at a time."""
        for start in range(0, self.batch, self.n):
            yield slice(start, start + self.n)

    def gather(self, x: Array) -> None:
        """Copy the windows of up to n samples into `columns` (im2col)."""
        _fill(self.samples, x)
        np.copyto(self._copy, self.windows)

    def scatter(self) -> None:
        """Add each entry of `columns` to the cell that its tap reads (col2im)."""
        self.cells[:] = 0
        for tap in np.ndindex(self.kernel):
            self.windows[:, :, *tap] += self._copy[:, :, *tap]

    def _results(self, channels: int) -> tuple[Array, Array]:
        """`product` and `outputs` for this number of channels."""
        strip = np.zeros((channels, *self.positions), self.dtype)
        steps = (self.pitch * strip.itemsize, *strip.strides)
        return (
            strip.reshape(self.groups, channels // self.groups, -1),
            np.ndarray((self.n, channels, *self.out), self.dtype, strip, 0, steps),
        )

    def is_output(self) -> Array:
        """A mask of shape (windows,): True where a window lies within one sample."""
        product, outputs = self._results(self.groups)
        outputs[...] = 1
        return product[0, 0] == 1


# The last strips are kept for reuse. Without that, a convolution of two images of 4×4 or 6×6 with
# two or eight channels takes 1.3 to 1.4 times as long, and a gradient check of it 1.15 times.
_idle: dict[Any, Strip] = {}
MOST_IDLE = 64
IDLE_BYTES = 1 << 20  # a larger strip is not kept


def take_strip(purpose: str, *layout: Any) -> Strip:
    """A `Strip` with these arguments: a new one, or one that was given back.

    Nobody else uses the strip until it is given back. A strip is reused for the same purpose only,
    so the cells that this purpose never writes, as between samples, are still zero.
    """
    key = (purpose, *layout)
    strip = _idle.pop(key, None)
    if strip is None:
        strip = Strip(*layout)
        strip.key = key
    return strip


def give_back(strip: Strip) -> None:
    """Return a strip that is no longer used, so that `take_strip` can hand it out again."""
    if strip.nbytes <= IDLE_BYTES:
        if len(_idle) >= MOST_IDLE:
            _idle.clear()
        _idle[strip.key] = strip


def _fill(chunk: Array, x: Array) -> None:
    """Copy x into the first samples of a chunk, and zeros into the rest."""
    if len(x) == len(chunk):
        chunk[...] = x
    else:
        chunk[: len(x)] = x
        chunk[len(x) :] = 0
