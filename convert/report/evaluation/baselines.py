"""What a model has to beat: always the same answer, and a linear model."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from onnxlet.convert.errors import shortened
from onnxlet.convert.metrics.metrics import Metric
from onnxlet.convert.metrics.resampled import Answered
from onnxlet.convert.report.evaluation.evaluation import (
    Evaluation,
    estimators_answers,
    indices_of,
    padded,
    some,
    taken,
)
from onnxlet.function.arrays import Array

CONSTANT, LINEAR = "constant", "linear"
MOST_FITTED = 20_000  # rows that the linear model is fitted on
MOST_LEVELS = 30  # of a category that it has a coefficient for
MEDIAN = ("mae", "median_ae", "mape")  # the best constant is the median


def constant(case: Evaluation, metric: Metric) -> Answered:
    """The best answer that is the same for every row: of the training rows, else the test rows.

    The mean or the median of numbers; the label that scores best, which is the most frequent one
    unless rates of one label are scored, with the shares of all labels.
    """
    truth, rows = case.truth, len(case.truth.values)
    known = truth.values if case.trained is None else _trained(case)
    if case.task == "regression":
        middle = np.median if metric.name in MEDIAN else np.mean
        return Answered(np.broadcast_to(middle(known, axis=0), truth.values.shape))
    if known.ndim > 1:
        most = [np.argmax(np.bincount(column)) for column in known.T]
        return Answered(np.broadcast_to(np.array(most), truth.values.shape))
    shares = np.bincount(known, minlength=len(truth.labels)) / len(known)
    probabilities = np.broadcast_to(shares, (rows, len(shares)))
    ranking = probabilities[:, truth.positive] if len(shares) >= 2 else None
    return Answered(np.full(rows, _best_label(case, metric, known, shares)), probabilities, ranking)


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
        np.nan_to_num(metric.gain(metric.value(truth, Answered(np.full(len(known), k))), 0.0))
        for k in order
    ]
    return order[int(np.argmax(gains))]


def _trained(case: Evaluation) -> Array:
    trained = case.trained
    assert trained is not None  # noqa: S101 - the caller has looked
    if case.task == "regression":
        return trained.astype(np.float64)
    known = set(case.truth.labels)
    if trained.ndim == 1:
        trained = trained[[value in known for value in trained.tolist()]]
    return indices_of(trained, case.truth.labels)


def baselines(case: Evaluation) -> dict[str, Answered]:
    """Those that were given and, where there is none, a linear model; without the constant."""
    measured = case.measured
    if measured.baselines is None:
        case.notes.append("the model is a linear one itself: it is compared with a constant")
        return {}
    given = {
        name: _as_given(case, np.asarray(taken(one.answers, case.rows)), one.threshold)
        for name, one in measured.baselines.items()
        if name != CONSTANT
    }
    if LINEAR not in given and (made := _linear(case)) is not None:
        given[LINEAR] = made
    return given


def _as_given(case: Evaluation, answers: Array, threshold: float | None) -> Answered:
    """Predictions or probabilities in the form that scores take."""
    if case.task == "regression":
        return Answered(answers.astype(np.float64))
    if answers.ndim == 1 or case.outputs > 1:
        return Answered(indices_of(answers, case.truth.labels))
    probabilities = padded(answers, case.truth)
    ranking = probabilities[:, case.truth.positive]
    prediction = probabilities.argmax(axis=1)
    if threshold is not None:
        prediction = np.where(ranking >= threshold, case.truth.positive, 1 - case.truth.positive)
    return Answered(prediction, probabilities, ranking)


def _linear(case: Evaluation) -> Answered | None:
    """A linear model of the training rows; None where they are not known, or it has none."""
    measured = case.measured
    if measured.X_train is None or case.trained is None or case.outputs > 1:
        return None
    rows = some(len(case.trained), MOST_FITTED, measured.seed, LINEAR)
    X, X_test = _framed(taken(measured.X_train, rows)), _framed(case.given)
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
