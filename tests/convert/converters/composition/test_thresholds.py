"""Thresholds that were moved."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Perceptron
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

from tests.convert.converters.samples import FRAME, ROWS, TEXT, TWO, X, fit, mixed
from tests.convert.exactness import assert_exact

TARGETS = {"text": TEXT, "bool": TWO.astype(bool), "numbers": TWO, "others": TWO * 2 - 1}
BASES = [LogisticRegression(), GaussianNB(), Perceptron(), DecisionTreeClassifier(max_depth=3)]


@pytest.mark.parametrize("threshold", ["auto", 0.3, 0.75, -1.5])
@pytest.mark.parametrize("method", ["auto", "predict_proba", "decision_function"])
@pytest.mark.parametrize("base", BASES, ids=lambda base: type(base).__name__)
def test_a_threshold_that_was_given(base: Any, method: str, threshold: Any) -> None:
    if method != "auto" and not hasattr(base, method):
        pytest.skip("scikit-learn refuses the method")
    for y in TARGETS.values():
        for label in (None, *np.unique(y)):
            if label is None and y is TEXT:
                continue
            model = FixedThresholdClassifier(
                base, threshold=threshold, response_method=method, pos_label=label
            )
            assert_exact(fit(model, X, y), ROWS)


def test_scores_exactly_on_the_threshold_reach_it() -> None:
    tree = fit(DecisionTreeClassifier(max_depth=3, random_state=0), X, TWO)
    for share in np.unique(tree.predict_proba(X)[:, 1]).tolist():
        for threshold in (share, np.nextafter(share, 2), np.nextafter(share, -1)):
            for label in (0, 1):
                model = FixedThresholdClassifier(tree, threshold=threshold, pos_label=label)
                assert_exact(fit(model, X, TWO), X)


@pytest.mark.parametrize("scoring", ["balanced_accuracy", "f1", "negatives"])
@pytest.mark.parametrize("method", ["auto", "decision_function"])
def test_a_threshold_that_was_found(method: str, scoring: Any) -> None:
    base = LogisticRegression(C=0.01)
    for y in TARGETS.values():
        if scoring == "f1" and y is TEXT:
            continue
        first = np.unique(y)[0]
        score = make_scorer(f1_score, pos_label=first) if scoring == "negatives" else scoring
        model = TunedThresholdClassifierCV(
            base, scoring=score, response_method=method, cv=2, thresholds=20
        )
        assert_exact(fit(model, X, y), ROWS)


def test_found_for_what_was_fitted_before() -> None:
    base = fit(LogisticRegression(), X, TWO)
    model = TunedThresholdClassifierCV(base, cv="prefit", refit=False, thresholds=20)
    assert_exact(fit(model, X, TWO), ROWS)
    frozen = FixedThresholdClassifier(FrozenEstimator(base), threshold=0.2)
    assert_exact(fit(frozen, X, TWO), ROWS)


def test_pipelines_over_mixed_columns_are_given_the_table() -> None:
    base = mixed(LogisticRegression())
    for model in (
        FixedThresholdClassifier(base, threshold=0.3, pos_label="no"),
        TunedThresholdClassifierCV(base, cv=2, thresholds=20),
    ):
        assert_exact(fit(model, FRAME, TEXT), FRAME)
