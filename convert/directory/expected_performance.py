"""The manifest's `estimate`: how performance is expected without labels, learned on held-out rows.

Classifiers: the probability that a class is right, by isotonic regression on the model's own
probability (confidence-based performance estimation, as NannyML calls it). Regressors: the mean
absolute error, by the size of the prediction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn import metrics
from sklearn.isotonic import IsotonicRegression

from onnxlet.convert.directory.conformal import error_by_prediction
from onnxlet.convert.directory.reference_statistics import between
from onnxlet.convert.reference.answers import Task, flat
from onnxlet.function.arrays import Array

FEWEST_ROWS = 50
STEP_ROWS = 5  # a step of the calibration map holds so many rows, at least
MOST_STEPS, ALL_STEPS = 20, 120  # of one class, and of all together
MOST_CLASSES = 20
LARGE = (0.5, 0.8, 0.95)  # of the errors lie below each edge, above which they count as large
ALIKE = 0.9  # of the rows whose largest score is that of the class which is answered


def expected_performance(
    task: Task, answers: Mapping[str, Array], y_test: Any, positive: int = 1
) -> dict[str, Any] | None:
    """What `onnxlet.function.monitoring.estimate` computes expected performance from.

    Of answers to held-out rows, by output name, and what is right, of shape (rows,). For a
    classifier it has `rows`, `of` (the output), `classes` (for each `edges` and `calibrated`) and
    `held_out`; for a regressor `rows`, `edges`, `absolute_error`, `held_out`, and `large_errors`:
    edges, and how many `rows` have an error above each. None where there is no y_test of such a
    form, there are too few rows, or the model answers several outputs. Of two classes, figures on
    held-out rows are of the one with the index `positive`.
    """
    if y_test is None or task.name not in ("classification", "regression"):
        return None
    y, got = flat(y_test), flat(answers["prediction"])
    if y.shape != got.shape or y.ndim != 1 or len(y) < FEWEST_ROWS:
        return None
    if task.name == "regression":
        return _regression(y, got)
    of = next((name for name in ("probabilities", "score") if name in answers), None)
    if task.classes is None or of is None or not 2 <= len(task.classes) <= MOST_CLASSES:
        return None
    return _classification(task.classes, of, answers[of], y, got, positive)


def _classification(
    classes: Sequence[Any], of: str, scores: Array, y: Array, got: Array, positive: int
) -> dict[str, Any] | None:
    scores = np.asarray(scores, np.float64).reshape(len(y), -1)
    counted = list(range(len(classes))) if len(classes) > 2 else [1]
    if scores.shape[1] not in (1, len(classes)) or not np.isfinite(scores).all():
        return None
    columns = scores[:, -len(counted) :]
    labels = y.tolist()
    if columns.shape[1] != len(counted) or any(label not in labels for label in classes):
        return None
    if len(counted) > 1 and not _are_of_classes(columns, classes, got):
        return None
    most = min(MOST_STEPS, ALL_STEPS // len(counted))
    made = []
    for number, column in zip(counted, columns.T, strict=True):
        right = np.array([label == classes[number] for label in labels], np.float64)
        edges, calibrated = calibration(column, right, most)
        made.append({"edges": edges, "calibrated": calibrated})
    held_out = _held_out(classes, y, got, columns, positive)
    return {"rows": len(y), "of": of, "classes": made, "held_out": held_out}


def _are_of_classes(scores: Array, classes: Sequence[Any], got: Array) -> bool:
    """Whether there is a score of each class: of three classes there are three pairs, too."""
    largest = scores.argmax(axis=1).tolist()
    alike = [classes[n] == label for n, label in zip(largest, got.tolist(), strict=True)]
    return bool(sum(alike) >= ALIKE * len(alike))


def _held_out(
    classes: Sequence[Any], y: Array, got: Array, columns: Array, positive: int
) -> dict[str, float | None]:
    """Performance on held-out rows, by the names of `estimate.classification`."""
    known = list(range(len(classes)))
    number = {label: n for n, label in enumerate(classes)}
    truth = np.array([number.get(label, -1) for label in y.tolist()])
    answered = np.array([number.get(label, -1) for label in got.tolist()])
    chosen = [1] if len(known) == 2 else known  # that have a column
    rated = [positive] if len(known) == 2 else known
    how = {"labels": rated, "average": "macro", "zero_division": 0.0}
    areas = [
        metrics.roc_auc_score(truth == n, column)
        for n, column in zip(chosen, columns.T, strict=True)
        if 0 < (truth == n).sum() < len(truth)
    ]
    found = {
        "accuracy": float((truth == answered).mean()),
        "precision": metrics.precision_score(truth, answered, **how),
        "recall": metrics.recall_score(truth, answered, **how),
        "f1": metrics.f1_score(truth, answered, **how),
        "roc_auc": np.mean(areas) if areas else np.nan,
    }
    return {name: None if np.isnan(value) else float(value) for name, value in found.items()}


def calibration(
    scores: Array, right: Array, most: int = MOST_STEPS
) -> tuple[list[float], list[float]]:
    """Isotonic regression as steps, each of at least STEP_ROWS rows and of no single score.

    Of scores, float64 (rows,), and 1.0 where the class is right, else 0.0: edges between at most so
    many steps, and for each step the share of rows in it that are right.
    """
    order = np.argsort(scores, kind="stable")
    ordered, truth = scores[order], right[order]
    fitted = IsotonicRegression(out_of_bounds="clip").fit_transform(ordered, truth)
    cuts = np.flatnonzero((np.diff(fitted) > 0) & (np.diff(ordered) > 0)) + 1
    ends = [*cuts.tolist(), len(ordered)]
    starts = [0, *cuts.tolist()]
    steps = [[a, b] for a, b in zip(starts, ends, strict=True)]
    while len(steps) > 1:
        sizes = [b - a for a, b in steps]
        smallest = int(np.argmin(sizes))
        if sizes[smallest] >= STEP_ROWS and len(steps) <= most:
            break
        beside = [n for n in (smallest - 1, smallest + 1) if 0 <= n < len(steps)]
        other = min(beside, key=lambda n: sizes[n])
        low, high = min(smallest, other), max(smallest, other)
        steps[low : high + 1] = [[steps[low][0], steps[high][1]]]
    edges = [between(float(ordered[a - 1]), float(ordered[a])) for a, _ in steps[1:]]
    return edges, [float(truth[a:b].mean()) for a, b in steps]


def _regression(y: Array, got: Array) -> dict[str, Any] | None:
    try:
        errors = np.abs(y.astype(np.float64) - got)
    except (TypeError, ValueError):
        return None
    if not np.isfinite(errors).all():
        return None
    edges, means = error_by_prediction(got.astype(np.float64), errors)
    return {
        "rows": len(y),
        "edges": edges,
        "absolute_error": means.tolist(),
        "held_out": {"mean_absolute_error": float(errors.mean())},
        "large_errors": _large(np.sort(errors)),
    }


def _large(ordered: Array) -> dict[str, list[Any]]:
    """Edges that shares of LARGE lie below, where STEP_ROWS errors at least lie above."""
    starts = [ordered.searchsorted(ordered[int(len(ordered) * s) - 1], "right") for s in LARGE]
    kept = [at for at in dict.fromkeys(map(int, starts)) if len(ordered) - at >= STEP_ROWS]
    edges = [between(float(ordered[at - 1]), float(ordered[at])) for at in kept]
    return {"above": edges, "rows": [len(ordered) - at for at in kept]}
