"""OneHotEncoder, for text and numbers, with missing, infrequent, dropped and unseen categories.

A category's column is 1 where the value equals it: `sklearn/preprocessing/_encoders.py`.
Upstream: skl2onnx encodes a missing value as the text 'nan', so that 1 to 12 % of rows with
gaps or `min_frequency` come out wrong without an error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.preprocessing import OneHotEncoder

from convert.converters.graph import Nodes, single_columns, tensor_type
from function.signature import MISSING_TEXT, Array


def converter(precision: str) -> tuple[type, Callable[..., None], Callable[..., None]]:
    """The estimator, its shape calculator and its converter."""

    def shape(operator: Any) -> None:
        fitted = operator.raw_operator
        width = sum(len(keep) for keep in map(_kept, *_per_feature(fitted)))
        operator.outputs[0].type = tensor_type(precision, width)

    def convert(scope: Any, operator: Any, container: Any) -> None:
        fitted = operator.raw_operator
        nodes = Nodes(scope, container)
        columns = [
            _encoded(nodes, fitted, name, place, dtype, precision)
            for place, (name, dtype) in enumerate(single_columns(nodes, operator, precision))
        ]
        nodes.add("Concat", columns, operator.outputs[0].full_name, axis=1)

    return OneHotEncoder, shape, convert


def _encoded(nodes: Nodes, fitted: Any, column: str, place: int, dtype: str, precision: str) -> str:
    """The columns of one feature, of shape (rows, its categories)."""
    groups, unseen = _groups(fitted, place)
    kept = _kept(groups, _drop(fitted, place))
    if dtype == "string":
        code = _code_of_text(nodes, fitted.categories_[place], groups, unseen, column)
    else:
        code = _code_of_number(nodes, fitted.categories_[place], groups, unseen, column, dtype)
    equal = nodes.add("Equal", [code, nodes.constant([kept], "int64")])
    return nodes.cast(equal, precision)


def _code_of_text(nodes: Nodes, categories: Array, groups: Array, unseen: int, column: str) -> str:
    keys = [MISSING_TEXT if _is_missing(value) else str(value) for value in categories.tolist()]
    return nodes.add(
        "LabelEncoder",
        [column],
        keys_strings=keys,
        values_int64s=[int(group) for group in groups],
        default_int64=unseen,
    )


def _code_of_number(
    nodes: Nodes, categories: Array, groups: Array, unseen: int, column: str, dtype: str
) -> str:
    """1 + the group where a category fits, summed over them: 0 where none does."""
    values = np.asarray(categories, dtype=np.float64)
    gaps = np.isnan(values)
    one_more = nodes.constant([[int(group) - unseen] for group in groups[~gaps]], "int64")
    equal = nodes.add("Equal", [column, nodes.constant([values[~gaps]], dtype)])
    code = nodes.add("MatMul", [nodes.cast(equal, "int64"), one_more])
    if gaps.any():
        missing = nodes.cast(nodes.add("IsNaN", [column]), "int64")
        step = nodes.constant([[int(groups[gaps][0]) - unseen]], "int64")
        code = nodes.add("Add", [code, nodes.add("Mul", [missing, step])])
    return nodes.add("Add", [code, nodes.constant([[unseen]], "int64")])


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


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and np.isnan(value))
