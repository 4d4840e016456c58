"""What one part of a table is, in plain values: all that a worker anywhere has to know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

OnError = Literal["null", "stop", "side"]
BAD = "_bad"  # the folder of side files: readers of Parquet skip what begins so


@dataclass(frozen=True)
class Options:
    """How a table is answered."""

    keep: tuple[str, ...] = ()  # columns that are passed through
    # A row that can't be answered is null, stops all, or only stands aside.
    on_error: OnError = "null"
    coverage: float | None = None  # of intervals or sets; None asks for none
    explain: bool = False  # add what each column adds to each answer
    k: int | None = None  # how many nearest are wanted; None leaves it to the model
    batch_rows: int = 10_000  # that are run together


@dataclass(frozen=True)
class Task:
    """One part: where it is read, how it is answered, and where that is written."""

    name: str  # of the file that is written, below `target`, with '/' between folders
    source: str  # the place that is read: an absolute path, or an address in S3
    file: str  # below it
    kind: Literal["csv", "csv.gz", "parquet"]
    size: int  # of that file in bytes, as it was planned
    changed: int  # its time in nanoseconds, likewise
    start: int  # the first row group; of CSV the first byte
    end: int  # behind the last one
    first: int  # the number of the first row, from 0; of CSV that of its line, from 1
    names: tuple[str, ...]  # in the header of CSV
    weight: int  # its share of the work, in the unit of the others': bytes or rows
    model: str  # the folder of the version
    graph: str  # SHA-256 of its graph
    options: Options
    target: str  # the place that is written
    form: Literal["csv", "parquet"]  # of the file that is written

    @property
    def side(self) -> str:
        """The file of its rows that can't be answered, below `target`."""
        return f"{BAD}/{self.name}"
