"""What kind of values a column of a test set holds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from onnxlet.convert.errors import Refusal
from onnxlet.convert.reference.images import FIRST, UNREAD, shows_image
from onnxlet.function.arrays import EXACT
from onnxlet.function.inputs.columns import ColumnType

INSTEAD = {
    "Decimal": "make floats of them, by .astype(float)",
    "bytes": "make text of them, by .str.decode('utf-8')",
    "timedelta": "make seconds of them, by pd.to_timedelta(column).dt.total_seconds()",
    **dict.fromkeys(("date", "datetime", "Timestamp"), "make dates, by pd.to_datetime(column)"),
    **dict.fromkeys(("dict", "list", "tuple", "ndarray"), "make a column of each part"),
}


def missing(values: Iterable[Any]) -> Any:
    """What stands for a missing value among these: None where there is one, else NaN."""
    return None if any(value is None for value in values) else np.nan


def column_type(series: pd.Series[Any], what: str) -> ColumnType:
    """The column type of a Series, by its dtype, or by its values where these are objects.

    Raises Refusal where no request can carry its values.
    """
    if isinstance(series.dtype, pd.CategoricalDtype):
        series = series.cat.categories.to_series()  # a gap beside them is no category
    dtype = series.dtype
    if pd.api.types.is_bool_dtype(dtype):
        return "bool"
    if pd.api.types.is_integer_dtype(dtype):
        return _type_of_whole(series.dropna(), len(series), what)
    if pd.api.types.is_float_dtype(dtype):
        return "float32" if dtype in (np.float32, np.float16) else "float64"
    if dtype.kind == "O" or isinstance(dtype, pd.StringDtype):
        return type_of_values(series, what)
    raise Refusal(
        f"{what}: values of type {dtype} have no form in a request",
        "Turn the column into numbers or text before the pipeline.",
    )


def type_of_values(series: pd.Series[Any], what: str) -> ColumnType:
    """The one type of a column of Python objects.

    Raises Refusal where they are of several types, or of one that no request can carry.
    """
    kinds = {_kind(value): value for value in series[series.notna()]}
    if any(map(shows_image, kinds.values())):
        raise Refusal(f"{what}: {UNREAD}; put onnxlet.Images first", FIRST)
    if len(kinds) == 1 and (other := {*kinds} - {"bool", "int64", "float64", "string"}):
        [kind], [value] = other, kinds.values()
        raise Refusal(
            f"{what}: values of type {kind} have no form in a request, such as {repr(value)[:40]}: "
            f"{INSTEAD.get(kind, 'make text of them, by .astype(str)')}",
            "Fit on a column that holds numbers or text, and give X_test the same.",
        )
    if set(kinds) <= {"string"}:
        return "string"
    if set(kinds) == {"bool"}:
        return "bool"
    if set(kinds) <= {"int64", "float64"}:
        return _type_of_whole(series[[_kind(v) == "int64" for v in series]], len(series), what, -1)
    shown = " and ".join(repr(value)[:40] for value in list(kinds.values())[:2])
    raise Refusal(
        f"{what}: expected values of one type, got {shown}",
        "Give the column one type: numbers, booleans or text.",
    )


def whole_dtype(dtype: Any) -> str:
    """NumPy's dtype of a column's whole numbers; int64 where it holds others, or objects."""
    held = getattr(dtype, "numpy_dtype", getattr(dtype, "subtype", dtype))
    return held.name if isinstance(held, np.dtype) and held.kind in "iu" else "int64"


def _type_of_whole(whole: pd.Series[Any], rows: int, what: str, most: int = EXACT) -> ColumnType:
    """int64; float64 beside gaps or fractions, where some number is larger than the most."""
    ends = [int(whole.min()), int(whole.max())] if len(whole) else []
    if large := [value for value in ends if not -(2**63) <= value < 2**63]:
        raise Refusal(
            f"{what}: {large[0]} does not fit a 64-bit integer, and a request carries none that is "
            "larger: give it as text, or as floats where not every digit counts",
            "Turn the column into text or floats before the pipeline.",
        )
    return "float64" if len(whole) < rows and max(map(abs, ends), default=1) > most else "int64"


def _kind(value: Any) -> str:
    for name, types in (
        ("bool", bool | np.bool_),
        ("int64", int | np.integer),
        ("float64", float | np.floating),
        ("string", str),
    ):
        if isinstance(value, types):
            return name
    return type(value).__name__
