"""Steps for text as people type it: null texts, numbers in text, hashes.

Each function is given the settings of a step and returns a function of one text. What skrub does:
`skrub/_clean_null_strings.py`, `_to_float.py`, `_fast_hash.py`, `_minhash_encoder.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from typing import Any

import numpy as np

from onnxlet.function.arrays import MISSING_TEXT, Array

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
        return float(text) if NUMBER(text) else np.nan

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
