"""DateParts: the front end takes dates apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from onnxlet.convert.estimators.date_parts import DAYS, PERIODS, DateParts
from onnxlet.convert.graph import dates
from onnxlet.convert.graph.converter import DATE, Converter, Graph, Outputs, Table, Tensor

DAY = 86_400e6  # microseconds


def date_parts(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """DateParts: the parts of each column."""
    made: list[Tensor] = []
    for column, form in zip(graph.columns(table), fitted.formats_, strict=True):
        made += _parts(_read(fitted, column, form), fitted)
    return {"transform": graph.concat(made)}


def _read(fitted: Any, column: Tensor, form: str | None) -> Tensor:
    date = column if column.dtype == DATE else dates.from_text(column, form)
    if fitted.zone is None or not dates.has_offset(date):
        return date
    return dates.in_zone(dates.in_utc(date), fitted.zone)


def _parts(date: Tensor, fitted: Any) -> list[Tensor]:
    turned = {part for part in fitted.parts if fitted.cyclic and part in PERIODS}
    names = [part for part in fitted.parts if part != DAYS]
    known = dates.parts(date, names, "float64") if names else None
    made: list[Tensor] = []
    for part in fitted.parts:
        if part == DAYS:
            made.append(dates.microseconds(date) / DAY)
        elif known is not None:
            values = known.take([names.index(part)])
            made += _turned(values, PERIODS[part]) if part in turned else [values]
    return [one.cast(date.graph.precision) for one in made]


def _turned(values: Tensor, period: int) -> list[Tensor]:
    """Sine and cosine as NumPy computes them, to the last digit: a tree may come after."""
    angles = np.arange(period + 1) * (2 * np.pi / period)
    gap = values.isnan()
    index = gap.where(0.0, values).cast("int64")
    return [
        gap.where(np.nan, index.look_up(function(angles), "float64"))
        for function in (np.sin, np.cos)
    ]


CONVERTERS: dict[type, Converter] = {DateParts: date_parts}
