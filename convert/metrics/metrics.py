"""Metrics by name: what a search optimises, by scikit-learn, and a report resamples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.class_weight import compute_sample_weight

from onnxlet.convert.metrics.resampled import BY_NAME, ScoredAnswers, Truth
from onnxlet.function.errors import WrongUse

Array = NDArray[Any]
Counts = NDArray[np.float64]  # of rows


class Metric(NamedTuple):
    """A score of answers."""

    name: str  # as it is given on the command line
    title: str  # in lines of progress
    in_full: Mapping[str, str]  # as reports say it, by task: those that have it
    greater_is_better: bool
    needs: Literal["prediction", "probabilities"]  # labels or values (n,), or (n, classes)
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


def fitting(task: str, answered: ScoredAnswers) -> list[Metric]:
    """The metrics that such answers have, in the order of reports: the usual one first."""
    every = (METRICS[name] for name in REPORTED[task])
    return [metric for metric in every if metric.fits(task, answered)]


def metric_named(name: str | None, task: str) -> Metric:
    """The metric of this name; WrongUse where the task has none.

    For None it is the usual one: what most people would compare models of a task by.
    """
    usual = REPORTED[task][0]
    if name is None:
        return METRICS[usual]
    fitting = [metric.name for metric in METRICS.values() if task in metric.tasks]
    if name not in fitting:
        known = f"a metric of {', '.join(METRICS[name].tasks)}" if name in METRICS else "no metric"
        raise WrongUse(
            f"--metric: expected one for {task}, got '{name}', {known}",
            f"Give one of {', '.join(fitting)}; without, it is {usual}.",
        )
    return METRICS[name]


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


_label = partial(Metric, greater_is_better=True, needs="prediction")
_probability = partial(Metric, greater_is_better=True, needs="probabilities")


def _error(name: str, title: str, in_full: str = "", **more: bool) -> Metric:
    about: Any = {"greater_is_better": False, "needs": "prediction", **more}
    return Metric(name, title, {"regression": in_full or title}, **about)


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        _probability("roc_auc", "ROC AUC", _averaged("area under the ROC curve"), ranks=True),
        _probability("log_loss", "log loss", _both("log loss"), greater_is_better=False),
        _probability(
            "average_precision", "average precision", {"binary": "average precision"}, ranks=True
        ),
        _probability("brier", "Brier score", _both("Brier score"), greater_is_better=False),
        _label("accuracy", "accuracy", _both("accuracy"), several=True),
        _label(
            "balanced_accuracy", "balanced accuracy", _both("balanced accuracy"),
            at=_balanced_accuracy_at,
        ),
        _label("f1", "F1", _averaged("F1", " of the positive class"), at=_f1_at),
        _label("mcc", "Matthews correlation", _both("Matthews correlation"), at=_mcc_at),
        _error("rmse", "root mean squared error", several=True),
        _error("mae", "mean absolute error", several=True),
        _error("median_ae", "median absolute error"),
        _error("mape", "mean absolute percentage error"),
        _error("rmsle", "root mean squared error of logarithms"),
        _error(
            "r2", "R²", "share of variance explained (R²)", greater_is_better=True, several=True
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
