"""Fitting a candidate: early stopping inside a pipeline, exact rounds, weights, a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import VotingClassifier, VotingRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import has_fit_parameter

from onnxlet.convert.train.candidate import Candidate, Fitted
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
    X: Any,
    y: Array,
    task: str,
    *,
    seed: int,
    rounds: int | None = None,
    valid: Rows | None = None,
    weights: Array | None = None,
    threads: int = 2,
    deadline: float | None = None,
) -> Fitted:
    """Fit a candidate: with the same seed and threads, the same to the last bit.

    Args:
        candidate: what to fit.
        X: the columns, a DataFrame.
        y: the target of its rows.
        task: binary, multiclass or regression.
        seed: of all that is random.
        rounds: fit exactly so many boosting rounds; without it as many as the candidate has.
        valid: rows and targets on which boosting stops early; what comes before it never sees
            them. Does nothing to a candidate without rounds.
        weights: of the rows, float64, of shape (rows,); learners that know no weights, such as
            nearest neighbours, go without.
        threads: of the learner.
        deadline: seconds of `time.monotonic()` after which boosting stops, with what it has.
    """
    if rounds is not None and candidate.rounds is not None:
        candidate = candidate.with_parameters({candidate.rounds: rounds})
    pipeline = candidate.make(candidate.parameters, seed)
    if candidate.family in THREADS:
        _learner(pipeline[-1]).set_params(**{THREADS[candidate.family]: threads})
    before, last = pipeline[:-1], pipeline[-1]
    if not len(before):
        return Fitted(pipeline.fit(X, y, **_prefixed(_weighted(last, weights))), None)
    made = before.fit_transform(X, y)
    settings = _weighted(last, weights)
    learner = _learner(last)
    if candidate.rounds is None:
        last.fit(made, y, **settings)
        return Fitted(pipeline, None)
    seen = None if valid is None else (before.transform(valid[0]), _target(last, valid[1]))
    boost = BOOSTERS[type(learner).__module__.partition(".")[0]]
    count = boost(last, made, y, settings, seen, deadline)
    return Fitted(pipeline, count)


def together(parts: list[tuple[Any, float]], X: Any, y: Array, task: str) -> Any:
    """Fitted pipelines as one estimator that answers their weighted mean; one as it is.

    Args:
        parts: pipelines with their weights.
        X: rows that they were fitted on, from which nothing is learned but the labels' order.
        y: the target of these.
        task: binary, multiclass or regression.
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


def _prefixed(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {f"model__{name}": value for name, value in settings.items()}


Boost = Callable[[Any, Any, Array, dict[str, Any], Rows | None, float | None], int]


def _boost_lightgbm(
    last: Any, X: Any, y: Array, settings: dict[str, Any], seen: Rows | None, deadline: float | None
) -> int:
    callbacks = [] if seen is None and deadline is None else [_Stopper(deadline)]
    shown: dict[str, Any] = {}
    if seen is not None and has_fit_parameter(_learner(last), "eval_X"):  # LightGBM 4.7 brought it
        # It encodes the labels of `eval_set`, but not those of `eval_y`.
        labels = is_classifier(_learner(last))
        shown = {
            "eval_X": seen[0],
            "eval_y": np.searchsorted(np.unique(y), seen[1]) if labels else seen[1],
        }
    elif seen is not None:
        shown = {"eval_set": [seen]}
    last.fit(X, y, callbacks=callbacks, **shown, **settings)
    learner = _learner(last)
    return int(learner.best_iteration_ or learner.n_estimators_)


class _Stopper:
    """LightGBM's callback: stops when the score gets no better, or the time is up."""

    order = 30  # after LightGBM's own

    def __init__(self, deadline: float | None) -> None:
        self._deadline = deadline
        self._best: tuple[float, int] | None = None
        self._results: Any = []

    def __call__(self, env: Any) -> None:
        from lightgbm.callback import EarlyStopException

        at = env.iteration
        if env.evaluation_result_list:
            score, higher = env.evaluation_result_list[0][2:4]
            loss = -score if higher else score
            if self._best is None or loss < self._best[0]:
                self._best, self._results = (loss, at), env.evaluation_result_list
        best = at if self._best is None else self._best[1]
        late = self._deadline is not None and time.monotonic() > self._deadline
        if late or at - best >= PATIENCE or (self._best and at == env.end_iteration - 1):
            raise EarlyStopException(best, self._results)


def _boost_catboost(
    last: Any, X: Any, y: Array, settings: dict[str, Any], seen: Rows | None, deadline: float | None
) -> int:
    shown: dict[str, Any] = {}
    if seen is not None:
        shown = {"eval_set": seen, "early_stopping_rounds": PATIENCE, "use_best_model": True}
    if deadline is not None:
        shown["callbacks"] = [_Clock(deadline)]
    last.fit(X, y, **shown, **settings)
    return int(_learner(last).tree_count_)


class _Clock:
    """CatBoost's callback: goes on until the time is up."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline

    def after_iteration(self, info: Any) -> bool:
        """Whether to go on."""
        return time.monotonic() <= self._deadline


def _boost_xgboost(
    last: Any, X: Any, y: Array, settings: dict[str, Any], seen: Rows | None, deadline: float | None
) -> int:
    learner = _learner(last)
    numbered = isinstance(last, VotingClassifier)
    shown: dict[str, Any] = {"verbose": False}
    if seen is not None:
        known = np.isin(seen[1], y) if numbered else np.ones(len(seen[1]), dtype=bool)
        answers = np.searchsorted(np.unique(y), seen[1]) if numbered else seen[1]
        learner.set_params(early_stopping_rounds=PATIENCE)
        shown["eval_set"] = [(seen[0][known], answers[known])]
    if deadline is not None:
        learner.set_params(callbacks=[_watch(deadline)])
    if numbered:
        learner.fit(X, np.unique(y, return_inverse=True)[1], **shown, **settings)
        last.estimators = [("xgboost", FrozenEstimator(learner))]
        last.fit(X, y)
    else:
        last.fit(X, y, **shown, **settings)
        learner = _learner(last)
    booster = learner.get_booster()
    best = booster.attr("best_iteration")  # absent, too, where the time was up in the first round
    return int(best) + 1 if best is not None else int(booster.num_boosted_rounds())


def _watch(deadline: float) -> Any:
    """XGBoost's callback: stops when the time is up."""
    from xgboost.callback import TrainingCallback

    class Clock(TrainingCallback):  # type: ignore[misc] # XGBoost has no types
        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            """Whether to stop."""
            return time.monotonic() > deadline

    return Clock()


def _boost_histogram(
    last: Any, X: Any, y: Array, settings: dict[str, Any], seen: Rows | None, deadline: float | None
) -> int:
    """It takes no callbacks: the deadline does nothing to it."""
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
