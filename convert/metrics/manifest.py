"""The scores that a manifest has: few, each beside that of a trivial baseline."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn import metrics

from onnxlet.convert.reference.answers import Answers, Task
from onnxlet.function.arrays import Array

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
    if y.ndim == 1 and task.classes is not None and not {*y.tolist()} & {*task.classes}:
        raise ValueError("none of these labels is one of the estimator's")
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
