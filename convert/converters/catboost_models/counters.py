"""CatBoost's counters (CTRs): categories and combinations of them, as numbers from tables.

The hash of a combination is `h = M * (h + M * v)` over its elements, in wrapping 64-bit integers,
so a sum of products with powers of M: `catboost/libs/model/hash.h`, `ctr_provider.h`. What is
looked up by it: `static_ctr_provider.cpp`; the number made of that, in float32: `online_ctr.h`,
`TModelCtr::Calc`. Trees only compare these numbers with borders, so the graph looks up how many
borders lie below.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import helper

from onnxlet.convert.converters.catboost_models.categories import Hashes
from onnxlet.convert.converters.catboost_models.model_file import Counter, Element, ModelFile
from onnxlet.convert.graph.converter import ELEMENTS, Graph, Tensor
from onnxlet.function.arrays import Array

MULTIPLIER = 0x4906BA494954CB65
SPREAD = 0x9E3779B97F4A7C15  # odd: tells the same hash of two combinations apart
WORD = 2**64


def bins(graph: Graph, model: ModelFile, numbers: Tensor | None, known: Hashes) -> Tensor:
    """How many of its borders each counter is above: uint8, of shape (rows, counters).

    Args:
        graph: to write to.
        model: the model.
        numbers: its columns of numbers, float32.
        known: the hashes of its categories.
    """
    combinations = list(dict.fromkeys(counter.elements for counter in model.counters))
    book = _Book(model, combinations)
    hashed = _combined(graph, model, numbers, known, combinations)
    found = graph.op(
        "LabelEncoder",
        hashed,
        keys_tensor=helper.make_tensor("keys", ELEMENTS["int64"], [len(book.keys)], book.keys),
        values_tensor=helper.make_tensor(
            "values", ELEMENTS["int64"], [len(book.keys)], book.positions
        ),
        default_tensor=helper.make_tensor("unseen", ELEMENTS["int64"], [1], [0]),
    )
    # A key of another combination, which may be hit by chance, lies outside these bounds.
    mine = found.maximum([book.first]).minimum([book.last])
    at = mine.take(book.owners) + [book.offsets]
    table = graph.constant(book.table, "uint8")
    return graph.op("Gather", table, at, width=len(model.counters), dimensions=2, axis=0)


class _Book:
    """The tables of all counters, end to end.

    Each combination has a place for a hash that it does not know, one for each that it knows, and
    another for what it does not know. Each of its counters has such a row of places.

    Attributes:
        keys: int64, the hashes of all combinations, apart by `_apart`.
        positions: of each key in the first row of its combination.
        first, last: the ends of that row, by combination.
        owners: the combination of each counter.
        offsets: from its combination's first row to the counter's, by counter.
        table: uint8, all rows.
    """

    def __init__(self, model: ModelFile, combinations: Sequence[tuple[Element, ...]]) -> None:
        self.keys: list[int] = []
        self.positions: list[int] = []
        self.first: list[int] = []
        self.last: list[int] = []
        self.owners = [combinations.index(counter.elements) for counter in model.counters]
        offsets = np.zeros(len(model.counters), dtype=np.int64)
        rows: list[Array] = []
        size = 0
        for number, elements in enumerate(combinations):
            mine = [n for n, one in enumerate(model.counters) if one.elements == elements]
            tables = [model.table(model.counters[n]) for n in mine]
            hashes = np.unique(np.concatenate([found for found, _, _ in tables]))
            self.first.append(size)
            self.last.append(size + len(hashes) + 1)
            self.keys += (hashes + np.uint64(_apart(number))).view(np.int64).tolist()
            self.positions += range(size + 1, size + 1 + len(hashes))
            for order, (n, table) in enumerate(zip(mine, tables, strict=True)):
                offsets[n] = order * (len(hashes) + 2)
                rows.append(_row(model.counters[n], hashes, *table))
            size += len(mine) * (len(hashes) + 2)
        self.offsets = offsets.tolist()
        self.table = np.concatenate(rows)


def _row(counter: Counter, hashes: Array, own: Array, counts: Array, denominator: int) -> Array:
    """The bins of a counter: of an unknown hash, of the known ones, of an unknown one."""
    made = np.full(len(hashes) + 2, _value(counter, *_unseen(counter, denominator)))
    made[1 + np.searchsorted(hashes, own)] = _value(counter, *_parts(counter, counts, denominator))
    return np.searchsorted(counter.borders, made, side="left").astype(np.uint8)


def _unseen(counter: Counter, denominator: int) -> tuple[float, float]:
    return 0.0, float(denominator) if counter.type in ("Counter", "FeatureFreq") else 0.0


def _parts(counter: Counter, counts: Array, denominator: int) -> tuple[Array, Any]:
    """What is divided by what, before the prior."""
    if counter.type in ("BinarizedTargetMeanValue", "FloatTargetMeanValue"):
        return counts[:, 0], counts[:, 1]
    if counter.type in ("Counter", "FeatureFreq"):
        return counts[:, 0], float(denominator)
    border = int(counter.settings["target_border_idx"])
    if counter.type == "Buckets":
        return counts[:, border], counts.sum(axis=1)
    above = border + 1 if counts.shape[1] > 2 else 1
    return counts[:, above:].sum(axis=1), counts.sum(axis=1)


def _value(counter: Counter, part: Any, whole: Any) -> Any:
    single, settings = np.float32, counter.settings
    above = np.asarray(part).astype(single) + single(settings["prior_numerator"])
    below = np.asarray(whole).astype(single) + single(settings["prior_denomerator"])
    return (above / below + single(settings["shift"])) * single(settings["scale"])


def _combined(
    graph: Graph,
    model: ModelFile,
    numbers: Tensor | None,
    known: Hashes,
    combinations: Sequence[tuple[Element, ...]],
) -> Tensor:
    """The hash of each combination: int64, of shape (rows, combinations)."""
    elements, index = _elements(combinations)
    most = max(map(len, combinations))
    at = np.zeros((most, len(combinations)), dtype=np.int64)
    factors = np.zeros((most, len(combinations)), dtype=np.uint64)
    for number, combination in enumerate(combinations):
        for order, element in enumerate(combination):
            at[order, number] = index[element]
            power = len(combination) - order + 1
            factors[order, number] = pow(MULTIPLIER, power, WORD)
    values = _values(graph, model, numbers, known, elements)
    wide = len(combinations)
    chosen = values.take(at.ravel().tolist()) * [factors.ravel().view(np.int64)]
    shares = chosen.reshape([0, most, wide], wide) if most > 1 else chosen
    axes = graph.constant([1], "int64")
    if most > 1:
        shares = graph.op("ReduceSum", shares, axes, width=wide, dimensions=2, keepdims=0)
    apart = np.array([_apart(number) for number in range(wide)], dtype=np.uint64)
    return shares + [apart.view(np.int64)]


def _elements(
    combinations: Sequence[tuple[Element, ...]],
) -> tuple[dict[str, list[Element]], dict[Element, int]]:
    """All elements by kind, each once, and the index of each."""
    every = dict.fromkeys(element for elements in combinations for element in elements)
    kinds = {kind: [e for e in every if e.kind == kind] for kind in ("category", "value", "border")}
    ordered = [element for elements in kinds.values() for element in elements]
    return kinds, {element: number for number, element in enumerate(ordered)}


def _values(
    graph: Graph,
    model: ModelFile,
    numbers: Tensor | None,
    known: Hashes,
    elements: dict[str, list[Element]],
) -> Tensor:
    """The elements' values: hashes, and 1 where a split holds; int64, side by side."""
    parts = []
    if elements["category"]:
        parts.append(known.tensor.take([known.index[e.column] for e in elements["category"]]))
    if elements["value"]:
        pairs = [(element.column, int(element.bound)) for element in elements["value"]]
        parts.append(known.equal_to(pairs).cast("int64"))
    if elements["border"] and numbers is not None:
        columns = [element.column for element in elements["border"]]
        chosen = numbers.take(columns)
        above = chosen > [np.array([e.bound for e in elements["border"]], dtype=np.float32)]
        right = model.numbers.missing_right[columns]
        if right.any():
            above = above | (chosen.isnan() & graph.constant([right], "bool"))
        parts.append(above.cast("int64"))
    return graph.concat(parts)


def _apart(number: int) -> int:
    """What is added to the hashes of a combination, so that no other one's equal them."""
    return number * SPREAD % WORD
