"""Encoders of categories: one-hot, ordinal, and by the mean target.

A value is its category's place, a missing value too where NaN or None is a category:
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
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, TargetEncoder

from onnxlet.convert.graph.categories import Meaning, comparable, identities, look_up
from onnxlet.convert.graph.graph import Answers, Converter, Graph, Table, Tensor, Unsupported
from onnxlet.convert.graph.responses import RELEASE
from onnxlet.function.arrays import Array

WIDE = 128  # categories of a column


def one_hot(graph: Graph, fitted: Any, table: Table) -> Answers:
    """A column for each category, or group of infrequent ones, that is not dropped."""
    known = fitted.categories_
    groups = [_groups(fitted, place) for place in range(len(known))]
    if any(_grouping(fitted, place) is not None for place in range(len(known))):
        made = look_up(graph, table, _meanings(known, groups), "int64")
        codes = [list(range(len(categories))) for categories in known]
    elif (compared := comparable(graph, table, known)) is not None:
        made, codes = compared
    else:
        made, codes, _ = identities(graph, table, known)
    chosen = [
        (place, codes[place][group])
        for place, (column, _) in enumerate(groups)
        for group in sorted(set(column.tolist()))
        if group != _drop(fitted, place)
    ]
    if not chosen:
        raise Unsupported("it drops every category that it knows", "Leave the encoder out.")
    return {"transform": _hot(graph, made, chosen).cast(graph.precision)}


def _hot(graph: Graph, made: Tensor, chosen: Sequence[tuple[int, Any]]) -> Tensor:
    """Whether the code in a column is the one given: for each of these pairs, by column."""
    if len(chosen) > WIDE * made.width:  # to spread the codes takes longer than a node each
        by_column = [list(pairs) for _, pairs in groupby(chosen, key=itemgetter(0))]
        columns = [made.take([pairs[0][0]]) for pairs in by_column]
        codes = [graph.constant([code for _, code in pairs], made.dtype) for pairs in by_column]
        return graph.concat([x.equals(known) for x, known in zip(columns, codes, strict=True)])
    spread = made.take([place for place, _ in chosen])
    return spread.equals(graph.constant([code for _, code in chosen], made.dtype))


def ordinal(graph: Graph, fitted: Any, table: Table) -> Answers:
    """Each category's place, or what stands for missing and for unknown values."""
    if np.dtype(fitted.dtype).kind not in "biuf":
        raise Unsupported(f"it encodes as {fitted.dtype!r}", "Let it encode as numbers.")
    values = [_ordinals(fitted, place) for place in range(len(fitted.categories_))]
    unseen = (
        np.array([fitted.unknown_value]).astype(fitted.dtype) if _takes_unseen(fitted) else np.nan
    )
    groups = [(column, unseen) for column in values]
    meanings = _meanings(fitted.categories_, groups)
    return {"transform": look_up(graph, table, meanings, graph.precision)}


def by_target(graph: Graph, fitted: Any, table: Table) -> Answers:
    """Each category's shrunk mean of the target; of several classes their shares side by side."""
    count = len(fitted.encodings_) // len(fitted.categories_)
    meanings = [
        Meaning(
            categories,
            np.column_stack(fitted.encodings_[place * count : (place + 1) * count]),
            np.reshape(fitted.target_mean_, -1),
        )
        for place, categories in enumerate(fitted.categories_)
    ]
    return {"transform": look_up(graph, table, meanings, graph.precision)}


def _meanings(known: Sequence[Array], values: Sequence[tuple[Array, Any]]) -> list[Meaning]:
    return [
        Meaning(categories, column.reshape(-1, 1), np.reshape(unseen, 1))
        for categories, (column, unseen) in zip(known, values, strict=True)
    ]


def _groups(fitted: Any, place: int) -> tuple[Array, int]:
    """Each category's output column before dropping, and that of a value never seen (or -1)."""
    mapping = _grouping(fitted, place)
    groups = np.arange(len(fitted.categories_[place])) if mapping is None else np.asarray(mapping)
    joining = ("infrequent_if_exist", "warn") if RELEASE >= (1, 8) else ("infrequent_if_exist",)
    joins = fitted.handle_unknown in joining and mapping is not None
    return groups, max(groups.tolist()) if joins else -1


def _grouping(fitted: Any, place: int) -> Any:
    """Places among the groups, by place among the categories; None where none is infrequent."""
    return fitted._default_to_infrequent_mappings[place] if fitted._infrequent_enabled else None


def _drop(fitted: Any, place: int) -> int | None:
    return None if fitted.drop_idx_ is None else fitted._drop_idx_after_grouping[place]


def _ordinals(fitted: Any, place: int) -> Array:
    """The code of each category of an OrdinalEncoder."""
    values = np.arange(len(fitted.categories_[place]))
    mapping = _grouping(fitted, place)
    if mapping is not None:
        values[: len(mapping)] = mapping  # a missing value comes last, and joins no group
    codes = values.astype(fitted.dtype)
    if place in fitted._missing_indices:
        codes[fitted._missing_indices[place]] = fitted.encoded_missing_value
    return codes.astype(np.float64)


def _takes_unseen(fitted: Any) -> bool:
    return bool(fitted.handle_unknown == "use_encoded_value")


CONVERTERS: dict[type, Converter] = {
    OneHotEncoder: one_hot,
    OrdinalEncoder: ordinal,
    TargetEncoder: by_target,
}
