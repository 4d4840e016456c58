"""Categories, of text and of numbers, and the values that encoders map them to.

Columns of one dtype share one LabelEncoder over all their categories; one table then maps a
category to its value in each column. So the number of nodes does not grow with the columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from onnx import helper, numpy_helper

from onnxlet.convert.graph.converter import ELEMENTS, Graph, Table, Tensor, Unsupported
from onnxlet.convert.graph.validation import is_made
from onnxlet.function.arrays import MISSING_TEXT, Array

PASSED_ON = frozenset({"ArrayFeatureExtractor", "Cast", "Concat", "Identity"})
LOOKED_UP = frozenset({"Gather", "GatherElements"})
NAN = float("nan")  # as a key of a dict, this one object: NaN does not equal another NaN
LARGEST_TABLE = 2**17  # entries; beyond it each column has its own LabelEncoder
NOTHING = -1  # the code of a category that no value of the column's dtype equals


@dataclass(frozen=True)
class Meaning:
    """The values that the categories of one column are mapped to."""

    categories: Array  # in the encoder's order, of shape (categories,)
    values: Array  # of shape (categories, width)
    unseen: Array  # the values of anything that is no category, of shape (width,)


def look_up(graph: Graph, table: Table, meanings: Sequence[Meaning], dtype: str) -> Tensor:
    """The values of all columns side by side, of shape (rows, columns * width)."""
    columns, width = len(meanings), len(meanings[0].unseen)
    known = [meaning.categories for meaning in meanings]
    if columns == 1 and width == 1:
        return _look_up_one(graph, table, meanings[0], dtype)
    if columns > 1 and columns * sum(map(len, known)) * width > LARGEST_TABLE:
        parts = [graph.select(table, [index]) for index in range(columns)]
        return graph.concat(
            [look_up(graph, p, [m], dtype) for p, m in zip(parts, meanings, strict=True)]
        )
    made, codes, count = identities(graph, table, known)
    entries = np.empty((columns, count + 1, width))
    for index, meaning in enumerate(meanings):
        entries[index] = meaning.unseen
        for code, value in zip(codes[index], meaning.values, strict=True):
            if code != NOTHING:
                entries[index, code] = value
    same = all(np.array_equal(entries[0], other, equal_nan=True) for other in entries)
    kinds = _by_kind(graph, table, known)
    if width == 1 and same and len(kinds) == 1:
        ((kind, (tensor, _)),) = kinds.items()
        values = {
            _key(category, kind): entries[0, code, 0]
            for index, numbers in enumerate(codes)
            for category, code in zip(known[index].tolist(), numbers, strict=True)
            if code != NOTHING
        }
        return mapped(graph, tensor, values, entries[0, count, 0], dtype)
    if width == 1:
        rows = graph.constant(entries[:, :, 0].T, dtype)
        return graph.op("GatherElements", rows, made, width=columns, dimensions=2, axis=0)
    if not same:
        made = made + np.arange(columns) * (count + 1)
    flat = entries[: 1 if same else None].reshape(-1, width)
    found = graph.op("Gather", graph.constant(flat, dtype), made, width=columns, axis=0)
    return found.reshape([0, columns * width], columns * width)


def refuse_unseen(graph: Graph, table: Table, known: Sequence[Array]) -> None:
    """Mark rows with a value that a step has made, and that is no category of its column.

    Columns as they come have their categories in the signature.
    """
    pairs = zip(graph.columns(table), known, strict=True)
    made = [(column, categories) for column, categories in pairs if is_made(column)]
    if made and graph.watches:
        meanings = [Meaning(some, np.zeros((len(some), 1)), np.ones(1)) for _, some in made]
        columns = Table(tuple(column for column, _ in made))
        graph.refuse_rows(look_up(graph, columns, meanings, "int64").equals(1))


def as_categories(values: Sequence[Any]) -> Array:
    """Values of any types as an array of shape (values,)."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def index_among(graph: Graph, column: Table, values: Sequence[Any]) -> Tensor:
    """The index of each cell of one column among some values; their number for any other: int64."""
    indices = np.arange(len(values))[:, np.newaxis]
    meaning = Meaning(as_categories(values), indices, np.array([len(values)]))
    return look_up(graph, column, [meaning], "int64")


def identities(
    graph: Graph, table: Table, categories: Sequence[Array]
) -> tuple[Tensor, list[list[int]], int]:
    """A code for each value, the same in all columns: int64, of shape (rows, columns).

    Behind it come the codes of each column's categories, and how many codes there are, which is
    also the code of any value that is no category.
    """
    kinds = _by_kind(graph, table, categories)
    keys: dict[str, dict[Any, int]] = {kind: {} for kind in kinds}
    codes: list[list[int]] = [[]] * len(categories)
    for kind, (_, indices) in kinds.items():
        numbers = keys[kind]
        for index in indices:
            _check_missing(index, categories[index])
            found = [_key(value, kind) for value in categories[index].tolist()]
            codes[index] = [
                NOTHING if key is None else numbers.setdefault(key, len(numbers)) for key in found
            ]
    count = max(len(numbers) for numbers in keys.values())
    encoded = [
        mapped(graph, tensor, keys[kind], count, "int64") for kind, (tensor, _) in kinds.items()
    ]
    order = [index for _, indices in kinds.values() for index in indices]
    return graph.concat(encoded).take(np.argsort(order).tolist()), codes, count


def comparable(
    graph: Graph, table: Table, categories: Sequence[Array]
) -> tuple[Tensor, list[list[Any]]] | None:
    """The columns in one tensor of numbers, and their categories in its dtype.

    None where that is impossible: text, several dtypes, or a category that stands for missing.
    """
    kinds = _by_kind(graph, table, categories)
    kind, (tensor, _) = next(iter(kinds.items()))
    keys = [[_key(value, kind) for value in known.tolist()] for known in categories]
    if len(kinds) > 1 or kind == "string":
        return None
    if any(key is None or is_missing(key) for column in keys for key in column):
        return None
    return tensor, keys


def encoded_columns(
    graph: Graph, table: Table, known: Mapping[int, Sequence[Any]], dtype: str
) -> Tensor:
    """All columns as numbers of a dtype, those of categories as codes; NaN for what is no category.

    `known` has the categories in the order of their codes, by the index of each column that has
    such.
    """
    chosen = list(known)
    meanings = [
        Meaning(np.array(values, dtype=object), np.arange(len(values))[:, None], np.array([np.nan]))
        for values in known.values()
    ]
    codes = look_up(graph, graph.select(table, chosen), meanings, dtype)
    others = [index for index in range(table.width) if index not in known]
    if not others:
        return codes
    numbers = graph.matrix(graph.select(table, others), dtype)
    return graph.concat([codes, numbers]).take(np.argsort([*chosen, *others]).tolist())


def _look_up_one(graph: Graph, table: Table, meaning: Meaning, dtype: str) -> Tensor:
    ((kind, (tensor, _)),) = _by_kind(graph, table, [meaning.categories]).items()
    _check_missing(0, meaning.categories)
    found = zip(meaning.categories.tolist(), meaning.values.ravel().tolist(), strict=True)
    pairs = [(_key(category, kind), value) for category, value in found]
    values = {key: value for key, value in reversed(pairs) if key is not None}
    return mapped(graph, tensor, values, meaning.unseen.tolist()[0], dtype)


def mapped(graph: Graph, tensor: Tensor, values: dict[Any, Any], unseen: Any, dtype: str) -> Tensor:
    """The value of each key, of shape and columns of the tensor; `unseen` for what is no key."""
    kind = tensor.dtype
    if not values:
        values = {"" if kind == "string" else 0: unseen}
    keys = [key.encode() if kind == "string" else key for key in values]
    return graph.op(
        "LabelEncoder",
        tensor,
        dtype=dtype,
        keys_tensor=helper.make_tensor("keys", ELEMENTS[kind], [len(keys)], keys),
        values_tensor=helper.make_tensor(
            "values", ELEMENTS[dtype], [len(keys)], list(values.values())
        ),
        default_tensor=helper.make_tensor("unseen", ELEMENTS[dtype], [1], [unseen]),
    )


def _by_kind(
    graph: Graph, table: Table, categories: Sequence[Array]
) -> dict[str, tuple[Tensor, list[int]]]:
    """By the dtype that they are compared in: columns side by side, and their positions."""
    kinds: dict[str, list[int]] = {}
    dtypes = [tensor.dtype for tensor in table.tensors for _ in range(tensor.width)]
    for index, (kind, known) in enumerate(zip(dtypes, categories, strict=True)):
        if kind != "string" and not (kind == "int64" and all(map(_whole, known.tolist()))):
            kind = graph.precision
        kinds.setdefault(kind, []).append(index)
    tensors = {kind: graph.select(table, indices).tensors for kind, indices in kinds.items()}
    return {
        kind: (graph.concat([tensor.cast(kind) for tensor in tensors[kind]]), indices)
        for kind, indices in kinds.items()
    }


def _key(value: Any, kind: str) -> Any:
    """A category as a key of LabelEncoder; None if no value of this dtype equals it."""
    if kind == "string":
        if is_missing(value):
            return MISSING_TEXT
        return str(value) if isinstance(value, str) else None
    if isinstance(value, str):
        return None
    if is_missing(value):
        return None if kind == "int64" else NAN
    if kind == "int64":
        return int(value)
    return float(value)


def _whole(value: Any) -> bool:
    return isinstance(value, str) or is_missing(value) or float(value).is_integer()


def _check_missing(index: int, categories: Array) -> None:
    """Refuse a column with both None and NaN: requests have one missing value only."""
    if sum(is_missing(value) for value in categories.tolist()) > 1:
        raise Unsupported(
            f"column {index} has both None and NaN as categories",
            "Fill the column's gaps with one of the two before it is fitted.",
        )


def is_missing(value: Any) -> bool:
    """Whether a category stands for missing values: None, NaN or pandas.NA."""
    return value is None or value is pd.NA or (isinstance(value, float) and bool(np.isnan(value)))


def known_values(graph: Graph, name: str) -> Array | None:
    """Every value that the tensor of a name may hold, each once; None where they are not known."""
    node = graph.node_that_makes(name)
    if node is None:
        return None
    if node.op_type == "LabelEncoder":
        tables = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        parts = [numpy_helper.to_array(tables[k]) for k in ("values_tensor", "default_tensor")]
        return np.unique(np.concatenate(parts))
    if node.op_type in LOOKED_UP:
        constant = graph.constant_of(node.input[0])
        return None if constant is None else np.unique(constant)
    if node.op_type not in PASSED_ON:
        return None
    inputs = node.input if node.op_type == "Concat" else node.input[:1]
    found = [known_values(graph, one) for one in inputs]
    known = [values for values in found if values is not None]
    return np.unique(np.concatenate(known)) if len(known) == len(found) else None
