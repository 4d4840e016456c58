"""Steps for texts that are categories: their digest, their items, how alike they are to others.

Sources: `category_encoders/hashing.py` (hash_chunk), `category_encoders/multi_hot.py`
(_encode_column), `skrub/_similarity_encoder.py`. Each function is given the settings of a step and
returns a function of one text.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from onnxlet.function.arrays import MISSING_TEXT, Array
from onnxlet.function.inputs.text import analyser

NAN = float("nan")
SPACES = re.compile(r"\s\s+")


def digest_remainder(method: str, size: int) -> Callable[[str], int]:
    """The remainder of a text's digest, from 0 to `size` - 1; a missing text is the text "nan".

    Args:
        method: of hashlib, such as `md5`.
        size: how many remainders there are.
    """

    def change(text: str) -> int:
        known = "nan" if text == MISSING_TEXT else text
        made = hashlib.new(method, known.encode(errors="replace"), usedforsecurity=False)
        return int.from_bytes(made.digest(), "big") % size

    return change


def multi_hot(
    delimiter: str,
    positions: Mapping[str, int],
    missing: Sequence[float | None],
    unknown: int | str | None = None,
) -> Callable[[str], list[float]]:
    """1 for each known item between delimiters, else 0.

    Args:
        delimiter: between the items.
        positions: of the items, among the numbers that a text becomes.
        missing: the numbers of a missing text; None is NaN.
        unknown: the position of 1 for an item that is not known; "nan" where all numbers are NaN
            then; None where it makes no difference.
    """
    gap = [NAN if number is None else number for number in missing]

    def change(text: str) -> list[float]:
        if text == MISSING_TEXT:
            return gap
        made = [0.0] * len(gap)
        for item in filter(None, map(str.strip, text.split(delimiter))):
            position = positions.get(item, unknown)
            if position == "nan":
                return [NAN] * len(gap)
            if isinstance(position, int):
                made[position] = 1.0
        return made

    return change


def letter_similarity(texts: Sequence[str]) -> Callable[[str], list[float]]:
    """A function of one text: twice the letters that it shares with each, over the letters of both.

    It is `quick_ratio` of Python's `difflib.SequenceMatcher`: 1 for two empty texts. A missing text
    gives NaN.
    """
    known = [(Counter(text), len(text)) for text in texts]

    def compare(text: str) -> list[float]:
        if text == MISSING_TEXT:
            return [float("nan")] * len(known)
        letters, length = Counter(text), len(text)
        return [
            2.0 * _shared(letters, others) / (length + size) if length + size else 1.0
            for others, size in known
        ]

    return compare


def _shared(letters: Counter[str], others: Counter[str]) -> int:
    return sum(min(count, letters[letter]) for letter, count in others.items())


def ngram_similarity(
    categories: Sequence[str], ngram_range: Sequence[int], analyzer: str
) -> Callable[[str], Array]:
    """The share of the n-grams of a text and of each category that both have.

    Source: `skrub/_similarity_encoder.py`.

    Returns:
        A function to an array of shape (categories,).
    """
    low, high = ngram_range
    cut = analyser(
        {
            "analyzer": analyzer, "ngram_range": [low, high], "lowercase": True,
            "strip_accents": None, "stop_words": None, "token_pattern": r"(?u)\b\w\w+\b",
        }
    )  # fmt: skip
    known = [SPACES.sub(" ", f" {category} ") for category in categories]
    counts = [Counter(cut(category)) for category in known]
    position = {
        gram: index for index, gram in enumerate(dict.fromkeys(g for c in counts for g in c))
    }
    matrix = np.zeros((len(known), len(position)))
    for row, found in zip(matrix, counts, strict=True):
        row[[position[gram] for gram in found]] = list(found.values())
    totals = np.array([_total(text, low, high) for text in known], dtype=float)

    def compare(text: str) -> Array:
        text = SPACES.sub(" ", f" {text} ")
        found = Counter(cut(text))
        grams = [gram for gram in found if gram in position]
        columns = matrix[:, [position[gram] for gram in grams]]
        same = np.minimum(columns, [float(found[gram]) for gram in grams]).sum(axis=1)
        every = _total(text, low, high) + totals - same
        shares: Array = np.divide(same, every, out=np.zeros_like(same), where=every != 0)
        return shares

    return compare


def _total(text: str, low: int, high: int) -> int:
    """How many n-grams there are, in skrub's counting, which ends at no short text."""
    return sum(len(text) - size + 1 for size in range(low, high + 1))
