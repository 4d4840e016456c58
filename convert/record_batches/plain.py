"""Arrow's values as JSON has them, for rows that are checked cell by cell."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import compute, types

from onnxlet.convert.record_batches.kinds import BYTES, kind_of
from onnxlet.function.inputs.columns import Column

# Types that fewer of Arrow's functions take, and those of the same values that all do.
VIEWS = {pa.string_view(): pa.large_string(), pa.binary_view(): pa.large_binary()}


def simple(array: Any) -> Any:
    """An Arrow array without run ends, views or an extension around it; dictionaries stay."""
    while True:
        if isinstance(array, pa.ChunkedArray):
            array = array.combine_chunks()
        elif isinstance(array, pa.ExtensionArray):
            array = array.storage
        elif types.is_run_end_encoded(array.type):
            array = compute.run_end_decode(array)
        elif (plain := usual(array.type)) != array.type:
            array = array.cast(plain)
        else:
            return array


def usual(given: Any) -> Any:
    """A type of the same values that all of Arrow's functions take.

    Of a slice of fixed lists in fixed lists, `take` of Arrow 26 reads other memory.
    """
    if types.is_list(given) or types.is_fixed_size_list(given) or types.is_list_view(given):
        return pa.list_(usual(given.value_type))
    if types.is_large_list(given) or types.is_large_list_view(given):
        return pa.large_list(usual(given.value_type))
    return VIEWS.get(given, given)


def values(array: Any, column: Column) -> list[Any]:
    """Cells of a type that fits the column as they are in a JSON body; an image as its bytes."""
    array = simple(array)
    if types.is_dictionary(array.type):
        array = simple(array.dictionary_decode())
    kind = kind_of(array.type)
    if kind == "struct":
        array, kind = simple(compute.struct_field(array, BYTES)), "bytes"
    if kind == "bytes":
        return [_of_bytes(cell, column) for cell in array.to_pylist()]
    if kind == "text":
        return _texts(array)
    return [_plain(cell, column) for cell in array.to_pylist()]


def _texts(array: Any) -> list[Any]:
    """Strings; what is not UTF-8 keeps its bytes as lone surrogates, which are refused."""
    try:
        texts: list[Any] = array.to_pylist()
    except UnicodeDecodeError:
        raw = array.cast(pa.large_binary()).to_pylist()
        return [None if cell is None else cell.decode("utf-8", "surrogateescape") for cell in raw]
    return texts


def _of_bytes(cell: bytes | None, column: Column) -> Any:
    if cell is None or column.image:
        return cell
    return cell.decode("utf-8", "surrogateescape")


def _plain(cell: Any, column: Column) -> Any:
    if isinstance(cell, list):
        return [_plain(each, column) for each in cell]
    if isinstance(cell, Decimal):
        return int(cell) if _is_integer(cell) else float(cell)
    if isinstance(cell, np.floating):
        return float(cell)
    if isinstance(cell, date):
        return written(cell, column)
    return cell


def _is_integer(number: Decimal) -> bool:
    """Whether JSON's reader makes an integer of it: it has no point, and fits 64 bits."""
    exponent = number.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= 0 and -(2**63) <= number < 2**64


def written(moment: date, column: Column) -> str:
    """A date as its column has it: in the column's format, else of ISO 8601."""
    if column.format is None:
        return moment.isoformat()
    if not isinstance(moment, datetime):  # %H of a date is 00
        moment = datetime(moment.year, moment.month, moment.day)
    return moment.strftime(column.format)
