"""Isolation forests: how soon random splits leave a row alone.

The score is -2 ** (-depth / (trees * c)), depth being the sum over the trees of that of the leaf
and of what a tree of its rows would add: `sklearn/ensemble/_iforest.py`
(`_compute_score_samples`). An outlier is told by its depth, since powers of two differ in the
last digit from one library to another, and `contamination` puts the bound onto training rows.
Upstream: skl2onnx crashes with it in float64, and needs its own mix of opsets.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.ensemble import IsolationForest
from sklearn.ensemble._iforest import _average_path_length

from onnxlet.convert.converters.trees import of_sklearn, tree_ensemble
from onnxlet.convert.graph.graph import Answers, Converter, Graph, Table
from onnxlet.convert.graph.tree_ensemble import Tree


def isolation(graph: Graph, fitted: Any, table: Table) -> Answers:
    """The scores, and -1 for outliers."""
    parts = [_tree(fitted, place) for place in range(len(fitted.estimators_))]
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
    """What the sum of depths is measured by."""
    return float(len(fitted.estimators_) * _average_path_length([fitted._max_samples])[0])


def _deepest_outlier(fitted: Any) -> float:
    """The largest sum of depths that scikit-learn calls an outlier, by halving; -1 if none is."""
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


def _tree(fitted: Any, place: int) -> Tree:
    one = of_sklearn(fitted.estimators_[place].tree_)
    lengths = fitted._decision_path_lengths[place] + fitted._average_path_length_per_tree[place]
    if fitted._max_features != fitted.n_features_in_:
        chosen = np.asarray(fitted.estimators_features_[place])
        one = replace(one, feature=chosen[np.maximum(one.feature, 0)])
    return replace(one, value=(lengths - 1.0).reshape(-1, 1))


CONVERTERS: dict[type, Converter] = {IsolationForest: isolation}
