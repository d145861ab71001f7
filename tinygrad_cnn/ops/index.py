"""Reading a table by number: embedding. (Indexing itself, ``x[i]``, is in `shape`.)"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.op import Shape, constant, op
from ..errors import DtypeError, OptionError, ShapeError
from .shape import scatter_add


@op
def embedding(indices: Any, weight: Any) -> Any:
    """The rows of a table: (…) integers and (V, D) → (…, D).

    An index that occurs twice gets the sum of both gradients; indices have none.

    Raises:
        ShapeError, DtypeError: weight is not (V, D), or indices are not integers.
        OptionError: an index out of 0 … V−1.

    Example:
        >>> import tinygrad_cnn as tg
        >>> table = tg.Tensor([[0.0, 1.0], [2.0, 3.0]], requires_grad=True)
        >>> tg.embedding([1, 1], table).sum().backward()
        >>> table.grad.numpy().tolist()
        [[0.0, 0.0], [2.0, 2.0]]
    """
    return np.asarray(weight)[np.asarray(indices)]


@embedding.check
def _(indices: Any, weight: Any) -> dict[str, Any]:
    index, shape = np.asarray(indices), np.shape(weight)
    if len(shape) != 2:
        raise ShapeError(f"embedding: weight must be (entries, dimensions), got {shape}")
    if index.dtype.kind not in "iu":
        raise DtypeError(f"embedding: indices must be integers, got {index.dtype}")
    if index.size and not (index.min() >= 0 and index.max() < shape[0]):
        worst = index.min() if index.min() < 0 else index.max()
        raise OptionError(
            f"embedding: index {worst} is not in 0 … {shape[0] - 1}, the entries of weight {shape}"
        )
    return {}


embedding.vjp(
    None, lambda g, y, indices, weight: scatter_add(g, np.asarray(constant(indices)), weight.shape)
)


@embedding.definition
def _(at: Shape, indices: Any, weight: Any) -> Any:
    *place, d = at
    return weight[(int(float(indices[tuple(place)])), d)]
