"""The options that convolution and pooling share, and which input element a window reads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..engine.op import Shape
from ..errors import OptionError
from .options import is_integer

Pairs = tuple[tuple[int, int], ...]


def layout(d: int) -> str:
    """The axes of an image of d spatial axes, for error messages: "N, C, H, W"."""
    return "N, C, " + ("L" if d == 1 else ", ".join("DHW"[3 - d :]))


def layouts(d: int) -> str:
    """What an input of d spatial axes may be, for error messages: a batch, or one example."""
    return f"({layout(d)}), or ({layout(d)[3:]}) for one example"


_MOST = 2**31 - 1  # a larger window or step fits no array, and would overflow on the way


def _are_ints(values: Iterable[Any], least: int) -> bool:
    return all(is_integer(value) and least <= value <= _MOST for value in values)


def _bounds(d: int, least: int, value: Any) -> str:
    """What an option must be, in words."""
    at_most = f" and at most {_MOST}" if is_integer(value) and value > _MOST else ""
    return f"an int ≥ {least}{at_most}" + (f", or {d} of them" if d > 1 else "")


def per_axis(value: Any, d: int, name: str, option: str, least: int) -> tuple[int, ...]:
    """An option given as an int, or as one int for each of d axes.

    Raises:
        OptionError: neither, or smaller than `least`.
    """
    if type(value) is int and least <= value <= _MOST:
        return (value,) * d
    values = tuple(value) if isinstance(value, tuple | list) else (value,) * d
    if len(values) != d or not _are_ints(values, least):
        raise OptionError(f"{name}: {option} must be {_bounds(d, least, value)}, got {value!r}")
    return tuple(map(int, values))


def window_options(
    name: str, d: int, kernel: Shape, stride: Any, padding: Any, dilation: Any
) -> tuple[Shape, Pairs, Shape]:
    """Stride, padding and dilation in canonical form, for windows of a kernel along d axes.

    Raises:
        OptionError: as for `per_axis` and `padding_pairs`.
    """
    stride = per_axis(stride, d, name, "stride", 1)
    dilation = per_axis(dilation, d, name, "dilation", 1)
    return stride, padding_pairs(padding, d, kernel, dilation, name), dilation


def padding_pairs(padding: Any, d: int, kernel: Shape, dilation: Shape, name: str) -> Pairs:
    """Padding as (before, after) pairs.

    Args:
        padding: an int; one int an axis; one (before, after) pair an axis; "valid" (none); "same"
            or "same_upper" (the larger half after: PyTorch, ONNX) or "same_lower" (before: the
            course's ⌈p/2⌉ on top). "same" pads dilation·(kernel−1) in all, so that with stride 1
            the output has the input's size.

    Raises:
        OptionError: anything else, or a negative size.
    """
    if type(padding) is int and 0 <= padding <= _MOST:
        return ((padding, padding),) * d
    if isinstance(padding, str):
        total = [b * (k - 1) for k, b in zip(kernel, dilation, strict=True)]
        if padding == "valid":
            return ((0, 0),) * d
        if padding in {"same", "same_upper"}:
            return tuple((p // 2, p - p // 2) for p in total)
        if padding == "same_lower":
            return tuple((p - p // 2, p // 2) for p in total)
        raise OptionError(
            f"{name}: padding {padding!r} is not valid, same, same_upper or same_lower"
        )
    values = tuple(padding) if isinstance(padding, tuple | list) else (padding,) * d
    pairs = [tuple(v) if isinstance(v, tuple | list) else (v, v) for v in values]
    if len(pairs) != d or not all(len(pair) == 2 and _are_ints(pair, 0) for pair in pairs):
        raise OptionError(
            f"{name}: padding must be {_bounds(d, 0, padding)}, a (before, after) pair for each "
            f"axis, or one of valid, same, same_upper, same_lower; got {padding!r}"
        )
    return tuple([(int(p), int(q)) for p, q in pairs])


def read(
    i: Shape, a: Shape, stride: Shape, padding: Pairs, dilation: Shape, size: Shape
) -> Shape | None:
    """The input index that output index i reads through kernel index a; None in the padding."""
    place = tuple(
        i_ * s + a_ * e - before
        for i_, a_, s, (before, _), e in zip(i, a, stride, padding, dilation, strict=True)
    )
    return place if all(0 <= q < n for q, n in zip(place, size, strict=True)) else None
