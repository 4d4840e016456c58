"""CatBoost's estimators answer as CatBoost: float32 borders, missing values, losses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.convert.converters.near_thresholds import BEYOND_FLOAT32, ODD, edge_cases
from tests.convert.exactness import assert_exact

catboost = pytest.importorskip("catboost")
CatBoostClassifier, CatBoostRegressor = catboost.CatBoostClassifier, catboost.CatBoostRegressor

random = np.random.default_rng(0)
X = np.column_stack(
    [
        random.normal(size=300),
        np.full(300, 7.0),
        random.normal(size=300).round(1),
        random.integers(-2, 5, 300),
        1e6 + random.integers(0, 5000, 300),
    ]
)
SCORE = X[:, 0] + X[:, 2] * X[:, 3] + (X[:, 4] - 1e6) / 2500
GAPS = np.where(random.random(X.shape) < 0.15, np.nan, X)
BINARY = SCORE > 0
THREE = np.digitize(SCORE, [-1.5, 1.5])
WORDS = np.array(["no", "maybe", "yes"])[THREE]
SMALL = {
    "iterations": 6, "depth": 3, "verbose": 0, "allow_writing_files": False, "thread_count": 1,
}  # fmt: skip


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def splits(fitted: Any) -> Iterator[tuple[int, float]]:
    fitted.save_model("model.json", format="json")
    columns = json.loads(Path("model.json").read_text())["features_info"]["float_features"]
    for column in columns:
        for border in column["borders"]:
            yield column["flat_feature_index"], border


def check(estimator: Any, X: Any, y: Any, missing: bool = True, **options: Any) -> None:
    estimator.fit(X, y, **options)
    odd = (*ODD, *BEYOND_FLOAT32)
    rows = edge_cases(X, splits(estimator), odd, missing=missing, bound=np.inf)
    assert_exact(estimator, rows)


@pytest.mark.parametrize("policy", ["SymmetricTree", "Depthwise", "Lossguide"])
@pytest.mark.parametrize("mode", ["Min", "Max"])
def test_missing_values(policy: str, mode: str) -> None:
    settings = {**SMALL, "grow_policy": policy, "nan_mode": mode}
    for rows in (X, GAPS):
        check(CatBoostRegressor(**settings), rows, SCORE)
        check(CatBoostClassifier(**settings), rows, THREE)


@pytest.mark.parametrize(
    "loss",
    [
        "RMSE", "MAE", "Quantile:alpha=0.3", "Poisson", "Tweedie:variance_power=1.5", "MAPE",
        "Huber:delta=1", "RMSEWithUncertainty", "LogLinQuantile", "MultiQuantile:alpha=0.2,0.8",
    ],
)  # fmt: skip
def test_losses_of_numbers(loss: str) -> None:
    check(CatBoostRegressor(loss_function=loss, **SMALL), GAPS, np.abs(SCORE) + 0.1)


def test_several_outputs() -> None:
    both = np.column_stack([SCORE, -SCORE])
    check(CatBoostRegressor(loss_function="MultiRMSE", **SMALL), GAPS, both)
    for loss in ("MultiLogloss", "MultiCrossEntropy"):
        labels = np.column_stack([BINARY, SCORE > 2, SCORE < -2]).astype(int)
        check(CatBoostClassifier(loss_function=loss, **SMALL), GAPS, labels)


@pytest.mark.parametrize("y", [BINARY, BINARY + 5, THREE, WORDS, WORDS == "yes"], ids=range(5))
def test_classes(y: Any) -> None:
    check(CatBoostClassifier(**SMALL), GAPS, y)
    losses = ["MultiClassOneVsAll"] if len(np.unique(y)) > 2 else ["CrossEntropy", "MultiClass"]
    for loss in losses:
        y = y.astype(int) if loss == "CrossEntropy" and y.dtype == bool else y
        if not (loss == "CrossEntropy" and y.max() > 1):
            check(CatBoostClassifier(loss_function=loss, **SMALL), GAPS, y)


@pytest.mark.parametrize("threshold", [0.3, 0.9])
def test_a_threshold_of_ones_own(threshold: float) -> None:
    estimator = CatBoostClassifier(**SMALL).fit(GAPS, BINARY)
    before = estimator.predict(GAPS)
    estimator.set_probability_threshold(threshold)
    assert (estimator.predict(GAPS) != before).any()
    assert_exact(estimator, GAPS)


def test_early_stopping() -> None:
    settings = {**SMALL, "iterations": 200, "early_stopping_rounds": 2}
    noise = random.normal(size=300)
    estimator = CatBoostRegressor(**settings)
    check(estimator, X, noise, eval_set=(X[::2], noise[1::2]))
    assert estimator.tree_count_ < 190


def test_trees_of_one_leaf_and_rankers() -> None:
    settings = {**SMALL, "grow_policy": "Depthwise", "min_data_in_leaf": 400}
    check(CatBoostRegressor(**settings), X, SCORE)
    check(CatBoostClassifier(**settings), X, THREE)
    groups = np.arange(300) // 50
    check(catboost.CatBoostRanker(**SMALL), GAPS, THREE, group_id=groups)


def test_frames() -> None:
    frame = pd.DataFrame(X, columns=[*"abcde"]).astype({"d": int}).assign(f=BINARY)
    assert_exact(CatBoostRegressor(**SMALL).fit(frame, SCORE), frame)
