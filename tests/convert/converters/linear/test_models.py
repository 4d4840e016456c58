"""Linear models."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn import linear_model as lm
from sklearn.base import is_classifier
from sklearn.svm import LinearSVC, LinearSVR

from tests.convert.converters.samples import (
    CLASSES,
    LABELS,
    NAMES,
    ROWS,
    ROWS_REG,
    TEXT,
    X_REG,
    Y_REG,
    Y_TWO,
    X,
    fit,
)
from tests.convert.exactness import answers, assert_exact, assert_refused

FAR = np.vstack([ROWS, X[:3] * 1e12, X[:1] * -1e25])
SINGLE = [
    lm.ARDRegression(), lm.BayesianRidge(), lm.ElasticNetCV(cv=2), lm.GammaRegressor(),
    lm.HuberRegressor(), lm.LarsCV(cv=2), lm.LassoCV(cv=2), lm.LassoLarsCV(cv=2),
    lm.LassoLarsIC(), lm.OrthogonalMatchingPursuitCV(cv=4),
    lm.PoissonRegressor(), lm.QuantileRegressor(quantile=0.3), lm.SGDRegressor(max_iter=20),
    lm.TheilSenRegressor(max_subpopulation=50, random_state=0), LinearSVR(max_iter=50),
]  # fmt: skip
SEVERAL = [
    lm.ElasticNet(), lm.Lars(), lm.Lasso(), lm.LassoLars(), lm.LinearRegression(),
    lm.LinearRegression(positive=True), lm.OrthogonalMatchingPursuit(), lm.Ridge(),
    lm.Ridge(solver="svd"), lm.RidgeCV(), lm.RANSACRegressor(random_state=0),
]  # fmt: skip
TASKS = [
    lm.MultiTaskElasticNet(), lm.MultiTaskElasticNetCV(cv=2), lm.MultiTaskLasso(),
    lm.MultiTaskLassoCV(cv=2),
]  # fmt: skip
CLASSIFIERS = [
    lm.LogisticRegression(), lm.LogisticRegression(C=0.01, solver="saga", max_iter=20),
    lm.LogisticRegressionCV(Cs=2, cv=2), lm.Perceptron(),
    lm.RidgeClassifier(), lm.RidgeClassifierCV(), LinearSVC(),
    LinearSVC(multi_class="crammer_singer"),
    *(lm.SGDClassifier(loss=loss, random_state=0) for loss in (
        "hinge", "log_loss", "modified_huber", "squared_hinge", "perceptron", "huber")),
]  # fmt: skip


def without_intercept(model: Any) -> list[Any]:
    """The model, and where it can do without an intercept that too."""
    if "fit_intercept" not in model.get_params():
        return [model]
    return [model, sklearn.base.clone(model).set_params(fit_intercept=False)]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("model", SINGLE + SEVERAL, ids=repr)
def test_regressors(model: Any) -> None:
    for estimator in without_intercept(model):
        assert_exact(fit(estimator, X_REG, Y_REG), ROWS_REG)


@pytest.mark.parametrize("model", SEVERAL + TASKS, ids=repr)
def test_several_outputs(model: Any) -> None:
    for estimator in without_intercept(model):
        assert_exact(fit(estimator, X_REG, Y_TWO), ROWS_REG)
        assert_exact(fit(estimator, X_REG, Y_TWO if model in TASKS else Y_REG[:, None]), ROWS_REG)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("model", CLASSIFIERS, ids=repr)
def test_classifiers(model: Any) -> None:
    for estimator in without_intercept(model):
        for y in CLASSES.values():
            assert_exact(fit(estimator, X, y), FAR)


@pytest.mark.filterwarnings("ignore")
def test_passive_aggressive() -> None:
    """Deprecated since scikit-learn 1.8."""
    assert_exact(fit(lm.PassiveAggressiveRegressor(), X_REG, Y_REG), ROWS_REG)
    for y in (TEXT, NAMES):
        assert_exact(fit(lm.PassiveAggressiveClassifier(), X, y), ROWS)


def test_multi_class_as_it_was() -> None:
    if "multi_class" not in lm.LogisticRegression().get_params():
        pytest.skip("this scikit-learn has it no more")
    for y in CLASSES.values():
        for kind, solver in (("ovr", "lbfgs"), ("multinomial", "lbfgs"), ("auto", "liblinear")):
            assert_exact(fit(lm.LogisticRegression(multi_class=kind, solver=solver), X, y), ROWS)


@pytest.mark.parametrize("model", [lm.RidgeClassifier(), lm.RidgeClassifierCV()], ids=repr)
def test_labels_that_are_independent(model: Any) -> None:
    assert_exact(fit(model, X, LABELS), ROWS)
    assert set(np.unique(answers(model, X)["predict"])) == {0, 1}


def test_no_class_is_near_by_modified_huber_loss() -> None:
    model = lm.SGDClassifier(loss="modified_huber", alpha=0.1, random_state=0)
    model = fit(model, X, NAMES)
    rows = np.random.default_rng(0).uniform(0, 8, size=(3000, 4))
    assert (model.decision_function(rows) <= -1).all(axis=1).any()
    assert_exact(model, rows)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("y", [TEXT, NAMES], ids=["two", "three"])
def test_sparse_coefficients(y: Any) -> None:
    for model in (lm.LogisticRegression(), lm.SGDClassifier(), lm.Perceptron(), LinearSVC()):
        assert_exact(fit(model, X, y).sparsify(), ROWS)
    assert_exact(fit(lm.SGDOneClassSVM(), X).sparsify(), ROWS)
    assert_exact(fit(lm.SGDRegressor(), X_REG, Y_REG).sparsify(), ROWS_REG)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_standard_deviations(fit_intercept: bool) -> None:
    for model in (lm.BayesianRidge, lm.ARDRegression):
        fitted = fit(model(fit_intercept=fit_intercept), X_REG + 50, Y_REG)
        assert_exact(fitted, X_REG + 51, methods=["std"], tolerance=1e-8)
    none = fit(lm.ARDRegression(threshold_lambda=1e-30), X_REG, Y_REG)
    assert_exact(none, X_REG, methods=["std", "predict"])


def test_links() -> None:
    x, y = X_REG / 100, Y_REG
    for model in (
        *(lm.TweedieRegressor(power=power) for power in (0, 1, 1.5, 2, 3)),
        lm.TweedieRegressor(power=0, link="log"),
        lm.TweedieRegressor(power=1, link="identity", alpha=0.1),
        lm.TweedieRegressor(power=1, fit_intercept=False),
        lm.PoissonRegressor(alpha=0),
        lm.GammaRegressor(),
    ):
        assert_exact(fit(model, x, y), ROWS_REG / 100)


def test_refuses_a_link_that_it_does_not_know() -> None:
    model = fit(lm.PoissonRegressor(), X_REG, Y_REG)
    model._base_loss.link = type("ProbitLink", (), {})()
    assert_refused(model, X_REG, "ProbitLink has no conversion", None)


def test_outliers() -> None:
    for model in (lm.SGDOneClassSVM(random_state=0), lm.SGDOneClassSVM(fit_intercept=False)):
        assert_exact(fit(model, X), FAR)


def test_a_score_of_zero_is_the_first_class_and_an_inlier() -> None:
    rows = np.vstack([np.zeros((1, 4)), X])
    for model in (lm.LogisticRegression(), lm.Perceptron(), LinearSVC(), lm.SGDOneClassSVM()):
        fitted = fit(model, X, TEXT)
        fitted.coef_ = np.array([[1.0, -1.0, 0.0, 2.0]])
        if is_classifier(fitted):
            fitted.intercept_ = 0.0
        else:
            fitted.offset_ = np.zeros(1)
        assert_exact(fitted, rows)


def test_whole_numbers_in_named_columns() -> None:
    frame = pd.DataFrame({"a": (X[:, 0] * 10).astype(int), "b": X[:, 1]})
    assert_exact(fit(lm.LogisticRegression(), frame, NAMES), frame)
