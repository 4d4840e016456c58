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
from onnxlet.convert.train.balancing import balanced_weights
from onnxlet.convert.train.fitting import fit, together
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
    estimator = voting(weighted, X, y, task, metric, seed)
    chosen = threshold_of(weighted, y, task, metric)
    if chosen is None:
        return Combined(estimator, None)
    return Combined(answering_from(chosen, estimator, X, y), chosen)


def threshold_of(weighted: Weighted, y: Array, task: str, metric: Metric) -> float | None:
    """The best threshold of out-of-fold probabilities; None where the metric depends on none.

    Args:
        weighted: trials and their weights, which sum to 1.
        y: labels of the training rows (n,).
        task: binary, multiclass or regression.
        metric: for which it is chosen.
    """
    answers = out_of_fold(weighted)
    if task != "binary" or metric.needs == "probabilities" or answers is None:
        return None
    known = np.isfinite(answers[:, 1])
    return choose_threshold(y[known], answers[known], metric, np.unique(y)).threshold


def voting(
    weighted: Weighted, X: pd.DataFrame, y: Array, task: str, metric: Metric, seed: int
) -> Any:
    """The trials, fitted on these rows, as one estimator that answers the most probable class.

    Args:
        weighted: finished trials and their weights, which sum to 1.
        X: rows, all of those that were trained on or fewer.
        y: one entry per row.
        task: binary, multiclass or regression.
        metric: by which rows are weighted.
        seed: of what is drawn.
    """
    weights = balanced_weights(y, task, metric, None)
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

    Args:
        threshold: that probability.
        estimator: fitted on these rows.
        X: rows, from which nothing is learned.
        y: one entry per row.
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

    Returns:
        Of shape (rows,) or (rows, classes); NaN for rows that no fold validated on.
    """
    parts = [(trial.out_of_fold, weight) for trial, weight in weighted]
    known = [answers * weight for answers, weight in parts if answers is not None]
    return np.sum(known, axis=0) if len(known) == len(parts) else None
