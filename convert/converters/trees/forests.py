"""Decision trees and forests of them, with missing values, for classes, numbers and outliers.

A node sends x left where float32(x) <= threshold, the threshold being a float64, and a missing
value where training sent most rows: `sklearn/tree/_tree.pyx`, `Tree._apply_dense`. A forest answers
with the mean of its trees: `sklearn/ensemble/_forest.py`. RandomTreesEmbedding returns the leaves
that a row reaches.

The operator sums leaves of one number in float64; class shares are looked up in a float64 table.
Upstream: skl2onnx's trees lose the branch of missing values (sklearn-onnx #1253), and sum in
float32, which flips labels where an even number of trees is split evenly.

An isolation forest scores how soon random splits isolate a row: -2 ** (-depth / (trees * c)). The
depth is the sum over the trees of the leaf's depth and of the average depth of a tree of the leaf's
rows: `sklearn/ensemble/_iforest.py` (`_compute_score_samples`). An outlier is recognised by its
depth, not by its score: powers of two differ in the last digit between libraries, and
`contamination` puts the bound exactly on a training row. Upstream: skl2onnx crashes with it in
float64, and needs its own mix of opsets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn import ensemble, tree
from sklearn.base import is_classifier
from sklearn.ensemble import IsolationForest
from sklearn.ensemble._iforest import _average_path_length

from onnxlet.convert.converters.registration import Converters, Registration, Splits, exact
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Tensor
from onnxlet.convert.graph.responses import by_output, two_sided
from onnxlet.convert.graph.tree_ensemble import Tree, leaves, sums, totals, unrounded

DECISION_TREES = (
    tree.DecisionTreeClassifier, tree.DecisionTreeRegressor,
    tree.ExtraTreeClassifier, tree.ExtraTreeRegressor,
)  # fmt: skip


def all_trees(estimators: Sequence[Any]) -> bool:
    """Whether all of them are decision trees, which one node can sum."""
    return all(type(estimator) in DECISION_TREES for estimator in estimators)


def as_tree(fitted: Any, columns: Sequence[int] | None = None) -> Tree:
    """The tree of a decision tree, which may be given only some columns of the table.

    A leaf has the class shares of one output, or one number for each output, or the class shares
    of all outputs, concatenated.
    """
    one = fitted.tree_
    values = one.value.reshape(one.node_count, -1)
    if one.n_outputs > 1:  # padded to the output with the most classes
        kept = [one.value[:, o, :n] for o, n in enumerate(np.ravel(one.n_classes))]
        values = np.concatenate(kept, axis=1)
    feature = one.feature if columns is None else np.asarray(columns)[np.maximum(one.feature, 0)]
    return Tree(
        one.children_left,
        one.children_right,
        feature,
        one.threshold,
        one.missing_go_to_left,
        values,
    )


def as_trees_see(graph: Graph, table: Table) -> Tensor:
    """All columns in one float32 tensor; if all are integers, rounded once, as NumPy does."""
    if all(tensor.dtype == "int64" for tensor in table.tensors):
        return graph.matrix(table, "float32")
    return graph.matrix(table).cast("float32")


def in_float64(graph: Graph, table: Table, trees: Sequence[Tree]) -> tuple[Tensor, Sequence[Tree]]:
    """All columns in float64, and trees that split them as the given ones split float32."""
    if graph.precision == "float32" or all(tensor.dtype == "int64" for tensor in table.tensors):
        return as_trees_see(graph, table).cast("float64"), trees
    lifted = [replace(one, threshold=unrounded(one.threshold)) for one in trees]
    return graph.matrix(table), lifted


def tree_ensemble(graph: Graph, table: Table, trees: Sequence[Tree], targets: int = 1) -> Tensor:
    """The sum of the trees' leaves, float64, of shape (rows, targets).

    The columns are cast to float32, as scikit-learn casts them. There is one tree at least; a leaf
    has a number for each target, or one: then there are so many targets as are given.
    """
    x, lifted = in_float64(graph, table, trees)
    if trees[0].value.shape[1] > 1:
        return totals(graph, x, lifted)
    return sums(graph, x, lifted, targets)


def trees(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """A tree or the mean of a forest: class shares, or numbers."""
    parts = [as_tree(part) for part in getattr(fitted, "estimators_", [fitted])]
    if not is_classifier(fitted):
        return {"predict": _mean(graph, table, parts).cast(graph.precision)}
    if fitted.n_outputs_ > 1:
        mean = _mean(graph, table, parts).cast(graph.precision)
        indices = [shares.argmax() for shares in by_output(mean, fitted.n_classes_)]
        return {"class_index": graph.concat(indices), "predict_proba": mean}
    if fitted.n_classes_ == 2:  # leaves of one number: a third of the time of a table
        second = [replace(one, value=one.value[:, 1:]) for one in parts]
        shares = two_sided(_mean(graph, table, second))
    else:
        shares = _mean(graph, table, parts)
    return {"class_index": shares.argmax(), "predict_proba": shares.cast(graph.precision)}


def _mean(graph: Graph, table: Table, parts: Sequence[Tree]) -> Tensor:
    total = tree_ensemble(graph, table, parts)
    return total / float(len(parts)) if len(parts) > 1 else total


def embedding(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """RandomTreesEmbedding: 1 for each leaf that a row reaches."""
    parts = [as_tree(part) for part in fitted.estimators_]
    numbered = [replace(one, value=np.arange(len(one.left))[:, None]) for one in parts]
    numbers, nodes = leaves(graph, *in_float64(graph, table, numbered))
    node_of = graph.constant(nodes[:, 0], "int64")
    reached = graph.op("Gather", node_of, numbers, dtype="int64", width=len(parts), axis=0)
    known = [column.astype(np.int64).tolist() for column in fitted.one_hot_encoder_.categories_]
    owners = [index for index, nodes in enumerate(known) for _ in nodes]
    wanted = graph.constant([node for nodes in known for node in nodes], "int64")
    return {"transform": reached.take(owners).equals(wanted).cast(graph.precision)}


def splits(fitted: Any) -> Iterator[Splits]:
    """The comparisons of a decision tree with its thresholds."""
    if hasattr(fitted, "tree_"):
        one = fitted.tree_
        yield Splits(
            one.feature, one.threshold, one.children_left, one.children_right, one.feature >= 0,
            np.float32,
        )  # fmt: skip


FORESTS = (
    ensemble.ExtraTreesClassifier, ensemble.ExtraTreesRegressor,
    ensemble.RandomForestClassifier, ensemble.RandomForestRegressor,
)  # fmt: skip


def isolation(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The scores, and -1 for outliers."""
    parts = [_tree_of_depths(fitted, index) for index in range(len(fitted.estimators_))]
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


def _tree_of_depths(fitted: Any, index: int) -> Tree:
    some = fitted._max_features != fitted.n_features_in_
    columns = fitted.estimators_features_[index] if some else None
    # These lengths count nodes; a depth counts the edges between them, one less.
    lengths = fitted._decision_path_lengths[index] + fitted._average_path_length_per_tree[index]
    one = as_tree(fitted.estimators_[index], columns)
    return replace(one, value=(lengths - 1.0).reshape(-1, 1))


CONVERTERS: Converters = {
    tree.BaseDecisionTree: Registration(splits=splits),
    **dict.fromkeys((*DECISION_TREES, *FORESTS), exact(trees, only_splits=True)),
    ensemble.RandomTreesEmbedding: exact(embedding),
    IsolationForest: exact(isolation),
}
