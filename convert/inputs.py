"""What an estimator takes: the columns of a test set, and its rows as clients would send them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from convert.errors import Refusal
from function.signature import Array, ColumnType

Data = Any  # a DataFrame, or an array of shape (rows, columns): what scikit-learn takes
Cells = list[Any]  # one row, in signature order, as JSON would hold it


@dataclass(frozen=True)
class InputColumn:
    """One column of the test set.

    Attributes:
        name: as clients say it.
        label: as the DataFrame has it, or the position in an array.
        type: what values it holds.
        missing: what stands for a missing value in it: NaN, or None where the test set has that.
    """

    name: str
    label: Any
    type: ColumnType
    missing: Any = np.nan


@dataclass(frozen=True)
class Inputs:
    """The columns of a test set, and whether it is a DataFrame or a bare array.

    Attributes:
        columns: in signature order.
        frame: the estimator is given a DataFrame.
    """

    columns: tuple[InputColumn, ...]
    frame: bool

    def data(self, rows: Sequence[Cells]) -> Data:
        """What scikit-learn is given for these rows: a DataFrame, or an array."""
        by_column = list(zip(*rows, strict=True)) if rows else [()] * len(self.columns)
        arrays = [_array(c, cells) for c, cells in zip(self.columns, by_column, strict=True)]
        if not self.frame:
            return np.column_stack(arrays)
        return _frame(arrays, [column.label for column in self.columns])

    def rows(self, data: Data) -> list[Cells]:
        """The rows of a test set as JSON would hold them, None for a missing value."""
        by_column = [_cells(_values(data, c.label, self.frame), c.type) for c in self.columns]
        return [list(row) for row in zip(*by_column, strict=True)]


def read_inputs(X: Any) -> tuple[Inputs, Data]:
    """The columns of a test set, and the same set in NumPy's own types.

    Categoricals and pandas' nullable types become what JSON can say: numbers, booleans, text.

    Raises:
        Refusal: a column holds something that has no column type, or X has no columns.
    """
    if isinstance(X, pd.DataFrame):
        return _read_frame(X)
    if hasattr(X, "toarray"):
        X = X.toarray()
    try:
        array = np.asarray(X)
    except ValueError:  # rows of several lengths
        array = np.empty(0)
    if array.ndim != 2 or array.shape[1] == 0:
        raise Refusal(
            f"X_test: expected a DataFrame or an array of shape (rows, columns), got {array.shape}",
            "Give the test set the form that the estimator was fitted on, with two dimensions.",
        )
    kind = _column_type(pd.Series(array.ravel()), "X_test")
    columns = tuple(
        InputColumn(f"x{place}", place, kind, _missing(values))
        for place, values in enumerate(array.T)
    )
    return Inputs(columns, frame=False), array


def _read_frame(X: pd.DataFrame) -> tuple[Inputs, Data]:
    names = [str(label) for label in X.columns]
    if not names:
        raise Refusal("X_test has no columns", "Give the columns that the estimator was fitted on.")
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise Refusal(f"X_test: columns {twice} stand there twice", "Give each its own name.")
    columns, plain = [], []
    for place, (label, name) in enumerate(zip(X.columns, names, strict=True)):
        series = X.iloc[:, place]
        kind = _column_type(series, f"X_test, column '{name}'")
        column = InputColumn(name, label, kind, _missing(series.astype(object)))
        columns.append(column)
        plain.append(_array(column, _cells(series, kind)))
    return Inputs(tuple(columns), frame=True), _frame(plain, list(X.columns))


def _frame(arrays: Sequence[Array], labels: Sequence[Any]) -> pd.DataFrame:
    """A DataFrame whose columns keep their arrays' dtypes: pandas would make text of objects."""
    series = {place: pd.Series(array, dtype=array.dtype) for place, array in enumerate(arrays)}
    return pd.DataFrame(series).set_axis(list(labels), axis=1)


def _missing(values: Iterable[Any]) -> Any:
    return None if any(value is None for value in values) else np.nan


def _column_type(series: pd.Series[Any], place: str) -> ColumnType:
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
        return _type_of_values(series, place)
    raise Refusal(
        f"{place}: values of type {dtype} have no form in a request",
        "Turn the column into numbers or text before the pipeline.",
    )


def _type_of_values(series: pd.Series[Any], place: str) -> ColumnType:
    """The one type of a column of Python objects."""
    kinds = {_kind(value): value for value in series[series.notna()]}
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
        f"{place}: expected values of one type, got {shown}",
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


def _values(data: Data, label: Any, frame: bool) -> Any:
    if frame:
        return data[label]
    array = np.asarray(data)[:, label]
    return pd.Series(array, dtype=array.dtype)


def _cells(series: pd.Series[Any], kind: ColumnType) -> Cells:
    missing = series.isna().to_numpy()
    make = {"string": str, "bool": bool, "int64": int}.get(kind, float)
    return [None if m else make(v) for v, m in zip(series.tolist(), missing, strict=True)]


def _array(column: InputColumn, cells: Sequence[Any]) -> Array:
    """The cells of one column as scikit-learn is given them."""
    some_missing = any(cell is None for cell in cells)
    if column.type in ("float64", "float32") or (column.type == "int64" and some_missing):
        dtype = "float64" if column.type == "int64" else column.type
        return np.array([np.nan if c is None else c for c in cells], dtype=np.float64).astype(dtype)
    if column.type == "string" or some_missing:
        array = np.empty(len(cells), dtype=object)
        array[:] = [column.missing if cell is None else cell for cell in cells]
        return array
    return np.array(cells, dtype=column.type)
