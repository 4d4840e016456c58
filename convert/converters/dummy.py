"""Baselines: the same answer for each row.

Source: `sklearn/dummy.py`. Upstream: skl2onnx has neither of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.dummy import DummyClassifier, DummyRegressor

from onnxlet.convert.graph.graph import Answers, Converter, Graph, Table, Unsupported
from onnxlet.convert.graph.responses import every_row
from onnxlet.function.arrays import Array


def classifier(graph: Graph, fitted: Any, table: Table) -> Answers:
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
        places = [np.asarray(c).tolist().index(v) for c, v in zip(classes, given, strict=True)]
    else:
        places = [int(np.argmax(prior)) for prior in priors]
    shares = [
        np.asarray(prior) if strategy == "prior" else np.eye(len(prior))[place]
        for prior, place in zip(priors, places, strict=True)
    ]
    return {
        "places": every_row(graph, table, _answered(fitted, classes, places)).cast("int64"),
        "predict_proba": every_row(graph, table, np.concatenate(shares)),
    }


def _answered(fitted: Any, classes: Sequence[Array], places: Sequence[int]) -> Sequence[int]:
    """Of sparse targets, scikit-learn predicts the place of the frequent class, not the class."""
    if not fitted.sparse_output_ or fitted.strategy == "constant":
        return places
    pairs = [
        (np.asarray(known).tolist(), place) for known, place in zip(classes, places, strict=True)
    ]
    if any(place not in known for known, place in pairs):
        raise Unsupported("fitted on sparse targets, it predicts classes that it has not seen")
    return [known.index(place) for known, place in pairs]


def regressor(graph: Graph, fitted: Any, table: Table) -> Answers:
    """A mean, quantile or constant of each output."""
    constant = np.asarray(fitted.constant_, dtype=np.float64)
    return {
        "predict": every_row(graph, table, constant),
        "std": every_row(graph, table, np.zeros_like(constant)),
    }


CONVERTERS: dict[type, Converter] = {DummyClassifier: classifier, DummyRegressor: regressor}
