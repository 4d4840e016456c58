"""Estimators that hold another one and answer with it.

Sources: `sklearn/model_selection/_search.py`, `sklearn/frozen/_frozen.py`,
`sklearn/semi_supervised/_self_training.py`. Upstream: skl2onnx has GridSearchCV alone, for one
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

from onnxlet.convert.graph.graph import Answers, Converter, Graph, Table, Unsupported


def search(graph: Graph, fitted: Any, table: Table) -> Answers:
    """What was best, fitted on everything."""
    if not hasattr(fitted, "best_estimator_"):
        raise Unsupported(
            "it did not fit its best estimator (refit=False)", "Search with refit=True."
        )
    return delegated(graph, fitted.best_estimator_, table)


def frozen(graph: Graph, fitted: Any, table: Table) -> Answers:
    """What was frozen."""
    return delegated(graph, fitted.estimator, table)


def self_training(graph: Graph, fitted: Any, table: Table) -> Answers:
    """What it trained last."""
    return delegated(graph, fitted.estimator_, table)


def delegated(graph: Graph, inner: Any, table: Table) -> Answers:
    """The answers of another estimator; its columns keep the names that it gives them."""
    answers = graph.answers(inner, table)
    if "transform" not in answers:
        return answers
    return {**answers, "transform": graph.transform(inner, table)}


CONVERTERS: dict[type, Converter] = {
    GridSearchCV: search,
    RandomizedSearchCV: search,
    HalvingGridSearchCV: search,
    HalvingRandomSearchCV: search,
    FrozenEstimator: frozen,
    SelfTrainingClassifier: self_training,
}
