"""Arrow's lists as arrays, one for each row: views of one array that was checked as a whole.

Or as columns: of a model fitted on a bare array, where one column of lists has its rows' values.
"""

from __future__ import annotations

from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import types

from onnxlet.convert.record_batches import numbers
from onnxlet.convert.record_batches.kinds import bare, kind_of, misfit
from onnxlet.convert.record_batches.plain import simple
from onnxlet.function.arrays import Array
from onnxlet.function.inputs.array_checks import outside
from onnxlet.function.inputs.columns import Column
from onnxlet.function.inputs.nested import packed
from onnxlet.function.inputs.signature import Signature


def lists(array: Any, column: Column) -> tuple[Array, Array]:
    """Lists, or numbers, which are lists of one, as an object array of arrays, of shape (rows,).

    The second array says which of them have to be looked at one by one.
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
        found, odd = numbers.floats(array)
    low = -np.inf if column.minimum is None else column.minimum
    high = np.inf if column.maximum is None else column.maximum
    odd = odd | outside(found, low, high, column.nullable)
    return found, odd if column.infinite else odd | np.isinf(found)


def _holders(odd: Array, offsets: Array) -> Array:
    """Which lists hold a value that is odd."""
    before = np.concatenate([[0], np.cumsum(odd)])
    held: Array = before[offsets[1:]] > before[offsets[:-1]]
    return held


def column_of(given: Any, signature: Signature) -> str | None:
    """The column of lists in a schema that has all of a signature's values; None where none has."""
    name = signature.whole
    if name is None or not signature.names.isdisjoint(given.names):
        return None
    if list(given.names).count(name) != 1 or kind_of(given.field(name).type) != "list":
        return None
    leaf = bare(given.field(name).type).value_type
    return name if all(misfit(column, leaf) is None for column in signature.columns) else None


def spread(array: Any, signature: Signature) -> tuple[dict[str, Any], dict[int, str]]:
    """The columns of a model fitted on a bare array, out of a column of lists.

    And the rows that are no such list, with why.
    """
    array, width = simple(array), len(signature.columns)
    offsets = _bounds(array)
    lengths = np.diff(offsets)
    gaps = numbers.missing(array)
    wrong = gaps | (lengths != width)
    faults = {
        row: f"expected an object by column name or a list of {width} values, got null"
        if gaps[row]
        else f"expected {width} values in signature order, got {lengths[row]}"
        for row in np.flatnonzero(wrong).tolist()
    }
    columns = {
        column.name: array.values.take(pa.array(offsets[:-1] + position, mask=wrong))
        for position, column in enumerate(signature.columns)
    }
    return columns, faults
