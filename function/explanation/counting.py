"""Counts of the tokens that a coalition has, without cutting its text anew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, pairwise
from typing import Any, NamedTuple

import numpy as np

from onnxlet.function.arrays import Array
from onnxlet.function.explanation.texts import Pieces
from onnxlet.function.inputs.text import TokenFeed

MOST_PAIRS = 100_000  # of pieces, times the columns that they count in
LONGEST = 2  # words in an n-gram: for longer ones, finding neighbours takes longer than cutting


class _Term(NamedTuple):
    """Words that count together, where some pieces are there and none between them."""

    pieces: tuple[int, ...]  # one, or the first and the last
    text: str  # as the vectoriser counts it


class Counted:
    """What one token feed counts in coalitions of a text's pieces, which know their words.

    The longest n-gram has `high` words, one or two, the shortest `low`.
    """

    def __init__(self, feed: TokenFeed, pieces: Pieces, low: int, high: int) -> None:
        self._feed, self.name = feed, feed.name
        terms = list(_terms(pieces.words or [], low, high))
        counts = [feed.count([term.text]) for term in terms]
        known = [(term.pieces, count) for term, count in zip(terms, counts, strict=True) if count]
        self._positions = sorted({position for _, count in known for position in count})
        at = {position: number for number, position in enumerate(self._positions)}
        self._single = np.zeros((len(pieces.parts), len(at)), np.float32)
        pairs: dict[tuple[int, ...], list[tuple[int, int]]] = {}
        for members, count in known:
            for position, value in count.items():
                if len(members) == 1:
                    self._single[members[0], at[position]] += value
                else:
                    pairs.setdefault(members, []).append((at[position], value))
        self._ends = np.zeros((len(pieces.parts), len(pairs)), np.float32)
        for number, (first, last) in enumerate(pairs):
            self._ends[first:last, number] = -1
            self._ends[[first, last], number] = 1
        self._together = np.zeros((len(pairs), len(at)), np.float32)
        for number, entries in enumerate(pairs.values()):
            for column, value in entries:
                self._together[number, column] += value
        self.width = len(at)
        self.feasible = self._together.size <= MOST_PAIRS

    def tensors(self, masks: Array) -> dict[str, Array]:
        """Both tensors of the feed, for coalitions of shape (rows, pieces)."""
        there = masks.astype(np.float32)
        counts = there @ self._single
        if len(self._together):
            neighbours = there @ self._ends == 2  # both are there, and none between them
            counts += neighbours.astype(np.float32) @ self._together
        return self._feed.tensors(counts, self._positions)


def _terms(words: Sequence[Sequence[str]], low: int, high: int) -> Iterator[_Term]:
    """All that may be counted: single words, neighbours in a piece, and across pieces."""
    for piece, inside in enumerate(words):
        if low == 1:
            yield from (_Term((piece,), word) for word in inside)
        if high == LONGEST:
            yield from (_Term((piece,), f"{a} {b}") for a, b in pairwise(inside))
    if high == LONGEST:
        for first, last in combinations(range(len(words)), 2):
            yield _Term((first, last), f"{words[first][-1]} {words[last][0]}")


def counted(
    feeds: Sequence[TokenFeed], settings: Sequence[Mapping[str, Any]], pieces: Pieces
) -> list[Counted] | None:
    """What all of a text column's feeds count; None where texts have to be cut anew.

    The settings are of the feeds' vectorisers, in the same order.
    """
    low, high = settings[0]["ngram_range"]
    if pieces.words is None or high > LONGEST or any(each["replaced"] for each in settings):
        return None
    found = [Counted(feed, pieces, low, high) for feed in feeds]
    text, whole = "".join(pieces.parts), np.ones((1, len(pieces.parts)), dtype=bool)
    for feed, each in zip(feeds, found, strict=True):
        if not each.feasible or not _same(feed, each.tensors(whole), text):
            return None
    return found


def _same(feed: TokenFeed, tensors: Mapping[str, Array], text: str) -> bool:
    """Whether the whole text is counted as the vectoriser counts it."""
    block, position = feed.at
    cells = np.full((1, position + 1), text, dtype=object)
    expected = feed.gather([cells] * (block + 1))
    return _nonzero(feed, tensors) == _nonzero(feed, expected)


def _nonzero(feed: TokenFeed, tensors: Mapping[str, Array]) -> dict[int, float]:
    counts = zip(tensors[feed.positions].tolist(), tensors[feed.name][0].tolist(), strict=True)
    return {position: count for position, count in counts if count}
