"""A part's rows, in batches of a given size: the same ones wherever and whenever it is read."""

from __future__ import annotations

import gzip
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import accumulate
from typing import Any, NamedTuple

import pyarrow as pa

from onnxlet.convert.errors import shortened
from onnxlet.convert.score.errors import PartFailed
from onnxlet.convert.score.storage import Storage
from onnxlet.convert.score.tasks import Task
from onnxlet.convert.tables.csv_parts import cuts, header_of, line_numbers, rows_of
from onnxlet.convert.tables.limits import bounded
from onnxlet.function.errors import MalformedRequest, WrongUse

UNREADABLE = (OSError, EOFError, zlib.error, pa.ArrowException)  # what readers raise
BATCH_BYTES = 1 << 26  # of rows that are answered together, whatever their number
CHANGED = "It was planned as it was before: give the same command again, once nobody writes to it."


class Batch(NamedTuple):
    """Some rows of a part."""

    rows: Any  # a record batch
    faults: Mapping[int, str]  # rows that can't be read as rows, and why
    # Gives a row's number in the file, from 0; of CSV that of its line, from 1.
    number: Callable[[int], int]


def batches(task: Task, storage: Storage, columns: Sequence[str]) -> Iterator[Batch]:
    """A part's rows with some columns; the last batch may be smaller than the others.

    Raises PartFailed where it can't be read, or has changed since it was planned.
    """
    _check_unchanged(task, storage)
    read = _parquet if task.kind == "parquet" else _csv
    with _refusing(task, storage):
        yield from _of_size(read(task, storage, columns), task.options.batch_rows)
    _check_unchanged(task, storage)


def _check_unchanged(task: Task, storage: Storage) -> None:
    now = storage.entry(task.file)
    if now is None or (now.size, now.changed) != (task.size, task.changed):
        what = "is gone" if now is None else "has changed since it was looked at"
        raise PartFailed(f"'{task.file}' {what}", CHANGED)


@contextmanager
def _refusing(task: Task, storage: Storage) -> Iterator[None]:
    """Raise what readers complain of with the name of the file."""
    try:
        yield
    except (MalformedRequest, WrongUse) as error:
        _check_unchanged(task, storage)
        raise PartFailed(f"'{task.file}', {error.message}", error.hint) from error
    except UNREADABLE as error:
        _check_unchanged(task, storage)
        where = f", row groups {task.start} to {task.end - 1}" if task.kind == "parquet" else ""
        raise PartFailed(
            f"'{task.file}'{where}: it can't be read: {shortened(error)}", "Is the file whole?"
        ) from error


def _parquet(task: Task, storage: Storage, columns: Sequence[str]) -> Iterator[Batch]:
    from onnxlet.convert.tables.parquet_file import parquet_rows

    first = task.first
    with storage.open(task.file) as opened, parquet_rows(opened, task.size, "") as file:
        groups = list(range(task.start, task.end))
        for rows in file.batches(task.options.batch_rows, groups, columns) if groups else ():
            yield Batch(rows.select(list(columns)), {}, _counting(first))
            first += rows.num_rows


def _counting(first: int) -> Callable[[int], int]:
    return lambda row: first + row


def _csv(task: Task, storage: Storage, columns: Sequence[str]) -> Iterator[Batch]:
    for data, line in _texts(task, storage):
        table, faults = rows_of(data, task.names)
        for rows in table.select(list(columns)).combine_chunks().to_batches():
            yield Batch(rows, faults, _line_of(data, line, len(task.names)))


def _of_size(read: Iterator[Batch], most: int) -> Iterator[Batch]:
    """Batches of `most` rows each, but for the last, and for large rows."""
    held, rows, size = list[Batch](), 0, 0
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


def _slice(batch: Batch, start: int, size: int) -> Batch:
    faults = {n - start: why for n, why in batch.faults.items() if start <= n < start + size}
    return Batch(batch.rows.slice(start, size), faults, lambda row: batch.number(start + row))


def _one(held: Sequence[Batch]) -> Batch:
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
    return Batch(whole, faults, number)


def _line_of(data: bytes, line: int, width: int) -> Callable[[int], int]:
    """Numbers of lines, counted once they are asked for."""
    known = cache(lambda: line_numbers(data, line, width))
    return lambda row: known()[row]


def _texts(task: Task, storage: Storage) -> Iterator[tuple[bytes, int]]:
    """Whole lines without the header, about 16 MB at a time, and the number of the first one."""
    if task.kind == "csv":
        with storage.open(task.file) as file:
            file.seek(task.start)
            yield file.read(task.end - task.start), task.first
        return
    with unpacked(storage, task.file) as file:
        _, below = header_of(file)
    with unpacked(storage, task.file) as file:
        file.read(below.end)
        for cut in cuts(lambda: unpacked(storage, task.file), below):
            yield file.read(cut.end - cut.start), cut.line


def unpacked(storage: Storage, path: str) -> Any:
    """A file of CSV, unpacked where its name ends so, to no more than it may."""
    file = storage.open(path)
    if not path.lower().endswith(".gz"):
        return file
    return bounded(gzip.GzipFile(fileobj=file), file.size(), "")
