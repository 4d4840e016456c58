"""Rows as dictionaries, which DictVectorizer and FeatureHasher take: each key is a column.

A missing value is a key that is left out, which counts as zero; keys that no row of the test set
has are known from the vectoriser.

Source: `sklearn/feature_extraction/_dict_vectorizer.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.feature_extraction import DictVectorizer, FeatureHasher

from onnxlet.convert.errors import Refusal
from onnxlet.convert.reference.estimators import parts_of
from onnxlet.function.inputs.columns import ColumnType

Row = Mapping[Any, Any]
WAY_OUT = "Make it a key of its own for each value, such as 'key=value': 1."


def dictionaries(X: Any) -> list[Row] | None:
    """The rows, where they are dictionaries in a list, a Series or an array; else None."""
    if isinstance(X, pd.Series) or (isinstance(X, np.ndarray) and X.ndim == 1):
        X = X.tolist()
    if isinstance(X, list | tuple) and X and all(isinstance(row, Mapping) for row in X):
        return list(X)
    return None


def takes_dictionaries(estimator: Any) -> bool:
    """Whether some step of an estimator takes rows that are dictionaries."""
    return any(isinstance(part, DictVectorizer | FeatureHasher) for part in parts_of(estimator))


def known_keys(estimator: Any, X_train: Any = None) -> dict[str, ColumnType]:
    """Keys that the vectorisers in a fitted estimator, and its training rows, have.

    A vectoriser has kept 'key=value' of text: the key ends at the first separator.
    """
    known: dict[str, ColumnType] = {}
    for part in parts_of(estimator):
        if isinstance(part, DictVectorizer) and hasattr(part, "feature_names_"):
            for feature in part.feature_names_:
                if isinstance(feature, str):
                    key, separator, _ = feature.partition(part.separator)
                    known.setdefault(key, "string" if separator else "float64")
    trained = dictionaries(X_train)
    return known if trained is None else {**known, **types_of_keys(trained, "X_train")}


def types_of_keys(
    rows: Sequence[Row], what: str, known: Mapping[str, ColumnType] | None = None
) -> dict[str, ColumnType]:
    """The column type of each key: those that are known, then the others as they come.

    Raises Refusal where a key is no text, there is none, or its values have no form in a request.
    """
    found: dict[Any, set[str]] = {}
    items = ((number, *item) for number, row in enumerate(rows) for item in row.items())
    for number, key, value in items:
        if not isinstance(key, str):
            raise Refusal(
                f"{what}, row {number}: expected keys that are text, got {key!r:.40}",
                "A request names columns by text: {str(key): value …}, before fit.",
            )
        found.setdefault(key, set()).add(_kind(value, f"{what}, row {number}, key '{key}'"))
    types = {key: _type(key, kinds, what) for key, kinds in found.items()}
    types = {**(known or {}), **types}
    if not types:
        raise Refusal(f"{what}: its dictionaries have no key", "Give rows with the model's keys.")
    return types


def _kind(value: Any, where: str) -> str:
    if value is None or value != value:
        raise Refusal(
            f"{where}: expected a number or text, got {value}",
            "A missing value is a key that is left out: remove the key, before fit as well.",
        )
    if isinstance(value, str):
        return "string"
    if isinstance(value, bool | np.bool_):
        return "bool"
    if isinstance(value, int | float | np.integer | np.floating):
        return "float64"
    raise Refusal(
        f"{where}: expected a number or text, got {type(value).__name__}",
        f"A key is one column, which holds one value a row. {WAY_OUT}",
    )


def _type(key: str, kinds: set[str], what: str) -> ColumnType:
    if kinds == {"string"}:
        return "string"
    if kinds == {"bool"}:
        return "bool"
    if "string" not in kinds:
        return "float64"
    raise Refusal(
        f"{what}, key '{key}': expected values of one type, got text and numbers",
        "Give the key one type: str(value) in every row, or two keys.",
    )
