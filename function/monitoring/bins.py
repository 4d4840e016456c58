"""Bins: of numbers, of categories, and of texts by their length.

A number v is in bin `sum(v > edges)`; behind these bins there is one of missing values. The bins of
all features lie one behind another in one flat array.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import repeat
from math import inf, isnan
from typing import Any

import numpy as np

from onnxlet.function.arrays import MISSING_TEXT, Array

UNCOUNTED = np.array([-1])  # no bin
PICTURE = ("brightness", "contrast")
NUMBERS_TOGETHER = 256  # that are compared by one loop of NumPy's
MOST_BYTE = 255
FEW_COLUMNS = 8  # one by one they are faster than NumPy's loop over each row
MOST_PIXELS = 4096  # numbers of an image that are looked at, evenly spaced


# Numbers that are counted, a column of a matrix: the edges between its bins, in order, and which
# bin of the flat array is the first.
Member = tuple[Sequence[float], int]


class NumberBins:
    """Counts columns of a matrix of numbers, in its order; `others` columns are behind these.

    Some rows are compared at once, with edges that are repeated as often: a loop over the few
    columns of one row would take longer to begin than to end. The flat array of bins has this size.
    """

    def __init__(self, members: Sequence[Member], others: int, size: int) -> None:
        self._width = width = len(members) + others
        self._together = max(1, NUMBERS_TOGETHER // max(1, width))
        self._most = most = max((len(edges) for edges, _ in members), default=0)
        # Nothing lies above an infinite edge.
        padded = [[*edges, *repeat(inf, most - len(edges))] for edges, _ in members]
        padded += [[inf] * most] * others
        edges = np.array(padded, np.float64).reshape(width, most)
        self._edges = np.tile(edges.T, self._together)
        # A bin has what lies above its lower edge, less what lies above its upper one: two cells of
        # a matrix of such sums. Above its lowest row is what is there, in its last what is missing.
        nothing, missing = (most + 1) * width, (most + 2) * width  # cells
        self._lower = np.full(size, nothing, np.intp)
        self._upper = np.full(size, nothing, np.intp)
        for column, (edges_of, first) in enumerate(members):
            bins = np.arange(len(edges_of) + 1)
            self._lower[first + bins] = bins * width + column
            self._upper[first + bins] = (bins + 1) * width + column
            self._lower[first + len(bins)] = missing + column

    def count(self, values: Array) -> Array:
        """How many of float64 (rows, columns) fall into each bin, int64, of shape (size,)."""
        if not self._most:
            return np.zeros(len(self._lower), np.int64)
        sums = np.zeros((self._most + 3, self._width), np.int64)
        sums[0] = len(values)
        for start in range(0, len(values), MOST_BYTE):  # which are summed in bytes
            sums[1:-2] += self._above(values[start : start + MOST_BYTE])
        if isnan(values.min()):  # as it is where one of them is
            sums[-1] = np.isnan(values).sum(axis=0)
            sums[0] -= sums[-1]
        return sums.take(self._lower) - sums.take(self._upper)

    def _above(self, values: Array) -> Array:
        """How many numbers of each column lie above each edge, uint8, of shape (edges, columns)."""
        rows, together = len(values), self._together
        if rows % together:
            whole = np.full((-(-rows // together) * together, self._width), np.nan)
            whole[:rows] = values
            values = whole
        parts = values.reshape(-1, 1, together * self._width)
        found = (parts > self._edges).view(np.uint8).sum(axis=0, dtype=np.uint8)
        found = found.reshape(self._most, together, self._width)
        above: Array = found.sum(axis=1, dtype=np.uint8)
        return above


# How the cells of a column become codes, positions among its bins: a function gives a cell's code,
# or `other`, the code of all other cells, which is behind it.
Coding = tuple[Callable[[Any, int], int], int]


def by_category(categories: Sequence[Any]) -> Coding:
    """By the position of each category; behind them all others, then missing ones."""
    other = len(categories)
    known = dict(zip(categories, range(other), strict=True))
    return {**known, MISSING_TEXT: other + 1, None: other + 1}.get, other


def by_length(edges: Sequence[float]) -> Coding:
    """By how many characters a text has; behind these missing ones."""

    def get(text: str | None, other: int) -> int:
        return other if text is None or text == MISSING_TEXT else bisect_left(edges, len(text))

    return get, len(edges) + 1


NOT_COUNTED: Coding = (lambda cell, other: other, 0)


class Texts:
    """Texts, or labels, that are counted: the columns of one array, `width` of them."""

    def __init__(self, width: int) -> None:
        self.codings = [NOT_COUNTED] * width  # of each column, from a cell to its code
        self._bins = [UNCOUNTED] * width  # of each column, by code

    def put(self, column: int, coding: Coding, bins: Array) -> None:
        """Count a column: of each code the bin."""
        self.codings[column], self._bins[column] = coding, bins
        sizes = list(map(len, self._bins))
        self._firsts = np.cumsum([0, *sizes[:-1]])
        self._all = np.concatenate(self._bins)
        self._gaps = bool((self._all < 0).any())

    def codes(self, cells: Array) -> Array:
        """The code of each cell, uint8, of shape (rows, columns)."""
        rows, width = len(cells), len(self.codings)
        found = bytearray(cells.size)
        columns = cells.reshape(-1, width).T.tolist()
        for position, (get, other) in enumerate(self.codings):
            found[position::width] = bytes(map(get, columns[position], repeat(other)))
        return np.frombuffer(found, np.uint8).reshape(rows, width)

    def of(self, codes: Array, nowhere: int) -> Array:
        """The bins of codes of shape (rows, columns), flat; `nowhere` of what is not counted."""
        at = codes.ravel() if len(self.codings) == 1 else (codes + self._firsts).ravel()
        found: Array = self._all.take(at)
        return np.where(found < 0, nowhere, found) if self._gaps else found


def largest(rows: Array, into: Array) -> None:
    """The largest number of each row, missing where one is: (rows, columns) into (rows,)."""
    if rows.shape[1] > FEW_COLUMNS:
        rows.max(axis=1, out=into)
        return
    into[:] = rows[:, 0]
    for column in range(1, rows.shape[1]):
        np.maximum(into, rows[:, column], out=into)


def pictures(cells: Array) -> Array:
    """Brightness and contrast: mean and standard deviation of the numbers of a nested list.

    The cells are arrays of numbers in an object array of shape (rows, 1). Returns float64, (rows,
    2).
    """
    found = np.full((len(cells), len(PICTURE)), np.nan)
    for row, cell in zip(found, cells[:, 0], strict=True):
        every = np.asarray(cell).ravel()
        numbers = every[:: -(-every.size // MOST_PIXELS) or 1].astype(np.float64)
        if numbers.size:
            row[:] = numbers.mean(), numbers.std()
    return found
