"""OneHotEncoder, for text and numbers, with missing, infrequent, dropped and unseen categories.

A category's column is 1 where the value equals it: `sklearn/preprocessing/_encoders.py`.
Upstream: skl2onnx encodes a missing value as the text 'nan', so that 1 to 12 % of rows with
gaps or `min_frequency` come out wrong without an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.preprocessing import OneHotEncoder

from convert.converters.graph import Answers, Converter, Graph, Table, Tensor, Unsupported
from function.signature import MISSING_TEXT, Array


def one_hot(graph: Graph, fitted: Any, table: Table) -> Answers:
    """A column for each category, or group of infrequent ones, that is not dropped."""
    columns = graph.columns(table)
    encoded = []
    for place, column in enumerate(columns):
        groups, unseen = _groups(fitted, place)
        kept = _kept(groups, _drop(fitted, place))
        if kept:
            codes = code(graph, column, fitted.categories_[place], groups.tolist(), unseen)
            encoded.append(codes.equals(graph.constant(kept, "int64")).cast(graph.precision))
    if not encoded:
        raise Unsupported("it drops every category that it knows")
    return {"transform": graph.concat(encoded)}


def code(
    graph: Graph, column: Tensor, categories: Array, codes: Sequence[int], unseen: int
) -> Tensor:
    """The code of each value's category, int64, one column; `unseen` where it is none.

    A category that is NaN or None is met by a missing value.
    """
    if column.dtype == "string":
        keys = [MISSING_TEXT if is_missing(v) else str(v) for v in categories.tolist()]
        return graph.op(
            "LabelEncoder",
            column,
            dtype="int64",
            keys_strings=keys,
            values_int64s=[int(value) for value in codes],
            default_int64=unseen,
        )
    kind = "int64" if column.dtype == "int64" else graph.precision
    values = np.asarray(categories, dtype=np.float64)
    gaps = np.isnan(values)
    steps = np.asarray(codes, dtype=np.int64) - unseen
    known = np.asarray(categories)[~gaps]
    if kind == "int64" and (known.astype(np.float64) % 1 != 0).any():
        kind = graph.precision
    x = column.cast(kind)
    found = x.equals(known.astype(kind)).cast("int64") @ steps[~gaps].reshape(-1, 1) + unseen
    if gaps.any() and kind != "int64":
        found = x.isnan().cast("int64") * int(steps[gaps][0]) + found
    return found


def _per_feature(fitted: Any) -> tuple[list[Array], list[int | None]]:
    places = range(len(fitted.categories_))
    return [_groups(fitted, p)[0] for p in places], [_drop(fitted, p) for p in places]


def _groups(fitted: Any, place: int) -> tuple[Array, int]:
    """Each category's output column before dropping, and that of a value never seen (or -1)."""
    count = len(fitted.categories_[place])
    mapping = None
    if fitted._infrequent_enabled:
        mapping = fitted._default_to_infrequent_mappings[place]
    groups = np.arange(count) if mapping is None else np.asarray(mapping)
    joins = fitted.handle_unknown in ("infrequent_if_exist", "warn") and mapping is not None
    return groups, max(groups.tolist()) if joins else -1


def _drop(fitted: Any, place: int) -> int | None:
    return None if fitted.drop_idx_ is None else fitted._drop_idx_after_grouping[place]


def _kept(groups: Array, drop: int | None) -> list[int]:
    return [group for group in range(max(groups.tolist()) + 1) if group != drop]


def is_missing(value: Any) -> bool:
    """A category that stands for missing values."""
    return value is None or (isinstance(value, float) and np.isnan(value))


CONVERTERS: dict[type, Converter] = {OneHotEncoder: one_hot}
