"""TextCNN: convolution along a sentence (Kim 2014; Zhang & Wallace 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..engine.tensor import Tensor
from ..errors import OptionError, ShapeError
from ..nn import Conv1d, Dropout, Embedding, Linear, Module, ReLU, Sequential
from ..nn.init import uniform
from ..ops.index import embedding
from ..ops.reduce import max as maximum
from ..ops.shape import concatenate


class FixedEmbedding(Module):
    """A table of vectors that training leaves alone.

    Args:
        vectors: (V, D).
    """

    weight: Tensor

    def __init__(self, vectors: Any) -> None:
        super().__init__()
        self.register_buffer("weight", Tensor(vectors))

    def forward(self, indices: Tensor) -> Tensor:
        return embedding(indices, self.weight)

    def describe(self) -> str:
        return f"{self.weight.shape[0]}, {self.weight.shape[1]}"


class TextCNN(Module):
    """Filters of several widths slide along the words; the largest output of each is a feature.

    With 7 words of 5 dimensions, widths 2, 3, 4 and 2 filters of each (the paper's figure 1):

        7×5 → 2 maps of 6, 2 of 5, 2 of 4 → 6 features → 2;   5·V + 110 parameters

    Zhang, Wallace, "A sensitivity analysis of (and practitioners' guide to) convolutional neural
    networks for sentence classification", IJCNLP 2017, arXiv:1510.03820; its baseline has 300
    dimensions, widths 3, 4, 5 and 100 filters of each.

    Args:
        vocabulary: V, how many words there are; a sentence is numbers 0 … V−1.
        dimensions: of a word's vector.
        widths: of the filters, in words.
        filters: how many of each width.
        classes: outputs.
        dropout: probability of dropping a feature in training.
        fixed: whether there is a second embedding, which is not learned: d2l.ai's variant.
        vectors: (V, dimensions), what the embeddings begin with, such as GloVe's. If None,
            U(±0.25), as in Kim, arXiv:1408.5882.

    Raises:
        OptionError: no widths.
        ShapeError: vectors of another shape; a sentence shorter than the widest filter.

    Example:
        >>> import numpy as np, tinygrad_cnn as tg
        >>> model = tg.models.TextCNN(1000, dimensions=5, widths=(2, 3, 4), filters=2)
        >>> model(tg.Tensor(np.array([[4, 8, 15, 16, 23, 42, 0]]))).shape
        (1, 2)
    """

    input_shape: tuple[int, ...] = (64,)
    input_dtype = np.int64

    def __init__(
        self,
        vocabulary: int = 2048,
        dimensions: int = 100,
        widths: Sequence[int] = (3, 4, 5),
        filters: int = 100,
        classes: int = 2,
        *,
        dropout: float = 0.5,
        fixed: bool = False,
        vectors: Any = None,
    ) -> None:
        super().__init__()
        if not widths:
            raise OptionError("TextCNN: widths must name at least one filter width")
        if vectors is not None and np.shape(vectors) != (vocabulary, dimensions):
            raise ShapeError(
                f"TextCNN: vectors must be (vocabulary, dimensions) = {(vocabulary, dimensions)}, "
                f"got {np.shape(vectors)}"
            )
        self.widths = tuple(widths)
        self.embedding = Embedding(vocabulary, dimensions)
        self.embedding.weight.data = self._vectors(vectors)
        self.constant_embedding = FixedEmbedding(self._vectors(vectors)) if fixed else None
        seen = 2 * dimensions if fixed else dimensions
        self.convs = Sequential(*(Conv1d(seen, filters, width) for width in widths))
        self.relu = ReLU()
        self.dropout = Dropout(dropout)
        self.decoder = Linear(filters * len(self.widths), classes)

    def _vectors(self, given: Any) -> np.ndarray[Any, Any]:
        shape, dtype = self.embedding.weight.shape, self.embedding.weight.dtype
        return uniform(shape, 0.25) if given is None else np.array(given, dtype)

    def forward(self, words: Tensor) -> Tensor:
        """Sentences (N, words), whole numbers → logits (N, classes)."""
        if words.shape[-1] < max(self.widths):
            raise ShapeError(
                f"TextCNN: sentences of {words.shape[-1]} words are shorter than the widest "
                f"filter, {max(self.widths)}; pad them"
            )
        x = self.embedding(words)
        if self.constant_embedding is not None:
            x = concatenate([x, self.constant_embedding(words)], axis=2)
        x = x.transpose(0, 2, 1)  # (N, dimensions, words)
        features = [maximum(self.relu(conv(x)), axis=2) for conv in self.convs]
        return self.decoder(self.dropout(concatenate(features, axis=1)))
