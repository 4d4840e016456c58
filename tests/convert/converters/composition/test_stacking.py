"""Estimators on the answers of others."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    StackingRegressor,
)
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, RidgeClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from onnxlet.convert.graph.converter import Unsupported
from tests.convert.converters.samples import (
    CLASSES,
    FRAME,
    LABELS,
    NAMES,
    ROWS,
    ROWS_REG,
    TEXT,
    TEXTS,
    TWO,
    X_REG,
    Y_REG,
    X,
    fit,
    mixed,
)
from tests.convert.exactness import answers, assert_exact


def members() -> list[tuple[str, Any]]:
    return [
        ("shares", GaussianNB()),
        ("score", RidgeClassifier()),
        ("tree", DecisionTreeClassifier(max_depth=2, random_state=0)),
        ("number", LinearRegression()),
    ]


def forest() -> RandomForestClassifier:
    return RandomForestClassifier(5, random_state=0)


@pytest.mark.parametrize("passthrough", [False, True])
@pytest.mark.parametrize("y", CLASSES.values(), ids=CLASSES)
def test_each_kind_of_answer_is_stacked(y: Any, passthrough: bool) -> None:
    model = fit(StackingClassifier(members(), passthrough=passthrough, cv=2), X, y)
    assert_exact(model, ROWS[:-11], tolerance=1e-8)
    assert_exact(model, ROWS, methods=["transform"])


@pytest.mark.parametrize("method", ["predict_proba", "decision_function", "predict"])
@pytest.mark.parametrize("final", [RandomForestClassifier(5, random_state=0), RidgeClassifier()])
def test_a_method_for_all(method: str, final: Any) -> None:
    parts = [("one", LogisticRegression()), ("other", LogisticRegression(C=0.01))]
    for y in (TEXT, NAMES):
        model = StackingClassifier(parts, final, stack_method=method, cv=2)
        assert_exact(fit(model, X, y), X)


def test_fitted_before_and_dropped() -> None:
    parts = [(name, fit(part, X, TWO)) for name, part in members()]
    model = StackingClassifier(parts, cv="prefit").set_params(tree="drop")
    assert_exact(fit(model, X, TWO), X)


@pytest.mark.parametrize("passthrough", [False, True])
def test_several_labels(passthrough: bool) -> None:
    parts = [
        ("list", RandomForestClassifier(5, random_state=0)),
        ("matrix", MLPClassifier(hidden_layer_sizes=(4,), max_iter=30, random_state=0)),
    ]
    for final in (forest(), MultiOutputClassifier(LogisticRegression())):
        model = StackingClassifier(parts, final, passthrough=passthrough, cv=2)
        assert_exact(fit(model, X, LABELS), X, tolerance=1e-8)
    model = fit(
        StackingClassifier(parts, MLPClassifier(hidden_layer_sizes=(3,), max_iter=30), cv=2),
        X,
        LABELS,
    )
    assert_exact(model, X, methods=["predict"])


def test_a_chain_that_was_fitted_before() -> None:
    chain = fit(ClassifierChain(LogisticRegression(), order=[2, 0, 1]), X, LABELS)
    model = fit(StackingClassifier([("chain", chain)], forest(), cv="prefit"), X, LABELS)
    assert_exact(model, X)
    assert_exact(model, X, methods=["transform"])


def test_two_labels_lose_the_first_column_of_a_matrix() -> None:
    model = StackingClassifier(
        [("mlp", MLPClassifier(hidden_layer_sizes=(4,), max_iter=30))], forest(), cv=2
    )
    model = fit(model, X, LABELS[:, :2])
    assert_exact(model, X)
    assert_exact(model, X, methods=["transform"])


@pytest.mark.parametrize("passthrough", [False, True])
def test_regressors(passthrough: bool) -> None:
    parts = [("linear", Ridge()), ("tree", DecisionTreeRegressor(max_depth=3, random_state=0))]
    for final in (None, RandomForestRegressor(5, random_state=0)):
        model = StackingRegressor(parts, final, passthrough=passthrough, cv=2)
        assert_exact(fit(model, X_REG, Y_REG), ROWS_REG)


def test_pipelines_over_mixed_columns_are_given_the_table() -> None:
    parts = [("a", mixed(LogisticRegression())), ("b", mixed(forest()))]
    assert_exact(fit(StackingClassifier(parts, cv=2), FRAME, NAMES), FRAME, tolerance=1e-8)


@pytest.mark.filterwarnings("ignore:\\sThe format of the columns:FutureWarning")
def test_numbers_and_text_are_passed_through() -> None:
    numbers = FRAME[["size", "count"]].fillna(0.0)
    parts = [("scaled", make_pipeline(StandardScaler(), LogisticRegression()))]
    model = fit(StackingClassifier(parts, forest(), passthrough=True, cv=2), numbers, NAMES)
    assert_exact(model, numbers)
    assert_exact(model, numbers, methods=["transform"])
    both = FRAME[["count", "colour"]]
    texts = make_column_transformer((OneHotEncoder(), [4]), remainder="passthrough")
    final = make_pipeline(texts, LogisticRegression())
    first = make_pipeline(
        make_column_transformer((OneHotEncoder(), ["colour"]), remainder="passthrough"),
        LogisticRegression(),
    )
    model = StackingClassifier([("first", first)], final, passthrough=True, cv=2)
    assert_exact(fit(model, both, NAMES), both, tolerance=1e-8)


def test_texts() -> None:
    parts = [
        ("shares", make_pipeline(TfidfVectorizer(), LogisticRegression())),
        ("counts", make_pipeline(CountVectorizer(), MultinomialNB())),
    ]
    assert_exact(fit(StackingClassifier(parts, cv=2), TEXTS, NAMES), TEXTS)
    inner = [("one", LogisticRegression()), ("other", MultinomialNB())]
    for passthrough in (False, True):
        model = StackingClassifier(inner, passthrough=passthrough, cv=2)
        assert_exact(fit(make_pipeline(CountVectorizer(), model), TEXTS, NAMES), TEXTS)


def test_refuses_text_as_a_column() -> None:
    parts = [("labels", fit(RidgeClassifier(), X, NAMES))]
    model = StackingClassifier(parts, forest(), stack_method="predict", cv="prefit")
    model.estimators_, model.stack_method_ = [parts[0][1]], ["predict"]
    model.final_estimator_, model.classes_ = forest().fit(X[:, :1], TWO), [0, 1]
    with pytest.raises(Unsupported, match="text where numbers are due"):
        answers(model, X, ["predict"])
