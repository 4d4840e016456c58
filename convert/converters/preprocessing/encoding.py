"""Encoders of categories: one-hot, ordinal, and by the mean target.

A value becomes its category's index; a missing value does, too, if NaN or None is a category:
`sklearn/preprocessing/_encoders.py` (`_transform`, `_map_infrequent_categories`),
`_target_encoder.py` (`_transform_X_ordinal`). Upstream: skl2onnx encodes a missing value as the
text 'nan', so that 1 to 12 % of rows with gaps or `min_frequency` come out wrong without an
error; it reads numbers in float32, and has no TargetEncoder of several classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
from sklearn.preprocessing import (
    LabelBinarizer,
    LabelEncoder,
    OneHotEncoder,
    OrdinalEncoder,
    TargetEncoder,
)

from onnxlet.convert.converters.registration import Converters, exact
from onnxlet.convert.graph.categories import Meaning, comparable, identities, look_up, refuse_unseen
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Tensor, Unsupported
from onnxlet.convert.graph.responses import fitted_by
from onnxlet.function.arrays import Array

MANY_CATEGORIES = 128  # a column, on average; with more, each is compared by itself


def one_hot(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """A column for each category, or group of infrequent ones, that is not dropped."""
    known = fitted.categories_
    if fitted.handle_unknown == "error":
        refuse_unseen(graph, table, known)
    groups = [_groups(fitted, index) for index in range(len(known))]
    if any(_grouping(fitted, index) is not None for index in range(len(known))):
        made = look_up(graph, table, _meanings(known, groups), "int64")
        codes = [list(range(len(categories))) for categories in known]
    elif (compared := comparable(graph, table, known)) is not None:
        made, codes = compared
    else:
        made, codes, _ = identities(graph, table, known)
    chosen = [
        (index, codes[index][group])
        for index, (column, _) in enumerate(groups)
        for group in sorted(set(column.tolist()))
        if fitted.drop_idx_ is None or group != fitted._drop_idx_after_grouping[index]
    ]
    if not chosen:
        raise Unsupported("it drops every category that it knows", "Leave the encoder out.")
    return {"transform": hot(graph, made, chosen).cast(graph.precision)}


def hot(graph: Graph, made: Tensor, chosen: Sequence[tuple[int, Any]]) -> Tensor:
    """For each pair of a column and a code, whether the column has that code."""
    if (
        len(chosen) > MANY_CATEGORIES * made.width
    ):  # repeating the codes then takes longer than a node for each
        by_column = [list(pairs) for _, pairs in groupby(chosen, key=itemgetter(0))]
        columns = [made.take([pairs[0][0]]) for pairs in by_column]
        codes = [graph.constant([code for _, code in pairs], made.dtype) for pairs in by_column]
        return graph.concat([x.equals(known) for x, known in zip(columns, codes, strict=True)])
    spread = made.take([index for index, _ in chosen])
    return spread.equals(graph.constant([code for _, code in chosen], made.dtype))


def ordinal(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """OrdinalEncoder: each category's index, and the codes for missing and for unknown values."""
    if np.dtype(fitted.dtype).kind not in "biuf":
        raise Unsupported(f"it encodes as {fitted.dtype!r}", "Let it encode as numbers.")
    if fitted.handle_unknown == "error":
        refuse_unseen(graph, table, fitted.categories_)
    values = [_ordinals(fitted, index) for index in range(len(fitted.categories_))]
    takes_unseen = fitted.handle_unknown == "use_encoded_value"
    unseen = np.array([fitted.unknown_value]).astype(fitted.dtype) if takes_unseen else np.nan
    groups = [(column, unseen) for column in values]
    meanings = _meanings(fitted.categories_, groups)
    return {"transform": look_up(graph, table, meanings, graph.precision)}


def by_target(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """TargetEncoder: each category's shrunk mean of the target, or its share of each class."""
    count = len(fitted.encodings_) // len(fitted.categories_)
    meanings = [
        Meaning(
            categories,
            np.column_stack(fitted.encodings_[index * count : (index + 1) * count]),
            np.reshape(fitted.target_mean_, -1),
        )
        for index, categories in enumerate(fitted.categories_)
    ]
    return {"transform": look_up(graph, table, meanings, graph.precision)}


def _meanings(known: Sequence[Array], values: Sequence[tuple[Array, Any]]) -> list[Meaning]:
    return [
        Meaning(categories, column.reshape(-1, 1), np.reshape(unseen, 1))
        for categories, (column, unseen) in zip(known, values, strict=True)
    ]


def _groups(fitted: Any, index: int) -> tuple[Array, int]:
    """Each category's output column before dropping, and that of an unknown value (or -1)."""
    mapping = _grouping(fitted, index)
    groups = np.arange(len(fitted.categories_[index])) if mapping is None else np.asarray(mapping)
    warned = ("warn",) if fitted_by(fitted) >= (1, 8) else ()
    joining = ("infrequent_if_exist", *warned)
    joins = fitted.handle_unknown in joining and mapping is not None
    return groups, max(groups.tolist()) if joins else -1


def _grouping(fitted: Any, index: int) -> Any:
    """The group's index of each category; None if no category is infrequent."""
    return fitted._default_to_infrequent_mappings[index] if fitted._infrequent_enabled else None


def _ordinals(fitted: Any, index: int) -> Array:
    """The code of each category of an OrdinalEncoder."""
    values = np.arange(len(fitted.categories_[index]))
    mapping = _grouping(fitted, index)
    if mapping is not None:
        values[: len(mapping)] = mapping  # a missing value comes last, and joins no group
    codes = values.astype(fitted.dtype)
    if index in fitted._missing_indices:
        codes[fitted._missing_indices[index]] = fitted.encoded_missing_value
    return codes.astype(np.float64)


CONVERTERS: Converters = {
    OneHotEncoder: exact(one_hot),
    OrdinalEncoder: exact(ordinal),
    TargetEncoder: exact(by_target),
    # These encode a classifier's labels, in its fit; skl2onnx writes them as steps.
    LabelBinarizer: exact(),
    LabelEncoder: exact(),
}
