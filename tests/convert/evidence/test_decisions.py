from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import LocalOutlierFactor
from sklearn.svm import OneClassSVM

from onnxlet.convert.evidence.discontinuities import beside_decisions
from onnxlet.convert.sources.source import Source
from tests.convert.helpers import reference_of

X = np.random.default_rng(0).normal(size=(120, 5))


def found_for(estimator: object) -> tuple[np.ndarray, np.ndarray]:
    """Scores of the held-out rows, and of what is found."""
    reference, rows = reference_of(Source(estimator, X))
    made = beside_decisions(rows, reference)
    return reference.answers(rows)["score"], reference.answers(made)["score"]


@pytest.mark.parametrize(
    "estimator",
    [
        IsolationForest(n_estimators=5, max_samples=64, random_state=0),
        LocalOutlierFactor(novelty=True),
        OneClassSVM(nu=0.2),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_rows_are_found_on_both_sides_within_a_hundredth_of_the_spread(estimator: Any) -> None:
    held_out, found = found_for(estimator.fit(X))

    for side in (1, -1):
        theirs = np.abs(found[found * side > 0])
        assert len(theirs) > 1
        assert theirs.min() < np.std(held_out) / 100


def test_only_outlier_detectors_have_such_a_decision() -> None:
    reference, rows = reference_of(Source(LogisticRegression().fit(X, X[:, 0] > 0), X))

    assert beside_decisions(rows, reference) == []


def test_a_detector_that_answers_no_row_has_no_rows_beside_its_decision() -> None:
    class Raises(IsolationForest):  # type: ignore[misc]  # scikit-learn has no types
        def decision_function(self, X: object) -> object:
            raise ValueError

    reference, rows = reference_of(Source(Raises(n_estimators=5, random_state=0).fit(X), X))

    assert beside_decisions(rows, reference) == []
