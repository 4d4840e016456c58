"""Estimators that delegate to another one.

Sources: `sklearn/model_selection/_search.py`, `sklearn/frozen/_frozen.py`,
`sklearn/semi_supervised/_self_training.py`. Upstream: skl2onnx has only GridSearchCV, for one
matrix of inputs.
"""

from __future__ import annotations

from typing import Any

from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.model_selection._search_successive_halving import (
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
)
from sklearn.semi_supervised import SelfTrainingClassifier

from onnxlet.convert.converters.registration import Converters, exact
from onnxlet.convert.graph.converter import Converter, Graph, Outputs, Table, Unsupported


def search(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The best estimator, fitted on all rows."""
    if not hasattr(fitted, "best_estimator_"):
        raise Unsupported(
            "it did not fit its best estimator (refit=False)", "Search with refit=True."
        )
    return delegated(graph, fitted.best_estimator_, table)


def delegated(graph: Graph, inner: Any, table: Table) -> Outputs:
    """The outputs of another estimator, its columns under the names that it gives them."""
    outputs = graph.convert(inner, table)
    if "transform" not in outputs:
        return outputs
    return {**outputs, "transform": graph.transform(inner, table)}


def delegating(name: str) -> Converter:
    """A converter of what answers as the estimator that it keeps under this name."""
    return lambda graph, fitted, table: delegated(graph, getattr(fitted, name), table)


CONVERTERS: Converters = {
    GridSearchCV: exact(search),
    RandomizedSearchCV: exact(search),
    HalvingGridSearchCV: exact(search),
    HalvingRandomSearchCV: exact(search),
    FrozenEstimator: exact(delegating("estimator")),
    SelfTrainingClassifier: delegating("estimator_"),  # the one that it trained last
}
