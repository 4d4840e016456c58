"""The report of a training: what the findings are told of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from onnxlet.convert.report.files import report_files
from onnxlet.convert.report.findings import findings
from onnxlet.convert.report.measured import Measured
from onnxlet.convert.train.candidate import Candidate
from onnxlet.convert.train.combining import Combined, Weighted, out_of_fold
from onnxlet.convert.train.fitting import fit
from onnxlet.convert.train.preparing import Options, Prepared, Report
from onnxlet.convert.train.trials import Searched, Trial
from onnxlet.function.arrays import Array
from onnxlet.function.models.model import Model


def report_of(
    prepared: Prepared,
    searched: Searched,
    chosen: Weighted,
    combined: Combined,
    options: Options,
    name: str,
    report: Report,
) -> Callable[[Model], dict[str, bytes]]:
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
        report("measuring for the report")
        return report_files(findings(_measured(model)))

    def _measured(model: Model) -> Measured:
        (X, y), (X_test, y_test) = prepared.train_part(), prepared.test_part()
        columned, task = prepared.columned, prepared.columned.target.task
        notes = [*columned.notes]
        return Measured(
            name, model, combined.estimator, X_test, y_test,
            origin="train", task=task, target=columned.target_name,
            X_train=X, y_train=y,
            fit=lambda rows, answers: _refitted(chosen, rows, answers, task, prepared, options),
            baselines=_baselines(searched, X, y, X_test, task, options.seed),
            sensitive=_sensitive(prepared, options, prepared.splits.test),
            sensitive_train=_sensitive(prepared, options, prepared.splits.train),
            out_of_fold=None if task == "regression" else out_of_fold(chosen),
            metric=prepared.metric, threshold=combined.threshold,
            threshold_metric=None if combined.threshold is None else prepared.metric.name,
            search=_search(searched, chosen, prepared, options),
            columns=[_column(one) for one in columned.taken],
            split=prepared.splits.how, notes=notes, rows=len(columned.frame), seed=options.seed,
        )  # fmt: skip

    return made


def _refitted(
    chosen: Weighted, X: Any, y: Array, task: str, prepared: Prepared, options: Options
) -> Any:
    """The same estimator on other rows: the heaviest of its parts, which is enough for a curve."""
    from onnxlet.convert.train.combining import combine

    return combine(chosen, X, y, task, prepared.metric, options.seed).estimator


def _baselines(
    searched: Searched, X: pd.DataFrame, y: Array, X_test: pd.DataFrame, task: str, seed: int
) -> dict[str, Array]:
    """What the linear candidate answers to the test rows; the constant is made by itself."""
    linear = [trial.candidate for trial in searched.trials if trial.candidate.family == "linear"]
    return {"linear": _answers(linear[0], X, y, X_test, task, seed)} if linear else {}


def _answers(
    candidate: Candidate, X: pd.DataFrame, y: Array, X_test: pd.DataFrame, task: str, seed: int
) -> Array:
    pipeline = fit(candidate, X, y, task, seed=seed).pipeline
    ask = pipeline.predict if task == "regression" else pipeline.predict_proba
    return np.asarray(ask(X_test))


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
