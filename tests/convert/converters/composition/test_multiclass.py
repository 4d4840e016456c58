"""Several classes by way of two."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.base import is_regressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Perceptron, Ridge, SGDClassifier
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier, OutputCodeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from tests.convert.converters.samples import (
    CLASSES,
    FRAME,
    LABELS,
    NAMES,
    ROWS,
    TEXT,
    TEXTS,
    THREE,
    X,
    fit,
    mixed,
)
from tests.convert.exactness import assert_exact

BASES = [
    LogisticRegression(),
    GaussianNB(),
    Perceptron(),
    DecisionTreeClassifier(max_depth=2, random_state=0),
    Ridge(),
    DecisionTreeRegressor(max_depth=2, random_state=0),
]


def name(base: Any) -> str:
    return type(base).__name__


@pytest.mark.parametrize("base", BASES, ids=name)
@pytest.mark.parametrize("kind", [OneVsRestClassifier, OneVsOneClassifier, OutputCodeClassifier])
def test_every_kind_of_member(kind: Any, base: Any) -> None:
    if kind is OutputCodeClassifier and is_regressor(base):
        pytest.skip("scikit-learn takes classifiers only")
    for y in CLASSES.values():
        options = {"random_state": 0} if kind is OutputCodeClassifier else {}
        assert_exact(fit(kind(base, **options), X, y), ROWS)


@pytest.mark.parametrize("base", BASES, ids=name)
def test_labels_that_are_independent(base: Any) -> None:
    constant = np.column_stack([LABELS, np.ones(len(X), int), np.zeros(len(X), int)])
    for y in (LABELS, constant, constant[:, ::-1]):
        model = fit(OneVsRestClassifier(base), X, y)
        methods = ["predict"] + ["predict_proba"] * hasattr(base, "predict_proba")
        assert_exact(model, ROWS, methods=methods)


def test_decisions_of_labels() -> None:
    assert_exact(fit(OneVsRestClassifier(LogisticRegression()), X, LABELS), ROWS)


def test_a_single_class() -> None:
    assert_exact(fit(OneVsRestClassifier(LogisticRegression()), X, np.full(len(X), "only")), ROWS)


def test_no_member_is_for_its_class() -> None:
    tree = DecisionTreeClassifier(max_features=1, random_state=0)
    model = fit(OneVsRestClassifier(tree), X, NAMES)
    rows = np.random.default_rng(0).uniform(0, 8, size=(300, 4))
    assert (np.sum([part.predict(rows) for part in model.estimators_], axis=0) == 0).any()
    assert_exact(model, rows)


@pytest.mark.parametrize("kind", [OneVsRestClassifier, OneVsOneClassifier, OutputCodeClassifier])
def test_words(kind: Any) -> None:
    model = make_pipeline(TfidfVectorizer(), kind(LogisticRegression()))
    assert_exact(fit(model, TEXTS, NAMES), TEXTS)


@pytest.mark.parametrize("size", [0.7, 1.0, 1.5, 4.0])
@pytest.mark.parametrize("base", [SGDClassifier(random_state=0), GaussianNB()], ids=name)
@pytest.mark.parametrize("seed", range(4))
def test_codes_of_any_size_even_where_classes_share_one(base: Any, size: float, seed: int) -> None:
    model = OutputCodeClassifier(base, code_size=size, random_state=seed)
    assert_exact(fit(model, X, NAMES), np.vstack([ROWS, X[:9] * 1e12, X[:9] * -1e25]))


def test_codes_at_equal_distances_go_to_the_first_class() -> None:
    tree = DecisionTreeClassifier(max_depth=1, random_state=0)
    for seed in range(6):
        model = fit(OutputCodeClassifier(tree, code_size=1.0, random_state=seed), X, THREE)
        assert_exact(model, X)


def test_votes_that_are_split_three_ways() -> None:
    rows = np.random.default_rng(0).uniform(-3, 10, size=(500, 4))
    for base in (LogisticRegression(), Perceptron(), DecisionTreeClassifier(max_depth=1)):
        assert_exact(fit(OneVsOneClassifier(base), X, NAMES), rows)


def test_columns_of_pairs() -> None:
    """As scikit-learn selects a precomputed kernel's."""
    pairs = np.array([[0, 1], [1, 3], [3, 2]])
    model = fit(OneVsOneClassifier(LogisticRegression()), X, NAMES)
    parts = [fit(LogisticRegression(), X[:, pair], LABELS[:, k]) for k, pair in enumerate(pairs)]
    model.estimators_, model.pairwise_indices_ = tuple(parts), tuple(pairs)
    assert_exact(model, X)


@pytest.mark.parametrize("y", [TEXT, NAMES], ids=["two", "three"])
@pytest.mark.parametrize("kind", [OneVsRestClassifier, OutputCodeClassifier])
def test_pipelines_over_mixed_columns_are_given_the_table(kind: Any, y: Any) -> None:
    assert_exact(fit(kind(mixed(LogisticRegression())), FRAME, y), FRAME)
