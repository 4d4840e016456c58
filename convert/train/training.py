"""From a table to a model directory and its report."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import pandas as pd

from onnxlet.convert.build import Built, loaded, write
from onnxlet.convert.directory.model_directory import check_folder, check_name
from onnxlet.convert.errors import Refusal, shortened
from onnxlet.convert.parity.certificate import certificate_lines
from onnxlet.convert.progress import Report
from onnxlet.convert.report import HTML, JSON
from onnxlet.convert.report.evaluation.measured import Measured
from onnxlet.convert.report.files import files_of, read_findings
from onnxlet.convert.report.form.findings import from_json
from onnxlet.convert.report.sections.scores import answers
from onnxlet.convert.train.ensemble import Weighted, combine, named
from onnxlet.convert.train.kinds.registry import LEAK, USED
from onnxlet.convert.train.measured import measured_training
from onnxlet.convert.train.portfolio import portfolio
from onnxlet.convert.train.preparing import Options, Prepared, inspect_table, prepare
from onnxlet.convert.train.refit import ModelDestination, Served, model_files, refitted
from onnxlet.convert.train.search import search
from onnxlet.convert.train.trials import Searched
from onnxlet.folders import typed
from onnxlet.not_set_up import check_installed

FEWEST_SECONDS = 5.0  # for the search, however long the table took to read
FALLING_BACK = 3  # combinations that are tried where one can't be served


@dataclass(frozen=True)
class Trained:
    """What a training has come to."""

    built: Built  # the model directory
    prepared: Prepared  # what was searched on
    searched: Searched  # the trials
    chosen: Weighted  # those that were built, with their weights
    served: Served  # the estimator that was built
    unreported: str | None = None  # why there is no report; None where there is one


def train(
    data: str | pd.DataFrame, target: str, options: Options, to: ModelDestination, report: Report
) -> Trained:
    """Search, fit, prove and write the next version of a model.

    Args:
        data: path or address of a table, a folder of images, or a frame.
        target: the column to predict.
        options: how the search goes.
        to: where the model goes.
        report: called with a line of progress at a time.

    Raises:
        WrongUse: the table can't be read, or an option names what is not in it.
        Refusal: there is nothing to learn from, or no candidate could be fitted, or served;
            nothing was written.
    """
    check_name(to.name)
    check_folder(to.folder, to.name)
    check_installed("optuna", "matplotlib", "fairlearn")
    started = time.monotonic()
    options = options.by_known_names()
    prepared = prepare(inspect_table(data, target, options, report), options, report)
    searched = _searched(prepared, options, started, report)
    tried, task = _in_turn(searched), prepared.table.target.task
    if searched.plainer:
        report(f"note: {searched.plainer}")
    for chosen in tried:
        report(f"fitting {named(chosen)} on all {len(prepared.splits.train)} training rows")
        combined = combine(chosen, *prepared.train_part, task, prepared.metric, options.seed)
        try:
            before = model_files(prepared, combined, to, report)
        except Refusal as refusal:
            if chosen is tried[-1]:
                raise
            report(f"note: {named(chosen)} can't be served: {refusal.message}")
            continue
        served = refitted(prepared, chosen, Served(combined, before), options, to, report)
        with loaded(to.name, before) as measured, loaded(to.name, served.files) as model:
            known = prepared, searched, chosen, combined, options
            about = partial(measured_training, *known, measured, model, served.unrefitted)
            beside, failed = _reported(about, report)
        built = write(to.folder, to.name, served.files, to.breaking, report, beside)
        return Trained(built, prepared, searched, chosen, served, failed)
    raise AssertionError("a search chooses a trial at least")


def _searched(prepared: Prepared, options: Options, started: float, report: Report) -> Searched:
    (X, y), task, metric = prepared.train_part, prepared.table.target.task, prepared.metric
    columns = prepared.table.columns
    candidates, notes = portfolio(
        task, columns, len(y), y, metric.name, options.augment, prepared.splits.by_time
    )
    for note in notes:
        report(f"note: {note}")
    left = max(options.seconds - (time.monotonic() - started), FEWEST_SECONDS)
    return search(
        X, y, task, prepared.splits.folds, candidates, metric,
        seconds=left, trials=options.trials, seed=options.seed, small=options.small, report=report,
        weights=metric.balanced_weights(y, task), scheduler=options.scheduler,
    )  # fmt: skip


def _in_turn(searched: Searched) -> Sequence[Weighted]:
    """What is built: the ensemble; where that is refused, its trials by themselves."""
    if len(searched.weights) == 1:
        return [searched.weights]
    heaviest = sorted(searched.weights, key=lambda pair: -pair[1])
    return [searched.weights, *([(trial, 1.0)] for trial, _ in heaviest)][:FALLING_BACK]


def summary_lines(trained: Trained) -> Iterator[str]:
    """What is printed in the end: the certificate, how good it is, what was left out, and where."""
    built = trained.built
    name = built.directory.parent.name
    yield from certificate_lines(name, built.version, built.manifest)
    yield f"  answers by  {named(trained.chosen)}"
    yield f"  learned     {_learned(trained)}"
    if trained.searched.plainer:
        yield trained.searched.plainer
    # Where it failed, what may lie there is the report of an earlier training.
    reported = trained.unreported is None and (built.directory / JSON).exists()
    found = read_findings(built.directory) if reported else None
    if found is not None:
        # With plain spaces: not every terminal has those that no line breaks at.
        for line in answers(from_json(found)):
            yield line.replace("\u00a0", " ").replace("\u202f", " ")
    leaks = [one.name for one in trained.prepared.table.columns if one.kind == LEAK.name]
    if leaks:
        which = "column gives" if len(leaks) == 1 else "columns give"
        yield (
            f"{len(leaks)} {which} the target away and {'was' if len(leaks) == 1 else 'were'} "
            f"left out: {', '.join(leaks)}. --column '{leaks[0]}=KIND' would keep "
            f"{leaks[0]}, with what it is for KIND: {', '.join(USED)}"
        )
    state = "written to" if built.new else "is the same, byte for byte, as"
    yield f"{name} version {built.version} {state} {built.directory}"
    if found is not None:
        yield f"report: {built.directory / HTML}"
    if trained.unreported is not None:
        yield f"no report was written, as it failed: {trained.unreported}"
    yield f"serve it: {typed('edge', f'serve --models {built.directory.parent.parent}')}"


def _learned(trained: Trained) -> str:
    """From which rows the served model has learned, and whose the scores are."""
    train, test = trained.prepared.train_part[1], trained.prepared.test_part[1]
    if trained.served.unrefitted is None:
        return (
            f"from all {len(train) + len(test):,} rows; scores and intervals are of the model "
            f"before, of {len(train):,} rows, on the other {len(test):,}"
        )
    return f"from {len(train):,} rows, not from the {len(test):,} it was tested on: " + (
        trained.served.unrefitted
    )


def _reported(
    measured: Callable[[], Measured], report: Report
) -> tuple[dict[str, bytes], str | None]:
    """The report's files, and why there are none: a model is worth more than its report."""
    report("measuring for the report")
    try:
        return files_of(measured()), None
    except Exception as error:  # noqa: BLE001, RUF100 - any bug in any figure
        at = traceback.extract_tb(error.__traceback__)[-1]
        why = f"{type(error).__name__}: {shortened(error)} ({at.filename}, line {at.lineno})"
        report(f"note: the report failed, the model did not: {why}")
        return {}, why
