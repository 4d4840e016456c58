"""Steps for texts as people type them, and for those that are categories.

Null texts, numbers in text, hashes, digests, items, and how alike a text is to others. Sources:
`category_encoders/hashing.py` (hash_chunk), `category_encoders/multi_hot.py` (_encode_column), and
of skrub `_similarity_encoder.py`, `_clean_null_strings.py`, `_to_float.py`, `_fast_hash.py` and
`_minhash_encoder.py`. Each function is given the settings of a step and returns a function of one
text.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import reduce
from math import nan
from typing import Any

from onnxlet.function.arrays import MISSING_TEXT, Array
from onnxlet.function.numpy_later import np

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
    gap = [nan if number is None else number for number in missing]

    def change(text: str) -> list[float]:
        if text == MISSING_TEXT:
            return gap
        made = [0.0] * len(gap)
        for item in filter(None, map(str.strip, text.split(delimiter))):
            position = positions.get(item, unknown)
            if position == "nan":
                return [nan] * len(gap)
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
            return [nan] * len(known)
        letters, length = Counter(text), len(text)
        return [
            2.0 * (others & letters).total() / (length + size) if length + size else 1.0
            for others, size in known
        ]

    return compare


def ngram_similarity(
    categories: Sequence[str], ngram_range: Sequence[int], analyzer: str
) -> Callable[[str], Array]:
    """The share of the n-grams of a text and of each category that both have.

    Source: `skrub/_similarity_encoder.py`.

    Returns:
        A function to an array of shape (categories,).
    """
    from onnxlet.function.inputs.text import analyser  # no other step cuts tokens

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


# What `pandas.to_numeric` reads: `pandas/_libs/src/parser/tokenizer.c`, `precise_xstrtod`.
NUMBER = re.compile(
    r"[ \t\n\v\f\r]*[+-]?([0-9]+\.?[0-9]*([eE][+-]?[0-9]+)?|\.[0-9]+([eE][+-]?[0-9]+)?"
    r"|(?i:inf|infinity))[ \t\n\v\f\r]*"
).fullmatch
IN_PARENTHESES = re.compile(r"^\((.*)\)$")
LARGEST, LEAST = 2**31 - 1, -(2**31)
AT_ONCE = 4_000  # characters whose hashes are computed together


def without_null_texts(nulls: Sequence[str]) -> Callable[[str], str]:
    """Missing where a text is one of these, or has nothing but spaces."""
    missing = frozenset(nulls)
    return lambda text: MISSING_TEXT if text in missing or text.isspace() else text


def whole_number_text() -> Callable[[float], str]:
    """A whole number as text; NaN is missing."""
    return lambda number: str(int(number)) if number == number else MISSING_TEXT


def parse_number(
    decimal: str = ".", thousand: str = "", parentheses: bool = False
) -> Callable[[str], float]:
    """The number that a text is, as pandas reads it; NaN where it is none, or missing.

    Args:
        decimal: the sign before the decimals.
        thousand: a sign between digits, which is left out.
        parentheses: a number in parentheses is negative.
    """

    def read(text: str) -> float:
        if parentheses:
            text = IN_PARENTHESES.sub(r"-\1", text)
        if thousand:
            text = text.replace(thousand, "")
        if decimal != ".":
            text = text.replace(decimal, ".")
        return float(text) if NUMBER(text) else nan

    return read


def hash_minima(atoms: Sequence[Any], maxima: bool = False) -> Callable[[str], Array]:
    """The least of the hashes of a text's n-grams, for each of several hash functions.

    A hash is the product of the first bytes with fixed numbers, in int32, which wraps around.

    Args:
        atoms: for each length of n-grams, for each function, as many numbers.
        maxima: behind the least hash of each function stands the largest.

    Returns:
        A function to an array of shape (functions,), or twice as long; zeros for an empty text.
    """
    tables = [np.array(table, dtype=np.int32) for table in atoms]
    count = len(tables[0])

    def hashed(text: str) -> Array:
        if not text:
            return np.zeros(count * (2 if maxima else 1))
        signs = np.frombuffer(text.encode(), dtype=np.int8, count=len(text)).astype(np.int32)
        least, largest = np.full(count, LARGEST), np.full(count, LEAST)
        for table in tables:
            for hashes in _hashes(signs, table):
                least = np.minimum(least, hashes.min(axis=0))
                largest = np.maximum(largest, hashes.max(axis=0)) if maxima else largest
        return np.column_stack([least, largest]).ravel() if maxima else least

    return hashed


def _hashes(signs: Array, table: Array) -> Iterator[Array]:
    """Hashes of all n-grams, of shape (n-grams, functions), some after others.

    As `np.correlate` does, the shorter of the two slides along the longer.
    """
    size = table.shape[1]
    if len(signs) < size:
        count = size - len(signs) + 1
        moved = [sign * table[:, at : at + count] for at, sign in enumerate(signs)]
        yield reduce(np.add, moved).T
        return
    column = signs[:, None]
    for start in range(0, len(signs) - size + 1, AT_ONCE):
        stop = min(start + AT_ONCE, len(signs) - size + 1)
        moved = [column[start + at : stop + at] * table[:, at] for at in range(size)]
        yield reduce(np.add, moved)


def murmur_minima(ngram_range: Sequence[int], count: int) -> Callable[[str], Array]:
    """The least MurmurHash3 of the n-grams of a text's words, for as many seeds; from 0 to 1."""
    from onnxlet.function.inputs.murmur import least_by_seed

    low, high = ngram_range

    def hashed(text: str) -> Array:
        whole = f" {' '.join(text.lower().split())} "
        grams = {
            whole[at : at + size]
            for size in range(low, high + 1)
            for at in range(len(whole) - size + 1)
        }
        if not text or not grams:
            return np.zeros(count)
        return least_by_seed(list(grams), count) / (2**32 - 1)

    return hashed
