"""A fitted CatBoost model: its columns, splits and trees, from the JSON that it writes of itself.

Source: `catboost/libs/model/model_export/json_model_helpers.cpp`. A split's number counts the
borders of all columns of numbers, then the values of all one-hot columns, then the borders of all
counters (`catboost/libs/model/model.cpp`, `TModelTrees::CalcBinFeatures`).
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import catboost
import numpy as np

from onnxlet.convert.converters.libraries.catboost.counter_file import read_counters
from onnxlet.convert.errors import shortened
from onnxlet.convert.graph.converter import Unsupported
from onnxlet.function.arrays import Array

INSTEAD = {
    "text": "Give it the columns of a TfidfVectorizer; or the text as a category.",
    "embedding": "Give it each number of the embedding as a column.",
}


@dataclass(frozen=True)
class Numbers:
    """The columns of numbers.

    Attributes:
        columns: their indices among all columns.
        missing_right: whether a missing value counts as larger than every border.
    """

    columns: list[int]
    missing_right: Array


class ModelFile:
    """A fitted CatBoost model.

    Attributes:
        loss: the loss function's name; '' in a sum of models.
        scale: that the sum of the trees is multiplied with.
        bias: that is then added, a number for each output.
        counters: that its trees split by.
        tables: of counts.
    """

    def __init__(self, fitted: Any) -> None:
        self._json, binary = _read(fitted)
        self.counters, self.tables = read_counters(binary)
        params = self._json["model_info"].get("params", {})
        self.loss = str(params.get("loss_function", {}).get("type", ""))
        scale, bias = self._json["scale_and_bias"]
        self.scale, self.bias = float(scale), np.array([bias], dtype=np.float64)

    def _features(self, kind: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._json["features_info"].get(kind) or []
        return found

    @property
    def probability_bound(self) -> float:
        """The raw score above which the second class is predicted."""
        share = float(self._json["model_info"].get("binclass_probability_threshold", 0.5))
        return float(np.log(share / (1.0 - share)))

    @cached_property
    def numbers(self) -> Numbers:
        """The columns of numbers; a column that had no gap in training treats one as no number."""
        features = self._features("float_features")
        right = [one["nan_value_treatment"] == "AsTrue" and one["has_nans"] for one in features]
        return Numbers([one["flat_feature_index"] for one in features], np.array(right, dtype=bool))

    @cached_property
    def categories(self) -> list[int]:
        """The indices of the columns of categories among all columns."""
        return [one["flat_feature_index"] for one in self._features("categorical_features")]

    @cached_property
    def _owners(self) -> list[tuple[int, int]]:
        """By a counter's split, from the first one on: the counter, and how many borders before."""
        return [(n, at) for n, one in enumerate(self.counters) for at in range(len(one.borders))]

    @cached_property
    def _first_counter_split(self) -> int:
        borders = sum(len(one["borders"]) for one in self._features("float_features"))
        values = sum(len(one.get("values", [])) for one in self._features("categorical_features"))
        return borders + values

    def counter_of(self, split: dict[str, Any]) -> tuple[int, int]:
        """The index of the counter that a split compares, and that of its border."""
        index: int = split["split_index"]
        return self._owners[index - self._first_counter_split]

    @property
    def symmetric(self) -> list[dict[str, Any]]:
        """Its symmetric trees."""
        return list(self._json.get("oblivious_trees") or [])

    @property
    def nested(self) -> list[dict[str, Any]]:
        """Its trees of other forms."""
        return list(self._json.get("trees") or [])

    def splits(self) -> Iterator[dict[str, Any]]:
        """All splits of all trees."""
        for tree in self.symmetric:
            yield from tree["splits"] or []
        for tree in self.nested:
            yield from (node["split"] for node in nodes_of(tree)[0] if "split" in node)


def nodes_of(tree: dict[str, Any]) -> tuple[list[dict[str, Any]], list[tuple[int, int]]]:
    """A nested tree's nodes, breadth first, and each one's children, -1 at a leaf."""
    nodes, ways = [tree], []
    for node in nodes:
        if "split" in node:
            ways.append((len(nodes), len(nodes) + 1))
            nodes += [node["left"], node["right"]]
        else:
            ways.append((-1, -1))
    return nodes, ways


def _read(fitted: Any) -> tuple[dict[str, Any], bytes]:
    """The model as JSON, and as a binary file."""
    with tempfile.TemporaryDirectory() as folder:
        as_json, binary = Path(folder) / "model.json", Path(folder) / "model.cbm"
        try:
            fitted.save_model(str(as_json), format="json")
        except catboost.CatBoostError as error:
            raise _unwritten(error) from error
        fitted.save_model(str(binary))
        return json.loads(as_json.read_text()), binary.read_bytes()


def _unwritten(error: Exception) -> Unsupported:
    """Why CatBoost can't write it as JSON."""
    for kind, instead in INSTEAD.items():
        if f"{kind} features" in str(error):
            return Unsupported(f"it has {kind} features, made by CatBoost's own steps", instead)
    return Unsupported(f"CatBoost can't write it as JSON: {shortened(error)}")
