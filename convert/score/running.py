"""A table is scored: planned, done in parts, put together; and gone on with where it was ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

from onnxlet.convert.progress import Report, advanced, heard
from onnxlet.convert.score import resuming
from onnxlet.convert.score.engines import Engine, engine_of
from onnxlet.convert.score.errors import GO_ON, NoneAnswered, PartFailed, Unfinished
from onnxlet.convert.score.journal import Journal, by_part, journal_of, sums
from onnxlet.convert.score.part import check_some_are_answered, combined, scores
from onnxlet.convert.score.planning import find_files, inspect_files, tasks_of
from onnxlet.convert.score.storage import absolute, storage_of, tidy
from onnxlet.convert.score.tasks import (
    Destination,
    Options,
    ScoreTask,
    check_options,
    directory_of,
    proven,
    target_of,
)
from onnxlet.convert.score.writing import gathered
from onnxlet.convert.tables.csv_notes import notes
from onnxlet.function.models.model import GRAPH, Model
from onnxlet.function.monitoring.estimate import kind_of

Line = dict[str, Any]
SHOWN = 5  # parts that failed, and problems of bad rows
STEPS = 1000  # of the bar
EVERY = 10.0  # seconds between two lines of progress, where nothing shows a bar


@dataclass(frozen=True, repr=False)
class Scored:
    """What was written. Notebooks show it.

    Attributes:
        out: a file, or a folder of parts; a path or an address, as it was given.
        rows: in it.
        bad: rows that could not be answered.
        problems: why, the first of them in words.
        side: where bad rows stand with their reasons; None where there are none.
        parts: that there are.
        already: of them, those that were done before.
        target: the column of IN that says what is right; None where there is none.
        compared: rows that have it, and an answer.
        scores: how good the answers to these are, by the names of the manifest's metrics.
        at_build: the manifest's own.
    """

    out: str
    rows: int
    bad: int
    problems: tuple[str, ...]
    side: str | None
    parts: int
    already: int
    target: str | None = None
    compared: int = 0
    scores: Mapping[str, float] = field(default_factory=dict)
    at_build: Mapping[str, float] = field(default_factory=dict)

    @property
    def none_answered(self) -> bool:
        """There are rows, and no answer to any."""
        return self.bad > 0 and self.rows in (0, self.bad)

    def lines(self) -> list[str]:
        """What a reader wants to know."""
        said = "already " if self.already == self.parts else ""
        if self.none_answered:
            lines = [f"none of {self.bad:,} rows could be answered: {self.out}"]
        else:
            lines = [f"{self.rows:,} rows {said}scored: {self.out}"]
        for name, value in self.scores.items():
            built = f" ({self.at_build[name]:.6g} at build)" if name in self.at_build else ""
            rows = f"{self.compared:,} row{'s' * (self.compared > 1)} with '{self.target}'"
            lines.append(f"  {name.replace('_', ' ')}: {value:.6g}{built}, on {rows}")
        if not self.bad:
            return lines
        rows = "row" if self.bad == 1 else "rows"
        lines.append(f"{self.bad:,} {rows} could not be answered: {self.side}")
        more = ["  …"] if self.bad > len(self.problems) else []
        return [*lines, *(f"  {each}" for each in self.problems), *more]

    def __repr__(self) -> str:
        return "\n".join(self.lines())

    def _repr_html_(self) -> str:
        return "<br>".join(f"<span>{escape(line)}</span>" for line in self.lines())


def score(
    model: str,
    source: str,
    out: str,
    options: Options,
    *,
    models: Path = Path("models"),
    workers: int = 0,
    overwrite: bool = False,
    report: Report = lambda line: None,
    engine: Engine | None = None,
    scheduler: str | None = None,
) -> Scored:
    """Score a table, or go on with one.

    The model is the folder of a version or of a model, or a name in `models`; the source a file or
    a folder of CSV or Parquet, and `out` a file with such a suffix or a folder; either may be an
    address in S3. `workers` are processes, 0 is one for each core; `engine` does parts elsewhere,
    `scheduler` is the address of a Dask scheduler whose workers do. `overwrite` starts afresh where
    something else was scored into `out`. `report` is called with a line of progress at a time.

    Raises:
        WrongUse: there is no such model or table, the table does not fit it, or `out` holds
            something else.
        Unfinished: some parts could not be done; the same call goes on.
    """
    given, source, out = out.rstrip("/") or out, absolute(source), absolute(out)
    chosen = proven(directory_of(model, models))
    check_options(chosen, options)
    storage, entries, others = find_files(source)
    target = target_of(out, source, entries[0].path)._replace(out=given)
    if others:
        some = ", ".join(others[:SHOWN])
        report(f"note: left out, by their names: {some}{' …' * (len(others) > SHOWN)}")
    files = inspect_files(storage, entries, chosen, options)
    for each in files[:SHOWN]:
        form, path = each.columns.form, each.entry.path
        for note in [] if form is None else [*notes(form, path), *each.notes]:
            report(f"note: {note}")
    with journal_of(storage_of(target.work), ours=target.file is not None) as journal:
        graph = chosen.manifest["files"][GRAPH]
        tasks = tasks_of(
            files, storage, model=str(chosen.directory), graph=graph, options=options,
            target=target.work, form=target.form, dialect=files[0].dialect,
        )  # fmt: skip
        head = resuming.head_of(source, files, tasks, chosen, options)
        resuming.check(journal, head, target, overwrite)
        if scheduler is not None:
            from onnxlet.convert.score.on_cluster import on_cluster  # few have one

            engine = partial(on_cluster, scheduler)
        run = _Run(tasks, chosen, journal, target, report)
        try:
            already = run.finish(engine, workers)
        except NoneAnswered:
            journal.end()  # nothing was written, and nothing is to stay
            raise
        return run.scored(already)


@dataclass(frozen=True)
class _Run:
    """What is done and written: all parts, of which some may be done already."""

    tasks: Sequence[ScoreTask]
    model: Model
    journal: Journal
    target: Destination
    report: Report

    def finish(self, engine: Engine | None, workers: int) -> int:
        """Do what is left, and put it together; how many parts were done already."""
        tasks, journal, target = self.tasks, self.journal, self.target
        work = storage_of(target.work)
        if resuming.is_whole(journal, target):  # a kill has left the rest
            resuming.remove_parts(tasks, work)
            journal.end()
            return len(tasks)
        left = resuming.remaining_tasks(tasks, journal, work, self.report)
        already = len(tasks) - len(left)
        if left and not already:
            check_some_are_answered(left, self.model)
        if left:
            parts = f"{len(tasks):,} part{'s' * (len(tasks) > 1)}"
            going_on = f"going on: {already:,} of {parts} are done"
            self.report(going_on if already else f"scoring {parts}")
            try:
                self._do(left, engine or engine_of(workers, len(left)))
            finally:
                tidy(work)
        if target.file is not None:
            self.report("putting the parts together")
            self._put_together(target.file)
        elif left or not journal.lines:
            journal.add({"done": True})
        return already

    def _do(self, left: Sequence[ScoreTask], engine: Engine) -> None:
        """Do the parts that are left, and note each as soon as it is done.

        Raises Unfinished where some failed, or it was interrupted.
        """
        rate = Rate(self.tasks, left, self.journal.lines, self.report)
        outcomes, failed = engine(left, rate.rows), list[PartFailed]()
        try:
            for outcome in outcomes:
                if isinstance(outcome, PartFailed):
                    failed.append(outcome)
                    if outcome.stops:
                        break
                else:
                    self.journal.add(outcome)
                    rate.done(outcome)
        except KeyboardInterrupt:
            raise Unfinished(f"interrupted: {self._state()}", GO_ON) from None
        finally:
            if hasattr(outcomes, "close"):
                outcomes.close()
        if not failed:
            return
        if failed[-1].stops:
            raise Unfinished(f"{failed[-1].message}\n{self._state()}", failed[-1].hint)
        listed = "".join(f"\n  {each.message}" for each in failed[:SHOWN])
        more = f"\n  and {len(failed) - SHOWN} more" if len(failed) > SHOWN else ""
        hints = " ".join(dict.fromkeys(each.hint for each in failed if each.hint))
        said = f"{len(failed)} of {len(self.tasks)} parts could not be done:{listed}{more}"
        raise Unfinished(said, f"{hints} {GO_ON}")

    def _state(self) -> str:
        rows, _ = sums(self.journal.lines)
        done = len(by_part(self.journal.lines))
        return f"{done:,} of {len(self.tasks):,} parts are done ({rows:,} rows)"

    def _put_together(self, file: str) -> None:
        target, lines = self.target, by_part(self.journal.lines)
        work, folder = storage_of(target.work), storage_of(target.folder)
        if sides := [task.side for task in self.tasks if lines[task.name]["side"] is not None]:
            gathered(work, sides, folder, target.side_name, target.form)
        whole = gathered(work, [task.name for task in self.tasks], folder, file, target.form)
        self.journal.add({"done": True, "size": whole.size, "sha256": whole.sha256})
        # A kill here leaves some, until the same command comes.
        resuming.remove_parts(self.tasks, work)
        self.journal.end()

    def scored(self, already: int) -> Scored:
        """What is there now, of which so many parts were there before."""
        target, manifest = self.target, self.model.manifest
        rows, bad = sums(self.journal.lines)
        by_name = by_part(self.journal.lines)
        lines = [by_name[task.name] for task in self.tasks]
        problems = [each for line in lines for each in line["problems"]]
        side = target.side if bad else None
        shown = Scored(target.out, rows, bad, tuple(problems[:SHOWN]), side, len(lines), already)
        compared = [line["truths"] for line in lines if "truths" in line]
        if not compared:
            return shown
        total = combined(compared)
        at_build = {name: pair["model"] for name, pair in (manifest["metrics"] or {}).items()}
        return replace(
            shown, target=manifest["target"], compared=int(total[0]),
            scores=scores(kind_of(manifest), total), at_build=at_build,
        )  # fmt: skip


class Rate:
    """Reports parts, rows a second and the time left: to whoever listens, else now and then a line.

    Of all tasks some are left to do now; the others' lines are in the journal.
    """

    def __init__(
        self,
        tasks: Sequence[ScoreTask],
        left: Sequence[ScoreTask],
        lines: Sequence[Mapping[str, Any]],
        report: Report = lambda line: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock, self._began = clock, clock()
        self._report, self._reported = report, self._began
        self._parts, self._parts_before = len(tasks), len(tasks) - len(left)
        self._parts_done = self._parts_before
        self._weights = {task.name: task.span.weight for task in left}
        self._total = max(1, sum(task.span.weight for task in tasks))
        self._before = self._total - sum(self._weights.values())
        self._done = self._rows = 0

    def rows(self, count: int) -> None:
        """Some more rows are answered."""
        self._rows += count
        self._say()

    def done(self, line: Mapping[str, Any]) -> None:
        """A part is done."""
        self._done += self._weights.get(line["part"], 0)
        self._parts_done += 1
        self._say()
        if not heard() and self._clock() - self._reported >= EVERY and self._parts_left:
            self._report(self.words())
            self._reported = self._clock()

    @property
    def _parts_left(self) -> int:
        return self._parts - self._parts_done

    def _say(self) -> None:
        advanced(self.words(), STEPS * (self._before + self._done) // self._total, STEPS)

    def words(self) -> str:
        """The part, rows a second, and the time left."""
        seconds = max(self._clock() - self._began, 1e-9)
        part = f"part {min(self._parts_done + 1, self._parts):,} of {self._parts:,}, "
        said = part * (self._parts > 1) + f"{self._rows / seconds:,.0f} rows a second"
        if self._done:
            rest = self._total - self._before - self._done
            said += f", {lasting(seconds * rest / self._done)} left"
        return said + f"; {self._parts_before:,} were there" * bool(self._parts_before)


def lasting(seconds: float) -> str:
    """A time in words: 40 s, 3 min, 1 h 20 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
