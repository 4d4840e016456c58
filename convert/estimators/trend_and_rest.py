"""TrendAndRest: a regressor that goes on with a trend, and another one on what it leaves."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin, clone

from onnxlet.function.arrays import Array


class TrendAndRest(RegressorMixin, BaseEstimator):  # type: ignore[misc] # no types in scikit-learn
    """The sum of two regressors, the second of which is fitted on what the first one leaves.

    Trees answer nothing beyond what they have seen; a linear model does.
    """

    def __init__(self, trend: Any, rest: Any) -> None:
        self.trend, self.rest = trend, rest

    def fit(self, X: Any, y: Any) -> TrendAndRest:
        """Learn from a table and its numbers, float64 (rows,)."""
        y = np.asarray(y, np.float64)
        self.trend_ = clone(self.trend).fit(X, y)
        self.rest_ = clone(self.rest).fit(X, y - self.trend_.predict(X))
        return self

    def predict(self, X: Any) -> Array:
        """The sum of both answers, float64 (rows,)."""
        return np.asarray(self.trend_.predict(X) + self.rest_.predict(X), np.float64)
