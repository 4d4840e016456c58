"""Files of answers: Parquet or CSV, with the SHA-256 of what was written.

Parts become one file once all are done: streamed, and there as a whole or not at all.
"""

from __future__ import annotations

import codecs
import hashlib
import shutil
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pyarrow as pa
from pyarrow import compute, types

from onnxlet.convert.record_batches.kinds import bare, kind_of, simple, usual
from onnxlet.convert.score.errors import cannot_write
from onnxlet.convert.score.storage import Storage, half_written, tidy, writable
from onnxlet.convert.tables.csv_parts import header_of

GROUP_ROWS = 1 << 20  # that are written together, at most
GROUP_BYTES = 1 << 26
COPIED = 1 << 20  # bytes at a time


class ClosedFile(NamedTuple):
    """A file that is closed."""

    rows: int  # in it
    size: int  # bytes
    sha256: str  # of them


class Sink:
    """What PyArrow writes to: a file that is not read again, whose bytes it counts and hashes."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._sha256, self._size = hashlib.sha256(), 0
        self.closed = self.dropped = False

    def write(self, data: Any) -> int:
        """Write bytes; nothing once it was dropped, when PyArrow's writers end what they began."""
        if self.dropped:
            return len(data)
        self._file.write(data)
        self._sha256.update(data)
        self._size += len(data)
        return len(data)

    def flush(self) -> None:
        """What is written is flushed once it is closed."""

    def written(self, rows: int) -> ClosedFile:
        """What there is now."""
        return ClosedFile(rows, self._size, self._sha256.hexdigest())


class Dialect(NamedTuple):
    """How CSV is written: as what it answers is, so that the same programs open it."""

    separator: str = ","
    decimal: str = "."


PLAIN = Dialect()


class Writer:
    """Writes batches of one schema to a sink, in Parquet or a dialect of CSV."""

    def __init__(self, sink: Sink, form: str, schema: Any, dialect: Dialect = PLAIN) -> None:
        self._sink, self._form, self._dialect = sink, form, dialect
        self._rows = self._bytes = self._held_rows = 0
        self._held: list[Any] = []
        self.schema = flat_schema(schema, dialect) if form == "csv" else schema
        self._writer = self._opened()

    def _opened(self) -> Any:
        if self._form == "csv":
            from pyarrow import csv

            if self._dialect != PLAIN:
                self._sink.write(codecs.BOM_UTF8)  # spreadsheets would read another encoding
            options = csv.WriteOptions(delimiter=self._dialect.separator)
            return csv.CSVWriter(self._sink, self.schema, write_options=options)
        from pyarrow import parquet

        # Dictionaries of numbers that all differ are tried and thrown away.
        listed = [field.name for field in self.schema if _repeats(field.type)]
        return parquet.ParquetWriter(self._sink, self.schema, use_dictionary=listed)

    def add(self, batch: Any) -> None:
        """Write some rows, perhaps later."""
        self._rows += batch.num_rows
        if self._form == "csv":
            self._writer.write_batch(flat(batch, self.schema, self._dialect))
            return
        self._held.append(batch)
        self._held_rows += batch.num_rows
        self._bytes += batch.nbytes
        if self._held_rows >= GROUP_ROWS or self._bytes >= GROUP_BYTES:
            self._write_group()

    def _write_group(self) -> None:
        table = pa.Table.from_batches(self._held, self.schema)
        self._writer.write_table(table, row_group_size=max(table.num_rows, 1))
        self._held, self._held_rows, self._bytes = [], 0, 0

    def end(self) -> ClosedFile:
        """Write what is held back, and what is at the end; the sink stays open."""
        if self._held:
            self._write_group()
        self._writer.close()
        return self._sink.written(self._rows)


@contextmanager
def sink_to(path: Path) -> Iterator[Sink]:
    """A new file, which is removed where anything goes wrong; NoRoom if it can't be written."""
    try:
        with writable(path) as file:
            sink = Sink(file)
            try:
                yield sink
            except BaseException:
                sink.dropped = True
                raise
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise cannot_write(str(path), error) from error
        raise


def _repeats(kind: Any) -> bool:
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_dictionary(kind))


def flat_schema(schema: Any, dialect: Dialect = PLAIN) -> Any:
    """The columns of CSV: a column for each member of a struct, text for lists and bytes.

    Numbers with decimal commas are text, too.
    """
    fields = []
    for field in schema:
        if types.is_struct(field.type):
            inner = [pa.field(f"{field.name}.{each.name}", each.type) for each in field.type]
            fields += list(flat_schema(pa.schema(inner), dialect))
        else:
            flat = _flat_type(field.type)
            text = types.is_floating(flat) and dialect.decimal != "."
            fields.append(pa.field(field.name, pa.string() if text else flat))
    return pa.schema(fields)


def flat(batch: Any, schema: Any, dialect: Dialect = PLAIN) -> Any:
    """A batch with the columns of `flat_schema`; lists are JSON, bytes text or else base64."""
    found = [array for column in batch.columns for array in _flat(column)]
    if dialect.decimal != ".":
        found = [_with_commas(array) if types.is_floating(array.type) else array for array in found]
    return pa.RecordBatch.from_arrays(found, schema=schema)


def _with_commas(numbers: Any) -> Any:
    return compute.replace_substring(compute.cast(numbers, pa.string()), ".", ",")


def _flat(array: Any) -> Iterator[Any]:
    if types.is_struct(array.type):
        for inner in array.flatten():
            yield from _flat(inner)
    elif types.is_dictionary(array.type):
        yield from _flat(compute.cast(array, array.type.value_type))
    elif _is_written(array.type):
        texts = [None if each is None else _text(each) for each in array.to_pylist()]
        yield pa.array(texts, pa.string())
    else:
        yield simple(array)


def flat_structs(table: Any) -> Any:
    """A table with a column for each member of a struct."""
    while any(types.is_struct(field.type) for field in table.schema):
        table = table.flatten()
    return table


def _flat_type(kind: Any) -> Any:
    kind = kind.value_type if types.is_dictionary(kind) else kind
    return pa.string() if _is_written(kind) else usual(bare(kind))


def _is_written(kind: Any) -> bool:
    """Whether values become text here, and not by PyArrow's writer."""
    own = isinstance(kind, pa.BaseExtensionType) or types.is_nested(kind)
    return bool(own or kind_of(kind) == "bytes")


def _text(cell: Any) -> str:
    """What CSV has of bytes, such as an image's, of lists, and of what is in lists."""
    if isinstance(cell, bytes):
        try:
            return cell.decode()
        except UnicodeDecodeError:
            return b64encode(cell).decode()
    if isinstance(cell, list | dict | tuple):
        return orjson.dumps(cell, default=_text).decode()
    return str(cell)


def gathered(
    parts: Storage, names: Sequence[str], target: Storage, to: str, form: str
) -> ClosedFile:
    """Write the rows of parts of the same columns, one at least, into one file, in order.

    It is in a folder, which may be another one. Rows of CSV are not counted. NoRoom where it can't
    be written; nothing of it is left.
    """
    tidy(target, to)
    written = half_written(target, to)
    try:
        with sink_to(written) as sink:
            done = (_groups if form == "parquet" else _lines)(parts, names, sink)
        target.land(written, to)
    finally:
        written.unlink(missing_ok=True)
    return done


def _groups(parts: Storage, names: Sequence[str], sink: Sink) -> ClosedFile:
    from pyarrow import parquet

    with parts.open(names[0]) as opened, parquet.ParquetFile(opened) as file:
        writer = Writer(sink, "parquet", file.schema_arrow)
    for name in names:
        with parts.open(name) as opened, parquet.ParquetFile(opened, pre_buffer=False) as file:
            for group in range(file.num_row_groups):
                for batch in file.read_row_group(group, use_threads=False).to_batches():
                    writer.add(batch)
    return writer.end()


def _lines(parts: Storage, names: Sequence[str], sink: Sink) -> ClosedFile:
    """Copy lines, the header only once."""
    for number, name in enumerate(names):
        with parts.open(name) as file:
            _, header = header_of(file)
        with parts.open(name) as file:
            if number:
                file.seek(header.end)
            shutil.copyfileobj(file, sink, COPIED)
    return sink.written(0)
