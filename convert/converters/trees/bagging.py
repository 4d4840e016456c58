"""Means of estimators that were each fitted on some of the rows and columns.

Source: `sklearn/ensemble/_bagging.py`. Sub-estimators know the classes as 0, 1, …, and may have
seen only some of them. Upstream: skl2onnx's models of trees and of linear models without
probabilities do not load in float64, and in float32 other sums are equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.ensemble import BaggingClassifier, BaggingRegressor

from onnxlet.convert.converters.registration import Converters, exact
from onnxlet.convert.converters.trees.forests import all_trees, of_sklearn, tree_ensemble
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Tensor
from onnxlet.convert.graph.responses import all_have, every_row, one_hot, predicted, total

Part = tuple[Any, Table]


def classifier(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The mean of the probabilities, or of the votes of estimators that have none."""
    count = len(fitted.classes_)
    parts: list[Part] = []
    if all_trees(fitted.estimators_) and all(
        len(part.classes_) == count for part in fitted.estimators_
    ):
        summed = _forest(graph, fitted, table)
    else:
        parts = _parts(graph, fitted, table)
        summed = total([_shares(graph, *part, count) for part in parts])
    mean = summed / float(fitted.n_estimators)
    outputs = {"predict_proba": mean, "class_index": mean.argmax()}
    if parts and all_have(graph, parts, "decision_function"):
        scores = [graph.call(*part, "decision_function") for part in parts]
        if len({score.width for score in scores}) == 1:
            outputs["decision_function"] = total(scores) / float(fitted.n_estimators)
    return outputs


def regressor(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The mean of the predictions."""
    if all_trees(fitted.estimators_):
        summed = _forest(graph, fitted, table)
    else:
        summed = total([predicted(graph, *part) for part in _parts(graph, fitted, table)])
    return {"predict": summed / float(fitted.n_estimators)}


def _parts(graph: Graph, fitted: Any, table: Table) -> list[Part]:
    """Every sub-estimator with its columns."""
    chosen: Sequence[Any] = fitted.estimators_features_
    pairs = zip(fitted.estimators_, chosen, strict=True)
    return [(part, graph.select(table, indices)) for part, indices in pairs]


def _shares(graph: Graph, part: Any, given: Table, count: int) -> Tensor:
    """One sub-estimator's probabilities or vote, zero for classes that it has not seen."""
    if not hasattr(part, "predict_proba"):
        code = graph.call(part, given, "predict").cast("int64")
        return one_hot(code, count).cast(graph.precision)
    shares = graph.call(part, given, "predict_proba")
    codes = np.asarray(part.classes_).tolist()
    if len(codes) == count:
        return shares
    wide = graph.concat([shares, every_row(graph, Table((shares,)), 0.0)])
    return wide.take([codes.index(c) if c in codes else len(codes) for c in range(count)])


def _forest(graph: Graph, fitted: Any, table: Table) -> Tensor:
    """The sum of trees, in one node."""
    parts = [
        replace(
            of_sklearn(part.tree_), feature=np.asarray(indices)[np.maximum(part.tree_.feature, 0)]
        )
        for part, indices in zip(fitted.estimators_, fitted.estimators_features_, strict=True)
    ]
    return tree_ensemble(graph, table, parts).cast(graph.precision)


CONVERTERS: Converters = {BaggingClassifier: exact(classifier), BaggingRegressor: exact(regressor)}
