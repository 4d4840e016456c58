"""A fitted LightGBM model, from the text that it writes of itself: LightGBM need not be installed.

A node sends x left where x <= threshold, both float64, or where the whole part of x is one of its
categories; each node says what counts as missing. Sources: `include/LightGBM/tree.h`
(NumericalDecision, CategoricalDecision), `src/objective/*.hpp` (ConvertOutput),
`python-package/lightgbm/basic.py` (`_data_from_pandas`). Upstream: onnxmltools writes thresholds
and sums in float32, and knows no categories of pandas.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from onnxlet.convert.graph.categories import encoded_columns
from onnxlet.convert.graph.converter import Graph, Table, Tensor, Unsupported
from onnxlet.convert.graph.tree_ensemble import LEQ, MEMBER, Tree, members, sums
from onnxlet.function.arrays import Array

ZERO = float(np.float32(1e-35))  # kZeroThreshold: magnitudes up to this are zero
IDENTITY = {
    "fair", "huber", "lambdarank", "mape", "none", "custom", "quantile", "rank_xendcg",
    "regression", "regression_l1",
}  # fmt: skip
EXPONENTIAL = {"gamma", "poisson", "tweedie"}
NOT_MISSING, ZERO_IS_MISSING, NAN_IS_MISSING = 0, 1, 2


@dataclass(frozen=True)
class BoosterText:
    """What `Booster.model_to_string` contains."""

    header: dict[str, str]  # by name; a line without a value has ''
    trees: list[dict[str, list[str]]]  # of each tree by name the values of its lines


def read(text: str) -> BoosterText:
    """The model in a text. Raises Unsupported where its leaves are linear models."""
    head, *blocks = text.split("\nTree=")
    header = {name: value for name, _, value in (line.partition("=") for line in head.split("\n"))}
    trees = []
    for block in blocks:
        lines = (line.partition("=") for line in block.split("\n\n")[0].split("\n"))
        trees.append({name: value.split() for name, _, value in lines})
    if any(tree.get("is_linear") == ["1"] for tree in trees):
        raise Unsupported("its leaves are linear models", "Fit it with linear_tree=False.")
    return BoosterText(header, trees)


def raw_scores(
    graph: Graph, model: BoosterText, table: Table, categories: Sequence[Any] = ()
) -> Tensor:
    """The sum of the trees for each class; `categories` are those of pandas' columns of such."""
    targets = int(model.header["num_tree_per_iteration"])
    parts = [_tree(tree, index % targets) for index, tree in enumerate(model.trees)]
    x = _as_trees_see(graph, model, table, parts, categories)
    return sums(graph, x, parts, targets).cast(graph.precision)


def converted(model: BoosterText, raw: Tensor) -> Tensor:
    """The raw score after the objective's function (ConvertOutput)."""
    name, *settings = model.header.get("objective", "none").split()
    known = dict(setting.partition(":")[::2] for setting in settings)
    if "average_output" in model.header:
        raw = raw / (len(model.trees) / raw.width)
    if name in IDENTITY:
        return raw.unary("Sign") * raw * raw if "sqrt" in known else raw
    if name in EXPONENTIAL:
        return raw.unary("Exp")
    if name == "multiclass":
        return raw.softmax()
    if name in ("binary", "multiclassova", "cross_entropy"):
        return (raw * float(known.get("sigmoid", 1.0))).unary("Sigmoid")
    if name == "cross_entropy_lambda":
        return (raw.unary("Exp") + 1.0).unary("Log")
    raise Unsupported(f"its objective {name} has no conversion")


def borders(model: BoosterText) -> Iterator[tuple[int, float]]:
    """The thresholds that numbers are compared with, each behind the index of its column."""
    names = ("split_feature", "threshold", "decision_type")
    for tree in model.trees:
        for feature, border, kind in zip(*(tree.get(name, []) for name in names), strict=True):
            if not int(kind) & 1:  # no set of categories
                yield int(feature), float(border)


def _tree(lines: dict[str, list[str]], target: int) -> Tree:
    """A tree; LightGBM numbers leaves -1, -2, …, here they follow the inner nodes."""
    values = np.array(lines["leaf_value"], dtype=np.float64)
    inner = len(values) - 1
    kinds = _whole(lines.get("decision_type", []))
    left, right = (_whole(lines.get(f"{side}_child", [])) for side in ("left", "right"))
    threshold = np.array(lines.get("threshold", []), dtype=np.float64)
    categorical = (kinds & 1) > 0
    # A node without a missing type compares NaN as 0.
    missing_left = np.where((kinds >> 2) == NOT_MISSING, threshold >= 0.0, (kinds & 2) > 0)
    leaf = np.full(inner + 1, -1)
    return Tree(
        np.concatenate([np.where(left < 0, inner - 1 - left, left), leaf]),
        np.concatenate([np.where(right < 0, inner - 1 - right, right), leaf]),
        np.concatenate([_whole(lines.get("split_feature", [])), leaf]),
        np.concatenate([_around_zero(threshold), np.zeros(inner + 1)]),
        np.concatenate([missing_left & ~categorical, leaf]),
        np.concatenate([np.zeros(inner), values])[:, None],
        np.concatenate([np.where(categorical, MEMBER, LEQ), leaf * 0]),
        target,
        _members(lines, threshold[categorical].astype(int)),
    )


def _around_zero(threshold: Array) -> Array:
    """Thresholds that split as LightGBM does, which takes numbers up to ZERO for 0."""
    below = np.where((threshold >= -ZERO) & (threshold < 0.0), np.nextafter(-ZERO, -1.0), threshold)
    return np.where((below >= 0.0) & (below < ZERO), ZERO, below)


def _whole(words: list[str]) -> Array:
    return np.array(words, dtype=np.int64)


def _members(lines: dict[str, list[str]], sets: Array) -> list[float]:
    """The categories of each set, stored as bits of 32-bit words."""
    bounds, words = (_whole(lines.get(name, [])) for name in ("cat_boundaries", "cat_threshold"))
    return members(words[bounds[index] : bounds[index + 1]] for index in sets.tolist())


def _as_trees_see(
    graph: Graph, model: BoosterText, table: Table, parts: list[Tree], categories: Sequence[Any]
) -> Tensor:
    """Columns as the nodes compare them, float64.

    Categories become codes or, as numbers, whole parts; zeros that count as missing become NaN.
    """
    x = _encoded(graph, model, table, categories).cast("float64")
    features = np.concatenate([part.feature[part.left >= 0] for part in parts])
    modes = np.concatenate([part.mode[part.left >= 0] for part in parts])
    zeros = np.zeros((1, x.width), dtype=bool)
    zeros[0, _where_zero_is_missing(model)] = True
    if zeros.any():
        is_zero = graph.constant(zeros, "bool") & (x.unary("Abs") <= ZERO)
        x = is_zero.where(np.nan, x)
    whole = np.zeros((1, x.width), dtype=bool)
    whole[0, features[modes == MEMBER]] = True
    if whole.any():
        cut = x.unary("Sign") * x.unary("Abs").unary("Floor")
        x = graph.constant(whole, "bool").where(cut, x)
    return x


def _where_zero_is_missing(model: BoosterText) -> list[int]:
    """The columns in which a zero counts as missing."""
    kinds: dict[int, set[int]] = {}
    for tree in model.trees:
        types, features = (_whole(tree.get(n, [])) for n in ("decision_type", "split_feature"))
        for feature, kind in zip(features.tolist(), types.tolist(), strict=True):
            if not kind & 1:
                kinds.setdefault(feature, set()).add(kind >> 2)
    mixed = [index for index, found in kinds.items() if len(found) > 1]
    if any(ZERO_IS_MISSING in kinds[index] for index in mixed):
        raise Unsupported(f"zero is missing in some nodes of column {mixed[0]}, not in others")
    return [index for index, found in kinds.items() if found == {ZERO_IS_MISSING}]


def _encoded(graph: Graph, model: BoosterText, table: Table, categories: Sequence[Any]) -> Tensor:
    """All columns; those of pandas' categories as indices among the categories of training."""
    if not categories:
        return graph.matrix(table)
    chosen = _columns_of_categories(model, table, len(categories))
    known = dict(zip(chosen, categories, strict=True))
    return encoded_columns(graph, table, known, graph.precision)


def _columns_of_categories(model: BoosterText, table: Table, count: int) -> list[int]:
    """Indices of the columns that had a category dtype, of which LightGBM stores only how many."""
    kinds = [tensor.dtype for tensor in table.tensors for _ in range(tensor.width)]
    texts = {index for index, kind in enumerate(kinds) if kind == "string"}
    spans = model.header["feature_infos"].split()
    split = {index for index, span in enumerate(spans) if ":" in span and span[0] != "["}
    for chosen in (texts, texts | split):
        if len(chosen) == count:
            return sorted(chosen)
    raise Unsupported(
        f"{count} columns were categories in training, and it does not say which",
        "Let the categories be text, not numbers.",
    )
