"""Validates a batch cell by cell, with a reason for everything that it refuses."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import chain
from math import nan
from typing import Any, cast

from onnxlet.function.arrays import MISSING_TEXT, Array, Cells, LateArrays, as_array
from onnxlet.function.errors import DATES_BY_PANDAS, SHOWN_PROBLEMS, InvalidRows, Problem
from onnxlet.function.inputs import nested
from onnxlet.function.inputs.columns import Column, Encoded, Refused
from onnxlet.function.inputs.signature import Block, Signature
from onnxlet.function.numpy_later import is_there, np

ABSENT = object()  # a cell that the row doesn't have; its absence is reported already
MISSING = None
SHOWN_CHARACTERS = 60
ONE_ROW = 'One row is a list of one: {"instances": [[...]]}.'
SHOWN_CATEGORIES = 8


def validate_cells(
    rows: Sequence[Any], signature: Signature, faults: Mapping[int, str]
) -> Sequence[Array]:
    """Arrays for each block, of shape (rows, the block's columns); made when they are needed.

    Raises InvalidRows with every problem of every row.
    """
    problems: list[Problem] = []
    by_column = _align(rows, signature, faults, problems)
    found: list[Any] = []
    for block in signature.blocks:
        values = [
            [
                _checked(column, row, cell, problems)
                for row, cell in enumerate(by_column[column.name])
            ]
            for column in block.columns
        ]
        if not problems:
            whole = nested.packed(values[0]).reshape(-1, 1) if block.nested else None
            found.append(_cells(block, values) if whole is None else whole)
    if not problems and signature.nested:
        found = list(map(as_array, found))
        problems += [Problem(*each) for each in nested.disagreements(found, signature.nested)]
    if problems:
        position = {column.name: number for number, column in enumerate(signature.columns)}
        problems.sort(key=lambda p: (cast(int, p.row), position.get(p.column or "", -1)))
        flat = len(position) > 1 and not any(isinstance(row, dict | list) for row in rows)
        raise InvalidRows(problems, hint=ONE_ROW if flat else "")
    return found if signature.nested else LateArrays(found)


def _align(
    rows: Sequence[Any],
    signature: Signature,
    faults: Mapping[int, str],
    problems: list[Problem],
) -> dict[str, list[Any]]:
    """Each required column's cells, with ABSENT where a row has none."""
    by_column: dict[str, list[Any]] = {c.name: [] for c in signature.columns if c.required}
    guesses = Guesses(signature.names)
    for number, row in enumerate(rows):
        if number in faults:
            problems.append(Problem(number, None, faults[number]))
            found: Mapping[str, Any] | None = None
        else:
            found = _named(row, number, signature, problems, guesses)
        for name, cells in by_column.items():
            cells.append(ABSENT if found is None else found.get(name, ABSENT))
    return by_column


def _named(
    row: Any,
    number: int,
    signature: Signature,
    problems: list[Problem],
    guesses: Mapping[str, str],
) -> Mapping[str, Any] | None:
    if isinstance(row, dict):
        given: Mapping[str, Any] = row
        if not signature.names.issuperset(given):
            names = signature.as_known(list(map(str, given)))
            given = dict(zip(names, given.values(), strict=True))
        problems += [
            Problem(number, column.name, "missing column")
            for column in signature.columns
            if column.required and not column.absent and column.name not in given
        ]
        problems += [
            Problem(number, name[:100], f"unknown column{guesses[name]}")
            for name in given
            if name not in signature.names
        ]
        return given
    width = len(signature.columns)
    if width == 1 and _is_bare(row, signature.columns[0]):
        return {signature.columns[0].name: row}
    if not isinstance(row, list):
        detail = f"expected an object by column name or a list of {width} values, got {shown(row)}"
    elif len(row) != width:
        detail = f"expected {width} values in signature order, got {len(row)}"
    else:
        return {column.name: cell for column, cell in zip(signature.columns, row, strict=True)}
    problems.append(Problem(number, None, detail))
    return None


def _is_bare(row: Any, column: Column) -> bool:
    """Whether a row is the only column's cell itself: a plain value, or all of its nested lists.

    A list that has less depth than the column, or more, is a list of cells.
    """
    if row is None or isinstance(row, str | int | float):
        return True
    return nested.depth_of(row) == len(column.cell) > 0


class Guesses(dict[str, str]):
    """By unknown name, the known one that may be meant, as the end of a message.

    A guess costs a thousand times more than sending a name, so that only the first names have one,
    as many as problems are listed.
    """

    def __init__(self, known: Collection[str]) -> None:
        super().__init__()
        self._known = sorted(known)

    def __missing__(self, name: str) -> str:
        import difflib  # only ever needed here, and slow to import

        if not name:  # the header that pandas writes above its index
            self[name] = "; pandas leaves its row numbers out with index=False"
            return self[name]
        if len(self) >= SHOWN_PROBLEMS:
            return ""  # a body may have millions of names
        close = difflib.get_close_matches(name[:200], self._known, 1)
        self[name] = f"; did you mean '{close[0]}'?" if close else ""
        return self[name]


def _checked(column: Column, row: int, cell: Any, problems: list[Problem]) -> Any:
    """The cell as a value of its column, MISSING for a missing one."""
    if cell is ABSENT:
        return MISSING
    if isinstance(cell, Refused):  # not raised again: its frames would be kept for each cell
        problems.append(Problem(row, column.name, str(cell)))
        return MISSING
    if column.cell:
        return _checked_list(column, row, cell, problems)
    try:
        if isinstance(cell, Encoded):
            cell = str(cell) if column.image else _utf8(cell)
        if column.image and type(cell) is bytes:  # of a body or a form
            _check_image(cell)
            return cell
        if column.date and isinstance(cell, int | float) and not _is_missing(cell):
            raise Refused(f"expected a date as text, got {shown(cell)}; {DATES_BY_PANDAS}")
        value = MISSING if _is_missing(cell) else READ[column.type](cell)
        _check_value(column, value)
    except Refused as refused:
        problems.append(Problem(row, column.name, str(refused)))
        return MISSING
    return value


def _checked_list(column: Column, row: int, cell: Any, problems: list[Problem]) -> Any:
    def read(value: Any) -> Any:
        if isinstance(value, Refused):
            raise value.with_traceback(None)
        if _is_missing(value) and not column.nullable:
            raise Refused("a value is missing, and the model does not take one here")
        return float("nan") if _is_missing(value) else READ[column.type](value)

    try:
        return nested.parsed(column, cell, read)
    except Refused as error:
        problems.append(Problem(row, column.name, str(error)))
        return MISSING


def _is_missing(cell: Any) -> bool:
    return cell is None or (isinstance(cell, float) and math.isnan(cell))


def _number(cell: Any) -> float:
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        raise Refused(f"expected a number, got {shown(cell)}")
    try:
        return float(cell)
    except OverflowError:
        raise Refused(f"{shown(cell)} does not fit a 64-bit float") from None


def _integer(cell: Any) -> int:
    odd = isinstance(cell, float) and not cell.is_integer()
    if isinstance(cell, bool) or not isinstance(cell, int | float) or odd:
        raise Refused(f"expected a whole number, got {shown(cell)}")
    # JSON's readers make a float of an integer below these, and that may round to the least one.
    if not -(2**63) <= cell < 2**63 or (isinstance(cell, float) and cell == -(2**63)):
        raise Refused(f"{shown(cell)} does not fit a 64-bit integer")
    return int(cell)


def _boolean(cell: Any) -> bool:
    if not isinstance(cell, bool):
        raise Refused(f"expected true or false, got {shown(cell)}")
    return cell


def _text(cell: Any) -> str:
    if not isinstance(cell, str):
        raise Refused(f"expected a string, got {shown(cell)}")
    try:
        cell.encode()
    except UnicodeEncodeError:
        raise Refused("the string has a lone surrogate, which is not Unicode text") from None
    if cell == MISSING_TEXT:
        raise Refused("the string is the one that stands for a missing value here; send null")
    return cell


def _utf8(encoded: Encoded) -> str:
    try:
        return base64.b64decode(encoded).decode()
    except UnicodeDecodeError:
        raise Refused(f"'b64': expected base64 of UTF-8 text, got {shown(str(encoded))}") from None


READ: Mapping[str, Callable[[Any], Any]] = {
    "float64": _number,
    "float32": _number,
    "int64": _integer,
    "bool": _boolean,
    "string": _text,
}


def _check_value(column: Column, value: Any) -> None:
    if value is MISSING:
        if not column.nullable:
            raise Refused("missing value, and the model does not take one here")
        return
    if isinstance(value, str) and len(value) > column.longest:
        raise Refused(f"the string has {len(value)} characters, and {column.longest} is the most")
    if column.image:
        _check_image(value)
    if column.date and not column.takes(value):
        from onnxlet.function.inputs.dates import expected  # most models have no dates

        form = expected(column.format, column.zone is not None)
        raise Refused(f"expected {form}, got {shown(value)}")
    if column.categories is not None and value not in column.categories:
        some = ", ".join(shown(c) for c in column.categories[:SHOWN_CATEGORIES])
        more = len(column.categories) - SHOWN_CATEGORIES
        rest = f" and {more} more" if more > 0 else ""
        raise Refused(f"{shown(value)} is not one of the known categories: {some}{rest}")
    if isinstance(value, float) and math.isinf(value):
        if not column.infinite:
            raise Refused("infinity, and the model does not take one here")
    elif column.minimum is not None and value < column.minimum:
        raise Refused(f"{shown(value)} does not fit: the minimum is {column.minimum!r}")
    elif column.maximum is not None and value > column.maximum:
        raise Refused(f"{shown(value)} does not fit: the maximum is {column.maximum!r}")


def _check_image(cell: Any) -> None:
    """Refuse what by its beginning is no image, so that it is reported with what else is wrong."""
    from onnxlet.function.inputs import images  # most models have none

    images.plugin_of(images.decoded_bytes(cell))


HELD: Mapping[str, Callable[[Any], Any]] = {  # what a value is in a block, by its dtype
    "float64": lambda value: nan if value is MISSING else float(value),
    "int64": int,
    "bool": bool,
    "string": lambda value: MISSING_TEXT if value is MISSING else value,
}


def _cells(block: Block, values: list[list[Any]]) -> Cells:
    """A block of checked values, which are there column by column."""
    by_row = chain.from_iterable(zip(*values, strict=True))
    found = list(map(HELD[block.dtype], by_row))
    return Cells(found, (len(values[0]), len(values)), block.dtype)


BITS = (8, 16, 32, 64)
INTEGERS = {  # the least and the greatest of each
    **{f"INT{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in BITS},
    **{f"UINT{bits}": (0, 2**bits - 1) for bits in BITS},
}
FLOATS = {"FP16": "float16", "FP32": "float32"}


def declared(cell: Any, datatype: str) -> Any:
    """A value as the declared datatype holds it, None for a missing one, Refused for others."""
    if _is_missing(cell):
        return None
    try:
        return _declared(cell, datatype)
    except Refused as refused:
        return refused.with_traceback(None)  # whose frames would be kept for each cell


def _declared(cell: Any, datatype: str) -> Any:
    if datatype in FLOATS:
        value = READ["float64"](cell)
        with np.errstate(over="ignore"):
            rounded = float(np.dtype(FLOATS[datatype]).type(value))
        if math.isinf(rounded) and not math.isinf(value):
            raise Refused(f"{shown(cell)} does not fit {datatype}")
        return rounded
    if datatype in INTEGERS:
        return _declared_integer(cell, datatype)
    if datatype == "FP64":
        return READ["float64"](cell)
    return READ["bool" if datatype == "BOOL" else "string"](cell)


def _declared_integer(cell: Any, datatype: str) -> int:
    least, most = INTEGERS[datatype]
    if type(cell) is not int:
        READ["int64"](cell)  # refuses a float in the column's own words
    if not least <= cell <= most:
        raise Refused(f"{shown(cell)} does not fit {datatype}")
    return int(cell)


def shown(value: Any) -> str:
    """A value in a message: short, as JSON would have it."""
    if is_there() and isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return "a list"  # or large_json's classes for one
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"
