"""Naive Bayes, and discriminant analysis, linear and quadratic."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.covariance import OAS
from sklearn.datasets import load_iris
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.naive_bayes import BernoulliNB, CategoricalNB, ComplementNB, GaussianNB, MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from tests.convert.converters.samples import CLASSES, FRAME, NAMES, ROWS, TEXTS, X, fit
from tests.convert.exactness import assert_exact, assert_refused

COUNTS = np.abs(X * 3).astype(int)
TARGETS = {**CLASSES, "one": np.full(len(X), "only")}


@pytest.mark.parametrize("y", TARGETS.values(), ids=TARGETS)
def test_gaussian(y: Any) -> None:
    assert_exact(fit(GaussianNB(), X, y), np.vstack([ROWS, X[:3] * 1e12, X[:1] * -1e25]))
    assert_exact(fit(GaussianNB(var_smoothing=0.1), X, y), ROWS)


def test_gaussian_with_priors_even_of_zero() -> None:
    assert_exact(fit(GaussianNB(priors=[0.7, 0.2, 0.1]), X, NAMES), ROWS)
    assert_exact(fit(GaussianNB(priors=[0.0, 0.4, 0.6]), X, NAMES), ROWS)


COUNTING = [
    MultinomialNB(),
    MultinomialNB(alpha=0.01, fit_prior=False),
    MultinomialNB(class_prior=[0.5, 0.25, 0.25]),
    ComplementNB(),
    ComplementNB(norm=True, alpha=[0.1, 1.0, 2.0, 3.0]),
    BernoulliNB(),
    BernoulliNB(binarize=4.0),
    BernoulliNB(binarize=3.0, fit_prior=False, alpha=0.5),
]


@pytest.mark.parametrize("model", COUNTING, ids=repr)
def test_counting(model: Any) -> None:
    for y in TARGETS.values():
        if len(set(y.tolist())) == 3 or not _has_prior(model):
            assert_exact(fit(model, COUNTS, y), np.abs(ROWS))
            assert_exact(fit(model, COUNTS, y), COUNTS)


def _has_prior(model: Any) -> bool:
    return getattr(model, "class_prior", None) is not None


COUNTED = [MultinomialNB(), ComplementNB(), BernoulliNB(), BernoulliNB(binarize=1.0)]


@pytest.mark.parametrize("model", [*COUNTED, BernoulliNB(binarize=None)], ids=repr)
def test_words(model: Any) -> None:
    assert_exact(fit(make_pipeline(CountVectorizer(), model), TEXTS, NAMES), TEXTS)


def test_exactly_on_the_step_of_binarize() -> None:
    model = fit(BernoulliNB(binarize=4.1), X, NAMES)
    at = np.array([4.1, np.nextafter(4.1, 9), np.nextafter(4.1, 0), np.float32(4.1)])
    rows = np.array(np.meshgrid(at, at, at, at)).reshape(4, -1).T
    assert_exact(model, rows)


def test_numbers_that_are_not_binarized() -> None:
    assert_exact(fit(BernoulliNB(binarize=None), (X > 3).astype(float), NAMES), X)


@pytest.mark.parametrize("y", TARGETS.values(), ids=TARGETS)
def test_categorical(y: Any) -> None:
    assert_exact(fit(CategoricalNB(), COUNTS, y), COUNTS)
    model = fit(CategoricalNB(alpha=0.1, fit_prior=False, min_categories=40), COUNTS, y)
    assert_exact(model, np.vstack([COUNTS, COUNTS + 5, np.full((1, 4), 39), np.zeros((1, 4))]))


def test_categories_are_cut_to_whole_numbers() -> None:
    model = fit(CategoricalNB(), COUNTS, NAMES)
    assert_exact(model, np.vstack([COUNTS - 0.01, COUNTS + 0.999, np.full((1, 4), -0.5)])[1:])


def test_equally_likely_categories() -> None:
    grid = np.array(np.meshgrid([0, 1, 2], [0, 1, 2], [0, 1, 2])).reshape(3, -1).T
    y = np.array([0, 1] * 27)[: len(grid)]
    model = fit(CategoricalNB(), np.vstack([grid, grid]), np.concatenate([y, 1 - y]))
    assert_exact(model, grid)


def test_columns_of_different_types() -> None:
    frame = pd.DataFrame({"count": FRAME["count"], "code": (X[:, 2] > 3).astype(float)})
    assert_exact(fit(CategoricalNB(), frame, NAMES), frame)
    texts = FRAME[["colour"]]
    assert_exact(fit(make_pipeline(OrdinalEncoder(), CategoricalNB()), texts, NAMES), texts)


@pytest.mark.filterwarnings("ignore")
def test_categories_that_no_class_has() -> None:
    model = fit(CategoricalNB(alpha=0), COUNTS, NAMES)
    rows = np.minimum(COUNTS + np.arange(4), COUNTS.max(axis=0))
    assert np.isnan(model.predict_proba(rows)).any()
    assert_exact(model, rows)


@pytest.mark.filterwarnings("ignore")
def test_refuses_infinite_log_probabilities() -> None:
    counts = COUNTS * (np.arange(4) < 3)
    for model in (MultinomialNB(alpha=0), ComplementNB(alpha=0), BernoulliNB(alpha=0)):
        assert_refused(fit(model, counts, NAMES), X, "log probabilities are infinite")


FLOWERS, KINDS = load_iris(return_X_y=True)
PAIR = KINDS < 2
WORDS = np.array(["setosa", "versicolor", "virginica"])
FAR = np.vstack([FLOWERS[:3] * 1e6, -FLOWERS[:3] * 1e12, np.zeros((1, 4)), FLOWERS[:2] * -1e25])
FLOWER_ROWS = np.vstack([FLOWERS + 0.05, FAR])

LINEAR: list[dict[str, Any]] = [
    {},
    {"n_components": 1},
    {"priors": [0.2, 0.3, 0.5]},
    {"solver": "lsqr"},
    {"solver": "lsqr", "shrinkage": "auto"},
    {"solver": "lsqr", "covariance_estimator": OAS()},
    {"solver": "eigen"},
    {"solver": "eigen", "shrinkage": 0.3, "n_components": 1},
]


@pytest.mark.parametrize("options", LINEAR, ids=str)
def test_linear(options: dict[str, Any]) -> None:
    fitted = LinearDiscriminantAnalysis(**options).fit(FLOWERS[::2], WORDS[KINDS[::2]])
    assert_exact(fitted, FLOWER_ROWS)
    if options.get("solver") != "lsqr":
        assert_exact(fitted, FLOWER_ROWS, methods=["transform"])


@pytest.mark.parametrize("solver", ["svd", "lsqr", "eigen"])
def test_linear_with_two_classes(solver: str) -> None:
    near = FLOWERS[50:] + np.random.default_rng(0).normal(size=(100, 4))
    for target in (KINDS[50:], WORDS[KINDS[50:]], KINDS[50:] == 2):
        fitted = LinearDiscriminantAnalysis(solver=solver).fit(near, target)
        assert_exact(fitted, np.vstack([near, FAR]))
    assert_exact(
        LinearDiscriminantAnalysis(solver=solver).fit(FLOWERS[:, :1], KINDS), FLOWER_ROWS[:, :1]
    )


QUADRATIC: list[dict[str, Any]] = [
    {},
    {"reg_param": 0.2},
    {"priors": [0.2, 0.3, 0.5]},
    {"store_covariance": True},
]


@pytest.mark.parametrize("options", QUADRATIC, ids=str)
def test_quadratic(options: dict[str, Any]) -> None:
    fitted = QuadraticDiscriminantAnalysis(**options).fit(FLOWERS, WORDS[KINDS])
    assert_exact(fitted, FLOWER_ROWS)


def test_quadratic_with_two_classes() -> None:
    for target in (KINDS[PAIR], WORDS[KINDS[PAIR]], KINDS[PAIR] == 1):
        assert_exact(QuadraticDiscriminantAnalysis().fit(FLOWERS[PAIR], target), FLOWER_ROWS)
    assert_exact(QuadraticDiscriminantAnalysis().fit(FLOWERS[:, :1], KINDS), FLOWER_ROWS[:, :1])


def test_quadratic_by_eigenvectors() -> None:
    pytest.importorskip("sklearn", "1.8")
    fitted = QuadraticDiscriminantAnalysis(solver="eigen", shrinkage=0.1).fit(FLOWERS, KINDS)
    assert_exact(fitted, FLOWER_ROWS)
