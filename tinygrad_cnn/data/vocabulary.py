"""Words as numbers: `tokenise`, and `Vocabulary`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, OptionError, ShapeError

_TOKEN = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")


def tokenise(text: str) -> list[str]:
    """The words and signs of a text, in lower case; an apostrophe inside a word belongs to it.

    Example:
        >>> tokenise("Don't buy it!!")
        ["don't", 'buy', 'it', '!', '!']
    """
    return _TOKEN.findall(text.lower())


class Vocabulary:
    """The words that have a number of their own.

    Number 0 is for padding, 1 for every word that is not in the vocabulary.

    Args:
        words: those with numbers 2, 3, …, each once.

    Raises:
        DataError: a word occurs twice, or is one of the two marks.

    Example:
        >>> vocabulary = Vocabulary.of(["a good phone", "a good, good cup"], size=4)
        >>> vocabulary.encode(["good phone", "a very good cup"], length=5)
        array([[2, 1, 0, 0, 0],
               [3, 1, 2, 1, 0]])
        >>> vocabulary.decode([2, 1, 0])
        ['good', '<unknown>', '<pad>']
    """

    PAD, UNKNOWN = 0, 1
    MARKS = ("<pad>", "<unknown>")

    def __init__(self, words: Sequence[str]) -> None:
        self.words = (*self.MARKS, *words)
        self._number = {word: i for i, word in enumerate(self.words)}
        if len(self._number) < len(self.words):
            twice, _ = Counter(self.words).most_common(1)[0]
            raise DataError(f"Vocabulary: {twice!r} occurs more than once")

    @classmethod
    def of(cls, texts: Iterable[str], size: int = 2048) -> Vocabulary:
        """The most frequent words of some texts; of equally frequent ones, the alphabet's first.

        Args:
            texts: to count in.
            size: of the vocabulary, its two marks included; smaller if there are fewer words.

        Raises:
            OptionError: a size below 2.
        """
        if size < len(cls.MARKS):
            raise OptionError(f"Vocabulary: size={size} must be {len(cls.MARKS)} or more")
        counts = Counter(word for text in texts for word in tokenise(text))
        order = sorted(counts, key=lambda word: (-counts[word], word))
        return cls(order[: size - len(cls.MARKS)])

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: str) -> bool:
        return word in self._number

    def encode(
        self, texts: Iterable[str], length: int, truncate: bool = False
    ) -> NDArray[np.int64]:
        """Texts as rows of `length` numbers, padded at the end.

        Args:
            texts: n of them.
            length: in words and signs.
            truncate: cut off what is longer.

        Returns:
            (n, length) int64.

        Raises:
            ShapeError: a text is longer, and `truncate` is False.
        """
        rows = [[self._number.get(word, self.UNKNOWN) for word in tokenise(t)] for t in texts]
        longest = max(map(len, rows), default=0)
        if longest > length and not truncate:
            raise ShapeError(
                f"encode: a text has {longest} words, more than length={length}; "
                "truncate=True cuts it"
            )
        table = np.full((len(rows), length), self.PAD, np.int64)
        for i, row in enumerate(rows):
            table[i, : len(row)] = row[:length]
        return table

    def decode(self, numbers: Iterable[int]) -> list[str]:
        """The words that numbers stand for."""
        return [self.words[number] for number in numbers]
