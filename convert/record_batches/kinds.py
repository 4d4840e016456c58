"""Which Arrow types a column of a signature takes, and their values as JSON has them.

Fields of CSV stay text until their column's type is known: they are typed as HTTP types them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import compute, types

from onnxlet.function.arrays import EXACT, Array
from onnxlet.function.csv import text as csv_text
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
        raw = array.to_pylist()
        return raw if column.image else [_decoded(cell) for cell in raw]
    if kind == "text":
        return _texts(array)
    return [_plain(cell, column) for cell in array.to_pylist()]


def _texts(array: Any) -> list[Any]:
    """Strings; what is not UTF-8 keeps its bytes as lone surrogates, which are refused."""
    try:
        texts: list[Any] = array.to_pylist()
    except UnicodeDecodeError:
        raw = array.cast(pa.large_binary()).to_pylist()
        return [_decoded(cell) for cell in raw]
    return texts


def _decoded(cell: bytes | None) -> str | None:
    return None if cell is None else cell.decode("utf-8", "surrogateescape")


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
    lost = compute.and_(found.is_null(), given.is_valid())
    return np.asarray(lost.to_numpy(zero_copy_only=False))
