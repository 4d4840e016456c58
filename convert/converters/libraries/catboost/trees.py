"""CatBoost's trees over numbers, categories and counters, and what is answered by them.

A split sends x right where x > border, both float32, and a missing value right where its column is
treated so; all splits at one depth of a symmetric tree are the same, and each gives one bit of the
leaf's number: `catboost/libs/model/cpu/evaluator_impl.cpp`, `cpu/quantization.h`.

What answers are made of raw scores: `catboost/libs/helpers/eval_helpers` (prediction types).
Upstream: CatBoost's own export to ONNX refuses categories, and answers in float32, with labels by
ZipMap.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from onnxlet.convert.converters.libraries.catboost.counters import bins, hashes
from onnxlet.convert.converters.libraries.catboost.model_file import ModelFile, nodes_of
from onnxlet.convert.converters.trees.forests import as_trees_see
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Tensor, Unsupported
from onnxlet.convert.graph.responses import two_sided
from onnxlet.convert.graph.tree_ensemble import Tree, sums, totals
from onnxlet.function.arrays import Array


class Features:
    """The columns that the trees compare: all numbers, then one-hot columns, then counters.

    `missing_right` has for each column whether a missing value goes right.
    """

    def __init__(self, model: ModelFile) -> None:
        self._model = model
        numbers = model.numbers
        values = [
            (s["cat_feature_index"], s["value"])
            for s in model.splits()
            if s["split_type"] == "OneHotFeature"
        ]
        self._values = {value: index for index, value in enumerate(dict.fromkeys(values))}
        self._one_hot_start = len(numbers.columns)
        self._counter_start = self._one_hot_start + len(self._values)
        others = len(self._values) + len(model.counters)
        self.missing_right = np.append(numbers.missing_right, np.zeros(others, dtype=bool))

    def compared(self, split: dict[str, Any]) -> tuple[int, float]:
        """The column that a split compares, and the largest value that it sends left."""
        kind = split["split_type"]
        if kind == "FloatFeature":
            return split["float_feature_index"], split["border"]
        if kind == "OneHotFeature":
            value = split["cat_feature_index"], split["value"]
            return self._one_hot_start + self._values[value], 0.0
        counter, border = self._model.counter_of(split)
        return self._counter_start + counter, float(border)

    def tensor(self, graph: Graph, table: Table) -> Tensor:
        """The columns, float32; a counter's is the number of its borders below."""
        model, parts = self._model, []
        if model.numbers.columns:
            given = graph.select(table, model.numbers.columns)
            parts.append(as_trees_see(graph, given))
        if self._values or model.counters:
            known = hashes(graph, model, table, {column for column, _ in self._values})
            if self._values:
                parts.append(known.equal_to(list(self._values)).cast("float32"))
            if model.counters:
                numbers = parts[0] if model.numbers.columns else None
                parts.append(bins(graph, model, numbers, known).cast("float32"))
        return graph.concat(parts)


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


BINARY = {"CrossEntropy", "Focal", "Logloss"}
SEPARATE = {"MultiClassOneVsAll", "MultiCrossEntropy", "MultiLogloss"}
SEVERAL_LABELS = {"MultiCrossEntropy", "MultiLogloss"}
EXPONENTIAL = {"Poisson", "Tweedie"}


def classes(graph: Graph, model: ModelFile, table: Table) -> Outputs:
    """The class with the highest raw score; with two classes, the second above the bound."""
    if not model.loss:
        raise Unsupported(
            "it keeps no loss function, as a sum of models",
            "catboost.to_regressor(model) has its raw scores.",
        )
    if model.loss not in BINARY | SEPARATE | {"MultiClass"}:
        raise Unsupported(
            f"its loss function is {model.loss}", "Fit it with one of the named losses."
        )
    raw = raw_scores(graph, model, table)
    above = (raw > model.probability_bound).cast("int64")
    if model.loss in BINARY:
        return {"class_index": above, "predict_proba": two_sided(raw.unary("Sigmoid"))}
    shares = raw.unary("Sigmoid") if model.loss in SEPARATE else raw.softmax()
    if model.loss in SEVERAL_LABELS:
        return {"predict": above, "predict_proba": shares}
    return {"class_index": raw.argmax(), "predict_proba": shares}


def numbers(graph: Graph, model: ModelFile, table: Table) -> Outputs:
    """The raw score, or its exponential."""
    raw = raw_scores(graph, model, table)
    if model.loss in EXPONENTIAL:
        return {"predict": raw.unary("Exp")}
    if model.loss == "RMSEWithUncertainty":
        return {"predict": graph.concat([raw.take([0]), (2.0 * raw.take([1])).unary("Exp")])}
    return {"predict": raw}
