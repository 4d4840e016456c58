"""How alike texts are by the letters that they have in common, whatever their order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from onnxlet.function.arrays import MISSING_TEXT


def similarity(texts: Sequence[str]) -> Callable[[str], list[float]]:
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
