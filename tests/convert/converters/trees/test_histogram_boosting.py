"""Histogram gradient boosting answers as scikit-learn's: float64 thresholds, gaps, categories."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from sklearn._loss import HalfSquaredError
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from tests.convert.converters.category_frames import frame, outcome, unseen
from tests.convert.converters.near_thresholds import BEYOND_FLOAT32, ODD, edge_cases
from tests.convert.exactness import assert_exact, assert_refused

random = np.random.default_rng(0)
X = np.column_stack(
    [
        random.normal(size=300),
        random.normal(size=300).round(1),
        random.integers(0, 5, 300),
        1e9 + random.integers(0, 50, 300),
    ]
)
SCORE = X[:, 0] + X[:, 1] * X[:, 2] + (X[:, 3] - 1e9) / 25 + random.normal(size=300)
GAPS = np.where(random.random(X.shape) < 0.15, np.nan, X)
BINARY = SCORE > 1
THREE = np.digitize(SCORE, [-0.5, 2.5])
WORDS = np.array(["no", "maybe", "yes"])[THREE]
SMALL = {"max_iter": 8, "min_samples_leaf": 5, "random_state": 0}


def splits(fitted: Any) -> Iterator[tuple[int, float]]:
    for predictor in np.ravel(fitted._predictors):
        nodes = predictor.nodes
        inner = ~(nodes["is_leaf"] | nodes["is_categorical"]).astype(bool)
        yield from zip(nodes["feature_idx"][inner], nodes["num_threshold"][inner], strict=True)


def check(estimator: Any, X: Any, y: Any) -> None:
    estimator.fit(X, y)
    rows = edge_cases(X, splits(estimator), (*ODD, *BEYOND_FLOAT32), missing=True, bound=np.inf)
    assert_exact(estimator, rows)


@pytest.mark.parametrize("X", [X, GAPS], ids=["full", "gaps"])
@pytest.mark.parametrize("y", [BINARY, THREE, WORDS, BINARY * 0], ids=["2", "3", "words", "1"])
def test_classes(X: Any, y: Any) -> None:
    check(HistGradientBoostingClassifier(**SMALL, class_weight="balanced"), X, y)


@pytest.mark.parametrize(
    "loss", ["squared_error", "absolute_error", "gamma", "poisson", "quantile"]
)
def test_numbers(loss: str) -> None:
    y = np.abs(SCORE) * 1e3 + 1
    check(HistGradientBoostingRegressor(loss=loss, quantile=0.7, **SMALL), GAPS, y)


def test_early_stopping_and_warm_start() -> None:
    estimator = HistGradientBoostingRegressor(
        early_stopping=True, n_iter_no_change=2, warm_start=True, random_state=0
    )
    estimator.fit(X, SCORE)
    check(estimator.set_params(max_iter=150), X, SCORE)
    assert estimator.n_iter_ < 150


def test_float32_inputs() -> None:
    estimator = HistGradientBoostingClassifier(**SMALL).fit(GAPS, THREE)
    rows = edge_cases(GAPS, splits(estimator), missing=True).astype(np.float32)
    assert_exact(estimator, rows, precision="float32", tolerance=1e-6)


@pytest.mark.parametrize("bins", [4, 255])
def test_categories_given_as_numbers(bins: int) -> None:
    """Those of training, others, fractions, negative and huge ones, and missing ones."""
    many = random.integers(0, 200, 300).astype(float)
    columns = np.column_stack([GAPS, many * 3 - 7, np.where(many < 20, np.nan, many % 40)])
    y = SCORE + (many % 7) + 3 * (many % 40 > 20)
    estimator = HistGradientBoostingRegressor(
        categorical_features=[2, 4, 5], max_bins=255, max_leaf_nodes=2 * bins, **SMALL
    ).fit(columns, y)
    odd = (*ODD, *range(-8, 9), 0.5, -0.5, 3.2, 199.0, 255.0, 256.0, 257.0, 300.0, 2.0**32)
    rows = edge_cases(columns, [], odd, missing=True)
    assert_exact(estimator, rows)
    assert any(p.nodes["is_categorical"].any() for p in np.ravel(estimator._predictors))


TRAIN = frame(sizes=(0, 40))
OUTCOME = outcome(TRAIN)


def test_frames_with_categories() -> None:
    others = unseen(frame(200, seed=2, sizes=(0, 40)))
    others["size"] = (others["size"].astype(int) + 9).astype("category")
    for features in ("from_dtype", ["colour", "full"], [False, True, False, True, False, True]):
        estimator = HistGradientBoostingRegressor(categorical_features=features, **SMALL)
        estimator.fit(TRAIN, OUTCOME)
        assert_exact(estimator, TRAIN)
        assert_exact(estimator, others)
    classifier = HistGradientBoostingClassifier(**SMALL).fit(TRAIN, OUTCOME > 3)
    assert_exact(classifier, others)


def test_only_categories() -> None:
    columns = TRAIN[["colour", "full"]]
    assert_exact(HistGradientBoostingRegressor(**SMALL).fit(columns, OUTCOME), columns)


def test_splits_that_send_only_missing_values_left() -> None:
    codes = random.integers(0, 4, 300).astype(float)
    columns = np.column_stack([np.where(codes == 3, np.nan, codes), X[:, 0]])
    y = np.where(codes == 3, -50.0, 0.01 * codes)
    for features in ([0], []):
        estimator = HistGradientBoostingRegressor(categorical_features=features, **SMALL)
        estimator.fit(columns, y)
        assert_exact(estimator, edge_cases(columns, [], (0, 1, 2, 3, 4, -1, 255), missing=True))
    estimator = HistGradientBoostingRegressor(categorical_features=[0], **SMALL).fit(columns, y)
    sets = np.vstack([p.raw_left_cat_bitsets for p in np.ravel(estimator._predictors)])
    assert (sets == 0).all(axis=1).any()


def test_text_that_is_no_category_is_refused() -> None:
    estimator = HistGradientBoostingRegressor(**SMALL).fit(TRAIN[["x", "n"]], OUTCOME)
    assert_refused(estimator, TRAIN[["x", "full"]].astype({"full": object}), "text")


def test_losses_of_ones_own() -> None:
    check(HistGradientBoostingRegressor(loss=HalfSquaredError(), **SMALL), X, SCORE)
    estimator = HistGradientBoostingClassifier(loss=HalfSquaredError(), **SMALL).fit(X, BINARY)
    assert_refused(estimator, X, "HalfSquaredError", methods=["predict"])


def test_a_score_of_zero_is_the_first_class() -> None:
    estimator = HistGradientBoostingClassifier(min_samples_leaf=200).fit(X, np.arange(300) % 2 > 0)
    assert (estimator.decision_function(X) == 0).all()
    assert_exact(estimator, X)
