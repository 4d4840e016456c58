"""skrub's dates: read from text of one form, and taken apart into numbers.

Sources: `skrub/_to_datetime.py`, `_datetime_encoder.py`. Text that is no date of the form, or no
date at all, is missing.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
from skrub import DatetimeEncoder, ToDatetime

from onnxlet.convert.converters.registration import Converters, exact
from onnxlet.convert.graph import dates
from onnxlet.convert.graph.converter import DATE, Graph, Outputs, Table, Tensor, Unsupported

UNITS = {"s": timedelta(seconds=1), "ms": timedelta(milliseconds=1)}
SECOND = 1e6  # microseconds
# The parts that are encoded as periods, and the largest number that each may be.
PERIODS = {"month": 12, "day": 31, "hour": 23, "weekday": 7}


def to_datetime(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """ToDatetime: dates stay, text is read by the one form of the training rows."""
    [column] = graph.columns(table)
    if column.dtype != DATE:
        column = _read(column, fitted)
    zone = fitted.output_time_zone_
    if zone is not None and dates.has_offset(column):
        column = dates.in_zone(dates.in_utc(column), str(zone))
    elif zone is not None:
        column = dates.in_zone(column, str(zone))
    elif dates.has_offset(column):
        column = dates.in_utc(column)
    unit = getattr(fitted.output_dtype_, "unit", None) or np.datetime_data(fitted.output_dtype_)[0]
    return {"transform": dates.floored(column, UNITS[unit]) if unit in UNITS else column}


def _read(text: Tensor, fitted: Any) -> Tensor:
    form = fitted.format_
    if form is None:
        raise Unsupported("it is fitted on dates and given text", "Give X_test a column of dates.")
    unknown = {letter for letter in re.findall("%(.)", form) if letter not in dates.SAME_DIRECTIVES}
    if unknown or not isinstance(form, str):
        raise Unsupported(f"its format is {form!r}", "Use one of numbers and names, %Y-%m-%d.")
    if text.dtype != "string" or text.column is None:
        raise Unsupported(
            "it reads dates out of a column that a step before it has changed",
            "Read dates from columns as they come in.",
        )
    nanoseconds = "ns" in str(fitted.output_dtype_)
    step = {"step": "parse_date_or_missing", "form": form, "in_nanoseconds": nanoseconds}
    return dates.with_step(text, step)


def encoded(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """DatetimeEncoder: parts in float32, missing where the date is; then parts as periods."""
    [date] = graph.columns(table)
    if date.dtype != DATE:
        raise Unsupported("it is not given dates", "Put ToDatetime before it.")
    if not fitted.extracted_features_:
        raise Unsupported("it makes no column", "Leave the column out.")
    periodic = fitted._periodic_encoders
    plain = [name for name in fitted.extracted_features_ if name not in periodic]
    made = [_plain(date, plain)] if plain else []
    made += [_periodic(date, name, periodic[name]) for name in fitted.extracted_features_
             if name in periodic]  # fmt: skip
    return {"transform": Table(tuple(made))}


def _plain(date: Tensor, names: list[str]) -> Tensor:
    """Parts as numbers of float32, the seconds from 1970 among them."""
    known = [name for name in names if name != "total_seconds"]
    found = dates.parts(date, known, "float64") if known else None
    columns = []
    for name in names:
        if name == "total_seconds":
            moment = dates.in_utc(date) if dates.has_offset(date) else date
            columns.append(dates.microseconds(moment) / SECOND)
        elif found is not None:
            column = found.take([known.index(name)])
            columns.append(column + 1.0 if name == "weekday" else column)
    return date.graph.concat(columns).cast("float32")


def _periodic(date: Tensor, name: str, encoder: Any) -> Tensor:
    """What skrub makes of each value that a part can have, looked up."""
    values = dates.parts(date, [name], "float64")
    values = values + 1.0 if name == "weekday" else values
    gap = values.isnan()
    numbers = pd.Series(np.arange(PERIODS[name] + 1))
    known = np.asarray(encoder.transform(numbers), dtype=np.float64)
    table = date.graph.constant(known, "float64")
    index = gap.where(0.0, values).cast("int64")
    rows = date.graph.op("Gather", table, index, axis=0)
    width = table.width
    return gap.where(np.nan, replace(rows.reshape([-1, width], width), dimensions=2))


CONVERTERS: Converters = {DatetimeEncoder: exact(encoded), ToDatetime: exact(to_datetime)}
