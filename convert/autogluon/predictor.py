"""A predictor of AutoGluon as estimators: what it is made of, in plain values.

Its answers are asked of AutoGluon itself; these are what `converters/autogluon` writes as a graph.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.pipeline import Pipeline

from onnxlet.convert.autogluon.features import AutoGluonFeatures
from onnxlet.function.arrays import Array


class AutoGluonModel(BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """One of a predictor's models, with all those that it needs."""

    answers_in_float32 = True

    def __init__(self, description: Mapping[str, Any]) -> None:
        """`description` is what `predictor_there.py` says of it."""
        self.description = description

    def predict(self, X: Any) -> NoReturn:
        """Raises NotImplementedError: AutoGluon answers."""
        raise NotImplementedError("AutoGluon answers, in its own environment")


class AutoGluonClassifier(ClassifierMixin, AutoGluonModel):  # type: ignore[misc] # likewise
    """A model that answers classes."""

    @property
    def classes_(self) -> Array:
        """The labels, in the order of the probabilities."""
        return np.asarray(self.description["classes"])

    def predict_proba(self, X: Any) -> NoReturn:
        """Raises NotImplementedError: AutoGluon answers."""
        self.predict(X)


class AutoGluonRegressor(RegressorMixin, AutoGluonModel):  # type: ignore[misc] # likewise
    """A model that answers numbers, or quantiles."""


def predictor_of(description: Mapping[str, Any]) -> Pipeline:
    """The feature generators, and the model."""
    kind = AutoGluonClassifier if "classes" in description else AutoGluonRegressor
    features = AutoGluonFeatures(description["features"])
    return Pipeline([("features", features), ("model", kind(description))])
