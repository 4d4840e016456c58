"""Votes and means over several estimators."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor, VotingClassifier, VotingRegressor
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from onnxlet.convert.graph.converter import Unsupported
from tests.convert.converters.samples import (
    CLASSES,
    FRAME,
    NAMES,
    ROWS,
    ROWS_REG,
    TEXT,
    TEXTS,
    THREE,
    X_REG,
    Y_REG,
    X,
    fit,
    mixed,
)
from tests.convert.exactness import answers, assert_exact


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


def test_pipelines_over_mixed_columns_are_given_the_table() -> None:
    parts = [(name, mixed(part)) for name, part in members() if name != "bayes"]
    for voting in ("hard", "soft"):
        assert_exact(fit(VotingClassifier(parts, voting=voting), FRAME, TEXT), FRAME)


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
    with pytest.raises(Unsupported, match="its transform has no conversion"):
        answers(model, ROWS, ["transform"])


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
    with pytest.raises(Unsupported, match="negative weights"):
        answers(fit(VotingClassifier(members(), weights=[1, -1, 1]), X, THREE), ROWS)
    frozen = FrozenEstimator(fit(LogisticRegression(), X, NAMES))
    model = fit(VotingClassifier([("frozen", frozen)]), X, NAMES)
    with pytest.raises(Unsupported, match="fitted on other labels than 0 to 2"):
        answers(model, ROWS)
