"""`Parameter`: a Tensor that a `Module` learns."""

from __future__ import annotations

from typing import Any

from ..engine.tensor import Tensor


class Parameter(Tensor):
    """A Tensor that a Module learns. It asks for a gradient, and pictures fold it into its op."""

    __slots__ = ()
    role = "parameter"

    def __init__(self, data: Any, dtype: Any = None, name: str | None = None) -> None:
        super().__init__(data, dtype=dtype, requires_grad=True, name=name)
