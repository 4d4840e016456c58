"""CSV bodies: a header, then rows; the cells stay text until a column's type is known."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from function.errors import InvalidRows, MalformedRequest, Problem
from function.signature import Column

NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*", re.ASCII)
WHOLE = re.compile(r"\s*[-+]?\d{1,300}\s*", re.ASCII)
NAMED_NUMBERS = {"nan": "nan", "inf": "inf", "+inf": "inf", "-inf": "-inf", "infinity": "inf"}


def read(body: bytes) -> tuple[list[dict[str, str]], dict[int, str]]:
    """Rows by column name, and the rows whose number of fields is wrong.

    Raises:
        MalformedRequest: not UTF-8, not CSV, or without a header.
        InvalidRows: the header names a column twice.
    """
    try:
        lines = list(csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True))
    except UnicodeDecodeError as error:
        raise MalformedRequest(f"byte {error.start} of the CSV is not UTF-8") from error
    except csv.Error as error:
        raise MalformedRequest(f"the body is not CSV: {error}") from error
    if not lines or not lines[0]:
        raise MalformedRequest("the CSV has no header", "Its first line names the columns.")
    header = lines[0]
    twice = [name for name, count in Counter(header).items() if count > 1]
    if twice:
        raise InvalidRows([Problem(None, name, "stands twice in the header") for name in twice])
    # A blank line is no row, except where a row has one field: there it is a missing value.
    rows = [line or [""] for line in lines[1:] if line or len(header) == 1]
    faults = {
        number: f"expected {len(header)} fields, got {len(row)}"
        for number, row in enumerate(rows)
        if len(row) != len(header)
    }
    return [dict(zip(header, row, strict=False)) for row in rows], faults


def typed(rows: Sequence[Mapping[str, str]], columns: Sequence[Column]) -> list[dict[str, Any]]:
    """Cells by their column's type; what can't be read as that stays text, to be refused."""
    readers = {column.name: READ[column.type] for column in columns}
    return [
        {name: _cell(text, readers.get(name, str)) for name, text in row.items()} for row in rows
    ]


def _cell(text: str, reader: Callable[[str], Any]) -> Any:
    return None if text == "" else reader(text)


def _number(text: str) -> Any:
    if WHOLE.fullmatch(text):
        return int(text)
    if NUMBER.fullmatch(text):
        return float(text)
    named = NAMED_NUMBERS.get(text.strip().lower())
    return text if named is None else float(named)


def _boolean(text: str) -> Any:
    return {"true": True, "false": False}.get(text.strip().lower(), text)


READ: Mapping[str, Callable[[str], Any]] = {
    "float64": _number,
    "float32": _number,
    "int64": _number,
    "bool": _boolean,
    "string": str,
}
