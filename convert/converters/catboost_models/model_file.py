"""What CatBoost's own JSON export says of a model: its columns, splits, counters and trees.

Source: `catboost/libs/model/model_export/json_model_helpers.cpp`. A split's number counts the
borders of all columns of numbers, then the values of all one-hot columns, then the borders of all
counters (`catboost/libs/model/model.cpp`, `TModelTrees::CalcBinFeatures`).
"""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import catboost
import numpy as np

from onnxlet.convert.errors import shortened
from onnxlet.convert.graph.converter import Unsupported
from onnxlet.function.arrays import Array

ABOUT_COUNTERS = ("simple_ctrs", "combinations_ctrs", "per_feature_ctrs")


@dataclass(frozen=True)
class Numbers:
    """The columns of numbers.

    Attributes:
        columns: their indices among all columns.
        missing_right: whether a missing value counts as larger than every border.
    """

    columns: list[int]
    missing_right: Array


@dataclass(frozen=True)
class Element:
    """What a counter counts: a category, or whether a split holds.

    Attributes:
        column: among the columns of categories, or of numbers.
        kind: "category", "value" (the category has this hash) or "border" (a number is above it).
        bound: the hash or the border; 0 for a category.
    """

    kind: str
    column: int
    bound: float = 0


@dataclass(frozen=True)
class Counter:
    """A number that CatBoost looks up by a combination of categories.

    Attributes:
        elements: the combination.
        type: Borders, Buckets, BinarizedTargetMeanValue, FloatTargetMeanValue, Counter or
            FeatureFreq.
        table: the key of its counts in the model file.
        borders: float32, in ascending order.
        settings: prior, shift, scale, the target's border.
    """

    elements: tuple[Element, ...]
    type: str
    table: str
    borders: Array
    settings: dict[str, Any]


class ModelFile:
    """A fitted CatBoost model, read from the JSON that it writes of itself.

    Attributes:
        loss: the loss function's name.
        scale: that the sum of the trees is multiplied with.
        bias: that is then added, a number for each output.
    """

    def __init__(self, fitted: Any) -> None:
        self._json = _read(fitted)
        self.loss = str(self._params["loss_function"]["type"])
        scale, bias = self._json["scale_and_bias"]
        self.scale, self.bias = float(scale), np.array([bias], dtype=np.float64)

    @property
    def _params(self) -> dict[str, Any]:
        params: dict[str, Any] = self._json["model_info"]["params"]
        return params

    def _features(self, kind: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._json["features_info"].get(kind) or []
        return found

    @property
    def loss_settings(self) -> dict[str, str]:
        """The loss function's parameters."""
        return dict(self._params["loss_function"].get("params") or {})

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
    def counters(self) -> list[Counter]:
        """The counters that its trees split by.

        Raises:
            Unsupported: the export holds one of several tables only.
        """
        if self._features("ctrs"):
            _check_targets(self._params.get("cat_feature_params", {}))
        return [
            Counter(
                tuple(map(_element, one["elements"])),
                one["ctr_type"],
                one["identifier"],
                np.array(one["borders"], dtype=np.float32),
                one,
            )
            for one in self._features("ctrs")
        ]

    def table(self, counter: Counter) -> tuple[Array, Array, int]:
        """The counts of a counter.

        Returns:
            The hashes, uint64, of shape (known,); the counts, float64, of shape (known, numbers);
            the denominator of counters that have one.

        Raises:
            Unsupported: the model was fitted without its tables.
        """
        found = self._json.get("ctr_data", {}).get(counter.table)
        if found is None:
            raise Unsupported(
                "it was fitted without the counts of its categories",
                "Leave final_ctr_computation_mode at 'Default'.",
            )
        cells = np.array(found["hash_map"], dtype=object).reshape(-1, found["hash_stride"])
        hashes = np.array([int(text) for text in cells[:, 0]], dtype=np.uint64)
        used = hashes != np.uint64(2**64 - 1)  # others are empty buckets
        counts = cells[used, 1:].astype(np.float64)
        return hashes[used], counts, int(found["counter_denominator"])

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
        return self._owners[split["split_index"] - self._first_counter_split]

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
            yield from tree["splits"]
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


def _read(fitted: Any) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        try:
            fitted.save_model(str(path), format="json")
        except catboost.CatBoostError as error:
            raise Unsupported(
                f"CatBoost can't write it as JSON: {shortened(error)}",
                "Turn text and embeddings into numbers in the pipeline.",
            ) from error
        model: dict[str, Any] = json.loads(path.read_text())
    return model


def _element(described: dict[str, Any]) -> Element:
    kind = described["combination_element"]
    if kind == "cat_feature_value":
        return Element("category", described["cat_feature_index"])
    if kind == "cat_feature_exact_value":
        return Element("value", described["cat_feature_index"], described["value"])
    return Element("border", described["float_feature_index"], described["border"])


def _check_targets(settings: dict[str, Any]) -> None:
    """The export knows a table by columns and type: counters must not differ in the target alone.

    Raises:
        Unsupported: two do.
    """
    seen: dict[str, set[str]] = defaultdict(set)
    for kind in ABOUT_COUNTERS:
        for described in _flat(settings.get(kind) or []):
            target = json.dumps(described.get("target_binarization"), sort_keys=True)
            seen[described["ctr_type"]].add(target)
    for name, targets in seen.items():
        if len(targets) > 1:
            raise Unsupported(
                f"its counters of type {name} cut the target in several ways, of which CatBoost "
                "writes only one",
                "Give all counters of one type the same TargetBorderCount and TargetBorderType.",
            )


def _flat(described: Any) -> Sequence[dict[str, Any]]:
    """Descriptions of counters, those of single columns included."""
    if isinstance(described, dict):
        if "ctr_type" in described:
            return [described]
        described = list(described.values())
    return [one for part in described for one in _flat(part)]
