"""DateParts: dates as numbers, in a pipeline of scikit-learn's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from onnxlet.convert.dates import RENAMED, forms
from onnxlet.function.arrays import Array
from onnxlet.function.inputs.dates import PARTS

USUAL = ("year", "month", "day", "weekday", "hour")
# In how many units each part begins anew.
PERIODS = {
    "month": 12, "day": 31, "weekday": 7, "hour": 24, "minute": 60, "second": 60, "quarter": 4,
    "dayofyear": 366, "iso_week": 53,
}  # fmt: skip
DAYS = "days"  # from 1970, with fractions
ISO = {"iso_year": "year", "iso_week": "week", "iso_day": "day"}
KNOWN = frozenset({DAYS, *PARTS} - {"microseconds", "nanosecond"})


class DateParts(TransformerMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """Parts of dates, float64, NaN where a date is missing.

    Args:
        parts: names as pandas' `.dt` has them (`year`, `month`, `day`, `hour`, `minute`, `second`,
            `weekday`, `dayofyear`, `quarter`, `is_month_end`, …), `iso_year`, `iso_week`,
            `iso_day`, and `days`, since 1970 with fractions.
        format: of dates that are text, for `strptime`; None takes the one form that the training
            rows have.
        zone: the time zone in which dates with an offset count, such as Europe/Berlin; None is
            the column's own, UTC for text.
        cyclic: a part that begins anew, such as the month, becomes its sine and cosine.
    """

    def __init__(
        self,
        parts: Sequence[str] = USUAL,
        *,
        format: str | None = None,  # noqa: A002 - the name that pandas and strptime have
        zone: str | None = None,
        cyclic: bool = False,
    ) -> None:
        self.parts = parts
        self.format = format
        self.zone = zone
        self.cyclic = cyclic

    def fit(self, X: Any, y: Any = None) -> DateParts:
        """Learn the form of dates that are text.

        Args:
            X: a DataFrame or array of dates or of text, of shape (rows, columns).
            y: is ignored.

        Raises:
            ValueError: a part is unknown, or a column of text has no one form.
        """
        one = isinstance(self.parts, str)  # a text, whose letters would be taken for parts
        unknown = [self.parts] if one else sorted(set(self.parts) - KNOWN)
        if unknown:
            raise ValueError(f"parts: expected a list of some of {sorted(KNOWN)}, got {unknown}")
        frame = _frame(X)
        self.n_features_in_ = frame.shape[1]
        if isinstance(X, pd.DataFrame):
            self.feature_names_in_ = np.array(X.columns, dtype=object)
        self.formats_ = [self._form(frame.iloc[:, at]) for at in range(frame.shape[1])]
        return self

    def _form(self, column: pd.Series[Any]) -> str | None:
        if column.dtype.kind == "M" or self.format is not None:
            return None if column.dtype.kind == "M" else self.format
        known = forms([str(text) for text in column.dropna()])
        if len(known) != 1:
            which = f"either of {known}" if known else "no form of dates that all texts have"
            raise ValueError(f"column '{column.name}': expected one form of dates, got {which}; "
                             "name it by format=")  # fmt: skip
        return known[0]

    def transform(self, X: Any) -> Array:
        """The parts, of shape (rows, columns times parts).

        Raises:
            ValueError: a text is no date of the form.
        """
        check_is_fitted(self)
        frame = _frame(X)
        if frame.shape[1] != self.n_features_in_:
            raise ValueError(f"expected {self.n_features_in_} columns, got {frame.shape[1]}")
        made = [
            self._turned(part, _part(self._moments(frame.iloc[:, at], form), part))
            for at, form in enumerate(self.formats_)
            for part in self.parts
        ]
        return np.column_stack([one for columns in made for one in columns])

    def _moments(self, column: pd.Series[Any], form: str | None) -> pd.Series[Any]:
        if form is not None:
            column = pd.to_datetime(column, format=form, utc="%z" in form)
        if getattr(column.dtype, "tz", None) is not None and self.zone is not None:
            column = column.dt.tz_convert(self.zone)
        return column

    def _turned(self, part: str, values: Array) -> list[Array]:
        if not self.cyclic or part not in PERIODS:
            return [values]
        angle = values * (2 * np.pi / PERIODS[part])
        return [np.sin(angle), np.cos(angle)]

    def get_feature_names_out(self, input_features: Any = None) -> Array:
        """`column_part`, and `column_part_sin`, `column_part_cos`."""
        count = self.n_features_in_
        names = getattr(self, "feature_names_in_", [f"x{at}" for at in range(count)])
        ends = {part: ("_sin", "_cos") for part in PERIODS if self.cyclic}
        parts = [part + end for part in self.parts for end in ends.get(part, ("",))]
        return np.array([f"{name}_{part}" for name in names for part in parts], dtype=object)


def _frame(X: Any) -> pd.DataFrame:
    return X if isinstance(X, pd.DataFrame) else pd.DataFrame(X)


def days_since(moments: pd.Series[Any]) -> Array:
    """Days since 1970 with fractions, by the clock of the zone; float64, NaN for a missing date."""
    if getattr(moments.dtype, "tz", None) is not None:
        moments = moments.dt.tz_localize(None)
    return ((moments - pd.Timestamp(0)) / pd.Timedelta(days=1)).to_numpy(dtype=np.float64)


def _part(moments: pd.Series[Any], part: str) -> Array:
    """Float64, NaN for a missing date."""
    if part == DAYS:
        return days_since(moments)
    taken = (
        moments.dt.isocalendar()[ISO[part]]
        if part in ISO
        else getattr(moments.dt, RENAMED.get(part, part))
    )
    values = taken.astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(moments.isna(), np.nan, values)
