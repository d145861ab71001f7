"""Words as numbers, and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_cnn.data import Vocabulary, tokenise
from tinygrad_cnn.errors import DataError, OptionError, ShapeError

texts = st.lists(st.text(st.sampled_from("abc'’ .!ÉÄ\n"), max_size=20), min_size=1, max_size=6)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("So-so, at 5.5 $!", ["so", "-", "so", ",", "at", "5", ".", "5", "$", "!"]),
        ("DON'T o’clock 'tis", ["don't", "o’clock", "'", "tis"]),
        ("Crêpe  Café", ["crêpe", "café"]),
        (" \n", []),
    ],
)
def test_tokens(text, words):
    assert tokenise(text) == words


@given(texts)
def test_no_letter_is_lost(lines):
    for text in lines:
        assert "".join(tokenise(text)) == "".join(text.lower().split())


@given(texts)
def test_with_room_for_all_words_decoding_gives_back_the_text(lines):
    vocabulary = Vocabulary.of(lines, size=1000)
    length = max(len(tokenise(text)) for text in lines) + 1
    for text, row in zip(lines, vocabulary.encode(lines, length), strict=True):
        words = tokenise(text)
        assert vocabulary.decode(row) == words + ["<pad>"] * (length - len(words))


@given(lines=texts, size=st.integers(2, 8))
def test_the_most_frequent_words_have_numbers(lines, size):
    vocabulary = Vocabulary.of(lines, size)
    counts = {}
    for text in lines:
        for word in tokenise(text):
            counts[word] = counts.get(word, 0) + 1
    known, unknown = ([n for w, n in counts.items() if (w in vocabulary) == k] for k in (1, 0))
    assert len(vocabulary) == min(size, len(counts) + 2)
    assert min(known, default=0) >= max(unknown, default=0) or not known
    encoded = vocabulary.encode(lines, 20, truncate=True)
    assert encoded.shape == (len(lines), 20)
    assert 0 <= encoded.min() <= encoded.max() < len(vocabulary)


def test_a_long_text_is_cut_only_when_asked():
    vocabulary = Vocabulary(["a", "b"])
    with pytest.raises(ShapeError, match="a text has 3 words, more than length=2"):
        vocabulary.encode(["a b a"], 2)
    assert vocabulary.encode(["a b a"], 2, truncate=True).tolist() == [[2, 3]]


def test_impossible_vocabularies_are_refused():
    with pytest.raises(DataError, match="'a' occurs more than once"):
        Vocabulary(["a", "b", "a"])
    with pytest.raises(OptionError, match="size=1 must be 2 or more"):
        Vocabulary.of(["a"], size=1)
