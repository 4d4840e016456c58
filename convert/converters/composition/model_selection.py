"""Estimators that delegate to another one, and classifiers with a threshold of their own.

Sources: `sklearn/model_selection/_search.py`, `_classification_threshold.py`,
`sklearn/frozen/_frozen.py`, `sklearn/semi_supervised/_self_training.py`. Upstream: skl2onnx has
only GridSearchCV, for one matrix of inputs, and ignores thresholds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    RandomizedSearchCV,
    TunedThresholdClassifierCV,
)
from sklearn.model_selection._search_successive_halving import (
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
)
from sklearn.semi_supervised import SelfTrainingClassifier

from onnxlet.convert.converters.registration import Converters, exact
from onnxlet.convert.graph.converter import Converter, Graph, Outputs, Table, Unsupported
from onnxlet.convert.graph.responses import has, response


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


def fixed(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """FixedThresholdClassifier; `auto` is 0.5 for probabilities and 0 for decisions."""
    return _outputs(graph, fitted, table, fitted.threshold, fitted.pos_label)


def tuned(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """TunedThresholdClassifierCV: the best threshold."""
    positive = fitted._curve_scorer._get_pos_label()
    return _outputs(graph, fitted, table, fitted.best_threshold_, positive)


def _outputs(graph: Graph, fitted: Any, table: Table, threshold: Any, positive: Any) -> Outputs:
    inner = getattr(fitted, "estimator_", fitted.estimator)
    score, method = response(graph, inner, table, fitted._get_response_method(), positive)
    if isinstance(threshold, str):
        threshold = 0.5 if method == "predict_proba" else 0.0
    reached = (score >= float(threshold)).cast("int64")
    classes = np.asarray(fitted.classes_)
    index = 1 if positive is None else int(np.flatnonzero(classes == positive)[0])
    outputs = {"class_index": reached if index else 1 - reached}
    for name in ("predict_proba", "decision_function"):
        if has(graph, inner, table, name):
            outputs[name] = graph.call(inner, table, name)
    return outputs


CONVERTERS: Converters = {
    GridSearchCV: exact(search),
    RandomizedSearchCV: exact(search),
    HalvingGridSearchCV: exact(search),
    HalvingRandomSearchCV: exact(search),
    FrozenEstimator: exact(delegating("estimator")),
    SelfTrainingClassifier: delegating("estimator_"),  # the one that it trained last,
    FixedThresholdClassifier: fixed,
    TunedThresholdClassifierCV: tuned,
}
