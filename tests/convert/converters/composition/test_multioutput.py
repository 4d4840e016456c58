"""Several outputs, side by side and in chains."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Perceptron, Ridge, RidgeClassifier
from sklearn.multioutput import (
    ClassifierChain,
    MultiOutputClassifier,
    MultiOutputRegressor,
    RegressorChain,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from onnxlet.convert.graph.converter import Unsupported
from tests.convert.converters.samples import (
    FRAME,
    LABELS,
    NAMES,
    ROWS,
    ROWS_REG,
    SEVERAL,
    TEXT,
    X_REG,
    Y_TWO,
    X,
    fit,
    mixed,
)
from tests.convert.exactness import answers, assert_exact

BASES = [
    LogisticRegression(),
    GaussianNB(),
    Perceptron(),
    DecisionTreeClassifier(max_depth=3, random_state=0),
]


def name(base: Any) -> str:
    return type(base).__name__


@pytest.mark.parametrize("base", BASES, ids=name)
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
@pytest.mark.parametrize("base", BASES, ids=name)
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


def test_pipelines_over_mixed_columns_are_given_the_table() -> None:
    model = fit(MultiOutputClassifier(mixed(LogisticRegression())), FRAME, SEVERAL)
    assert_exact(model, FRAME)


def test_refuses_labels_of_different_types_and_text_in_a_chain() -> None:
    model = fit(MultiOutputClassifier(GaussianNB()), X, SEVERAL)
    model.estimators_[0] = fit(GaussianNB(), X, NAMES)
    model.classes_[0] = model.estimators_[0].classes_
    with pytest.raises(Unsupported, match="of different types"):
        answers(model, X, ["predict"])
    chain = fit(ClassifierChain(RidgeClassifier()), X, LABELS)
    chain.estimators_[0] = fit(RidgeClassifier(), X, NAMES)
    with pytest.raises(Unsupported, match="text where numbers are due"):
        answers(chain, X)
