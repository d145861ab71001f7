"""What goes around the calls of a file: checks of inputs, and errors that name file and node."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...engine.tensor import Tensor
from ...errors import AnomalyError, DataError, DtypeError, OptionError, ShapeError, TinygradError
from .table import dtype_of, shape_of


class Named:
    """A function whose errors name the file and the node."""

    def __init__(self, function: Any, where: str) -> None:
        self.function, self.where = function, where

    def __call__(self, *args: Any, **options: Any) -> Any:
        try:
            return self.function(*args, **options)
        except AnomalyError:
            raise
        except TinygradError as error:
            raise type(error)(f"{self.where}: {error}") from error
        except Exception as error:  # a value that makes no sense, or no memory
            raise DataError(f"{self.where}: {error or type(error).__name__}") from error


def part_of(result: Any, i: int, count: int) -> Any:
    """One of several outputs of a node."""
    if not isinstance(result, tuple) or len(result) != count:
        raise OptionError(f"the node has {count} outputs, which its function does not give")
    return result[i]


class InputCheck:
    """Whether what is given for an input is what the file declares."""

    def __init__(self, dtype: np.dtype[Any], sizes: list[int | str] | None) -> None:
        self.dtype, self.sizes = dtype, sizes

    def __call__(self, x: Any) -> Any:
        shape, sizes = shape_of(x), self.sizes
        if sizes is not None and (
            len(shape) != len(sizes)
            or any(type(s) is int and s != n for s, n in zip(sizes, shape, strict=True))
        ):
            wanted = f"({', '.join(map(str, sizes))}{',' * (len(sizes) == 1)})"
            raise ShapeError(f"the file declares the shape {wanted}, got {shape}")
        if dtype_of(x) != self.dtype:
            raise DtypeError(f"the file declares {self.dtype}, got {dtype_of(x)}")
        return x if isinstance(x, Tensor) else np.asarray(x)
