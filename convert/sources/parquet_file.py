"""Rows of a Parquet file, some at a time, by whichever reader is installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from onnxlet.function.errors import WrongUse

READERS = ("pyarrow", "fastparquet", "polars")
SOME_ROWS = 100_000


class Parts(NamedTuple):
    """A Parquet file that is open.

    Attributes:
        rows: in the file.
        names: of its columns.
        frames: of pandas, in order, each with an index from 0; or one of polars.
    """

    rows: int
    names: list[str]
    frames: Iterator[Any]


@contextmanager
def parquet_parts(path: Path, name: str, what: str) -> Iterator[Parts]:
    """Open a Parquet file.

    Args:
        path: of the file.
        name: it has in messages.
        what: the rows are called in messages, such as --data.

    Raises:
        WrongUse: nothing that is installed reads Parquet.
    """
    reader = next((name for name in READERS if importlib.util.find_spec(name)), None)
    if reader is None:
        raise WrongUse(
            f"{what}: '{name}' needs a Parquet reader",
            "pip install fastparquet, or pyarrow, or polars.",
        )
    with path.open("rb") as file:
        yield {"pyarrow": _pyarrow, "fastparquet": _fastparquet, "polars": _polars}[reader](file)


def read_parquet(path: Path, name: str, what: str) -> Any:
    """All rows of a Parquet file: a frame of pandas, or of polars where only that reads it.

    Raises:
        WrongUse: nothing that is installed reads Parquet.
    """
    with parquet_parts(path, name, what) as parts:
        frames = list(parts.frames)
    return pd.concat(frames, ignore_index=True) if len(frames) != 1 else frames[0]


def _pyarrow(file: Any) -> Parts:
    from pyarrow import parquet

    opened = parquet.ParquetFile(file)
    batches = opened.iter_batches(SOME_ROWS)
    frames = (batch.to_pandas(timestamp_as_object=False) for batch in batches)
    every = (frame.reset_index(drop=frame.index.name is None) for frame in frames)
    empty = iter([opened.schema_arrow.empty_table().to_pandas()])
    rows = opened.metadata.num_rows
    return Parts(rows, list(opened.schema_arrow.names), every if rows else empty)


def _fastparquet(file: Any) -> Parts:
    # pandas' engine of this name is deprecated; its own interface is not.
    from fastparquet import ParquetFile

    opened = ParquetFile(file)
    rows = int(opened.count())
    groups = opened.iter_row_groups(index=False) if rows else iter([opened.to_pandas(index=False)])
    return Parts(rows, [str(name) for name in opened.columns], groups)


def _polars(file: Any) -> Parts:
    import polars

    frame = polars.read_parquet(file)
    return Parts(frame.height, list(frame.columns), iter([frame]))
