"""What a search optimises: scikit-learn's metrics, by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics
from sklearn.utils.class_weight import compute_sample_weight

from onnxlet.function.errors import WrongUse

Array = NDArray[Any]
Score = Callable[[Array, Array, Array], float]
Counts = NDArray[np.float64]  # of rows

CLASSES = ("binary", "multiclass")
VALUES = ("regression",)


class Metric(NamedTuple):
    """A score of answers."""

    name: str  # as it is given on the command line
    title: str  # as people read it
    tasks: tuple[str, ...]
    greater_is_better: bool
    needs: Literal["prediction", "probabilities"]  # labels or values (n,), or (n, classes)
    # Of y (n,), answers, and the labels in order. ValueError where these rows have none, such as
    # ROC AUC of rows of one class.
    score: Score
    # Of how many rows are true positives, false positives, false negatives and true negatives, for
    # metrics of two classes whose best threshold is seldom 0.5; None for all others.
    at: Callable[[Counts, Counts, Counts, Counts], Counts] | None = None

    def balanced_weights(self, y: Array, task: str) -> Array | None:
        """Weights of rows (n,) where every class counts alike and the rows don't; None for alike.

        Of two classes the threshold does as much and leaves the probabilities what they are. Of
        many there is none, and a metric that is the mean over classes is worse where the rare ones
        are seldom the most probable.
        """
        if task != "multiclass" or self.at is None:
            return None
        return np.asarray(compute_sample_weight("balanced", y), np.float64)


def default_metric(task: str) -> Metric:
    """What is optimised where nobody says: what most people would compare models of a task by."""
    return METRICS[{"binary": "roc_auc", "multiclass": "log_loss", "regression": "rmse"}[task]]


def metric_named(name: str | None, task: str) -> Metric:
    """The metric of this name, the task's usual one for None; WrongUse where the task has none."""
    if name is None:
        return default_metric(task)
    fitting = [metric.name for metric in METRICS.values() if task in metric.tasks]
    if name not in fitting:
        known = f"a metric of {', '.join(METRICS[name].tasks)}" if name in METRICS else "no metric"
        raise WrongUse(
            f"--metric: expected one for {task}, got '{name}', {known}",
            f"Give one of {', '.join(fitting)}; without, it is {default_metric(task).name}.",
        )
    return METRICS[name]


def _score_by(function: Callable[..., float], **given: Any) -> Score:
    def score(y: Array, answers: Array, classes: Array) -> float:
        return float(function(y, answers, **given))

    return score


def _roc_auc(y: Array, answers: Array, classes: Array) -> float:
    if len(np.unique(y)) < len(classes):
        raise ValueError("ROC AUC: expected rows of every class")
    if len(classes) == 2:
        return float(metrics.roc_auc_score(y == classes[1], answers[:, 1]))
    sums = answers.sum(axis=1, keepdims=True)  # scikit-learn wants one to within 1e-8
    return float(metrics.roc_auc_score(y, answers / sums, multi_class="ovr", labels=classes))


def _average_precision(y: Array, answers: Array, classes: Array) -> float:
    positive = y == classes[1]
    if not positive.any():
        raise ValueError("average precision: expected a row of the positive class")
    return float(metrics.average_precision_score(positive, answers[:, 1]))


def _log_loss(y: Array, answers: Array, classes: Array) -> float:
    sums = answers.sum(axis=1, keepdims=True)
    return float(metrics.log_loss(y, answers / sums, labels=classes))


def _brier(y: Array, answers: Array, classes: Array) -> float:
    """Mean squared distance of the probabilities from the truth, of two classes as of many."""
    truth = y[:, None] == classes[None, :]
    return float(np.mean(np.sum((answers - truth) ** 2, axis=1)) / (1 + (len(classes) == 2)))


def _f1(y: Array, answers: Array, classes: Array) -> float:
    if len(classes) == 2:
        return float(metrics.f1_score(y == classes[1], answers == classes[1], zero_division=0.0))
    return float(
        metrics.f1_score(y, answers, average="macro", labels=np.unique(y), zero_division=0.0)
    )


def _balanced_accuracy(y: Array, answers: Array, classes: Array) -> float:
    return float(metrics.recall_score(y, answers, average="macro", labels=np.unique(y)))


def _r2(y: Array, answers: Array, classes: Array) -> float:
    if len(y) < 2:
        raise ValueError("R²: expected two rows or more")
    return float(metrics.r2_score(y, answers))


def _rmsle(y: Array, answers: Array, classes: Array) -> float:
    if y.min() < 0:
        raise ValueError("RMSLE: expected no value below 0")
    return float(metrics.root_mean_squared_log_error(y, np.maximum(answers, 0.0)))


def _f1_at(tp: Counts, fp: Counts, fn: Counts, tn: Counts) -> Counts:
    return 2 * tp / np.maximum(2 * tp + fp + fn, 1)


def _balanced_accuracy_at(tp: Counts, fp: Counts, fn: Counts, tn: Counts) -> Counts:
    return (tp / np.maximum(tp + fn, 1) + tn / np.maximum(tn + fp, 1)) / 2


def _mcc_at(tp: Counts, fp: Counts, fn: Counts, tn: Counts) -> Counts:
    product = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
    return (tp * tn - fp * fn) / np.sqrt(np.where(product > 0, product, 1.0))


_label = partial(Metric, tasks=CLASSES, greater_is_better=True, needs="prediction")
_probability = partial(Metric, tasks=CLASSES, greater_is_better=True, needs="probabilities")
_value = partial(Metric, tasks=VALUES, greater_is_better=False, needs="prediction")

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        _probability("roc_auc", "ROC AUC", score=_roc_auc),
        _probability("log_loss", "log loss", score=_log_loss, greater_is_better=False),
        _probability(
            "average_precision", "average precision", score=_average_precision, tasks=("binary",)
        ),
        _probability("brier", "Brier score", score=_brier, greater_is_better=False),
        _label("accuracy", "accuracy", score=_score_by(metrics.accuracy_score)),
        _label(
            "balanced_accuracy",
            "balanced accuracy",
            score=_balanced_accuracy,
            at=_balanced_accuracy_at,
        ),
        _label("f1", "F1", score=_f1, at=_f1_at),
        _label(
            "mcc",
            "Matthews correlation",
            score=_score_by(metrics.matthews_corrcoef),
            at=_mcc_at,
        ),
        _value("rmse", "root mean squared error", score=_score_by(metrics.root_mean_squared_error)),
        _value("mae", "mean absolute error", score=_score_by(metrics.mean_absolute_error)),
        _value(
            "median_ae", "median absolute error", score=_score_by(metrics.median_absolute_error)
        ),
        _value(
            "mape",
            "mean absolute percentage error",
            score=_score_by(metrics.mean_absolute_percentage_error),
        ),
        _value("rmsle", "root mean squared error of logarithms", score=_rmsle),
        _value("r2", "R²", score=_r2, greater_is_better=True),
    )
}
