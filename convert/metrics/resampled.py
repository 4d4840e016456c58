"""Scores of answers on many resamples at once: rows have weights, and a score is of each draw.

Every function takes what was true, the answers, and weights of shape (draws, rows); it gives a
value for each draw, NaN where that is undefined. Plain scores, as a search compares, have weights
of one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from onnxlet.function.arrays import Array

MOST_CLASSES = 20  # of whose ranking an average is made on each of many draws
LEAST_PROBABILITY = float(np.finfo(np.float64).eps)


class ScoredAnswers(NamedTuple):
    """Answers in one form, whoever gave them."""

    # Numbers; of a classifier indices of labels. Of shape (rows,), with several outputs (rows,
    # outputs).
    prediction: Array
    probabilities: Array | None = None  # float64 of shape (rows, labels)
    # Of two classes, float64 of shape (rows,): the higher, the rather positive.
    ranking: Array | None = None

    def at(self, rows: Array) -> ScoredAnswers:
        """The answers of some rows, by a mask or by indices."""
        return ScoredAnswers(*[None if part is None else part[rows] for part in self])  # type: ignore[arg-type]


class Truth(NamedTuple):
    """What was true."""

    values: Array  # like the predictions of answers
    labels: list[Any]  # that classes' indices stand for; [] for numbers
    positive: int = 1  # the index that rates are of
    unknown: int = 0  # of these labels, so many are none of the model's

    def at(self, rows: Array) -> Truth:
        """That of some rows."""
        return self._replace(values=self.values[rows])

    @property
    def many(self) -> bool:
        """Whether the model has more than two classes."""
        return len(self.labels) - self.unknown > 2

    @property
    def is_positive(self) -> Array:
        """Of shape (rows,), bool."""
        return np.asarray(self.values == self.positive)


Score = Callable[[Truth, ScoredAnswers, Array], Array]


def _average(weights: Array, losses: Array) -> Array:
    """Weighted means of losses (rows,) or (rows, outputs)."""
    total = weights.sum(axis=1)
    return np.asarray(weights @ losses / (total if losses.ndim == 1 else total[:, None]))


def _accuracy(truth: Truth, answered: ScoredAnswers, weights: Array) -> Array:
    right = (truth.values == answered.prediction).astype(np.float64)
    return _average(weights, right if right.ndim == 1 else right.mean(axis=1))


def _one_hot(indices: Array, labels: list[Any]) -> Any:
    rows = np.arange(len(indices))
    shape = (len(indices), len(labels))
    return sparse.csr_array((np.ones(len(indices)), (rows, indices)), shape=shape)


def _by_class(truth: Truth, answered: ScoredAnswers, weights: Array) -> tuple[Array, Array, Array]:
    """Of each draw and label: rows that are it, rows answered so, and rows that are both."""
    is_it = _one_hot(truth.values, truth.labels)
    answered_so = _one_hot(answered.prediction, truth.labels)
    both = is_it * answered_so
    return tuple(np.asarray(weights @ part) for part in (is_it, answered_so, both))  # type: ignore[return-value]


def _balanced_accuracy(truth: Truth, answered: ScoredAnswers, weights: Array) -> Array:
    is_it, _, both = _by_class(truth, answered, weights)
    return np.asarray(np.where(is_it > 0, both / is_it, 0).sum(axis=1) / (is_it > 0).sum(axis=1))


def _f1(truth: Truth, answered: ScoredAnswers, weights: Array) -> Array:
    """Of the positive class; of more than two averaged over those that rows have."""
    is_it, answered_so, both = _by_class(truth, answered, weights)
    f1 = np.where(is_it + answered_so > 0, 2 * both / (is_it + answered_so), 0.0)
    if len(truth.labels) == 2:
        return np.asarray(f1[:, truth.positive])
    return np.asarray(np.where(is_it > 0, f1, 0).sum(axis=1) / (is_it > 0).sum(axis=1))


def _mcc(truth: Truth, answered: ScoredAnswers, weights: Array) -> Array:
    """Matthews' correlation, 0 where all rows have one class or are answered one.

    J. Gorodkin, "Comparing two K-category assignments by a K-category correlation coefficient",
    Computational Biology and Chemistry 28 (2004), 367-374.
    """
    is_it, answered_so, both = _by_class(truth, answered, weights)
    rows = weights.sum(axis=1)
    above = both.sum(axis=1) * rows - (is_it * answered_so).sum(axis=1)
    squares = [rows**2 - (part**2).sum(axis=1) for part in (is_it, answered_so)]
    below = np.sqrt(squares[0] * squares[1])
    return np.where(below > 0, above / np.where(below > 0, below, 1), 0.0)


def _log_loss(truth: Truth, answered: ScoredAnswers, weights: Array) -> Array:
    return _average(
        weights, -np.log(np.maximum(probability_of_truth(truth, answered), LEAST_PROBABILITY))
    )


def probability_of_truth(truth: Truth, answered: ScoredAnswers) -> Array:
    """The probability that each row's true class was given, of shape (rows,)."""
    assert answered.probabilities is not None  # noqa: S101 - `fits` says so
    return np.asarray(answered.probabilities[np.arange(len(truth.values)), truth.values])


def _brier(truth: Truth, answered: ScoredAnswers, weights: Array) -> Array:
    return _average(weights, squared_errors(truth, answered))


def squared_errors(truth: Truth, answered: ScoredAnswers) -> Array:
    """Brier's, of each row: of two classes that of the positive one, else summed over all."""
    assert answered.probabilities is not None  # noqa: S101 - `fits` says so
    if len(truth.labels) == 2:
        return np.asarray((answered.probabilities[:, truth.positive] - truth.is_positive) ** 2)
    others = (answered.probabilities**2).sum(axis=1)
    own = probability_of_truth(truth, answered)
    return np.asarray(others - own**2 + (1 - own) ** 2)


def _tied_counts(score: Array, positive: Array, weights: Array) -> tuple[Array, Array]:
    """Positive and negative weight at each different score, ascending: (draws, scores) each."""
    order = np.argsort(score, kind="stable")
    starts = np.flatnonzero(np.diff(score[order], prepend=np.nan))
    ordered, is_one = weights[:, order], positive[order]
    return (
        np.add.reduceat(ordered * is_one, starts, axis=1),
        np.add.reduceat(ordered * ~is_one, starts, axis=1),
    )


def _ranked(score: Array, positive: Array, weights: Array) -> Array:
    """The area under the ROC curve: how often a positive is above a negative, ties half."""
    ones, zeros = _tied_counts(score, positive, weights)
    below = np.cumsum(zeros, axis=1) - zeros / 2
    return np.asarray((ones * below).sum(axis=1) / (ones.sum(axis=1) * zeros.sum(axis=1)))


def _roc_auc(truth: Truth, answered: ScoredAnswers, weights: Array) -> Array:
    """Of many classes each against the rest, averaged over those that rows have."""
    if not truth.many:
        assert answered.ranking is not None  # noqa: S101 - `fits` says so
        return _ranked(answered.ranking, truth.is_positive, weights)
    assert answered.probabilities is not None  # noqa: S101 - `fits` says so
    present = np.unique(truth.values)
    if len(present) > MOST_CLASSES and len(weights) > 1:
        return np.full(len(weights), np.nan)
    each = [_ranked(answered.probabilities[:, k], truth.values == k, weights) for k in present]
    found = np.array(each)
    return np.asarray(np.nansum(found, axis=0) / np.isfinite(found).sum(axis=0))


def _average_precision(truth: Truth, answered: ScoredAnswers, weights: Array) -> Array:
    assert answered.ranking is not None  # noqa: S101 - `fits` says so
    ones, zeros = _tied_counts(answered.ranking, truth.is_positive, weights)
    found = np.cumsum(ones[:, ::-1], axis=1)
    selected = np.cumsum((ones + zeros)[:, ::-1], axis=1)
    precision = np.divide(found, selected, out=np.zeros_like(found), where=selected > 0)
    return np.asarray((ones[:, ::-1] * precision).sum(axis=1) / found[:, -1])


def _rmse(truth: Truth, answered: ScoredAnswers, weights: Array) -> Array:
    return _over_outputs(np.sqrt(_average(weights, (truth.values - answered.prediction) ** 2)))


def _mae(truth: Truth, answered: ScoredAnswers, weights: Array) -> Array:
    return _over_outputs(_average(weights, np.abs(truth.values - answered.prediction)))


def _r2(truth: Truth, answered: ScoredAnswers, weights: Array) -> Array:
    centred = truth.values - truth.values.mean(axis=0)  # the digits of large numbers are kept
    spread = _average(weights, centred**2) - _average(weights, centred) ** 2
    unexplained = _average(weights, (truth.values - answered.prediction) ** 2)
    share = np.where(spread > 0, 1 - unexplained / np.where(spread > 0, spread, 1), np.nan)
    return _over_outputs(share)


def _median_ae(truth: Truth, answered: ScoredAnswers, weights: Array) -> Array:
    errors = np.abs(truth.values - answered.prediction)
    order = np.argsort(errors, kind="stable")
    reached = np.cumsum(weights[:, order], axis=1)
    rows = reached[:, -1]
    middle = [(reached > half[:, None]).argmax(axis=1) for half in ((rows - 1) // 2, rows // 2)]
    return np.asarray((errors[order][middle[0]] + errors[order][middle[1]]) / 2)


def _mape(truth: Truth, answered: ScoredAnswers, weights: Array) -> Array:
    scale = np.maximum(np.abs(truth.values), np.finfo(np.float64).eps)
    return _average(weights, np.abs(truth.values - answered.prediction) / scale)


def _rmsle(truth: Truth, answered: ScoredAnswers, weights: Array) -> Array:
    if truth.values.min() < 0:
        return np.full(len(weights), np.nan)
    off = np.log1p(truth.values) - np.log1p(np.maximum(answered.prediction, 0))
    return np.sqrt(_average(weights, off**2))


def _over_outputs(scores: Array) -> Array:
    return scores if scores.ndim == 1 else np.asarray(scores.mean(axis=1))


BY_NAME: Mapping[str, Score] = {
    "roc_auc": _roc_auc,
    "average_precision": _average_precision,
    "log_loss": _log_loss,
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "f1": _f1,
    "mcc": _mcc,
    "brier": _brier,
    "rmse": _rmse,
    "mae": _mae,
    "median_ae": _median_ae,
    "r2": _r2,
    "mape": _mape,
    "rmsle": _rmsle,
}
