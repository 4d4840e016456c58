"""From what a search found to one fitted estimator."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import FixedThresholdClassifier

from onnxlet.convert.metrics.metrics import Metric
from onnxlet.convert.train.fitting import fit, together
from onnxlet.convert.train.scoring import best_threshold
from onnxlet.convert.train.trials import Trial
from onnxlet.function.arrays import Array

Weighted = Sequence[tuple[Trial, float]]


@dataclass(frozen=True)
class Combined:
    """One estimator, fitted on all training rows."""

    estimator: Any  # a pipeline, or several that vote by their weights
    threshold: (
        float | None
    )  # of the second class's probability, where not the likeliest is answered


def combine(
    weighted: Weighted, X: pd.DataFrame, y: Array, task: str, metric: Metric, seed: int
) -> Combined:
    """Fit each of the trials on all training rows, and have them vote by their weights."""
    estimator = voting(weighted, X, y, task, metric, seed)
    chosen = threshold_of(weighted, y, task, metric)
    if chosen is None:
        return Combined(estimator, None)
    return Combined(answering_from(chosen, estimator, X, y), chosen)


def threshold_of(weighted: Weighted, y: Array, task: str, metric: Metric) -> float | None:
    """The best threshold of out-of-fold probabilities; None where the metric depends on none."""
    answers = out_of_fold(weighted)
    if task != "binary" or metric.needs == "probabilities" or answers is None:
        return None
    known = np.isfinite(answers[:, 1])
    return best_threshold(y[known] == np.unique(y)[1], answers[known, 1], metric)


def voting(
    weighted: Weighted, X: pd.DataFrame, y: Array, task: str, metric: Metric, seed: int
) -> Any:
    """The trials, fitted on these rows, as one estimator that answers the most probable class."""
    weights = metric.balanced_weights(y, task)
    parts = []
    with warnings.catch_warnings():  # of learners: the search has seen what they are worth
        warnings.simplefilter("ignore")
        for trial, weight in weighted:
            fitted = fit(
                trial.candidate, X, y, task, seed=seed, rounds=trial.rounds, weights=weights
            )
            parts.append((fitted.pipeline, weight))
        return together(parts, X, y, task)


def answering_from(threshold: float, estimator: Any, X: pd.DataFrame, y: Array) -> Any:
    """A fitted estimator of two classes that answers the second from a probability on.

    Of the rows that it was fitted on nothing is learned.
    """
    classifier = FixedThresholdClassifier(
        FrozenEstimator(estimator),
        threshold=threshold,
        pos_label=estimator.classes_[1],
        response_method="predict_proba",
    )
    return classifier.fit(X, y)


def named(weighted: Weighted) -> str:
    """The trials and their weights, as people read them."""
    if len(weighted) == 1:
        return weighted[0][0].candidate.name
    return " + ".join(f"{weight:.2f} {trial.candidate.name}" for trial, weight in weighted)


def out_of_fold(weighted: Weighted) -> Array | None:
    """The trials' out-of-fold answers, averaged by their weights; None where one has none.

    Of shape (rows,) or (rows, classes); NaN for rows that no fold validated on.
    """
    parts = [(trial.out_of_fold, weight) for trial, weight in weighted]
    known = [answers * weight for answers, weight in parts if answers is not None]
    return np.sum(known, axis=0) if len(known) == len(parts) else None
