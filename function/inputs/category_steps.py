"""Texts as category_encoders reads them: by their digest, or cut into items.

Sources: `category_encoders/hashing.py` (hash_chunk), `category_encoders/multi_hot.py`
(_encode_column). Each function is given the settings of a step and returns a function of one text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence

from onnxlet.function.arrays import MISSING_TEXT

NAN = float("nan")


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
