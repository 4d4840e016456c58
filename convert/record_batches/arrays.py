"""Arrow's columns as NumPy's arrays, and which of their cells have to be looked at one by one.

Lists become an array for each row, views of one that was checked as a whole; or columns, of a model
fitted on a bare array, where one column of lists has its rows' values.
"""

from __future__ import annotations

from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import compute, types

from onnxlet.convert.record_batches.kinds import bare, kind_of, misfit, simple, values
from onnxlet.function.arrays import EXACT, MISSING_TEXT, Array
from onnxlet.function.inputs.columns import Column
from onnxlet.function.inputs.nested import packed
from onnxlet.function.inputs.signature import Signature
from onnxlet.function.inputs.validation import encodes, outside, whole_numbers

LARGEST_POWER = 22  # of ten, that is float64's own
Read = tuple[Array, Array]  # the values, and which are odd
REPEATED = 4  # rows to a text, on average, from which checking each text once pays


def booleans(array: Any) -> Read:
    """Booleans of shape (rows,); missing ones are odd."""
    if kind_of(array.type) == "null":
        return np.zeros(len(array), bool), missing(array)
    return _filled(array, False), missing(array)


def integers(array: Any) -> Read:
    """int64 of shape (rows,); what is missing, not whole or too large is odd."""
    if kind_of(array.type) == "null":
        return np.zeros(len(array), np.int64), missing(array)
    if types.is_decimal(array.type) or types.is_floating(array.type):
        found, odd = floats(array)
        whole, unlike = whole_numbers(found, "int64")
        return whole, odd | unlike
    found, odd = _filled(array, 0), missing(array)
    if found.dtype == np.uint64:
        odd |= found >= 2**63
    return found.astype(np.int64, copy=False), odd


def floats(array: Any, whole: bool = False) -> Read:
    """float64 of shape (rows,), NaN for what is missing; where asked, what is not whole is odd."""
    if kind_of(array.type) == "null":
        return np.full(len(array), np.nan), np.zeros(len(array), bool)
    found, odd = _of_decimals(array) if types.is_decimal(array.type) else _floats(array)
    if not whole or types.is_integer(array.type):
        return found, odd
    found, unlike = whole_numbers(found, "float64")
    return found, odd | unlike


def missing(array: Any) -> Array:
    """Where an array has nulls."""
    if not array.null_count:
        return np.zeros(len(array), bool)
    return np.asarray(array.is_null().to_numpy(zero_copy_only=False))


def _filled(array: Any, instead: int) -> Array:
    """With another value for nulls."""
    filled = compute.fill_null(array, instead) if array.null_count else array
    return np.asarray(filled.to_numpy(zero_copy_only=False))


def _floats(array: Any) -> Read:
    odd = np.zeros(len(array), bool)
    if array.null_count and types.is_integer(array.type):
        found = _filled(array, 0).astype(np.float64)
        found[missing(array)] = np.nan
        return found, odd
    given: Array = array.to_numpy(zero_copy_only=False)
    return given.astype(np.float64, copy=False), odd


def _of_decimals(array: Any) -> Read:
    """Decimals as the nearest floats: exact where the digits and the power of ten are floats."""
    rows, scale = len(array), array.type.scale
    if array.type.bit_width > 128 or not 0 <= scale <= LARGEST_POWER:
        return np.zeros(rows), np.ones(rows, bool)
    if array.type.bit_width < 128:
        array = array.cast(pa.decimal128(38, scale))
    words = np.frombuffer(array.buffers()[1], np.int64).reshape(-1, 2)
    words = words[array.offset : array.offset + rows]
    low, high = words[:, 0], words[:, 1]
    odd = (high != low >> 63) | (low > EXACT) | (low < -EXACT)
    found, gaps = low / 10.0**scale, missing(array)
    found[gaps] = np.nan
    return found, odd & ~gaps


def texts(array: Any, column: Column) -> tuple[Array, Array]:
    """Texts or dates as an object array of shape (rows,), MISSING_TEXT for a missing one.

    The second array says which of them have to be looked at one by one.
    """
    if kind_of(array.type) == "null":
        return _text_cells([None] * len(array), column)
    if types.is_dictionary(array.type):
        known, codes = array.dictionary, array.indices
    else:
        encoded = compute.dictionary_encode(array)
        known, codes = encoded.dictionary, encoded.indices
    if len(known) * REPEATED > len(array) or known.null_count:
        return _text_cells(values(array, column), column)
    cells, odd = _text_cells([*values(known, column), None], column)
    if codes.null_count:
        codes = compute.fill_null(codes.cast("int64"), len(known))
    at = codes.to_numpy(zero_copy_only=False)
    return cells[at], odd[at]


def _text_cells(cells: list[Any], column: Column) -> tuple[Array, Array]:
    """Texts and None as an object array, and which of them are odd."""
    filled = np.empty(len(cells), object)
    filled[:] = [MISSING_TEXT if cell is None else cell for cell in cells]
    return filled, np.fromiter((_is_odd(cell, column) for cell in cells), bool, len(cells))


def _is_odd(cell: Any, column: Column) -> bool:
    if cell is None:
        return not column.nullable
    if len(cell) > column.longest or cell == MISSING_TEXT or not encodes(cell):
        return True
    if column.categories is not None and cell not in column.categories:
        return True
    return column.date and not column.takes(cell)


def lists(array: Any, column: Column) -> tuple[Array, Array]:
    """Lists, or numbers, which are lists of one, as an object array of arrays, of shape (rows,).

    The second array says which of them have to be looked at one by one.
    """
    rows = len(array)
    sizes = [size for size in column.cell if isinstance(size, int)]
    every = np.empty(rows, object), np.ones(rows, bool)
    if array.null_count == rows or kind_of(array.type) != "list":
        return every
    odd = missing(array)
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
    return np.asarray(array.offsets.to_numpy(), np.int64)


def _leaf(array: Any, column: Column) -> tuple[Array, Array]:
    """The values of all lists, flat, and which of them are odd."""
    if types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if column.type == "bool":
        return booleans(array)
    if column.type == "int64":
        found, odd = integers(array)
    else:
        found, odd = floats(array)
    low = -np.inf if column.minimum is None else column.minimum
    high = np.inf if column.maximum is None else column.maximum
    odd = odd | outside(found, low, high, column.nullable)
    return found, odd if column.infinite else odd | np.isinf(found)


def _holders(odd: Array, offsets: Array) -> Array:
    """Which lists hold a value that is odd."""
    before = np.concatenate([[0], np.cumsum(odd)])
    return np.asarray(before[offsets[1:]] > before[offsets[:-1]])


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
    gaps = missing(array)
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
