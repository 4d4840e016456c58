"""A table is scored: planned, done in parts, put together; and gone on with where it was ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from pathlib import Path
from typing import Any

from onnxlet.convert.score import resuming
from onnxlet.convert.score.errors import GO_ON, PartFailed, Unfinished
from onnxlet.convert.score.gathering import gathered
from onnxlet.convert.score.journal import Journal, by_part, journal_of, sums
from onnxlet.convert.score.models import directory_of, proven
from onnxlet.convert.score.places import absolute, place_of, tidy
from onnxlet.convert.score.planning import found_in, looked_at, tasks_of
from onnxlet.convert.score.processes import Engine, engine_of
from onnxlet.convert.score.rate import Rate
from onnxlet.convert.score.tables import check_wanted
from onnxlet.convert.score.target import Target, target_of
from onnxlet.convert.score.tasks import Options, Task
from onnxlet.convert.score.truths import combined, scores
from onnxlet.function.models.model import GRAPH
from onnxlet.function.monitoring.performance import kind_of

Report = Callable[[str], object]
Line = dict[str, Any]
SHOWN = 5  # parts that failed, and problems of bad rows


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

    def lines(self) -> list[str]:
        """What a reader wants to know."""
        said = "already " if self.already == self.parts else ""
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

    Args:
        model: the folder of a version or of a model, or a name in `models`.
        source: a file or a folder of CSV or Parquet, or an address in S3.
        out: a file with such a suffix, or a folder; or an address in S3.
        options: how each part is answered.
        models: the folder of model directories.
        workers: processes; 0 is one for each core.
        overwrite: start afresh where something else was scored into `out`.
        report: called with a line of progress at a time.
        engine: does parts elsewhere than on this machine.
        scheduler: address of a Dask scheduler, whose workers do parts instead.

    Raises:
        WrongUse: there is no such model or table, the table does not fit it, or `out` holds
            something else.
        Unfinished: some parts could not be done; the same call goes on.
    """
    given, source, out = out.rstrip("/") or out, absolute(source), absolute(out)
    chosen = proven(directory_of(model, models))
    check_wanted(chosen, options)
    place, entries, others = found_in(source)
    target = target_of(out, source, entries[0].path)._replace(out=given)
    if others:
        some = ", ".join(others[:SHOWN])
        report(f"note: left out, by their names: {some}{' …' * (len(others) > SHOWN)}")
    files = looked_at(place, entries, chosen, options)
    with journal_of(place_of(target.work)) as journal:
        graph = chosen.manifest["files"][GRAPH]
        tasks = tasks_of(
            files, place, model=str(chosen.directory), graph=graph, options=options,
            target=target.work, form=target.form,
        )  # fmt: skip
        head = resuming.head_of(source, files, tasks, chosen, options)
        resuming.check(journal, head, target, overwrite)
        if scheduler is not None:
            from onnxlet.convert.score.on_cluster import OnCluster  # few have one

            engine = OnCluster(scheduler)
        already = _done(tasks, journal, target, engine, workers, report)
        return _scored(journal, target, tasks, already, chosen.manifest)


def _done(
    tasks: Sequence[Task],
    journal: Journal,
    target: Target,
    engine: Engine | None,
    workers: int,
    report: Report,
) -> int:
    """Do what is left, and put it together; how many parts were done already."""
    work = place_of(target.work)
    if resuming.is_whole(journal, target):
        resuming.remove_parts(tasks, work)
        return len(tasks)
    left = resuming.left_of(tasks, journal, work, report)
    already = len(tasks) - len(left)
    if left:
        report(_begun(tasks, already))
        try:
            _do(left, tasks, journal, engine or engine_of(workers, len(left)))
        finally:
            tidy(work)
    if target.file is not None:
        report("putting the parts together")
        _put_together(tasks, journal, target, target.file)
    elif left or not journal.lines:
        journal.add({"done": True})
    return already


def _begun(tasks: Sequence[Task], already: int) -> str:
    parts = f"{len(tasks):,} part{'s' * (len(tasks) > 1)}"
    if not already:
        return f"scoring {parts}"
    return f"going on: {already:,} of {parts} are done"


def _do(left: Sequence[Task], tasks: Sequence[Task], journal: Journal, engine: Engine) -> None:
    """Do the parts that are left, and note each as soon as it is done.

    Raises:
        Unfinished: some failed, or it was interrupted.
    """
    rate, failed = Rate(tasks, left, journal.lines), list[PartFailed]()
    outcomes = engine.outcomes(left, rate.rows)
    try:
        for outcome in outcomes:
            if isinstance(outcome, PartFailed):
                failed.append(outcome)
                if outcome.stops:
                    break
            else:
                journal.add(outcome)
                rate.done(outcome)
    except KeyboardInterrupt:
        said = f"interrupted: {_state(tasks, journal)}"
        raise Unfinished(said, GO_ON) from None
    finally:
        if hasattr(outcomes, "close"):
            outcomes.close()
    if not failed:
        return
    if failed[-1].stops:
        raise Unfinished(f"{failed[-1].message}\n{_state(tasks, journal)}", failed[-1].hint)
    listed = "".join(f"\n  {each.message}" for each in failed[:SHOWN])
    more = f"\n  and {len(failed) - SHOWN} more" if len(failed) > SHOWN else ""
    hints = " ".join(dict.fromkeys(each.hint for each in failed if each.hint))
    raise Unfinished(
        f"{len(failed)} of {len(tasks)} parts could not be done:{listed}{more}", f"{hints} {GO_ON}"
    )


def _state(tasks: Sequence[Task], journal: Journal) -> str:
    rows, _ = sums(journal.lines)
    done = len(by_part(journal.lines))
    return f"{done:,} of {len(tasks):,} parts are done ({rows:,} rows)"


def _put_together(tasks: Sequence[Task], journal: Journal, target: Target, file: str) -> None:
    work, folder = place_of(target.work), place_of(target.folder)
    names = [task.name for task in tasks]
    lines = by_part(journal.lines)
    sides = [task.side for task in tasks if lines[task.name]["side"] is not None]
    if sides:
        gathered(work, sides, folder, target.side_name, target.form)
    whole = gathered(work, names, folder, file, target.form)
    journal.add({"done": True, "size": whole.size, "sha256": whole.sha256})
    resuming.remove_parts(tasks, work)  # a kill here leaves some, until the same command comes


def _scored(
    journal: Journal,
    target: Target,
    tasks: Sequence[Task],
    already: int,
    manifest: Mapping[str, Any],
) -> Scored:
    rows, bad = sums(journal.lines)
    lines = by_part(journal.lines)
    problems = [each for task in tasks for each in lines[task.name]["problems"]]
    side = target.side if bad else None
    shown = Scored(target.out, rows, bad, tuple(problems[:SHOWN]), side, len(tasks), already)
    compared = [lines[task.name]["truths"] for task in tasks if "truths" in lines[task.name]]
    if not compared:
        return shown
    total = combined(compared)
    at_build = {name: pair["model"] for name, pair in (manifest["metrics"] or {}).items()}
    return replace(
        shown, target=manifest["target"], compared=int(total[0]),
        scores=scores(kind_of(manifest), total), at_build=at_build,
    )  # fmt: skip
