"""Isolation forests: how soon random splits isolate a row.

The score is -2 ** (-depth / (trees * c)). The depth is the sum over the trees of the leaf's depth
and of the average depth of a tree of the leaf's rows: `sklearn/ensemble/_iforest.py`
(`_compute_score_samples`). An outlier is recognised by its depth, not by its score: powers of two
differ in the last digit between libraries, and `contamination` puts the bound exactly on a training
row. Upstream: skl2onnx crashes with it in float64, and needs its own mix of opsets.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.ensemble import IsolationForest
from sklearn.ensemble._iforest import _average_path_length

from onnxlet.convert.converters.registration import Converters, exact
from onnxlet.convert.converters.trees.forests import of_sklearn, tree_ensemble
from onnxlet.convert.graph.converter import Graph, Outputs, Table
from onnxlet.convert.graph.tree_ensemble import Tree


def isolation(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The scores, and -1 for outliers."""
    parts = [_tree(fitted, index) for index in range(len(fitted.estimators_))]
    depth = tree_ensemble(graph, table, parts)
    whole = _whole_depth(fitted)
    exponent = -depth / whole if whole else 0.0 * depth - 1.0
    score = -(graph.constant([[2.0]], "float64") ** exponent)
    outlier = depth <= _deepest_outlier(fitted)
    return {
        "predict": outlier.where(graph.constant([[-1]], "int64"), 1),
        "decision_function": (score - float(fitted.offset_)).cast(graph.precision),
        "score_samples": score.cast(graph.precision),
    }


def _whole_depth(fitted: Any) -> float:
    """The divisor of the sum of depths."""
    return float(len(fitted.estimators_) * _average_path_length([fitted._max_samples])[0])


def _deepest_outlier(fitted: Any) -> float:
    """The largest sum of depths that is an outlier, by bisection; -1 if none is.

    Down to neighbouring floats, since a training row may lie exactly on the bound.
    """
    whole = _whole_depth(fitted)

    def is_outlier(depth: float) -> bool:
        exponent = -np.divide(np.array([depth]), whole) if whole else -np.ones(1)
        return bool((-(2**exponent) - fitted.offset_ < 0)[0])

    low, high = 0.0, 2.0**60
    if not is_outlier(low):
        return -1.0
    while low < (middle := low + (high - low) / 2) < high:
        low, high = (middle, high) if is_outlier(middle) else (low, middle)
    return low


def _tree(fitted: Any, index: int) -> Tree:
    one = of_sklearn(fitted.estimators_[index].tree_)
    # These lengths count nodes; a depth counts the edges between them, one less.
    lengths = fitted._decision_path_lengths[index] + fitted._average_path_length_per_tree[index]
    if fitted._max_features != fitted.n_features_in_:
        chosen = np.asarray(fitted.estimators_features_[index])
        one = replace(one, feature=chosen[np.maximum(one.feature, 0)])
    return replace(one, value=(lengths - 1.0).reshape(-1, 1))


CONVERTERS: Converters = {IsolationForest: exact(isolation)}
