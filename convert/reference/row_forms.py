"""Forms of rows beside pandas' frames and arrays: frames of other libraries, and dictionaries.

Frames of polars, PyArrow and whatever else narwhals knows have names for their columns, and these
are the signature's. Comparisons give scikit-learn the same columns as a DataFrame of pandas; that
it answers X_test itself in the same way is asked before.

Dictionaries are what DictVectorizer and FeatureHasher take: each key is a column. A missing value
is a key that is left out, which counts as zero; keys that no row of the test set has are known from
the vectoriser. Source: `sklearn/feature_extraction/_dict_vectorizer.py`.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.feature_extraction import DictVectorizer, FeatureHasher

from onnxlet.convert.errors import Refusal
from onnxlet.convert.reference.estimators import parts_of
from onnxlet.function.arrays import Array
from onnxlet.function.inputs.columns import ColumnType

OURS = (pd.DataFrame, pd.Series, pd.Index, np.ndarray, list, tuple)


def as_pandas(X: Any, what: str = "X_test") -> Any:
    """A frame or series of another library as pandas' own; anything else as it is.

    Raises Refusal where it is lazy, or what reads it is not installed.
    """
    if isinstance(X, OURS) or hasattr(X, "toarray"):
        return X
    try:
        import narwhals  # scikit-learn's own, from 1.9 on
    except ImportError as error:
        if not (hasattr(X, "columns") or hasattr(X, "column_names")):
            return X
        raise Refusal(
            f"{what}: a {_of_library(X)} is read by narwhals, which is not installed",
            "pip install narwhals, or give a DataFrame of pandas.",
        ) from error
    native = narwhals.from_native(X, allow_series=True, pass_through=True)
    if isinstance(native, narwhals.LazyFrame):
        raise Refusal(
            f"{what}: a {_of_library(X)} has no rows yet", f"Collect them first: {what}.collect()."
        )
    if isinstance(native, narwhals.Series):
        return _series(native).rename(native.name or None)
    if isinstance(native, narwhals.DataFrame):
        columns = {position: _series(native[name]) for position, name in enumerate(native.columns)}
        return pd.DataFrame(columns).set_axis(list(native.columns), axis=1)
    if hasattr(X, "__dataframe__"):  # the interchange protocol, which fewer speak with each year
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return pd.api.interchange.from_dataframe(X)
    return X


def _of_library(X: Any) -> str:
    return f"{type(X).__name__} of {type(X).__module__.partition('.')[0]}"


def _series(column: Any) -> pd.Series[Any]:
    """One column: numbers and booleans in NumPy's types, a missing one as scikit-learn sees it."""
    import narwhals

    dtype, values = column.dtype, column.to_list()
    gaps = None in values
    if isinstance(dtype, narwhals.Enum):
        return pd.Series(pd.Categorical(values, categories=list(dtype.categories)))
    if isinstance(dtype, narwhals.Categorical):
        return pd.Series(pd.Categorical(values))
    if isinstance(dtype, narwhals.Date | narwhals.Datetime):
        return pd.Series(pd.to_datetime(values))
    if dtype.is_integer() and gaps:
        return pd.Series(values, dtype="Int64")
    if dtype.is_float():
        kind = np.float32 if isinstance(dtype, narwhals.Float32) else np.float64
        return pd.Series(np.array([np.nan if v is None else v for v in values], dtype=kind))
    if isinstance(dtype, narwhals.String) or gaps:
        return pd.Series(values, dtype=object)
    return pd.Series(values)


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


def no_table(X: Any, what: str) -> Refusal:
    """What is given where a table is due, and how to make one of it."""
    try:
        array = np.asarray(X)
    except ValueError:  # rows of several lengths
        array = np.empty(0)
    got, hint = described(X, array, what)
    return Refusal(
        f"{what}: expected a DataFrame, an array of shape (rows, columns), or a list of texts, "
        f"got {got}",
        hint,
    )


def described(X: Any, array: Array, what: str) -> tuple[str, str]:
    """What kind of thing was given that is no table, and how to make a table of it."""
    if isinstance(X, pd.Series):
        return f"a Series of shape {X.shape}", "One column is X[['NAME']], one row X.iloc[[0]]."
    if isinstance(X, list | tuple) and X and isinstance(X[0], dict):
        return f"a list of {len(X)} dictionaries", f"pandas.DataFrame({what}) makes a table of it."
    if isinstance(X, list | tuple) and len({len(row) for row in X if isinstance(row, list)}) > 1:
        return (
            f"a list of {len(X)} rows of several lengths",
            "A request's rows have as many values each. Items of a row can be keys, {item: 1, …}: "
            "DictVectorizer and FeatureHasher(input_type='dict') take dictionaries.",
        )
    hint = f"Give {what} the form that the estimator was fitted on."
    if array.ndim:
        return f"shape {array.shape}", hint
    simple = X is None or isinstance(X, str | int | float)
    return (repr(X)[:40] if simple else type(X).__name__), hint
