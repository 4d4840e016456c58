"""What a CSV file is written in: its encoding, what separates its fields, how numbers look."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import IO, Any, Protocol

from onnxlet.function.csv.lines import limited_rows
from onnxlet.function.csv.text import COMMON_SEPARATORS
from onnxlet.function.errors import WrongUse

SEPARATORS = {**COMMON_SEPARATORS, "^": "'^'", "~": "'~'", ":": "':'", " ": "spaces"}
BLOCK = 1 << 20  # bytes that are read together
WINDOWS = "cp1252"
GUESSED = " (Windows' Western letters; is a name wrong, save it in UTF-8)"
DECIMAL_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+(?:[eE][+-]?[0-9]+)?")
DECIMAL_POINT = re.compile(r"[+-]?[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?")
MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
EXCELS = re.compile(r"sep=(.)\s*$")  # a first line that Excel writes and reads
SOME_LINES = 1000  # that are looked at for separators, and for commas in numbers
NO_TABLE = (
    (b"%PDF", "a PDF"), (b"\x89PNG", "an image"), (b"\xff\xd8\xff", "an image"),
    (b"\xd0\xcf\x11\xe0", "a workbook of an old Excel"), (b"SQLite format", "an SQLite database"),
    (b"\x89HDF", "an HDF5 file"), (b"\x80\x04", "a pickle"), (b"\x93NUMPY", "an array of NumPy"),
    (b"ARROW1", "a Feather file"), (b"ORC", "an ORC file"), (b"Obj\x01", "an Avro file"),
)  # fmt: skip
NOT_A_TABLE = "Save it as CSV with a header, or as Parquet."
SAVE_AS_UTF8 = (
    "pandas.read_csv(FILE, encoding='…').to_csv('rows.csv', index=False) writes it in UTF-8."
)


class Limits(Protocol):
    """How much a reader takes, and what it says of more."""

    @property
    def row(self) -> int: ...  # noqa: D102 - bytes
    @property
    def header(self) -> int: ...  # noqa: D102 - characters of all names

    def check_columns(self, count: int, place: str) -> None: ...  # noqa: D102
    def too_long(self, where: str) -> WrongUse: ...  # noqa: D102


@dataclass(frozen=True)
class CsvForm:
    """How a CSV file is written."""

    encoding: str  # as Python calls it
    separator: str  # of fields
    decimal: str  # '.' or ','
    skip: int  # lines before the header
    names: tuple[str, ...]  # in the header, as they stand there
    lines: tuple[str, ...]  # some of those below it
    trailing: bool = False  # each row ends with one separator more than the header
    first_unnamed: bool = False  # each row has a field more than the header, the first of them

    def for_pandas(self) -> dict[str, Any]:
        """The arguments of `pandas.read_csv` for this form."""
        return {
            "sep": self.separator, "encoding": self.encoding, "decimal": self.decimal,
            "skiprows": self.skip,
        }  # fmt: skip

    def said(self) -> str:
        """What it is written in, where that is not UTF-8, commas and points; else ''."""
        said = []
        if self.encoding != "utf-8":
            said.append(f"in {self.encoding}" + GUESSED * (self.encoding == WINDOWS))
        if self.separator != ",":
            said.append(f"separated by {SEPARATORS.get(self.separator, repr(self.separator))}")
        if self.decimal != ".":
            said.append("with decimal commas")
        return ", ".join(said)


def form_of(opened: Callable[[], IO[bytes]], name: str, what: str, limits: Limits) -> CsvForm:
    """How a file is written, by its bytes and its first lines; `opened` opens it, unpacked.

    In messages the file has its name, and `what` it is, such as --data.

    Raises:
        WrongUse: it is no text, or text of no encoding that is known here; or a row or its
            header is longer than it may be.
    """
    place = f"{what}: '{name}'"
    encoding = _encoding(opened, name, what)
    with opened() as file, io.TextIOWrapper(file, encoding, newline=None) as text:
        first, *others = _first_lines(text, place, limits) or [""]
    header, *rows = [first.removeprefix("\ufeff"), *others]
    skip, separator = 0, ""
    if (excels := EXCELS.match(header)) and rows:
        skip, separator, (header, *rows) = 1, excels[1], rows
    elif not header.strip() and any(row.strip() for row in rows):
        skip = next(at for at, row in enumerate(rows, 1) if row.strip())
        header, *rows = rows[skip - 1 :]
    _check_is_no_markup(header, name, what)
    separator = separator or _separator(header, rows)
    decimal = "," if separator != "," and _has_decimal_commas(rows, separator) else "."
    names, trailing, unnamed = _shape([header, *rows], separator)
    limits.check_columns(len(names), f"{place}: ")
    _check_rows(opened, encoding, separator, place, limits)
    return CsvForm(encoding, separator, decimal, skip, names, tuple(rows), trailing, unnamed)


def _first_lines(text: IO[str], place: str, limits: Limits) -> list[str]:
    """Some lines, without their ends, and no more of them than a header may have characters."""
    lines, left = list[str](), limits.header
    while len(lines) < SOME_LINES + 2 and (line := text.readline(left)):
        left -= len(line)
        if not left:
            if not any(line.strip() and not EXCELS.match(line) for line in lines):
                raise WrongUse(
                    f"{place}: expected a header of at most {limits.header:,} characters",
                    "Does its first line name the columns, with commas between, and end there?",
                )
            break  # the last one is cut off
        lines.append(line.strip("\r\n"))
    return lines


def _check_rows(
    opened: Callable[[], IO[bytes]], encoding: str, separator: str, place: str, limits: Limits
) -> None:
    """Read all rows of a file in which one could be too long: lines are limited as they are read.

    One that is, within quotes, raises WrongUse.
    """
    size, quotes = 0, False
    with opened() as file:
        while block := file.read(BLOCK):
            size, quotes = size + len(block), quotes or b'"' in block
    if size <= limits.row or not quotes:
        return
    signed = encoding.replace("utf-8", "utf-8-sig")  # a field may begin behind the signature
    with opened() as file, io.TextIOWrapper(file, signed, newline="") as text:
        rows = limited_rows(
            text, limits.row, lambda line: limits.too_long(f"{place}, line {line}: "),
            delimiter=separator,
        )  # fmt: skip
        for _ in rows:
            pass


def _encoding(opened: Callable[[], IO[bytes]], name: str, what: str) -> str:
    """The encoding that a file's bytes are of, the most strict first; read in blocks."""
    with opened() as file:
        start = file.read(4096)
    for mark, encoding in MARKS:
        if start.startswith(mark):
            return encoding
    for magic, kind in NO_TABLE:
        if start.startswith(magic):
            raise WrongUse(f"{what}: '{name}' is {kind}, and no table", NOT_A_TABLE)
    if b"\0" in start:
        raise WrongUse(f"{what}: '{name}' is no text, and no Parquet: no table", NOT_A_TABLE)
    for encoding in ("utf-8", WINDOWS):
        if _decodes(opened, encoding):
            return encoding
    raise WrongUse(f"{what}: '{name}' is neither UTF-8 nor UTF-16 nor {WINDOWS}", SAVE_AS_UTF8)


def _decodes(opened: Callable[[], IO[bytes]], encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    with opened() as file:
        try:
            while block := file.read(BLOCK):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def _check_is_no_markup(header: str, name: str, what: str) -> None:
    start = header.lstrip()[:200].lower()
    if start.startswith(("<!doctype", "<html", "<?xml")):
        raise WrongUse(f"{what}: '{name}' is a page of markup, and no table", NOT_A_TABLE)
    if start.startswith(("{", "[")) and start.rstrip(" ,") != "[]":
        raise WrongUse(
            f"{what}: '{name}' is JSON, and no table of CSV or Parquet",
            f"pandas writes one: pandas.read_json('FILE', lines={start.startswith('{')})"
            ".to_csv('rows.csv', index=False).",
        )


def _separator(header: str, rows: Sequence[str]) -> str:
    """What separates a header's names, and the rows' fields below it; a comma if in doubt."""
    if "," in header:
        return ","
    first = rows[0] if rows else ""
    for separator in SEPARATORS:
        count = header.count(separator)
        if separator == " ":
            # A text of two words is a name, too: spaces have to separate all rows alike.
            alike = all(row.count(separator) == count for row in rows if row.strip())
            if count >= 2 and rows and alike:
                return separator
        elif count and (not first or first.count(separator) >= count):
            return separator
    return ","


def _has_decimal_commas(lines: Sequence[str], separator: str) -> bool:
    """Whether a field is a number with a comma, and none is one with a point."""
    fields = [field.strip().strip('"') for line in lines for field in line.split(separator)]
    commas = [field for field in fields if DECIMAL_COMMA.fullmatch(field)]
    return bool(commas) and not any(DECIMAL_POINT.fullmatch(field) for field in fields)


def _shape(lines: Sequence[str], separator: str) -> tuple[tuple[str, ...], bool, bool]:
    """The names; whether rows end with a separator, or begin with a field without a name."""
    reader = csv.reader([f"{line}\n" for line in lines], delimiter=separator)
    try:
        names, *rows = [row for row in reader if row]
    except (ValueError, csv.Error):
        return tuple(lines[0].split(separator)), False, False
    rows = rows[:-1] if len(lines) > SOME_LINES else rows  # the last may be cut within quotes
    longer = bool(rows) and all(len(row) == len(names) + 1 for row in rows)
    trailing = longer and all(row[-1] == "" for row in rows)
    return tuple(names), trailing, longer and not trailing
