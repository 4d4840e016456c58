"""The front end for dates: read from text, and taken apart as pandas does.

A step's cell is a `datetime` without a zone, or None where the date is missing. Python's
`datetime` counts the days of the Gregorian calendar as pandas does; microseconds are the least
that it holds.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from calendar import isleap, monthrange
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from math import nan
from operator import attrgetter
from typing import Any

from onnxlet.function.arrays import MISSING_TEXT

Moment = datetime | None

# Microseconds from 1970 to dates between these are whole numbers in float64, and fit pandas'
# nanoseconds in int64.
LEAST, GREATEST = datetime(1700, 1, 1), datetime(2250, 12, 31, 23, 59, 59, 999999)
LEAST_NS = datetime(1677, 9, 21, 0, 12, 43, 145225)  # of 64 bits of nanoseconds
GREATEST_NS = datetime(2262, 4, 11, 23, 47, 16, 854775)
EPOCH = datetime(1970, 1, 1)
DECIMALS = re.compile(r"\.(?![0-9])|(\.[0-9]{6})[0-9]{1,3}(?![0-9])")
WHOLE_HOURS = re.compile(r"[+-][0-9]{2}$")
ISO = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)?)?", re.ASCII
)
CACHED = 10_000  # dates of one format; each is read when it is checked and again for the graph


@lru_cache(CACHED)
def read(text: str, form: str | None = None, offset: bool = False) -> Moment:
    """A date as it is written, in UTC where it has an offset; None where it is no such date.

    It is of ISO 8601, such as 2026-03-05 or 2026-03-05T14:30:00, with an offset from UTC (Z,
    +02:00) or without as asked; or of a form for `strptime`, and then what `strftime` would write.
    """
    try:
        if form is not None:
            made = datetime.strptime(text, form)
            if not _is_as_written(made, text, form):
                return None
        else:
            found = ISO.fullmatch(text)
            if not found or (found[1] is not None) != offset:
                return None
            made = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        return None
    try:
        moment = made.astimezone(UTC).replace(tzinfo=None) if made.tzinfo else made
    except OverflowError:
        return None
    return moment if LEAST <= moment <= GREATEST else None


def _is_as_written(made: datetime, text: str, form: str) -> bool:
    """Python reads 2026-3-5 by %Y-%m-%d, too, and pandas only some of such forms."""
    if (made.utcoffset() or timedelta(0)) % timedelta(minutes=1):
        return False  # pandas leaves the seconds of an offset out
    if "%f" in form or "%z" in form:  # written in several ways: 0.5 and 0.500000, Z and +00:00
        return len(text) >= len(made.strftime(form.replace("%f", "0").replace("%z", "Z")))
    return made.strftime(form).casefold() == text.casefold()


def expected(form: str | None, offset: bool) -> str:
    """What a date looks like, for a message."""
    if form is not None:
        return f"a date written as {form}, such as {datetime(2026, 3, 25, 14, 30):{form}}"
    return "a date such as 2026-03-25T14:30:00" + ("+02:00" if offset else "")


# steps


def parse_date(form: str | None = None, offset: bool = False) -> Callable[[str], Moment]:
    """Reads a date; what is none is missing."""
    return lambda text: None if text == MISSING_TEXT else read(text, form, offset)


def parse_date_or_missing(form: str, in_nanoseconds: bool = False) -> Callable[[str], Moment]:
    """Reads a date as pandas' `to_datetime` does that coerces errors: any year, and 2026-3-5.

    Args:
        form: for `strptime`.
        in_nanoseconds: pandas holds it in nanoseconds, which have no date before 1678.
    """

    def change(text: str) -> Moment:
        return CLOCK[text]("%z" in form) if text in CLOCK else dated(text)

    @lru_cache(CACHED)
    def dated(text: str) -> Moment:
        if "%f" in form:  # pandas takes nanoseconds, and no digit at all
            text = DECIMALS.sub(lambda found: found[1] or ".0", text)
        if "%z" in form:
            text = WHOLE_HOURS.sub(r"\g<0>00", text)
        try:
            made = datetime.strptime(text, form)
            moment = made.replace(tzinfo=None) - _whole_minutes(made.utcoffset())
        except (ValueError, OverflowError):
            return None
        return None if in_nanoseconds and not LEAST_NS <= moment <= GREATEST_NS else moment

    return change


# What pandas reads in any form of dates: its time of day is the machine's, or UTC.
CLOCK: Mapping[str, Callable[[bool], datetime]] = {
    "now": lambda utc: datetime.now(UTC).replace(tzinfo=None) if utc else datetime.now(),
    "today": lambda utc: datetime.now(),
}


def _whole_minutes(offset: timedelta | None) -> timedelta:
    """An offset from UTC as pandas reads it, without its seconds."""
    return timedelta(minutes=int((offset or timedelta(0)) / timedelta(minutes=1)))


def date_in_zone(starts: Sequence[int], offsets: Sequence[int]) -> Callable[[Moment], Moment]:
    """From UTC to the time of a zone.

    Args:
        starts: seconds from 1970 at which each offset but the first begins, ascending.
        offsets: seconds that are added, one more than there are starts.
    """

    def change(moment: Moment) -> Moment:
        if moment is None:
            return None
        seconds = (moment - EPOCH) // timedelta(seconds=1)
        return moment + timedelta(seconds=offsets[bisect_right(starts, seconds)])

    return change


def floor_date(microseconds: int) -> Callable[[Moment], Moment]:
    """Down to whole hours, days and so on."""
    step = timedelta(microseconds=microseconds)
    return lambda moment: None if moment is None else EPOCH + (moment - EPOCH) // step * step


def date_parts(names: Sequence[str]) -> Callable[[Moment], Sequence[float]]:
    """Parts of a date by pandas' names, NaN for a missing date."""
    functions = [PARTS[name] for name in names]
    none = [nan] * len(functions)
    return lambda moment: none if moment is None else [take(moment) for take in functions]


def format_date(form: str) -> Callable[[Moment], str]:
    """As `strftime` writes it."""
    return lambda moment: MISSING_TEXT if moment is None else moment.strftime(form)


def _last_day(moment: datetime) -> int:
    return monthrange(moment.year, moment.month)[1]


PARTS: Mapping[str, Callable[[datetime], Any]] = {
    **{
        name: attrgetter(name)
        for name in ("year", "month", "day", "hour", "minute", "second", "microsecond")
    },
    "nanosecond": lambda moment: 0,
    "weekday": lambda moment: moment.weekday(),
    "dayofyear": lambda moment: moment.timetuple().tm_yday,
    "quarter": lambda moment: (moment.month + 2) // 3,
    "days_in_month": _last_day,
    "iso_year": lambda moment: moment.isocalendar()[0],
    "iso_week": lambda moment: moment.isocalendar()[1],
    "iso_day": lambda moment: moment.isocalendar()[2],
    "is_month_start": lambda moment: moment.day == 1,
    "is_month_end": lambda moment: moment.day == _last_day(moment),
    "is_quarter_start": lambda moment: (moment.month % 3, moment.day) == (1, 1),
    "is_quarter_end": lambda moment: (moment.month % 3, moment.day) == (0, _last_day(moment)),
    "is_year_start": lambda moment: (moment.month, moment.day) == (1, 1),
    "is_year_end": lambda moment: (moment.month, moment.day) == (12, 31),
    "is_leap_year": lambda moment: isleap(moment.year),
    "microseconds": lambda moment: (moment - EPOCH) // timedelta(microseconds=1),  # from 1970
}
