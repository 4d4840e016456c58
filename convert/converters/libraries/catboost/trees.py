"""CatBoost's trees over numbers, categories and counters.

A split sends x right where x > border, both float32, and a missing value right where its column is
treated so; all splits at one depth of a symmetric tree are the same, and each gives one bit of the
leaf's number: `catboost/libs/model/cpu/evaluator_impl.cpp`, `cpu/quantization.h`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from onnxlet.convert.converters.libraries.catboost.features import Features
from onnxlet.convert.converters.libraries.catboost.model_file import ModelFile, nodes_of
from onnxlet.convert.graph.converter import Graph, Table, Tensor
from onnxlet.convert.graph.tree_ensemble import Tree, sums, totals
from onnxlet.function.arrays import Array


def raw_scores(graph: Graph, model: ModelFile, table: Table) -> Tensor:
    """The sum of the trees, scaled, and the bias."""
    features = Features(model)
    outputs = model.bias.shape[1]
    parts = [_symmetric(tree, features) for tree in model.symmetric]
    parts += [_nested(tree, features, outputs) for tree in model.nested]
    x = features.tensor(graph, table)
    total = totals(graph, x, parts) if outputs > 1 else sums(graph, x.cast("float64"), parts)
    return (total * model.scale + model.bias).cast(graph.precision)


def _symmetric(tree: dict[str, Any], features: Features) -> Tree:
    """A complete tree; the last split, which gives the highest bit, is its root's."""
    splits = (tree["splits"] or [])[::-1]
    depth = len(splits)
    level = np.repeat(np.arange(depth), 2 ** np.arange(depth))
    feature, border = _compared(splits, features)
    inner, leaves = len(level), 2**depth
    values = np.array(tree["leaf_values"], dtype=np.float64).reshape(leaves, -1)
    first, none = 2 * np.arange(inner) + 1, np.full(leaves, -1)
    feature, border = feature[level], border[level]
    return Tree(
        np.concatenate([first, none]),
        np.concatenate([first + 1, none]),
        np.concatenate([feature, none]),
        np.concatenate([border, np.zeros(leaves)]),
        np.concatenate([~features.missing_right[feature], none]),
        np.concatenate([np.zeros((inner, values.shape[1])), values]),
    )


def _nested(tree: dict[str, Any], features: Features, outputs: int) -> Tree:
    """A tree of any form."""
    nodes, ways = nodes_of(tree)
    left, right = np.array(ways).T
    inner = left >= 0
    feature, border = np.zeros(len(nodes), dtype=np.int64), np.zeros(len(nodes))
    splits = [node["split"] for node in nodes if "split" in node]
    feature[inner], border[inner] = _compared(splits, features)
    values = [np.zeros(outputs) if "split" in n else np.reshape(n["value"], -1) for n in nodes]
    missing_left = np.append(~features.missing_right, False)[feature]
    return Tree(left, right, feature, border, missing_left, np.array(values, dtype=np.float64))


def _compared(splits: list[dict[str, Any]], features: Features) -> tuple[Array, Array]:
    """The column and the border of each split."""
    pairs = [features.compared(split) for split in splits]
    columns = np.array([column for column, _ in pairs], dtype=np.int64)
    return columns, np.array([border for _, border in pairs], dtype=np.float64)
