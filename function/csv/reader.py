"""Python's reader of CSV with limits that are ours: of a row instead of a field."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

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
