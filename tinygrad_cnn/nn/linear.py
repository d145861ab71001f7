"""Linear and Embedding: maps with one matrix."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.op import constant
from ..engine.tensor import Tensor
from ..errors import OptionError
from ..ops.elementwise import where
from ..ops.index import embedding
from ..ops.linear import linear
from ..ops.options import flag, is_integer
from . import init
from .module import Module, check_positive
from .parameter import Parameter


class Linear(Module):
    """y = x Wᵀ + b on the last axis.

    Args:
        in_features, out_features: sizes of the last axis before and after.
        bias: whether to add b.

    Attributes:
        weight: (out_features, in_features).
        bias: (out_features,), or None.

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.nn.Linear(3, 2)(tg.Tensor([[1.0, 2.0, 3.0]])).shape
        (1, 2)
    """

    has_fans = True

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__()
        bias = flag("Linear", "bias", bias)
        check_positive("Linear", in_features=in_features, out_features=out_features)
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(init.pytorch_default((out_features, in_features)))
        self.bias = Parameter(init.pytorch_default((out_features,), in_features)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.weight, self.bias)

    def describe(self) -> str:
        bias = "" if self.bias is not None else ", bias=False"
        return f"{self.in_features} → {self.out_features}{bias}"


class Embedding(Module):
    """A table of vectors, read by number: (…) integers → (…, embedding_dim).

    Args:
        num_embeddings: how many vectors; indices are 0 … num_embeddings − 1.
        embedding_dim: their length.
        padding_idx: the index of a vector that only pads sentences. It begins as 0 and gets no
            gradient. A negative one counts from the end; None if there is no such vector.

    Attributes:
        weight: (num_embeddings, embedding_dim), from N(0, 1).

    Example:
        >>> import tinygrad_cnn as tg
        >>> tg.nn.Embedding(10, 3)([[1, 2, 4], [4, 3, 2]]).shape
        (2, 3, 3)
        >>> tg.nn.Embedding(10, 2, padding_idx=0)([0]).numpy().tolist()
        [[0.0, 0.0]]
    """

    def __init__(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None
    ) -> None:
        super().__init__()
        check_positive("Embedding", num_embeddings=num_embeddings, embedding_dim=embedding_dim)
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        vectors = init.normal((num_embeddings, embedding_dim), std=1.0)
        if padding_idx is not None:
            if not is_integer(padding_idx) or not -num_embeddings <= padding_idx < num_embeddings:
                raise OptionError(
                    f"Embedding: padding_idx must be None or one of {num_embeddings} embeddings, "
                    f"got {padding_idx!r}"
                )
            padding_idx = int(padding_idx) % num_embeddings
            vectors[padding_idx] = 0
        self.padding_idx = padding_idx
        self.weight = Parameter(vectors)

    def forward(self, indices: Any) -> Tensor:
        vectors = embedding(indices, self.weight)
        if self.padding_idx is None:
            return vectors
        real = np.asarray(constant(indices)) != self.padding_idx
        return where(real[..., None], vectors, vectors.detach())

    def describe(self) -> str:
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"
