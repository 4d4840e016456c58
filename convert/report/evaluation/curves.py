"""Curves of classes with probabilities: ROC, precision and recall, thresholds, calibration."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import metrics

from onnxlet.convert.metrics.resampled import squared_errors
from onnxlet.convert.reference.estimators import parts_of
from onnxlet.convert.report.evaluation.evaluation import Evaluation
from onnxlet.convert.report.evaluation.statistics import equal_bins, wilson
from onnxlet.convert.report.form.figures import (
    Calibration,
    CalibrationBin,
    Estimate,
    PrecisionRecall,
    Roc,
    Score,
    Threshold,
    ThresholdRow,
)
from onnxlet.function.arrays import Array

MOST_POINTS = 101
DIGITS = 4  # of thresholds: they are somebody's probabilities
DIGITS_OF_BINS = 3  # of a bin's edges: likewise
TABLE = np.round(np.arange(0.05, 0.96, 0.05), 2)


def roc(case: Evaluation, scores: list[Score]) -> Roc | None:
    """The ROC curve with its area; None where there is no ranking of two classes."""
    positive = _two_classes(case)
    if positive is None:
        return None
    false, true, thresholds = metrics.roc_curve(
        positive, case.answered.ranking, drop_intermediate=False
    )
    return Roc(
        points=_points(false, true, thresholds),
        auc=_estimate(scores, "roc_auc"),
        positives=int(positive.sum()),
        negatives=int((~positive).sum()),
    )


def precision_recall(case: Evaluation, scores: list[Score]) -> PrecisionRecall | None:
    """Precision by recall, from all rows selected to none."""
    positive = _two_classes(case)
    if positive is None:
        return None
    precision, recall, thresholds = metrics.precision_recall_curve(positive, case.answered.ranking)
    return PrecisionRecall(
        points=_points(recall, precision, np.append(thresholds, np.inf)),
        average_precision=_estimate(scores, "average_precision"),
        share=float(positive.mean()),
    )


def _two_classes(case: Evaluation) -> Array | None:
    """Which rows are positive, where both kinds are there and ranked."""
    if case.task != "binary" or case.answered.ranking is None:
        return None
    positive = case.truth.is_positive
    return positive if 0 < positive.sum() < len(positive) else None


def _estimate(scores: list[Score], name: str) -> Estimate:
    """The score of a name, which all that is ranked has."""
    return next(each.model for each in scores if each.metric == name)


def _points(x: Array, y: Array, thresholds: Array) -> list[list[Any]]:
    """At most `MOST_POINTS` points, evenly along the curve; the first and the last are kept."""
    along = np.concatenate([[0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
    at = np.searchsorted(along, np.linspace(0, along[-1], MOST_POINTS - 1))
    kept = np.unique([0, *np.minimum(at, len(x) - 1).tolist(), len(x) - 1])
    return [
        [x[k], y[k], round(float(thresholds[k]), DIGITS) if np.isfinite(thresholds[k]) else None]
        for k in kept.tolist()
    ]


def threshold(case: Evaluation) -> Threshold | None:
    """What each threshold of the positive class' probability selects, and how rightly."""
    if case.task != "binary" or case.answered.probabilities is None:
        return None
    probability = case.answered.probabilities[:, case.truth.positive]
    positive = case.truth.is_positive
    chosen = chosen_threshold(case)
    every = np.unique([*TABLE.tolist(), *([] if chosen is None else [chosen])])
    return Threshold(
        chosen=chosen,
        metric=None if case.measured.threshold is None else case.metric.name,
        rows=len(positive),
        positives=int(positive.sum()),
        table=[_at(float(each), probability >= each, positive) for each in every],
    )


def _at(value: float, selected: Array, positive: Array) -> ThresholdRow:
    hits, rows = int((selected & positive).sum()), len(positive)
    there, chosen = int(positive.sum()), int(selected.sum())
    false = chosen - hits
    return ThresholdRow(
        threshold=value,
        selected=chosen / rows,
        precision=hits / chosen if chosen else None,
        recall=hits / there if there else None,
        false_positive_rate=false / (rows - there) if rows > there else None,
        accuracy=(rows - there - false + hits) / rows,
    )


def chosen_threshold(case: Evaluation) -> float | None:
    """Where the model's own answers turn positive; None where it decides in another way."""
    answered, positive = case.answered, case.truth.positive
    assert answered.probabilities is not None  # noqa: S101 - the caller has looked
    probability, said = answered.probabilities[:, positive], answered.prediction == positive
    for part in [None, *parts_of(case.measured.estimator, 3)]:
        kept = vars(part) if part is not None else {"threshold": case.measured.threshold}
        for value in (kept.get("best_threshold_"), kept.get("threshold"), 0.5):
            if isinstance(value, float) and _decides(value, probability, said):
                return float(value)
    return None


def _decides(value: float, probability: Array, said: Array) -> bool:
    """Whether the answers are those of a threshold; right at it they may be either."""
    at = np.abs(probability - value) <= 1e-5  # the tolerance of parity
    return bool(((probability >= value) == said)[~at].all())


def calibration(case: Evaluation) -> Calibration | None:
    """Bins of equally many rows: what they were given, and what was so.

    Of two classes the positive one's probability; of more the predicted one's. The error is the
    expected calibration error: the bins' distances, weighted by their rows.
    """
    answered, truth = case.answered, case.truth
    if answered.probabilities is None or not len(truth.labels) >= 2:
        return None
    if case.task == "binary":
        given, so = answered.probabilities[:, truth.positive], truth.is_positive
    else:
        given = answered.probabilities[np.arange(len(truth.values)), answered.prediction]
        so = truth.values == answered.prediction
    bins = equal_bins(given)
    found = [_bin(given[bins == number], so[bins == number]) for number in range(bins.max() + 1)]
    off = [each.rows * abs(each.observed - each.predicted) for each in found]
    return Calibration(
        of="positive" if case.task == "binary" else "top",
        rows=len(given),
        bins=found,
        error=sum(off) / len(given),
        brier=float(squared_errors(truth, answered).mean()),
    )


def _bin(given: Array, so: Array) -> CalibrationBin:
    rows, hits = len(given), int(so.sum())
    low, high = wilson(hits, rows)
    return CalibrationBin(
        low=round(float(given.min()), DIGITS_OF_BINS),
        high=round(float(given.max()), DIGITS_OF_BINS),
        rows=rows,
        predicted=float(given.mean()),
        observed=hits / rows,
        observed_low=low,
        observed_high=high,
    )
