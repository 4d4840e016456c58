"""Arrow's lists as arrays, one for each row: views of one array that was checked as a whole."""

from __future__ import annotations

from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
from pyarrow import types

from onnxlet.convert.record_batches import numbers
from onnxlet.convert.record_batches.kinds import kind_of
from onnxlet.function.arrays import Array
from onnxlet.function.inputs.columns import Column
from onnxlet.function.inputs.nested import packed


def lists(array: Any, column: Column) -> tuple[Array, Array]:
    """Cells as an object array of arrays, of shape (rows,).

    Args:
        array: of lists, or of numbers, which are lists of one.
        column: whose cells are nested lists.

    Returns:
        The cells, and which of them have to be looked at one by one.
    """
    rows = len(array)
    sizes = [size for size in column.cell if isinstance(size, int)]
    every = np.empty(rows, object), np.ones(rows, bool)
    if array.null_count == rows or kind_of(array.type) != "list":
        return every
    odd = numbers.missing(array)
    if len(sizes) < len(column.cell):
        return _of_any_length(array, column, odd) if len(column.cell) == 1 else every
    offsets, leaf = _bounds(array), array.values
    if kind_of(leaf.type) == "list":
        size, *inner = sizes
        while inner and kind_of(leaf.type) == "list":
            lengths = np.diff(_bounds(leaf))
            if leaf.null_count or (lengths != inner[0]).any():
                return every
            leaf = leaf.flatten()
            offsets = offsets * inner[0]
            size *= inner.pop(0)
    values, strange = _leaf(leaf, column)
    odd |= (np.diff(offsets) != prod(sizes)) | _holders(strange, offsets)
    cells = np.empty(rows, object)
    good = np.flatnonzero(~odd)
    shaped = values[offsets[good, None] + np.arange(prod(sizes))].reshape(-1, *sizes)
    cells[good] = packed(list(shaped))
    return cells, odd


def _of_any_length(array: Any, column: Column, odd: Array) -> tuple[Array, Array]:
    offsets = _bounds(array)
    lengths = np.diff(offsets)
    if kind_of(array.values.type) == "list":
        return np.empty(len(array), object), np.ones(len(array), bool)
    values, strange = _leaf(array.values, column)
    odd |= (lengths < 1) | (lengths > column.longest) | _holders(strange, offsets)
    return packed([values[start:end] for start, end in pairwise(offsets)]), odd


def _bounds(array: Any) -> Array:
    """Where each list begins among the values, and the last ends."""
    found: Array = array.offsets.to_numpy().astype(np.int64)
    return found


def _leaf(array: Any, column: Column) -> tuple[Array, Array]:
    """The values of all lists, flat, and which of them are odd."""
    if types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if column.type == "bool":
        return numbers.booleans(array)
    if column.type == "int64":
        found, odd = numbers.integers(array)
    else:
        found, odd = numbers.floats(array, whole=False)
    low = -np.inf if column.minimum is None else column.minimum
    high = np.inf if column.maximum is None else column.maximum
    outside = ~((found >= low) & (found <= high))
    if found.dtype.kind == "f":
        missing = found != found
        outside &= ~(missing & column.nullable)
        outside |= np.isinf(found) & (not column.infinite)
    return found, odd | outside


def _holders(odd: Array, offsets: Array) -> Array:
    """Which lists hold a value that is odd."""
    before = np.concatenate([[0], np.cumsum(odd)])
    held: Array = before[offsets[1:]] > before[offsets[:-1]]
    return held
