"""Gradient boosting and AdaBoost answer as scikit-learn's, whatever they begin with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeRegressor

from tests.convert.converters.near_thresholds import ODD, edge_cases
from tests.convert.converters.samples import fit
from tests.convert.exactness import assert_exact, assert_refused
from tests.convert.versions import OLD_NUMPY

random = np.random.default_rng(0)
X = np.column_stack(
    [random.normal(size=200), random.normal(size=200).round(1), random.integers(0, 5, 200)]
)
SCORE = X[:, 0] + X[:, 1] * X[:, 2] + random.normal(size=200)
BINARY = SCORE > 0
THREE = np.digitize(SCORE, [-1.5, 1.5])
WORDS = np.array(["no", "maybe", "yes"])[THREE]
MILD = (0.0, -0.0, 1e-36, 1e6, -1e6)


def splits(fitted: Any) -> Iterator[tuple[int, float]]:
    for part in np.ravel(fitted.estimators_):
        if hasattr(part, "tree_"):
            inner = part.tree_.children_left >= 0
            yield from zip(part.tree_.feature[inner], part.tree_.threshold[inner], strict=True)


def check(estimator: Any, y: Any, odd: Any = ODD) -> None:
    fit(estimator, X, y)
    rows = edge_cases(X, splits(estimator), odd)
    assert_exact(estimator, rows)
    assert_exact(estimator, rows.astype(np.float32), precision="float32", tolerance=1e-6)


def check_roughly(estimator: Any, y: Any) -> None:
    """scikit-learn gives `init` float32, and estimators that aren't trees compute in it."""
    fit(estimator, X, y)
    rows = edge_cases(X, splits(estimator), MILD)
    score = "decision_function" if hasattr(estimator, "classes_") else "predict"
    assert_exact(estimator, rows, methods=[score], tolerance=1e-4)
    if hasattr(estimator, "classes_"):
        assert_exact(estimator, rows, methods=["predict", "predict_proba"], tolerance=1e-5)


@pytest.mark.parametrize("loss", ["log_loss", "exponential"])
@pytest.mark.parametrize("init", [None, "zero", DummyClassifier(strategy="uniform")])
def test_gradient_boosting_of_two_classes(loss: str, init: Any) -> None:
    estimator = GradientBoostingClassifier(
        loss=loss, init=init, n_estimators=9, subsample=0.8, random_state=0
    )
    check(estimator, BINARY)


@pytest.mark.parametrize("init", [None, "zero", DummyClassifier(strategy="most_frequent")])
@pytest.mark.parametrize("y", [THREE, WORDS], ids=["numbers", "words"])
def test_gradient_boosting_of_three_classes(init: Any, y: Any) -> None:
    check(GradientBoostingClassifier(init=init, n_estimators=5, random_state=0), y)


@pytest.mark.parametrize("loss", ["log_loss", "exponential"])
@pytest.mark.parametrize("init", [GaussianNB(), LogisticRegression(C=0.1)])
def test_gradient_boosting_upon_other_classifiers(loss: str, init: Any) -> None:
    estimator = GradientBoostingClassifier(loss=loss, init=init, n_estimators=9, random_state=0)
    check_roughly(estimator, BINARY)
    if loss == "log_loss":
        check_roughly(estimator, WORDS)


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "quantile"])
@pytest.mark.parametrize(
    "init", [None, "zero", DummyRegressor(strategy="median"), DecisionTreeRegressor(max_depth=2)]
)
def test_gradient_boosting_of_numbers(loss: str, init: Any) -> None:
    estimator = GradientBoostingRegressor(
        loss=loss, init=init, n_estimators=9, alpha=0.8, max_leaf_nodes=6, random_state=0
    )
    check(estimator, SCORE * 1e3)


def test_gradient_boosting_upon_a_line() -> None:
    check_roughly(GradientBoostingRegressor(init=LinearRegression(), n_estimators=9), SCORE)


def test_gradient_boosting_stopped_early() -> None:
    estimator = GradientBoostingRegressor(n_estimators=200, n_iter_no_change=2, random_state=0)
    check(estimator, SCORE)
    assert estimator.n_estimators_ < 200


@pytest.mark.parametrize(
    "base",
    [
        None,
        DecisionTreeClassifier(max_depth=3, random_state=0),
        LogisticRegression(),
        RandomForestClassifier(3, max_depth=2, random_state=0),
    ],
    ids=str,
)
@pytest.mark.parametrize("y", [BINARY, THREE, WORDS], ids=["binary", "three", "words"])
def test_votes(base: Any, y: Any) -> None:
    check(AdaBoostClassifier(base, n_estimators=8, learning_rate=0.7, random_state=0), y)


@pytest.mark.parametrize("loss", ["linear", "square", "exponential"])
@pytest.mark.parametrize("base", [None, ExtraTreeRegressor(max_depth=3), LinearRegression()])
def test_weighted_median(loss: str, base: Any) -> None:
    check(AdaBoostRegressor(base, n_estimators=8, loss=loss, random_state=0), SCORE, MILD)


def test_a_single_regressor() -> None:
    check(AdaBoostRegressor(n_estimators=1), SCORE)


def test_perfect_fits_stop_early() -> None:
    classifier = AdaBoostClassifier(DecisionTreeClassifier(), n_estimators=9)
    check(classifier, X[:, 2] > 1)
    assert len(classifier.estimators_) == 1
    check(AdaBoostRegressor(DecisionTreeRegressor(), n_estimators=9), X[:, 2])


def test_equal_votes_go_to_the_first_class() -> None:
    estimator = AdaBoostClassifier(n_estimators=2).fit(X, BINARY)
    estimator.estimator_weights_[:] = 0.25
    assert (estimator.decision_function(X) == 0.0).any()
    assert_exact(estimator, X, tolerance=1e-15 if OLD_NUMPY else 0.0)


def test_frames_become_arrays() -> None:
    frame = pd.DataFrame(X, columns=["a", "b", "c"]).astype({"c": int})
    assert_exact(AdaBoostClassifier(n_estimators=5).fit(frame, THREE), frame)
    assert_exact(GradientBoostingRegressor(n_estimators=5).fit(frame, SCORE), frame)


def test_one_class_is_refused() -> None:
    assert_refused(AdaBoostClassifier(n_estimators=2).fit(X, BINARY * 0), X, "one class")


def test_a_score_of_zero_is_the_second_class() -> None:
    estimator = GradientBoostingClassifier(min_samples_leaf=150, n_estimators=3)
    estimator.fit(X, np.arange(200) % 2 > 0)
    assert (estimator.decision_function(X) == 0).all()
    assert_exact(estimator, X)
