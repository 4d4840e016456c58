"""What one part of a table is, in plain values: all that a worker anywhere has to know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

OnError = Literal["null", "stop", "side"]
BAD = "_bad"  # the folder of side files: readers of Parquet skip what begins so


@dataclass(frozen=True)
class Options:
    """How a table is answered.

    Attributes:
        keep: columns that are passed through.
        on_error: a row that can't be answered is null, stops all, or only stands aside.
        coverage: of intervals or sets; None asks for none.
        explain: add what each column adds to each answer.
        k: how many nearest are wanted; None leaves it to the model.
        batch_rows: that are run together.
    """

    keep: tuple[str, ...] = ()
    on_error: OnError = "null"
    coverage: float | None = None
    explain: bool = False
    k: int | None = None
    batch_rows: int = 10_000


@dataclass(frozen=True)
class Task:
    """One part: where it is read, how it is answered, and where that is written.

    Attributes:
        name: of the file that is written, below `target`, with '/' between folders.
        source: the place that is read: an absolute path, or an address in S3.
        file: below it.
        kind: of that file.
        size: of that file in bytes, and `changed`, its time in nanoseconds: as it was planned.
        start: the first row group; of CSV the first byte.
        end: behind the last one.
        first: the number of the first row, from 0; of CSV that of its line, from 1.
        names: in the header of CSV.
        weight: its share of the work, in the same unit as that of others: bytes or rows.
        model: the folder of the version.
        graph: SHA-256 of its graph.
        options: how it is answered.
        target: the place that is written.
        form: of the file that is written.
    """

    name: str
    source: str
    file: str
    kind: Literal["csv", "csv.gz", "parquet"]
    size: int
    changed: int
    start: int
    end: int
    first: int
    names: tuple[str, ...]
    weight: int
    model: str
    graph: str
    options: Options
    target: str
    form: Literal["csv", "parquet"]

    @property
    def side(self) -> str:
        """The file of its rows that can't be answered, below `target`."""
        return f"{BAD}/{self.name}"
