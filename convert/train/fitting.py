"""Fitting a candidate: early stopping inside a pipeline, exact rounds, weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import VotingClassifier, VotingRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import has_fit_parameter

from onnxlet.convert.train.augmentation import augmented
from onnxlet.convert.train.trials import Candidate, Fitted
from onnxlet.function.arrays import Array

PATIENCE = 40  # rounds without a better score on the validation rows
# What learners that have threads of their own call their number, by family.
THREADS = {
    "LightGBM": "n_jobs",
    "CatBoost": "thread_count",
    "XGBoost": "n_jobs",
    "extra trees": "n_jobs",
}

Rows = tuple[Any, Array]


def fit(
    candidate: Candidate,
    X: Any,  # the columns, a DataFrame
    y: Array,  # the target of its rows
    task: str,  # binary, multiclass or regression
    *,
    seed: int,  # of all that is random
    rounds: int | None = None,  # exactly so many of boosting; without, those of the candidate
    # Rows and targets on which boosting stops early, but for labels that `y` has not; what comes
    # before it never sees them. Does nothing to a candidate without rounds.
    valid: Rows | None = None,
    # Of the rows, float64 (n,); learners that know none, as neighbours, go without.
    weights: Array | None = None,
    threads: int = 2,  # of the learner
) -> Fitted:
    """Fit a candidate: with the same seed and threads, the same to the last bit.

    One with `augment` is fitted on copies of the rows as well, and never on copies of `valid`.
    """
    if rounds is not None and candidate.rounds is not None:
        candidate = candidate.with_parameters({candidate.rounds: rounds})
    if candidate.parameters.get("augment"):
        X, y, weights = augmented(X, y, weights, seed)
    pipeline = candidate.make(candidate.parameters, seed)
    if candidate.family in THREADS:
        _learner(pipeline[-1]).set_params(**{THREADS[candidate.family]: threads})
    before, last = pipeline[:-1], pipeline[-1]
    settings = _weighted(last, weights)
    if not len(before):
        prefixed = {f"model__{name}": value for name, value in settings.items()}
        return Fitted(pipeline.fit(X, y, **prefixed), None)
    made = before.fit_transform(X, y)
    learner = _learner(last)
    if candidate.rounds is None:
        last.fit(made, y, **settings)
        return Fitted(pipeline, None)
    seen = None if valid is None else _seen(before, last, valid, y)
    boost = BOOSTERS[type(learner).__module__.partition(".")[0]]
    count = boost(last, made, y, settings, seen)
    return Fitted(pipeline, count)


def _seen(before: Any, last: Any, valid: Rows, y: Array) -> Rows | None:
    """What boosting stops on, as the learner sees it; None where no label of it is known."""
    X, target = valid
    if is_classifier(_learner(last)):  # by time, a class may be new in the rows to validate on
        known = np.isin(target, y)
        X, target = X[known], target[known]
    return (before.transform(X), _target(last, target)) if len(target) else None


def together(parts: list[tuple[Any, float]], X: Any, y: Array, task: str) -> Any:
    """Fitted pipelines as one estimator that answers their weighted mean; one as it is.

    Of the rows that they were fitted on, nothing is learned but the labels' order.
    """
    if len(parts) == 1:
        return parts[0][0]
    named = [(f"part{at}", FrozenEstimator(part)) for at, (part, _) in enumerate(parts)]
    weights = [weight for _, weight in parts]
    if task == "regression":
        return VotingRegressor(named, weights=weights).fit(X, y)
    return VotingClassifier(named, voting="soft", weights=weights).fit(X, y)


def _learner(last: Any) -> Any:
    """What learns inside the last step."""
    if isinstance(last, VotingClassifier):
        return last.estimators[0][1]
    if not isinstance(last, TransformedTargetRegressor):
        return last
    return getattr(last, "regressor_", last.regressor)


def _target(last: Any, y: Array) -> Array:
    """The target as the learner inside the last step sees it."""
    func = getattr(last, "func", None)
    return np.asarray(func(y)) if isinstance(last, TransformedTargetRegressor) and func else y


def _weighted(last: Any, weights: Array | None) -> dict[str, Any]:
    if weights is None or not has_fit_parameter(_learner(last), "sample_weight"):
        return {}
    return {"sample_weight": weights}


Boost = Callable[[Any, Any, Array, dict[str, Any], Rows | None], int]


def _boost_lightgbm(
    last: Any, X: Any, y: Array, settings: dict[str, Any], seen: Rows | None
) -> int:
    shown: dict[str, Any] = {}
    if seen is not None:
        from lightgbm import early_stopping

        shown["callbacks"] = [early_stopping(PATIENCE, verbose=False)]
        if has_fit_parameter(_learner(last), "eval_X"):  # LightGBM 4.7 brought it
            # It encodes the labels of `eval_set`, but not those of `eval_y`.
            shown |= {"eval_X": seen[0], "eval_y": _numbered(last, y, seen[1])}
        else:
            shown["eval_set"] = [seen]
    last.fit(X, y, **shown, **settings)
    learner = _learner(last)
    return int(learner.best_iteration_ or learner.n_estimators_)


def _numbered(last: Any, y: Array, labels: Array) -> Array:
    """The positions of labels among those of `y`; a regressor's target as it is."""
    return np.searchsorted(np.unique(y), labels) if is_classifier(_learner(last)) else labels


def _boost_catboost(
    last: Any, X: Any, y: Array, settings: dict[str, Any], seen: Rows | None
) -> int:
    shown: dict[str, Any] = {}
    if seen is not None:
        shown = {"eval_set": seen, "early_stopping_rounds": PATIENCE, "use_best_model": True}
    last.fit(X, y, **shown, **settings)
    return int(_learner(last).tree_count_)


def _boost_xgboost(last: Any, X: Any, y: Array, settings: dict[str, Any], seen: Rows | None) -> int:
    learner = _learner(last)
    shown: dict[str, Any] = {"verbose": False}
    if seen is not None:
        learner.set_params(early_stopping_rounds=PATIENCE)
        shown["eval_set"] = [(seen[0], _numbered(last, y, seen[1]))]
    if isinstance(last, VotingClassifier):
        learner.fit(X, _numbered(last, y, y), **shown, **settings)
        last.estimators = [("xgboost", FrozenEstimator(learner))]
        last.fit(X, y)
    else:
        last.fit(X, y, **shown, **settings)
        learner = _learner(last)
    rounds = learner.get_booster().num_boosted_rounds()
    return int(rounds if seen is None else learner.best_iteration + 1)


def _boost_histogram(
    last: Any, X: Any, y: Array, settings: dict[str, Any], seen: Rows | None
) -> int:
    learner = _learner(last)
    if seen is None or not has_fit_parameter(learner, "X_val"):  # scikit-learn 1.7 brought it
        last.fit(X, y, **settings)
        return int(_learner(last).n_iter_)
    learner.set_params(early_stopping=True, n_iter_no_change=PATIENCE)
    last.fit(X, y, X_val=seen[0], y_val=seen[1], **settings)
    scores = _learner(last).validation_score_
    return max(1, int(np.argmax(scores)))  # the first score is of no round


BOOSTERS: Mapping[str, Boost] = {
    "lightgbm": _boost_lightgbm,
    "catboost": _boost_catboost,
    "xgboost": _boost_xgboost,
    "sklearn": _boost_histogram,
}
