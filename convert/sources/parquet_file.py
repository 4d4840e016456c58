"""Rows of a Parquet file, some at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pandas as pd

SOME_ROWS = 100_000


class Parts(NamedTuple):
    """A Parquet file that is open.

    Attributes:
        rows: in the file.
        names: of its columns.
        frames: of pandas, in order, each with an index from 0; one at least.
    """

    rows: int
    names: list[str]
    frames: Iterator[pd.DataFrame]


@contextmanager
def parquet_parts(path: Path) -> Iterator[Parts]:
    """Open a Parquet file."""
    from pyarrow import parquet  # which only tables need: `make run` does without

    with parquet.ParquetFile(path, pre_buffer=False) as opened:
        batches = opened.iter_batches(SOME_ROWS)
        frames = (batch.to_pandas(timestamp_as_object=False) for batch in batches)
        every = (frame.reset_index(drop=frame.index.name is None) for frame in frames)
        empty = iter([opened.schema_arrow.empty_table().to_pandas()])
        rows = opened.metadata.num_rows
        yield Parts(rows, list(opened.schema_arrow.names), every if rows else empty)


def read_parquet(path: Path) -> pd.DataFrame:
    """All rows of a Parquet file."""
    with parquet_parts(path) as parts:
        frames = list(parts.frames)
    return pd.concat(frames, ignore_index=True) if len(frames) != 1 else frames[0]
