"""What was searched for, frozen, and trained on its own answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import uniform
from sklearn.decomposition import PCA
from sklearn.experimental import enable_halving_search_cv
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    RandomizedSearchCV,
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
    THREE,
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


def test_over_a_pipeline_of_mixed_columns() -> None:
    model = GridSearchCV(
        mixed(LogisticRegression()),
        {"logisticregression__C": [0.1, 1.0]},
        scoring=["accuracy", "neg_log_loss"],
        refit="neg_log_loss",
        cv=2,
    )
    assert_exact(fit(model, FRAME, NAMES), FRAME)


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
