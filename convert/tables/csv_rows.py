"""Rows of a CSV file for training: some at a time, with what is wrong with them counted."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO, Any, NamedTuple

import numpy as np
import pandas as pd

from onnxlet.convert.errors import shortened
from onnxlet.convert.problems import Problem, counted, listed, refuse
from onnxlet.convert.tables.places import LINE, SHEET_ROW, Places
from onnxlet.convert.tables.rows_file import Opened
from onnxlet.function.csv.form import CsvForm
from onnxlet.function.csv.lines import any_size
from onnxlet.function.errors import WrongUse

# What stands for no value. "None" is missing among texts: it is as often one of the categories,
# and a client sends it.
GAPS = (
    "", "NA", "N/A", "n/a", "#N/A", "#NA", "#N/A N/A", "<NA>", "NaN", "nan", "-NaN", "-nan",
    "1.#IND", "1.#QNAN", "-1.#IND", "-1.#QNAN", "NULL", "null",
)  # fmt: skip
CELLS_AT_ONCE = 4_000_000
ROWS_AT_ONCE = 100_000
SHOWN_LINES = 5
UNEQUAL = re.compile(r"Expected \d+ fields in line \d+, saw \d+")
CODE = re.compile(r"0[0-9]+")  # what is no longer the same without its zero
OPEN_QUOTE = re.compile(r"EOF inside string")
THOUSANDS = re.compile(r"(?<=[0-9])\.(?=[0-9]{3}(?![0-9]))")  # what parts them
NUMBER = re.compile(r"[+-]?[0-9]*\.?[0-9]+([eE][+-]?[0-9]+)?")
NO_HEADER = (
    "Has the file no header? Its first line is taken for the names: put one above it, such as "
    "a,b,c."
)
HEADER_BELOW = (
    "Is its header further down? Of a workbook --sheet 'NAME!A4:M1204' names the cells, the "
    "header first."
)
QUOTES = 'Quote a field that holds a separator, and double a quote in it: "like, ""this""".'


class Lengths(NamedTuple):
    """Rows whose number of fields is not that of the header."""

    longer: list[tuple[int, int]]  # line numbers and fields of the first that have more
    longer_count: int  # of these
    short: int  # line number of the first that has fewer
    short_count: int  # of these


class CsvRows:
    """A CSV file that is read for training, in parts and again by columns."""

    def __init__(self, opened: Opened, form: CsvForm, what: str) -> None:
        self.opened, self.form, self.what = opened, form, what
        self.grouped = opened.grouped()
        self.texts = [*_with_leading_zeros(form), *self.grouped]

    @property
    def place(self) -> str:
        """As messages call it."""
        return f"{self.what}: '{self.opened.name}'"

    def check_header(self) -> None:
        """Raise WrongUse, with all that is wrong, for a header that does not name each column once.

        Also where rows outgrow it.
        """
        problems, names = list[Problem](), self.form.names
        if twice := sorted({name for name in names if name and names.count(name) > 1}):
            verb = "stands" if len(twice) == 1 else "stand"
            problems.append(
                Problem(
                    f"{self.place}: {listed(twice)} {verb} in its header more than once",
                    NO_HEADER if no_header(names) else "Give each column its own name.",
                )
            )
        regular = self.form.layout.trailing or self.form.layout.first_unnamed
        if not regular and any(len(row) > len(names) for row in self.form.layout.rows):
            problems.extend(self._longer(self.lengths()))
        refuse(problems, self.place)

    def parts(
        self, columns: Sequence[str] | None = None, dtypes: Mapping[str, Any] | None = None
    ) -> Iterator[pd.DataFrame]:
        """The rows, some at a time, perhaps only with some columns.

        `dtypes` are of those where pandas is not to guess. WrongUse says where the file is broken.
        """
        at_once = max(100, min(ROWS_AT_ONCE, CELLS_AT_ONCE // max(len(self.form.names), 1)))
        try:
            with (
                self.opened.plain() as file,
                pd.read_csv(
                    file,
                    decimal="," if self.form.decimal == "," else ".",
                    keep_default_na=False,
                    na_values=list(GAPS),
                    dtype={**dict.fromkeys(self.texts, "str"), **(dtypes or {})},
                    names=[name or f"Unnamed: {at}" for at, name in enumerate(self.form.names)],
                    header=0,
                    usecols=None if columns is None else list(columns),
                    index_col=False,
                    chunksize=at_once,
                    low_memory=False,  # one dtype in each part
                ) as parts,
            ):
                for part in parts:
                    for name in {*self.grouped} & {*part.columns}:
                        part[name] = part[name].str.replace(THOUSANDS, "", regex=True)
                    yield part
        except pd.errors.EmptyDataError as error:
            raise WrongUse(
                f"{self.place} is empty", "Expected a header and a row a line."
            ) from error
        except (pd.errors.ParserError, UnicodeError, EOFError, OSError) as error:
            raise self._broken(error) from error

    def places(self, count: int) -> Places:
        """Where so many rows stand that were read: the line, or sheet's row, that each begins in.

        It is the number of the row where Python's reader finds other rows than pandas.
        """
        name, top = self.opened.name, self.opened.sheet_row
        found = (start for start, row in self._records(self.opened.plain) if row)
        starts = np.fromiter(found, np.int64)[1:]
        if len(starts) != count:
            return Places.of_rows(np.arange(count), name)
        if top is None:
            return Places(starts, LINE, name)
        records = [start for start, _ in self._records(self.opened.open)]
        return Places(np.searchsorted(records, starts) + top, SHEET_ROW, name)

    def lengths(self) -> Lengths:
        """Count the fields of every row, by Python's own reader."""
        width = len(self.form.names)
        found: list[tuple[int, int]] = []
        count = short = short_count = 0
        rows = (each for each in self._records(self.opened.plain) if each[1])
        next(rows, None)
        for line, row in rows:
            if len(row) > width:
                count += 1
                if len(found) < SHOWN_LINES:
                    found.append((line, len(row)))
            elif len(row) < width:
                short, short_count = short or line, short_count + 1
        return Lengths(found, count, short, short_count)

    def _records(self, opened: Callable[[], IO[bytes]]) -> Iterator[tuple[int, list[str]]]:
        """The line that each record begins in, from 1, and its fields; none of a blank one."""
        with (
            opened() as file,
            io.TextIOWrapper(file, "utf-8-sig", newline="") as text,
            any_size(),
        ):
            reader, ended = csv.reader(line.replace("\0", "") for line in text), 0
            for row in reader:
                yield ended + 1, row if len(row) > 1 or "".join(row).strip() else []
                ended = reader.line_num

    def _longer(self, lengths: Lengths) -> Iterator[Problem]:
        width = len(self.form.names)
        for line, fields in lengths.longer:
            yield Problem(
                f"{self.place}, line {line}: expected {counted(width, 'field')}, as its header "
                f"has, got {fields}",
                QUOTES,
            )
        if more := lengths.longer_count - len(lengths.longer):
            yield Problem(f"{self.place}: {more:,} more of its lines have too many fields")

    def _broken(self, error: Exception) -> WrongUse:
        said = shortened(error)
        if UNEQUAL.search(said):
            try:
                refuse(list(self._longer(self.lengths())), self.place)
            except WrongUse as refused:
                return refused
        if OPEN_QUOTE.search(said):
            return WrongUse(f"{self.place}: a quote is never closed: {said}", QUOTES)
        return WrongUse(
            f"{self.place} is broken: {said}", "Is it whole? Write or fetch it once more."
        )


def no_header(names: Sequence[str]) -> bool:
    """Whether what should be names are values: most are numbers, and not just counted."""
    numbers = [name for name in names if NUMBER.fullmatch(name.strip())]
    counts = [str(at) for at in range(len(names))], [str(at + 1) for at in range(len(names))]
    return len(numbers) > len(names) / 2 and list(names) not in counts


def _with_leading_zeros(form: CsvForm) -> list[str]:
    """Columns of codes such as 01234, which are no longer the same as numbers."""
    first = int(form.layout.first_unnamed)
    rows = [row[first:] for row in form.layout.rows]
    found = {at for row in rows for at, cell in enumerate(row) if CODE.fullmatch(cell.strip())}
    return [name for at, name in enumerate(form.names) if at in found and name]
