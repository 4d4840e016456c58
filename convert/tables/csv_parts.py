"""Parts of a CSV file: cut at line ends that stand in no quotes, and read as columns of text.

Rows are those that a request's body of the same lines has.
"""

from __future__ import annotations

import codecs
import csv
import io
from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any, NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv

from onnxlet.convert.tables.limits import LIMITS, Limits
from onnxlet.convert.tables.units import bare, is_gap, named, parted
from onnxlet.function.arrays import Array
from onnxlet.function.csv.lines import QUOTES, any_size, limited_rows
from onnxlet.function.csv.text import READ, is_number
from onnxlet.function.errors import MalformedRequest

PART_BYTES = 1 << 24
BLOCK_BYTES = 1 << 22
QUOTE, COMMA, RETURN, LINE = b'",\r\n'
ROWS_AT_ONCE = 100_000  # a list and its texts take ten times what they are in a table


class Cut(NamedTuple):
    """Some whole rows of a file."""

    start: int  # the first byte
    end: int  # behind the last one
    line: int  # the number of the first one's line, from 1, as editors count


class Uneven(Exception):
    """Quotes stand where they open or close no field: only Python's reader knows the rows."""


def header_of(file: IO[bytes], limits: Limits = LIMITS) -> tuple[list[str], Cut]:
    """The names in the first line that is not blank, and where it stands; empty if none does.

    Raises MalformedRequest where it is not UTF-8, not CSV, or longer than it may be.
    """
    for row, cut in _exact_rows(file, 0, 1, limits.header, skip_blank=True):
        names = [row[0].removeprefix("\ufeff"), *row[1:]]
        return names, cut
    return [], Cut(0, 0, 1)


def cuts(
    open_file: Any, below: Cut, most: int = PART_BYTES, limits: Limits = LIMITS
) -> Iterator[Cut]:
    """The rows below a header, in parts of about `most` bytes: a little more, and whole rows.

    `open_file` opens the file, unpacked, from its start. MalformedRequest is raised where it is not
    CSV, or a row is longer than it may be.
    """
    try:
        with open_file() as file:
            start = Cut(below.end, below.end, 1 + count_lines(file.read(below.end)))
            found = list(_fast_cuts(file, start, most, limits.row))
    except Uneven:
        with open_file() as file:
            file.read(below.end)  # what is unpacked can't seek
            found = list(_exact_cuts(file, start, most, limits.row))
    yield from found


def count_lines(data: bytes) -> int:
    """Line ends as Python counts them: LF, CR LF, and CR by itself."""
    if b"\r" not in data:
        return data.count(b"\n")
    return data.count(b"\n") + data.count(b"\r") - data.count(b"\r\n")


def _fast_cuts(file: IO[bytes], start: Cut, most: int, longest: int) -> Iterator[Cut]:
    inside, before, begun, at, line = False, b"\n", start.start, start.start, start.line
    lines = 0  # in what has been read since `begun`
    block = file.read(min(BLOCK_BYTES, most))
    while block:
        further = file.read(min(BLOCK_BYTES, most))
        if block.endswith(b"\r") and further.startswith(b"\n"):
            block, further = block + b"\n", further[1:]
        array = np.frombuffer(before + block + (further[:1] or b"\n"), np.uint8)
        quotes = np.flatnonzero(array[1:-1] == QUOTE)
        check_quotes(array, quotes, inside)
        if at + len(block) - begun >= most and (end := _last_end(array[1:-1], quotes, inside)):
            yield Cut(begun, at + end, line)
            line += lines + count_lines(block[:end])
            begun, lines = at + end, count_lines(block[end:])
        else:
            lines += count_lines(block)
            if at + len(block) - begun > min(8 * most, longest):
                raise Uneven  # no LF in sight: CR may end its lines, or the row is too long
        inside ^= bool(len(quotes) % 2)
        at += len(block)
        before, block = block[-1:], further
    if inside:
        raise Uneven  # the last field is never closed
    if at > begun:
        yield Cut(begun, at, line)


def check_quotes(array: Array, quotes: Array, inside: bool) -> None:
    """Raise Uneven where a quote neither opens nor closes a field, nor is one of two in a field.

    Else a row's end is a line end behind an even number of quotes. `array` has the bytes with one
    more on each side, `quotes` are positions in what is between these two, where a field is open or
    not at first.
    """
    if not len(quotes):
        return
    opens, closes = quotes[int(inside) :: 2], quotes[1 - int(inside) :: 2]
    ends = (QUOTE, COMMA, RETURN, LINE)
    if not (np.isin(array[opens], ends).all() and np.isin(array[closes + 2], ends).all()):
        raise Uneven


def _last_end(block: Array, quotes: Array, inside: bool) -> int:
    """Behind the last LF that stands in no quotes; 0 where there is none."""
    ends = np.flatnonzero(block == LINE)
    outside = (np.searchsorted(quotes, ends) + int(inside)) % 2 == 0
    found = ends[outside]
    return int(found[-1]) + 1 if len(found) else 0


def _exact_cuts(file: IO[bytes], start: Cut, most: int, longest: int) -> Iterator[Cut]:
    begun = end = start.start
    line = start.line
    for _, cut in _exact_rows(file, start.start, start.line, longest):
        if end - begun >= most:
            yield Cut(begun, end, line)
            begun, line = cut.start, cut.line
        end = cut.end
    if end > begun:
        yield Cut(begun, end, line)


def _exact_rows(
    file: IO[bytes], at: int, line: int, most: int, skip_blank: bool = False
) -> Iterator[tuple[list[str], Cut]]:
    """Rows as Python's reader finds them, blank lines among them; none is longer than `most`."""
    read, before = at, line - 1

    def too_long(number: int) -> Exception:
        return MalformedRequest(
            f"line {line + number - 1}: expected rows of at most {most:,} bytes, got a longer",
            QUOTES,
        )

    def texts() -> Iterator[str]:
        nonlocal read
        lines = io.TextIOWrapper(file, "utf-8", newline="")
        while text := lines.readline(most + 1):
            read += len(text.encode())
            yield text

    number = 0
    try:
        for number, row in limited_rows(texts(), most, too_long, strict=True):
            if row or not skip_blank:
                yield row, Cut(at, read, before + 1)
            elif read > most:
                raise too_long(number)
            at, before = read, line - 1 + number
    except UnicodeDecodeError as error:
        raise MalformedRequest(
            f"below line {line + number - 1} it is not UTF-8",
            "pandas.read_csv(FILE, encoding='…').to_csv('rows.csv', index=False) writes it so.",
        ) from error
    except csv.Error as error:
        raise MalformedRequest(f"line {before + 1}: it is not CSV: {error}") from error


class TextRows(NamedTuple):
    """Rows of a part."""

    table: Any  # of texts, a column for each name in the header; null in rows with faults
    faults: Mapping[int, str]  # rows whose number of fields is wrong, and what it is


def rows_of(data: bytes, names: Sequence[str]) -> TextRows:
    """The rows of whole lines without a header, by PyArrow, or where it is odd by Python.

    Raises MalformedRequest where they are not UTF-8, or not CSV.
    """
    try:
        return TextRows(_fast(data, names), {})
    except (Uneven, pa.ArrowInvalid):
        return _exact(data, names)


def line_numbers(data: bytes, line: int, width: int) -> Sequence[int]:
    """The number of each row's first line, where the data begin in a line of that number."""
    return array("q", (line + before for before, _ in _rows(data, width)))


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


def _exact(data: bytes, names: Sequence[str]) -> TextRows:
    found, rows, faults = list[Any](), list[list[Any]](), dict[int, str]()
    try:
        for number, (_, row) in enumerate(_rows(data, len(names))):
            rows.append(row)
            if len(row) != len(names):
                plural = "s" * (len(names) != 1)
                faults[number] = f"expected {len(names)} field{plural}, got {len(row)}"
                rows[-1] = [None] * len(names)
            if len(rows) == ROWS_AT_ONCE:
                found.append(_table(rows, names))
                rows = []
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        raise MalformedRequest(f"line {number} is not UTF-8", "Save it in UTF-8.") from error
    return TextRows(pa.concat_tables([*found, _table(rows, names)]).combine_chunks(), faults)


def _rows(data: bytes, width: int) -> Iterator[tuple[int, list[str]]]:
    """How many lines are before each row, and its fields; an empty line is a row of one column."""
    reader, before = csv.reader(io.StringIO(data.decode(), newline=""), strict=True), 0
    try:
        with any_size():
            for row in reader:
                if row or width == 1:
                    yield before, row or [""]
                before = reader.line_num
    except csv.Error as error:
        raise MalformedRequest(f"line {before + 1}: it is not CSV: {error}") from error


def _table(rows: Sequence[list[Any]], names: Sequence[str]) -> Any:
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    return pa.table([pa.array(c, pa.string()) for c in columns], names=list(names))


class Written(NamedTuple):
    """How the numbers of a column are written, where it is not as in plain CSV."""

    column: str
    decimal: str  # what stands before decimals: "." or ","
    unit: str = ""  # that may stand beside them


def with_plain_numbers(rows: Any, columns: Sequence[Written]) -> tuple[Any, dict[int, str]]:
    """A record batch whose texts in some columns are numbers as plain CSV has them.

    What stands for no number is missing, and what is none stays as it is; with each row that holds
    one only by the other way to write decimals comes why it is wrong.
    """
    faults = dict[int, str]()
    for name, decimal, unit in columns:
        if (at := rows.schema.get_field_index(name)) < 0:
            continue
        texts = rows.column(at).to_pylist()
        read: dict[Any, Any] = {text: text and _number(text, decimal, unit) for text in set(texts)}
        wrong = {text for text, number in read.items() if number is text and text}
        wrong = {text for text in wrong if is_number(bare(text, unit))}
        for row, text in enumerate(texts if wrong else ()):
            if text in wrong:
                faults[row] = f"column '{name}': expected '{decimal}' before decimals, got '{text}'"
        plain = (n if n is None or isinstance(n, str) else repr(n) for n in map(read.get, texts))
        rows = rows.set_column(at, name, pa.array(plain, pa.string()))
    return rows, faults


def _number(text: str, decimal: str, unit: str) -> Any:
    """The number that a text is, None where it says that there is none; else the text."""
    if is_gap(text):
        return None
    cell = parted(text)
    if cell is not None and cell.unit not in ("", named(unit)):
        return text
    number = text if cell is None else cell.number
    found = READ[decimal](number)
    return text if found is number else found
