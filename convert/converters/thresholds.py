"""Classifiers of two classes whose threshold was moved.

Source: `sklearn/model_selection/_classification_threshold.py`. Upstream: skl2onnx 1.20 ignores
the threshold.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV

from onnxlet.convert.graph.graph import Answers, Converter, Graph, Table
from onnxlet.convert.graph.responses import has, response


def fixed(graph: Graph, fitted: Any, table: Table) -> Answers:
    """A threshold that was given, or `auto`: half, or zero for decisions."""
    return _answers(graph, fitted, table, fitted.threshold, fitted.pos_label)


def tuned(graph: Graph, fitted: Any, table: Table) -> Answers:
    """The threshold that was found."""
    positive = fitted._curve_scorer._get_pos_label()
    return _answers(graph, fitted, table, fitted.best_threshold_, positive)


def _answers(graph: Graph, fitted: Any, table: Table, threshold: Any, positive: Any) -> Answers:
    inner = getattr(fitted, "estimator_", fitted.estimator)
    score, method = response(graph, inner, table, fitted._get_response_method(), positive)
    if isinstance(threshold, str):
        threshold = 0.5 if method == "predict_proba" else 0.0
    reached = (score >= float(threshold)).cast("int64")
    classes = np.asarray(fitted.classes_)
    place = 1 if positive is None else int(np.flatnonzero(classes == positive)[0])
    answers = {"places": reached if place else 1 - reached}
    for name in ("predict_proba", "decision_function"):
        if has(graph, inner, table, name):
            answers[name] = graph.ask(inner, table, name)
    return answers


CONVERTERS: dict[type, Converter] = {
    FixedThresholdClassifier: fixed,
    TunedThresholdClassifierCV: tuned,
}
