"""Lines of CSV: a body's (a large one in parts), and those of files whose rows are limited."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from threading import Lock
from typing import Any

from onnxlet.function import deadline
from onnxlet.function.arrays import Array
from onnxlet.function.errors import MalformedRequest, RequestTooLarge
from onnxlet.function.inputs.json_body import LARGE_BODY
from onnxlet.function.inputs.parts import FIELDS_AT_ONCE, Parts
from onnxlet.function.numpy_later import np

QUOTES = (
    "Does each row end by a line end, and is each quote closed? Double a quote in a field: "
    '"like, ""this""".'
)


class _FieldLimit:
    """Python's limit of a field, which is one for all threads."""

    lock, users, before = Lock(), 0, 0


@contextmanager
def any_size() -> Iterator[None]:
    """Have Python's reader take fields of any size, as others do: rows are limited here."""
    with _FieldLimit.lock:
        if not _FieldLimit.users:
            _FieldLimit.before = csv.field_size_limit(sys.maxsize)
        _FieldLimit.users += 1
    try:
        yield
    finally:
        with _FieldLimit.lock:
            _FieldLimit.users -= 1
            if not _FieldLimit.users:
                csv.field_size_limit(_FieldLimit.before)


def limited_rows(
    lines: Iterable[str], most: int, too_long: Callable[[int], Exception], **form: Any
) -> Iterator[tuple[int, list[str]]]:
    """Python's rows of CSV, each with the number of its last line, from 1.

    Of lines, none of which is longer than a row may be. A row of more than `most` characters
    raises what `too_long` makes of the number of the line that it begins in. `form` is as
    `csv.reader` takes it.
    """
    begun = size = 0

    def counted() -> Iterator[str]:
        nonlocal size
        for line in lines:
            size += len(line)
            if size > most:
                raise too_long(begun + 1)
            yield line

    reader = csv.reader(counted(), **form)
    with any_size():
        for row in reader:
            yield reader.line_num, row
            begun, size = reader.line_num, 0


CheckRows = Callable[[int, bool], None]
MOST_FIELDS = 2**17  # in one line
MOST_LINES = 2**20  # that are no rows: blank ones, and further ones of a field in quotes
TOO_MANY_FIELDS = f"a line of the CSV has more than {MOST_FIELDS} fields"
TOO_MANY_LINES = f"more than {MOST_LINES} lines of the CSV are no rows"
BETWEEN_CHECKS = 2**14  # lines between two checks of the deadline
SLICE = 2**18  # bytes that are scanned together


class Lines(Parts):
    """The fields of every line of a large body of CSV, which was read once, read at each iteration.

    They are so many, rows and the header. In plain ones no field stands in quotes, and a blank line
    is none. `below` leaves the first one out, which is a header.
    """

    def __init__(
        self, body: bytes, size: int, first: list[str], plain: bool, below: bool = False
    ) -> None:
        super().__init__(size - below, partial(_parts, body, plain, int(below)))
        self._body = body
        self._plain = plain
        self.first = first

    def rows(self) -> Lines:
        """The lines below the first one, which is a header."""
        return Lines(self._body, len(self), self.first, self._plain, below=True)


def _parts(
    body: bytes, plain: bool, start: int
) -> Iterator[tuple[Sequence[Any], Mapping[int, str]]]:
    """Some lines at a time, from one of the first part on; none of them has faults."""
    for some in (_plain_lines if plain else _quoted_lines)(body):
        if len(some) > start:
            yield some[start:], {}
        start = 0


def lines(body: bytes, check_rows: CheckRows) -> Sequence[list[str]]:
    """The fields of every line that is a row, and of the first one, of a body in UTF-8.

    `check_rows` refuses a batch by the number of its rows, before the others are looked at.
    MalformedRequest is raised where it is not UTF-8, not CSV, or without a first line;
    RequestTooLarge where there are too many rows, or too many fields in one.
    """
    large = len(body) > LARGE_BODY
    if large and b'"' not in body and len(first := next(_lines(body), [])) > 1:
        size = _count(body)
        check_rows(size - 1, False)
        return Lines(body, size, first, plain=True)
    kept, size = list[list[str]](), 0
    for size, line in enumerate(_lines(body)):
        check_rows(size, False)
        if not large or not size:
            kept.append(line)
    if not kept or not kept[0]:
        raise MalformedRequest("the CSV has no header", "Its first line names the columns.")
    return Lines(body, size + 1, kept[0], plain=False) if large else kept


def first_of(lines: Sequence[list[str]]) -> list[str]:
    """The first line; there is always one."""
    return lines.first if isinstance(lines, Lines) else lines[0]


def _count(body: bytes) -> int:
    """The number of lines that are not blank, where no field has a line break in it."""
    count, before = 0, True
    for start in deadline.checked(range(0, len(body), SLICE)):
        array: Array = np.frombuffer(body, np.uint8, min(SLICE, len(body) - start), start)
        ends = (array == ord("\n")) | (array == ord("\r"))
        count += int(np.count_nonzero(ends[:-1] & ~ends[1:])) + int(before and not ends[0])
        before = bool(ends[-1])
    return count


def _lines(body: bytes) -> Iterator[list[str]]:
    """Lines one after another, without blank ones.

    Where a row has one field, a blank line is a row whose value is missing.
    """
    fields = rows = 0

    def texts() -> Iterator[str]:
        nonlocal fields
        text_lines = io.TextIOWrapper(io.BytesIO(body), "utf-8-sig", newline="")
        for number, text in enumerate(text_lines):
            if not number % BETWEEN_CHECKS:
                deadline.check()
            if number - rows > MOST_LINES:
                raise RequestTooLarge(TOO_MANY_LINES)
            fields += text.count(",")
            if fields > MOST_FIELDS:
                raise RequestTooLarge(TOO_MANY_FIELDS)
            yield text

    width = None
    with _refusing(body):
        for line in csv.reader(texts(), strict=True):
            fields = 0
            if width is None:
                width = len(line)
                yield line
            elif line or width == 1:
                rows += 1
                yield line or [""]


def _quoted_lines(body: bytes) -> Iterator[list[list[str]]]:
    """The same, some at once."""
    some: list[list[str]] = []
    fields = 0
    for line in _lines(body):
        some.append(line)
        fields += len(line)
        if fields > FIELDS_AT_ONCE:
            yield some
            some, fields = [], 0
    if some:
        yield some


def _plain_lines(body: bytes) -> Iterator[list[list[str]]]:
    """The lines of a body without quotes, many at once, in half the time; without blank ones."""
    text = io.TextIOWrapper(io.BytesIO(body), "utf-8-sig", newline="")
    spare = 0
    with _refusing(body):
        while some := text.readlines(SLICE):
            deadline.check()
            if max(some, key=len).count(",") > MOST_FIELDS:
                raise RequestTooLarge(TOO_MANY_FIELDS)
            found = [line for line in csv.reader(some, strict=True) if line]
            spare += len(some) - len(found)
            if spare > MOST_LINES:
                raise RequestTooLarge(TOO_MANY_LINES)
            yield found


@contextmanager
def _refusing(body: bytes) -> Iterator[None]:
    """Raise Python's complaints about a body that is no CSV as MalformedRequest."""
    try:
        yield
    except UnicodeDecodeError:
        byte = _not_utf8(body)
        number = body.count(b"\n", 0, byte) + 1
        raise MalformedRequest(
            f"byte {byte} of the CSV, in line {number}, is not UTF-8",
            "Send it encoded as UTF-8: df.to_csv(index=False).encode().",
        ) from None
    except csv.Error as error:
        raise MalformedRequest(f"the body is not CSV: {error}") from error


def _not_utf8(body: bytes) -> int:
    try:
        body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return error.start
    return len(body)  # it ends within a character
