"""Isolation forests answer as scikit-learn's, on the very bound of their outliers too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest

from tests.convert.converters.near_thresholds import BEYOND_FLOAT32, ODD, edge_cases
from tests.convert.exactness import assert_exact

random = np.random.default_rng(0)
X = np.column_stack(
    [random.normal(size=301), random.normal(size=301).round(1), random.integers(0, 5, 301)]
)
GAPS = np.where(random.random(X.shape) < 0.1, np.nan, X)
ALL = ["predict", "decision_function", "score_samples"]


def splits(fitted: Any) -> Iterator[tuple[int, float]]:
    for part, columns in zip(fitted.estimators_, fitted.estimators_features_, strict=True):
        inner = part.tree_.children_left >= 0
        yield from zip(columns[part.tree_.feature[inner]], part.tree_.threshold[inner], strict=True)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"max_features": 2},
        {"max_features": 0.5, "bootstrap": True},
        {"max_samples": 1},
        {"max_samples": 2},
        {"max_samples": 0.9, "contamination": 0.2},
    ],
    ids=str,
)
def test_scores(settings: dict[str, Any]) -> None:
    estimator = IsolationForest(n_estimators=12, random_state=0, **settings).fit(GAPS)
    odd = (*ODD, *BEYOND_FLOAT32)
    rows = edge_cases(GAPS, splits(estimator), odd, missing=True, bound=np.inf)
    assert_exact(estimator, rows, methods=ALL, tolerance=1e-12)


@pytest.mark.parametrize("trees", [1, 7, 40])
@pytest.mark.parametrize("share", [0.01, 0.1, 0.25, 0.5])
def test_a_training_row_is_the_bound(trees: int, share: float) -> None:
    """Of 301 rows the percentile is one of them, and its score minus the offset is zero."""
    estimator = IsolationForest(n_estimators=trees, contamination=share, random_state=trees).fit(X)
    assert (estimator.decision_function(X) == 0).any()
    assert_exact(estimator, X, methods=ALL, tolerance=1e-12)


def test_outliers_everywhere_and_nowhere() -> None:
    estimator = IsolationForest(n_estimators=5, random_state=0).fit(X)
    for offset in (-1.5, -1.0, -0.999, -1e-9, 0.0, 0.5):
        estimator.offset_ = offset
        assert_exact(estimator, X, methods=ALL)


def test_float32_inputs() -> None:
    estimator = IsolationForest(n_estimators=12, random_state=0).fit(GAPS)
    rows = edge_cases(GAPS, splits(estimator), missing=True).astype(np.float32)
    assert_exact(estimator, rows, methods=ALL, precision="float32", tolerance=1e-6)


def test_scores_beside_the_bound() -> None:
    estimator = IsolationForest(n_estimators=9, random_state=0).fit(X)
    for score in np.unique(estimator.score_samples(X))[::40]:
        for offset in (np.nextafter(score, -1), score, np.nextafter(score, 0)):
            estimator.offset_ = offset
            assert_exact(estimator, X, methods=ALL, tolerance=1e-12)
