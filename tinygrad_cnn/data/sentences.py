"""3,000 sentences from reviews, half of them in favour.

UCI's "Sentiment Labelled Sentences": Kotzias, Denil, de Freitas, Smyth, "From Group to Individual
Labels using Deep Features", KDD 2015; CC BY 4.0. 1,000 sentences each from reviews on amazon.com,
imdb.com and yelp.com.
"""

from __future__ import annotations

import functools
import gzip
import zlib
from typing import Literal

import numpy as np

from . import shipped
from .dataset import Dataset
from .splits import stratified, which_part
from .vocabulary import Vocabulary

FILE = "sentences.tsv.gz"
CLASSES = ("negative", "positive")
COUNT = 3000
_LABELS = {"0": 0, "1": 1}

Split = Literal["train", "validation", "test"]


def sentences(
    split: Split = "train", fold: int = 0, *, length: int = 64, vocabulary: Vocabulary | None = None
) -> Dataset:
    """Sentences as rows of word numbers, with their labels: 0 negative, 1 positive.

    Args:
        split: "train" (2,100 sentences, more or less), "validation" (300) or "test" (600).
            Sentences that occur twice are in one split alone.
        fold: 0 … 4, five fixed ways to split; their test sets are disjoint.
        length: of a row. Shorter sentences are padded at the end with 0, longer ones are cut; four
            sentences are longer than 64.
        vocabulary: which number each word has; `sentence_vocabulary(fold)` if None.

    Returns:
        A `Dataset`: inputs (n, length) int64, labels (n,) int64.

    Raises:
        OptionError: another split or fold.
        DataError: the file is missing or damaged.

    Example:
        >>> data = sentences("test")
        >>> data.inputs.shape[1], data.classes
        (64, ('negative', 'positive'))
    """
    texts = sentence_texts(split, fold)
    vocabulary = vocabulary or sentence_vocabulary(fold)
    numbers = vocabulary.encode(texts.inputs.tolist(), length, truncate=True)
    return Dataset(numbers, texts.labels, CLASSES, texts.name)


def sentence_texts(split: Split = "train", fold: int = 0) -> Dataset:
    """The sentences themselves: inputs (n,) of strings. Arguments and errors as for `sentences`.

    Example:
        >>> texts = sentence_texts("train")
        >>> text, label = texts[0]
        >>> print(text, texts.classes[label])
        Good case, Excellent value. positive
    """
    parts = which_part("sentences", split, fold)
    chosen = [(text, label) for part, _, label, text in _all_sentences() if part in parts]
    texts, labels = zip(*chosen, strict=True)
    name = f"sentences {split}" + (f", fold {fold}" if fold else "")
    return Dataset(np.array(texts), np.array(labels, np.int64), CLASSES, name)


def sentence_vocabulary(fold: int = 0, size: int = 2048) -> Vocabulary:
    """The most frequent words of a fold's training sentences."""
    return Vocabulary.of(sentence_texts("train", fold).inputs.tolist(), size)


@functools.cache
def _all_sentences() -> tuple[tuple[int, str, int, str], ...]:
    """(tenth, source, label, text) of all sentences, in the file's order."""
    path = shipped.FOLDER / FILE
    try:
        lines = gzip.decompress(path.read_bytes()).decode("utf-8").splitlines()
        rows = [tuple(line.split("\t")) for line in lines]
        labels = [_LABELS[label] for _, label, _ in rows]
    except (OSError, EOFError, zlib.error, ValueError, KeyError) as error:
        raise shipped.damaged(path, error) from error
    if len(rows) != COUNT:
        raise shipped.damaged(path, f"{len(rows)} sentences")
    groups = [(source, label) for source, label, _ in rows]
    tenths = stratified(groups, [text.lower() for _, _, text in rows])
    return tuple(
        (int(tenth), source, label, text)
        for tenth, label, (source, _, text) in zip(tenths, labels, rows, strict=True)
    )
