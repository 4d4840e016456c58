"""Scores with intervals, each beside those of a constant answer and of a linear model."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from onnxlet.convert.errors import shortened
from onnxlet.convert.metrics.metrics import ASKED_FOR, Metric, fitting
from onnxlet.convert.metrics.resampled import ScoredAnswers
from onnxlet.convert.report.evaluation.evaluation import (
    Evaluation,
    estimators_answers,
    some,
    some_rows,
)
from onnxlet.convert.report.evaluation.statistics import interval, wilson
from onnxlet.convert.report.form.figures import Baseline, Estimate, Score
from onnxlet.function.arrays import Array

CONSTANT, LINEAR = "constant", "linear"
MOST_FITTED = 20_000  # rows that the linear model is fitted on
MOST_LEVELS = 30  # of a category that it has a coefficient for
MEDIAN = ("mae", "median_ae", "mape")  # the best constant is the median
Drawn = Mapping[str, Array]  # by whose answers they are, a score of each draw


def scores(case: Evaluation) -> list[Score]:
    """Every score of the answers, the one that was optimised first."""
    others = baselines(case)
    first = case.metric
    shown = [
        metric
        for metric in fitting(case.task, case.answered)
        if metric.name != first.name and metric.name not in ASKED_FOR
    ]
    every = [
        (metric, {"": case.answered, CONSTANT: constant(case, metric)} | others)
        for metric in (first, *shown)
    ]
    drawn = _drawn(case, every)
    return [_score(case, m, by_whom, d) for (m, by_whom), d in zip(every, drawn, strict=True)]


def _drawn(
    case: Evaluation, every: list[tuple[Metric, dict[str, ScoredAnswers]]]
) -> list[dict[str, Array]]:
    """Each score of each draw; the same draws for all, so that differences are paired."""
    parts: list[dict[str, list[Array]]] = [
        {whose: [] for whose, answered in by_whom.items() if metric.fits(case.task, answered)}
        for metric, by_whom in every
    ]
    for weights in case.resamples():
        for (metric, by_whom), found in zip(every, parts, strict=True):
            for whose in found:
                found[whose].append(metric.drawn(case.truth, by_whom[whose], weights))
    return [{whose: np.concatenate(p) for whose, p in found.items()} for found in parts]


def _score(
    case: Evaluation, metric: Metric, by_whom: Mapping[str, ScoredAnswers], drawn: Drawn
) -> Score:
    units = case.units
    values = {whose: metric.value(case.truth, by_whom[whose]) for whose in drawn}
    return Score(
        metric=metric.name,
        title=metric.in_full[case.task],
        greater_is_better=metric.greater_is_better,
        rows=len(case.rows),
        model=Estimate(**_with_interval(case, metric, values[""], drawn[""])),
        baselines=[
            Baseline(
                name=name,
                **_with_interval(case, metric, values[name], drawn[name]),
                gain=Estimate(
                    **interval(
                        metric.gain(values[""], values[name]),
                        metric.gain(drawn[""], drawn[name]),
                        units,
                    )
                ),
            )
            for name in drawn
            if name
        ],
    )


def _with_interval(case: Evaluation, metric: Metric, value: float, drawn: Array) -> dict[str, Any]:
    found = interval(value, drawn, case.units)
    of_rows = case.groups is None and case.outputs == 1  # as Wilson's interval is
    if of_rows and metric.name == "accuracy" and found["low"] is not None:
        found["low"], found["high"] = wilson(value * len(case.rows), len(case.rows))
    elif metric.greater_is_better and value == found["low"] == 1 and case.truth.labels:
        found["low"] = _low_of_perfect(case)
    return found


def _low_of_perfect(case: Evaluation) -> float:
    """What a score without a fault may really be: no resample has one, and yet it is not sure.

    The rarest class has the fewest rows, or groups, in which a fault could have shown.
    """
    values = case.truth.values
    fewest = min(case.units_of(np.flatnonzero(values == value)) for value in np.unique(values))
    return wilson(fewest, fewest)[0]


def constant(case: Evaluation, metric: Metric) -> ScoredAnswers:
    """The best answer that is the same for every row: of the training rows, else the test rows.

    The mean or the median of numbers; the label that scores best, which is the most frequent one
    unless rates of one label are scored, with the shares of all labels.
    """
    truth, rows = case.truth, len(case.truth.values)
    known = truth.values if case.trained_truth is None else case.trained_truth
    if case.task == "regression":
        middle = np.median if metric.name in MEDIAN else np.mean
        return ScoredAnswers(np.broadcast_to(middle(known, axis=0), truth.values.shape))
    if known.ndim > 1:
        most = [np.argmax(np.bincount(column)) for column in known.T]
        return ScoredAnswers(np.broadcast_to(np.array(most), truth.values.shape))
    shares = np.bincount(known, minlength=len(truth.labels)) / len(known)
    probabilities = np.broadcast_to(shares, (rows, len(shares)))
    ranking = probabilities[:, truth.positive] if len(shares) >= 2 else None
    return ScoredAnswers(
        np.full(rows, _best_label(case, metric, known, shares)), probabilities, ranking
    )


def _best_label(case: Evaluation, metric: Metric, known: Array, shares: Array) -> int:
    """The label that scores best where all of these are answered with it.

    Of equals it is the most frequent. Whoever answers nothing but the rarer label has an F1 of
    more than 0.
    """
    most = int(np.argmax(shares))
    if metric.needs != "prediction":
        return most
    truth = case.truth._replace(values=known)
    order = [most, *(label for label in range(len(shares)) if label != most)]
    gains = [
        np.nan_to_num(metric.gain(metric.value(truth, ScoredAnswers(np.full(len(known), k))), 0.0))
        for k in order
    ]
    return order[int(np.argmax(gains))]


def baselines(case: Evaluation) -> dict[str, ScoredAnswers]:
    """Those that were given and, where there is none, a linear model; without the constant."""
    measured = case.measured
    if measured.baselines is None:
        case.notes.append("the model is a linear one itself: it is compared with a constant")
        return {}
    given = {
        name: estimators_answers(one, case.inputs, case)
        for name, one in measured.baselines.items()
        if name != CONSTANT
    }
    if LINEAR not in given and (made := _linear(case)) is not None:
        given[LINEAR] = made
    return given


def _linear(case: Evaluation) -> ScoredAnswers | None:
    """A linear model of the training rows; None where they are not known, or it has none."""
    measured = case.measured
    if measured.X_train is None or case.trained is None or case.outputs > 1:
        return None
    rows = some(len(case.trained), MOST_FITTED, measured.seed, LINEAR)
    X, X_test = _framed(some_rows(measured.X_train, rows)), _framed(case.inputs)
    y = case.trained[rows]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it need not have converged to be a baseline
            return estimators_answers(_pipeline(X, case.task).fit(X, y), X_test, case)
    except Exception as error:  # of whatever columns it can't take
        case.notes.append(f"no linear baseline: {type(error).__name__}: {shortened(error)}")
        return None


def _framed(X: Any) -> pd.DataFrame:
    frame = X if isinstance(X, pd.DataFrame) else pd.DataFrame(X)
    return frame.set_axis([str(name) for name in frame.columns], axis=1)


def _pipeline(X: pd.DataFrame, task: str) -> Any:
    numbers = [name for name in X.columns if X[name].dtype.kind in "iuf"]
    others = [name for name in X.columns if name not in numbers]
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
        (OneHotEncoder(max_categories=MOST_LEVELS, handle_unknown="infrequent_if_exist"), others),
    )
    last = RidgeCV() if task == "regression" else LogisticRegression(max_iter=300)
    return make_pipeline(columns, last)
