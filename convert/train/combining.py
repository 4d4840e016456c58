"""From what a search found to one fitted estimator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import VotingClassifier, VotingRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import FixedThresholdClassifier

from onnxlet.convert.train.fitting import fit
from onnxlet.convert.train.metrics import Metric
from onnxlet.convert.train.search import Trial
from onnxlet.convert.train.threshold import choose_threshold
from onnxlet.function.arrays import Array

Weighted = Sequence[tuple[Trial, float]]


@dataclass(frozen=True)
class Combined:
    """One estimator, fitted on all training rows.

    Attributes:
        estimator: a pipeline, or several that vote by their weights.
        threshold: probability of the second class from which it is answered; None where the
            most probable class is.
    """

    estimator: Any
    threshold: float | None


def combine(
    weighted: Weighted,
    X: pd.DataFrame,
    y: Array,
    task: str,
    metric: Metric,
    seed: int,
    weights: Array | None = None,
) -> Combined:
    """Fit each of the trials on all training rows, and have them vote.

    Args:
        weighted: finished trials and their weights, which sum to 1.
        X: the training rows.
        y: one entry per row.
        task: binary, multiclass or regression.
        metric: for which a threshold is chosen on out-of-fold probabilities where it scores
            labels.
        seed: of what is drawn.
        weights: of the rows; None where all count the same.
    """
    fitted = [
        fit(t.candidate, X, y, task, seed=seed, rounds=t.rounds, weights=weights).pipeline
        for t, _ in weighted
    ]
    estimator = fitted[0]
    if len(fitted) > 1:
        voting = VotingRegressor if task == "regression" else VotingClassifier
        frozen = [(f"m{trial.number}", FrozenEstimator(p)) for (trial, _), p in _zip(weighted, fitted)]
        by = {} if task == "regression" else {"voting": "soft"}
        estimator = voting(frozen, weights=[weight for _, weight in weighted], **by).fit(X, y)
    if task != "binary" or metric.needs == "probabilities":
        return Combined(estimator, None)
    chosen = choose_threshold(y, out_of_fold(weighted)[:, 1], metric).threshold
    classifier = FixedThresholdClassifier(
        FrozenEstimator(estimator),
        threshold=chosen,
        pos_label=estimator.classes_[1],
        response_method="predict_proba",
    )
    return Combined(classifier.fit(X, y), chosen)


def out_of_fold(weighted: Weighted) -> Array:
    """The trials' out-of-fold predictions, averaged by their weights.

    Returns:
        Of shape (rows,) or (rows, classes); NaN in rows that no fold validated on.
    """
    parts = [trial.out_of_fold * weight for trial, weight in weighted if trial.out_of_fold is not None]
    return np.asarray(np.sum(parts, axis=0))


def _zip(weighted: Weighted, fitted: Sequence[Any]) -> list[tuple[tuple[Trial, float], Any]]:
    return list(zip(weighted, fitted, strict=True))
