"""Bins: of numbers, of categories, and of texts by their length.

A number v is in bin `sum(v > edges)`; behind these bins there is one of missing values. The bins of
all features lie one behind another in one flat array.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from onnxlet.function.arrays import MISSING_TEXT, Array


class Member(NamedTuple):
    """Numbers that are counted.

    Attributes:
        column: of a matrix.
        edges: between bins, in order.
        first: bin of the flat array.
    """

    column: int
    edges: Sequence[float]
    first: int


class Numbers:
    """Counts columns of a matrix of numbers."""

    def __init__(self, members: Sequence[Member]) -> None:
        self._columns = [member.column for member in members]
        # Each edge is the least number above it, so that as many numbers lie below it as are at
        # most the edge; NaN comes last in order, so that all numbers lie below it.
        self._ends = [np.nextafter([*member.edges, np.nan], np.inf) for member in members]
        sizes = [len(member.edges) + 2 for member in members]
        self._firsts = np.cumsum([0, *sizes], dtype=np.int64)[:-1]
        bins = [range(m.first, m.first + size) for m, size in zip(members, sizes, strict=True)]
        self._at = np.array(list(chain.from_iterable(bins)), np.int64)

    def add_to(self, counts: Array, columns: Array) -> None:
        """Count numbers.

        Args:
            counts: int64, of shape (bins,).
            columns: float64, of shape (columns, rows), each in order.
        """
        rows = np.array([columns.shape[1]])
        below: list[Array] = []
        for column, ends in zip(self._columns, self._ends, strict=True):
            below += (columns[column].searchsorted(ends), rows)
        if below:
            together = np.concatenate(below)
            counted = np.diff(together, prepend=0)
            counted[self._firsts] = together[self._firsts]
            counts[self._at] += counted


class Coding(NamedTuple):
    """How the cells of a column become codes, positions among its bins.

    Attributes:
        get: gives a cell's code, or `other`.
        other: the code of all other cells.
    """

    get: Callable[[Any, int], int]
    other: int


def by_category(categories: Sequence[Any]) -> Coding:
    """By the position of each category; behind them all others, then missing ones."""
    other = len(categories)
    known = dict(zip(categories, range(other), strict=True))
    return Coding({**known, MISSING_TEXT: other + 1, None: other + 1}.get, other)


def by_length(edges: Sequence[float]) -> Coding:
    """By how many characters a text has; behind these missing ones."""
    missing = len(edges) + 1

    def get(text: str | None, other: int) -> int:
        return other if text is None or text == MISSING_TEXT else bisect_left(edges, len(text))

    return Coding(get, missing)


def _nothing(cell: Any, other: int) -> int:
    return other


NOT_COUNTED = Coding(_nothing, 0)
