"""Counters (CTRs) and their tables, from CatBoost's own binary file.

The JSON export lacks which target, and which cut of it, a table counts. Sources:
`catboost/libs/model/flatbuffers/*.fbs`, `model.cpp` (`TFullModel::Save`), `ctr_value_table.h`,
`catboost/libs/helpers/dense_hash_view.h`.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import unpack_from

import numpy as np

from onnxlet.convert.converters.libraries.catboost.flat_buffer import FlatTable
from onnxlet.convert.graph.converter import Unsupported
from onnxlet.function.arrays import Array

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
    """What a combination is made of: a category, or whether a split holds.

    Attributes:
        kind: "category", "value" (the category has this hash) or "border" (a number is above it).
        column: among the columns of categories, or of numbers.
        bound: the hash or the border; 0 for a category.
    """

    kind: str
    column: int
    bound: float = 0


@dataclass(frozen=True)
class Counted:
    """What is counted: a combination, in one of TYPES, of one cut of one target."""

    elements: tuple[Element, ...]
    type: str
    target: int


@dataclass(frozen=True)
class Counter:
    """A number that is made of counts.

    Attributes:
        counted: what is counted.
        border: the index of the target's border.
        prior: what is added above and below, float32.
        shift, scale: of the quotient, float32.
        borders: that trees compare it with, float32, in ascending order.
    """

    counted: Counted
    border: int
    prior: tuple[float, float]
    shift: float
    scale: float
    borders: Array


@dataclass(frozen=True)
class Counts:
    """A table of counts.

    Attributes:
        hashes: of the known combinations, uint64, of shape (known,).
        counts: what was counted of each, of shape (known, classes) or (known,); or MEAN.
        denominator: of FREQUENCIES.
    """

    hashes: Array
    counts: Array
    denominator: int


def read_counters(data: bytes) -> tuple[list[Counter], dict[Counted, Counts]]:
    """The counters that trees use, in their order, and all tables.

    Args:
        data: a file in CatBoost's binary format.

    Raises:
        Unsupported: a counter has no table.
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


def _counted(table: FlatTable) -> Counted:
    combination = table.table(0)
    elements = [Element("category", int(n)) for n in combination.vector(0, "<i4")]
    for field, kind, split in ((1, "border", SPLIT_OF_NUMBER), (2, "value", SPLIT_OF_CATEGORY)):
        parts = combination.vector(field, split)
        elements += [Element(kind, int(p["column"]), p["bound"].item()) for p in parts]
    return Counted(tuple(elements), TYPES[table.number(1, "b")], table.number(2, "i"))


def _tables(data: bytes, at: int) -> dict[Counted, Counts]:
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
