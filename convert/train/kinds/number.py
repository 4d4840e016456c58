"""A column's values in the type that its kind is fitted on, and served with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from onnxlet.convert.problems import counted
from onnxlet.convert.train.kinds.date import as_dates
from onnxlet.convert.train.numbers_as_text import as_floats, numbers_in

YES = frozenset(("true", "yes", "y", "t", "1", "1.0", "on"))
NO = frozenset(("false", "no", "n", "f", "0", "0.0", "off"))


class Made(NamedTuple):
    """A column as a pipeline takes it.

    Attributes:
        column: its values.
        notes: what became of those that are of another type.
    """

    column: pd.Series[Any]
    notes: list[str]


def as_number(column: pd.Series[Any], form: str | None) -> Made:
    """In int64 where all are whole numbers in a type of those, else in float64."""
    name, kind = str(column.name), column.dtype.kind
    if kind in "iub" and not column.isna().any():
        wide = kind != "u" or not len(column) or column.max() < 2**63
        return Made(column.astype(np.int64 if wide else np.float64), [])
    if kind not in "iufb":
        if isinstance(column.dtype, pd.CategoricalDtype):
            column = column.astype(object)
        if pd.api.types.infer_dtype(column, skipna=True) not in _OF_NUMBERS:
            return _read(column)
    values = as_floats(column)
    infinite = np.isinf(values)
    if not infinite.any():
        return Made(pd.Series(values, index=column.index, name=name), [])
    count, where = int(infinite.sum()), int(np.argmax(infinite)) + 1
    said = (
        f"'{name}': {counted(count, 'infinite value')} taken as missing, the first in row "
        f"{where:,} of those with a target"
    )
    finite = np.where(infinite, np.nan, values)
    return Made(pd.Series(finite, index=column.index, name=name), [said])


_OF_NUMBERS = ("integer", "floating", "mixed-integer-float", "decimal", "boolean")


def _read(column: pd.Series[Any]) -> Made:
    """Of text that holds numbers."""
    name, known = str(column.name), column.dropna()
    read = numbers_in(known.map(str))
    if read is None:
        nothing = pd.Series(np.full(len(column), np.nan), index=column.index, name=name)
        return Made(nothing, [_unread(name, len(known), "numbers", nothing, column)])
    values = read.values.where(np.isfinite(read.values), np.nan).reindex(column.index)
    notes = list[str]()
    if read.said:
        notes.append(f"'{name}': numbers {read.said} are read; clients send plain numbers")
    if read.gaps:
        notes.append(
            f"'{name}': {counted(read.gaps, 'value')} such as '?' and blanks taken as missing"
        )
    if read.unread:
        notes.append(_unread(name, read.unread, "numbers", values, column))
    return Made(values.rename(name), notes)


def _unread(name: str, count: int, what: str, made: pd.Series[Any], column: pd.Series[Any]) -> str:
    first = int(np.argmax((made.isna() & column.notna()).to_numpy())) + 1
    verb = "is" if count == 1 else "are"
    return (
        f"'{name}': {counted(count, 'value')} {verb} no {what}, and taken as missing; the first is "
        f"in row {first:,} of those with a target"
    )


def as_category(column: pd.Series[Any], form: str | None) -> Made:
    """Text in objects with NaN for a gap, booleans, or numbers."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        kinds = column.cat.categories.dtype
        column = column.astype(kinds if column.notna().all() else object)
    kind = pd.api.types.infer_dtype(column, skipna=True)
    if kind == "boolean":
        return as_boolean(column, form)
    if kind in _OF_NUMBERS:
        return as_number(column, form)
    return as_text(column, form)


def as_text(column: pd.Series[Any], form: str | None) -> Made:
    """Text in objects, the same text once in memory; NaN for a gap."""
    codes, uniques = pd.factorize(column)
    texts = np.empty(len(uniques) + 1, dtype=object)
    texts[:-1] = [value if type(value) is str else str(value) for value in uniques]
    texts[-1] = np.nan  # the code of what is missing is -1
    return Made(pd.Series(texts[codes], index=column.index, name=column.name, dtype=object), [])


def as_date(column: pd.Series[Any], form: str | None) -> Made:
    """Text of one form in objects, NaN for a gap."""
    if column.dtype.kind in "iuf":
        texts = column.map(lambda value: f"{value:.0f}", na_action="ignore")
        column = texts.astype(object)
    made = as_dates(column, form or "").rename(str(column.name))
    missing = int(made.isna().sum() - column.isna().sum())
    what = f"dates written as {form} between 1700 and 2250"
    notes = [_unread(str(column.name), missing, what, made, column)] if missing else []
    return Made(made, notes)


def as_boolean(column: pd.Series[Any], form: str | None) -> Made:
    """In bool, or where some are missing in objects with NaN."""
    if column.dtype == bool:
        return Made(column, [])
    codes, uniques = pd.factorize(column)
    values = np.empty(len(uniques) + 1, dtype=object)
    values[:-1] = [_truth(value) for value in uniques]
    values[-1] = np.nan
    made = pd.Series(values[codes], index=column.index, name=column.name, dtype=object)
    missing = int(made.isna().sum() - (codes < 0).sum())
    notes = [_unread(str(column.name), missing, "booleans", made, column)] if missing else []
    if not made.isna().any():
        return Made(made.astype(bool), notes)
    return Made(made, notes)


def _truth(value: object) -> Any:
    text = str(value).strip().casefold()
    return True if text in YES else False if text in NO else np.nan


MADE: Mapping[str, Callable[[pd.Series[Any], str | None], Made]] = {
    "number": as_number,
    "category": as_category,
    "text": as_text,
    "date": as_date,
    "boolean": as_boolean,
}
