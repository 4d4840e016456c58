"""What a manifest says of the data: scores against a trivial baseline, and column statistics."""

from __future__ import annotations

import statistics as stdlib
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from math import isfinite
from typing import Any

import numpy as np
from sklearn import metrics

from onnxlet.convert.reference.answers import Answers, Task
from onnxlet.convert.reference.inputs import Cells, InputColumn
from onnxlet.function.arrays import Array

FREQUENT = 20  # categories listed for a text column
FREQUENT_AT_LEAST = 5  # rows that must hold a text before the manifest repeats it
LONGEST_CATEGORY = 80  # characters
SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)  # of the rows that lie below each quantile


SCORED = ("regression", "classification")


def score(task: Task, answers: Answers, y_test: Any) -> dict[str, dict[str, float]] | None:
    """Scores on held-out rows, each beside that of always giving the same best answer.

    The baseline is the median for a regressor, the most frequent class for a classifier. By metric
    it has `model` and `baseline`; None where there is nothing to compare.
    """
    if y_test is None or task.name not in SCORED:
        return None
    y = np.asarray(y_test)
    got = answers["prediction"]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a score that is undefined is written as null
            return _scores(task, answers, y, got)
    except (ValueError, TypeError):
        return None  # gaps in y_test, or answers of another kind than the estimator's


def _scores(task: Task, answers: Answers, y: Array, got: Array) -> dict[str, dict[str, float]]:
    if task.name == "regression":
        constant = np.broadcast_to(np.median(y, axis=0), y.shape)
        pairs = {
            "mean_absolute_error": metrics.mean_absolute_error,
            "r2": metrics.r2_score,
        }
        return {k: _pair(f(y, got), f(y, constant)) for k, f in pairs.items()}
    values, counts = np.unique(y, return_counts=True)
    scores = {"accuracy": _pair(metrics.accuracy_score(y, got), max(counts.tolist()) / len(y))}
    if task.classes is not None and len(task.classes) == 2 and len(values) == 2:
        ranked = answers.get("probabilities", answers.get("score"))
        if ranked is not None:
            positive = ranked[:, 1] if ranked.ndim == 2 else ranked
            auc = metrics.roc_auc_score(y == task.classes[1], positive)
            scores["roc_auc"] = _pair(auc, 0.5)
    return scores


def _pair(model: float, baseline: float) -> dict[str, float]:
    return {"model": round(float(model), 6), "baseline": round(float(baseline), 6)}


def frequent(cells: Iterable[Any]) -> list[tuple[Any, int]]:
    """Values that several rows share, and none of them long; the most frequent first."""
    ranked = sorted(Counter(cells).items(), key=lambda pair: (-pair[1], str(pair[0])))
    return [
        (value, count)
        for value, count in ranked
        if count >= FREQUENT_AT_LEAST and len(str(value)) <= LONGEST_CATEGORY
    ]


def column_statistics(
    columns: Sequence[InputColumn], rows: Sequence[Cells], source: str
) -> dict[str, Any]:
    """Counts, and for numbers their range and middle, for text its frequent values.

    The source says whether they are of X_train or X_test.
    """
    described = {
        column.name: _describe(column, [row[position] for row in rows])
        for position, column in enumerate(columns)
    }
    return {"source": source, "rows": len(rows), "columns": described}


def _describe(column: InputColumn, cells: Sequence[Any]) -> dict[str, Any]:
    present = [cell for cell in cells if cell is not None]
    about: dict[str, Any] = {"missing": len(cells) - len(present)}
    if column.image:  # no image stands in a manifest, however often it comes
        return about | {"distinct": len(set(present))}
    if column.type in ("string", "bool"):
        about["distinct"] = len(set(present))
        about["frequent"] = [list(pair) for pair in frequent(present)[:FREQUENT]]
        return about
    finite = [cell for cell in present if isfinite(cell)]
    about["infinite"] = len(present) - len(finite)
    if finite:
        about |= {"minimum": min(finite), "maximum": max(finite), "mean": stdlib.fmean(finite)}
        about["median"] = stdlib.median_low(finite)
        if len(finite) * min(SHARES) >= FREQUENT_AT_LEAST:  # so many lie beyond the outer ones
            ordered = sorted(finite)
            about["quantiles"] = [ordered[int(share * (len(ordered) - 1))] for share in SHARES]
    return about
