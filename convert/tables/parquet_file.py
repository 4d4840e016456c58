"""Rows of a Parquet file, some at a time, none of which unpacks to more than it may."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import compute, parquet, types

from onnxlet.convert.tables.limits import LIMITS, Limits
from onnxlet.function.errors import WrongUse

SOME_ROWS = 100_000
BATCH_BYTES = 1 << 25  # of columns that are read together
HELD_CELLS = 200_000_000  # of a table that is held whole
TEXTUAL = (types.is_string, types.is_large_string, types.is_binary, types.is_large_binary)
FEWER = "Give fewer rows, or columns; to score, smaller --batch-rows."


class ParquetRows:
    """A Parquet file that is open.

    A text that stands in a dictionary once takes its size again in every row that has it: it is
    read as it is stored, and written out when it is known what that takes.

    Attributes:
        schema: of its columns.
        about: its metadata.
    """

    def __init__(self, file: Any, schema: Any, place: str, limits: Limits) -> None:
        self._file, self._place, self._limits = file, place, limits
        self.schema, self.about = schema, file.metadata

    def batches(
        self, most: int, groups: Sequence[int] | None = None, columns: Sequence[str] | None = None
    ) -> Iterator[Any]:
        """Record batches of so many rows at most, of some row groups and columns, or of all.

        WrongUse where texts are larger than they may be.
        """
        read = range(self.about.num_row_groups) if groups is None else groups
        about = [self.about.row_group(number) for number in read]
        size, rows = (sum(getattr(a, n) for a in about) for n in ("total_byte_size", "num_rows"))
        at_once = max(1, min(most, BATCH_BYTES * rows // max(size, 1)))
        found = self._file.iter_batches(
            at_once, list(read), columns=columns and list(columns), use_threads=False
        )
        return map(self._written_out, found)

    def _written_out(self, batch: Any) -> Any:
        fields = pa.schema(list(map(self.schema.field, batch.schema.names)))
        stored = [
            types.is_dictionary(column.type) and not types.is_dictionary(field.type)
            for column, field in zip(batch.columns, fields, strict=True)
        ]
        sizes = np.zeros(batch.num_rows, np.int64)
        for column in (each for each, text in zip(batch.columns, stored, strict=True) if text):
            lengths = compute.binary_length(column.dictionary).cast(pa.int64())
            sizes += compute.fill_null(compute.take(lengths, column.indices), 0).to_numpy(False)
        if sizes.max(initial=0) > self._limits.row or sizes.sum() > self._limits.held:
            raise WrongUse(
                f"{self._place}expected rows with at most {self._limits.row:,} bytes of text, and "
                f"{self._limits.held:,} of {len(sizes):,} rows together, got {sizes.max():,} and "
                f"{sizes.sum():,}",
                FEWER,
            )
        columns = [
            column.dictionary_decode().cast(field.type) if text else column
            for column, field, text in zip(batch.columns, fields, stored, strict=True)
        ]
        return pa.record_batch(columns, schema=fields)


@contextmanager
def parquet_rows(
    source: Any, size: int, place: str, limits: Limits = LIMITS
) -> Iterator[ParquetRows]:
    """Open a Parquet file of so many bytes: a path, or a file of PyArrow's.

    The place begins messages, such as "DATA: 'rows.parquet': ". WrongUse where by its own account
    it has too many columns, or unpacks to too much.
    """
    with parquet.ParquetFile(source, pre_buffer=False) as plain:
        schema, about = plain.schema_arrow, plain.metadata
        limits.check_columns(len(schema.names), place)
        groups = map(about.row_group, range(about.num_row_groups))
        limits.check_unpacked(sum(group.total_byte_size for group in groups), size, place)
        texts = [field.name for field in schema if any(is_(field.type) for is_ in TEXTUAL)]
        with parquet.ParquetFile(
            source, metadata=about, pre_buffer=False, read_dictionary=texts
        ) as file:
            yield ParquetRows(file, schema, place, limits)


@contextmanager
def parquet_parts(
    path: Path, what: str, kept: int | None = None, limits: Limits = LIMITS
) -> Iterator[tuple[list[str], Iterator[pd.DataFrame]]]:
    """Open a Parquet file whose rows are kept, all of them or a sample of so many.

    Gives the names of its columns, and its frames of pandas, in order, each with an index from 0;
    one at least. WrongUse where they would take too much memory; also from the frames.
    """
    place, size = f"{what}: '{path.name}': ", path.stat().st_size
    with parquet_rows(path, size, place, limits) as opened:
        rows, names = opened.about.num_rows, list(opened.schema.names)
        if kept is None and rows * len(names) > HELD_CELLS:
            got = f"got {rows:,} rows of {len(names):,} columns"
            raise WrongUse(f"{place}expected at most {HELD_CELLS:,} cells, {got}", FEWER)
        share = min(1.0, (rows if kept is None else kept) / max(rows, 1))

        def frames() -> Iterator[pd.DataFrame]:
            held = 0.0
            for batch in opened.batches(SOME_ROWS):
                held += share * batch.nbytes
                if held > limits.held:
                    limits.check_unpacked(int(held), size, place)
                frame = batch.to_pandas(timestamp_as_object=False)
                yield frame.reset_index(drop=frame.index.name is None)

        empty = iter([opened.schema.empty_table().to_pandas()])
        yield names, frames() if rows else empty


def read_parquet(path: Path, what: str) -> pd.DataFrame:
    """All rows of a Parquet file; WrongUse where they would take too much memory."""
    with parquet_parts(path, what) as (_, parts):
        frames = list(parts)
    return pd.concat(frames, ignore_index=True) if len(frames) != 1 else frames[0]
