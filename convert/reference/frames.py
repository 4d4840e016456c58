"""Frames of other libraries than pandas: polars, PyArrow and whatever else narwhals knows.

Their columns have names, and these are the signature's. Comparisons give scikit-learn the same
columns as a DataFrame of pandas; that it answers X_test itself in the same way is asked before.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd

from onnxlet.convert.errors import Refusal

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
            f"{what}: a {_kind(X)} is read by narwhals, which is not installed",
            "pip install narwhals, or give a DataFrame of pandas.",
        ) from error
    native = narwhals.from_native(X, allow_series=True, pass_through=True)
    if isinstance(native, narwhals.LazyFrame):
        raise Refusal(
            f"{what}: a {_kind(X)} has no rows yet", f"Collect them first: {what}.collect()."
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


def _kind(X: Any) -> str:
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
