"""What moving the threshold costs: ROC, precision and recall, and a table of thresholds."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import metrics

from onnxlet.convert.reference.estimators import parts_of
from onnxlet.convert.report.evaluation.evaluation import Subject
from onnxlet.function.arrays import Array

MOST_POINTS = 101
DIGITS = 4  # of thresholds: they are somebody's probabilities
TABLE = np.round(np.arange(0.05, 0.96, 0.05), 2)


def roc(subject: Subject, scores: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The ROC curve with its area; None where there is no ranking of two classes."""
    positive = _two_classes(subject)
    if positive is None:
        return None
    false, true, thresholds = metrics.roc_curve(
        positive, subject.answered.ranking, drop_intermediate=False
    )
    return {
        "points": _points(false, true, thresholds),
        "auc": _of(scores, "roc_auc"),
        "positives": int(positive.sum()),
        "negatives": int((~positive).sum()),
    }


def precision_recall(subject: Subject, scores: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Precision by recall, from all rows selected to none."""
    positive = _two_classes(subject)
    if positive is None:
        return None
    precision, recall, thresholds = metrics.precision_recall_curve(
        positive, subject.answered.ranking
    )
    return {
        "points": _points(recall, precision, np.append(thresholds, np.inf)),
        "average_precision": _of(scores, "average_precision"),
        "share": float(positive.mean()),
    }


def _two_classes(subject: Subject) -> Array | None:
    """Which rows are positive, where both kinds are there and ranked."""
    if subject.task != "binary" or subject.answered.ranking is None:
        return None
    positive = subject.truth.is_positive
    return positive if 0 < positive.sum() < len(positive) else None


def _of(scores: list[dict[str, Any]], name: str) -> Any:
    return next((each["model"] for each in scores if each["metric"] == name), None)


def _points(x: Array, y: Array, thresholds: Array) -> list[list[Any]]:
    """At most `MOST_POINTS` points, evenly along the curve; the first and the last are kept."""
    along = np.concatenate([[0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
    at = np.searchsorted(along, np.linspace(0, along[-1], MOST_POINTS - 1))
    kept = np.unique([0, *np.minimum(at, len(x) - 1).tolist(), len(x) - 1])
    return [
        [x[k], y[k], round(float(thresholds[k]), DIGITS) if np.isfinite(thresholds[k]) else None]
        for k in kept.tolist()
    ]


def threshold(subject: Subject) -> dict[str, Any] | None:
    """What each threshold of the positive class' probability selects, and how rightly."""
    if subject.task != "binary" or subject.answered.probabilities is None:
        return None
    probability = subject.answered.probabilities[:, subject.truth.positive]
    positive = subject.truth.is_positive
    chosen = chosen_threshold(subject)
    every = np.unique([*TABLE.tolist(), *([] if chosen is None else [chosen])])
    return {
        "chosen": chosen,
        "metric": subject.measured.threshold_metric,
        "rows": len(positive),
        "positives": int(positive.sum()),
        "table": [_at(float(each), probability >= each, positive) for each in every],
    }


def _at(value: float, selected: Array, positive: Array) -> dict[str, Any]:
    hits, rows = int((selected & positive).sum()), len(positive)
    there, chosen = int(positive.sum()), int(selected.sum())
    false = chosen - hits
    return {
        "threshold": value,
        "selected": chosen / rows,
        "precision": hits / chosen if chosen else None,
        "recall": hits / there if there else None,
        "false_positive_rate": false / (rows - there) if rows > there else None,
        "accuracy": (rows - there - false + hits) / rows,
    }


def chosen_threshold(subject: Subject) -> float | None:
    """Where the model's own answers turn positive; None where it decides in another way."""
    answered, positive = subject.answered, subject.truth.positive
    assert answered.probabilities is not None  # noqa: S101 - the caller has looked
    probability, said = answered.probabilities[:, positive], answered.prediction == positive
    for part in [None, *parts_of(subject.measured.estimator, 3)]:
        kept = vars(part) if part is not None else {"threshold": subject.measured.threshold}
        for value in (kept.get("best_threshold_"), kept.get("threshold"), 0.5):
            if isinstance(value, float) and _decides(value, probability, said):
                return float(value)
    return None


def _decides(value: float, probability: Array, said: Array) -> bool:
    """Whether the answers are those of a threshold; right at it they may be either."""
    at = np.abs(probability - value) <= 1e-5  # the tolerance of parity
    return bool(((probability >= value) == said)[~at].all())
