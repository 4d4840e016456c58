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
from onnxlet.function.inputs.feeds import run_of

UNCOUNTED = np.array([-1])  # no bin
PICTURE = ("brightness", "contrast")
MOST_PIXELS = 4096  # numbers of an image that are looked at, evenly spaced


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
        columns: of the matrix, for each member: a slice where they follow each other.
    """

    def __init__(self, members: Sequence[Member]) -> None:
        self.columns = run_of([member.column for member in members]) if members else slice(0)
        most = max((len(member.edges) for member in members), default=0)
        # Nothing lies above an infinite edge.
        padded = [[*edges, *repeat(inf, most - len(edges))] for _, edges, _ in members]
        self._edges = np.array(padded, np.float64).reshape(len(members), most)
        self._first = np.array([member.first for member in members], np.int64)
        self._missing = np.array([m.first + len(m.edges) + 1 for m in members], np.int64)
        runs = self._first[:, np.newaxis] + np.arange(most + 1)
        nowhere = -1
        self._runs = np.where(runs < self._missing[:, np.newaxis], runs, nowhere).astype(np.int32)

    def bins(self, values: Array) -> Array:
        """The bin of each number, int64, of shape (rows, columns); fast for few rows.

        Args:
            values: float64, of shape (rows, columns).
        """
        # Summed as bytes along the first axis, which is several times as fast as otherwise.
        above = (values > self._edges.T[:, np.newaxis]).view(np.uint8)
        found: Array = above.sum(axis=0, dtype=np.uint8) + self._first
        gaps = np.isnan(values)
        if gaps.any():
            found[gaps] = np.broadcast_to(self._missing, found.shape)[gaps]
        return found

    def add_to(self, counts: Array, columns: Array) -> None:
        """Count numbers; fast for many rows.

        Args:
            counts: int64, of shape (bins + 1,): the last one is written to, and takes nothing.
            columns: float64, of shape (columns, rows).
        """
        ordered = np.sort(columns, axis=1)  # NaN comes last
        present = columns.shape[1]
        missing = np.isnan(ordered).sum(axis=1) if np.isnan(ordered[:, -1]).any() else None
        below = np.zeros((len(ordered), self._edges.shape[1] + 2), np.int64)
        for row, column, edges in zip(below, ordered, self._edges, strict=True):
            row[1:-1] = column.searchsorted(edges, "right")
        below[:, -1] = present if missing is None else present - missing
        counts[self._runs] += below[:, 1:] - below[:, :-1]
        if missing is not None:
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


class Texts:
    """Texts, or labels, that are counted: the columns of one array.

    Attributes:
        codings: of each column, from a cell to its code.

    Args:
        width: columns.
    """

    def __init__(self, width: int) -> None:
        self.codings = [NOT_COUNTED] * width
        self._bins = [UNCOUNTED] * width  # of each column, by code

    def put(self, column: int, coding: Coding, bins: Array) -> None:
        """Count a column: of each code the bin."""
        self.codings[column], self._bins[column] = coding, bins
        sizes = list(map(len, self._bins))
        self._firsts = np.cumsum([0, *sizes[:-1]])
        self._all = np.concatenate(self._bins)
        self._gaps = bool((self._all < 0).any())

    def codes(self, cells: Array) -> bytes:
        """The code of each cell, row by row."""
        if len(cells) == 1:
            row = cells.ravel().tolist()
            return bytes([get(c, other) for c, (get, other) in zip(row, self.codings, strict=True)])
        width = len(self.codings)
        found = bytearray(cells.size)
        columns = cells.reshape(-1, width).T.tolist()
        for position, (get, other) in enumerate(self.codings):
            found[position::width] = bytes(map(get, columns[position], repeat(other)))
        return bytes(found)

    def of(self, codes: Array, nowhere: int) -> Array:
        """The bins of codes of shape (rows, columns); `nowhere` of what is not counted."""
        found = self._all[codes + self._firsts]
        return np.where(found < 0, nowhere, found) if self._gaps else found


def pictures(cells: Array) -> Array:
    """Brightness and contrast: mean and standard deviation of the numbers of a nested list.

    Args:
        cells: object, of shape (rows, 1); each an array of numbers.

    Returns:
        float64, of shape (rows, 2).
    """
    found = np.full((len(cells), len(PICTURE)), np.nan)
    for row, cell in zip(found, cells[:, 0], strict=True):
        every = np.asarray(cell).ravel()
        numbers = every[:: -(-every.size // MOST_PIXELS) or 1].astype(np.float64)
        if numbers.size:
            row[:] = numbers.mean(), numbers.std()
    return found
