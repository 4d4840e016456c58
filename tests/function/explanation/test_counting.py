"""Counted tokens of coalitions against the texts put together and cut anew."""

from __future__ import annotations

from itertools import compress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxlet.function.arrays import Array
from onnxlet.function.explanation.texts import counted, cut
from onnxlet.function.inputs.text import TokenFeed
from tests.function.explanation.test_texts import WORDS

VOCABULARY = ["bad", "bad film", "film", "film good", "good", "good film", "good good", "not good"]
HASHED = WORDS
KNOWN = {key: value for key, value in WORDS.items() if key not in ("n_features", "alternate_sign")}
VECTORISERS: dict[str, dict[str, Any]] = {
    "words": {**KNOWN, "ngram_range": [1, 1], "vocabulary": ["bad", "film", "good"]},
    "words and pairs": {**KNOWN, "vocabulary": VOCABULARY},
    "pairs": {**KNOWN, "ngram_range": [2, 2], "vocabulary": VOCABULARY},
    "whether they are there": {**KNOWN, "binary": True, "vocabulary": VOCABULARY},
    "without stop words": {**KNOWN, "stop_words": ["not", "the"], "vocabulary": VOCABULARY},
    "hashed": HASHED,
    "hashed words": {**HASHED, "ngram_range": [1, 1], "n_features": 4},
}


def feed_of(tokens: dict[str, Any]) -> TokenFeed:
    entry = {"name": "counts", "places": "places", "dtype": "float64", "tokens": tokens}
    return TokenFeed(entry, (0, 0))


def spread(feed: TokenFeed, tensors: dict[str, Array]) -> Array:
    """Counts in all of the feed's columns."""
    counts = tensors["counts"]
    whole = np.zeros((len(counts), feed.width))
    whole[:, tensors["places"]] = counts
    return whole


def check(tokens: dict[str, Any], text: str, masks: Array) -> None:
    feed, pieces = feed_of(tokens), cut(text, [tokens])
    found = counted([feed], [tokens], pieces)
    assert found is not None
    texts = [["".join(compress(pieces.parts, mask))] for mask in masks.tolist()]
    got = found[0].tensors(masks)
    expected = feed.gather([np.array(texts, dtype=object)])
    assert got["counts"].dtype == expected["counts"].dtype
    assert got["places"].tolist() == sorted(got["places"].tolist())
    np.testing.assert_array_equal(spread(feed, got), spread(feed, expected))


@pytest.mark.parametrize("name", VECTORISERS)
@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(["good", "BAD", "film,", "not", "the", "a", "x-ray"]), max_size=12),
    st.integers(0, 2**32),
)
def test_what_is_counted_is_what_is_left(name: str, words: list[str], seed: int) -> None:
    tokens, text = VECTORISERS[name], "a good " + " ".join(words)
    if tokens.get("ngram_range") == [2, 2] and len(cut(text, [tokens]).parts) < 2:
        return
    players = len(cut(text, [tokens]).parts)
    check(tokens, text, np.random.default_rng(seed).random((9, players)) < 0.6)


@pytest.mark.parametrize("name", ["words and pairs", "pairs", "hashed words"])
def test_words_that_are_taken_together_stay_neighbours(name: str) -> None:
    text = " ".join(["good film", "bad film", "not good good", "film"] * 20)
    players = len(cut(text, [VECTORISERS[name]]).parts)
    check(VECTORISERS[name], text, np.random.default_rng(0).random((20, players)) < 0.7)


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        ({**HASHED, "ngram_range": [1, 3]}, "good film bad"),
        ({**HASHED, "analyzer": "char", "token_pattern": None}, "good film"),
        ({**HASHED, "replaced": [["", "good"]]}, "good film"),
        ({**HASHED, "n_features": 2**18}, " ".join(f"word{n}" for n in range(50))),
        (HASHED, "!"),
    ],
    ids=["three words", "characters", "texts replaced", "too many pairs", "no token"],
)
def test_other_texts_are_cut_anew(tokens: dict[str, Any], text: str) -> None:
    assert counted([feed_of(tokens)], [tokens], cut(text, [tokens])) is None


def test_a_text_that_is_cut_otherwise_as_a_whole_is_cut_anew() -> None:
    """A final sigma is written differently inside of a word, where only accents are taken off."""
    tokens = {**HASHED, "strip_accents": "unicode"}
    text = "ὈΔΥΣΣΕΎΣ ὈΔΥΣΣΕΎΣ"
    pieces = cut(text, [tokens])
    wrong = pieces._replace(words=[["odd"] for _ in pieces.words or []])
    assert counted([feed_of(tokens)], [tokens], wrong) is None
