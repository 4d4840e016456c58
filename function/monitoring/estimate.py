"""Performance without labels: what is expected of a classifier's or regressor's recent answers.

Confidence-based performance estimation: of rows whose calibrated probability is p, a share p is
right, so that expected counts of true and false positives are sums of probabilities (NannyML,
"Estimation of Performance of the Monitored Model"). It assumes that the calibration of held-out
rows still holds: under concept drift, where the same rows have come to mean something else, it
fails.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from onnxlet.function.arrays import Array

Counts = Sequence[Array]


def kind_of(manifest: Mapping[str, Any]) -> str:
    """What a model's truths are: `labels`, `numbers`, or nothing that can be compared."""
    task, classes = manifest["task"], manifest.get("classes")
    if task == "regression":
        return "numbers"
    of_one = classes and not isinstance(classes[0], list)
    if task == "outlier" or (task == "classification" and of_one):
        return "labels"
    return ""


def positive_index(manifest: Mapping[str, Any]) -> int:
    """Which of a model's two classes precision, recall and F1 are of: without a word the second."""
    classes = manifest.get("classes") or []
    return int(not (len(classes) == 2 and classes[0] == manifest.get("positive")))


def classification(
    counts: Counts, calibrated: Sequence[Sequence[float] | Array], positive: int = 1
) -> dict[str, float | None]:
    """Expected accuracy, precision, recall, F1 and ROC AUC, by name.

    The counts are for each counted class (of two classes the second one) the rows in each step of
    its calibration map, of shape (2, steps): those answered as another class, then those answered
    as this one. For each of these classes there is the calibrated probability of each step that the
    class is right. Of two classes the figures are of the one with the index `positive`, of more
    they are means over classes (macro). A share of nothing is 0, as it is in scikit-learn; a ROC
    AUC without both kinds of rows is None.
    """
    rows = int(counts[0].sum())
    if not rows:
        return dict.fromkeys(("accuracy", "precision", "recall", "f1", "roc_auc"))
    if len(counts) == 1 and positive == 0:  # the same rows from the other side, by rising score
        counts, calibrated = [counts[0][::-1, ::-1]], [1 - np.asarray(calibrated[0])[::-1]]
    figures = []
    accurate = 0.0
    for table, shares in zip(counts, calibrated, strict=True):
        p = np.asarray(shares, np.float64)
        expected = table @ p
        true, missed = float(expected[1]), float(expected[0])
        answered = float(table[1].sum())
        accurate += true
        if len(counts) == 1:
            accurate += float(table[0].sum()) - missed
        figures.append(
            {
                "precision": _share(true, answered),
                "recall": _share(true, true + missed),
                "f1": _share(2 * true, answered + true + missed),
                "roc_auc": roc_auc(table.sum(axis=0), p),
            }
        )
    found: dict[str, float | None] = {"accuracy": accurate / rows}
    for name in figures[0]:
        values = [each[name] for each in figures]
        known = [value for value in values if value is not None]
        found[name] = sum(known) / len(known) if known else None
    return found


def _share(part: float, whole: float) -> float:
    return part / whole if whole > 0 else 0.0


def roc_auc(rows: Array, calibrated: Array) -> float | None:
    """Expected area under the ROC curve; within a step the curve is straight.

    Of each step, by rising score, there are the rows and the probability.
    """
    positive, negative = rows * calibrated, rows * (1 - calibrated)
    pairs = float(positive.sum() * negative.sum())
    if pairs <= 0:
        return None
    below = np.cumsum(negative) - negative / 2
    return float((positive * below).sum() / pairs)


def of(entry: Mapping[str, Any], counts: Counts, positive: int = 1) -> dict[str, float | None]:
    """Expected performance by a manifest's `estimate`, of two classes of the positive one.

    The counts are of a classifier for each counted class, of shape (2, steps); of a regressor, for
    whom it is the mean absolute error, one of shape (bins,) or (1, bins).
    """
    if "classes" in entry:
        return classification(counts, [e["calibrated"] for e in entry["classes"]], positive)
    bins = counts[0].ravel()
    rows, errors = int(bins.sum()), np.asarray(entry["absolute_error"], np.float64)
    return {"mean_absolute_error": float(bins @ errors / rows) if rows else None}
