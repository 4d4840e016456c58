"""Transformers of our own: dates taken apart, images read, pairs computed, categories counted."""

from __future__ import annotations

from typing import Any

import numpy as np

from onnxlet.convert.converters.registration import Converters
from onnxlet.convert.estimators.category_counts import CategoryCounts
from onnxlet.convert.estimators.date_parts import DAYS, PERIODS, DateParts
from onnxlet.convert.estimators.images import Images
from onnxlet.convert.estimators.pair_arithmetic import OPERATORS, PairArithmetic
from onnxlet.convert.graph import dates
from onnxlet.convert.graph.categories import Meaning, look_up
from onnxlet.convert.graph.converter import DATE, Graph, Outputs, Table, Tensor
from onnxlet.function.arrays import LARGEST_FLOAT32

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


def images(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """Images: the pixels of the one column, an input of the graph."""
    settings = {
        "height": int(fitted.height),
        "width": int(fitted.width),
        "mode": str(fitted.mode),
        "resize": str(fitted.resize),
    }
    [column] = graph.columns(table)
    made = graph.image(column, settings, fitted.width_out)
    return {"transform": made.cast(graph.precision)}


def pair_arithmetic(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """One node for all pairs of an operator, put back into their order."""
    x = graph.matrix(table, "float64")
    made: list[Tensor] = []
    order: list[int] = []
    for sign, operator in OPERATORS.items():
        at = [index for index, pair in enumerate(fitted.pairs_) if pair[1] == sign]
        if at:
            left, right = (x.take([fitted.pairs_[index][side] for index in at]) for side in (0, 2))
            made.append(operator(left, right))
            order += at
    ordered = graph.concat(made).take(np.argsort(order).tolist())
    bounded = ordered.maximum(-LARGEST_FLOAT32).minimum(LARGEST_FLOAT32)
    return {"transform": ordered.isnan().where(np.nan, bounded).cast(graph.precision)}


def category_counts(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """CategoryCounts: the count of each column's category, 0 for any other value."""
    meanings = [
        Meaning(known, counts.reshape(-1, 1), np.zeros(1))
        for known, counts in zip(fitted.encoder_.categories_, fitted.counts_, strict=True)
    ]
    return {"transform": look_up(graph, table, meanings, graph.precision)}


CONVERTERS: Converters = {
    CategoryCounts: category_counts,
    DateParts: date_parts,
    Images: images,
    PairArithmetic: pair_arithmetic,
}
