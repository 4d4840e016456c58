"""Dates: `pd.to_datetime`, `.dt`, and differences between dates.

The front end takes dates apart before the graph, so that it needs columns as they come in.
Sources: `pandas/core/indexes/accessors.py`, `pandas/core/tools/datetimes.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from onnxlet.convert.converters.tracing.columns_base import elementwise
from onnxlet.convert.converters.tracing.refusal import check_options, refuse
from onnxlet.convert.graph import dates
from onnxlet.convert.graph.converter import DATE, Table, Tensor, Unsupported
from onnxlet.function.inputs.dates import PARTS

NUMBERS = frozenset({*PARTS, *dates.ALIASES} - {"iso_year", "iso_week", "iso_day", "microseconds"})
TEXTS = {"day_name": "%A", "month_name": "%B"}
UNITS = {"D": timedelta(days=1), "h": timedelta(hours=1), "min": timedelta(minutes=1),
         "s": timedelta(seconds=1)}  # fmt: skip
MICROSECOND = timedelta(microseconds=1)
COLUMNS = "Read dates from a column of text as it comes in, or give X_test a column of dates."


def to_datetime(arg: Any, **options: Any) -> Any:
    """`pd.to_datetime` of a column."""
    form, utc = options.pop("format", None), options.pop("utc", False)
    check_options("to_datetime", options, errors=("raise", "coerce"), dayfirst=(True, False),
                  yearfirst=(False,), cache=(True, False), exact=(True,))  # fmt: skip
    if not getattr(arg, "_flat", False):
        refuse("pd.to_datetime of other than one column has no conversion", COLUMNS)
    return arg._mapped(lambda x: _read(x, form, bool(utc)))


def _read(x: Tensor, form: Any, utc: bool) -> Tensor:
    if x.dtype == DATE:
        return x
    known = dates.form_of(x)
    form = known if form is None else form
    if form is None:
        refuse(
            "pd.to_datetime guesses the form of dates from the rows that come together",
            "Give it the form of your dates, such as format='%Y-%m-%d'.",
        )
    if form in ("ISO8601", "mixed"):
        form = known or refuse(f"format='{form}' takes dates of several forms", "Name one form.")
    if "%z" in form and not utc:
        refuse("dates with an offset are in a zone of their own", "Use utc=True.")
    try:
        return dates.from_text(x, form)
    except Unsupported as error:
        refuse(str(error), COLUMNS)


class DtAccessor:
    """`.dt` of a column of dates."""

    def __init__(self, series: Any) -> None:
        if series._tensor.dtype != DATE:
            raise AttributeError("Can only use .dt accessor with datetimelike values")
        self._series = series

    def __getattr__(self, name: str) -> Any:
        if name in NUMBERS:
            return self._part(name)
        if name in TEXTS:
            return lambda locale=None: self.strftime(TEXTS[name])
        return refuse(f"a date's .dt.{name} has no conversion")

    def _part(self, name: str) -> Any:
        return self._made(lambda x: dates.parts(x, [name]))

    def _made(self, function: Callable[[Tensor], Tensor]) -> Any:
        return self._series._like(Table((function(self._series._tensor),)))

    def isocalendar(self) -> Any:
        """A frame of the year, week and day of ISO 8601."""
        names = ("iso_year", "iso_week", "iso_day")
        made = self._made(lambda x: x).to_frame("year")
        for label, name in zip(("year", "week", "day"), names, strict=True):
            made[label] = self._part(name)
        return made

    def strftime(self, date_format: str) -> Any:
        """Text, as `strftime` writes it."""
        return self._made(lambda x: dates.formatted(x, date_format))

    def normalize(self) -> Any:
        """Midnight of the day."""
        return self.floor("D")

    def floor(self, freq: Any) -> Any:
        """Down to whole days, hours, minutes or seconds."""
        if freq not in UNITS:
            refuse(f".dt.floor({freq!r:.40}) has no conversion", f"Use {', '.join(UNITS)}.")
        return self._made(lambda x: dates.floored(x, UNITS[freq]))

    def tz_localize(self, tz: Any) -> Any:
        """The same clock in UTC, or in no zone."""
        if tz not in (None, "UTC"):
            refuse(f"the clock of the zone {tz!r:.40} has hours twice, and others not at all")
        return self._made(lambda x: x)

    def tz_convert(self, tz: Any) -> Any:
        """The clock of another zone; the dates have to be in UTC."""
        steps = self._series._tensor.steps
        if any(step["step"] == "date_in_zone" for step in steps):
            refuse("a time zone after another has no conversion", "Begin with utc=True.")
        return self._made(lambda x: x if tz is None else dates.in_zone(x, str(tz)))


class Duration:
    """The difference between two dates, in microseconds; `.dt.days` takes it apart."""

    def __init__(self, microseconds: Any) -> None:
        self._microseconds = microseconds

    @property
    def dt(self) -> Duration:
        """Itself."""
        return self

    @property
    def days(self) -> Any:
        """Whole days, down."""
        return self._whole(timedelta(days=1))

    @property
    def seconds(self) -> Any:
        """Whole seconds beside whole days."""
        return self._whole(timedelta(seconds=1)) - self.days * 86_400

    def total_seconds(self) -> Any:
        """All seconds, with fractions."""
        return _to_precision(self._microseconds / 1e6)

    def _whole(self, unit: timedelta) -> Any:
        return _to_precision(np.floor(self._microseconds / (unit / MICROSECOND)))

    def __truediv__(self, other: Any) -> Any:
        return _to_precision(self._microseconds / (_constant(other) / MICROSECOND))

    def __floordiv__(self, other: Any) -> Any:
        return self._whole(_constant(other))

    def __abs__(self) -> Duration:
        return Duration(abs(self._microseconds))

    def __neg__(self) -> Duration:
        return Duration(-self._microseconds)

    def __getattr__(self, name: str) -> Any:
        return refuse(f"a difference between dates has no .{name} in a graph", "Take its .dt.days.")


def _comparison(name: str) -> Callable[[Duration, Any], Any]:
    def compare(self: Duration, other: Any) -> Any:
        return getattr(self._microseconds, name)(_constant(other) / MICROSECOND)

    return compare


for _name in ("__lt__", "__le__", "__gt__", "__ge__"):
    setattr(Duration, _name, _comparison(_name))


def _constant(value: Any) -> timedelta:
    if isinstance(value, str | timedelta | np.timedelta64):
        return pd.Timedelta(value).to_pytimedelta()
    return refuse(f"it computes with a difference between dates and {value!r:.40}")


def _to_precision(made: Any) -> Any:
    return made._mapped(lambda x: x.cast(x.graph.precision))


def operated(function: Any, operands: Any) -> Any:
    """An operation of NumPy on dates: their difference, or which is earlier."""
    if function is np.subtract and isinstance(operands[1], timedelta | np.timedelta64):
        refuse("it moves dates by a time", "Subtract dates from each other.")
    if function not in (np.subtract, *COMPARED):
        refuse(f"it computes np.{function.__name__} of dates", "Take their parts by .dt.")
    given = [_operand(operand) for operand in operands]
    if function is np.subtract:
        return Duration(elementwise(lambda x, y: x - y, *given))
    return function(*given)


COMPARED = (np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal)


def _operand(operand: Any) -> Any:
    if hasattr(operand, "_tensor") and operand._tensor.dtype == DATE:
        return operand._mapped(dates.microseconds)
    if isinstance(operand, str | datetime | np.datetime64):
        moment = pd.Timestamp(operand)
        if moment.tz is not None:
            moment = moment.tz_convert("UTC").tz_localize(None)
        return float((moment.to_pydatetime() - datetime(1970, 1, 1)) // MICROSECOND)
    return refuse(f"it computes with dates and {operand!r:.40}", "Compare dates with dates.")


def is_date(operand: Any) -> bool:
    """Whether an operand is a column of dates."""
    return hasattr(operand, "_tensor") and operand._tensor.dtype == DATE
