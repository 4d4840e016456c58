"""What an estimator takes: the columns of a test set, and its rows as clients would send them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd

from onnxlet.convert.dates import held_as, unserved_dates
from onnxlet.convert.errors import Refusal
from onnxlet.convert.reference.column_types import (
    TYPES,
    Cells,
    InputColumn,
    cells_of,
    column_type,
    in_dtype,
    missing,
    type_of_values,
    whole_dtype,
)
from onnxlet.convert.reference.image_columns import with_texts
from onnxlet.convert.reference.row_forms import as_pandas, dictionaries, no_table, types_of_keys
from onnxlet.function.arrays import Array
from onnxlet.function.inputs.columns import ColumnType

__all__ = ["Cells", "Data", "InputColumn", "Inputs", "read_inputs"]

# What scikit-learn takes: a DataFrame, an array of shape (rows, columns), texts, or dictionaries.
Data = Any
Form = Literal["frame", "array", "texts", "series", "dictionaries"]


@dataclass(frozen=True)
class Inputs:
    """The columns of a test set, and its form."""

    columns: tuple[InputColumn, ...]  # in signature order
    # A DataFrame, a bare array, or only texts, as vectorisers take them, in an array of one
    # dimension or a Series; or a list of dictionaries, in which what is missing is not.
    form: Form
    # Text of a DataFrame is given in the dtype that it came in, and not as objects: scikit-lego's
    # selectors of types compare all dtypes with those of the fit, and code of pandas' answers by
    # the dtype: PyArrow has other letters in upper case, and other regular expressions.
    strict: bool = False

    @property
    def frame(self) -> bool:
        """The estimator is given a DataFrame."""
        return self.form == "frame"

    @property
    def labelled(self) -> bool:
        """The estimator is given something of pandas, which has an index."""
        return self.form in ("frame", "series")

    @property
    def uniform(self) -> bool:
        """A bare array of one type of values."""
        named = self.form in ("frame", "dictionaries")
        return not named and len({column.type for column in self.columns}) == 1

    @property
    def narrow(self) -> bool:
        """Some column is given in float32, which many estimators then compute in."""
        return any(column.type == "float32" and not column.wide for column in self.columns)

    def by_dtypes(self, rows: Sequence[Cells]) -> list[list[int]]:
        """Positions of the rows that a test set would hold in the same dtypes, kind by kind.

        One gap makes floats of a column of whole numbers, and objects of booleans; one number that
        is too large for a column makes 64 bits of it. The row of a request has no others beside it.
        """
        places = [p for p, column in enumerate(self.columns) if column.splits]
        ends = [(p, *self.columns[p].ends) for p in places if self.columns[p].ends]
        kinds: dict[Any, list[int]] = {}
        one_dtype = self.uniform
        for number, row in enumerate(rows if places else ()):
            gaps = [p for p in places if row[p] is None] if None in row else []
            large = [p for p, low, high in ends if not low <= (row[p] or 0) <= high]
            kind = (bool(gaps), bool(large)) if one_dtype else (*gaps, "", *large)
            kinds.setdefault(kind, []).append(number)
        return list(kinds.values()) or [list(range(len(rows)))]

    def data(self, rows: Sequence[Cells]) -> Data:
        """What scikit-learn is given for these rows, together: of one group, as a test set is."""
        if self.form == "dictionaries":
            keys = [column.label for column in self.columns]
            return [{k: v for k, v in zip(keys, row, strict=True) if v is not None} for row in rows]
        if rows and (matrix := self._matrix(rows)) is not None:
            labels = [column.label for column in self.columns]
            return pd.DataFrame(matrix, columns=labels) if self.frame else matrix
        by_column = list(zip(*rows, strict=True)) if rows else [()] * len(self.columns)
        if self.frame:
            return _frame(self.columns, by_column, self.strict)
        arrays = [c.as_array(cells) for c, cells in zip(self.columns, by_column, strict=True)]
        if self.form == "series":
            return pd.Series(arrays[0], name=self.columns[0].label, dtype=object)
        if self.form == "texts":
            return arrays[0]
        if self.uniform:
            return np.column_stack(arrays)
        mixed = np.empty((len(rows), len(arrays)), dtype=object)
        for position, array in enumerate(arrays):
            mixed[:, position] = array.tolist()
        return mixed

    def _matrix(self, rows: Sequence[Cells]) -> Array | None:
        """All cells in one array, the quicker way for hundreds of columns; None where none is."""
        if self._number == "int64" and not self.frame and not any(None in row for row in rows):
            return in_dtype(np.array(rows, dtype=np.int64), self.columns[0].whole)
        if self._number in (None, "int64"):
            return None
        matrix = np.array(rows, dtype=np.float64)
        if self._number == "float64":
            return matrix
        matrix = matrix.astype(np.float32)
        matrix = matrix.astype(np.float64) if self.columns[0].wide else matrix
        # As pandas holds columns that are given one by one: BLAS sums in the order of the memory.
        return np.asfortranarray(matrix) if self.frame else matrix

    @cached_property
    def _number(self) -> ColumnType | None:
        """The type of numbers that all columns have; None where they are not alike."""
        (found, _), *others = {(c.type, c.wide) for c in self.columns}
        if others or any(c.objects or c.category is not None for c in self.columns):
            return None
        return None if found in ("bool", "string") else found

    def in_float64(self) -> Inputs:
        """The same columns, with what is in float32 given in float64: the very same numbers."""
        narrow = [column.type == "float32" for column in self.columns]
        columns = zip(self.columns, narrow, strict=True)
        return replace(self, columns=tuple(replace(c, wide=c.wide or n) for c, n in columns))

    def once_rounded(self, rows: Sequence[Cells]) -> tuple[Inputs, list[Cells]]:
        """The numbers that estimators are given for these rows, and columns that leave them so.

        Where columns are wide, rows may then be moved by less than float32 can hold.
        """
        exact = replace(
            self,
            columns=tuple(
                replace(c, type="float64", wide=False) if c.wide else c for c in self.columns
            ),
        )
        by_column = zip(*rows, strict=True)
        given = [
            cells_of(pd.Series(column.as_array(cells)), "float64") if column.wide else cells
            for column, cells in zip(self.columns, by_column, strict=True)
        ]
        return exact, [list(row) for row in zip(*given, strict=True)]

    def rows(self, data: Data) -> list[Cells]:
        """The rows of a test set as JSON would hold them, None for a missing value."""
        if self.form == "array" and self._number in ("float64", "float32"):
            cells: list[Cells] = np.asarray(data, dtype=np.float64).tolist()
            return [[None if c != c else c for c in row] for row in cells]
        if self.form == "dictionaries":
            return [[TYPES[c.type].cell(row.get(c.label)) for c in self.columns] for row in data]
        by_column = [
            cells_of(_values(data, position, self.form), column.kind)
            for position, column in enumerate(self.columns)
        ]
        return [list(row) for row in zip(*by_column, strict=True)]


def read_inputs(
    X: Any,
    what: str = "X_test",
    keys: Mapping[str, ColumnType] | None = None,
    images: bool = False,
) -> tuple[Inputs, Data]:
    """The columns of a test set, and the same set as scikit-learn is given it in comparisons.

    Pandas' nullable types become what JSON can say: numbers, booleans, text. Messages call the rows
    `what`. `keys` are those of dictionaries that the estimator knows besides X's own; `images` says
    that it reads images: a column may hold them, in any form.

    Raises Refusal where a column holds something that has no column type, or X has no columns.
    """
    X, labels = with_texts(as_pandas(X, what), what, images)
    inputs, data = _read(X, what, keys)
    columns = tuple(replace(c, image=True) if c.label in labels else c for c in inputs.columns)
    return replace(inputs, columns=columns) if labels else inputs, data


def _read(X: Any, what: str, keys: Mapping[str, ColumnType] | None = None) -> tuple[Inputs, Data]:
    if (rows := dictionaries(X)) is not None:
        types = types_of_keys(rows, what, keys).items()
        return Inputs(tuple(InputColumn(k, k, kind) for k, kind in types), "dictionaries"), rows
    if isinstance(X, pd.DataFrame):
        return _read_frame(X, what)
    if hasattr(X, "toarray"):
        X = X.toarray()
    if _is_texts(X):
        return _read_texts(X, what)
    if isinstance(X, pd.Series) and X.dtype.kind in "biuf":
        return _read(X.to_frame(X.name if X.name is not None else "x0"), what)
    try:
        array = np.asarray(X)
        if array.dtype.kind in "US" and not isinstance(X, np.ndarray):
            array = np.asarray(X, dtype=object)  # a list of texts and numbers: both as they are
    except ValueError:  # rows of several lengths
        array = np.empty(0)
    if array.ndim == 1 and array.dtype.kind in "biuf" and len(array):
        array = array.reshape(-1, 1)  # as IsotonicRegression takes its one column
    if array.ndim != 2 or array.shape[1] == 0:
        raise no_table(X, what)
    ends = array.max(axis=0, initial=0) if array.dtype == np.uint64 else array[:, 0]
    whole = None if array.dtype == object else column_type(pd.Series(ends), what)
    columns = tuple(
        InputColumn(
            f"x{position}",
            position,
            whole or type_of_values(pd.Series(values, dtype=object), f"{what}, column {position}"),
            missing(values) if array.dtype == object else np.nan,
            whole=whole_dtype(array.dtype),
        )
        for position, values in enumerate(array.T)
    )
    if {column.type for column in columns} == {"int64", "float64"}:
        columns = tuple(replace(column, type="float64") for column in columns)
    return Inputs(columns, "array"), array


def _is_texts(X: Any) -> bool:
    """A list, a Series or an array of one dimension that holds text."""
    if isinstance(X, pd.Series) or (isinstance(X, np.ndarray) and X.ndim == 1):
        return any(isinstance(value, str) for value in X)
    return isinstance(X, list | tuple) and any(isinstance(value, str) for value in X)


def _read_texts(X: Any, what: str) -> tuple[Inputs, Data]:
    series = pd.Series(list(X), dtype=object)
    kind = type_of_values(series, what)
    named = getattr(X, "name", None)
    name = str(named) if named is not None else "x0"
    if isinstance(X, pd.Series):
        return Inputs((InputColumn(name, named, kind, missing(series)),), "series"), series
    return Inputs((InputColumn(name, 0, kind, missing(series)),), "texts"), series.to_numpy()


def _read_frame(X: pd.DataFrame, what: str) -> tuple[Inputs, Data]:
    names = [str(label) for label in X.columns]
    if not names:
        raise Refusal(
            f"{what} has no columns", "Give the columns that the estimator was fitted on."
        )
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise Refusal(
            f"{what}: columns {twice} are there more than once", "Give each its own name."
        )
    columns = tuple(
        _column(X.iloc[:, position], label, name, what)
        for position, (label, name) in enumerate(zip(X.columns, names, strict=True))
    )
    by_column = [cells_of(X.iloc[:, position], c.kind) for position, c in enumerate(columns)]
    return Inputs(columns, "frame"), _frame(columns, by_column)


def _column(series: pd.Series[Any], label: Any, name: str, what: str) -> InputColumn:
    dtype = series.dtype
    if dtype.kind == "M":
        if reason := unserved_dates(series, f"{what}, column '{name}'"):
            return InputColumn(name, label, "string", unserved=reason)
        return InputColumn(name, label, "string", date=held_as(dtype))
    try:
        kind = column_type(series, f"{what}, column '{name}'")
    except Refusal as refusal:
        return InputColumn(name, label, "string", unserved=refusal.message)
    category = dtype if isinstance(dtype, pd.CategoricalDtype) else None
    return InputColumn(
        name,
        label,
        kind,
        missing(series.astype(object)),
        category,
        objects=category is None and dtype.kind == "O" and kind in ("int64", "float64"),
        whole=whole_dtype(dtype),
        gaps=kind in ("int64", "bool") and bool(series.isna().any()),
        text=dtype if isinstance(dtype, pd.StringDtype) else None,
    )


def _frame(
    columns: Sequence[InputColumn], by_column: Sequence[Sequence[Any]], strict: bool = False
) -> pd.DataFrame:
    """A DataFrame whose columns have the dtypes that the test set's have."""
    pairs = enumerate(zip(columns, by_column, strict=True))
    series = {position: column.in_frame(cells, strict) for position, (column, cells) in pairs}
    return pd.DataFrame(series).set_axis([column.label for column in columns], axis=1)


def _values(data: Data, position: int, form: Form) -> Any:
    if form == "frame":
        return data.iloc[:, position]
    array = np.asarray(data)[:, position] if form == "array" else np.asarray(data)
    return pd.Series(array, dtype=array.dtype)
