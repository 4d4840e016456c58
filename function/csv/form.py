"""What a CSV file is written in (encoding, separator, decimals), and its rows as plain CSV.

Plain CSV is what a request is: UTF-8, commas, a quote in a field twice, names in the first line
that is not blank. Whatever reads a file reads it so, and each row is in the line that it is in
there.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import IO, Protocol

from onnxlet.function import deadline
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
    PLAIN,
    Layout,
    decimal_in,
    decimal_of,
    layout_of,
)
from onnxlet.function.csv.lines import QUOTES, any_size, limited_rows
from onnxlet.function.csv.text import is_number
from onnxlet.function.errors import WrongUse

SAMPLE_BYTES = 1 << 26  # of a file that is not looked at as a whole
SOME_LINES = 1000  # that are looked at for separators, and for commas in numbers


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
    repeats: bool  # below, its header comes again, or a row of nothing but separators

    @property
    def names(self) -> tuple[str, ...]:
        """In the header, normalised; "" for a field without a name."""
        return self.layout.names

    @property
    def is_plain(self) -> bool:
        """The file is plain CSV as it lies there."""
        plain = replace(self.layout, names=(), rows=()) == PLAIN
        return plain and self.encoding == "utf-8" and not self.repeats

    def odd_numbers(self, columns: Sequence[str], chosen: str = "") -> dict[str, str]:
        """Of columns that hold numbers, those not written as in plain CSV, by the first rows.

        Of each what stands before decimals: "." or ",". A column whose own numbers leave that open
        is as the file's others, or else as `chosen`; WrongUse where nothing is chosen, and it makes
        a difference.
        """
        found = dict[str, str]()
        for name, cells in self.columns():
            odd = not all(is_number(cell) for cell in cells if cell)
            if name in columns and (odd or self.decimal == "," or self._is_open(cells)):
                found[name] = self.decimal_below(name, cells, chosen)
        return found

    def columns(self) -> Iterator[tuple[str, list[str]]]:
        """Each name with the fields below it, of the first rows."""
        first = int(self.layout.first_unnamed)
        for at, name in enumerate(self.names, first):
            yield name, [row[at].strip() for row in self.layout.rows if at < len(row)]

    def _is_open(self, cells: Sequence[str]) -> bool:
        """Whether points may part thousands: commas separate no fields, and nothing says."""
        said = self.layout.separator == "," or len(self.decimal) == 1
        return not said and any(map(EITHER.fullmatch, cells))

    def decimal_below(self, name: str, cells: Sequence[str], chosen: str) -> str:
        """What stands before decimals in a column's fields: as they say, the file, or `chosen`.

        Raises WrongUse where nothing says, and it makes a difference.
        """
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
        return io.BufferedReader(deadline.Blocks(self._lines(opened, limits, place)), BLOCK)

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
        """The header and the rows; [] for one that is empty, and for a header that comes again."""
        header, width = list[str](), len(self.names)
        for line, header in rows:
            yield line, list(self.names) if any(header) else []
            if any(header):
                break
        for line, row in rows:
            if width > 1 and (row == header or not any(map(str.strip, row))):
                yield line, []
            elif self.layout.first_unnamed or (self.layout.trailing and len(row) == width + 1):
                yield line, row[1:] if self.layout.first_unnamed else row[:-1]
            else:
                yield line, row


def text_of(file: IO[bytes], encoding: str = "utf-8") -> io.TextIOWrapper:
    """A file's text, with line ends as they are, and without a mark of its encoding."""
    return io.TextIOWrapper(file, encoding.replace("utf-8", "utf-8-sig"), newline="")


def form_of(
    opened: Callable[[], IO[bytes]], place: str, limits: Limits, most: int = SAMPLE_BYTES
) -> CsvForm:
    """How a file is written, by its bytes and its first records; `opened` opens it, unpacked.

    Messages begin with a place, such as "--data: 'rows.csv'". No more than `most` bytes are looked
    at, and a row that is too long is met only by whoever reads it.

    Raises:
        WrongUse: it is no text, or text of no encoding that is known here; or a row or its
            header is longer than it may be.
    """
    encoding = encoding_of(opened, place, most)
    with opened() as file, text_of(file, encoding) as text, any_size():
        lines = _first_lines(text, place, limits)
        _check_is_no_markup("".join(lines), place)
        layout = layout_of("".join(lines), more=bool(text.read(1)))
    limits.check_columns(len(layout.names), f"{place}: ")
    repeats = len(layout.names) > 1 and _comes_again(opened, encoding, layout, lines, most)
    return CsvForm(encoding, decimal_of(layout), layout, repeats)


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
    """Whether the line of a header stands in a file a second time, or a row without a value."""
    if encoding not in ("utf-8", WINDOWS):
        return False
    header = next((line for line in lines[layout.skip :] if line.strip()), "").strip("\r\n")
    # No part that was matched is given back, where a space separates: time grows with the line.
    row = rb'(?=[ "]*%s)[ "%s]*+' % ((re.escape(layout.separator.encode()),) * 2)
    said = re.escape(header.encode(encoding))
    again = re.compile(rb"[\r\n](?:%s|%s)(?=[\r\n]|\Z)" % (said, row))
    start = sum(len(line.encode(encoding)) for line in lines[: layout.skip]) + len(header)
    before = b""
    for block in blocks_of(opened, most):
        text = (before + block)[start:]
        if again.search(text):
            return True
        before, start = text[-len(header) * 4 - 2 :], max(0, start - len(before) - len(block))
    return False


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
