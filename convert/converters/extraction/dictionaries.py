"""Dictionaries as rows: a column for each key, and for each known text of a key.

Source: `sklearn/feature_extraction/_dict_vectorizer.py`, `_hash.py`, `_hashing_fast.pyx`.
Upstream: skl2onnx wants maps of one type as its input, and has no FeatureHasher.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from sklearn.feature_extraction import DictVectorizer, FeatureHasher

from onnxlet.convert.converters.registration import Converters
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Tensor, Unsupported
from onnxlet.convert.graph.responses import total
from onnxlet.function.inputs.murmur import murmur_bucket

MOST_HASHED_TEXT = 2**14  # columns that a text's hash is compared with
STORED_ZERO = 5e-324  # a zero in float32, and among zeros that a sparse matrix does not store
FLOATS = (np.dtype("float64"), np.dtype("float32"))


def vectorised(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """DictVectorizer: a key's number, or 1 for the text that it has."""
    _check_dtype(fitted)
    vocabulary, separator = fitted.vocabulary_, fitted.separator
    made: list[tuple[int, Tensor]] = []
    for key, column in _keys(graph, table):
        if column.dtype != "string":
            known = {key: vocabulary[key]} if key in vocabulary else {}
            made += [(index, _number(graph, column, fitted)) for index in known.values()]
        elif texts := _texts(vocabulary, f"{key}{separator}"):
            one_hot = column.equals(np.array([list(texts)], dtype=object)).cast(graph.precision)
            made += [(index, one_hot.take([at])) for at, index in enumerate(texts.values())]
    return {"transform": _summed(graph, made, len(vocabulary))}


def hashed(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """FeatureHasher: a key's number, or 1 for its text, at the remainder of the hash."""
    _check_dtype(fitted)
    if fitted.input_type != "dict":
        raise Unsupported(
            f"input_type='{fitted.input_type}' takes lists of any length, which are no columns",
            "Use input_type='dict', of which each key is a column; or HashingVectorizer for text.",
        )
    size, signed = int(fitted.n_features), bool(fitted.alternate_sign)
    made: list[tuple[int, Tensor]] = []
    of_text: list[Tensor] = []
    for key, column in _keys(graph, table):
        if column.dtype != "string":
            index, sign = murmur_bucket("", size, signed)(key)
            made.append((index, _number(graph, column, fitted) * float(sign)))
            continue
        if size > MOST_HASHED_TEXT:
            raise Unsupported(
                f"it hashes text, of the key '{key}', into {size:,} columns",
                f"Set n_features to {MOST_HASHED_TEXT:,} at most, or use DictVectorizer, which "
                "keeps the texts that it has seen.",
            )
        step = {"step": "murmur_bucket", "prefix": f"{key}=", "size": size, "signed": signed}
        found = graph.front_end(column, step, dtype="int64", width=2)
        signs = found.take([1]).cast(graph.precision)
        of_text.append(found.take([0]).equals(np.arange(size)[np.newaxis]).where(signs, 0.0))
    numbers = [_summed(graph, made, size)] if made else []
    return {"transform": total([*numbers, *of_text])}


def _check_dtype(fitted: Any) -> None:
    if np.dtype(fitted.dtype) not in FLOATS:
        raise Unsupported(
            f"its dtype is {np.dtype(fitted.dtype)}, which cuts decimals off",
            "Leave its dtype as it is: float64.",
        )


def _keys(graph: Graph, table: Table) -> Iterable[tuple[str, Tensor]]:
    """The columns by the key that they are; Unsupported where they have no names."""
    columns = graph.columns(table)
    if len(table.labels) != len(columns):
        raise Unsupported(
            "it is given what another step makes, and not the dictionaries of a request",
            "Put it first in the pipeline, and give X_test as a list of dictionaries.",
        )
    return zip(map(str, table.labels), columns, strict=True)


def _texts(vocabulary: Mapping[Any, int], prefix: str) -> dict[str, int]:
    """The known texts of a key, with their columns."""
    return {
        feature[len(prefix) :]: index
        for feature, index in vocabulary.items()
        if isinstance(feature, str) and feature.startswith(prefix)
    }


def _number(graph: Graph, column: Tensor, fitted: Any) -> Tensor:
    """A key's number, in the precision of the vectoriser; one that is left out counts as zero."""
    number = column.cast(graph.precision)
    if np.dtype(fitted.dtype) == np.float32:
        number = number.cast("float32").cast(graph.precision)
    if graph.given_sparse and getattr(fitted, "sparse", False):  # FeatureHasher stores none
        number = number.equals(0.0).where(STORED_ZERO, number)
    return number.isnan().where(0.0, number)


def _summed(graph: Graph, made: list[tuple[int, Tensor]], width: int) -> Tensor:
    """One-column tensors at their columns among zeros; those of one column are added up."""
    by_index: dict[int, list[Tensor]] = {}
    for index, tensor in made:
        by_index.setdefault(int(index), []).append(tensor)
    if not by_index:
        raise Unsupported(
            "it knows no key of X_test",
            "Give X_test as a list of dictionaries, with the keys that it was fitted on.",
        )
    indices = sorted(by_index)
    values = graph.concat([total(by_index[index]) for index in indices])
    if indices == list(range(width)):
        return values
    return graph.spread(graph.constant(indices, "int64"), values, width)


CONVERTERS: Converters = {DictVectorizer: vectorised, FeatureHasher: hashed}
