"""What was searched for, frozen, or trained on its own answers; thresholds that were moved."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import uniform
from sklearn.decomposition import PCA
from sklearn.experimental import enable_halving_search_cv
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Perceptron, Ridge
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    RandomizedSearchCV,
    TunedThresholdClassifierCV,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.tree import DecisionTreeClassifier

from onnxlet.convert.graph.converter import Unsupported
from tests.convert.converters.samples import (
    CLASSES,
    FRAME,
    LABELS,
    NAMES,
    ROWS,
    ROWS_REG,
    TEXT,
    THREE,
    TWO,
    X_REG,
    Y_TWO,
    X,
    fit,
    mixed,
)
from tests.convert.exactness import answers, assert_exact

assert enable_halving_search_cv  # imported for what it does to model_selection
GRID = {"C": [0.1, 1.0]}
DRAWN = {"C": uniform(0.1, 1.0)}


@pytest.mark.long
@pytest.mark.parametrize("y", CLASSES.values(), ids=CLASSES)
def test_searches(y: Any) -> None:
    base = LogisticRegression()
    for model in (
        GridSearchCV(base, GRID, cv=2),
        RandomizedSearchCV(base, DRAWN, n_iter=2, cv=2, random_state=0),
        HalvingGridSearchCV(base, GRID, cv=2, random_state=0),
        HalvingRandomSearchCV(base, DRAWN, cv=2, random_state=0),
    ):
        assert_exact(fit(model, X, y), ROWS)


def test_whatever_the_best_one_answers() -> None:
    transforms = GridSearchCV(make_pipeline(PCA()), {"pca__n_components": [1, 2]}, cv=2)
    assert_exact(fit(transforms, X), X)
    assert_exact(fit(GridSearchCV(Ridge(), {"alpha": [1, 2]}, cv=2), X_REG, Y_TWO), ROWS_REG)
    trees = GridSearchCV(DecisionTreeClassifier(), {"max_depth": [2, 3]}, cv=2)
    assert_exact(fit(trees, X, LABELS), ROWS)


def test_a_search_that_fitted_nothing() -> None:
    model = fit(GridSearchCV(LogisticRegression(), GRID, refit=False, cv=2), X, NAMES)
    with pytest.raises(Unsupported, match="did not fit its best estimator") as caught:
        answers(model, X, ["predict"])
    assert caught.value.hint == "Search with refit=True."


def test_frozen() -> None:
    assert_exact(FrozenEstimator(fit(LogisticRegression(), X, NAMES)), ROWS)
    assert_exact(FrozenEstimator(fit(StandardScaler(), X)), ROWS)
    assert_exact(FrozenEstimator(fit(mixed(LogisticRegression()), FRAME, NAMES)), FRAME)
    scaler = FrozenEstimator(fit(StandardScaler(), X))
    assert_exact(fit(make_pipeline(scaler, LogisticRegression()), X, NAMES), ROWS)


@pytest.mark.parametrize("base", [LogisticRegression(), GaussianNB()])
@pytest.mark.parametrize("criterion", ["threshold", "k_best"])
def test_trained_on_its_own_answers(base: Any, criterion: str) -> None:
    known = np.where(np.arange(len(X)) % 3 == 0, THREE, -1)
    texts = np.where(known == -1, np.array(-1, dtype=object), NAMES.astype(object))
    for y in (known, np.where(known == 2, 0, known), texts):
        assert_exact(fit(SelfTrainingClassifier(base, criterion=criterion), X, y), ROWS)


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
