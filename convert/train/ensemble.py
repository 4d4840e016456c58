"""From what a search found to one fitted estimator.

It is a weighted mean of a few candidates' answers, where that is better than the best of them:
Caruana, Niculescu-Mizil, Crew, Ksikes: Ensemble selection from libraries of models (ICML 2004).
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import FixedThresholdClassifier

from onnxlet.convert.metrics.metrics import Array, Metric
from onnxlet.convert.train.fitting import fit, weighted_mean
from onnxlet.convert.train.scoring import Scorer, best_threshold
from onnxlet.convert.train.trials import Trial

MOST = 5  # different ones
STEPS = 25  # of which each adds one once more
PATIENCE = 5  # steps without a better one
MOST_ROWS = 30_000  # that a step looks at
Weighted = Sequence[tuple[Trial, float]]


def choose(
    answers: Sequence[Array],
    worths: Sequence[float],
    scorer: Scorer,
    over: Callable[[], bool] = lambda: False,
) -> dict[int, float]:
    """Weights by position: the best one, or at most five that are better in the mean over folds.

    A mean of different models is hardly ever worse than the luckiest of them: asking for a gain
    beyond noise cost more on tables with few folds than the ensembles that it spared. Each answers
    the validation rows, (n,) or (n, classes), and has its worth; more is better.
    """
    best = int(np.argmax(worths))
    counts = _selected(answers, best, scorer, over)
    total = sum(counts.values())
    weights = {index: count / total for index, count in sorted(counts.items())}
    # Of rows that were thinned an ensemble may have been better.
    if len(weights) < 2 or scorer.worth(weighted(answers, weights)) <= worths[best]:
        return {best: 1.0}
    return weights


def weighted(answers: Sequence[Array], weights: dict[int, float]) -> Array:
    """The weighted mean of some answers."""
    return np.asarray(sum(weight * answers[index] for index, weight in weights.items()))


def _selected(
    answers: Sequence[Array], best: int, scorer: Scorer, over: Callable[[], bool]
) -> Counter[int]:
    """How often each was added, up to the step after which none made it better.

    They are scored as candidates are, by the mean over folds: over all folds together a ranking
    suffers where models are differently sure of themselves from fold to fold.
    """
    scorer, answers = _fewer(scorer, answers)
    counts, total = Counter({best: 1}), answers[best]
    kept, kept_worth, since = Counter(counts), scorer.worth(answers[best]), 0
    for step in range(2, STEPS + 1):
        known = list(counts) if len(counts) == MOST else range(len(answers))
        tried = {i: scorer.worth((total + answers[i]) / step) for i in known if not over()}
        if over() or since == PATIENCE:
            break
        index = max(tried, key=lambda i: (tried[i], i in counts, -i))
        counts[index] += 1
        total = total + answers[index]
        since += 1
        if tried[index] > kept_worth:
            kept, kept_worth, since = Counter(counts), tried[index], 0
    return kept


def _fewer(scorer: Scorer, answers: Sequence[Array]) -> tuple[Scorer, Sequence[Array]]:
    """The same for every so many rows, where there are very many."""
    every = -(-len(scorer.truth) // MOST_ROWS)
    if every == 1:
        return scorer, answers
    rows = [np.arange(fold.start, fold.stop, every) for fold in scorer.folds]
    ends = np.cumsum([len(part) for part in rows])
    folds = [slice(int(end) - len(part), int(end)) for end, part in zip(ends, rows, strict=True)]
    chosen = np.concatenate(rows)
    thinned = scorer._replace(truth=scorer.truth[chosen], folds=folds)
    return thinned, [one[chosen] for one in answers]


@dataclass(frozen=True)
class Combined:
    """One estimator, fitted on all training rows."""

    estimator: Any  # a pipeline, or several that vote by their weights
    # Of the positive class's probability, where not the likeliest is answered.
    threshold: float | None


def combine(
    weighted: Weighted, X: pd.DataFrame, y: Array, task: str, metric: Metric, seed: int
) -> Combined:
    """Fit each of the trials on all training rows, and have them vote by their weights."""
    return fitted(weighted, X, y, task, metric, seed, threshold_of(weighted, y, task, metric))


def fitted(
    weighted: Weighted,
    X: pd.DataFrame,
    y: Array,
    task: str,
    metric: Metric,
    seed: int,
    threshold: float | None,
) -> Combined:
    """The trials, fitted on these rows, that answer from a threshold on where there is one.

    Rows of one class, as few may be, need none.
    """
    estimator = voting(weighted, X, y, task, metric, seed)
    if threshold is None or len(estimator.classes_) < 2:
        return Combined(estimator, None)
    return Combined(answering_from(threshold, estimator, X, y, metric.positive), threshold)


def threshold_of(weighted: Weighted, y: Array, task: str, metric: Metric) -> float | None:
    """The best threshold of out-of-fold probabilities; None where the metric depends on none."""
    answers = out_of_fold(weighted)
    if task != "binary" or metric.needs == "probabilities" or answers is None:
        return None
    of = answers[:, metric.positive]
    known = np.isfinite(of)
    return best_threshold(y[known] == np.unique(y)[metric.positive], of[known], metric)


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
        return weighted_mean(parts, X, y, task)


def answering_from(
    threshold: float, estimator: Any, X: pd.DataFrame, y: Array, positive: int
) -> Any:
    """A fitted estimator of two classes that answers one of them from its probability on.

    Of the rows that it was fitted on nothing is learned.
    """
    classifier = FixedThresholdClassifier(
        FrozenEstimator(estimator),
        threshold=threshold,
        pos_label=estimator.classes_[positive],
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
