"""How the first records of a CSV file are laid out: what separates fields, what the header is.

Each separator cuts the records in its own way. The one is taken whose records are alike in width
and whose fields are what fields are (numbers, dates, words): the measure is that of van den Burg,
Nazábal and Sutton, Wrangling messy CSV files by detecting row and type patterns, 2019.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

from onnxlet.function.inputs.columns import normalized

COMMON = (",", ";", "\t", "|")
RARE = ("^", "~", ":")  # which stand in fields, too: only where no common one separates anything
MOST_RECORDS = 100  # below what stands above the header
COMMENT = "#"
MOSTLY = 0.95  # of a column's fields, for it to be one of numbers
EXCELS = re.compile(r"sep=(.)[ \t;,]*$", re.I)  # a first line that Excel writes and reads
NUMBER = r"[+\-\u2212]?(?:[0-9]{1,3}(?:[.,'\u2019 \u00a0\u202f][0-9]{3})+|[0-9]+)?(?:[.,][0-9]+)?"
NUMBERS = re.compile(rf"[$€£¥₹(]? ?{NUMBER}(?:[eE][+-]?[0-9]+)? ?[%$€£¥₹)]?")
DAY = r"[0-9]{1,4}[-./][0-9]{1,2}[-./][0-9]{1,4}\.?"
TIME = r"[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?"
ZONE = r" ?(?:Z|UTC|[AaPp][Mm]|[+-][0-9]{2}:?[0-9]{2})?"
MOMENT = re.compile(rf"(?:{DAY})?[T ]?(?:{TIME})?{ZONE}")
# A text has separators only before a space, as a sentence has commas.
TEXT = re.compile(r"(?:[^,;\t|]|[,;|](?= ))*")
# Whose point or comma can't part thousands: not three digits behind it, or a zero before it.
POINT = re.compile(
    r"[+-]?(?:[0-9]*\.(?:[0-9]{1,2}|[0-9]{4,})|0?\.[0-9]+|[0-9]{1,3}(?:,[0-9]{3})+\.[0-9]+"
    r"|[0-9]{1,3}(?:,[0-9]{3}){2,})"
)
COMMA = re.compile(
    r"[+-]?(?:[0-9]*,(?:[0-9]{1,2}|[0-9]{4,})|0?,[0-9]+|[0-9]{1,3}(?:\.[0-9]{3})+,[0-9]+"
    r"|[0-9]{1,3}(?:\.[0-9]{3}){2,})"
)
EITHER = re.compile(r"[+-]?[1-9][0-9]{0,2}(?:\.[0-9]{3}|,[0-9]{3})")


@dataclass(frozen=True)
class Quoting:
    """How fields stand in quotes, as Python's reader takes it."""

    doubled: bool = True  # a quote in a field is written twice; else behind a backslash
    spaced: bool = False  # a space between a separator and a field's quote

    def for_reader(self) -> dict[str, Any]:
        """The arguments of `csv.reader`."""
        return {
            "doublequote": self.doubled,
            "escapechar": None if self.doubled else "\\",
            "skipinitialspace": self.spaced,
        }


@dataclass(frozen=True)
class Layout:
    """What the first records have in common."""

    separator: str
    quoting: Quoting
    skip: int  # lines above the header
    names: tuple[str, ...]  # in the header, normalised
    rows: tuple[tuple[str, ...], ...]  # some of those below it
    as_named: bool = True  # the names stand there without spaces around them, and in NFC
    trailing: bool = False  # each row ends with one separator more than the header has names
    first_unnamed: bool = False  # each row has a field more than the header, the first of them


PLAIN = Layout(",", Quoting(), 0, (), ())  # but for what it holds


class Record(tuple[str, ...]):
    """The fields of a record; `lines` have been read once it ends."""

    lines: int


def layout_of(text: str, more: bool) -> Layout:
    """The layout of a file's beginning; with `more` the file goes on, perhaps within a record."""
    first, _, rest = text.partition("\n")
    excels = EXCELS.match(first.strip("\r"))
    if excels and rest.strip():
        quoting = _quotings(rest)[-1]
        found = Layout(excels[1], quoting, 1, (), ())
        return _with_header(found, _records(rest, excels[1], quoting, more))
    cut = [_best_cut(text, quoting, more) for quoting in _quotings(text)]
    found, records, _ = max(cut, key=lambda each: each[2])  # of equals the first
    return _with_header(found, records)


def _best_cut(text: str, quoting: Quoting, more: bool) -> tuple[Layout, list[Record], float]:
    """By the separator that cuts best: the layout, the records, and their score."""
    best, records = ",", _records(text, ",", quoting, more)
    score = _score(records, ",")
    for separators in (COMMON[1:], RARE, (" ",)):
        for separator in separators:
            other = _records(text, separator, quoting, more)
            if separator == " " and not _are_alike(other):
                continue
            if (reached := _score(other, separator)) > score:
                best, records, score = separator, other, reached
        if _width(records) > 1:
            break
    return Layout(best, quoting, 0, (), ()), records, score


def _quotings(text: str) -> list[Quoting]:
    """The ways in which quotes may stand in fields; R writes a backslash before one, for example.

    A path may end with a backslash, too: which way it is, the records show.
    """
    spaced = bool(re.search(r'[,;|] "(?!")', text)) and not re.search(r'[,;|]"', text)
    escaped = re.search(r'[^",;\t|\r\n]\\"|"\\"', text)
    return [Quoting(doubled, spaced) for doubled in ([False, True] if escaped else [True])]


def _records(text: str, separator: str, quoting: Quoting, more: bool) -> list[Record]:
    """The first records that hold something."""
    found = list[Record]()
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, **quoting.for_reader())
    full = False
    try:
        for row in reader:
            if any(map(str.strip, row)):
                found.append(record := Record(row))
                record.lines = reader.line_num
            if full := len(found) > MOST_RECORDS:
                break
    except csv.Error:  # such as a field that has no end
        return found
    return found[:-1] if more and not full and len(found) > 1 else found


def _width(records: Sequence[Record]) -> int:
    """Of most records; the greatest of those that are as frequent."""
    counts = Counter(map(len, records))
    return max(counts, key=lambda width: (counts[width], width), default=0)


def _score(records: Sequence[Record], separator: str) -> float:
    """How much records look as if this separates their fields, 0 to 1."""
    below = [record for record in records if not record[0].lstrip().startswith(COMMENT)] or records
    counts = Counter(map(len, below))
    total = max(len(below), 1)
    pattern = sum(count / total * max(width - 1, 1e-3) / width for width, count in counts.items())
    fields = [field.strip() for record in below for field in record]
    typed = sum(_is_typed(field, separator) for field in fields) / max(len(fields), 1)
    return pattern / max(len(counts), 1) * typed


def _is_typed(field: str, separator: str) -> bool:
    if separator in field or NUMBERS.fullmatch(field) or MOMENT.fullmatch(field):
        return True  # with the separator in it, it stood in quotes
    return TEXT.fullmatch(field) is not None


def _are_alike(records: Sequence[Record]) -> bool:
    """Spaces stand between words, too: they separate only where each record has as many."""
    width = _width(records)
    first = len(records[0]) if records else 0
    below = {len(record) for record in records[1:]}
    return width > 2 and below == {width} and first in (width, width - 1)


def _with_header(layout: Layout, records: Sequence[Record]) -> Layout:
    """The layout with its header: the first record as wide as most, or names one narrower above."""
    if not records:
        return layout
    at = _header_at(records)
    names, rows = tuple(map(normalized, records[at])), _below(records, at)
    within = sum(len(re.findall("\r\n?|\n", field)) for field in records[at])  # the header
    longer = bool(rows) and all(len(row) == len(names) + 1 for row in rows)
    trailing = longer and not any(row[-1].strip() for row in rows)
    return replace(
        layout,
        skip=layout.skip + (records[at].lines - 1 - within) * bool(at or layout.skip),
        names=names,
        as_named=names == tuple(records[at]),
        rows=rows,
        trailing=trailing,
        first_unnamed=longer and not trailing,
    )


def _header_at(records: Sequence[Record]) -> int:
    width = _width(records)
    if width == 1:  # whatever stands above looks the same, but for comments
        return next((n for n, r in enumerate(records) if not r[0].startswith(COMMENT)), 0)
    at = next(n for n, record in enumerate(records) if len(record) == width)
    at = _below_titles(records, at)
    above: Sequence[str] = records[at - 1] if at else ()
    # R writes no name for the names of rows; a title stands above names.
    if len(above) != width - 1 or above[0].startswith(COMMENT):
        return at
    return at if _is_header(records[at], _below(records, at)) else at - 1


def _below_titles(records: Sequence[Record], at: int) -> int:
    """Where names are below records whose first field is the only one, as spreadsheets save titles.

    `at` itself where it is no title, or no names are below.
    """
    below = at
    while below < len(records) - 1 and not any(map(str.strip, records[below][1:])):
        below += 1
    names = [field for field in records[below] if field.strip()]
    return below if len(names) > 1 and not any(map(is_value, names)) else at


def _below(records: Sequence[Record], at: int) -> tuple[tuple[str, ...], ...]:
    """The records below a header, without it where it comes again."""
    return tuple(tuple(record) for record in records[at + 1 :] if record != records[at])


def _is_header(names: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether some column has numbers or dates below a name that is none."""
    return any(
        name.strip() and not is_value(name) and cells and all(map(is_value, cells))
        for name, cells in columns_of(names, rows)
    )


def columns_of(
    names: Sequence[str], rows: Sequence[Sequence[str]]
) -> Iterator[tuple[str, list[str]]]:
    """Each name with what stands below it."""
    for at, name in enumerate(names):
        cells = (row[at].strip() for row in rows if at < len(row))
        yield name, [cell for cell in cells if cell]


def is_value(field: str) -> bool:
    """It is a number or a date."""
    field = field.strip()
    return bool(NUMBERS.fullmatch(field) or MOMENT.fullmatch(field)) and any(
        map(str.isdigit, field)
    )


def decimal_of(layout: Layout) -> str:
    """What stands before decimals in a file's columns of numbers; see `decimal_in`."""
    found = set[str]()
    for column in zip_longest(*layout.rows, fillvalue=""):
        fields = [field.strip() for field in column if any(map(str.isdigit, field))]  # no gaps
        numbers = sum(map(bool, map(NUMBERS.fullmatch, fields)))
        if numbers < MOSTLY * len(fields):
            continue
        # A few texts may have signs and brackets, too: (5,5) among streets is no number.
        are_all = numbers >= MOSTLY * sum(any(map(str.isalnum, field)) for field in column)
        found.update(decimal_in(fields) if are_all else _decimal_in_plain(fields))
    return "".join(sorted(found))


def decimal_in(fields: Sequence[str]) -> str:
    """What stands before decimals: "." or ","; both where numbers differ, "" where none says.

    A number whose point or comma could part thousands, as in 1.335, says nothing.
    """
    return _decimal_in_plain([field.strip("()%$€£¥₹ \u00a0\u202f") for field in fields])


def _decimal_in_plain(fields: Sequence[str]) -> str:
    found = {"." for field in fields if POINT.fullmatch(field)}
    return "".join(sorted(found | {"," for field in fields if COMMA.fullmatch(field)}))
