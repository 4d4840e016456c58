"""The forms of files that tables come in: of each its columns, its parts, and the rows of a part.

A new form is a class here, and its line in `FORMATS`. Rows are the same ones wherever and whenever
they are read.
"""

from __future__ import annotations

import gzip
import io
import zlib
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from itertools import accumulate
from typing import Any, Literal, NamedTuple

import pyarrow as pa

from onnxlet.convert.record_batches.kinds import csv_schema
from onnxlet.convert.tables.csv_parts import Cut, cuts, header_of, line_numbers, rows_of
from onnxlet.convert.tables.json_rows import JSON, table_of
from onnxlet.convert.tables.limits import LIMITS, bounded
from onnxlet.convert.tables.parquet_file import parquet_rows
from onnxlet.convert.tables.units import units_below, without_units
from onnxlet.convert.tables.workbook import WORKBOOKS, taken_from
from onnxlet.function.csv.form import CsvForm, form_of
from onnxlet.function.errors import WrongUse

UNREADABLE = (OSError, EOFError, zlib.error, pa.ArrowException)  # what readers raise
SMALL_GROUP = 100_000  # rows: neighbouring row groups with no more than that are one part
BATCH_BYTES = 1 << 26  # of rows that are answered together, whatever their number
Open = Callable[[], Any]  # opens a file as PyArrow's, to read at any position


class Columns(NamedTuple):
    """What a file says of itself before any row is read."""

    schema: Any
    form: CsvForm | None = None  # of CSV, as without its units
    units: Mapping[str, str] = {}  # of CSV, as `units_below`
    below: Cut = Cut(0, 0, 1)  # of CSV, its header; else nothing
    groups: tuple[int, ...] = ()  # of Parquet, the rows in each row group


class Span(NamedTuple):
    """A part of a file: some whole rows."""

    start: int  # the first row group; of CSV the first byte
    end: int  # behind the last one
    first: int  # the number of the first row, from 0; of CSV that of its line, from 1
    weight: int  # its share of the work, in the unit of the others': bytes or rows


class RowBatch(NamedTuple):
    """Some rows of a part."""

    rows: Any  # a record batch
    faults: Mapping[int, str]  # rows that can't be read as rows, and why
    # Gives a row's number in the file, from 0; of CSV that of its line, from 1.
    number: Callable[[int], int]


class TableFormat(ABC):
    """One form of files, found by the ends of their names."""

    name: str
    endings: tuple[str, ...]
    counted: str  # what numbers in messages and side files count: "row" or "line"
    written: Literal["csv", "parquet"]  # the form that answers to such a file are written in
    packed = False  # nothing is written in this form itself

    @abstractmethod
    def columns(self, opened: Open) -> Columns:
        """The columns of a file; WrongUse, or of UNREADABLE, where it is none of this form."""

    @abstractmethod
    def spans(self, opened: Open, columns: Columns, size: int) -> Sequence[Span]:
        """The parts of a file of so many bytes in order, one at least."""

    def schema(self, opened: Open, names: Sequence[str]) -> Any:
        """The schema of a file whose columns are known already by these names."""
        return self.columns(opened).schema

    @abstractmethod
    def batches(
        self, opened: Open, span: Span, names: Sequence[str], columns: Sequence[str], most: int
    ) -> Iterator[RowBatch]:
        """The rows of a part with some of the columns, `most` at a time or whatever comes."""

    def where(self, span: Span) -> str:
        """What messages say of a part, behind its file."""
        return ""


class Parquet(TableFormat):
    """Parquet, whose parts are row groups."""

    name, endings = "parquet", (".parquet", ".pq")
    counted, written = "row", "parquet"

    def columns(self, opened: Open) -> Columns:
        """The columns, by its own account."""
        with opened() as source, parquet_rows(source, source.size(), "") as file:
            groups = map(file.about.row_group, range(file.about.num_row_groups))
            return Columns(file.schema, groups=tuple(group.num_rows for group in groups))

    def spans(self, opened: Open, columns: Columns, size: int) -> Sequence[Span]:
        """Row groups; small neighbours are one part."""
        found, start, first, held = list[Span](), 0, 0, 0
        for number, count in enumerate(columns.groups):
            if held and held + count > SMALL_GROUP:
                found.append(Span(start, number, first, held))
                start, first, held = number, first + held, 0
            held += count
        return [*found, Span(start, len(columns.groups), first, held)]

    def batches(
        self, opened: Open, span: Span, names: Sequence[str], columns: Sequence[str], most: int
    ) -> Iterator[RowBatch]:
        """The rows of its groups."""
        first, groups = span.first, list(range(span.start, span.end))
        with opened() as source, parquet_rows(source, source.size(), "") as file:
            for rows in file.batches(most, groups, columns) if groups else ():
                yield RowBatch(rows.select(list(columns)), {}, counting(first))
                first += rows.num_rows

    def where(self, span: Span) -> str:
        """Which row groups."""
        return f", row groups {span.start} to {span.end - 1}"


class Csv(TableFormat):
    """CSV, whose parts are whole lines where it is plain."""

    name = "csv"
    endings: tuple[str, ...] = (".csv", ".tsv")
    counted, written = "line", "csv"

    def unpacked(self, opened: Open) -> Any:
        """The file from its start."""
        return opened()

    def columns(self, opened: Open) -> Columns:
        """The names in its header."""
        form = form_of(lambda: self.unpacked(opened), "it", LIMITS)
        with form.plain(lambda: self.unpacked(opened), LIMITS) as file:
            names, below = header_of(file)
        if not names:
            raise WrongUse("it has no header: its first line names the columns")
        return Columns(csv_schema(names), without_units(form), units_below(form), below)

    def spans(self, opened: Open, columns: Columns, size: int) -> Sequence[Span]:
        """Lines below the header; one without any is a part without rows."""
        below = columns.below
        found = list(cuts(opened, below)) or [Cut(below.end, below.end, 1)]
        return [Span(cut.start, cut.end, cut.line, cut.end - cut.start) for cut in found]

    def schema(self, opened: Open, names: Sequence[str]) -> Any:
        """Text in all columns."""
        return csv_schema(names)

    def batches(
        self, opened: Open, span: Span, names: Sequence[str], columns: Sequence[str], most: int
    ) -> Iterator[RowBatch]:
        """The rows of its lines."""
        for data, line in self._texts(opened, span):
            table, faults = rows_of(data, names)
            for rows in table.select(list(columns)).combine_chunks().to_batches():
                yield RowBatch(rows, faults, _line_of(data, line, len(names)))

    def _texts(self, opened: Open, span: Span) -> Iterator[tuple[bytes, int]]:
        """Whole lines without the header, and the number of the first one."""
        with opened() as file:
            file.seek(span.start)
            yield file.read(span.end - span.start), span.first


class StreamedCsv(Csv):
    """CSV that is read from its start: one part, since nobody can begin in its middle."""

    def spans(self, opened: Open, columns: Columns, size: int) -> Sequence[Span]:
        """All of it."""
        return [Span(0, size, 1, size)]

    def _texts(self, opened: Open, span: Span) -> Iterator[tuple[bytes, int]]:
        """About 16 MB at a time."""
        with self.unpacked(opened) as file:
            _, below = header_of(file)
        with self.unpacked(opened) as file:
            file.read(below.end)
            for cut in cuts(lambda: self.unpacked(opened), below):
                yield file.read(cut.end - cut.start), cut.line


class GzippedCsv(StreamedCsv):
    """CSV that is packed."""

    name, endings = "csv.gz", (".csv.gz", ".tsv.gz")
    packed = True

    def unpacked(self, opened: Open) -> Any:
        """The file from its start, to no more than it may unpack to."""
        file = opened()
        return bounded(gzip.GzipFile(fileobj=file), file.size(), "")


class Workbook(StreamedCsv):
    """A workbook, of which one table is read."""

    name, packed = "workbook", True
    endings: tuple[str, ...] = WORKBOOKS

    def __init__(self, sheet: str = "") -> None:
        self._sheet = sheet

    def unpacked(self, opened: Open) -> Any:
        """Its table as plain CSV from its start."""
        with opened() as file:
            return io.BytesIO(taken_from(file.read(), self._sheet, "it").content)


class Json(TableFormat):
    """Rows of JSON: one part, which is read whole."""

    name, endings = "json", JSON
    counted, written = "row", "csv"
    packed = True

    def _table(self, opened: Open) -> Any:
        with opened() as file:
            return table_of(file.read(), "it")

    def columns(self, opened: Open) -> Columns:
        """The names of all members, with the types of their values."""
        return Columns(self._table(opened).schema)

    def spans(self, opened: Open, columns: Columns, size: int) -> Sequence[Span]:
        """All of it."""
        return [Span(0, 1, 0, size)]

    def batches(
        self, opened: Open, span: Span, names: Sequence[str], columns: Sequence[str], most: int
    ) -> Iterator[RowBatch]:
        """Its rows."""
        first = span.first
        for rows in self._table(opened).select(list(columns)).to_batches(most):
            yield RowBatch(rows, {}, counting(first))
            first += rows.num_rows


class WrittenCsv(StreamedCsv):
    """CSV that is not plain, as another format unpacks it."""

    def __init__(self, unpacking: Csv, form: CsvForm) -> None:
        self.name, self._unpacking, self._form = unpacking.name, unpacking, form

    def unpacked(self, opened: Open) -> Any:
        """It as plain CSV from its start."""
        return self._form.plain(lambda: self._unpacking.unpacked(opened), LIMITS, "it")


FORMATS: Mapping[str, TableFormat] = {
    each.name: each for each in (Csv(), GzippedCsv(), Workbook(), Json(), Parquet())
}


def format_for(name: str, form: CsvForm | None, sheet: str = "") -> TableFormat:
    """The format of a name, for files that are written in a form; of a workbook one sheet."""
    found = FORMATS[name] if name != Workbook.name else Workbook(sheet)
    if form is None or form.is_plain or not isinstance(found, Csv):
        return found
    return WrittenCsv(found, form)


def format_of(name: str) -> TableFormat | None:
    """What a file is by its name; None where that says nothing."""
    named = name.lower()
    return next((each for each in FORMATS.values() if named.endswith(each.endings)), None)


def counting(first: int) -> Callable[[int], int]:
    """Gives the numbers of rows from the first one's on."""
    return lambda row: first + row


def _line_of(data: bytes, line: int, width: int) -> Callable[[int], int]:
    """Numbers of lines, counted once they are asked for."""
    known = cache(lambda: line_numbers(data, line, width))
    return lambda row: known()[row]


def of_size(read: Iterator[RowBatch], most: int) -> Iterator[RowBatch]:
    """Batches of `most` rows each, but for the last, and for large rows."""
    held, rows, size = list[RowBatch](), 0, 0
    for batch in read:
        start, count = 0, batch.rows.num_rows
        while start < count:
            some = _slice(batch, start, min(most - rows, count - start))
            held.append(some)
            start, rows = start + some.rows.num_rows, rows + some.rows.num_rows
            size += some.rows.nbytes
            if rows == most or size >= BATCH_BYTES:
                yield _one(held)
                held, rows, size = [], 0, 0
    if held:
        yield _one(held)


def _slice(batch: RowBatch, start: int, size: int) -> RowBatch:
    faults = {n - start: why for n, why in batch.faults.items() if start <= n < start + size}
    return RowBatch(batch.rows.slice(start, size), faults, lambda row: batch.number(start + row))


def _one(held: Sequence[RowBatch]) -> RowBatch:
    """Neighbouring batches as one."""
    if len(held) == 1:
        return held[0]
    starts = [0, *accumulate(each.rows.num_rows for each in held)]
    faults = {
        start + row: why
        for start, each in zip(starts, held, strict=False)
        for row, why in each.faults.items()
    }

    def number(row: int) -> int:
        at = bisect_right(starts, row) - 1
        return held[at].number(row - starts[at])

    [whole] = pa.Table.from_batches([each.rows for each in held]).combine_chunks().to_batches()
    return RowBatch(whole, faults, number)
