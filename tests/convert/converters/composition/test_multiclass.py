"""Several classes by way of two; several outputs, side by side and in chains."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.base import is_regressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import (
    LogisticRegression,
    Perceptron,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
)
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier, OutputCodeClassifier
from sklearn.multioutput import (
    ClassifierChain,
    MultiOutputClassifier,
    MultiOutputRegressor,
    RegressorChain,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from tests.convert.converters.samples import (
    CLASSES,
    LABELS,
    NAMES,
    ROWS,
    ROWS_REG,
    SEVERAL,
    TEXT,
    TEXTS,
    THREE,
    X_REG,
    Y_TWO,
    X,
    fit,
)
from tests.convert.exactness import answers, assert_exact, assert_refused

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


CLASSIFIERS = [
    LogisticRegression(),
    GaussianNB(),
    Perceptron(),
    DecisionTreeClassifier(max_depth=3, random_state=0),
]


@pytest.mark.parametrize("base", CLASSIFIERS, ids=name)
def test_classifiers_side_by_side(base: Any) -> None:
    texts = np.column_stack([NAMES, TEXT])
    for y in (LABELS, SEVERAL, LABELS.astype(bool), texts):
        assert_exact(fit(MultiOutputClassifier(base), X, y), ROWS)


def test_indices_are_those_in_each_outputs_classes() -> None:
    model = fit(MultiOutputClassifier(LogisticRegression()), X, SEVERAL)
    indices = answers(model, X, ["class_index"])["class_index"]
    assert indices.dtype == np.int64
    assert set(indices[:, 1].tolist()) == {0, 1}


@pytest.mark.parametrize("base", [Ridge(), DecisionTreeRegressor(max_depth=3)], ids=name)
def test_regressors(base: Any) -> None:
    assert_exact(fit(MultiOutputRegressor(base), X_REG, Y_TWO), ROWS_REG)
    for order in (None, [1, 0], (1, 0), "random"):
        model = RegressorChain(base, order=order, random_state=1)
        assert_exact(fit(model, X_REG, Y_TWO), ROWS_REG)
    assert_exact(fit(RegressorChain(base, cv=2), X_REG, Y_TWO), ROWS_REG)


METHODS = ["predict", "predict_proba", "decision_function", ["decision_function", "predict_proba"]]


@pytest.mark.parametrize("order", [None, [2, 0, 1]], ids=str)
@pytest.mark.parametrize("method", METHODS, ids=str)
@pytest.mark.parametrize("base", CLASSIFIERS, ids=name)
def test_chains(base: Any, method: Any, order: Any) -> None:
    wanted = [method] if isinstance(method, str) else method
    if not any(hasattr(base, known) for known in wanted):
        pytest.skip("scikit-learn refuses the method")
    model = ClassifierChain(base, chain_method=method, order=order, cv=2)
    assert_exact(fit(model, X, LABELS), ROWS)


def test_chains_of_other_labels_than_0_and_1() -> None:
    assert_exact(fit(ClassifierChain(LogisticRegression()), X, LABELS * 3 - 1), ROWS)
    model = fit(ClassifierChain(LogisticRegression(), order=[1, 0]), X, SEVERAL)
    assert_exact(model, ROWS, methods=["predict"])
    constant = np.column_stack([LABELS, np.ones(len(X), int)])
    model = fit(ClassifierChain(DecisionTreeClassifier(max_depth=2)), X, constant)
    assert_exact(model, ROWS, methods=["predict"])


def test_refuses_labels_of_different_types_and_text_in_a_chain() -> None:
    model = fit(MultiOutputClassifier(GaussianNB()), X, SEVERAL)
    model.estimators_[0] = fit(GaussianNB(), X, NAMES)
    model.classes_[0] = model.estimators_[0].classes_
    assert_refused(model, X, "of different types", None, methods=["predict"])
    chain = fit(ClassifierChain(RidgeClassifier()), X, LABELS)
    chain.estimators_[0] = fit(RidgeClassifier(), X, NAMES)
    assert_refused(chain, X, "text where numbers are due", None)
