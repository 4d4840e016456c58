"""Which answers are wrong, and how far: confusion of classes, residuals of numbers, worst rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from onnxlet.convert.metrics.resampled import probability_of_truth
from onnxlet.convert.report.evaluation.evaluation import Evaluation
from onnxlet.convert.report.evaluation.statistics import edges, equal_bins, histogram, rounded
from onnxlet.convert.report.form.figures import (
    Confusion,
    OverTime,
    PartInTime,
    PredictionBin,
    Residuals,
    Within,
    WorstRow,
)
from onnxlet.function.arrays import Array

MOST_LABELS = 20
OTHER = "other"
SHARES = (0.5, 0.8, 0.95)
FIFTHS, COVERAGE = 5, 0.9
FEWEST = 10  # rows of a fifth, and errors before
WORST = 10


def confusion(case: Evaluation) -> Confusion | None:
    """How often each class is answered as which; rare classes are one where there are many."""
    if case.task == "regression" or case.outputs > 1:
        return None
    truth, predicted = case.truth.values, case.answered.prediction
    labels, place = few_labels(case.truth.labels, truth)
    counts = np.zeros((len(labels), len(labels)), dtype=np.int64)
    np.add.at(counts, (place[truth], place[predicted]), 1)
    other = len(labels) < len(case.truth.labels)
    return Confusion(labels=labels, counts=counts.tolist(), other=other)


def few_labels(labels: list[Any], values: Array) -> tuple[list[Any], Array]:
    """At most `MOST_LABELS` labels, the rare ones lumped as the last, and where each has gone."""
    if len(labels) <= MOST_LABELS:
        return labels, np.arange(len(labels))
    counts = np.bincount(values, minlength=len(labels))
    kept = np.sort(np.argsort(-counts, kind="stable")[: MOST_LABELS - 1])
    place = np.full(len(labels), MOST_LABELS - 1)
    place[kept] = np.arange(len(kept))
    return [*(labels[k] for k in kept.tolist()), OTHER], place


def over_time(case: Evaluation) -> OverTime | None:
    """How good the earliest and the latest fifth of test rows are answered.

    Intervals and sets are those of the errors before; None where rows are in no order of time.
    """
    earlier = case.measured.earlier_errors
    if earlier is None or len(earlier) < FEWEST or len(case.rows) < FIFTHS * FEWEST:
        return None
    limit = float(np.quantile(earlier, COVERAGE, method="higher"))
    parts = np.array_split(np.argsort(case.rows, kind="stable"), FIFTHS)
    off, _ = errors(case)
    first, last = (_part_in_time(case, off, rows, limit) for rows in (parts[0], parts[-1]))
    return OverTime(asked=COVERAGE, first=first, last=last)


def _part_in_time(case: Evaluation, off: Array, rows: Array, limit: float) -> PartInTime:
    return PartInTime(
        rows=len(rows),
        value=case.metric.value(case.truth.at(rows), case.answered.at(rows)),
        coverage=float((off[rows] <= limit).mean()),
    )


def residuals(case: Evaluation) -> Residuals | None:
    """How far numbers are off: what really was, less what the model said."""
    if case.task != "regression" or case.outputs > 1:
        return None
    predicted = case.answered.prediction
    off = case.truth.values - predicted
    found = edges(off)
    counts, beyond = histogram(off, found)
    return Residuals(
        rows=len(off),
        bins=found.tolist(),
        counts=counts,
        beyond=beyond,
        by_prediction=_by_prediction(predicted, off),
        within=[Within(share=s, error=short(np.quantile(np.abs(off), s))) for s in SHARES],
    )


def _by_prediction(predicted: Array, off: Array) -> list[PredictionBin]:
    span, width = float(np.ptp(predicted)), float(np.ptp(off))
    bins = equal_bins(predicted)
    found = []
    for number in range(bins.max() + 1):
        inside = bins == number
        low, high = rounded(np.array([predicted[inside].min(), predicted[inside].max()]), span)
        p05, p95 = rounded(np.percentile(off[inside], (5, 95)), width)
        rows, mean = int(inside.sum()), off[inside].mean()
        found.append(PredictionBin(low=low, high=high, rows=rows, mean=mean, p05=p05, p95=p95))
    return found


def worst(case: Evaluation) -> tuple[list[WorstRow], str]:
    """The rows that are furthest off, by position in X_test; and what their error is."""
    off, what = errors(case)
    first = np.lexsort((case.rows, -off))[:WORST]
    places, rows = case.measured.places, case.rows[first]
    stand = [None] * len(rows) if places is None else places.at(rows).numbers.tolist()
    each = zip(rows.tolist(), stand, off[first], strict=True)
    return [WorstRow(row=r, place=p, error=short(e)) for r, p, e in each], what


def errors(case: Evaluation) -> tuple[Array, str]:
    """The error of each test row, float64 (rows,), and what it is."""
    truth, answered = case.truth, case.answered
    if case.task == "regression":
        off = np.abs(truth.values - answered.prediction)
        return (off if off.ndim == 1 else off.mean(axis=1)), "absolute error"
    if answered.probabilities is not None:
        return 1 - probability_of_truth(truth, answered), "1 − probability of the true class"  # noqa: RUF001
    wrong = (truth.values != answered.prediction).astype(np.float64)
    return (wrong if wrong.ndim == 1 else wrong.mean(axis=1)), "wrong"


def short(value: float) -> float:
    """To three significant digits: from more of them somebody's value could be had."""
    return float(f"{value:.3g}")
