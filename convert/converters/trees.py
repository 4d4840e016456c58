"""Decision trees and forests of them, with missing values, for classes and for numbers.

A node sends x left where float32(x) <= threshold, the threshold being a float64, and a missing
value where training sent most rows: `sklearn/tree/_tree.pyx`, `Tree._apply_dense`. A forest
answers with the mean of its trees: `sklearn/ensemble/_forest.py`.

Written as one float64 TreeEnsembleRegressor of ai.onnx.ml 3 with the leaves' class shares as
targets, and ArgMax over their means. Upstream: skl2onnx's trees lose the branch of missing
values (sklearn-onnx #1253), and compare and sum in float32.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import TensorProto
from onnx.helper import make_tensor
from skl2onnx.common.data_types import Int64TensorType, StringTensorType
from sklearn.base import is_classifier
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import (
    DecisionTreeClassifier,
    DecisionTreeRegressor,
    ExtraTreeClassifier,
    ExtraTreeRegressor,
)

from convert.converters.graph import Nodes, as_one_matrix, tensor_type
from function.signature import Array

ESTIMATORS = (
    DecisionTreeClassifier,
    DecisionTreeRegressor,
    ExtraTreeClassifier,
    ExtraTreeRegressor,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)


def converters(precision: str) -> list[tuple[type, Callable[..., None], Callable[..., None]]]:
    """Each estimator with its shape calculator and its converter."""

    def shape(operator: Any) -> None:
        fitted = operator.raw_operator
        if not is_classifier(fitted):
            operator.outputs[0].type = tensor_type(precision, fitted.n_outputs_)
            return
        texts = np.asarray(fitted.classes_).dtype.kind in "UO"
        operator.outputs[0].type = (StringTensorType if texts else Int64TensorType)([None])
        operator.outputs[1].type = tensor_type(precision, len(fitted.classes_))

    def convert(scope: Any, operator: Any, container: Any) -> None:
        fitted = operator.raw_operator
        nodes = Nodes(scope, container)
        matrix, dtype = as_one_matrix(nodes, operator, precision)
        if dtype == "string":
            raise NotImplementedError("a tree on text")
        single = matrix if dtype == "float32" else nodes.cast(matrix, "float32")
        mean = nodes.add(
            "TreeEnsembleRegressor", [nodes.cast(single, "float64")], **_ensemble(fitted)
        )
        outputs = [output.full_name for output in operator.outputs]
        if not is_classifier(fitted):
            nodes.cast(mean, precision, outputs[0])
            return
        nodes.label(nodes.add("ArgMax", [mean], axis=1, keepdims=0), fitted.classes_, outputs[0])
        nodes.cast(mean, precision, outputs[1])

    return [(estimator, shape, convert) for estimator in ESTIMATORS]


def _ensemble(fitted: Any) -> dict[str, Any]:
    """The attributes of TreeEnsembleRegressor."""
    trees = [part.tree_ for part in getattr(fitted, "estimators_", [fitted])]
    if is_classifier(fitted) and fitted.n_outputs_ > 1:
        raise NotImplementedError("a tree with several class outputs")
    parts = [_nodes(tree, number) for number, tree in enumerate(trees)]
    merged = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    thresholds, weights = merged.pop("nodes_values"), merged.pop("target_weights")
    modes = np.where(merged.pop("leaf"), "LEAF", "BRANCH_LEQ").tolist()
    return {
        **{name: values.tolist() for name, values in merged.items()},
        "nodes_modes": modes,
        "nodes_values_as_tensor": _doubles("nodes_values", thresholds),
        "target_weights_as_tensor": _doubles("target_weights", weights),
        "n_targets": trees[0].value.shape[1] if trees[0].n_outputs > 1 else trees[0].value.shape[2],
        "aggregate_function": "AVERAGE",
        "post_transform": "NONE",
    }


def _nodes(tree: Any, number: int) -> dict[str, Array]:
    """One tree's part of each attribute."""
    count = tree.node_count
    leaf = tree.children_left < 0
    leaves = np.flatnonzero(leaf)
    # (leaves, targets): class shares, or one number for each output
    values = tree.value[leaves, :, 0] if tree.n_outputs > 1 else tree.value[leaves, 0, :]
    targets = values.shape[1]
    return {
        "leaf": leaf,
        "nodes_treeids": np.full(count, number),
        "nodes_nodeids": np.arange(count),
        "nodes_featureids": np.where(leaf, 0, tree.feature),
        "nodes_values": np.where(leaf, 0.0, tree.threshold),
        "nodes_truenodeids": np.where(leaf, 0, tree.children_left),
        "nodes_falsenodeids": np.where(leaf, 0, tree.children_right),
        "nodes_missing_value_tracks_true": np.where(leaf, 0, tree.missing_go_to_left).astype(int),
        "target_treeids": np.full(len(leaves) * targets, number),
        "target_nodeids": np.repeat(leaves, targets),
        "target_ids": np.tile(np.arange(targets), len(leaves)),
        "target_weights": values.ravel(),
    }


def _doubles(name: str, values: Array) -> Any:
    return make_tensor(name, TensorProto.DOUBLE, [len(values)], values.astype(np.float64).tolist())
