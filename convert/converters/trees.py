"""Decision trees and forests of them, with missing values, for classes and for numbers.

A node sends x left where float32(x) <= threshold, the threshold being a float64, and a missing
value where training sent most rows: `sklearn/tree/_tree.pyx`, `Tree._apply_dense`. A forest
answers with the mean of its trees: `sklearn/ensemble/_forest.py`.

Written as one float64 TreeEnsemble of ai.onnx.ml 5 with the leaves' class shares as targets, and
ArgMax over their means. Upstream: skl2onnx's trees lose the branch of missing values (sklearn-onnx
#1253), and compare and sum in float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import TensorProto
from onnx.helper import make_tensor
from sklearn import ensemble, tree
from sklearn.base import is_classifier

from convert.converters.graph import Answers, Converter, Graph, Table, Tensor
from function.signature import Array

LEQ, LESS, EQUAL, MEMBER = 0, 1, 4, 6  # BRANCH_LEQ, BRANCH_LT, BRANCH_EQ, BRANCH_MEMBER


@dataclass(frozen=True)
class Tree:
    """One tree, an entry for each node; node 0 is the root.

    Attributes:
        left: the node taken where the condition holds, -1 at a leaf; shape (nodes,).
        right: the other.
        feature: that is looked at.
        threshold: float64.
        missing_left: whether a missing value goes left.
        value: of a leaf, float64, shape (nodes, targets).
        mode: the condition, LEQ if not given; an integer for each node or one for all.
    """

    left: Array
    right: Array
    feature: Array
    threshold: Array
    missing_left: Array
    value: Array
    mode: Any = LEQ


def tree_ensemble(
    graph: Graph, x: Tensor, trees: Sequence[Tree], members: Sequence[float] = ()
) -> Tensor:
    """The sum of the trees' leaves, float64, of shape (rows, targets).

    Args:
        graph: to write to.
        x: float64.
        trees: at least one.
        members: the sets of MEMBER nodes one after another, in the order of these nodes, each
            ended by a NaN.
    """
    parts, roots, inner_count, leaf_count = [], [], 0, 0
    for one in trees:
        roots.append(inner_count)
        part = _flat(one, inner_count, leaf_count)
        inner_count += len(part["nodes_featureids"])
        leaf_count += len(part["value"])
        parts.append(part)
    merged = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    values = merged.pop("value")
    targets = values.shape[1]
    if targets > 1:
        # Leaves have one target each: a tree is repeated for every target.
        merged, roots, values = _repeated(merged, np.array(roots), values)
    attributes = {name: column.tolist() for name, column in merged.items()}
    modes, splits = attributes.pop("nodes_modes"), attributes.pop("nodes_splits")
    if len(members):
        attributes["membership_values"] = _tensor("members", TensorProto.DOUBLE, members)
    wide = x.cast("float64")
    return graph.op(
        "TreeEnsemble",
        wide,
        width=targets,
        tree_roots=[int(root) for root in roots],
        nodes_modes=_tensor("modes", TensorProto.UINT8, modes),
        nodes_splits=_tensor("splits", TensorProto.DOUBLE, splits),
        leaf_targetids=np.repeat(np.arange(targets), len(values) // targets).tolist(),
        leaf_weights=_tensor("weights", TensorProto.DOUBLE, values.ravel().tolist()),
        n_targets=targets,
        aggregate_function=1,
        post_transform=0,
        **attributes,
    )


def _flat(one: Tree, first_inner: int, first_leaf: int) -> dict[str, Array]:
    """A tree's part of each attribute; one that is a leaf gets a node whose ways both lead there."""
    leaf = one.left < 0
    if leaf[0]:
        zero = np.zeros(1, dtype=int)
        one = Tree(zero, zero, zero, np.zeros(1), zero, one.value, LEQ)
        inner, leaves, leaf = zero, zero, np.array([True])
    else:
        inner, leaves = np.flatnonzero(~leaf), np.flatnonzero(leaf)
    place = np.zeros(len(one.left), dtype=int)
    place[inner] = first_inner + np.arange(len(inner))
    at_leaf = np.zeros(len(one.left), dtype=int)
    at_leaf[leaves] = first_leaf + np.arange(len(leaves))
    left, right = one.left[inner], one.right[inner]
    return {
        "nodes_featureids": one.feature[inner].astype(int),
        "nodes_splits": one.threshold[inner].astype(np.float64),
        "nodes_modes": np.broadcast_to(one.mode, leaf.shape)[inner].astype(int),
        "nodes_truenodeids": np.where(leaf[left], at_leaf[left], place[left]),
        "nodes_falsenodeids": np.where(leaf[right], at_leaf[right], place[right]),
        "nodes_trueleafs": leaf[left].astype(int),
        "nodes_falseleafs": leaf[right].astype(int),
        "nodes_missing_value_tracks_true": one.missing_left[inner].astype(int),
        "value": one.value[leaves],
    }


def _repeated(
    merged: dict[str, Array], roots: Array, values: Array
) -> tuple[dict[str, Array], Array, Array]:
    """The same trees once for each target."""
    count, (leaves, targets) = len(merged["nodes_featureids"]), values.shape
    shifted = {name: np.tile(column, targets) for name, column in merged.items()}
    copy = np.repeat(np.arange(targets), count)
    for way in ("true", "false"):
        to_leaf = shifted[f"nodes_{way}leafs"] == 1
        shifted[f"nodes_{way}nodeids"] += np.where(to_leaf, leaves, count) * copy
    every_root = (roots + count * np.arange(targets)[:, None]).ravel()
    return shifted, every_root, values.T.reshape(-1, 1)


def _tensor(name: str, element: int, values: Sequence[Any]) -> Any:
    return make_tensor(name, element, [len(values)], values)


def of_sklearn(fitted: Any, scale: float = 1.0) -> Tree:
    """A `sklearn.tree._tree.Tree`, its leaves times a factor.

    Leaves hold class shares of one output, or one number for each output, or the class shares
    of all outputs one after another.
    """
    values = fitted.value.reshape(fitted.node_count, -1)
    if fitted.n_outputs > 1:  # padded to the output with the most classes
        kept = [fitted.value[:, o, :n] for o, n in enumerate(np.ravel(fitted.n_classes))]
        values = np.concatenate(kept, axis=1)
    return Tree(
        fitted.children_left,
        fitted.children_right,
        np.maximum(fitted.feature, 0),
        fitted.threshold,
        fitted.missing_go_to_left,
        values * scale,
    )


def as_trees_see(graph: Graph, table: Table) -> Tensor:
    """Numbers rounded to float32, in float64."""
    return graph.matrix(table).cast("float32").cast("float64")


def trees(graph: Graph, fitted: Any, table: Table) -> Answers:
    """A tree or the mean of a forest: class shares, or numbers."""
    parts = [part.tree_ for part in getattr(fitted, "estimators_", [fitted])]
    x = as_trees_see(graph, table)
    mean = tree_ensemble(graph, x, [of_sklearn(part, 1.0 / len(parts)) for part in parts])
    mean = mean.cast(graph.precision)
    if not is_classifier(fitted):
        return {"predict": mean}
    if fitted.n_outputs_ == 1:
        return {"places": mean.argmax(), "predict_proba": mean}
    ends = np.cumsum(fitted.n_classes_).tolist()
    shares = [
        mean.take(range(e - n, e)) for n, e in zip(fitted.n_classes_, ends, strict=True)
    ]  # fmt: skip
    return {"places": graph.concat([s.argmax() for s in shares]), "predict_proba": mean}


CONVERTERS: dict[type, Converter] = {
    tree.DecisionTreeClassifier: trees,
    tree.DecisionTreeRegressor: trees,
    tree.ExtraTreeClassifier: trees,
    tree.ExtraTreeRegressor: trees,
    ensemble.ExtraTreesClassifier: trees,
    ensemble.ExtraTreesRegressor: trees,
    ensemble.RandomForestClassifier: trees,
    ensemble.RandomForestRegressor: trees,
}
