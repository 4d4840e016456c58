"""The report of a training: what the findings are told of it."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from onnxlet.convert.errors import shortened
from onnxlet.convert.report.files import report_files
from onnxlet.convert.report.findings import findings
from onnxlet.convert.report.measured import Measured
from onnxlet.convert.train.balancing import balanced_weights
from onnxlet.convert.train.combining import (
    Combined,
    Weighted,
    answering_from,
    out_of_fold,
    voting,
)
from onnxlet.convert.train.fitting import fit
from onnxlet.convert.train.preparing import Options, Prepared, Report
from onnxlet.convert.train.trials import Searched, Trial
from onnxlet.function.arrays import Array
from onnxlet.function.models.model import Model


class ReportFiles:
    """Makes the report's files; where that fails, none: the model is worth more than its report.

    Args:
        make: makes them of the model that will be served.
        report: called with a line as it begins, and with what failed.

    Attributes:
        failed: why there are none; None where there are.
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
    """What makes the report's files, once there is the model that will be served.

    Args:
        prepared: what was searched on.
        searched: the trials.
        chosen: those that are served, with their weights.
        combined: the estimator.
        options: of the training.
        name: the model's.
        report: called with a line as it begins.
    """

    def made(model: Model) -> dict[str, bytes]:
        return report_files(findings(_measured(model)))

    def _measured(model: Model) -> Measured:
        (X, y), (X_test, y_test) = prepared.train_part(), prepared.test_part()
        columned, task = prepared.columned, prepared.columned.target.task
        notes = [*columned.notes]
        return Measured(
            name, model, combined.estimator, X_test, y_test,
            origin="train", task=task, target=columned.target_name,
            X_train=X, y_train=y,
            fit=partial(_refitted, chosen, combined, prepared, options.seed),
            baselines=_baselines(searched, prepared, options.seed),
            sensitive=_sensitive(prepared, options, prepared.splits.test),
            sensitive_train=_sensitive(prepared, options, prepared.splits.train),
            out_of_fold=None if task == "regression" else out_of_fold(chosen),
            metric=prepared.metric, threshold=combined.threshold,
            threshold_metric=None if combined.threshold is None else prepared.metric.name,
            search=_search(searched, chosen, prepared, options),
            columns=[_column(one) for one in columned.taken],
            split=prepared.splits.how, notes=notes, rows=len(columned.frame), seed=options.seed,
        )  # fmt: skip

    return ReportFiles(made, report)


def _refitted(
    chosen: Weighted, combined: Combined, prepared: Prepared, seed: int, X: Any, y: Array
) -> Any:
    """The same estimator fitted on other rows, fewer than those that its threshold is from."""
    estimator = voting(chosen, X, y, prepared.columned.target.task, prepared.metric, seed)
    if combined.threshold is None or len(estimator.classes_) < 2:
        return estimator
    return answering_from(combined.threshold, estimator, X, y)


def _baselines(searched: Searched, prepared: Prepared, seed: int) -> dict[str, Array]:
    """What the linear candidate answers to the test rows; the constant is made by itself."""
    linear = [
        trial.candidate
        for trial in searched.trials
        if trial.candidate.family == "linear" and trial.state != "failed"
    ]
    if not linear:
        return {}
    (X, y), task = prepared.train_part(), prepared.columned.target.task
    weights = balanced_weights(y, task, prepared.metric, None)
    pipeline = fit(linear[0], X, y, task, seed=seed, weights=weights).pipeline
    ask = pipeline.predict if task == "regression" else pipeline.predict_proba
    return {"linear": np.asarray(ask(prepared.test_part()[0]))}


def _sensitive(prepared: Prepared, options: Options, positions: Array) -> dict[str, Array]:
    frame = prepared.columned.frame
    return {name: frame[name].to_numpy()[positions] for name in options.sensitive}


def _column(taken: Any) -> dict[str, Any]:
    return {
        "name": taken.name, "kind": taken.kind, "why": taken.why, "used": taken.used,
        "missing": int(taken.missing), "distinct": int(taken.distinct),
    }  # fmt: skip


def _search(
    searched: Searched, chosen: Weighted, prepared: Prepared, options: Options
) -> dict[str, Any]:
    return {
        "seconds": searched.seconds,
        "seed": options.seed,
        "metric": prepared.metric.name,
        "how_ended": searched.how_ended,
        "trials": [_trial(trial) for trial in searched.trials],
        "ensemble": [{"name": t.candidate.name, "weight": weight} for t, weight in chosen],
    }


def _trial(trial: Trial) -> dict[str, Any]:
    return {
        "number": trial.number, "name": trial.candidate.name, "family": trial.candidate.family,
        "score": trial.score, "error": trial.error, "seconds": trial.seconds,
        "state": trial.state,
    }  # fmt: skip
