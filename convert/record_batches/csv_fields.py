"""Fields of CSV, which stay text until their column's type is known: typed as HTTP types them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import compute, types

from onnxlet.function.arrays import EXACT, Array
from onnxlet.function.csv import text as csv_text
from onnxlet.function.inputs.columns import Column

METADATA = {b"onnxlet": b"csv"}  # of a schema whose columns are such fields
# Whatever is made of these bytes only, Arrow and Python read alike, or one of them not at all.
INTEGER, FLOAT = (
    np.isin(np.arange(256), list(some)) for some in (b"0123456789-", b"0123456789-+.eE")
)
WHOLE = r"^-?[0-9]{1,18}$"
PLAIN = r"^[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]{1,2})?$"


def csv_schema(names: Sequence[str]) -> Any:
    """The schema of a CSV file's batches: give it to `Scorer`, and read all columns as it says.

    They are text; an empty field is an empty text or null, quoted or not.
    """
    return pa.schema([(name, pa.string()) for name in names], metadata=METADATA)


def is_csv(schema: Any) -> bool:
    """Whether a schema's columns are fields of CSV."""
    return (schema.metadata or {}).get(b"onnxlet") == METADATA[b"onnxlet"]


def typed(array: Any, column: Column) -> tuple[Any, Array]:
    """Fields as an array of their column's type, where they are surely such values.

    Null stands for those that are missing or odd; the second array says which are odd.
    """
    array = compute.if_else(compute.equal(array, ""), None, array)
    if column.cell or column.type == "string":
        return array, np.zeros(len(array), bool)
    if column.type == "bool":
        return _booleans(array)
    return _numbers(array, column.type == "int64")


def cells(array: Any, column: Column) -> list[Any]:
    """Fields as values of JSON; what can't be read as one of the column's type stays text."""
    texts = [[text or ""] for text in array.to_pylist()]
    return [row[0] for row in csv_text.typed(texts, [column.name], [column])]


def _booleans(array: Any) -> tuple[Any, Array]:
    encoded = array.dictionary_encode()
    known = cells(encoded.dictionary, Column("", "bool"))
    values = pa.array([cell if isinstance(cell, bool) else None for cell in known], pa.bool_())
    found = values.take(encoded.indices)
    return found, _lost(array, found)


def _numbers(array: Any, whole: bool) -> tuple[Any, Array]:
    if whole:
        found = _cast(array, INTEGER, WHOLE, pa.int64())
        if found.null_count == array.null_count:
            return found, np.zeros(len(array), bool)
    found = _cast(array, FLOAT, PLAIN, pa.float64())
    odd = _lost(array, found)
    if whole:  # as an integer it would have more digits
        large = compute.greater_equal(compute.abs(found), EXACT)
        large = compute.fill_null(large, False).to_numpy(zero_copy_only=False)
        odd = odd | large
    return found, odd


def _cast(array: Any, allowed: Array, pattern: str, kind: Any) -> Any:
    """Texts as numbers; null where one is not of the pattern."""
    if not allowed[_content(array)].all():
        fits = compute.fill_null(compute.match_substring_regex(array, pattern), False)
        array = compute.if_else(fits, array, None)
    try:
        return array.cast(kind)
    except pa.ArrowInvalid:
        fits = compute.fill_null(compute.match_substring_regex(array, pattern), False)
        return compute.if_else(fits, array, None).cast(kind)


def _content(array: Any) -> Array:
    """The bytes of all texts."""
    _, offsets, content = array.buffers()
    if content is None:
        return np.empty(0, np.uint8)
    dtype = np.int64 if types.is_large_string(array.type) else np.int32
    bounds = np.frombuffer(offsets, dtype)[[array.offset, array.offset + len(array)]]
    return np.frombuffer(content, np.uint8)[slice(*bounds)]


def _lost(given: Any, found: Any) -> Array:
    """Where there was a field, and no value was found."""
    lost: Array = compute.and_(found.is_null(), given.is_valid()).to_numpy(zero_copy_only=False)
    return lost
