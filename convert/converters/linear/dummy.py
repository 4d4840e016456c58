"""Baselines: the same answer for each row.

Source: `sklearn/dummy.py`. Upstream: skl2onnx has neither of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.dummy import DummyClassifier, DummyRegressor

from onnxlet.convert.converters.registration import Converters, exact
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Unsupported
from onnxlet.convert.graph.responses import every_row
from onnxlet.function.arrays import Array


def classifier(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The most frequent class, or one that was given, of each output."""
    strategy = fitted._strategy
    if strategy in ("stratified", "uniform"):
        raise Unsupported(
            f"it answers at random (strategy='{strategy}')", "Use strategy='prior' for a baseline."
        )
    several = fitted.n_outputs_ > 1
    classes = fitted.classes_ if several else [fitted.classes_]
    priors = fitted.class_prior_ if several else [fitted.class_prior_]
    if strategy == "constant":
        given = np.ravel(fitted.constant).tolist()
        indices = [np.asarray(c).tolist().index(v) for c, v in zip(classes, given, strict=True)]
    else:
        indices = [int(np.argmax(prior)) for prior in priors]
    shares = [
        np.asarray(prior) if strategy == "prior" else np.eye(len(prior))[index]
        for prior, index in zip(priors, indices, strict=True)
    ]
    return {
        "class_index": every_row(graph, table, _answered(fitted, classes, indices)).cast("int64"),
        "predict_proba": every_row(graph, table, np.concatenate(shares)),
    }


def _answered(fitted: Any, classes: Sequence[Array], indices: Sequence[int]) -> Sequence[int]:
    """For sparse targets, scikit-learn predicts the index of the frequent class, not the class."""
    if not fitted.sparse_output_ or fitted.strategy == "constant":
        return indices
    pairs = [
        (np.asarray(known).tolist(), index) for known, index in zip(classes, indices, strict=True)
    ]
    if any(index not in known for known, index in pairs):
        raise Unsupported("fitted on sparse targets, it predicts classes that it has not seen")
    return [known.index(index) for known, index in pairs]


def regressor(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """A mean, quantile or constant of each output."""
    constant = np.asarray(fitted.constant_, dtype=np.float64)
    return {
        "predict": every_row(graph, table, constant),
        "std": every_row(graph, table, np.zeros_like(constant)),
    }


CONVERTERS: Converters = {DummyClassifier: exact(classifier), DummyRegressor: exact(regressor)}
