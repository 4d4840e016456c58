"""A fitted CatBoost model, from the two files that it writes of itself.

Its counters (CTRs) and their tables come from its own binary file: the JSON export lacks which
target, and which cut of it, a table counts. Sources: `catboost/libs/model/flatbuffers/*.fbs`,
`model.cpp` (`TFullModel::Save`), `ctr_value_table.h`, `catboost/libs/helpers/dense_hash_view.h`.

Its columns, splits and trees come from the JSON:
`catboost/libs/model/model_export/json_model_helpers.cpp`. A split's number counts the borders of
all columns of numbers, then the values of all one-hot columns, then the borders of all counters
(`catboost/libs/model/model.cpp`, `TModelTrees::CalcBinFeatures`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from struct import unpack_from
from typing import Any

import numpy as np

from onnxlet.convert.graph.converter import Unsupported
from onnxlet.function.arrays import Array


class FlatTable:
    """A table; its fields are asked for by their number in the schema."""

    def __init__(self, data: bytes, start: int) -> None:
        self._data, self._start = data, start
        self._fields = start - int(unpack_from("<i", data, start)[0])
        self._count = int(unpack_from("<H", data, self._fields)[0]) // 2 - 2

    @classmethod
    def root(cls, data: bytes, start: int = 0) -> FlatTable:
        """The table that a buffer is."""
        return cls(data, start + int(unpack_from("<I", data, start)[0]))

    def number(self, field: int, kind: str, default: float = 0) -> Any:
        """A number; `kind` is a letter of `struct`."""
        at = self._at(field)
        return default if at is None else unpack_from(f"<{kind}", self._data, at)[0]

    def table(self, field: int) -> FlatTable:
        """A table, which is there."""
        at = self._referred(field)
        if at is None:
            raise ValueError(f"field {field}: expected a table, got nothing")
        return FlatTable(self._data, at)

    def tables(self, field: int) -> list[FlatTable]:
        """A vector of tables."""
        offsets = self.vector(field, "<u4")
        first = (self._referred(field) or 0) + 4
        return [FlatTable(self._data, first + 4 * n + int(p)) for n, p in enumerate(offsets)]

    def vector(self, field: int, dtype: Any) -> Array:
        """A vector of numbers, or of pairs of them."""
        at = self._referred(field)
        if at is None:
            return np.empty(0, dtype)
        size = int(unpack_from("<I", self._data, at)[0])
        return np.frombuffer(self._data, dtype, size, at + 4)

    def _at(self, field: int) -> int | None:
        if field >= self._count:
            return None
        offset = int(unpack_from("<H", self._data, self._fields + 4 + 2 * field)[0])
        return self._start + offset if offset else None

    def _referred(self, field: int) -> int | None:
        at = self._at(field)
        return None if at is None else at + int(unpack_from("<I", self._data, at)[0])


TYPES = (
    "Borders", "Buckets", "BinarizedTargetMeanValue", "FloatTargetMeanValue", "Counter",
    "FeatureFreq",
)  # fmt: skip
MEANS = TYPES[2:4]
FREQUENCIES = TYPES[4:6]
EMPTY = np.uint64(2**64 - 1)  # the hash of a bucket that holds nothing
BUCKET = np.dtype([("hash", "<u8"), ("index", "<u4")])
MEAN = np.dtype([("sum", "<f4"), ("count", "<i4")])
SPLIT_OF_NUMBER = np.dtype([("column", "<i4"), ("bound", "<f4")])
SPLIT_OF_CATEGORY = np.dtype([("column", "<i4"), ("bound", "<i4")])
# Fields, by their number in the schema.
TREES, COUNTERS = 1, 7
TOO_LONG = 0xFFFFFFFF  # instead of a size: the size follows in 64 bits


@dataclass(frozen=True)
class Element:
    """What a combination is made of: a category, or whether a split holds."""

    # "category", "value" (the category has this hash) or "border" (a number is above it).
    kind: str
    column: int  # among the columns of categories, or of numbers
    bound: float = 0  # the hash or the border; 0 for a category


@dataclass(frozen=True)
class CounterKey:
    """What is counted: a combination, in one of TYPES, of one cut of one target."""

    elements: tuple[Element, ...]
    type: str
    target: int


@dataclass(frozen=True)
class Counter:
    """A number that is made of counts."""

    counted: CounterKey  # what is counted
    border: int  # the index of the target's border
    prior: tuple[float, float]  # what is added above and below, float32
    shift: float  # of the quotient, float32
    scale: float
    borders: Array  # that trees compare it with, float32, in ascending order


@dataclass(frozen=True)
class Counts:
    """A table of counts."""

    hashes: Array  # of the known combinations, uint64, of shape (known,)
    counts: Array  # what was counted of each, of shape (known, classes) or (known,); or MEAN
    denominator: int  # of FREQUENCIES


def read_counters(data: bytes) -> tuple[list[Counter], dict[CounterKey, Counts]]:
    """The counters that trees use, in their order, and all tables.

    The data are a file in CatBoost's binary format. Unsupported: a counter has no table.
    """
    size = unpack_from("<I", data, 4)[0]
    trees = FlatTable.root(data[8 : 8 + size]).table(TREES)
    counters = [_counter(table) for table in trees.tables(COUNTERS)]
    tables = _tables(data, 8 + size) if len(data) > 8 + size else {}
    if any(counter.counted not in tables for counter in counters):
        raise Unsupported(
            "it was fitted without the counts of its categories",
            "Leave final_ctr_computation_mode at 'Default'.",
        )
    return counters, tables


def _counter(table: FlatTable) -> Counter:
    one = table.table(0)
    return Counter(
        _counted(one.table(0)),
        one.number(1, "i"),
        (one.number(2, "f"), one.number(3, "f", 1)),
        one.number(4, "f"),
        one.number(5, "f", 1),
        table.vector(1, "<f4"),
    )


def _counted(table: FlatTable) -> CounterKey:
    combination = table.table(0)
    elements = [Element("category", int(n)) for n in combination.vector(0, "<i4")]
    for field, kind, split in ((1, "border", SPLIT_OF_NUMBER), (2, "value", SPLIT_OF_CATEGORY)):
        parts = combination.vector(field, split)
        elements += [Element(kind, int(p["column"]), p["bound"].item()) for p in parts]
    return CounterKey(tuple(elements), TYPES[table.number(1, "b")], table.number(2, "i"))


def _tables(data: bytes, at: int) -> dict[CounterKey, Counts]:
    found = {}
    count, at = _size(data, at)
    for _ in range(count):
        size, at = _size(data, at)
        table = FlatTable.root(data[at : at + size])
        found[_counted(table.table(0))] = _counts(table)
        at += size
    return found


def _size(data: bytes, at: int) -> tuple[int, int]:
    """A size that is stored here, and where the next item begins."""
    size = int(unpack_from("<I", data, at)[0])
    return (
        (size, at + 4) if size != TOO_LONG else (int(unpack_from("<Q", data, at + 4)[0]), at + 12)
    )


def _counts(table: FlatTable) -> Counts:
    buckets = table.vector(1, "u1").view(BUCKET)
    known = buckets[buckets["hash"] != EMPTY]
    blob = table.vector(2, "u1")
    if TYPES[table.table(0).number(1, "b")] in MEANS:
        counts = blob.view(MEAN)
    else:
        counts = blob.view("<i4").reshape(-1, max(1, table.number(4, "i")))
    return Counts(known["hash"], counts[known["index"]], table.number(3, "i"))


@dataclass(frozen=True)
class Numbers:
    """The columns of numbers."""

    columns: list[int]  # their indices among all columns
    missing_right: Array  # whether a missing value counts as larger than every border


class ModelFile:
    """A fitted CatBoost model.

    Attributes:
        loss: the loss function's name; '' in a sum of models.
        scale: that the sum of the trees is multiplied with.
        bias: that is then added, a number for each output.
        symmetric, nested: its symmetric trees, and those of other forms.
        categories: the indices of the columns of categories among all columns.
        counters: that its trees split by.
        tables: of counts.
    """

    def __init__(self, as_json: str | bytes, binary: bytes) -> None:
        """Its two files: what `save_model` writes as "json" and as "cbm"."""
        self._json = json.loads(as_json)
        self.counters, self.tables = read_counters(binary)
        params = self._json["model_info"].get("params", {})
        self.loss = str(params.get("loss_function", {}).get("type", ""))
        scale, bias = self._json["scale_and_bias"]
        self.scale, self.bias = float(scale), np.array([bias], dtype=np.float64)
        self.symmetric: list[dict[str, Any]] = self._json.get("oblivious_trees") or []
        self.nested: list[dict[str, Any]] = self._json.get("trees") or []
        categories = self._features("categorical_features")
        self.categories: list[int] = [one["flat_feature_index"] for one in categories]

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
    def _owners(self) -> list[tuple[int, int]]:
        """By the number of a split by a counter: which one, and how many borders come before."""
        borders = sum(len(one["borders"]) for one in self._features("float_features"))
        values = sum(len(one.get("values", [])) for one in self._features("categorical_features"))
        pairs = [(n, at) for n, one in enumerate(self.counters) for at in range(len(one.borders))]
        return [(0, 0)] * (borders + values) + pairs

    def counter_of(self, split: dict[str, Any]) -> tuple[int, int]:
        """The index of the counter that a split compares, and that of its border."""
        index: int = split["split_index"]
        return self._owners[index]

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
