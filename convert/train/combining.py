"""From what a search found to one fitted estimator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import FixedThresholdClassifier

from onnxlet.convert.train.fitting import fit, together
from onnxlet.convert.train.metrics import Metric
from onnxlet.convert.train.threshold import choose_threshold
from onnxlet.convert.train.trials import Trial
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
    weighted: Weighted, X: pd.DataFrame, y: Array, task: str, metric: Metric, seed: int
) -> Combined:
    """Fit each of the trials on all training rows, and have them vote.

    Args:
        weighted: finished trials and their weights, which sum to 1.
        X: the training rows.
        y: one entry per row.
        task: binary, multiclass or regression.
        metric: for which a threshold is chosen on out-of-fold probabilities, where it depends on
            one.
        seed: of what is drawn.
    """
    parts = [
        (fit(trial.candidate, X, y, task, seed=seed, rounds=trial.rounds).pipeline, weight)
        for trial, weight in weighted
    ]
    estimator = together(parts, X, y, task)
    answers = out_of_fold(weighted)
    if task != "binary" or metric.needs == "probabilities" or answers is None:
        return Combined(estimator, None)
    known = np.isfinite(answers[:, 1])
    chosen = choose_threshold(y[known], answers[known], metric, estimator.classes_).threshold
    classifier = FixedThresholdClassifier(
        FrozenEstimator(estimator),
        threshold=chosen,
        pos_label=estimator.classes_[1],
        response_method="predict_proba",
    )
    return Combined(classifier.fit(X, y), chosen)


def out_of_fold(weighted: Weighted) -> Array | None:
    """The trials' out-of-fold answers, averaged by their weights; None where one has none.

    Returns:
        Of shape (rows,) or (rows, classes); NaN for rows that no fold validated on.
    """
    parts = [(trial.out_of_fold, weight) for trial, weight in weighted]
    known = [answers * weight for answers, weight in parts if answers is not None]
    return np.sum(known, axis=0) if len(known) == len(parts) else None
