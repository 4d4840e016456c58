"""How a table is answered: options, its parts, all of plain values, and where answers go."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal, NamedTuple

from onnxlet.convert.score.storage import S3, split
from onnxlet.convert.tables.formats import FORMATS, Span, TableFormat, format_of
from onnxlet.function.errors import WrongUse

OnError = Literal["null", "stop", "side"]
BAD = "_bad"  # the folder of side files: readers of Parquet skip what begins so
ELSEWHERE = "Name another one."
LONGEST = 8  # characters of a suffix, with its dot: a folder may have a longer one, or a number


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
    kind: str  # the name of its format
    size: int  # of that file in bytes, as it was planned
    changed: int  # its time in nanoseconds, likewise
    span: Span  # which of its rows
    names: tuple[str, ...]  # in the header of CSV
    model: str  # the folder of the version
    graph: str  # SHA-256 of its graph
    options: Options
    target: str  # the place that is written
    form: Literal["csv", "parquet"]  # of the file that is written

    @property
    def format(self) -> TableFormat:
        """What reads that file."""
        return FORMATS[self.kind]

    @property
    def side(self) -> str:
        """The file of its rows that can't be answered, below `target`."""
        return f"{BAD}/{self.name}"


class Target(NamedTuple):
    """Where answers go."""

    out: str  # as messages have it
    work: str  # the folder of the parts and of the journal
    form: Literal["csv", "parquet"]  # of what is written
    folder: str  # that a file is in; of a folder itself
    file: str | None  # its name, where OUT is one file

    @property
    def side_name(self) -> str:
        """Of the file of bad rows, where OUT is one file."""
        return f"{BAD}_{self.file}"

    @property
    def side(self) -> str:
        """Where bad rows are."""
        if self.file is None:
            return f"{self.out}/{BAD}"
        return f"{self.out.removesuffix(self.file)}{self.side_name}"


def target_of(out: str, source: str, first: str) -> Target:
    """Where answers go, and in the form of the first file that is read if OUT is a folder.

    Raises WrongUse where it can't be written, or would be read by the next scoring.
    """
    here, there = _real(out), _real(source)
    if here == there or here.startswith(f"{there}/") or there.startswith(f"{here}/"):
        raise WrongUse(
            f"OUT: '{out}' is in IN, or IN in it: the next scoring would read answers", ELSEWHERE
        )
    folder, name = split(out)
    if S3.match(out) and not S3.match(folder):
        raise WrongUse(f"OUT: expected s3://bucket/prefix, got '{out}'", ELSEWHERE)
    suffix, form = PurePosixPath(name).suffix, format_of(name)
    odd = bool(suffix) and len(suffix) <= LONGEST and not suffix[1:].isdecimal()
    if form.packed if form else odd:
        raise WrongUse(
            f"OUT: expected a file .csv or .parquet, or a folder, got '{name}'", ELSEWHERE
        )
    if form is None:
        read = format_of(first)
        return Target(out, out, read.written if read else "csv", out, None)
    return Target(out, f"{folder}/_{name}", form.written, folder, name)


def _real(given: str) -> str:
    """The same words for the same place: `..` and links can lead from OUT to IN."""
    return S3.sub("s3://", given) if S3.match(given) else os.path.realpath(given).rstrip("/")
