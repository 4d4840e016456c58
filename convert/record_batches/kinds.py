"""Which Arrow types a column of a signature takes."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from pyarrow import types

from onnxlet.function.inputs.columns import Column

NUMBERS = frozenset({"integer", "float", "decimal"})
BYTES = "bytes"  # the field of an image's struct, as Hugging Face's data sets have it
OTHERWISE = (pa.Bool8Type, pa.UuidType)  # extensions whose values are not those of their storage
# In this order: the first that holds is the kind.
KINDS = (
    ("null", types.is_null),
    ("bool", types.is_boolean),
    ("integer", types.is_integer),
    ("float", types.is_floating),
    ("decimal", types.is_decimal),
    ("text", types.is_string),
    ("text", types.is_large_string),
    ("text", types.is_string_view),
    ("bytes", types.is_binary),
    ("bytes", types.is_large_binary),
    ("bytes", types.is_fixed_size_binary),
    ("bytes", types.is_binary_view),
    ("date", types.is_date),
    ("timestamp", types.is_timestamp),
    ("list", types.is_list),
    ("list", types.is_large_list),
    ("list", types.is_fixed_size_list),
    ("list", types.is_list_view),
    ("list", types.is_large_list_view),
    ("struct", types.is_struct),
)
WORDS = {
    "float64": "numbers",
    "float32": "numbers",
    "int64": "whole numbers",
    "bool": "booleans",
    "string": "text",
}


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
    """What a type is, by the first column of `KINDS`; "other" where none is."""
    plain = bare(given)
    return next((kind for kind, holds in KINDS if holds(plain)), "other")


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
