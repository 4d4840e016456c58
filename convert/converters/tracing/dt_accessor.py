"""Dates: `pd.to_datetime`, `.dt`, and differences between dates.

The front end takes dates apart before the graph, so that it needs columns as they come in.
Sources: `pandas/core/indexes/accessors.py`, `pandas/core/tools/datetimes.py`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from onnxlet.convert.converters.tracing.base import check_options, elementwise, methods, refuse
from onnxlet.convert.graph import dates
from onnxlet.convert.graph.converter import DATE, Table, Tensor, Unsupported
from onnxlet.function.inputs.dates import PARTS

NUMBERS = frozenset({*PARTS, *dates.ALIASES} - {"iso_year", "iso_week", "iso_day", "microseconds"})
TEXTS = {"day_name": "%A", "month_name": "%B"}
UNITS = {"D": timedelta(days=1), "h": timedelta(hours=1), "min": timedelta(minutes=1),
         "s": timedelta(seconds=1)}  # fmt: skip
MICROSECOND = timedelta(microseconds=1)
DAY, SECOND = UNITS["D"] / MICROSECOND, UNITS["s"] / MICROSECOND  # in microseconds
COLUMNS = "Read dates from a column of text as it comes in, or give X_test a column of dates."


def to_datetime(arg: Any, **options: Any) -> Any:
    """`pd.to_datetime` of a column."""
    form, utc = options.pop("format", None), options.pop("utc", False)
    check_options("to_datetime", options, errors=("raise", "coerce"), dayfirst=(True, False),
                  yearfirst=(False,), cache=(True, False), exact=(True,))  # fmt: skip
    if not getattr(arg, "_flat", False):
        refuse("pd.to_datetime of other than one column has no conversion", COLUMNS)
    coerced = options.get("errors") == "coerce"
    return arg._mapped(lambda x: _read(x, form, bool(utc), coerced))


def _read(x: Tensor, form: Any, utc: bool, coerced: bool) -> Tensor:
    if x.dtype == DATE:
        return _moments(x) if utc else x
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
        return dates.from_text(x, form, coerced=coerced and form != known)
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
        if name.startswith("is_"):  # False where the date is missing
            return self._made(lambda x: dates.parts(x, [name]).equals(1.0))
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

    def floor(self, freq: Any) -> Any:
        """Down to whole days, hours, minutes or seconds."""
        if freq not in UNITS:
            refuse(f".dt.floor({freq!r:.40}) has no conversion", f"Use {', '.join(UNITS)}.")
        return self._made(lambda x: dates.floored(x, UNITS[freq]))

    def tz_localize(self, tz: Any) -> Any:
        """The same clock in UTC, or in no zone."""
        if tz not in (None, "UTC"):
            refuse(f"the clock of the zone {tz!r:.40} has hours twice, and others not at all")
        return self._made(dates.as_they_stand)

    def tz_convert(self, tz: Any) -> Any:
        """The clock of another zone, or of UTC without one."""
        moments = _moments(self._series._tensor)
        return self._made(lambda _: moments if tz is None else dates.in_zone(moments, str(tz)))


class Duration:
    """The difference between two dates, in microseconds; `.dt.days` takes it apart."""

    def __init__(self, microseconds: Any) -> None:
        self._microseconds = microseconds

    def _made(self, function: Callable[[Tensor], Tensor]) -> Any:
        """A column of numbers: microseconds need float64, what is made of them does not."""
        return self._microseconds._mapped(lambda x: function(x).cast(x.graph.precision))

    def __getattr__(self, name: str) -> Any:
        if name == "dt":
            return self
        if name in WHOLE:
            return self._made(WHOLE[name])
        return refuse(f"a difference between dates has no .{name} in a graph", "Take its .dt.days.")


def _comparison(name: str) -> Callable[[Duration, Any], Any]:
    def compare(self: Duration, other: Any) -> Any:
        bound = _constant(other)
        return self._microseconds._mapped(lambda x: getattr(x, name)(bound))

    return compare


def _quotient(change: Callable[[Tensor], Tensor]) -> Callable[[Duration, Any], Any]:
    def divided(self: Duration, other: Any) -> Any:
        unit = _constant(other)
        return self._made(lambda x: change(x / unit))

    return divided


def _constant(value: Any) -> float:
    """A difference between dates in microseconds."""
    if isinstance(value, str | timedelta | np.timedelta64):
        return pd.Timedelta(value).to_pytimedelta() / MICROSECOND
    return refuse(f"it computes with a difference between dates and {value!r:.40}")


def _floor(x: Tensor) -> Tensor:
    return x.unary("Floor")


# Parts of a difference, of microseconds: whole days, and whole seconds beside these.
WHOLE: Mapping[str, Callable[[Tensor], Tensor]] = {
    "days": lambda x: _floor(x / DAY),
    "seconds": lambda x: _floor((x - _floor(x / DAY) * DAY) / SECOND),
}
methods(
    DtAccessor,
    {
        "strftime": lambda self, date_format: self._made(lambda x: dates.formatted(x, date_format)),
        "normalize": lambda self: self.floor("D"),
    },
)
methods(
    Duration,
    {
        "total_seconds": lambda self: self._made(lambda x: x / SECOND),
        "__abs__": lambda self: Duration(self._microseconds._mapped(lambda x: x.unary("Abs"))),
        "__neg__": lambda self: Duration(self._microseconds._mapped(lambda x: -x)),
        "__truediv__": _quotient(lambda x: x),
        "__floordiv__": _quotient(_floor),
        **{name: _comparison(name) for name in ("__lt__", "__le__", "__gt__", "__ge__")},
    },
)


def operated(function: Any, operands: Any) -> Any:
    """An operation of NumPy on dates: their difference, or which is earlier."""
    if function is np.subtract and isinstance(operands[1], timedelta | np.timedelta64):
        refuse("it moves dates by a time", "Subtract dates from each other.")
    if function is not np.subtract and function not in COMPARED:
        refuse(f"it computes np.{function.__name__} of dates", "Take their parts by .dt.")
    given = [_operand(operand) for operand in operands]
    if function is np.subtract:
        return Duration(elementwise(lambda x, y: x - y, *given))
    return elementwise(COMPARED[function], *given)


# Of tensors in float64: as numbers of the graph, microseconds would be rounded to minutes.
COMPARED: Mapping[Any, Callable[[Any, Any], Any]] = {
    np.less: operator.lt,
    np.less_equal: operator.le,
    np.greater: operator.gt,
    np.greater_equal: operator.ge,
    np.equal: lambda x, y: _equal(x, y),
    np.not_equal: lambda x, y: ~_equal(x, y),
}


def _equal(x: Any, y: Any) -> Tensor:
    return x.equals(y) if isinstance(x, Tensor) else y.equals(x)


def _operand(operand: Any) -> Any:
    if hasattr(operand, "_tensor") and operand._tensor.dtype == DATE:
        return operand._mapped(lambda x: dates.microseconds(_moments(x)))
    if isinstance(operand, str | datetime | np.datetime64):
        moment = pd.Timestamp(operand)
        if moment.tz is not None:
            moment = moment.tz_convert("UTC").tz_localize(None)
        return float((moment.to_pydatetime() - datetime(1970, 1, 1)) // MICROSECOND)
    return refuse(f"it computes with dates and {operand!r:.40}", "Compare dates with dates.")


def _moments(x: Tensor) -> Tensor:
    try:
        return dates.as_moments(x)
    except Unsupported as error:
        return refuse(str(error), error.hint)


def is_date(operand: Any) -> bool:
    """Whether an operand is a column of dates."""
    return hasattr(operand, "_tensor") and operand._tensor.dtype == DATE
