"""Bins: of numbers, of categories, and of texts by their length.

A number v is in bin `sum(v > edges)`; behind these bins there is one of missing values. The bins of
all features lie one behind another in one flat array.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import repeat
from math import inf
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
    """Counts columns of a matrix of numbers.

    Attributes:
        columns: of the matrix, for each member.
        spare: bins behind all others, which take nothing but are written to.
    """

    def __init__(self, members: Sequence[Member]) -> None:
        self.columns = [member.column for member in members]
        most = max((len(member.edges) for member in members), default=0)
        # Nothing lies above an infinite edge.
        padded = [[*edges, *repeat(inf, most - len(edges))] for _, edges, _ in members]
        self._edges = np.array(padded, np.float64).reshape(len(members), most)
        self.spare = most + 1
        self._first = np.array([member.first for member in members], np.int64)
        self._missing = np.array([m.first + len(m.edges) + 1 for m in members], np.int64)

    def bins(self, values: Array) -> Array:
        """The bin of each number, int64, of shape (rows, columns); fast for few rows.

        Args:
            values: float64, of shape (rows, columns).
        """
        # Summed as bytes along the first axis, which is several times as fast as otherwise.
        above = (values > self._edges.T[:, np.newaxis]).view(np.uint8)
        found: Array = np.add.reduce(above, axis=0, dtype=np.uint8) + self._first
        gaps = np.isnan(values)
        if gaps.any():
            found[gaps] = np.broadcast_to(self._missing, found.shape)[gaps]
        return found

    def add_to(self, counts: Array, values: Array) -> None:
        """Count numbers; fast for many rows.

        Args:
            counts: int64, of shape (bins,) and `spare` more.
            values: float64, of shape (rows, columns).
        """
        ordered = np.array(values.T, order="C")
        ordered.sort(axis=1)  # NaN comes last
        pairs = zip(ordered, self._edges, strict=True)
        below = np.array([column.searchsorted(edges, "right") for column, edges in pairs])
        missing = np.isnan(ordered).sum(axis=1) if np.isnan(ordered[:, -1]).any() else 0
        present = np.broadcast_to(len(values) - missing, len(below))
        found = np.diff(below, axis=1, prepend=0, append=present[:, np.newaxis])
        for number, run in enumerate(found.T):
            counts[self._first + number] += run
        counts[self._missing] += missing


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
