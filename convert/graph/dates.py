"""Columns of dates: what the front end reads and takes apart for the graph.

A tensor of dtype DATE stands for such a column. The graph has no such tensor: it is given the
parts that a step asks for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from onnxlet.convert.graph.inputs import steps_of
from onnxlet.convert.graph.nodes import Unsupported
from onnxlet.convert.graph.tensor import DATE, Tensor
from onnxlet.function.arrays import Array
from onnxlet.function.inputs.dates import GREATEST, LEAST

# What Python's `strptime` reads as pandas' own does.
SAME_DIRECTIVES = frozenset("YmdHMSfyBbAapIjz%")
DAY_SECONDS = 86_400
# Other names of pandas for the same part.
ALIASES = {
    "dayofweek": "weekday", "day_of_week": "weekday", "day_of_year": "dayofyear",
    "daysinmonth": "days_in_month",
}  # fmt: skip


def from_text(
    text: Tensor, form: str | None = None, offset: bool = False, coerced: bool = False
) -> Tensor:
    """The dates that a column of text holds; what is no date is missing.

    The form is that of `strptime`, None is ISO 8601, whose dates have an offset from UTC or have
    none. Where any text comes in, `coerced`, pandas reads what it can: 2026-3-5 by %Y-%m-%d, too.
    Unsupported is raised where a step inside the model has made the text, or Python reads the form
    otherwise.
    """
    if text.column is None or text.dtype != "string":
        raise Unsupported(
            "it reads dates out of a column that a step before it has changed",
            "Read dates from columns as they come in.",
        )
    if not coerced:
        return with_step(text, {"step": "parse_date", "form": form, "offset": offset})
    if form is None or set(re.findall("%(.)", form)) - SAME_DIRECTIVES:
        raise Unsupported(
            f"pandas reads dates of the form {form!r} that it is to coerce differently than Python",
            "Use one of numbers and names, such as %Y-%m-%d.",
        )
    in_nanoseconds = int(pd.__version__.split(".")[0]) < 3
    return with_step(
        text, {"step": "parse_date_or_missing", "form": form, "in_nanoseconds": in_nanoseconds}
    )


def with_step(column: Tensor, step: Mapping[str, Any]) -> Tensor:
    """A column of dates, after one more step of the front end."""
    steps = (*steps_of(column), dict(step))
    name = column.graph.unique("date")
    return replace(column, name=name, dtype=DATE, steps=steps, replaced=(), types=(), origin=None)


def form_of(text: Tensor) -> str | None:
    """The form of the dates that a column of text as it comes in has to hold, if any."""
    declared = text.types[0] if text.types else ""
    return declared.removeprefix("date ") if declared.startswith("date ") else None


def parts(date: Tensor, names: Sequence[str], dtype: str | None = None) -> Tensor:
    """Parts of dates, of shape (rows, parts), NaN for a missing date; in the graph's precision.

    They have the names of pandas' `.dt`, and `microseconds`, from 1970, which need float64.
    """
    known = [ALIASES.get(name, name) for name in names]
    step = {"step": "date_parts", "names": known}
    return date.graph.front_end(date, step, dtype or date.graph.precision, len(known))


def microseconds(date: Tensor) -> Tensor:
    """From 1970, in float64, in which they are whole numbers."""
    return parts(date, ["microseconds"], "float64")


def formatted(date: Tensor, form: str) -> Tensor:
    """Text, as `strftime` writes it."""
    return date.graph.front_end(date, {"step": "format_date", "form": form})


def floored(date: Tensor, unit: timedelta) -> Tensor:
    """Dates, down to a whole number of units from 1970."""
    step = {"step": "floor_date", "microseconds": unit // timedelta(microseconds=1)}
    return with_step(date, step)


def in_zone(date: Tensor, zone: str) -> Tensor:
    """Dates in UTC, as the clocks of a zone show them; Unsupported where nobody knows the zone."""
    try:
        starts, offsets = _changes(zone)
    except (KeyError, ValueError, OSError) as error:
        raise Unsupported(f"the time zone {zone!r} is not known here") from error
    if not starts and offsets == [0]:
        return date
    return with_step(date, {"step": "date_in_zone", "starts": starts, "offsets": offsets})


def has_offset(date: Tensor) -> bool:
    """Whether dates come with an offset from UTC."""
    first = next(
        step for step in date.steps if step["step"] in ("parse_date", "parse_date_or_missing")
    )
    return bool(first.get("offset")) or "%z" in (first["form"] or "")


def in_utc(date: Tensor) -> Tensor:
    """Dates before they were taken to the clock of a zone."""
    steps = tuple(step for step in date.steps if step["step"] != "date_in_zone")
    return replace(date, name=date.graph.unique("date"), steps=steps)


def as_moments(date: Tensor) -> Tensor:
    """Dates before the last clock that they were taken to: moments, which have no zone.

    Unsupported is raised where they were rounded by that clock.
    """
    if date.steps[-1]["step"] == "date_in_zone":
        return replace(date, name=date.graph.unique("date"), steps=date.steps[:-1])
    if any(step["step"] == "date_in_zone" for step in date.steps):
        raise Unsupported(
            "dates that a zone's clock was rounded in are no moments any more",
            "Compare dates and change their zone before .dt.floor() and .dt.normalize().",
        )
    return date


def as_they_stand(date: Tensor) -> Tensor:
    """The clock of dates as moments of its own, whatever zone it was of."""
    if not any(step["step"] == "date_in_zone" for step in date.steps):
        return date
    return with_step(date, {"step": "date_in_zone", "starts": [], "offsets": [0]})


@cache
def _changes(zone: str) -> tuple[list[int], list[int]]:
    """The seconds from 1970 at which a zone's offset changes, and all of its offsets in seconds.

    As pandas has them: older versions know no rule for the years after 2037. The offset is asked
    for once a day; where it has changed, halves find the second.
    """
    first, last = (int((end - datetime(1970, 1, 1)).total_seconds()) for end in (LEAST, GREATEST))
    days = np.arange(first, last, DAY_SECONDS)
    by_day = _offsets(days, zone)
    before = np.flatnonzero(np.diff(by_day))
    low, high = days[before], days[before + 1]
    while (high - low > 1).any():
        middle = (low + high) // 2
        same = _offsets(middle, zone) == by_day[before]
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    return high.tolist(), [int(by_day[0]), *by_day[before + 1].tolist()]


def _offsets(seconds: Array, zone: str) -> Array:
    """The seconds that pandas adds to UTC in a zone."""
    moments = pd.to_datetime(seconds, unit="s", utc=True)
    clock = moments.tz_convert(zone).tz_localize(None) - moments.tz_localize(None)
    return np.asarray(clock // pd.Timedelta(seconds=1), dtype=np.int64)
