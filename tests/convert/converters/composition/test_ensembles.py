"""Votes, means and stacks of several estimators."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    Perceptron,
    Ridge,
    RidgeClassifier,
)
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier

from tests.convert.converters.samples import (
    CLASSES,
    FRAME,
    LABELS,
    NAMES,
    ROWS,
    ROWS_REG,
    TEXT,
    TEXTS,
    THREE,
    TWO,
    X_REG,
    Y_REG,
    Y_TWO,
    X,
    fit,
)
from tests.convert.exactness import assert_exact, assert_refused


def members() -> list[tuple[str, Any]]:
    return [
        ("linear", LogisticRegression()),
        ("tree", DecisionTreeClassifier(max_depth=2, random_state=0)),
        ("bayes", GaussianNB()),
    ]


WEIGHTS = [None, [1, 2, 1], [0.1, 0.2, 0.3], [0.5, 0.5, 0], [0, 0, 0.25]]


@pytest.mark.parametrize("weights", WEIGHTS, ids=str)
@pytest.mark.parametrize("voting", ["hard", "soft"])
@pytest.mark.parametrize("y", CLASSES.values(), ids=CLASSES)
def test_votes_are_counted_as_scikit_learn_counts_them(y: Any, voting: str, weights: Any) -> None:
    model = fit(VotingClassifier(members(), voting=voting, weights=weights), X, y)
    assert_exact(model, ROWS)
    assert_exact(model, ROWS, methods=["transform"])


@pytest.mark.parametrize("weights", [None, [0.1, 0.2, 0.3, 0.6], [0.7, 0.1, 0.1, 0.1]], ids=str)
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_tied_votes_go_to_the_first_class(precision: Any, weights: Any) -> None:
    trees = [
        (f"t{n}", DecisionTreeClassifier(max_depth=2, max_features=1, random_state=n))
        for n in range(4)
    ]
    model = fit(VotingClassifier(trees, voting="hard", weights=weights), X, THREE)
    rows = np.round(np.random.default_rng(1).uniform(0, 8, size=(400, 4)), 1).astype("float32")
    votes = np.array([part.predict(rows) for part in model.estimators_]).T
    counts = np.sort([np.bincount(row, minlength=3) for row in votes])
    assert (counts[:, -1] == counts[:, -2]).sum() > 50
    assert_exact(model, rows, precision=precision)


def test_members_without_probabilities_and_dropped_ones() -> None:
    parts = [*members(), ("ridge", RidgeClassifier()), ("gone", KNeighborsClassifier())]
    model = VotingClassifier(parts, weights=[1, 2, 3, 4, 50]).set_params(gone="drop")
    assert_exact(fit(model, X, NAMES), ROWS)


def test_texts() -> None:
    parts = [
        ("shares", make_pipeline(TfidfVectorizer(), LogisticRegression())),
        ("counts", make_pipeline(CountVectorizer(), MultinomialNB())),
    ]
    for voting in ("hard", "soft"):
        assert_exact(fit(VotingClassifier(parts, voting=voting), TEXTS, NAMES), TEXTS)


def test_probabilities_in_three_dimensions_are_no_columns() -> None:
    model = fit(VotingClassifier(members(), voting="soft", flatten_transform=False), X, THREE)
    assert_exact(model, ROWS)
    assert_refused(model, ROWS, "its transform has no conversion", None, methods=["transform"])


@pytest.mark.parametrize("weights", [None, [1, 2, 4], [0.1, 0.7, 0.3]], ids=str)
def test_means_of_regressors(weights: Any) -> None:
    parts: list[tuple[str, Any]] = [
        ("linear", LinearRegression()),
        ("tree", DecisionTreeRegressor(max_depth=3, random_state=0)),
        ("forest", RandomForestRegressor(5, max_depth=3, random_state=0)),
    ]
    model = fit(VotingRegressor(parts, weights=weights), X_REG, Y_REG)
    assert_exact(model, ROWS_REG)
    assert_exact(model, ROWS_REG, methods=["transform"])
    assert_exact(fit(VotingRegressor(parts[:2]).set_params(tree="drop"), X_REG, Y_REG), ROWS_REG)


def test_as_a_step_before_another() -> None:
    model = make_pipeline(VotingClassifier(members(), voting="soft"), LogisticRegression())
    assert_exact(fit(model, X, NAMES), ROWS)


def test_refuses_negative_weights_and_labels_of_another_fit() -> None:
    assert_refused(
        fit(VotingClassifier(members(), weights=[1, -1, 1]), X, THREE), ROWS, "negative weights"
    )
    frozen = FrozenEstimator(fit(LogisticRegression(), X, NAMES))
    model = fit(VotingClassifier([("frozen", frozen)]), X, NAMES)
    assert_refused(model, ROWS, "fitted on other labels than 0 to 2")


def stacked() -> list[tuple[str, Any]]:
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
    model = fit(StackingClassifier(stacked(), passthrough=passthrough, cv=2), X, y)
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
    parts = [(name, fit(part, X, TWO)) for name, part in stacked()]
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
def test_stacked_regressors(passthrough: bool) -> None:
    parts = [("linear", Ridge()), ("tree", DecisionTreeRegressor(max_depth=3, random_state=0))]
    for final in (None, RandomForestRegressor(5, random_state=0)):
        model = StackingRegressor(parts, final, passthrough=passthrough, cv=2)
        assert_exact(fit(model, X_REG, Y_REG), ROWS_REG)


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


def test_texts_of_stacks() -> None:
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
    assert_refused(model, X, "text where numbers are due", None, methods=["predict"])


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
def test_bagged_classifiers(base: Any, columns: dict[str, Any]) -> None:
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
def test_bagged_regressors(base: Any, columns: dict[str, Any]) -> None:
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
