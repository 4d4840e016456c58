"""Columns of dates: pandas' own, and text that is dates of one form."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

import pandas as pd
from pandas.tseries.api import guess_datetime_format

from onnxlet.function.inputs.columns import Column
from onnxlet.function.inputs.dates import GREATEST, LEAST, read

# What pandas calls parts of dates today: the other names are deprecated.
RENAMED = {"weekday": "day_of_week", "dayofweek": "day_of_week", "dayofyear": "day_of_year"}
# Unlike each other in all that a part or a form of a date may depend on.
ODD = tuple(
    datetime.fromisoformat(text)
    for text in (
        "1970-01-01", "1969-12-31T23:59:59", "2000-02-29", "2024-02-29T12:00", "2023-02-28",
        "1900-03-01", "2100-02-28T23:59:59", "2024-12-31T23:59:59", "2025-01-01", "2020-12-28",
        "2021-01-03", "2026-01-31T06:30", "2026-03-29T01:30", "2026-03-29T03:30", "2026-04-01",
        "2026-05-05T05:05:05", "2026-06-30T18:45", "2026-07-04", "2026-08-13T13:13:13",
        "2026-09-30", "2026-10-25T01:30", "2026-10-25T00:30", "2026-11-26T09:00", "2026-12-24",
        "1999-12-31", "1816-07-09", "2199-10-10T10:10:10.101010", "2038-01-19T03:14:08",
    )
)  # fmt: skip


def held_as(dtype: Any) -> Any:
    """The dtype that dates of a request are given in: microseconds, or what holds nanoseconds."""
    unit: Literal["ns", "us"] = "ns" if "[ns" in str(dtype) else "us"
    zone = getattr(dtype, "tz", None)
    return f"datetime64[{unit}]" if zone is None else pd.DatetimeTZDtype(unit, zone)


def zone_of(dtype: Any) -> str | None:
    """The time zone of a dtype of dates, by name; None where it has none."""
    zone = getattr(dtype, "tz", None)
    return None if zone is None else str(zone)


def unserved_dates(series: pd.Series[Any], what: str) -> str:
    """Why some dates of a column have no form in a request; empty where all have one."""
    known = series.dropna()
    plain = known.dt.tz_convert("UTC").dt.tz_localize(None) if zone_of(series.dtype) else known
    if (known.dt.nanosecond != 0).any():
        return f"{what}: its dates have nanoseconds, and a request has microseconds"
    if len(plain) and not (plain.min() >= LEAST and plain.max() <= GREATEST):
        return f"{what}: its dates lie before {LEAST:%Y} or after {GREATEST:%Y}"
    return ""


def from_texts(cells: Sequence[str | None], dtype: Any) -> pd.Series[Any]:
    """Dates of a request, in pandas' dtype."""
    zone = zone_of(dtype)
    moments = [None if cell is None else read(cell, None, zone is not None) for cell in cells]
    series = pd.Series(moments, dtype="datetime64[us]")
    if zone is not None:
        series = series.dt.tz_localize("UTC").dt.tz_convert(dtype.tz)
    return series.astype(dtype)


def written(column: Column, moment: datetime) -> str:
    """A moment in UTC as a request has it in a column of dates."""
    if column.format is not None:
        return moment.strftime(column.format.replace("%z", "+0000"))
    return moment.isoformat() + ("Z" if column.zone is not None else "")


def moments(column: Column, cells: Sequence[Any]) -> list[datetime]:
    """The dates that a column's cells hold, in order."""
    found = {
        read(cell, column.format, column.zone is not None)
        for cell in cells
        if isinstance(cell, str)
    }
    return sorted(moment for moment in found if moment is not None)


def forms(texts: Sequence[str]) -> list[str]:
    """Forms of `strptime` that all of these texts have; where days may be months, there are two."""
    if not texts:
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the other order would fit better: both are tried
        guessed = dict.fromkeys(
            guess_datetime_format(texts[0], dayfirst=first) for first in (False, True)
        )
    return [form for form in guessed if form and all(read(text, form) for text in texts)]


def unseen(form: str, texts: Sequence[str]) -> str:
    """A date of a form that none of the texts is, late in a month."""
    known = set(texts)
    return next(text for text in _later(form, texts[0]) if text not in known)


def _later(form: str, text: str) -> Iterator[str]:
    start = (read(text, form) or ODD[0]).replace(day=25)
    for days in range(0, 365 * 30, 7):
        moment = start + timedelta(days=days)
        if moment.day > 12:
            yield moment.strftime(form.replace("%z", "+0000"))
    raise ValueError(f"no unseen date of the form {form!r}")
