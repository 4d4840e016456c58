"""Which Arrow types a column of a signature takes, and their values as JSON has them."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import compute, types

from onnxlet.function.inputs.columns import Column

NUMBERS = frozenset({"integer", "float", "decimal"})
BYTES = "bytes"  # the field of an image's struct, as Hugging Face's data sets have it
OTHERWISE = (pa.Bool8Type, pa.UuidType)  # extensions whose values are not those of their storage
# In this order: the first of which a type is, is its kind.
KINDS = {
    "null": (types.is_null,),
    "bool": (types.is_boolean,),
    "integer": (types.is_integer,),
    "float": (types.is_floating,),
    "decimal": (types.is_decimal,),
    "text": (types.is_string, types.is_large_string, types.is_string_view),
    "bytes": (
        types.is_binary, types.is_large_binary, types.is_fixed_size_binary, types.is_binary_view,
    ),
    "date": (types.is_date,),
    "timestamp": (types.is_timestamp,),
    "list": (
        types.is_list, types.is_large_list, types.is_fixed_size_list, types.is_list_view,
        types.is_large_list_view,
    ),
    "struct": (types.is_struct,),
}  # fmt: skip
WORDS = {
    "float64": "numbers",
    "float32": "numbers",
    "int64": "whole numbers",
    "bool": "booleans",
    "string": "text",
}
# Types that fewer of Arrow's functions take, and those of the same values that all do.
VIEWS = {pa.string_view(): pa.large_string(), pa.binary_view(): pa.large_binary()}


def bare(given: Any) -> Any:
    """An Arrow type without what only says how it is stored: dictionary, run ends, extension."""
    while True:
        if isinstance(given, pa.BaseExtensionType) and not isinstance(given, OTHERWISE):
            given = given.storage_type
        elif types.is_dictionary(given) or types.is_run_end_encoded(given):
            given = given.value_type
        else:
            return given


def kind_of(given: Any) -> str:
    """What a type is, by `KINDS`; "other" where it is none of them."""
    plain = bare(given)
    return next((kind for kind, ways in KINDS.items() if any(is_(plain) for is_ in ways)), "other")


def misfit(column: Column, given: Any) -> str | None:
    """Why no value of an Arrow type is one of a signature's column; None where some may be."""
    kind = kind_of(given)
    if kind == "null":
        return None
    if column.cell:
        return _list_misfit(column, given)
    if column.image:
        taken = {"text", "bytes"} | ({"struct"} if has_bytes(given) else set())
        return None if kind in taken else f"expected images (bytes, or base64), got {given}"
    if column.date:
        return _date_misfit(column, bare(given), kind)
    taken = {"bool": {"bool"}, "string": {"text", "bytes"}}.get(column.type, set(NUMBERS))
    return None if kind in taken else f"expected {WORDS[column.type]}, got {given}"


def has_bytes(given: Any) -> bool:
    """Whether a type is a struct with an image's bytes in it."""
    plain = bare(given)
    if not types.is_struct(plain) or plain.get_field_index(BYTES) < 0:
        return False
    return kind_of(plain.field(BYTES).type) == "bytes"


def _date_misfit(column: Column, given: Any, kind: str) -> str | None:
    zoned = column.zone is not None
    if kind == "text" or (kind == "date" and not zoned):
        return None
    if kind == "timestamp" and (column.format is not None or (given.tz is not None) == zoned):
        return None
    has = "with" if zoned else "without"
    return f"expected dates as text, or timestamps {has} a time zone, got {given}"


def _list_misfit(column: Column, given: Any) -> str | None:
    depth, leaf = 0, bare(given)
    while kind_of(leaf) == "list":
        depth, leaf = depth + 1, bare(leaf.value_type)
    fixed = all(isinstance(size, int) for size in column.cell)
    depths = {len(column.cell), *({1} if fixed else ()), *({0} if len(column.cell) == 1 else ())}
    taken = {"null", "bool"} if column.type == "bool" else {"null", *NUMBERS}
    if depth in depths and kind_of(leaf) in taken:
        return None
    sizes = " by ".join("n" if isinstance(size, str) else str(size) for size in column.cell)
    return f"expected lists of {sizes} {WORDS[column.type]}, got {given}"


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
