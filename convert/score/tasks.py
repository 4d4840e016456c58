"""How a table is answered: its options, model and parts, all of plain values; where answers go.

A model is proven on this machine before it answers.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Literal, NamedTuple

import pyarrow as pa

from onnxlet.convert.problems import close_to
from onnxlet.convert.record_batches.scorer import AnswerOptions, Scorer, any_types
from onnxlet.convert.score import OnError
from onnxlet.convert.score.storage import S3, Storage, split
from onnxlet.convert.score.writing import PLAIN, Dialect
from onnxlet.convert.tables.csv_parts import Written
from onnxlet.convert.tables.formats import Span, TableFormat, format_for, format_of
from onnxlet.function.csv.form import CsvForm
from onnxlet.function.errors import ModelError, WrongUse
from onnxlet.function.models.aliases import file_of, read, serves
from onnxlet.function.models.model import Model
from onnxlet.function.models.repository import NAME, versions_in
from onnxlet.function.serving.golden import load_proven
from onnxlet.function.settings import pins_of

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
    unusual: bool = False  # mark rows that are unlike the training rows
    batch_rows: int = 10_000  # that are run together
    # What stands before decimals in files of CSV that leave it open.
    decimal: Literal["point", "comma"] | None = None
    sheet: str = ""  # of workbooks, or cells of one; "" is the first table


@dataclass(frozen=True)
class ScoreTask:
    """One part: where it is read, how it is answered, and where that is written."""

    name: str  # of the file that is written, below `target`, with '/' between folders
    source: str  # the place that is read: an absolute path, or an address in S3
    file: str  # below it
    kind: str  # the name of its format
    size: int  # of that file in bytes, as it was planned
    changed: int  # its time in nanoseconds, likewise
    span: Span  # which of its rows
    csv: CsvForm | None  # how it is written, where it is CSV that is not plain
    numbers: tuple[Written, ...]  # of columns whose numbers are not written as plain CSV has them
    names: tuple[str, ...]  # in the header of CSV
    model: str  # the folder of the version
    graph: str  # SHA-256 of its graph
    options: Options
    target: str  # the place that is written
    form: Literal["csv", "parquet"]  # of the file that is written
    dialect: Dialect = PLAIN  # of it, where that is CSV

    @property
    def format(self) -> TableFormat:
        """What reads that file."""
        return format_for(self.kind, self.csv, self.options.sheet)

    @property
    def side(self) -> str:
        """The file of its rows that can't be answered, below `target`."""
        return f"{BAD}/{self.name}"


class Destination(NamedTuple):
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


def target_of(out: str, source: str, first: str) -> Destination:
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
    if not S3.match(out) and not Path(folder).is_dir():
        raise WrongUse(
            f"OUT: there is no folder '{folder}' for '{name}'", "Is it spelt so? Make it."
        )
    suffix, form = PurePosixPath(name).suffix, format_of(name)
    odd = bool(suffix) and len(suffix) <= LONGEST and not suffix[1:].isdecimal()
    if form.packed if form else odd:
        raise WrongUse(
            f"OUT: expected a file .csv or .parquet, or a folder, got '{name}'", ELSEWHERE
        )
    if form is None:
        read = format_of(first)
        return Destination(out, out, read.written if read else "csv", out, None)
    return Destination(out, f"{folder}/_{name}", form.written, folder, name)


def _real(given: str) -> str:
    """The same words for the same place: `..` and links can lead from OUT to IN."""
    return S3.sub("s3://", given) if S3.match(given) else os.path.realpath(given).rstrip("/")


def directory_of(given: str, models: Path) -> Path:
    """The folder of a version: that very one, a model's, whose served version it is, or a name.

    Names are looked for in `models`.

    Raises:
        WrongUse: there is no such model.
        ModelError: its aliases can't be used.
    """
    for path in (Path(given), models / given if NAME.fullmatch(given) else None):
        if path is None:
            continue
        if (path / "manifest.json").is_file():
            return path.absolute()
        if versions := versions_in(path):
            home = path.absolute()
            aliases = read(file_of([home.parent], home.name), versions)
            pin = pins_of(os.environ.get("ONNXLET_SERVE", ""), []).get(home.name)
            return home / str(serves(home.name, versions, aliases, pin))
    there = sorted(path.name for path in models.glob("*") if versions_in(path))
    close = close_to(given, there)  # it lists a few where nothing is close
    listed = f" In '{models}': {close}" if there else f" There is no model in '{models}'."
    raise WrongUse(
        f"MODEL: there is no model '{given}'", f"Expected DIR/N/V, DIR/N, or a name.{listed}"
    )


def proven(directory: Path) -> Model:
    """A version whose golden rows are answered here as at build.

    Raises ModelError where a file is missing or altered, or an answer is another one.
    """
    model, _, faults = load_proven(directory)
    if faults:
        raise ModelError(
            f"model {model.name}/{model.version} answers otherwise on this machine: "
            f"{'; '.join(faults[:3])}",
            "onnxlet verify shows the same; its ONNX Runtime differs from the one that built it.",
        )
    return model


def answer_options(options: Options) -> AnswerOptions:
    """What is wanted beside predictions."""
    return AnswerOptions(options.coverage, options.explain, options.k, options.unusual)


def check_options(model: Model, options: Options) -> None:
    """Raise WrongUse where a model has not what is wanted beside predictions."""
    Scorer(model, any_types(model), answer_options(options))


def scorer_of(task: ScoreTask, model: Model, storage: Storage) -> tuple[Scorer, Any]:
    """What answers a part, and the schema of its file."""
    schema = task.format.schema(partial(storage.open, task.file), task.names)
    return Scorer(model, schema, answer_options(task.options)), schema


def kept_schema(schema: Any, keep: Sequence[str]) -> Any:
    """The columns that are passed through."""
    return pa.schema([schema.field(name) for name in keep])


def side_schema(schema: Any, columns: Sequence[str], counted: str) -> Any:
    """The columns of a side file: where a row stands, why it is there, and its cells.

    Its number counts rows or lines.
    """
    places = [
        pa.field("_file", pa.string()),
        pa.field(f"_{counted}", pa.int64()),
        pa.field("_reason", pa.string()),
    ]
    return pa.schema([*places, *(schema.field(name) for name in columns)])


def faults_of(schema: Any, model: Model, options: Options) -> list[str]:
    """Why a file of this schema can't be answered; empty where it can."""
    faults = []
    twice = sorted({name for name in schema.names if schema.names.count(name) > 1})
    if twice:
        return [f"columns {twice} stand there more than once"]
    try:
        answers = set(Scorer(model, schema, answer_options(options)).schema.names)
    except WrongUse as error:
        faults.append(error.message)
        answers = set()
    for name in options.keep:
        if name not in schema.names:
            faults.append(f"--keep: there is no column '{name}'. {close_to(name, schema.names)}")
        elif name in answers:
            faults.append(f"--keep: the answers have a column '{name}', too")
    return faults
