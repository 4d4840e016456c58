"""A fitted XGBoost model over trees, from the JSON that it writes of itself.

XGBoost need not be installed. A node sends x left where x < threshold, both float32, or where x is
none of its categories; a missing value goes its own way; leaves are added up in float32. Sources:
`src/predictor/cpu_predictor.cc`, `src/common/categorical.h` (Decision), `src/objective/*`
(ProbToMargin, PredTransform), `python-package/xgboost/sklearn.py`. Upstream: onnxmltools knows
neither categories nor DART, nor a value that stands for missing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from onnxlet.convert.graph.categories import encoded_columns
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Tensor, Unsupported
from onnxlet.convert.graph.responses import two_sided
from onnxlet.convert.graph.tree_ensemble import LESS, MEMBER, Tree, constant, sums
from onnxlet.function.arrays import Array

IDENTITY = {
    "binary:logitraw", "multi:softmax", "multi:softprob", "rank:map", "rank:ndcg", "rank:pairwise",
    "reg:absoluteerror", "reg:pseudohubererror", "reg:quantileerror", "reg:squarederror",
    "reg:squaredlogerror",
}  # fmt: skip
LOGISTIC = {"binary:logistic", "reg:logistic"}
EXPONENTIAL = {"count:poisson", "reg:gamma", "reg:tweedie", "survival:cox"}
STEP = "binary:hinge"
HINT_CATEGORIES = "Encode the categories in the pipeline, with an OrdinalEncoder for one."


@dataclass(frozen=True)
class BoosterFile:
    """What `Booster.save_raw` contains."""

    objective: str  # XGBoost's name for it
    trees: list[dict[str, Any]]  # up to the best iteration, the node attributes of each
    targets: Array  # the index of the target that each tree adds to
    weights: Array  # DART's factor of each tree, else ones
    base: Array  # the raw score of each target before any tree, float32
    categories: list[dict[str, Any]]  # as stored: text with the offsets of each, or numbers
    categorical: Array  # whether each column is one of categories


def read(content: bytes | str) -> BoosterFile:
    """The model in the JSON that `Booster.save_raw("json")` has made.

    Raises Unsupported where it is over no trees, or of an objective that is not known.
    """
    learner = json.loads(content)["learner"]
    objective = learner["objective"]["name"]
    if objective not in {*IDENTITY, *LOGISTIC, *EXPONENTIAL, STEP}:
        raise Unsupported(f"its objective is {objective}", "Fit it with another objective.")
    booster = learner["gradient_booster"]
    weights = booster.get("weight_drop")
    booster = booster.get("gbtree", booster)
    if "trees" not in booster["model"]:
        raise Unsupported("its booster is no ensemble of trees", "Fit it with booster='gbtree'.")
    model = booster["model"]
    # Where training stopped early, there is a best iteration, and none after it counts.
    ends = model["iteration_indptr"]
    count = ends[int(learner.get("attributes", {}).get("best_iteration", len(ends) - 2)) + 1]
    trees = model["trees"][:count]
    columns = int(learner["learner_model_param"]["num_feature"])
    kinds = learner["feature_types"] or [""] * columns
    return BoosterFile(
        objective,
        trees,
        np.array(model["tree_info"][:count], dtype=np.int64),
        np.array(weights or np.ones(count), dtype=np.float32)[:count],
        _base(objective, learner["learner_model_param"]),
        model.get("cats", {}).get("enc", []) or [{}] * columns,
        np.array([kind == "c" for kind in kinds]),
    )


def classes(graph: Graph, model: BoosterFile, raw: Tensor) -> Outputs:
    """The class with a probability above a half, or of several classes the largest."""
    if model.objective in EXPONENTIAL:
        raise Unsupported(f"its objective is {model.objective}", "Fit it with a class objective.")
    if model.objective.startswith("multi:"):
        shares = raw.softmax()
        return {"class_index": shares.argmax(), "predict_proba": shares.cast(graph.precision)}
    share = converted(model, raw)
    above = (share > 0.5).cast("int64")
    if raw.width > 1:
        return {"predict": above, "predict_proba": share.cast(graph.precision)}
    return {"class_index": above, "predict_proba": two_sided(share).cast(graph.precision)}


def converted(model: BoosterFile, raw: Tensor) -> Tensor:
    """The raw score after the objective's function, in float32 as XGBoost computes it."""
    if model.objective in LOGISTIC:  # ONNX Runtime only approximates Sigmoid in float32
        return raw.cast("float64").unary("Sigmoid").cast("float32")
    if model.objective in EXPONENTIAL:
        return raw.unary("Exp")
    return (raw > 0.0).cast("float32") if model.objective == STEP else raw


def _base(objective: str, settings: dict[str, str]) -> Array:
    """The raw score before any tree; XGBoost stores what the objective makes of it."""
    score = np.array(json.loads(settings["base_score"]), dtype=np.float32).reshape(-1)
    one = np.float32(1.0)
    if objective in LOGISTIC:
        score = -np.log(one / score - one)
    if objective in EXPONENTIAL:
        score = np.log(score)
    targets = max(int(settings["num_class"]), int(settings["num_target"]), 1)
    return np.broadcast_to(score, targets)


def raw_scores(
    graph: Graph, model: BoosterFile, table: Table, missing: float = np.nan, sparse: bool = False
) -> Tensor:
    """The sum of the trees for each target, in float32.

    What equals `missing` is missing; of a sparse matrix each zero is.
    """
    parts = [constant(value, target) for target, value in enumerate(model.base.tolist())]
    for tree, target, weight in zip(model.trees, model.targets, model.weights, strict=True):
        parts += [_tree(one, to, weight) for one, to in _by_target(tree, int(target))]
    x = _encoded(graph, model, table)
    if not np.isnan(missing):
        x = x.equals(np.float32(missing)).where(np.nan, x)
    if sparse:  # no zeros, but numbers that float32 rounds to zero
        x = graph.matrix(table).equals(0.0).where(np.nan, x)
    numbers = [bool(c and not known) for c, known in _columns(model)]
    if any(numbers):
        whole = x.unary("Sign") * x.unary("Abs").unary("Floor")
        x = graph.constant([numbers], "bool").where(whole, x)
    return sums(graph, x, parts, len(model.base))


def _by_target(tree: dict[str, Any], target: int) -> Iterator[tuple[dict[str, Any], int]]:
    """A tree whose leaves are vectors as one for each target; any other as it is.

    Such a tree has the number of a leaf in place of its right child.
    """
    width = int(tree["tree_param"]["size_leaf_vector"])
    if width < 2:
        yield tree, target
        return
    if "leaf_weights" not in tree:  # before XGBoost 3.2
        raise Unsupported("its leaves are vectors", "Use multi_strategy='one_output_per_tree'.")
    is_leaf = np.array(tree["left_children"]) < 0
    right = np.array(tree["right_children"])
    vectors = np.array(tree["leaf_weights"], dtype=np.float32).reshape(-1, width)
    splits = np.array(tree["split_conditions"], dtype=np.float32)
    for index in range(width):
        values = np.where(is_leaf, vectors[np.where(is_leaf, right, 0), index], splits)
        children = np.where(is_leaf, -1, right)
        yield {**tree, "right_children": children, "split_conditions": values}, index


def _tree(tree: dict[str, Any], target: int, weight: Any) -> Tree:
    """Nodes of categories are mirrored: in XGBoost, rows of these categories go right."""
    names = ("left_children", "right_children", "split_indices", "default_left", "split_type")
    left, right, feature, default, kind = (np.array(tree[n], dtype=np.int64) for n in names)
    # In the leaves, the thresholds are the values.
    threshold = np.array(tree["split_conditions"], dtype=np.float32)
    member = (kind == 1) & (left >= 0)
    return Tree(
        np.where(member, right, left),
        np.where(member, left, right),
        feature,
        np.where(member, np.float32(0), threshold),
        np.where(member, 1 - default, default),
        (threshold * weight)[:, None],
        np.where(member, MEMBER, LESS),
        target,
        _members(tree),
    )


def _members(tree: dict[str, Any]) -> list[float]:
    """The categories of each node that has some, ended by a NaN."""
    order = np.argsort(tree["categories_nodes"]).tolist()
    members: list[float] = []
    for index in order:
        start = tree["categories_segments"][index]
        members += tree["categories"][start : start + tree["categories_sizes"][index]]
        members.append(np.nan)
    return members


def _columns(model: BoosterFile) -> list[tuple[bool, list[Any]]]:
    """For each column, whether it is one of categories, and these where they are stored."""
    return [
        (bool(categorical), _decoded(stored))
        for categorical, stored in zip(model.categorical, model.categories, strict=True)
    ]


def _decoded(stored: dict[str, Any]) -> list[Any]:
    values: list[Any] = stored.get("values", [])
    if "offsets" not in stored:
        return values
    if any(value < 0 for value in values):
        raise Unsupported("XGBoost cuts categories that are no ASCII text", HINT_CATEGORIES)
    text, ends = bytes(values).decode("ascii"), stored["offsets"]
    return [text[a:b] for a, b in pairwise(ends)]


def _encoded(graph: Graph, model: BoosterFile, table: Table) -> Tensor:
    """All columns in float32, categories as their indices in training."""
    known = {index: values for index, (_, values) in enumerate(_columns(model)) if values}
    if not known:
        if any(tensor.dtype == "string" for tensor in table.tensors):
            raise Unsupported("it does not say which categories it was fitted on", HINT_CATEGORIES)
        return graph.matrix(table, "float32")
    return encoded_columns(graph, table, known, "float32")
