"""Rows of an object, CSV or JSON Lines, in batches: each is a request as HTTP would bring it."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain
from typing import Any, BinaryIO, NamedTuple, cast

from onnxlet.function import deadline, json_text
from onnxlet.function.csv import text as csv_text
from onnxlet.function.csv.form import CsvForm, form_of
from onnxlet.function.csv.lines import MOST_FIELDS, TOO_MANY_FIELDS
from onnxlet.function.errors import (
    InvalidRows,
    MalformedRequest,
    Problem,
    RequestTooLarge,
    WrongUse,
)
from onnxlet.function.inputs.cell_validation import Guesses
from onnxlet.function.inputs.columns import NUMERIC
from onnxlet.function.inputs.parts import FIELDS_AT_ONCE, Faults, Parts
from onnxlet.function.inputs.signature import Signature
from onnxlet.function.messages import PredictRequest, Request
from onnxlet.function.protocols import native
from onnxlet.function.protocols.shared import forms

CSV, JSON_LINES = "text/csv", "application/x-ndjson"
SUFFIXES = {".csv": CSV, ".jsonl": JSON_LINES, ".ndjson": JSON_LINES}
NULLS = {"on_error": "null"}
FORM = "Save it as CSV in UTF-8, with a point before decimals."
LOOKED_AT = 2**20  # bytes that say how a file is written
SLICE = 2**17  # bytes that are unpacked together
GZIPPED = b"\x1f\x8b"  # how gzip begins, and neither CSV nor JSON in UTF-8


class Limits(NamedTuple):
    """How large a batch may be: as a request of HTTP's."""

    rows: int  # at most
    size: int  # characters from which on it ends, although it has fewer rows


class ObjectBatch(NamedTuple):
    """Some rows of an object."""

    first: int  # the index of the first one in the object, from 0
    rows: int  # how many there are
    decode: Callable[[], PredictRequest]  # reads them
    # Gives, once they are read, the values that go along with each row's answer.
    kept: Callable[[], Sequence[Sequence[Any]]]


Read = Callable[[BinaryIO, Signature, Sequence[str], Limits], Iterator[ObjectBatch]]


@contextmanager
def unpacked(stream: io.BufferedReader) -> Iterator[BinaryIO]:
    """The bytes of an object, gzip undone where it is that, whatever its name.

    Within the block MalformedRequest is raised where gzip is broken, or ends too early.
    """
    if not stream.peek(len(GZIPPED)).startswith(GZIPPED):
        yield stream
        return
    try:
        with gzip.GzipFile(fileobj=stream) as content:
            # A few bytes may unpack to gigabytes of blank lines, which make no batch.
            yield _buffered(iter(partial(content.read, SLICE), b""))
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise MalformedRequest(f"the object is not gzip, or not all of it: {error}") from error


def _buffered(blocks: Iterator[bytes]) -> BinaryIO:
    return cast(BinaryIO, io.BufferedReader(deadline.Blocks(blocks), SLICE))


class _FileLimits(NamedTuple):
    """Of a file: a row of it is no longer than a batch."""

    row: int  # characters
    header: int

    def check_columns(self, count: int, place: str) -> None:
        """Raise RequestTooLarge for more of them than a line of a request may have."""
        if count > MOST_FIELDS:
            raise RequestTooLarge(TOO_MANY_FIELDS)

    def too_long(self, where: str) -> RequestTooLarge:
        """What to say of a row."""
        return _too_long(self.row)


def _plain(stream: BinaryIO, limits: Limits) -> tuple[BinaryIO, CsvForm]:
    """A file as plain CSV, and how it is written by its beginning."""
    start = stream.read(LOOKED_AT)
    sample = start if len(start) < LOOKED_AT else start[: start.rfind(b"\n") + 1] or start
    rest = _buffered(chain([start], iter(partial(stream.read, SLICE), b"")))
    most = _FileLimits(limits.size, limits.size)
    form = form_of(lambda: io.BytesIO(sample), "the object", most)
    return cast(BinaryIO, form.plain(lambda: rest, most, "the object")), form


def of_csv(
    stream: BinaryIO, signature: Signature, keep: Sequence[str], limits: Limits
) -> Iterator[ObjectBatch]:
    """Batches of a CSV file with a header. Columns that the model does not know are left out.

    Raises MalformedRequest where it has no header, or is no CSV; InvalidRows where the header lacks
    columns, or names one twice; RequestTooLarge where a line is longer than a batch may be.
    """
    numeric = [column.name for column in signature.columns if column.type in NUMERIC]
    try:
        stream, form = _plain(stream, limits)
        numbers = form.odd_numbers(numeric)
        # What is not UTF-8 stays as it is, for each batch to be refused as a request would be.
        text = io.TextIOWrapper(stream, "utf-8-sig", "surrogateescape", newline="")
        lines = _Lines(text, limits.size)
        reader = csv.reader(lines, strict=True)
        # Below lines that are left out.
        if not (names := next(filter(None, reader), [])):
            raise MalformedRequest("the CSV has no header", "Its first line names the columns.")
        wanted = _wanted(names, signature, keep)
        head, first, rows = lines.take().lstrip("\r\n"), 0, 0
        kept = [names.index(name) for name in keep]
        going: list[list[str]] = []
        for line in reader:
            if not line and len(names) > 1:
                continue
            rows += 1
            if kept:
                going.append([line[at] if at < len(line) else "" for at in kept])
            if rows == limits.rows or lines.size >= limits.size:
                yield _csv_batch(head + lines.take(), first, rows, wanted, going, numbers)
                first, rows, going = first + rows, 0, []
        if rows:
            yield _csv_batch(head + lines.take(), first, rows, wanted, going, numbers)
    except csv.Error as error:
        raise MalformedRequest(f"the object is not CSV: {error}") from error
    except WrongUse as error:  # of a file that is not plain CSV, also as it is read
        raise MalformedRequest(error.message, error.hint or FORM) from error


class _Lines:
    """Lines of a text with their ends, and those that were read since they were last taken.

    A line has at most `most` characters, a row of several twice as many; `size` are those of the
    lines to be taken.
    """

    def __init__(self, text: io.TextIOWrapper, most: int) -> None:
        self._text, self._most = text, most
        self._taken: list[str] = []
        self.size = 0

    def __iter__(self) -> Iterator[str]:
        while line := self._text.readline(self._most + 1):
            self.size += len(line)
            # Lines are taken once they are `most`: what is beyond is one row, of quoted lines.
            if len(line) > self._most or self.size > 2 * self._most:
                raise _too_long(self._most)
            self._taken.append(line)
            yield line

    def take(self) -> str:
        """The lines since the last time, together."""
        together, self._taken, self.size = "".join(self._taken), [], 0
        return together


def _too_long(most: int) -> RequestTooLarge:
    return RequestTooLarge(f"expected rows of at most {most} characters, got a longer one")


def _csv_batch(
    text: str,
    first: int,
    rows: int,
    wanted: Sequence[int] | None,
    kept: Sequence[Sequence[str]],
    numbers: Mapping[str, str],
) -> ObjectBatch:
    body = text.encode("utf-8", "surrogateescape")

    def decode() -> PredictRequest:
        decoded = native.decode(Request(body, CSV, query=NULLS))._replace(numbers=numbers)
        if wanted is None or decoded.names is None:
            return decoded
        width, names = len(decoded.names), [decoded.names[at] for at in wanted]

        def some(rows: Sequence[list[str]]) -> tuple[Sequence[Any], Faults]:
            # A row with another number of fields has a fault already.
            return [[row[at] for at in wanted] if len(row) == width else row for row in rows], {}

        return forms.changed(decoded._replace(names=names), some)

    return ObjectBatch(first, rows, decode, lambda: kept)


def _wanted(names: Sequence[str], signature: Signature, keep: Sequence[str]) -> list[int] | None:
    """The positions of the columns that the model knows; None where these are all there are."""
    names = signature.as_known(names)
    csv_text.check_header(names, signature)
    if list(names) == [signature.whole]:
        return None
    known = [at for at, name in enumerate(names) if name in signature.names]
    guesses = Guesses([name for name in names if name not in signature.names])
    lacking = [
        (column.name, f"missing column{guesses[column.name]}")
        for column in signature.columns
        if column.required and not column.absent and column.name not in names
    ]
    lacking += [(name, "missing column, to be kept") for name in keep if name not in names]
    if lacking:
        raise InvalidRows([Problem(None, *each) for each in lacking])
    return None if len(known) == len(names) else known


def rows_of_lines(
    lines: Sequence[bytes], signature: Signature, keep: Sequence[str]
) -> tuple[Parts, Sequence[Sequence[Any]]]:
    """Rows of JSON Lines without blank ones, parsed at each iteration; and what is kept of each.

    A line that is no JSON is a fault of its row. Members that a signature does not have are left
    out; those of each row that go along with its answer are there once it was read.
    """
    names, step = signature.names, max(1, FIELDS_AT_ONCE // len(signature.columns))
    kept: list[list[Any]] = [[None] * len(keep)] * len(lines)

    def known(row: Any, number: int) -> Any:
        if not isinstance(row, dict):
            return row
        kept[number] = [row.get(name) for name in keep]
        if row.keys() <= names:
            return row
        return {name: value for name, value in row.items() if name in names}

    def read() -> Iterator[tuple[Sequence[Any], Faults]]:
        for start in range(0, len(lines), step):
            rows, faults = list[Any](), dict[int, str]()
            for number, line in enumerate(lines[start : start + step]):
                row = None
                try:
                    row = json_text.loads(line)
                except (MalformedRequest, RequestTooLarge) as error:
                    faults[number] = error.message.replace("the body", "the line")
                rows.append(known(row, start + number))
            yield rows, faults

    return Parts(len(lines), read), kept


def of_json_lines(
    stream: BinaryIO, signature: Signature, keep: Sequence[str], limits: Limits
) -> Iterator[ObjectBatch]:
    """Batches of a file with a row on each line: an object, or a list in signature order.

    Raises RequestTooLarge for a line that is longer than a batch may be.
    """
    first, size = 0, 0
    lines: list[bytes] = []
    while line := stream.readline(limits.size + 1):
        if len(line) > limits.size:
            raise _too_long(limits.size)
        if not line.strip():
            continue
        lines.append(line)
        size += len(line)
        if len(lines) == limits.rows or size >= limits.size:
            yield _json_batch(lines, first, signature, keep)
            first, size, lines = first + len(lines), 0, []
    if lines:
        yield _json_batch(lines, first, signature, keep)


def _json_batch(
    lines: Sequence[bytes], first: int, signature: Signature, keep: Sequence[str]
) -> ObjectBatch:
    rows, kept = rows_of_lines(lines, signature, keep)
    return ObjectBatch(first, len(rows), lambda: PredictRequest(rows, nulls=True), lambda: kept)


READ: Mapping[str, Read] = {CSV: of_csv, JSON_LINES: of_json_lines}
