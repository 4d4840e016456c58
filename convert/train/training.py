"""From a table to a model directory and its report."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from onnxlet.convert.build import Built, build
from onnxlet.convert.directory.model_directory import check_folder, check_name
from onnxlet.convert.errors import BreakingChange, Refusal, shortened
from onnxlet.convert.parity.certificate import certificate_lines
from onnxlet.convert.progress import Report
from onnxlet.convert.report import HTML, JSON
from onnxlet.convert.report.evaluation.measured import Baseline, Measured
from onnxlet.convert.report.files import files_of, read_findings
from onnxlet.convert.report.form.findings import (
    Augmentation,
    AugmentationGain,
    Column,
    EnsembleMember,
    Search,
    from_json,
)
from onnxlet.convert.report.form.findings import Trial as ReportedTrial
from onnxlet.convert.report.sections.scores import answers
from onnxlet.convert.sources.source import Source
from onnxlet.convert.train.ensemble import (
    Combined,
    Weighted,
    answering_from,
    combine,
    named,
    out_of_fold,
    threshold_of,
    voting,
)
from onnxlet.convert.train.fitting import NOISE, copies_of, farthest
from onnxlet.convert.train.kinds.image import IMAGE, form_named
from onnxlet.convert.train.kinds.number import NUMBER
from onnxlet.convert.train.kinds.registry import LEAK, USED, columns_of
from onnxlet.convert.train.portfolio import WITH_COPIES, portfolio
from onnxlet.convert.train.preparing import Options, Prepared, inspect_table, prepare
from onnxlet.convert.train.search import search
from onnxlet.convert.train.splits import group_numbers
from onnxlet.convert.train.trials import Searched
from onnxlet.folders import typed
from onnxlet.function.arrays import Array
from onnxlet.function.models.model import Model

FEWEST_SECONDS = 5.0  # for the search, however long the table took to read
FALLING_BACK = 3  # combinations that are tried where one can't be served


@dataclass(frozen=True)
class ModelDestination:
    """Where a model goes."""

    name: str  # the model's
    folder: Path  # of model directories
    # Training rows that explanations start from; None is made-up rows.
    keep_background: int | None = None
    breaking: bool = False  # clients of the version that is served need not go on with this one


@dataclass(frozen=True)
class Trained:
    """What a training has come to."""

    built: Built  # the model directory
    prepared: Prepared  # what was searched on
    searched: Searched  # the trials
    chosen: Weighted  # those that were built, with their weights
    combined: Combined  # the estimator that was built
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
            made = report_of(prepared, searched, chosen, combined, options, to.name, report)
            built = _built(prepared, combined, to, made, report)
        except Refusal as refusal:
            if chosen is tried[-1] or isinstance(refusal, BreakingChange):
                raise
            report(f"note: {named(chosen)} can't be served: {refusal.message}")
            continue
        return Trained(built, prepared, searched, chosen, combined, made.failed)
    raise AssertionError("a search chooses a trial at least")


def _searched(prepared: Prepared, options: Options, started: float, report: Report) -> Searched:
    (X, y), task, metric = prepared.train_part, prepared.table.target.task, prepared.metric
    columns = prepared.table.columns
    candidates, notes = portfolio(task, columns, len(y), y, metric.name, options.augment)
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


def _built(
    prepared: Prepared, combined: Combined, to: ModelDestination, made: ReportFiles, report: Report
) -> Built:
    X_test, y_test = prepared.test_part
    table, learnt = prepared.table, prepared.train_part[1]
    source = Source(
        combined.estimator, X_test, y_test, prepared.train_part[0], target=table.target_name,
        left_out=tuple(one.name for one in table.columns if not one.used), decimal=table.decimal,
        positive=table.target.positive if len(np.unique(learnt)) == 2 else None,
        descriptions=table.descriptions,
    )  # fmt: skip
    return build(source, to.name, to.folder, report, to.keep_background, to.breaking, made)


def summary_lines(trained: Trained) -> Iterator[str]:
    """What is printed in the end: the certificate, how good it is, what was left out, and where."""
    built = trained.built
    name = built.directory.parent.name
    yield from certificate_lines(name, built.version, built.manifest)
    yield f"  answers by  {named(trained.chosen)}"
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
        others = ", ".join(name for name in USED if name != NUMBER.name)
        yield (
            f"{len(leaks)} {which} the target away and {'was' if len(leaks) == 1 else 'were'} "
            f"left out: {', '.join(leaks)}. --column '{leaks[0]}={NUMBER.name}' (or "
            f"{others}, as it is) would keep it"
        )
    state = "written to" if built.new else "is the same, byte for byte, as"
    yield f"{name} version {built.version} {state} {built.directory}"
    if found is not None:
        yield f"report: {built.directory / HTML}"
    if trained.unreported is not None:
        yield f"no report was written, as it failed: {trained.unreported}"
    yield f"serve it: {typed('edge', f'serve --models {built.directory.parent.parent}')}"


class ReportFiles:
    """Makes the report's files; where that fails, none: the model is worth more than its report.

    `failed` says why there are none.
    """

    def __init__(self, make: Callable[[Model], dict[str, bytes]], report: Report) -> None:
        self._make, self._report = make, report
        self.failed: str | None = None

    def __call__(self, model: Model) -> dict[str, bytes]:
        """The files by name."""
        self._report("measuring for the report")
        try:
            return self._make(model)
        except Exception as error:  # noqa: BLE001, RUF100 - any bug in any figure
            at = traceback.extract_tb(error.__traceback__)[-1]
            self.failed = (
                f"{type(error).__name__}: {shortened(error)} ({at.filename}, line {at.lineno})"
            )
            self._report(f"note: the report failed, the model did not: {self.failed}")
            return {}


def report_of(
    prepared: Prepared,
    searched: Searched,
    chosen: Weighted,
    combined: Combined,
    options: Options,
    name: str,
    report: Report,
) -> ReportFiles:
    """What makes the report's files, once there is the model that will be served."""

    def made(model: Model) -> dict[str, bytes]:
        (X, y), (X_test, y_test) = prepared.train_part, prepared.test_part
        table, task = prepared.table, prepared.table.target.task
        groups = None  # rows of one say less than as many without groups
        if options.group is not None:
            numbers = group_numbers(table.frame[options.group].to_numpy())
            groups = numbers[prepared.splits.test]
        measured = Measured(
            name, model, combined.estimator, X_test, y_test,
            origin="train", task=task, target=table.target_name,
            X_train=X, y_train=y,
            fit=partial(_refitted, chosen, combined, prepared, options.seed),
            baselines=_linear(searched, chosen, prepared, options.seed),
            described=named(chosen),
            groups=groups,
            sensitive=_sensitive(prepared, options, prepared.splits.test),
            sensitive_train=_sensitive(prepared, options, prepared.splits.train),
            out_of_fold=None if task == "regression" else out_of_fold(chosen),
            metric=prepared.metric.name, threshold=combined.threshold,
            threshold_metric=None if combined.threshold is None else prepared.metric.name,
            search=_search(searched, chosen, prepared, options),
            columns=[
                Column(
                    name=one.name, kind=one.kind, why=one.why, used=one.used,
                    missing=one.missing, distinct=one.distinct,
                )
                for one in table.columns
            ],
            descriptions=table.descriptions,
            split=prepared.splits.how, notes=[*table.notes],
            rows=len(table.frame), seed=options.seed,
            places=table.places.at(prepared.splits.test), decimal=table.decimal,
        )  # fmt: skip
        return files_of(measured)

    return ReportFiles(made, report)


def _refitted(
    chosen: Weighted, combined: Combined, prepared: Prepared, seed: int, X: Any, y: Array
) -> Any:
    """The same estimator fitted on other rows, fewer than those that its threshold is from."""
    estimator = voting(chosen, X, y, prepared.table.target.task, prepared.metric, seed)
    if combined.threshold is None or len(estimator.classes_) < 2:
        return estimator
    return answering_from(combined.threshold, estimator, X, y, prepared.metric.positive)


def _linear(
    searched: Searched, chosen: Weighted, prepared: Prepared, seed: int
) -> dict[str, Baseline] | None:
    """What the linear candidate answers to the test rows, by a threshold of its own.

    None where it is the very model that is served: that is compared with the constant only.
    """
    found = [t for t in searched.trials if t.candidate.family == "linear" and t.state != "failed"]
    if not found:
        return {}
    linear: Weighted = [(found[0], 1.0)]
    if [trial.candidate.family for trial, _ in chosen] == ["linear"]:
        return None
    (X, y), task = prepared.train_part, prepared.table.target.task
    estimator = voting(linear, X, y, task, prepared.metric, seed)
    ask = estimator.predict if task == "regression" else estimator.predict_proba
    answers = np.asarray(ask(prepared.test_part[0]))
    return {"linear": Baseline(answers, threshold_of(linear, y, task, prepared.metric))}


def _sensitive(prepared: Prepared, options: Options, positions: Array) -> dict[str, Array]:
    frame = prepared.table.frame
    return {name: frame[name].to_numpy()[positions] for name in options.sensitive}


def _search(searched: Searched, chosen: Weighted, prepared: Prepared, options: Options) -> Search:
    return Search(
        seconds=searched.seconds,
        seed=options.seed,
        metric=prepared.metric.name,
        how_ended=searched.how_ended,
        trials=[
            ReportedTrial(
                number=trial.number, name=trial.candidate.name, family=trial.candidate.family,
                score=trial.score, error=trial.error, seconds=trial.seconds, state=trial.state,
            )
            for trial in searched.trials
        ],
        ensemble=[EnsembleMember(name=t.candidate.name, weight=weight) for t, weight in chosen],
        augmentation=_augmentation(searched, chosen, prepared) if options.augment else None,
        plainer=searched.plainer or None,
    )  # fmt: skip


def _augmentation(searched: Searched, chosen: Weighted, prepared: Prepared) -> Augmentation:
    """What copies are, and what the best candidate that was fitted with them gained by them."""
    forms = [form_named(one.format) for one in columns_of(prepared.table.columns, IMAGE)]
    done = {trial.candidate.name: trial for trial in searched.trials if trial.state == "done"}
    pairs = [
        (trial, done[plain])
        for name, trial in done.items()
        if name.endswith(WITH_COPIES) and (plain := name.removesuffix(WITH_COPIES)) in done
    ]
    sign = 1 if prepared.metric.greater_is_better else -1
    best = max(pairs, key=lambda pair: sign * (pair[0].score or 0.0), default=None)
    weight = sum(weight for trial, weight in chosen if trial.candidate.parameters.get("augment"))
    return Augmentation(
        copies=copies_of(len(prepared.splits.train), sum(form.numbers for form in forms)),
        shift=max(max(farthest(form)) for form in forms),
        noise=NOISE,
        compared=None if best is None else AugmentationGain(
            name=best[1].candidate.name, with_=best[0].score, without=best[1].score
        ),
        weight=weight,
    )  # fmt: skip
