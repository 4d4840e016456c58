"""What CatBoost's trees compare: numbers, whether a category is a known one, and counters."""

from __future__ import annotations

from typing import Any

import numpy as np

from onnxlet.convert.converters.libraries.catboost.categories import hashes
from onnxlet.convert.converters.libraries.catboost.counters import bins
from onnxlet.convert.converters.libraries.catboost.model_file import ModelFile
from onnxlet.convert.converters.trees.forests import as_trees_see
from onnxlet.convert.graph.converter import Graph, Table, Tensor


class Features:
    """The columns that the trees compare: all numbers, then one-hot columns, then counters.

    Attributes:
        missing_right: whether a missing value goes right, for each column.
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
