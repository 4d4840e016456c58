"""XGBoost's estimators answer as XGBoost: float32, missing values, categories, objectives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.convert.converters.category_frames import frame, outcome
from tests.convert.converters.near_thresholds import ODD, edge_cases
from tests.convert.converters.samples import fit
from tests.convert.exactness import assert_exact, assert_refused

xgboost = pytest.importorskip("xgboost")
XGBClassifier, XGBRegressor = xgboost.XGBClassifier, xgboost.XGBRegressor

random = np.random.default_rng(0)
X = np.column_stack(
    [
        random.normal(size=300),
        random.normal(size=300).round(1),
        random.integers(-2, 5, 300),
        1e9 + random.integers(0, 5000, 300),
        random.normal(size=300) * (random.random(300) < 0.4),
    ]
)
SCORE = X[:, 0] + X[:, 1] * X[:, 2] + (X[:, 3] - 1e9) / 2500 - (X[:, 4] == 0) * 2
GAPS = np.where(random.random(X.shape) < 0.15, np.nan, X)
BINARY = (SCORE > 0) * 1
THREE = np.digitize(SCORE, [-1.5, 1.5])
SMALL = {"n_estimators": 6, "max_depth": 4, "n_jobs": 1, "random_state": 0}
STEP = 1e-6  # what an answer's rounding to float32 costs


def splits(fitted: Any) -> Iterator[tuple[int, float]]:
    learner = json.loads(bytes(fitted.get_booster().save_raw("json")))["learner"]
    booster = learner["gradient_booster"]
    for tree in booster.get("gbtree", booster)["model"]["trees"]:
        for left, feature, threshold in zip(
            tree["left_children"], tree["split_indices"], tree["split_conditions"], strict=True
        ):
            if left >= 0:
                yield feature, threshold


def check(
    estimator: Any, X: Any, y: Any, tolerance: float = STEP, odd: Any = ODD, **options: Any
) -> None:
    fit(estimator, X, y, **options)
    rows = edge_cases(X, splits(estimator), odd, missing=True)
    assert_exact(estimator, rows, tolerance=tolerance)
    assert_exact(estimator, rows.astype(np.float32), precision="float32", tolerance=tolerance)


OBJECTIVES = [
    "reg:squarederror", "reg:squaredlogerror", "reg:pseudohubererror", "reg:absoluteerror",
    "reg:quantileerror", "reg:logistic", "binary:logistic", "binary:logitraw", "binary:hinge",
    "count:poisson", "reg:gamma", "reg:tweedie", "survival:cox",
]  # fmt: skip


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_objectives_of_numbers(objective: str) -> None:
    shares = 1 / (1 + np.exp(-SCORE))
    y = BINARY if objective.startswith("binary") else shares
    settings = {"quantile_alpha": 0.7} if "quantile" in objective else {}
    exact = objective.split(":")[1] in ("squarederror", "absoluteerror", "logitraw", "hinge")
    check(XGBRegressor(objective=objective, **SMALL, **settings), GAPS, y, 0.0 if exact else STEP)


@pytest.mark.parametrize("settings", [{}, {"base_score": 0.2}, {"learning_rate": 1.0}], ids=str)
def test_classes(settings: dict[str, Any]) -> None:
    for objective in ("binary:logistic", "binary:hinge", "binary:logitraw"):
        check(XGBClassifier(objective=objective, **SMALL, **settings), GAPS, BINARY)
    for objective in ("multi:softprob", "multi:softmax"):
        check(XGBClassifier(objective=objective, **SMALL, **settings), GAPS, THREE)


@pytest.mark.parametrize("missing", [-1.0, 0.0, 0.1, 1e9])
def test_a_value_that_stands_for_missing(missing: float) -> None:
    check(XGBRegressor(missing=missing, **SMALL), X, SCORE)


def test_leaves_that_are_vectors() -> None:
    vectors: dict[str, Any] = {"multi_strategy": "multi_output_tree", **SMALL}
    check(XGBRegressor(**vectors), GAPS, np.column_stack([SCORE, -SCORE, X[:, 2]]))
    check(XGBClassifier(**vectors), GAPS, np.column_stack([BINARY, SCORE > 2]) * 1)
    check(XGBClassifier(**vectors), GAPS, THREE)


def test_several_outputs() -> None:
    check(XGBRegressor(**SMALL), GAPS, np.column_stack([SCORE, -SCORE, X[:, 2]]))
    check(XGBClassifier(**SMALL), GAPS, np.column_stack([BINARY, SCORE > 2]) * 1)
    check(XGBClassifier(**SMALL), GAPS, np.column_stack([BINARY, SCORE > 2, SCORE < -2]) * 1)
    quantiles = XGBRegressor(objective="reg:quantileerror", quantile_alpha=[0.1, 0.9], **SMALL)
    check(quantiles, GAPS, SCORE)


@pytest.mark.parametrize(
    "settings",
    [
        {"booster": "dart", "rate_drop": 0.5},
        {"num_parallel_tree": 3, "subsample": 0.5},
        {"grow_policy": "lossguide", "max_leaves": 7, "gamma": 1.0},
        {"tree_method": "exact"},
        {"max_depth": 1, "min_child_weight": 500},
    ],
    ids=str,
)
def test_kinds_of_trees(settings: dict[str, Any]) -> None:
    check(XGBRegressor(**{**SMALL, **settings}), GAPS, SCORE)
    check(XGBClassifier(**{**SMALL, **settings}), GAPS, THREE)


def test_random_forests_and_rankers() -> None:
    check(xgboost.XGBRFRegressor(**SMALL), GAPS, SCORE)
    check(xgboost.XGBRFClassifier(**SMALL), GAPS, BINARY)
    check(xgboost.XGBRFClassifier(**SMALL), GAPS, THREE)
    check(xgboost.XGBRanker(**SMALL), GAPS, THREE, qid=np.arange(300) // 50)


def test_objectives_of_ones_own() -> None:
    check(XGBRegressor(objective=lambda y, s: (s - y, s * 0 + 1), **SMALL), GAPS, SCORE)
    check(XGBClassifier(objective=lambda y, s: (s - y, s * 0 + 1), **SMALL), GAPS, BINARY)


def test_early_stopping() -> None:
    settings = {**SMALL, "n_estimators": 200, "early_stopping_rounds": 2, "num_parallel_tree": 2}
    estimator = XGBRegressor(**settings)
    noise = random.normal(size=300)
    check(estimator, X, noise, eval_set=[(X[::2], noise[1::2])], verbose=False)
    assert estimator.best_iteration < 190


@pytest.mark.parametrize("count", [5, 28, 200])
def test_categories_given_as_numbers(count: int) -> None:
    codes = random.integers(0, count, 300).astype(float)
    columns = np.column_stack([GAPS, codes, np.where(codes < count / 4, np.nan, codes)])
    y = SCORE + codes % 3 * 2
    kinds = [*"qqqqqcc"]
    for most in (1, 300):
        estimator = XGBRegressor(
            **SMALL, enable_categorical=True, feature_types=kinds, max_cat_to_onehot=most
        )
        fit(estimator, columns, y)
        odd = (*range(40), 0.5, 2.7, 199.0, 255.0, 1000.0, 2.0**23)
        rows = edge_cases(columns, [], odd, missing=True)
        assert_exact(estimator, rows, tolerance=0.0)


TRAIN = frame(word="x y", sizes=(3, 9))
OUTCOME = outcome(TRAIN)


def test_frames_with_categories() -> None:
    other = frame(200, seed=2, word="x y", sizes=(3, 9))
    other["full"] = other["full"].cat.reorder_categories(["red", "green", "blue"])
    for columns in ([*TRAIN], ["x", "full"], ["colour", "full"], ["size", "x"]):
        estimator = XGBRegressor(enable_categorical=True, **SMALL)
        fit(estimator, TRAIN[columns], OUTCOME)
        assert_exact(estimator, TRAIN[columns], tolerance=0.0)
        assert_exact(estimator, other[columns], tolerance=0.0)
    classifier = fit(XGBClassifier(enable_categorical=True, **SMALL), TRAIN, OUTCOME > 3)
    assert_exact(classifier, other, tolerance=STEP)


def test_refusals() -> None:
    cases: list[tuple[Any, Any, str]] = [
        (XGBRegressor(booster="gblinear", n_estimators=3), SCORE, "trees"),
        (XGBClassifier(objective="count:poisson", **SMALL), BINARY, "poisson"),
    ]
    for estimator, y, reason in cases:
        fit(estimator, X, y)
        assert_refused(estimator, X, reason, methods=["predict"])
    foreign = TRAIN.assign(full=TRAIN["full"].cat.rename_categories({"blue": "bläu"}))
    estimator = fit(XGBRegressor(enable_categorical=True, **SMALL), foreign, OUTCOME)
    assert_refused(estimator, foreign, "ASCII", methods=["predict"])
