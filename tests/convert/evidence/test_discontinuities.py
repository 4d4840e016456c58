"""Discontinuities in one column, found by bisection that asks about several halvings at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator, RegressorMixin

from onnxlet.convert.evidence.discontinuities import at_discontinuities
from onnxlet.convert.sources.source import Source
from onnxlet.function.inputs.columns import Column
from tests.convert.helpers import reference_of

STEP = 1 / 3
X = np.array([[0.0], [1.0]] * 8)


class Gapped(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A step; it may raise for a gap beyond it, which no bisection comes to."""

    def __init__(self, gap: tuple[float, float] = (2.0, 2.0)) -> None:
        self.gap = gap

    def fit(self, X: Any, y: Any = None) -> Gapped:
        self.n_features_in_ = 1
        self.asked_: list[int] = []
        return self

    def predict(self, X: Any) -> Any:
        values = np.asarray(X)[:, 0]
        self.asked_.append(len(values))
        if np.any((values > self.gap[0]) & (values < self.gap[1])):
            raise ValueError("it answers nothing there")
        return (values > STEP).astype(float)


@pytest.mark.parametrize(("gap", "calls"), [((2.0, 2.0), 22), ((0.6, 0.9), 26)])
def test_both_sides_are_found_in_few_calls_whatever_lies_where_it_does_not_lead(
    gap: tuple[float, float], calls: int
) -> None:
    estimator = Gapped(gap).fit(X)
    reference, rows = reference_of(Source(estimator, X))
    estimator.asked_.clear()

    found = at_discontinuities([Column("x0", "float64")], rows, reference, {0})

    made = {row[0] for row in found}
    above = np.nextafter(STEP, 1)
    assert {STEP, above} <= made
    assert min(made) > STEP - 1e-7
    assert max(made) < above + 1e-7
    assert len(estimator.asked_) <= calls
