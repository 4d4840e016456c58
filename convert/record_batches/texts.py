"""Arrow's texts as NumPy's objects, each different text checked but once."""

from __future__ import annotations

from typing import Any

import numpy as np
from pyarrow import compute, types

from onnxlet.convert.record_batches.kinds import kind_of
from onnxlet.convert.record_batches.plain import values
from onnxlet.function.arrays import MISSING_TEXT, Array
from onnxlet.function.inputs.array_checks import encodes
from onnxlet.function.inputs.columns import Column

REPEATED = 4  # rows to a text, on average, from which checking each text once pays


def texts(array: Any, column: Column) -> tuple[Array, Array]:
    """Texts or dates as an object array of shape (rows,), MISSING_TEXT for a missing one.

    The second array says which of them have to be looked at one by one.
    """
    if kind_of(array.type) == "null":
        return _filled([None] * len(array), column)
    if types.is_dictionary(array.type):
        known, codes = array.dictionary, array.indices
    else:
        encoded = compute.dictionary_encode(array)
        known, codes = encoded.dictionary, encoded.indices
    if len(known) * REPEATED > len(array) or known.null_count:
        return _filled(values(array, column), column)
    cells, odd = _filled([*values(known, column), None], column)
    if codes.null_count:
        codes = compute.fill_null(codes.cast("int64"), len(known))
    at = codes.to_numpy(zero_copy_only=False)
    return cells[at], odd[at]


def _filled(cells: list[Any], column: Column) -> tuple[Array, Array]:
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
