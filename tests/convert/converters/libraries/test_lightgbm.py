"""LightGBM's estimators answer as LightGBM: missing values, zeros, categories, objectives."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from onnxlet.convert.converters.libraries.lightgbm import booster_text
from onnxlet.convert.graph.tree_ensemble import LESS
from onnxlet.convert.parity.refusals import NoConversion
from onnxlet.convert.sources.source import Source
from tests.convert.converters.category_frames import frame, outcome, unseen
from tests.convert.converters.near_thresholds import BEYOND_FLOAT32, ODD, edge_cases
from tests.convert.converters.samples import fit
from tests.convert.exactness import assert_exact, assert_refused
from tests.convert.helpers import built

lightgbm = pytest.importorskip("lightgbm")
LGBMClassifier, LGBMRegressor = lightgbm.LGBMClassifier, lightgbm.LGBMRegressor

random = np.random.default_rng(0)
X = np.column_stack(
    [
        random.normal(size=300),
        random.normal(size=300).round(1),
        random.integers(-2, 5, 300),
        1e9 + random.integers(0, 50, 300),
        random.normal(size=300) * (random.random(300) < 0.4),
    ]
)
SCORE = X[:, 0] + X[:, 1] * X[:, 2] + (X[:, 3] - 1e9) / 25 - (X[:, 4] == 0) * 2
GAPS = np.where(random.random(X.shape) < 0.15, np.nan, X)
BINARY = SCORE > 0
THREE = np.digitize(SCORE, [-1.5, 1.5])
WORDS = np.array(["no", "maybe", "yes"])[THREE]
TINY = float(np.float32(1e-35))
ODDITIES = (
    *ODD, *BEYOND_FLOAT32, TINY, -TINY, 2 * TINY, -2 * TINY, *np.nextafter([TINY, -TINY], 1),
)  # fmt: skip
SMALL = {"n_estimators": 6, "min_child_samples": 5, "verbose": -1, "n_jobs": 1}


def splits(fitted: Any) -> Iterator[tuple[int, float]]:
    frame = fitted.booster_.trees_to_dataframe()
    inner = frame[frame["decision_type"] == "<="]
    names = {name: index for index, name in enumerate(fitted.booster_.feature_name())}
    for name, threshold in zip(inner["split_feature"], inner["threshold"], strict=True):
        yield names[name], float(threshold)


def check(estimator: Any, X: Any, y: Any, odd: Any = ODDITIES, **options: Any) -> None:
    fit(estimator, X, y, **options)
    rows = edge_cases(X, splits(estimator), odd, missing=True, bound=np.inf)
    assert_exact(estimator, rows)


MISSING: list[dict[str, Any]] = [
    {},
    {"use_missing": False},
    {"zero_as_missing": True},
    {"min_data_in_bin": 1, "max_bin": 500},
]


@pytest.mark.parametrize("settings", MISSING, ids=str)
@pytest.mark.parametrize("X", [X, GAPS], ids=["full", "gaps"])
def test_missing_values(settings: dict[str, Any], X: Any) -> None:
    check(LGBMRegressor(**SMALL, **settings), X, SCORE)
    check(LGBMClassifier(**SMALL, **settings), X, WORDS)


@pytest.mark.parametrize("settings", MISSING, ids=str)
def test_zeros_that_are_missing_in_part(settings: dict[str, Any]) -> None:
    mixed = np.where(random.random(X.shape) < 0.3, 0.0, GAPS)
    check(LGBMRegressor(**SMALL, **settings), mixed, SCORE)


@pytest.mark.parametrize(
    "objective",
    [
        "regression", "regression_l1", "huber", "fair", "poisson", "quantile", "mape", "gamma",
        "tweedie", "cross_entropy", "cross_entropy_lambda", "binary",
    ],
)  # fmt: skip
def test_objectives_of_numbers(objective: str) -> None:
    shares = 1 / (1 + np.exp(-SCORE))
    y = BINARY if objective == "binary" else shares if objective[0] == "c" else shares * 50 + 1
    check(LGBMRegressor(objective=objective, **SMALL), GAPS, y)


def test_square_roots() -> None:
    check(LGBMRegressor(reg_sqrt=True, **SMALL), GAPS, SCORE)


@pytest.mark.parametrize("y", [BINARY, THREE, WORDS, BINARY + 5], ids=["2", "3", "words", "ints"])
@pytest.mark.parametrize("objective", [None, "multiclassova", "cross_entropy"])
def test_classes(y: Any, objective: Any) -> None:
    if objective == "cross_entropy" and len(np.unique(y)) > 2:
        objective = "softmax"
    if objective == "multiclassova" and len(np.unique(y)) == 2:
        objective = "binary"
    check(LGBMClassifier(objective=objective, **SMALL, sigmoid=0.7), GAPS, y)


@pytest.mark.parametrize(
    "settings",
    [
        {"boosting_type": "rf", "subsample": 0.5, "subsample_freq": 1},
        {"boosting_type": "dart", "drop_rate": 0.5},
        {"data_sample_strategy": "goss"},
        {"extra_trees": True, "monotone_constraints": [1, 0, 0, 0, 0]},
    ],
    ids=str,
)
def test_kinds_of_boosting(settings: dict[str, Any]) -> None:
    check(LGBMRegressor(**SMALL, **settings), GAPS, SCORE)
    check(LGBMRegressor(**SMALL, **settings, objective="poisson"), GAPS, SCORE - SCORE.min())
    check(LGBMClassifier(**SMALL, **settings), GAPS, BINARY)
    check(LGBMClassifier(**SMALL, **settings), GAPS, THREE)


def test_trees_of_one_leaf() -> None:
    check(LGBMRegressor(**{**SMALL, "min_child_samples": 400}), X, SCORE)
    check(LGBMClassifier(**{**SMALL, "min_child_samples": 400}), X, THREE)


def test_early_stopping() -> None:
    estimator = LGBMRegressor(**{**SMALL, "n_estimators": 200})
    stop = lightgbm.early_stopping(2, verbose=False)
    noise = random.normal(size=300)
    check(estimator, X, noise, eval_set=[(X[::2], noise[1::2].repeat(2)[:150])], callbacks=[stop])
    assert estimator.best_iteration_ < 190


def test_rankers_and_functions_give_the_raw_score() -> None:
    ranks = np.digitize(SCORE, [-2, 0, 2])
    check(lightgbm.LGBMRanker(**SMALL), GAPS, ranks, group=[100, 200])
    custom = LGBMRegressor(objective=lambda y, s: (s - y, np.ones_like(y)), **SMALL)
    check(custom, GAPS, SCORE)


@pytest.mark.parametrize("count", [5, 28, 200])
def test_categories_given_as_numbers(count: int) -> None:
    codes = random.integers(0, count, 300).astype(float)
    columns = np.column_stack([GAPS, codes, np.where(codes < count / 4, np.nan, codes)])
    y = SCORE + codes % 3 * 2
    estimator = LGBMRegressor(**SMALL, cat_smooth=0.1, min_data_per_group=2, max_cat_to_onehot=2)
    odd = (*ODDITIES, *range(-3, 40), 0.5, -0.5, -1.5, 2.7, 199.9, 255.0, 1000.0, 2.0**31, 2.0**40)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check(estimator, columns, y, odd, categorical_feature=[5, 6])
    assert "==" in set(estimator.booster_.trees_to_dataframe()["decision_type"])


TRAIN = frame()
OUTCOME = outcome(TRAIN)


def test_frames_with_categories() -> None:
    others = unseen(frame(200, seed=2))
    for columns in ([*TRAIN], ["x", "full"], ["colour", "full"], ["size", "x"]):
        estimator = LGBMRegressor(**SMALL, cat_smooth=0.1, min_data_per_group=2)
        fit(estimator, TRAIN[columns], OUTCOME)
        assert_exact(estimator, TRAIN[columns])
        assert_exact(estimator, others[columns])
    ordered = TRAIN.assign(full=TRAIN["full"].cat.as_ordered())
    assert_exact(fit(LGBMClassifier(**SMALL), ordered, OUTCOME > 3), ordered)


def test_refusals() -> None:
    cases: list[tuple[Any, str]] = [
        (LGBMRegressor(linear_tree=True, **SMALL), "linear"),
        (LGBMRegressor(pred_early_stop=True, **SMALL), "early"),
        (LGBMClassifier(objective=lambda y, s: (s - y, s * 0 + 1), **SMALL), "function"),
    ]
    for estimator, reason in cases:
        fit(estimator, X, BINARY)
        assert_refused(estimator, X, reason, methods=["predict"])
    ordered = TRAIN.assign(size=TRAIN["size"].cat.as_ordered())
    assert_refused(fit(LGBMRegressor(**SMALL), ordered, OUTCOME), ordered, "which")


def test_a_build_that_goes_well_reports_nothing_as_fatal(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Its library itself writes to standard error where a column is left out as a trial."""
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 2)), columns=["a", "b"])
    model = lightgbm.LGBMRegressor(n_estimators=3, verbose=-1).fit(X, X["a"])

    built(Source(model, X), tmp_path)

    assert "LightGBM" not in "".join(capfd.readouterr())


@pytest.mark.parametrize("ends_pipeline", [False, True])
def test_a_build_holds_rows_at_thresholds(
    ends_pipeline: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    X = np.random.default_rng(3).normal(size=(200, 2))
    model: Any = LGBMClassifier(n_estimators=3, verbose=-1, n_jobs=1)
    model = make_pipeline(StandardScaler(), model) if ends_pipeline else model
    source = Source(model.fit(X, X[:, 0] > X[:, 1]), X[:60])
    assert built(source, tmp_path).manifest["parity"]["undecided_rows"] == 0

    monkeypatch.setattr(booster_text, "LEQ", LESS)
    with pytest.raises(NoConversion):
        built(source, tmp_path / "wrong")
