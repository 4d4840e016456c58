"""CatBoost's categories, and its counters (CTRs) of them: as numbers from tables.

A category is the hash of its text. Whole numbers are hashed as decimal text, booleans as "1" and
"0": `_catboost.pyx`, `get_id_object_bytes_string_representation`.

The hash of a combination is `h = M * (h + M * v)` over its elements, in wrapping 64-bit integers,
so a sum of products with powers of M: `catboost/libs/model/hash.h`, `ctr_provider.h`. What is
looked up by it: `static_ctr_provider.cpp`; the number made of that, in float32: `online_ctr.h`,
`TModelCtr::Calc`. Trees only compare these numbers with borders, so the graph looks up how many
borders lie below.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np

from onnxlet.convert.converters.libraries.catboost.model_file import (
    FREQUENCIES,
    MEANS,
    Counter,
    Counts,
    Element,
    ModelFile,
)
from onnxlet.convert.graph.categories import known_values, mapped
from onnxlet.convert.graph.converter import Graph, Table, Tensor, Unsupported
from onnxlet.function.arrays import Array
from onnxlet.function.inputs.city_hash import hashed

KEEP_IT = (
    "CatBoost itself takes text and whole numbers: give it the column as it comes in, without a "
    "step before."
)


@dataclass(frozen=True)
class Hashes:
    """The hashes of the columns of categories that the model looks at."""

    tensor: Tensor  # int64, of shape (rows, columns), from -2**31 to 2**31 - 1
    # Of each of these columns, by its number among all columns of categories.
    index: dict[int, int]

    def equal_to(self, values: Sequence[tuple[int, int]]) -> Tensor:
        """Whether a column's hash is a value, for each pair of these: bool, (rows, pairs)."""
        chosen = self.tensor.take([self.index[column] for column, _ in values])
        return chosen.equals([[value for _, value in values]])


def hashes(graph: Graph, model: ModelFile, table: Table, compared: Set[int]) -> Hashes:
    """The hashes of categories that the counters look at, or that trees split by value: `compared`.

    Unsupported: a column is neither text nor a whole number that comes in unchanged.
    """
    counted = {
        element.column
        for counter in model.counters
        for element in counter.counted.elements
        if element.kind != "border"
    }
    used = sorted(compared | counted)
    made = {column: _hashed(graph, table, model.categories[column]) for column in used}
    fed = [column for column in used if made[column].name.startswith("input")]
    inputs, order = graph.merged([made[column] for column in fed])
    others = [column for column in used if column not in fed]
    index = dict(zip([*fed, *others], [*order, *range(len(fed), len(used))], strict=True))
    return Hashes(graph.concat([*inputs, *(made[column] for column in others)]), index)


def _hashed(graph: Graph, table: Table, column: int) -> Tensor:
    """The hash of a column: of few values by a table, of others by the function."""
    [tensor] = graph.select(table, [column]).tensors
    if tensor.types in (("bool",), ("bool?",)):
        return (tensor > 0.5).where(
            graph.constant([[hashed("1")]], "int64"), graph.constant([[hashed("0")]], "int64")
        )
    known = known_values(graph, tensor.name)
    if known is not None:
        given = tensor if tensor.dtype == "string" else tensor.cast("int64")
        values = known.tolist() if given is tensor else [int(v) for v in known.tolist() if v == v]
        return mapped(graph, given, {v: hashed(str(v)) for v in sorted({*values})}, 0, "int64")
    try:
        if tensor.dtype in ("string", "int64"):
            return graph.front_end(tensor, {"step": "city_hash"}, dtype="int64")
    except Unsupported:
        if known is not None:
            texts = {text: hashed(text) for text in known.tolist()}
            return mapped(graph, tensor, texts, 0, "int64")
    name = f"'{tensor.labels[0]}'" if tensor.labels else str(column)
    raise Unsupported(f"its column {name} of categories is not as it came in", KEEP_IT)


MULTIPLIER = 0x4906BA494954CB65
SPREAD = 0x9E3779B97F4A7C15  # odd: separates the same hash of two combinations
WORD = 2**64


def bins(graph: Graph, model: ModelFile, numbers: Tensor | None, known: Hashes) -> Tensor:
    """How many of its borders each counter is above: uint8, of shape (rows, counters).

    `numbers` are the model's columns of numbers, float32; `known` the hashes of its categories.
    """
    combinations = list(dict.fromkeys(counter.counted.elements for counter in model.counters))
    book = _Book(model, combinations)
    hashed = _combined(graph, model, numbers, known, combinations)
    found = mapped(graph, hashed, book.positions, 0, "int64")
    # A key of another combination, which may be hit by chance, lies outside these bounds.
    mine = found.maximum(book.first[None]).minimum(book.last[None])
    at = mine.take(book.owners) + book.offsets[None]
    table = graph.constant(book.table, "uint8")
    return graph.op("Gather", table, at, width=len(model.counters), dimensions=2, axis=0)


class _Book:
    """The tables of all counters, end to end.

    Each combination has an entry for a hash that it does not know, one for each that it knows, and
    another for what it does not know. Each of its counters has such a row of entries.

    Attributes:
        positions: of each hash, `_apart` from those of other combinations, in the first row of its
            own.
        first, last: the ends of that row, by combination.
        owners: the combination of each counter.
        offsets: from its combination's first row to the counter's, by counter.
        table: uint8, all rows.
    """

    def __init__(self, model: ModelFile, combinations: Sequence[tuple[Element, ...]]) -> None:
        self.positions: dict[int, int] = {}
        first, sizes = [], []
        self.owners = [combinations.index(counter.counted.elements) for counter in model.counters]
        offsets = np.zeros(len(model.counters), dtype=np.int64)
        rows: list[Array] = []
        size = 0
        for number, elements in enumerate(combinations):
            mine = [n for n, one in enumerate(model.counters) if one.counted.elements == elements]
            tables = [model.tables[model.counters[n].counted] for n in mine]
            hashes = np.unique(np.concatenate([table.hashes for table in tables]))
            first.append(size)
            sizes.append(len(hashes) + 1)
            keys = (hashes + np.uint64(_apart(number))).view(np.int64).tolist()
            self.positions.update(zip(keys, range(size + 1, size + 1 + len(keys)), strict=True))
            for order, (n, table) in enumerate(zip(mine, tables, strict=True)):
                offsets[n] = order * (len(hashes) + 2)
                rows.append(_row(model.counters[n], hashes, table))
            size += len(mine) * (len(hashes) + 2)
        self.first = np.array(first)
        self.last = self.first + sizes
        self.offsets = offsets
        self.table = np.concatenate(rows)


def _row(counter: Counter, hashes: Array, table: Counts) -> Array:
    """The bins of a counter: of an unknown hash, of the known ones, of an unknown one."""
    nothing = float(table.denominator) if counter.counted.type in FREQUENCIES else 0.0
    made = np.full(len(hashes) + 2, _value(counter, 0.0, nothing))
    made[1 + np.searchsorted(hashes, table.hashes)] = _value(counter, *_parts(counter, table))
    below = np.searchsorted(counter.borders, made, side="left")
    return np.where(np.isnan(made), 0, below).astype(np.uint8)


def _parts(counter: Counter, table: Counts) -> tuple[Any, Any]:
    """What is divided by what, before the prior."""
    counts = table.counts
    if counter.counted.type in MEANS:
        return counts["sum"], counts["count"]
    if counter.counted.type in FREQUENCIES:
        return counts[:, 0], table.denominator
    if counter.counted.type == "Buckets":
        return counts[:, counter.border], counts.sum(axis=1)
    above = counter.border + 1 if counts.shape[1] > 2 else 1
    return counts[:, above:].sum(axis=1), counts.sum(axis=1)


def _value(counter: Counter, part: Any, whole: Any) -> Any:
    """In float32, in the order of CatBoost's operations."""
    single = np.float32
    above = np.asarray(part).astype(single) + single(counter.prior[0])
    below = np.asarray(whole).astype(single) + single(counter.prior[1])
    with np.errstate(all="ignore"):
        return (above / below + single(counter.shift)) * single(counter.scale)


def _combined(
    graph: Graph,
    model: ModelFile,
    numbers: Tensor | None,
    known: Hashes,
    combinations: Sequence[tuple[Element, ...]],
) -> Tensor:
    """The hash of each combination: int64, of shape (rows, combinations)."""
    elements, index = _elements(combinations)
    wide, most = len(combinations), max(map(len, combinations))
    at = np.zeros((wide, most), dtype=np.int64)
    factors = np.zeros((wide, most), dtype=np.uint64)
    for number, combination in enumerate(combinations):
        for order, element in enumerate(combination):
            at[number, order] = index[element]
            factors[number, order] = pow(MULTIPLIER, len(combination) - order + 1, WORD)
    values = _values(graph, model, numbers, known, elements)
    shares = values.take(at.ravel().tolist()) * factors.reshape(1, -1).view(np.int64)
    if most > 1:  # a product: ONNX Runtime's ReduceSum adds whole numbers as floats
        each = shares.reshape([0, wide, most], most) @ np.ones((most, 1), dtype=np.int64)
        shares = each.reshape([0, wide], wide)
    apart = np.array([_apart(number) for number in range(wide)], dtype=np.uint64)
    return shares + apart.view(np.int64)[None]


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
