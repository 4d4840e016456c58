"""Rows of CSV as columns of text, as a request's body is read."""

from __future__ import annotations

import codecs
import csv
import io
from array import array
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv

from onnxlet.convert.score.csv_cuts import QUOTE, Uneven, check_quotes
from onnxlet.function.csv.reader import any_size
from onnxlet.function.errors import MalformedRequest

ROWS_AT_ONCE = 100_000  # a list and its texts take ten times what they are in a table


class Rows(NamedTuple):
    """Rows of a part.

    Attributes:
        table: of texts, a column for each name in the header; null in rows with faults.
        faults: rows whose number of fields is wrong, and what it is.
    """

    table: Any
    faults: Mapping[int, str]


def rows_of(data: bytes, names: Sequence[str]) -> Rows:
    """The rows of whole lines without a header, by PyArrow, or where it is odd by Python.

    Raises:
        MalformedRequest: not UTF-8, or not CSV.
    """
    try:
        return Rows(_fast(data, names), {})
    except (Uneven, pa.ArrowInvalid):
        return _exact(data, names)


def line_numbers(data: bytes, line: int, width: int) -> Sequence[int]:
    """The number of each row's first line, where the data begin in a line of that number."""
    reader, numbers, before = _reader(data), array("q"), 0
    with any_size():
        for row in reader:
            if row or width == 1:
                numbers.append(line + before)
            before = reader.line_num
    return numbers


def _fast(data: bytes, names: Sequence[str]) -> Any:
    if b'"' in data:
        every = np.frombuffer(b"\n" + data + b"\n", np.uint8)
        quotes = np.flatnonzero(every[1:-1] == QUOTE)
        check_quotes(every, quotes, inside=False)
        if len(quotes) % 2:
            raise Uneven
    if not data.strip(b"\r\n") and len(names) > 1:
        return pa.table([pa.array([], pa.string())] * len(names), list(names))
    if data.startswith(codecs.BOM_UTF8):
        raise Uneven  # Arrow drops it, as if a file began here
    text = pa.string()
    numbers = [str(number) for number in range(len(names))]  # names may be anything
    table = arrow_csv.read_csv(
        pa.BufferReader(data),
        read_options=arrow_csv.ReadOptions(
            column_names=numbers, use_threads=False, block_size=len(data) + 1
        ),
        parse_options=arrow_csv.ParseOptions(
            newlines_in_values=True, ignore_empty_lines=len(names) > 1
        ),
        convert_options=arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(numbers, text), strings_can_be_null=False
        ),
    )
    return table.rename_columns(list(names))


def _exact(data: bytes, names: Sequence[str]) -> Rows:
    rows, faults, width = list[list[Any]](), dict[int, str](), len(names)
    before = count = 0
    found = list[Any]()
    try:
        reader = _reader(data)
        with any_size():
            for row in reader:
                if not row and width == 1:
                    row = [""]
                if row and len(row) != width:
                    faults[count] = f"expected {width} fields, got {len(row)}"
                    row = [None] * width
                if row:
                    rows.append(row)
                    count += 1
                if len(rows) == ROWS_AT_ONCE:
                    found.append(_table(rows, names))
                    rows = []
                before = reader.line_num
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        raise MalformedRequest(f"line {number} is not UTF-8", "Save it in UTF-8.") from error
    except csv.Error as error:
        raise MalformedRequest(f"line {before + 1}: it is not CSV: {error}") from error
    return Rows(pa.concat_tables([*found, _table(rows, names)]).combine_chunks(), faults)


def _table(rows: Sequence[list[Any]], names: Sequence[str]) -> Any:
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    return pa.table([pa.array(c, pa.string()) for c in columns], names=list(names))


def _reader(data: bytes) -> Any:
    return csv.reader(io.StringIO(data.decode(), newline=""), strict=True)
