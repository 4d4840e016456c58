"""Metrics by name: what a search optimises, by scikit-learn, and a report resamples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics
from sklearn.utils.class_weight import compute_sample_weight

from onnxlet.convert.metrics.resampled import BY_NAME, ScoredAnswers, Truth
from onnxlet.function.errors import WrongUse

Array = NDArray[Any]
Score = Callable[[Array, Array, Array], float]
Counts = NDArray[np.float64]  # of rows


class Metric(NamedTuple):
    """A score of answers."""

    name: str  # as it is given on the command line
    title: str  # in lines of progress
    in_full: Mapping[str, str]  # as reports say it, by task: those that have it
    greater_is_better: bool
    needs: Literal["prediction", "probabilities"]  # labels or values (n,), or (n, classes)
    # Of y (n,), answers, and the labels in order, of two the positive one last. ValueError where
    # these rows have none, such as ROC AUC of rows of one class.
    score: Score
    # Of how many rows are true positives, false positives, false negatives and true negatives, for
    # metrics of two classes whose best threshold is seldom 0.5; None for all others.
    at: Callable[[Counts, Counts, Counts, Counts], Counts] | None = None
    ranks: bool = False  # of two classes it is of the order of the rows: a decision function does
    several: bool = False  # it is defined for several outputs
    positive: int = 1  # the index of two labels in order that rates, and thresholds, are of

    @property
    def tasks(self) -> tuple[str, ...]:
        """Those that have it."""
        return tuple(self.in_full)

    def fits(self, task: str, answered: ScoredAnswers) -> bool:
        """Whether such answers have this score."""
        part = "ranking" if self.ranks and task == "binary" else self.needs
        has = getattr(answered, part) is not None
        return task in self.in_full and has and (self.several or answered.prediction.ndim == 1)

    def value(self, truth: Truth, answered: ScoredAnswers) -> float:
        """The score on the rows as they are; NaN where it is undefined."""
        return float(self.drawn(truth, answered, np.ones((1, len(truth.values))))[0])

    def drawn(self, truth: Truth, answered: ScoredAnswers, weights: Array) -> Array:
        """The score of each resample, float64 (draws,)."""
        with np.errstate(all="ignore"):
            return BY_NAME[self.name](truth, answered, weights)

    def gain(self, better: Any, worse: Any) -> Any:
        """How much better one score is than another: positive where it is."""
        return (better - worse) * (1 if self.greater_is_better else -1)

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
    return METRICS[REPORTED[task][0]]


def fitting(task: str, answered: ScoredAnswers) -> list[Metric]:
    """The metrics that such answers have, in the order of reports: the usual one first."""
    every = (METRICS[name] for name in REPORTED[task])
    return [metric for metric in every if metric.fits(task, answered)]


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


def _by_labels(function: Callable[..., float]) -> Score:
    return lambda y, answers, classes: float(function(y, answers))


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


def _both(title: str) -> dict[str, str]:
    return {"binary": title, "multiclass": title}


def _averaged(title: str, of_two: str = "") -> dict[str, str]:
    return {"binary": title + of_two, "multiclass": f"{title}, averaged over classes"}


def _values(title: str) -> dict[str, str]:
    return {"regression": title}


_label = partial(Metric, greater_is_better=True, needs="prediction")
_probability = partial(Metric, greater_is_better=True, needs="probabilities")
_error = partial(Metric, greater_is_better=False, needs="prediction")

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        _probability(
            "roc_auc", "ROC AUC", _averaged("area under the ROC curve"),
            score=_roc_auc, ranks=True,
        ),
        _probability(
            "log_loss", "log loss", _both("log loss"), score=_log_loss, greater_is_better=False
        ),
        _probability(
            "average_precision", "average precision", {"binary": "average precision"},
            score=_average_precision, ranks=True,
        ),
        _probability(
            "brier", "Brier score", _both("Brier score"), score=_brier, greater_is_better=False
        ),
        _label(
            "accuracy", "accuracy", _both("accuracy"),
            score=_by_labels(metrics.accuracy_score), several=True,
        ),
        _label(
            "balanced_accuracy", "balanced accuracy", _both("balanced accuracy"),
            score=_balanced_accuracy, at=_balanced_accuracy_at,
        ),
        _label("f1", "F1", _averaged("F1", " of the positive class"), score=_f1, at=_f1_at),
        _label(
            "mcc", "Matthews correlation", _both("Matthews correlation"),
            score=_by_labels(metrics.matthews_corrcoef), at=_mcc_at,
        ),
        _error(
            "rmse", "root mean squared error", _values("root mean squared error"),
            score=_by_labels(metrics.root_mean_squared_error), several=True,
        ),
        _error(
            "mae", "mean absolute error", _values("mean absolute error"),
            score=_by_labels(metrics.mean_absolute_error), several=True,
        ),
        _error(
            "median_ae", "median absolute error", _values("median absolute error"),
            score=_by_labels(metrics.median_absolute_error),
        ),
        _error(
            "mape", "mean absolute percentage error", _values("mean absolute percentage error"),
            score=_by_labels(metrics.mean_absolute_percentage_error),
        ),
        _error(
            "rmsle", "root mean squared error of logarithms",
            _values("root mean squared error of logarithms"), score=_rmsle,
        ),
        _error(
            "r2", "R²", _values("share of variance explained (R²)"),
            score=_r2, greater_is_better=True, several=True,
        ),
    )
}  # fmt: skip
# By task, in the order that reports have them: the usual one first.
REPORTED = {
    "binary": (
        "roc_auc", "average_precision", "log_loss", "accuracy", "balanced_accuracy", "f1", "mcc",
        "brier",
    ),
    "multiclass": ("log_loss", "roc_auc", "accuracy", "balanced_accuracy", "f1", "mcc", "brier"),
    "regression": ("rmse", "mae", "median_ae", "r2", "mape", "rmsle"),
}  # fmt: skip
# Reported only where they were optimised: they mislead about many tables, or repeat the others.
ASKED_FOR = ("mcc", "mape", "rmsle")
