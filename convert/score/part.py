"""One part of a table is read, answered and written: the same bytes wherever that is done.

Where a table has what is right, sums say how good the answers are; those of parts are added up.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import types

from onnxlet.convert.errors import shortened
from onnxlet.convert.record_batches.scorer import reasons
from onnxlet.convert.score.errors import BadRows, NoneAnswered, PartFailed
from onnxlet.convert.score.storage import Storage, half_written, storage_of
from onnxlet.convert.score.tasks import ScoreTask, kept_schema, scorer_of, side_schema
from onnxlet.convert.score.writing import ClosedFile, Writer, sink_to
from onnxlet.convert.tables.csv_parts import with_plain_numbers
from onnxlet.convert.tables.formats import UNREADABLE, RowBatch, of_size
from onnxlet.convert.workers.contract import Do, Tick
from onnxlet.function.csv.text import READ
from onnxlet.function.errors import MalformedRequest, ModelError, OnnxletError, Problem, WrongUse
from onnxlet.function.models.model import GRAPH, Model, load_model
from onnxlet.function.monitoring.estimate import kind_of

LOOKED_AT = 300  # rows of a part, before all are answered
SHOWN = 3  # problems of a part that its line keeps
NOT_STOPPING = (
    "Correct it; or --on-error null answers such a row by null, and --on-error side leaves it out."
)
FEWER = "Use fewer --workers, or smaller --batch-rows."
CHANGED = "It was planned as it was before: give the same command again, once nobody writes to it."
Line = dict[str, Any]


def do(task: ScoreTask, model: Model, tick: Tick = lambda rows: None) -> Line:
    """Do one part, all of it or nothing.

    `tick` is called with how many rows have just been answered; what it raises ends the part. The
    part's line in the journal has plain values: `part`, `file`, `rows` that are written, `bad`
    rows, `problems` (the first of them in words), `size` and `sha256` of the file, and `side` with
    `rows`, `size` and `sha256`, or None where no row is bad; and `truths`, the sums of `Truths`,
    where the table has the model's target.

    Raises:
        PartFailed: it can't be read, or written, or has bad rows where these are to stop all.
    """
    source, target = storage_of(task.source), storage_of(task.target)
    part = _Part(task, model, source, target)
    try:
        with ExitStack() as files:
            part.open(files)
            for batch in batches(task, source, part.read):
                part.answer(batch)
                tick(batch.rows.num_rows)
            written, side = part.end()
        # The side file first: a part that is there has all that belongs to it.
        if side is not None:
            target.land(part.side_path, task.side)
        target.land(part.path, task.name)
    finally:
        part.path.unlink(missing_ok=True)
        part.side_path.unlink(missing_ok=True)
    return {
        "part": task.name,
        "file": task.file,
        "rows": written.rows,
        "bad": part.bad,
        "problems": part.shown,
        "size": written.size,
        "sha256": written.sha256,
        "side": None if side is None else side._asdict(),
        **({} if part.truths is None else {"truths": part.truths.sums}),
    }


def check_some_are_answered(tasks: Sequence[ScoreTask], model: Model) -> None:
    """Look at some rows of the first, the middle and the last part before any is answered.

    Raises NoneAnswered where not one of them can be, with what is wrong with all of them, once.
    """
    wrong: dict[str | None, list[str]] = {}
    for at in sorted({0, len(tasks) // 2, len(tasks) - 1}):
        task = tasks[at]
        storage = storage_of(task.source)
        scorer, _ = scorer_of(task, model, storage)
        for batch in islice(batches(task, storage, scorer.needed), 1):
            some = RowBatch(batch.rows.slice(0, LOOKED_AT), batch.faults, batch.number)
            rows, odd = with_plain_numbers(some.rows, task.numbers)
            faults = {n: why for n, why in {**odd, **some.faults}.items() if n < rows.num_rows}
            answered = scorer.answer(rows, faults)
            if len(answered.bad) < rows.num_rows:
                return
            for row, problems in answered.by_row().items():
                for each in problems:
                    said = located(task, some.number(row), each)
                    wrong.setdefault(each.column, []).append(said)
    if not wrong:
        return
    most = max(map(len, wrong.values()))
    listed = "".join(f"\n  {said[0]}" for said in wrong.values() if len(said) == most)
    raise NoneAnswered(
        f"IN: no row can be answered, of {most:,} that were looked at. The first of them:{listed}",
        "Nothing was written.",
    )


def outcome_of(task: ScoreTask, load: Callable[[], Model], tick: Tick) -> Line | PartFailed:
    """Do a part with a model that is loaded for it: its line, or why there is none."""
    try:
        return do(task, load(), tick)
    except PartFailed as error:
        return error.with_traceback(None)
    except OnnxletError as error:
        return PartFailed(error.message, error.hint)
    except MemoryError:
        return PartFailed(f"'{task.file}': no memory", FEWER)


def begin(content: bytes) -> Do:
    """What a process of this machine does: parts, each by a model that it has loaded once."""

    def answer(argument: bytes, tick: Tick) -> Line | PartFailed:
        task: ScoreTask = pickle.loads(argument)  # noqa: S301 - our own
        return outcome_of(task, partial(model_of, task.model, task.graph), tick)

    return answer


_models: dict[str, Model] = {}


def model_of(folder: str, graph: str) -> Model:
    """The model of a version's folder, loaded once in a process, by its graph's SHA-256.

    Raises ModelError where it is missing or altered, also since the scoring began.
    """
    if graph not in _models:
        pa.set_cpu_count(1)  # there are as many processes as cores
        model = load_model(Path(folder))
        if model.manifest["files"][GRAPH] != graph:
            raise ModelError(f"model {folder}: its graph is another one now", "Score again.")
        _models[graph] = model
    return _models[graph]


class _Part:
    """What is read and written of one part."""

    def __init__(self, task: ScoreTask, model: Model, source: Storage, target: Storage) -> None:
        scorer, schema = scorer_of(task, model, source)
        self._task, self._scorer = task, scorer
        self._columns = list(dict.fromkeys([*scorer.needed, *task.options.keep]))
        self.truths = truths_of(model.manifest, schema.names)
        compared = [] if self.truths is None else [self.truths.column]
        self.read = list(dict.fromkeys([*self._columns, *compared]))
        whose = hashlib.sha256(f"{task.target}/{task.name}".encode()).hexdigest()
        self.path = half_written(target, whose[:16])
        self.side_path = half_written(target, f"{whose[:16]}-bad")
        self._kept = kept_schema(schema, task.options.keep)
        self._schema = pa.schema([*self._kept, *scorer.schema], scorer.schema.metadata)
        self._side_schema = side_schema(schema, self._columns, task.format.counted)
        self._side: Writer | None = None
        self.bad, self.shown = 0, list[str]()

    def open(self, files: ExitStack) -> None:
        """Open the file of its answers; the other is opened when a row is bad."""
        self._files = files
        self._writer = self._opened(self.path, self._schema)

    def _opened(self, path: Path, schema: Any) -> Writer:
        return Writer(
            self._files.enter_context(sink_to(path)), self._task.form, schema, self._task.dialect
        )

    def answer(self, batch: RowBatch) -> None:
        """Answer a batch, and write what came of it."""
        plain, odd = with_plain_numbers(batch.rows, self._task.numbers)
        answered = self._scorer.answer(plain, {**odd, **batch.faults})
        if why := answered.by_row():
            self._note(batch, why)
        rows = batch.rows.select(self._kept.names)
        columns = [*rows.columns, *answered.columns.columns]
        whole = pa.RecordBatch.from_arrays(columns, schema=self._schema)
        if self.truths is not None:
            known = plain.column(self.truths.column)
            self.truths.add(answered.columns.column("prediction"), known)
        if answered.bad and self._task.options.on_error == "side":
            good = np.ones(whole.num_rows, bool)
            good[answered.bad] = False
            whole = whole.filter(pa.array(good))
        self._writer.add(whole)

    def _note(self, batch: RowBatch, why: Mapping[int, Sequence[Problem]]) -> None:
        self.bad += len(why)
        where = [located(self._task, batch.number(row), each) for row in why for each in why[row]]
        self.shown += where[: SHOWN - len(self.shown)]
        if self._task.options.on_error == "stop":
            several = "s" * (len(where) > 2)
            beside = f" (and {len(where) - 1} more problem{several} in this part)"
            more = beside if len(where) > 1 else ""
            raise BadRows(f"{where[0]}{more}", NOT_STOPPING)
        if self._side is None:
            self._side = self._opened(self.side_path, self._side_schema)
        rows = batch.rows.take(pa.array(list(why)))
        places = [
            pa.array([self._task.file] * len(why)),
            pa.array([batch.number(row) for row in why], pa.int64()),
            pa.array([reasons(why[row]) for row in why]),
        ]
        cells = [rows.column(name) for name in self._columns]
        self._side.add(pa.RecordBatch.from_arrays([*places, *cells], schema=self._side_schema))

    def end(self) -> tuple[ClosedFile, ClosedFile | None]:
        """What both files have; they can be closed now."""
        return self._writer.end(), None if self._side is None else self._side.end()


def batches(task: ScoreTask, storage: Storage, columns: Sequence[str]) -> Iterator[RowBatch]:
    """A part's rows with some columns; the last batch may be smaller than the others.

    Raises PartFailed where it can't be read, or has changed since it was planned.
    """
    _check_unchanged(task, storage)
    opened, most = partial(storage.open, task.file), task.options.batch_rows
    try:
        yield from of_size(task.format.batches(opened, task.span, task.names, columns, most), most)
    except (MalformedRequest, WrongUse) as error:
        _check_unchanged(task, storage)
        raise PartFailed(f"'{task.file}', {error.message}", error.hint) from error
    except UNREADABLE as error:
        _check_unchanged(task, storage)
        where = f"'{task.file}'{task.format.where(task.span)}"
        raise PartFailed(
            f"{where}: it can't be read: {shortened(error)}", "Is the file whole?"
        ) from error
    _check_unchanged(task, storage)


def _check_unchanged(task: ScoreTask, storage: Storage) -> None:
    now = storage.entry(task.file)
    if now is None or (now.size, now.changed) != (task.size, task.changed):
        what = "is gone" if now is None else "has changed since it was looked at"
        raise PartFailed(f"'{task.file}' {what}", CHANGED)


def located(task: ScoreTask, number: int, problem: Problem) -> str:
    """A problem in words, with its file."""
    mark = ": " if problem.column is None else ", "
    return f"'{task.file}', {task.format.counted} {number}{mark}{reasons([problem])}"


def truths_of(manifest: Mapping[str, Any], names: Sequence[str]) -> Truths | None:
    """What compares a table's own answers, by the model's manifest; None where it has none."""
    target, kind = manifest.get("target", ""), kind_of(manifest)
    return Truths(kind, target) if kind and list(names).count(target) == 1 else None


class Truths:
    """Sums over rows, as plain numbers, of the column that says what is right.

    Of labels, rows and right ones; of numbers, rows, absolute and squared errors, and the mean of
    what is right with its squared distances from that.
    """

    def __init__(self, kind: str, column: str) -> None:
        self.kind, self.column = kind, column
        self.sums = [0.0] * (2 if kind == "labels" else 5)

    def add(self, answers: Any, truths: Any) -> None:
        """Add rows: what is predicted, null where nothing is, and what is right.

        That is null or an empty text where it is not known; text in CSV.
        """
        if types.is_nested(answers.type):
            return
        more = (_of_labels if self.kind == "labels" else _of_numbers)(answers, truths)
        self.sums = combined([self.sums, list(map(float, more))])


def combined(parts: Sequence[Sequence[float]]) -> list[float]:
    """The sums of all parts; means as Chan, Golub and LeVeque (1979) update them."""
    found = np.sum([part[:3] for part in parts], axis=0).tolist()
    if len(parts[0]) == 2 or not found[0]:
        return [*found, *parts[0][3:]]
    mean = sum(part[0] * part[3] for part in parts) / found[0]
    spread = sum(part[4] + part[0] * (part[3] - mean) ** 2 for part in parts)
    return [*found, mean, spread]


def scores(kind: str, sums: Sequence[float]) -> dict[str, float]:
    """By the names that a manifest's metrics have; empty where no row has a truth."""
    rows = sums[0]
    if not rows:
        return {}
    if kind == "labels":
        return {"accuracy": sums[1] / rows}
    found = {"mean_absolute_error": sums[1] / rows}
    return found | ({"r2": 1 - sums[2] / sums[4]} if sums[4] else {})


def _of_numbers(answers: Any, truths: Any) -> Sequence[float]:
    got, right = (_numbers(column) for column in (answers, truths))
    known = np.isfinite(got) & np.isfinite(right)
    error, right = (got - right)[known], right[known]
    mean = float(right.mean()) if len(right) else 0.0
    return [
        len(right), np.abs(error).sum(), np.square(error).sum(), mean, np.square(right - mean).sum()
    ]  # fmt: skip


def _numbers(column: Any) -> Any:
    values = pd.Series(column.to_pylist(), dtype=object)
    return pd.to_numeric(values, errors="coerce").to_numpy(np.float64, na_value=np.nan)


def _of_labels(answers: Any, truths: Any) -> Sequence[float]:
    """A text is read as the answers' type, as in a request of CSV."""
    textual = types.is_string(truths.type) or types.is_large_string(truths.type)
    kind = "bool" if types.is_boolean(answers.type) else "float64"
    read = READ[kind] if textual and not types.is_string(answers.type) else lambda value: value
    pairs = zip(answers.to_pylist(), truths.to_pylist(), strict=True)
    right = [a == read(b) for a, b in pairs if a is not None and b is not None and b != ""]
    return [len(right), sum(right)]
