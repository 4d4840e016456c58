"""CatBoost's classifiers, regressors and rankers over columns of numbers.

A split sends x right where x > border, both float32, and a missing value right where its column is
treated so; all splits at one depth of a symmetric tree are the same, and each gives one bit of the
leaf's number. Sources: `catboost/libs/model/model_export/json_model_helpers.cpp`,
`cpu/evaluator_impl.cpp`, `catboost/libs/helpers/eval_helpers` (prediction types). CatBoost stores
only hashes of categories. Upstream: CatBoost's own export to ONNX answers in float32, with labels
by ZipMap.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import catboost
import numpy as np

from onnxlet.convert.converters.linear import two_sided
from onnxlet.convert.converters.trees import as_trees_see
from onnxlet.convert.errors import shortened
from onnxlet.convert.graph.converter import Converter, Graph, Outputs, Table, Tensor, Unsupported
from onnxlet.convert.graph.tree_ensemble import Tree, sums, totals
from onnxlet.function.arrays import Array

BINARY = {"CrossEntropy", "Focal", "Logloss"}
SEPARATE = {"MultiClassOneVsAll", "MultiCrossEntropy", "MultiLogloss"}
SEVERAL_LABELS = {"MultiCrossEntropy", "MultiLogloss"}
EXPONENTIAL = {"Poisson", "Tweedie"}

Model = dict[str, Any]


def classifier(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The class with the highest raw score; with two classes, the second above the bound."""
    model = _model(fitted)
    loss = _loss(model)
    if loss not in BINARY | SEPARATE | {"MultiClass"}:
        raise Unsupported(f"its loss function is {loss}", "Fit it with one of the named losses.")
    raw = _raw(graph, model, table)
    above = (raw > _bound(model)).cast("int64")
    if loss in BINARY:
        return {"class_index": above, "predict_proba": two_sided(raw.unary("Sigmoid"))}
    shares = raw.unary("Sigmoid") if loss in SEPARATE else raw.softmax()
    if loss in SEVERAL_LABELS:
        return {"predict": above, "predict_proba": shares}
    return {"class_index": raw.argmax(), "predict_proba": shares}


def regressor(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The raw score, or its exponential."""
    model = _model(fitted)
    loss, raw = _loss(model), _raw(graph, model, table)
    if loss in EXPONENTIAL:
        return {"predict": raw.unary("Exp")}
    if loss == "RMSEWithUncertainty":
        return {"predict": graph.concat([raw.take([0]), (2.0 * raw.take([1])).unary("Exp")])}
    return {"predict": raw}


def ranker(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """CatBoostRanker: the raw score."""
    return {"predict": _raw(graph, _model(fitted), table)}


def _model(fitted: Any) -> Model:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        try:
            fitted.save_model(str(path), format="json")
        except catboost.CatBoostError as error:
            raise Unsupported(
                f"CatBoost can't write it as JSON: {shortened(error)}",
                "Turn text and embeddings into numbers in the pipeline.",
            ) from error
        model: Model = json.loads(path.read_text())
    return model


def _loss(model: Model) -> str:
    return str(model["model_info"]["params"]["loss_function"]["type"])


def _bound(model: Model) -> float:
    """The raw score above which the second class is predicted."""
    share = float(model["model_info"].get("binclass_probability_threshold", 0.5))
    return float(np.log(share / (1.0 - share)))


def _raw(graph: Graph, model: Model, table: Table) -> Tensor:
    """The sum of the trees, scaled, and the bias."""
    scale, bias = model["scale_and_bias"]
    columns = model["features_info"]["float_features"]
    right = np.array([column["nan_value_treatment"] == "AsTrue" for column in columns])
    if "oblivious_trees" in model:
        parts = [_symmetric(tree, right) for tree in model["oblivious_trees"]]
    else:
        parts = [_nested(tree, right, len(bias)) for tree in model["trees"]]
    given = graph.select(table, [column["flat_feature_index"] for column in columns])
    x = as_trees_see(graph, given)
    total = totals(graph, x, parts) if len(bias) > 1 else sums(graph, x.cast("float64"), parts)
    return (total * float(scale) + np.array([bias])).cast(graph.precision)


def _column(split: dict[str, Any]) -> int:
    if split["split_type"] != "FloatFeature":
        raise Unsupported(
            "it splits by categories, of which CatBoost keeps hashes only",
            "Encode the categories in the pipeline, with a OneHotEncoder or a TargetEncoder.",
        )
    return int(split["float_feature_index"])


def _symmetric(tree: dict[str, Any], right: Array) -> Tree:
    """A complete tree; the last split, which gives the highest bit, is its root's."""
    splits = tree["splits"][::-1]
    depth = len(splits)
    level = np.repeat(np.arange(depth), 2 ** np.arange(depth))
    feature = np.array([_column(split) for split in splits], dtype=np.int64)[level]
    border = np.array([split["border"] for split in splits], dtype=np.float64)[level]
    inner, leaves = len(level), 2**depth
    values = np.array(tree["leaf_values"], dtype=np.float64).reshape(leaves, -1)
    first, none = 2 * np.arange(inner) + 1, np.full(leaves, -1)
    return Tree(
        np.concatenate([first, none]),
        np.concatenate([first + 1, none]),
        np.concatenate([feature, none]),
        np.concatenate([border, np.zeros(leaves)]),
        np.concatenate([~right[feature], none]),
        np.concatenate([np.zeros((inner, values.shape[1])), values]),
    )


def _nested(tree: dict[str, Any], right: Array, targets: int) -> Tree:
    """A tree of any form, its nodes in breadth-first order."""
    nodes, ways = [tree], []
    for node in nodes:
        if "split" in node:
            ways.append((len(nodes), len(nodes) + 1))
            nodes += [node["left"], node["right"]]
        else:
            ways.append((-1, -1))
    feature = np.array([_column(n["split"]) if "split" in n else 0 for n in nodes])
    left, other = np.array(ways).T
    values = [np.zeros(targets) if "split" in n else np.reshape(n["value"], -1) for n in nodes]
    return Tree(
        left,
        other,
        feature,
        np.array([n["split"]["border"] if "split" in n else 0.0 for n in nodes]),
        ~right[feature],
        np.array(values, dtype=np.float64),
    )


CONVERTERS: dict[type, Converter] = {
    catboost.CatBoostClassifier: classifier,
    catboost.CatBoostRanker: ranker,
    catboost.CatBoostRegressor: regressor,
}
