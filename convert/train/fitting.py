"""Fitting a candidate: augmentation, early stopping inside a pipeline, exact rounds, weights.

Augmentation is training rows once more, their images shifted a little and with noise. Only what is
fitted on is augmented, after the rows were split: a row's copies are never among rows that are
validated or tested on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import is_classifier
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import VotingClassifier, VotingRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import has_fit_parameter

from onnxlet.convert.train.kinds.image import CELLS, ImageForm
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
Boost = Callable[[Any, Any, Array, dict[str, Any], Rows | None], int]
COPIES = 4  # of each row
SHIFT = 0.1  # of a side, at most
NOISE = 5.0  # standard deviation, of 255


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
    if half := candidate.parameters.get("fading"):
        weights = fading(len(y), half) * (1.0 if weights is None else weights)
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


def fading(rows: int, half: float) -> Array:
    """Weights (rows,) of rows in the order of time, of mean 1.

    Each counts twice as much as that which is `half` of all rows before it.
    """
    weights = 0.5 ** (np.arange(rows, 0, -1) / (half * rows))
    return np.asarray(weights / weights.mean())


def _seen(before: Any, last: Any, valid: Rows, y: Array) -> Rows | None:
    """What boosting stops on, as the learner sees it; None where no label of it is known."""
    X, target = valid
    if is_classifier(_learner(last)):  # by time, a class may be new in the rows to validate on
        known = np.isin(target, y)
        X, target = X[known], target[known]
    return (before.transform(X), _target(last, target)) if len(target) else None


def weighted_mean(parts: list[tuple[Any, float]], X: Any, y: Array, task: str) -> Any:
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


def augmented(
    X: pd.DataFrame, y: Array, weights: Array | None, seed: int
) -> tuple[pd.DataFrame, Array, Array | None]:
    """Rows, and after them copies of all whose images are shifted and have noise.

    Columns of images have uint8 of shape (height, width[, 3]) in their cells. A copy has its row's
    weight.
    """
    names = images_in(X)
    copies = copies_of(len(X), sum(X[name].iloc[0].size for name in names))
    random = np.random.default_rng(seed)
    parts = [X]
    for _ in range(copies):
        copy = X.copy(deep=False)
        for name in names:
            copy[name] = moved(X[name].tolist(), random)
        parts.append(copy)
    repeated = None if weights is None else np.tile(weights, copies + 1)
    return pd.concat(parts, ignore_index=True), np.tile(y, copies + 1), repeated


def images_in(X: pd.DataFrame) -> list[str]:
    """Names of the columns whose cells are images."""
    return [name for name in X.columns if len(X) and isinstance(X[name].iloc[0], np.ndarray)]


def copies_of(rows: int, numbers: int) -> int:
    """How many copies of each row there are, whose images have so many numbers; at least one."""
    return int(np.clip(CELLS // max(rows * numbers, 1) - 1, 1, COPIES))


def farthest(form: ImageForm) -> tuple[int, int]:
    """Pixels down and to the right by which an image is shifted at most."""
    return _most(form.height), _most(form.width)


def _most(side: int) -> int:
    return max(1, round(SHIFT * side)) if side > 1 else 0


def moved(images: Sequence[Array], random: np.random.Generator) -> Array:
    """Images of one size, each shifted by its own whole number of pixels, and with noise.

    They are uint8 of shape (height, width[, 3]), and come in an array of objects (n,). What a shift
    leaves open gets the nearest pixel of the image.
    """
    height, width = images[0].shape[:2]
    down, right = _most(height), _most(width)
    y = random.integers(-down, down + 1, len(images))
    x = random.integers(-right, right + 1, len(images))
    made = np.empty(len(images), dtype=object)
    for row, image in enumerate(images):
        made[row] = with_noise(shifted(image, int(y[row]), int(x[row])), random)
    return made


def shifted(image: Array, down: int, right: int) -> Array:
    """An image shifted by whole pixels; up and to the left where they are below 0."""
    height, width = image.shape[:2]
    rows = np.clip(np.arange(height) - down, 0, height - 1)
    columns = np.clip(np.arange(width) - right, 0, width - 1)
    return np.asarray(image[rows][:, columns])


def with_noise(image: Array, random: np.random.Generator) -> Array:
    """An image, uint8, with normal noise of `NOISE`."""
    noise = random.normal(0.0, NOISE, image.shape)
    return np.clip(np.round(image + noise), 0, 255).astype(np.uint8)
