"""What kind of values a column of a test set holds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from onnxlet.convert.errors import Refusal
from onnxlet.convert.reference.images import FIRST, UNREAD, shows_image
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

    Raises:
        Refusal: no request can carry its values.
    """
    if isinstance(series.dtype, pd.CategoricalDtype):
        series = series.astype(series.cat.categories.dtype if series.notna().all() else object)
    dtype = series.dtype
    if pd.api.types.is_bool_dtype(dtype):
        return "bool"
    if pd.api.types.is_integer_dtype(dtype):
        return "int64"
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

    Raises:
        Refusal: they are of several types, or of one that no request can carry.
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
    if set(kinds) == {"int64"} and series.notna().all():
        return "int64"
    if set(kinds) <= {"int64", "float64"}:
        return "float64"
    shown = " and ".join(repr(value)[:40] for value in list(kinds.values())[:2])
    raise Refusal(
        f"{what}: expected values of one type, got {shown}",
        "Give the column one type: numbers, booleans or text.",
    )


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
