"""Calibrated probabilities, and isotonic regression."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import PredefinedSplit
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.tree import DecisionTreeClassifier

from onnxlet.convert.graph.responses import RELEASE
from tests.convert.converters.samples import (
    CLASSES,
    NAMES,
    ROWS,
    TEXT,
    TEXTS,
    THREE,
    X,
    fit,
)
from tests.convert.exactness import assert_exact, assert_refused

BASES = [
    None,
    RidgeClassifier(),
    GaussianNB(),
    DecisionTreeClassifier(max_depth=3, random_state=0),
]
METHODS = ["sigmoid", "isotonic"]
if any("temperature" in str(c) for c in CalibratedClassifierCV._parameter_constraints["method"]):
    METHODS.append("temperature")  # since scikit-learn 1.8


# Decisions on training rows are knots: there the last digit of a sum decides between yes and no.
BETWEEN = ROWS + 0.017


@pytest.mark.parametrize("ensemble", [True, False])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("base", BASES, ids=lambda base: type(base).__name__)
def test_every_method(base: Any, method: str, ensemble: bool) -> None:
    for name, y in CLASSES.items():
        if method == "temperature" and name in ("numbers", "three"):
            continue  # scikit-learn takes numeric labels for places there
        model = CalibratedClassifierCV(base, method=method, ensemble=ensemble, cv=2)
        assert_exact(fit(model, X, y), BETWEEN)


@pytest.mark.parametrize("method", METHODS)
def test_what_was_fitted_before(method: str) -> None:
    for y in (TEXT, NAMES):
        base = FrozenEstimator(fit(LogisticRegression(), X, y))
        assert_exact(fit(CalibratedClassifierCV(base, method=method), X, y), ROWS)


@pytest.mark.skipif(RELEASE < (1, 7), reason="scikit-learn's shares are NaN there")
@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_no_class_has_any_share(method: str) -> None:
    tree = DecisionTreeClassifier(max_features=1, random_state=0)
    base = FrozenEstimator(fit(OneVsRestClassifier(tree), X, NAMES))
    model = fit(CalibratedClassifierCV(base, method=method), X, NAMES)
    rows = np.random.default_rng(0).uniform(0, 8, size=(300, 4))
    if method == "isotonic":
        assert (np.abs(model.predict_proba(rows) - 1 / 3) < 1e-9).all(axis=1).any()
    assert_exact(model, rows)


def test_shares_that_add_up_to_nothing() -> None:
    if "temperature" not in METHODS:
        pytest.skip("this scikit-learn has no temperature scaling")
    tree = DecisionTreeClassifier(max_features=1, random_state=0)
    base = FrozenEstimator(fit(OneVsRestClassifier(tree), X, NAMES))
    model = fit(CalibratedClassifierCV(base, method="temperature"), X, NAMES)
    rows = np.random.default_rng(0).uniform(0, 8, size=(100, 4))
    none = base.predict_proba(rows).sum(axis=1) == 0
    assert none.any()
    assert_exact(model, rows[none])
    assert_exact(model, rows[~none])


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_a_fold_without_one_of_the_classes(method: str) -> None:
    fold = np.where(THREE == 2, 0, np.arange(len(X)) % 2)
    model = CalibratedClassifierCV(GaussianNB(), method=method, cv=PredefinedSplit(fold))
    model = fit(model, X, NAMES)
    known = [len(pair.estimator.classes_) for pair in model.calibrated_classifiers_]
    assert sorted(known) == [2, 3]
    assert_exact(model, X)


@pytest.mark.parametrize("method", METHODS)
def test_words(method: str) -> None:
    model = CalibratedClassifierCV(RidgeClassifier(), method=method, cv=2)
    assert_exact(
        fit(make_pipeline(TfidfVectorizer(), model), TEXTS[:100], NAMES[:100]), TEXTS[100:]
    )


KNOTS = np.array([-3.0, -1.0, 0.1, 0.3, 0.30000001, 1.0, 2.5, 1e6, 1e12])
HEIGHTS = [0.1, 0.3, 0.2, 0.7, 0.9, 0.9, 1.5, 1.7, 1.6]


def points(low: float = -3.0, high: float = 1e12) -> Any:
    near = [KNOTS, np.nextafter(KNOTS, np.inf), np.nextafter(KNOTS, -np.inf)]
    near += [np.float64(np.nextafter(KNOTS.astype("float32"), np.float32(s))) for s in (9, -9)]
    near += [np.linspace(-4, 3, 50), np.array([-1e25, 1e25, 0.0, 3e11])]
    every = np.concatenate(near).reshape(-1, 1)
    return every[(every[:, 0] >= low) & (every[:, 0] <= high)]


@pytest.mark.parametrize("increasing", [True, False, "auto"])
@pytest.mark.parametrize("bounds", ["nan", "clip", "raise"])
def test_isotonic_regression(bounds: Any, increasing: Any) -> None:
    model = IsotonicRegression(out_of_bounds=bounds, increasing=increasing)
    model = fit(model, KNOTS.reshape(-1, 1), HEIGHTS)
    rows = points() if bounds == "raise" else points(-np.inf, np.inf)
    assert_exact(model, rows, tolerance=0.0)
    assert_exact(model, rows, methods=["transform"], tolerance=0.0)


def test_isotonic_regression_within_limits_and_of_one_knot() -> None:
    model = IsotonicRegression(y_min=0.25, y_max=0.8, out_of_bounds="clip")
    assert_exact(fit(model, KNOTS, HEIGHTS), points(-np.inf, np.inf))
    for bounds in ("nan", "clip"):
        model = fit(IsotonicRegression(out_of_bounds=bounds), np.array([2.0, 2.0]), [1.0, 3.0])
        assert_exact(model, points(-np.inf, np.inf))


@pytest.mark.parametrize("bounds", ["nan", "clip"])
def test_isotonic_regression_fitted_in_float32(bounds: Any) -> None:
    knots = KNOTS.astype("float32").reshape(-1, 1)
    model = fit(IsotonicRegression(out_of_bounds=bounds), knots, HEIGHTS)
    assert model.X_thresholds_.dtype == np.float32
    assert_exact(model, points(-1e30, 1e30), tolerance=0.0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_on_many_knots(dtype: Any) -> None:
    random = np.random.default_rng(0)
    knots = np.sort(random.normal(size=(300, 1)), axis=0).astype(dtype)
    heights = np.sort(random.normal(size=300))
    model = fit(IsotonicRegression(), knots, heights)
    assert len(model.X_thresholds_) > 250
    assert_exact(model, knots, tolerance=0.0)


def test_isotonic_regression_as_a_step() -> None:
    model = make_pipeline(MinMaxScaler(), IsotonicRegression(out_of_bounds="clip"))
    assert_exact(fit(model, X[:, :1], THREE), X[:, :1])


def test_refuses_two_columns() -> None:
    model = fit(IsotonicRegression(), X[:, 0], THREE)
    assert_refused(model, X[:, :2], "takes one column", None, methods=["predict"])
