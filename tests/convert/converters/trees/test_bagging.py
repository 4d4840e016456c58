"""Means of estimators that saw some of the rows and columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import BaggingClassifier, BaggingRegressor
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression, Perceptron, Ridge, RidgeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier

from tests.convert.converters.samples import (
    CLASSES,
    FRAME,
    NAMES,
    ROWS,
    ROWS_REG,
    TEXTS,
    THREE,
    X_REG,
    Y_REG,
    Y_TWO,
    X,
    fit,
)
from tests.convert.exactness import assert_exact

COLUMNS: list[dict[str, Any]] = [
    {},
    {"max_features": 0.5},
    {"max_features": 3, "bootstrap_features": True},
    {"bootstrap": False, "max_samples": 0.5},
]
BASES = [
    None,
    DecisionTreeClassifier(max_depth=3),
    ExtraTreeClassifier(max_leaf_nodes=5),
    LogisticRegression(),
    RidgeClassifier(),
    Perceptron(),
    GaussianNB(),
    make_pipeline(StandardScaler(), LogisticRegression()),
]


@pytest.mark.parametrize("columns", COLUMNS, ids=str)
@pytest.mark.parametrize("base", BASES, ids=lambda base: type(base).__name__)
def test_classifiers(base: Any, columns: dict[str, Any]) -> None:
    for y in CLASSES.values():
        model = BaggingClassifier(base, n_estimators=4, random_state=0, **columns)
        assert_exact(fit(model, X, y), ROWS)


@pytest.mark.parametrize("base", [make_pipeline(GaussianNB()), Perceptron(), None])
def test_members_that_saw_some_classes_only(base: Any) -> None:
    model = BaggingClassifier(base, n_estimators=8, max_samples=4, random_state=0)
    model = fit(model, X, NAMES)
    assert_exact(model, X, methods=["predict", "predict_proba"])
    if isinstance(base, Pipeline):  # it takes no weights, so that rows are left out
        assert min(len(part.classes_) for part in model.estimators_) < 3


def test_the_first_of_equal_classes() -> None:
    model = BaggingClassifier(DecisionTreeClassifier(max_depth=2), n_estimators=10, random_state=3)
    model = fit(model, X, THREE)
    rows = np.round(np.random.default_rng(1).uniform(0, 8, size=(500, 4)), 1)
    assert_exact(model, rows, tolerance=0.0)
    steps = [tree.tree_.threshold[tree.tree_.feature >= 0] for tree in model.estimators_]
    on = np.concatenate(steps).astype("float32").astype(float)
    near = [on, np.nextafter(on, np.inf), np.nextafter(on.astype("float32"), np.float32(9))]
    assert_exact(model, np.repeat(np.concatenate(near), 4).reshape(-1, 4), tolerance=0.0)


@pytest.mark.parametrize("columns", COLUMNS, ids=str)
@pytest.mark.parametrize("base", [None, Ridge(), DecisionTreeRegressor(max_depth=2)], ids=repr)
def test_regressors(base: Any, columns: dict[str, Any]) -> None:
    for y in (Y_REG, Y_TWO):
        model = BaggingRegressor(base, n_estimators=5, random_state=0, **columns)
        assert_exact(fit(model, X_REG, y), ROWS_REG)


def test_missing_values_in_trees() -> None:
    gaps = np.where(np.random.default_rng(0).random(X.shape) < 0.2, np.nan, X)
    assert_exact(fit(BaggingClassifier(n_estimators=5, random_state=0), gaps, NAMES), gaps)


@pytest.mark.parametrize("base", [LogisticRegression(), DecisionTreeClassifier(max_depth=4)])
def test_words(base: Any) -> None:
    model = BaggingClassifier(base, n_estimators=3, max_features=0.5, random_state=0)
    assert_exact(fit(make_pipeline(CountVectorizer(), model), TEXTS, NAMES), TEXTS)


def test_text_by_position() -> None:
    columns = make_column_transformer((OneHotEncoder(), [1]), ("passthrough", [0]))
    base = make_pipeline(columns, LogisticRegression())
    model = BaggingClassifier(base, n_estimators=3, random_state=0)
    frame = FRAME[["count", "colour"]]
    assert_exact(fit(model, frame, NAMES), frame)
