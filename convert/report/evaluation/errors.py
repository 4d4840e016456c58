"""Which answers are wrong, and how far: confusion of classes, residuals of numbers, worst rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from onnxlet.convert.report.evaluation.bins import edges, equal_bins, histogram, rounded
from onnxlet.convert.report.evaluation.evaluation import Subject
from onnxlet.convert.report.evaluation.measures import of_the_true
from onnxlet.function.arrays import Array

MOST_LABELS = 20
OTHER = "other"
SHARES = (0.5, 0.8, 0.95)
WORST = 10


def confusion(subject: Subject) -> dict[str, Any] | None:
    """How often each class is answered as which; rare classes are one where there are many."""
    if subject.task == "regression" or subject.outputs > 1:
        return None
    truth, predicted = subject.truth.values, subject.answered.prediction
    labels, place = few_labels(subject.truth.labels, truth)
    counts = np.zeros((len(labels), len(labels)), dtype=np.int64)
    np.add.at(counts, (place[truth], place[predicted]), 1)
    other = len(labels) < len(subject.truth.labels)
    return {"labels": labels, "counts": counts.tolist(), "other": other}


def few_labels(labels: list[Any], values: Array) -> tuple[list[Any], Array]:
    """At most `MOST_LABELS` labels, the rare ones lumped as the last, and where each has gone."""
    if len(labels) <= MOST_LABELS:
        return labels, np.arange(len(labels))
    counts = np.bincount(values, minlength=len(labels))
    kept = np.sort(np.argsort(-counts, kind="stable")[: MOST_LABELS - 1])
    place = np.full(len(labels), MOST_LABELS - 1)
    place[kept] = np.arange(len(kept))
    return [*(labels[k] for k in kept.tolist()), OTHER], place


def residuals(subject: Subject) -> dict[str, Any] | None:
    """How far numbers are off: what really was, less what the model said."""
    if subject.task != "regression" or subject.outputs > 1:
        return None
    predicted = subject.answered.prediction
    off = subject.truth.values - predicted
    found = edges(off)
    counts, beyond = histogram(off, found)
    return {
        "rows": len(off),
        "bins": found.tolist(),
        "counts": counts,
        "beyond": beyond,
        "by_prediction": _by_prediction(predicted, off),
        "within": [{"share": s, "error": short(np.quantile(np.abs(off), s))} for s in SHARES],
    }


def _by_prediction(predicted: Array, off: Array) -> list[dict[str, Any]]:
    span, width = float(np.ptp(predicted)), float(np.ptp(off))
    bins = equal_bins(predicted)
    found = []
    for number in range(bins.max() + 1):
        inside = bins == number
        low, high = rounded(np.array([predicted[inside].min(), predicted[inside].max()]), span)
        p05, p95 = rounded(np.percentile(off[inside], (5, 95)), width)
        own = {"low": low, "high": high, "rows": int(inside.sum())}
        found.append({**own, "mean": off[inside].mean(), "p05": p05, "p95": p95})
    return found


def worst(subject: Subject) -> tuple[list[dict[str, Any]], str]:
    """The rows that are furthest off, by position in X_test; and what their error is."""
    off, what = _errors(subject)
    first = np.lexsort((subject.rows, -off))[:WORST]
    rows = subject.rows[first].tolist()
    return [{"row": r, "error": short(e)} for r, e in zip(rows, off[first], strict=True)], what


def _errors(subject: Subject) -> tuple[Array, str]:
    truth, answered = subject.truth, subject.answered
    if subject.task == "regression":
        off = np.abs(truth.values - answered.prediction)
        return (off if off.ndim == 1 else off.mean(axis=1)), "absolute error"
    if answered.probabilities is not None:
        return 1 - of_the_true(truth, answered), "1 − probability of the true class"  # noqa: RUF001
    wrong = (truth.values != answered.prediction).astype(np.float64)
    return (wrong if wrong.ndim == 1 else wrong.mean(axis=1)), "wrong"


def short(value: float) -> float:
    """To three significant digits: from more of them somebody's value could be had."""
    return float(f"{value:.3g}")
