"""Classifiers of two classes with a threshold of their own.

Source: `sklearn/model_selection/_classification_threshold.py`. Upstream: skl2onnx 1.20 ignores
the threshold.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV

from onnxlet.convert.graph.converter import Converter, Graph, Outputs, Table
from onnxlet.convert.graph.responses import has, response


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


CONVERTERS: dict[type, Converter] = {
    FixedThresholdClassifier: fixed,
    TunedThresholdClassifierCV: tuned,
}
