"""What a CSV file is written in (encoding, separator, decimals), and its rows as plain CSV.

Plain CSV is what a request is: UTF-8, commas, a quote in a field twice, names in the first line
that is not blank. Whatever reads a file reads it so, and each row is in the line that it is in
there.
"""

from __future__ import annotations

import csv
import io
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import IO, Any, Protocol

from onnxlet.function.csv.encodings import (
    BLOCK,
    NOT_A_TABLE,
    WINDOWS,
    blocks_of,
    encoding_of,
)
from onnxlet.function.csv.layout import (
    EITHER,
    EXCELS,
    NUMBERS,
    PLAIN,
    Layout,
    decimal_in,
    decimal_of,
    layout_of,
)
from onnxlet.function.csv.lines import QUOTES, any_size, limited_rows
from onnxlet.function.csv.text import COMMON_SEPARATORS, is_number
from onnxlet.function.errors import WrongUse

SEPARATORS = {**COMMON_SEPARATORS, "^": "'^'", "~": "'~'", ":": "':'", " ": "spaces"}
SAMPLE_BYTES = 1 << 26  # of a file that is not looked at as a whole
GUESSED = " (Windows' Western letters; is a name wrong, save it in UTF-8)"
SHOWN_NAMES = 3
SOME_LINES = 1000  # that are looked at for separators, and for commas in numbers
GROUPED = re.compile(r"[+-]?[1-9][0-9]{0,2}\.[0-9]{3}")  # or a number of three decimals


class Limits(Protocol):
    """How much a reader takes, and what it says of more."""

    @property
    def row(self) -> int: ...  # noqa: D102 - bytes
    @property
    def header(self) -> int: ...  # noqa: D102 - characters of all names

    def check_columns(self, count: int, place: str) -> None: ...  # noqa: D102
    def too_long(self, where: str) -> Exception: ...  # noqa: D102


@dataclass(frozen=True)
class CsvForm:
    """How a CSV file is written."""

    encoding: str  # as Python calls it
    decimal: str  # what stands before decimals: "." or ","; "" where no number of the file says
    layout: Layout
    repeats: bool  # the line of its header comes again below

    @property
    def names(self) -> tuple[str, ...]:
        """In the header, normalised; "" for a field without a name."""
        return self.layout.names

    @property
    def is_plain(self) -> bool:
        """The file is plain CSV as it lies there."""
        plain = replace(self.layout, names=(), rows=(), headerless=False) == PLAIN
        return plain and self.encoding == "utf-8" and not self.repeats

    def notes(self, name: str) -> list[str]:
        """What a user has to know of how a file of this name is read; nothing of a plain one."""
        notes = [f"'{name}' is read as it is {said}"] if (said := self._said()) else []
        if self.layout.first_unnamed:
            notes.append(
                f"'{name}' has a field more in its rows than in its header: the first of each row "
                "is left out"
            )
        if self.layout.headerless:
            first = ", ".join(map(repr, self.names[:SHOWN_NAMES]))
            notes.append(
                f"'{name}' seems to have no header: {first:.200} are taken for names of columns, "
                "and look like a row. Put a line of names above it"
            )
        return notes

    def _said(self) -> str:
        """What it is written in, where that is not UTF-8, commas and points; else ''."""
        separator, skip = self.layout.separator, self.layout.skip
        said = {
            f"in {self.encoding}" + GUESSED * (self.encoding == WINDOWS): self.encoding != "utf-8",
            f"separated by {SEPARATORS.get(separator, repr(separator))}": separator != ",",
            "with decimal commas": self.decimal == ",",
            f"with its header in line {skip + 1} or below": skip,
            "with its header again among its rows": self.repeats,
        }
        return ", ".join(words for words, holds in said.items() if holds)

    def odd_numbers(self, columns: Sequence[str], chosen: str = "") -> dict[str, str]:
        """Of columns that hold numbers, those not written as in plain CSV, by the first rows.

        Of each what stands before decimals: "." or ",". A column whose own numbers leave that open
        is as the file's others, or else as `chosen`; WrongUse where nothing is chosen, and it makes
        a difference.
        """
        found = dict[str, str]()
        for name, cells in self._columns():
            odd = not all(is_number(cell) for cell in cells if cell)
            if name in columns and (odd or self.decimal == "," or self._is_open(cells)):
                found[name] = self._decimal_of(name, cells, chosen)
        return found

    def grouped(self, chosen: str = "") -> list[str]:
        """Columns of numbers in which points part thousands, as only others, or `chosen`, say.

        Raises WrongUse where nothing says whether they do.
        """
        found = []
        for name, cells in self._columns():
            numbers = all(map(NUMBERS.fullmatch, cells)) and any(map(GROUPED.fullmatch, cells))
            if numbers and not decimal_in(cells) and self._decimal_of(name, cells, chosen) == ",":
                found.append(name)
        return found

    def _columns(self) -> Iterator[tuple[str, list[str]]]:
        """Each name with the fields below it, of the first rows."""
        first = int(self.layout.first_unnamed)
        for at, name in enumerate(self.names, first):
            yield name, [row[at].strip() for row in self.layout.rows if at < len(row)]

    def _is_open(self, cells: Sequence[str]) -> bool:
        """Whether points may part thousands: commas separate no fields, and nothing says."""
        said = self.layout.separator == "," or len(self.decimal) == 1
        return not said and any(map(EITHER.fullmatch, cells))

    def _decimal_of(self, name: str, cells: Sequence[str], chosen: str) -> str:
        for said in (decimal_in(cells), self.decimal, chosen):
            if len(said) == 1:
                return said
        either = next((cell for cell in cells if EITHER.fullmatch(cell)), None)
        if either is None or self.layout.separator == ",":
            return "."
        whole = either.replace(",", "").replace(".", "")
        raise WrongUse(
            f"column '{name}': '{either}' may be {whole} or {either.replace(',', '.')}, and no "
            "other number of the file says which",
            "Name what stands before decimals: --decimal point, or --decimal comma.",
        )

    def plain(self, opened: Callable[[], IO[bytes]], limits: Limits, place: str = "") -> IO[bytes]:
        """The file as plain CSV; `opened` opens it, unpacked.

        Reading it raises WrongUse, which begins with a place such as "DATA: 'rows.csv'", where the
        file is no CSV, or one of its rows is longer than it may be.
        """
        if self.is_plain:
            return opened()
        return io.BufferedReader(Made(self._lines(opened, limits, place)), BLOCK)

    def _lines(
        self, opened: Callable[[], IO[bytes]], limits: Limits, place: str
    ) -> Iterator[bytes]:
        """Some lines at a time, as many as are read."""
        written, ended = io.StringIO(), 0
        writer = csv.writer(written, lineterminator="\n")
        with opened() as file, text_of(file, self.encoding) as text:
            for _ in range(self.layout.skip):
                written.write("\n" if text.readline() else "")

            def too_long(line: int) -> Exception:
                return limits.too_long(f"{place}, line {self.layout.skip + line}: ")

            rows = limited_rows(
                text, limits.row, too_long, strict=True,
                delimiter=self.layout.separator, **self.layout.quoting.for_reader(),
            )  # fmt: skip
            try:
                for line, row in self._own(rows):
                    written.write("\n" * (line - ended - 1) if not row else "")
                    writer.writerow(row)
                    ended = line
                    if written.tell() > BLOCK:
                        yield written.getvalue().encode()
                        written.seek(0)
                        written.truncate()
            except csv.Error as error:
                line = self.layout.skip + ended + 1
                raise WrongUse(f"{place}, line {line}: it is not CSV: {error}", QUOTES) from error
        yield written.getvalue().encode()

    def _own(self, rows: Iterator[tuple[int, list[str]]]) -> Iterator[tuple[int, list[str]]]:
        """The header and the rows; [] for a blank line, and for a header that comes again."""
        header, width = list[str](), len(self.names)
        for line, header in rows:
            yield line, list(self.names) if any(header) else []
            if any(header):
                break
        for line, row in rows:
            if width > 1 and row == header:
                yield line, []
            elif self.layout.first_unnamed or (self.layout.trailing and len(row) == width + 1):
                yield line, row[1:] if self.layout.first_unnamed else row[:-1]
            else:
                yield line, row


def text_of(file: IO[bytes], encoding: str = "utf-8") -> io.TextIOWrapper:
    """A file's text, with line ends as they are, and without a mark of its encoding."""
    return io.TextIOWrapper(file, encoding.replace("utf-8", "utf-8-sig"), newline="")


class Made(io.RawIOBase):
    """Bytes that come in blocks of any size, to be read; so many have `come` so far."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        super().__init__()
        self._blocks, self._left, self.come = blocks, memoryview(b""), 0

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Some bytes."""
        while not self._left and (block := next(self._blocks, None)) is not None:
            self._left = memoryview(block)  # whose rest is no copy
            self.come += len(block)
        data, self._left = self._left[: len(buffer)], self._left[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)


def form_of(
    opened: Callable[[], IO[bytes]], place: str, limits: Limits, whole: bool = True
) -> CsvForm:
    """How a file is written, by its bytes and its first records; `opened` opens it, unpacked.

    Messages begin with a place, such as "--data: 'rows.csv'". Unless it is looked at as a whole,
    its beginning decides, and a row that is too long is met only by whoever reads it.

    Raises:
        WrongUse: it is no text, or text of no encoding that is known here; or a row or its
            header is longer than it may be.
    """
    most = sys.maxsize if whole else SAMPLE_BYTES
    encoding = encoding_of(opened, place, most)
    with opened() as file, text_of(file, encoding) as text, any_size():
        lines = _first_lines(text, place, limits)
        _check_is_no_markup("".join(lines), place)
        layout = layout_of("".join(lines), more=bool(text.read(1)))
    limits.check_columns(len(layout.names), f"{place}: ")
    repeats = len(layout.names) > 1 and _comes_again(opened, encoding, layout, lines, most)
    form = CsvForm(encoding, decimal_of(layout), layout, repeats)
    if form.is_plain and whole:
        _check_rows(opened, place, limits)
    return form


def _first_lines(text: IO[str], place: str, limits: Limits) -> list[str]:
    """Some lines, and no more of them than a header may have characters."""
    lines, left = list[str](), limits.header
    while len(lines) < SOME_LINES and (line := text.readline(left)):
        left -= len(line)
        if not left:
            if not any(line.strip() and not EXCELS.match(line) for line in lines):
                raise WrongUse(
                    f"{place}: expected a header of at most {limits.header:,} characters",
                    "Does its first line name the columns, with commas between, and end there?",
                )
            break  # the last one is cut off
        lines.append(line)
    return lines


def _comes_again(
    opened: Callable[[], IO[bytes]], encoding: str, layout: Layout, lines: Sequence[str], most: int
) -> bool:
    """Whether the line of a header stands in a file a second time."""
    if encoding not in ("utf-8", WINDOWS):
        return False
    header = next((line for line in lines[layout.skip :] if line.strip()), "").strip("\r\n")
    again = re.compile(rb"[\r\n]" + re.escape(header.encode(encoding)) + rb"(?=[\r\n]|\Z)")
    start = sum(len(line.encode(encoding)) for line in lines[: layout.skip]) + len(header)
    before = b""
    for block in blocks_of(opened, most):
        text = (before + block)[start:]
        if again.search(text):
            return True
        before, start = text[-len(header) * 4 - 2 :], max(0, start - len(before) - len(block))
    return False


def _check_rows(opened: Callable[[], IO[bytes]], place: str, limits: Limits) -> None:
    """Read all rows of a plain file in which one could be too long: lines are limited as they are.

    One that is, within quotes, raises WrongUse.
    """
    size, quotes = 0, False
    with opened() as file:
        while block := file.read(BLOCK):
            size, quotes = size + len(block), quotes or b'"' in block
    if size <= limits.row or not quotes:
        return
    with opened() as file, text_of(file) as text:
        for _ in limited_rows(
            text, limits.row, lambda line: limits.too_long(f"{place}, line {line}: ")
        ):
            pass


def _check_is_no_markup(beginning: str, place: str) -> None:
    start = beginning.lstrip()[:200].lower()
    if start.startswith(("<!doctype", "<html", "<?xml")):
        raise WrongUse(f"{place} is a page of markup, and no table", NOT_A_TABLE)
    first = start.split("\n", 1)[0].rstrip()
    if start.startswith(("{", "[")) and first.rstrip(" ,") != "[]":
        raise WrongUse(
            f"{place} is JSON, and no table of CSV or Parquet",
            f"pandas writes one: pandas.read_json('FILE', lines={start.startswith('{')})"
            ".to_csv('rows.csv', index=False).",
        )
